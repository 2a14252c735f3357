// The relay tracker and meters of Gemini. With alt=sse the stream is server-sent events, without
// it one JSON array whose elements come one by one; the first byte tells which.

#include "base/json/scan.h"
#include "dialect/gemini/words.h"
#include "dialect/relay/tracker.h"
#include "dialect/sse.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

class GeminiTracker : public RelayTracker {
 public:
  RelayVerdict on_event(const RelayEvent& event, RelayFacts& facts) override;

 private:
  int read_candidate(json::Value candidate, RelayFacts& facts, json::Value& text);

  CandidateSet candidates_;
  bool has_calls_ = false;
};

RelayVerdict GeminiTracker::on_event(const RelayEvent& event, RelayFacts& facts) {
  const json::Value root = event.root;
  if (root["error"].is_object() || event.name == "error") {
    root.exists() ? set_error(facts, root) : set_error_text(facts, event.data);
    return {};
  }
  const Usage usage = usage_of_gemini(gemini_field(root, "usageMetadata", "usage_metadata"));
  replace_usage(facts.usage, usage);
  const json::Value candidates = root["candidates"];
  json::Value text;
  int things = 0;
  for (const json::Value candidate : candidates.elements()) {
    things += read_candidate(candidate, facts, text);
  }
  const json::Value feedback = gemini_field(root, "promptFeedback", "prompt_feedback");
  if (candidates.size() == 0 && gemini_field(feedback, "blockReason", "block_reason").is_string()) {
    candidates_.end(0);
    facts.stop = StopReason::content_filter;
    facts.has_content = true;
  }
  // There is no terminator: the answer is whole when no candidate is unfinished.
  facts.complete = !facts.error && candidates_.all_ended();
  if (things != 1 || !text.exists() || usage.reported) return {};
  return {.text = text};
}

// Returns how many things the candidate tells; `text` is set where one of them is a text.
int GeminiTracker::read_candidate(json::Value candidate, RelayFacts& facts, json::Value& text) {
  const int64_t index = candidate["index"].as_int64().value_or(0);
  candidates_.begin(index);
  int things = 0;
  for (const json::Value part : candidate["content"]["parts"].elements()) {
    ++things;
    if (part["text"].is_string()) {
      const int64_t length = text_length(part["text"]);
      add_generated(facts, length);
      if (length > 0) text = part["text"];
      continue;
    }
    facts.has_content = true;
    const json::Value call = gemini_field(part, "functionCall", "function_call");
    if (!call.exists()) continue;
    has_calls_ = true;
    facts.generated_bytes += static_cast<int64_t>(call["args"].raw().size());
    for (const json::Value piece : gemini_field(call, "partialArgs", "partial_args").elements()) {
      facts.generated_bytes += text_length(gemini_field(piece, "stringValue", "string_value"));
    }
  }
  const json::Value reason = gemini_field(candidate, "finishReason", "finish_reason");
  if (!is_gemini_finish(reason)) return things;
  candidates_.end(index);
  facts.has_content = true;
  if (index == 0) facts.stop = stop_of_gemini(reason.string_or(""), has_calls_);
  return things + 1;
}

// The stream without alt=sse: `[{...}` `,\r\n{...}` ... `]`. Whole elements are let through.
class ArrayRelayMeter : public RelayMeter {
 public:
  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override;
  // A torn element is dropped: the array stays open, which no parser takes for whole.
  void finish(std::vector<std::string_view>& /*out*/) override { held_.clear(); }

  bool has_content() const override { return facts_.has_content; }
  bool complete() const override { return facts_.complete && closed_; }
  const std::optional<ApiError>& error() const override { return facts_.error; }
  const Usage& usage() const override { return facts_.usage; }
  StopReason stop() const override { return facts_.stop; }
  int64_t generated_bytes() const override { return facts_.generated_bytes; }

 private:
  size_t scan(std::string_view text);
  size_t skip_string(std::string_view text, size_t at);
  void read_element(std::string_view element);

  std::unique_ptr<RelayTracker> tracker_ = make_gemini_tracker();
  RelayFacts facts_;
  json::Document document_;
  std::string pending_;
  std::string held_;
  size_t scanned_ = 0;        // in pending_
  size_t element_begin_ = 0;  // in pending_
  int64_t depth_ = 0;
  bool in_string_ = false;
  bool closed_ = false;
};

