#include "gateway/count_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/json/writer.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;

// What the counting endpoints take of a request; they refuse the rest.
constexpr std::string_view kAnthropic[] = {"model",       "messages", "system",       "tools",
                                           "tool_choice", "thinking", "output_config"};
constexpr std::string_view kResponses[] = {
    "model",     "input", "instructions", "tools",
    "reasoning", "text",  "tool_choice",  "parallel_tool_calls"};
constexpr std::string_view kGemini[] = {"contents", "systemInstruction", "tools", "toolConfig",
                                        "generationConfig"};
constexpr std::string_view kVertex[] = {"contents", "systemInstruction", "tools",
                                        "generationConfig"};

void write_members(json::Writer& w, json::Value root, std::span<const std::string_view> names) {
  for (const auto& [name, value] : root.members()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    w.member_raw(name, value.raw());
  }
}

}  // namespace

json::Value counted_request(const Exchange& x) {
  const json::Value root = x.document.root();
  if (x.route.operation != provider::Operation::count_tokens) return root;
  const json::Value wrapped = root["generateContentRequest"];
  return wrapped.is_object() ? wrapped : root;
}

Result<std::string> count_request(Dialect dialect, const provider::Deployment& deployment,
                                  std::string_view request) {
  json::Document document;
  WEIR_CHECK_OK(document.parse(request));
  const json::Value root = document.root();
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (dialect == Dialect::anthropic_messages) {
    write_members(w, root, kAnthropic);
  } else if (dialect == Dialect::openai_responses) {
    write_members(w, root, kResponses);
  } else if (deployment.account->kind == provider::Kind::vertex_ai) {
    write_members(w, root, kVertex);
  } else {
    w.key("generateContentRequest").begin_object();
    w.member("model", "models/" + deployment.model);
    write_members(w, root, kGemini);
    w.end_object();
  }
  w.end_object();
  return body;
}

Result<int64_t> read_count(Dialect dialect, json::Value answer) {
  const json::Value count = answer[dialect == Dialect::gemini ? "totalTokens" : "input_tokens"];
  const auto tokens = count.as_int64();
  // Proto's JSON leaves a zero out.
  if (!tokens && dialect == Dialect::gemini && !count.exists()) return 0;
  if (!tokens || *tokens < 0) {
    return fail(ErrorCode::protocol_error, "its count of tokens is no number");
  }
  return *tokens;
}

std::string count_body(Dialect dialect, int64_t tokens) {
  switch (dialect) {
    case Dialect::gemini:
      return fmt::format(R"({{"totalTokens":{}}})", tokens);
    case Dialect::openai_responses:
      return fmt::format(R"({{"object":"response.input_tokens","input_tokens":{}}})", tokens);
    default:
      return fmt::format(R"({{"input_tokens":{}}})", tokens);
  }
}

}  // namespace weir::gateway
