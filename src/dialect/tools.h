// Tools that are not functions everywhere: custom tools, whose input is text (OpenAI), and tools
// that the provider runs. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dialect/conversation.h"

namespace weir::dialect {

// A custom tool as a function with one string, `input`; its grammar stands in the description.
inline constexpr std::string_view kFreeformSchema =
    R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})";
std::string freeform_description(const Tool& tool);
std::string arguments_of_input(std::string_view input);
// Arguments that are no {"input": "..."} are the input as they stand.
std::string input_of_arguments(std::string_view json);

// Refuses names of the client's tools that are not 1..`length_max` letters, digits, '_' and '-'.
Result<void> check_tool_names(const std::vector<Tool>& tools, size_t length_max);
// Whether a tool is called among the parts.
bool has_call(const std::vector<Part>& parts);

// The arguments of a call as JSON text, its input wrapped where it is a custom tool's.
std::string arguments_of(const Part& call);
// Whether a call of that name answers a custom tool of the request (nullptr: not known).
bool asked_for_freeform(const Conversation* asked, std::string_view name);
// Whether the client of a dialect with custom tools is told a call as one of theirs: where the
// request is known, it decides; else what the provider made of it.
bool tells_freeform(const Conversation* asked, std::string_view name, bool freeform);

// The object that stands for a provider-run tool (Tool::native) in another dialect: its own in its
// own, one from the table of well-known tools (web search, code execution, fetching an address),
// or "" where the target has none.
std::string provider_tool_json(const Tool& tool, Dialect target);

// A provider-run tool in chat completions is a member of the body.
inline constexpr std::string_view kChatWebSearch = "web_search_options";

}  // namespace weir::dialect
