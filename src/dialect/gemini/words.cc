#include "dialect/gemini/words.h"

#include <array>

namespace weir::dialect {
namespace {

struct Finish {
  std::string_view word;
  StopReason stop;
};

// FinishReason of the Gemini API and of Vertex AI. For a StopReason the first line with it counts.
constexpr auto kFinishReasons = std::to_array<Finish>({
    {"STOP", StopReason::end_turn},
    {"STOP", StopReason::tool_use},
    {"STOP", StopReason::stop_sequence},
    {"STOP", StopReason::pause_turn},
    {"MAX_TOKENS", StopReason::max_tokens},
    {"MAX_TOKENS", StopReason::context_window},
    {"SAFETY", StopReason::content_filter},
    {"SAFETY", StopReason::refusal},
    {"RECITATION", StopReason::content_filter},
    {"LANGUAGE", StopReason::content_filter},
    {"BLOCKLIST", StopReason::content_filter},
    {"PROHIBITED_CONTENT", StopReason::content_filter},
    {"SPII", StopReason::content_filter},
    {"MODEL_ARMOR", StopReason::content_filter},
    {"IMAGE_SAFETY", StopReason::content_filter},
    {"IMAGE_PROHIBITED_CONTENT", StopReason::content_filter},
    {"IMAGE_RECITATION", StopReason::content_filter},
    {"MALFORMED_FUNCTION_CALL", StopReason::malformed_tool_call},
    {"UNEXPECTED_TOOL_CALL", StopReason::malformed_tool_call},
    {"OTHER", StopReason::other},
});

}  // namespace

json::Value gemini_field(json::Value object, std::string_view camel, std::string_view snake) {
  const json::Value value = object[camel];
  return value.exists() ? value : object[snake];
}

bool is_gemini_finish(json::Value reason) {
  return reason.is_string() && !reason.equals("") && !reason.equals("FINISH_REASON_UNSPECIFIED");
}

StopReason stop_of_gemini(std::string_view finish_reason, bool has_calls) {
  for (const Finish& finish : kFinishReasons) {
    if (finish.word != finish_reason) continue;
    return finish.stop == StopReason::end_turn && has_calls ? StopReason::tool_use : finish.stop;
  }
  // A word that is not known yet must not keep an agent from running the calls it was given.
  return has_calls ? StopReason::tool_use : StopReason::other;
}

std::string_view gemini_finish_reason(StopReason stop) {
  for (const Finish& finish : kFinishReasons) {
    if (finish.stop == stop) return finish.word;
  }
  return "OTHER";
}

}  // namespace weir::dialect
