#include "dialect/tools.h"

#include <algorithm>
#include <array>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

// One well-known tool in one dialect. Types carry dates; a type belongs to the first row whose
// `prefix` it begins with, and `json` is what is written, "" where it is only read.
struct ProviderTool {
  Dialect dialect;
  enum class What : uint8_t { web_search, code_execution, web_fetch } what;
  std::string_view prefix;
  std::string_view json;
};
using What = ProviderTool::What;

constexpr auto kProviderTools = std::to_array<ProviderTool>({
    {Dialect::openai_chat, What::web_search, kChatWebSearch, "{}"},
    {Dialect::openai_responses, What::web_search, "web_search", R"({"type":"web_search"})"},
    {Dialect::openai_responses, What::code_execution, "code_interpreter",
     R"({"type":"code_interpreter","container":{"type":"auto"}})"},
    {Dialect::anthropic_messages, What::web_search, "web_search_",
     R"({"type":"web_search_20250305","name":"web_search"})"},
    {Dialect::anthropic_messages, What::code_execution, "code_execution_",
     R"({"type":"code_execution_20250825","name":"code_execution"})"},
    {Dialect::anthropic_messages, What::web_fetch, "web_fetch_",
     R"({"type":"web_fetch_20250910","name":"web_fetch"})"},
    {Dialect::gemini, What::web_search, "googleSearch", R"({"googleSearch":{}})"},
    {Dialect::gemini, What::web_search, "google_search", ""},
    {Dialect::gemini, What::code_execution, "codeExecution", R"({"codeExecution":{}})"},
    {Dialect::gemini, What::code_execution, "code_execution", ""},
    {Dialect::gemini, What::web_fetch, "urlContext", R"({"urlContext":{}})"},
    {Dialect::gemini, What::web_fetch, "url_context", ""},
});

}  // namespace

std::string freeform_description(const Tool& tool) {
  std::string out = tool.description;
  json::Document document;
  if (tool.format.empty() || !document.parse(tool.format)) return out;
  const json::Value format = document.root();
  const std::string definition = format["definition"].string_or("");
  if (definition.empty()) return out;
  if (!out.empty()) out.append("\n\n");
  out.append("The input has to match this ").append(format["syntax"].string_or("lark"));
  out.append(" grammar:\n").append(definition);
  return out;
}

std::string arguments_of_input(std::string_view input) {
  std::string out;
  json::Writer(out).begin_object().member("input", input).end_object();
  return out;
}

std::string input_of_arguments(std::string_view json) {
  json::Document document;
  if (!document.parse(json, {.unique_keys_levels = 0})) return std::string(json);
  const json::Value input = document.root()["input"];
  return input.is_string() ? input.string_or("") : std::string(json);
}

std::string arguments_of(const Part& call) {
  return call.freeform ? arguments_of_input(call.text) : object_text(call.json);
}

bool asked_for_freeform(const Conversation* asked, std::string_view name) {
  return asked != nullptr &&
         std::any_of(asked->tools.begin(), asked->tools.end(),
                     [&](const Tool& tool) { return tool.freeform && tool.name == name; });
}

Result<void> check_tool_names(const std::vector<Tool>& tools, size_t length_max) {
  for (const Tool& tool : tools) {
    if (!tool.native.empty() || is_plain_name(tool.name, length_max)) continue;
    return fail(ErrorCode::invalid_argument,
                "tools: the name \"" + tool.name + "\" is not 1 to " + std::to_string(length_max) +
                    " letters, digits, '_' and '-', which is what the provider's API accepts");
  }
  return {};
}

bool has_call(const std::vector<Part>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [](const Part& part) { return part.kind == PartKind::tool_call; });
}

bool tells_freeform(const Conversation* asked, std::string_view name, bool freeform) {
  return asked == nullptr ? freeform : asked_for_freeform(asked, name);
}

std::string provider_tool_json(const Tool& tool, Dialect target) {
  if (tool.origin == target) return tool.native;
  const auto row =
      std::find_if(kProviderTools.begin(), kProviderTools.end(), [&](const ProviderTool& entry) {
        return entry.dialect == tool.origin && tool.name.starts_with(entry.prefix);
      });
  if (row == kProviderTools.end()) return {};
  for (const ProviderTool& entry : kProviderTools) {
    if (entry.dialect == target && entry.what == row->what) return std::string(entry.json);
  }
  return {};
}

}  // namespace weir::dialect
