// JSON schemas for Anthropic's structured output, which takes a part of JSON Schema and answers 400
// to the rest (platform.claude.com, "Structured outputs", JSON schema limitations). Pure.
#pragma once

#include <string>
#include <string_view>

#include "dialect/conversation.h"

namespace weir::dialect::anthropic_messages {

// The schema without the limits that the API does not know (minimum, maxLength, ...), each noted in
// `dropped`, and with additionalProperties false on every object, which it demands. oneOf becomes
// anyOf. Text that is no JSON object comes back as it is.
std::string structured_schema(std::string_view schema, Dropped& dropped);

}  // namespace weir::dialect::anthropic_messages
