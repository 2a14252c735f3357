#include "gateway/estimate.h"

#include <algorithm>
#include <optional>

#include "dialect/relay/meter.h"

namespace weir::gateway {
namespace {

// A 1024 x 1024 image costs 765 to 1,600 tokens with the vendors; a PDF page about as much.
constexpr int64_t kTokensPerFile = 1000;
constexpr size_t kFileBytesMin = 2048;
constexpr size_t kProbeBytes = 256;

// Long text without a space near its beginning is base64.
bool looks_like_file(std::string_view raw) {
  return raw.size() > kFileBytesMin && raw.substr(0, kProbeBytes).find(' ') == raw.npos;
}

int64_t tokens_of(json::Value value) {
  switch (value.type()) {
    case json::Type::string:
      return looks_like_file(value.raw()) ? kTokensPerFile : dialect::estimate_tokens(value.raw());
    case json::Type::array: {
      int64_t sum = 0;
      for (const json::Value element : value.elements()) sum += tokens_of(element);
      return sum;
    }
    case json::Type::object: {
      int64_t sum = 0;
      const json::Value::Members members = value.members();
      for (auto at = members.begin(); at != members.end(); ++at) sum += tokens_of(at.value());
      return sum;
    }
    default:
      return 0;
  }
}

}  // namespace

int64_t estimate_input_tokens(json::Value root) {
  // Small bodies hold no file worth looking for.
  if (root.raw().size() <= kFileBytesMin) return dialect::estimate_tokens(root);
  return tokens_of(root);
}

namespace {

std::optional<int64_t> output_limit(json::Value root) {
  for (const std::string_view name : {"max_completion_tokens", "max_tokens", "max_output_tokens"}) {
    if (const auto most = root[name].as_int64()) return std::max<int64_t>(*most, 0);
  }
  for (const json::Value most :
       {root["generationConfig"]["maxOutputTokens"], root["inferenceConfig"]["maxTokens"]}) {
    if (const auto tokens = most.as_int64()) return std::max<int64_t>(*tokens, 0);
  }
  return std::nullopt;
}

}  // namespace

int64_t estimate_output_tokens(json::Value root) {
  return output_limit(root).value_or(kOutputGuess);
}

bool limits_output(json::Value root) {
  return output_limit(root).has_value();
}

int64_t tool_uses_asked(json::Value root) {
  constexpr int64_t kUsesMost = 1'000;
  const auto bounded = [&](json::Value own) {
    const auto uses = own.as_int64() ? own.as_int64() : root["max_tool_calls"].as_int64();
    return std::clamp<int64_t>(uses.value_or(kToolUses), 0, kUsesMost);
  };
  int64_t uses = root["web_search_options"].is_object() ? kToolUses : 0;
  for (const json::Value tool : root["tools"].elements()) {
    const std::string type = tool["type"].string_or("");
    const bool named = type.starts_with("web_search") || type.starts_with("file_search");
    // Gemini's.
    const bool member = tool["google_search"].exists() || tool["googleSearch"].exists() ||
                        tool["googleSearchRetrieval"].exists();
    if (named || member) uses += bounded(tool["max_uses"]);
  }
  return uses;
}

int64_t answers_asked(json::Value root) {
  constexpr int64_t kAnswersMax = 128;
  for (const json::Value count : {root["n"], root["generationConfig"]["candidateCount"]}) {
    if (const auto number = count.as_int64()) return std::clamp<int64_t>(*number, 1, kAnswersMax);
  }
  return 1;
}

}  // namespace weir::gateway
