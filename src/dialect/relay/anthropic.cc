// The relay tracker of Anthropic messages: usage comes in two pieces (message_start, cumulative
// message_delta), message_stop ends the answer, an error event may stand anywhere.

#include "dialect/relay/tracker.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

StopReason stop_of_reason(json::Value reason) {
  if (reason.equals("end_turn")) return StopReason::end_turn;
  if (reason.equals("max_tokens")) return StopReason::max_tokens;
  if (reason.equals("stop_sequence")) return StopReason::stop_sequence;
  if (reason.equals("tool_use")) return StopReason::tool_use;
  if (reason.equals("refusal")) return StopReason::refusal;
  if (reason.equals("pause_turn")) return StopReason::pause_turn;
  if (reason.equals("model_context_window_exceeded")) return StopReason::context_window;
  return StopReason::other;
}

class AnthropicTracker : public RelayTracker {
 public:
  RelayVerdict on_event(const RelayEvent& event, RelayFacts& facts) override;

 private:
  static void on_block_start(json::Value block, RelayFacts& facts);
  static RelayVerdict on_block_delta(json::Value delta, RelayFacts& facts);
};

RelayVerdict AnthropicTracker::on_event(const RelayEvent& event, RelayFacts& facts) {
  const json::Value root = event.root;
  if (!root.exists()) {
    if (event.name == "error") set_error_text(facts, event.data);
    return {};
  }
  const json::Value type = root["type"];
  if (type.equals("content_block_delta")) return on_block_delta(root["delta"], facts);
  if (type.equals("content_block_start")) {
    on_block_start(root["content_block"], facts);
  } else if (type.equals("message_start")) {
    merge_usage_of_anthropic(facts.usage, root["message"]["usage"]);
  } else if (type.equals("message_delta")) {
    merge_usage_of_anthropic(facts.usage, root["usage"]);
    const json::Value reason = root["delta"]["stop_reason"];
    if (reason.is_string()) {
      facts.stop = stop_of_reason(reason);
      facts.has_content = true;
    }
  } else if (type.equals("message_stop")) {
    if (facts.error) return {.drop = true};
    facts.complete = true;
  } else if (type.equals("error") || event.name == "error") {
    set_error(facts, root);
  }
  return {};
}

// Text and thinking begin empty; every other block says something by beginning.
void AnthropicTracker::on_block_start(json::Value block, RelayFacts& facts) {
  const json::Value type = block["type"];
  if (type.equals("text")) {
    add_generated(facts, text_length(block["text"]));
  } else if (type.equals("thinking")) {
    add_generated(facts, text_length(block["thinking"]));
  } else if (block.is_object()) {
    facts.has_content = true;
  }
}

RelayVerdict AnthropicTracker::on_block_delta(json::Value delta, RelayFacts& facts) {
  for (const std::string_view name : {"text", "partial_json", "thinking", "content"}) {
    const json::Value text = delta[name];
    if (!text.is_string()) continue;
    const int64_t length = text_length(text);
    add_generated(facts, length);
    return length > 0 ? RelayVerdict{.text = text} : RelayVerdict{};
  }
  facts.has_content = true;  // signature, citations
  return {};
}

}  // namespace

std::unique_ptr<RelayTracker> make_anthropic_tracker() {
  return std::make_unique<AnthropicTracker>();
}

}  // namespace weir::dialect
