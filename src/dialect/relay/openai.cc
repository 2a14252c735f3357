// The relay trackers of chat completions and of legacy completions. Completions are relayed in
// their own dialect only: providers of other dialects have nothing that answers a bare prompt.

#include "dialect/errors.h"
#include "dialect/relay/tracker.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

StopReason stop_of_finish_reason(json::Value reason) {
  if (reason.equals("stop") || reason.equals("eos")) return StopReason::end_turn;
  if (reason.equals("length") || reason.equals("max_tokens")) return StopReason::max_tokens;
  if (reason.equals("tool_calls") || reason.equals("function_call")) return StopReason::tool_use;
  if (reason.equals("content_filter")) return StopReason::content_filter;
  return StopReason::other;
}

bool is_nonempty_string(json::Value value) {
  return value.is_string() && !value.equals("");
}

// The strings of one choice that are generated text. `leaf` is the last that was not empty.
struct Generated {
  int64_t bytes = 0;
  int leaves = 0;
  json::Value leaf;
  bool other_content = false;  // a tool call's name, audio

  void add(json::Value value) {
    if (!is_nonempty_string(value)) return;
    bytes += text_length(value);
    ++leaves;
    leaf = value;
  }
};

// Mistral's content is a list of {"type":"text","text":...} and {"type":"thinking","thinking":
// [...]}.
void add_content(Generated& generated, json::Value content) {
  generated.add(content);
  for (const json::Value part : content.elements()) {
    generated.add(part["text"]);
    for (const json::Value thought : part["thinking"].elements()) generated.add(thought["text"]);
  }
}

Generated read_delta(json::Value delta) {
  Generated generated;
  add_content(generated, delta["content"]);
  generated.add(delta["reasoning_content"]);
  generated.add(delta["reasoning"]);
  generated.add(delta["refusal"]);
  generated.add(delta["function_call"]["arguments"]);
  generated.add(delta["audio"]["transcript"]);
  for (const json::Value call : delta["tool_calls"].elements()) {
    generated.add(call["function"]["arguments"]);
    generated.add(call["custom"]["input"]);
    generated.other_content = true;
  }
  if (delta["function_call"].is_object() || delta["audio"].is_object()) {
    generated.other_content = true;
  }
  return generated;
}

class OpenaiTracker : public RelayTracker {
 public:
  OpenaiTracker(const RelayMeterOptions& options, bool completions)
      : strip_usage_chunk_(options.strip_usage_chunk), completions_(completions) {}

  RelayVerdict on_event(const RelayEvent& event, RelayFacts& facts) override;
  void on_end(RelayFacts& facts) override;

 private:
  bool read_choice(json::Value choice, RelayFacts& facts, RelayVerdict& verdict);

  const bool strip_usage_chunk_;
  const bool completions_;
  CandidateSet candidates_;
};

RelayVerdict OpenaiTracker::on_event(const RelayEvent& event, RelayFacts& facts) {
  if (event.data.starts_with("[DONE]")) {
    // Some servers (vLLM) end the stream as ever behind an error: the client shall not take that
    // for success.
    if (facts.error) return {.drop = true};
    facts.complete = true;
    return {};
  }
  const json::Value root = event.root;
  if (const json::Value told = error_in_openai_chunk(root); told.exists()) {
    set_error(facts, told);
    return {};
  }
  if (event.name == "error") {
    root.exists() ? set_error(facts, root) : set_error_text(facts, event.data);
    return {};
  }

  RelayVerdict verdict;
  const Usage usage = usage_of_openai_body(root);
  replace_usage(facts.usage, usage);
  const json::Value choices = root["choices"];
  bool plain = choices.size() == 1 && !usage.reported;
  for (const json::Value choice : choices.elements()) {
    plain = read_choice(choice, facts, verdict) && plain;
  }
  if (strip_usage_chunk_ && usage.reported && choices.size() == 0) verdict.drop = true;
  if (plain) {
    // Padding against traffic analysis (OpenAI, Mistral), and Azure's running clock.
    verdict.others = {root["obfuscation"], root["p"], root["created"]};
  } else {
    verdict.text = {};
  }
  return verdict;
}

// Whether the choice adds the text of one string and nothing else.
bool OpenaiTracker::read_choice(json::Value choice, RelayFacts& facts, RelayVerdict& verdict) {
  const int64_t index = choice["index"].as_int64().value_or(0);
  candidates_.begin(index);
  Generated generated;
  if (completions_) {
    generated.add(choice["text"]);
  } else {
    generated = read_delta(choice["delta"]);
  }
  add_generated(facts, generated.bytes);
  if (generated.other_content) facts.has_content = true;
  verdict.text = generated.leaf;
  const json::Value reason = choice["finish_reason"];
  if (!is_nonempty_string(reason)) return generated.leaves == 1;
  candidates_.end(index);
  facts.has_content = true;
  if (index == 0) facts.stop = stop_of_finish_reason(reason);
  return false;
}

// A server that closes in order without [DONE] after every choice has its finish_reason has sent
// the whole answer. Only the end of the bytes can tell: before, [DONE] or usage may still come.
void OpenaiTracker::on_end(RelayFacts& facts) {
  if (!facts.error && candidates_.all_ended()) facts.complete = true;
}

}  // namespace

std::unique_ptr<RelayTracker> make_openai_chat_tracker(const RelayMeterOptions& options) {
  return std::make_unique<OpenaiTracker>(options, false);
}

std::unique_ptr<RelayTracker> make_openai_completions_tracker(const RelayMeterOptions& options) {
  return std::make_unique<OpenaiTracker>(options, true);
}

}  // namespace weir::dialect
