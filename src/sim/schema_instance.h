// A minimal value that a JSON Schema accepts: what the simulator answers a structured-output
// request with, and the arguments of the tools it calls of itself. Knows what model APIs allow:
// type (one or several), enum, const, default, properties and required, items with minItems,
// minimum, maximum, minLength, anyOf, oneOf, allOf, and $ref into the same document. Pure; any
// thread. Limits: 32 levels deep, 64 KiB of text; beyond, null.
#pragma once

#include <string>

#include "base/json/document.h"

namespace weir::sim {

// JSON text. Every property is given, the optional ones too: strict structured output demands it.
std::string schema_instance(json::Value schema);

}  // namespace weir::sim
