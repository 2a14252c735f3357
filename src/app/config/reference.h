// The reference page and the JSON Schema of the configuration, printed from the same tables that
// decode it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir::app {

struct ObjectSpec;

// The tables of one object and all inside it: a section each, the outermost first.
std::string sections_markdown(const ObjectSpec& spec);
// docs/reference/configuration.md.
std::string reference_markdown();
// docs/reference/weir.schema.json: JSON Schema draft 2020-12. Scalars may hold ${NAME}.
std::string json_schema();
// What `weir config explain PATH` says of one field, such as "models.retries.budget"; list items
// are written without numbers. Empty where there is no such field.
std::string explain_field(std::string_view path);

}  // namespace weir::app
