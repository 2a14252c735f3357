// What the API's document says of bodies, as JSON Schema. Written here in a short notation:
//
//   text number bool any             a value of that type
//   {name: text, other?: number}     an object; a member with ? may be absent
//   {*: text}                        a map
//   [Row]                            a list; a name with a capital stands for one of schemas()
//   text?                            may be null
//
// The console's types are generated from it (web/types.mjs), and tests/console compares it with
// what a running Weir answers. Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "admin/routes.h"

namespace weir::admin {

struct NamedSchema {
  std::string_view name;
  std::string_view notation;
};

// The named ones, for the document's components.
std::span<const NamedSchema> schemas();
// The notation of what the route answers with when all is well; empty where that is no JSON.
std::string_view reply_notation(const Route& route);
// The JSON Schema of a notation; nullopt where it is none.
std::optional<std::string> schema_of(std::string_view notation);

}  // namespace weir::admin
