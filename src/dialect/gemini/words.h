// Gemini's vocabulary, shared by its relay tracker, readers and writers. camelCase is what Google
// sends; proto JSON also takes snake_case, so readers ask for a field by both names. Pure; any
// thread.
#pragma once

#include <string_view>

#include "base/json/document.h"
#include "dialect/conversation.h"

namespace weir::dialect {

// The member under its camelCase or its snake_case name.
json::Value gemini_field(json::Value object, std::string_view camel, std::string_view snake);

// A finishReason that ends a candidate: mid-stream it is absent, null, empty or unspecified.
bool is_gemini_finish(json::Value reason);
// STOP means tool_use where the candidate called a function.
StopReason stop_of_gemini(std::string_view finish_reason, bool has_calls);
std::string_view gemini_finish_reason(StopReason stop);

}  // namespace weir::dialect
