// What OpenAI's strict structured output asks of a JSON schema: every object closed
// (additionalProperties false) and all of its properties required. Other APIs guarantee an answer's
// form without it, so a schema from their clients may not fit. Pure; any thread.
#pragma once

#include <string_view>

namespace weir::dialect {

bool fits_openai_strict(std::string_view schema);

}  // namespace weir::dialect