Result<void> ArrayRelayMeter::feed(std::string_view bytes, std::vector<std::string_view>& out) {
  size_t whole = 0;
  if (pending_.empty()) {
    whole = scan(bytes);
    pending_.assign(bytes.substr(whole));
    bytes = bytes.substr(0, whole);
  } else {
    pending_.append(bytes);
    whole = scan(pending_);
    held_.assign(pending_, 0, whole);
    pending_.erase(0, whole);
    bytes = held_;
  }
  if (!bytes.empty()) out.push_back(bytes);
  scanned_ -= whole;
  element_begin_ -= std::min(element_begin_, whole);
  if (pending_.size() > SseReader::kEventBytesMax) {
    return fail(ErrorCode::limit_exceeded, "one element of the answer is larger than 16 MiB");
  }
  return {};
}

// Reads the elements that end in `text` and returns the place behind the last of them.
size_t ArrayRelayMeter::scan(std::string_view text) {
  size_t whole = 0;
  size_t at = scanned_;
  while (at < text.size()) {
    if (in_string_) {
      at = skip_string(text, at);
      if (in_string_) break;
      continue;
    }
    const char c = text[at++];
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') {
      if (depth_ == 1) element_begin_ = at - 1;
      ++depth_;
    }
    if (c != '}' && c != ']') {
      if (depth_ == 0) whole = at;  // white space behind the end
      continue;
    }
    --depth_;
    if (depth_ == 1) read_element(text.substr(element_begin_, at - element_begin_));
    if (depth_ <= 0) closed_ = true;
    if (depth_ <= 1) whole = at;
  }
  scanned_ = at;
  return whole;
}

// From inside a string to behind its closing quote. An escape that is cut off at the end of the
// text is scanned again with the next bytes.
size_t ArrayRelayMeter::skip_string(std::string_view text, size_t at) {
  const char* const end = text.data() + text.size();
  const char* place = text.data() + at;
  bool non_ascii = false;
  for (;;) {
    place = json::skip_plain(place, end, non_ascii);
    if (place == end) break;
    if (*place == '"') {
      in_string_ = false;
      ++place;
      break;
    }
    if (*place != '\\') {
      ++place;
      continue;
    }
    if (end - place < 2) break;
    place += 2;
  }
  return static_cast<size_t>(place - text.data());
}

void ArrayRelayMeter::read_element(std::string_view element) {
  if (!document_.parse(element, {.unique_keys_levels = 0})) return;
  tracker_->on_event({.name = {}, .data = element, .root = document_.root()}, facts_);
}

// Chooses by the first byte that is no white space; white space before it waits for the choice.
class GeminiRelayMeter : public RelayMeter {
 public:
  static constexpr size_t kBlankBytesMax = 4096;

  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override {
    if (!chosen_) {
      const size_t first = bytes.find_first_not_of(" \t\r\n");
      if (first == std::string_view::npos && blank_.size() + bytes.size() <= kBlankBytesMax) {
        blank_.append(bytes);
        return {};
      }
      WEIR_CHECK_OK(choose(first != std::string_view::npos && bytes[first] == '[', out));
    }
    return meter_->feed(bytes, out);
  }

  void finish(std::vector<std::string_view>& out) override {
    if (!chosen_ && !choose(false, out)) return;
    meter_->finish(out);
  }

  bool has_content() const override { return meter_->has_content(); }
  bool complete() const override { return meter_->complete(); }
  const std::optional<ApiError>& error() const override { return meter_->error(); }
  const Usage& usage() const override { return meter_->usage(); }
  StopReason stop() const override { return meter_->stop(); }
  int64_t generated_bytes() const override { return meter_->generated_bytes(); }

 private:
  // The views that come of the white space lie in blank_, which does not change any more.
  Result<void> choose(bool array, std::vector<std::string_view>& out) {
    chosen_ = true;
    if (array) meter_ = std::make_unique<ArrayRelayMeter>();
    return meter_->feed(blank_, out);
  }

  bool chosen_ = false;
  std::string blank_;
  std::unique_ptr<RelayMeter> meter_ = make_sse_relay_meter(make_gemini_tracker());
};

}  // namespace

std::unique_ptr<RelayTracker> make_gemini_tracker() {
  return std::make_unique<GeminiTracker>();
}

std::unique_ptr<RelayMeter> make_gemini_relay_meter() {
  return std::make_unique<GeminiRelayMeter>();
}

}  // namespace weir::dialect
