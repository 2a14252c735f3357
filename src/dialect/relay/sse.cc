// The meter over server-sent events: frames them, lets templates take what they can, and gives the
// rest to the dialect's tracker.

#include "dialect/sse.h"

#include <deque>

#include "dialect/relay/tracker.h"

namespace weir::dialect {
namespace {

// Where the first event of `bytes` seems to end: behind a blank line made of LF or CRLF. Only a
// guess that keeps one event apart from the next; the reader is right however it is cut.
size_t find_event_end(std::string_view bytes) {
  for (size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (bytes.substr(at + 1).starts_with('\n')) return at + 2;
    if (bytes.substr(at + 1).starts_with("\r\n")) return at + 3;
  }
  return bytes.size();
}

class SseRelayMeter : public RelayMeter {
 public:
  explicit SseRelayMeter(std::unique_ptr<RelayTracker> tracker) : tracker_(std::move(tracker)) {}

  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override;
  void finish(std::vector<std::string_view>& out) override;

  bool has_content() const override { return facts_.has_content; }
  bool complete() const override { return facts_.complete; }
  const std::optional<ApiError>& error() const override { return facts_.error; }
  const Usage& usage() const override { return facts_.usage; }
  StopReason stop() const override { return facts_.stop; }
  int64_t generated_bytes() const override { return facts_.generated_bytes; }
  std::string broken_off(const ApiError& error, Dialect client,
                         std::string_view request_id) const override {
    return tracker_->broken_off(error, client, request_id, facts_);
  }

 private:
  size_t take_templates(std::string_view bytes);
  bool fits_template(std::string_view raw);
  RelayVerdict read(const SseEvent& event);
  void learn(const SseEvent& event, const RelayVerdict& verdict);
  void pass(std::string_view raw, std::vector<std::string_view>& out);
  void read_tail(const SseEvent& event, std::vector<std::string_view>& out);

  static constexpr size_t kTemplates = 4;  // candidates or tool calls that take turns

  std::unique_ptr<RelayTracker> tracker_;
  RelayFacts facts_;
  SseReader reader_{SseReader::Blocks::all};
  json::Document document_;
  std::array<DeltaTemplate, kTemplates> templates_;
  size_t last_hit_ = 0;
  size_t next_learned_ = 0;
  size_t unfinished_ = 0;         // bytes in the reader that belong to an event not yet complete
  std::string_view input_;        // of the feed() that runs
  std::deque<std::string> held_;  // events that came in pieces, alive until the next call
};

// Consumes whole events at the beginning of `bytes` that are like one before.
size_t SseRelayMeter::take_templates(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size()) {
    const std::string_view rest = bytes.substr(taken);
    DeltaTemplate::Match match = templates_[last_hit_].match(rest);
    for (size_t i = 0; match.length == 0 && i < kTemplates; ++i) {
      if (i == last_hit_ || templates_[i].empty()) continue;
      match = templates_[i].match(rest);
      if (match.length != 0) last_hit_ = i;
    }
    if (match.length == 0) break;
    add_generated(facts_, match.text_bytes);
    ++facts_.events;
    taken += match.length;
  }
  return taken;
}

Result<void> SseRelayMeter::feed(std::string_view bytes, std::vector<std::string_view>& out) {
  if (!held_.empty()) held_.clear();
  input_ = bytes;
  while (!bytes.empty()) {
    if (unfinished_ == 0) {
      const size_t taken = take_templates(bytes);
      if (taken != 0) pass(bytes.substr(0, taken), out);
      bytes.remove_prefix(taken);
      if (bytes.empty()) break;
    }
    const size_t cut = find_event_end(bytes);
    unfinished_ += cut;
    WEIR_CHECK_OK(reader_.feed(bytes.substr(0, cut), [this, &out](const SseEvent& event) {
      unfinished_ -= event.raw.size();
      const RelayVerdict verdict = read(event);
      if (!verdict.drop) pass(event.raw, out);
    }));
    bytes.remove_prefix(cut);
  }
  return {};
}

// Hands on an event: a view where it lies in the caller's bytes, else a copy. Neighbors are joined.
void SseRelayMeter::pass(std::string_view raw, std::vector<std::string_view>& out) {
  const std::less_equal<const char*> before;
  const bool in_input = before(input_.data(), raw.data()) &&
                        before(raw.data() + raw.size(), input_.data() + input_.size());
  if (!in_input) raw = held_.emplace_back(raw);
  if (in_input && !out.empty() && out.back().data() + out.back().size() == raw.data()) {
    out.back() = {out.back().data(), out.back().size() + raw.size()};
  } else {
    out.push_back(raw);
  }
}

RelayVerdict SseRelayMeter::read(const SseEvent& event) {
  if (!event.has_data) return {};
  ++facts_.events;
  if (fits_template(event.raw)) return {};
  RelayEvent relayed{.name = event.event, .data = event.data, .root = {}};
  // Leniently: what a repeated name means is between provider and client.
  if (!event.data.empty() && document_.parse(event.data, {.unique_keys_levels = 0})) {
    relayed.root = document_.root();
  }
  const RelayVerdict verdict = tracker_->on_event(relayed, facts_);
  if (verdict.text.exists()) learn(event, verdict);
  return verdict;
}

bool SseRelayMeter::fits_template(std::string_view raw) {
  for (const DeltaTemplate& known : templates_) {
    if (known.empty()) continue;
    const DeltaTemplate::Match match = known.match(raw);
    if (match.length != raw.size()) continue;
    add_generated(facts_, match.text_bytes);
    return true;
  }
  return false;
}

void SseRelayMeter::learn(const SseEvent& event, const RelayVerdict& verdict) {
  // Several data lines are joined elsewhere: then the data is no part of the raw bytes.
  const std::less_equal<const char*> before;
  if (!before(event.raw.data(), event.data.data()) ||
      !before(event.data.data() + event.data.size(), event.raw.data() + event.raw.size())) {
    return;
  }
  const auto offset = static_cast<size_t>(event.data.data() - event.raw.data());
  templates_[next_learned_].learn(event.raw, offset, verdict.text, verdict.others);
  last_hit_ = next_learned_;
  next_learned_ = (next_learned_ + 1) % kTemplates;
}

void SseRelayMeter::finish(std::vector<std::string_view>& out) {
  held_.clear();
  input_ = {};
  const Result<void> result =
      reader_.finish([this, &out](const SseEvent& event) { read_tail(event, out); });
  if (!result) facts_.complete = false;
  unfinished_ = 0;
  tracker_->on_end(facts_);
}

// What stood behind the last blank line. A whole event whose blank line is missing is passed on; a
// torn one is not: it would spoil the error that the client is about to be told.
void SseRelayMeter::read_tail(const SseEvent& event, std::vector<std::string_view>& out) {
  RelayEvent relayed{.name = event.event, .data = event.data, .root = {}};
  if (event.has_data && document_.parse(event.data, {.unique_keys_levels = 0})) {
    relayed.root = document_.root();
  }
  const bool comment = event.raw.starts_with(':') && event.raw.ends_with('\n');
  const bool whole = event.has_data && (relayed.root.exists() || relayed.data == "[DONE]");
  if (event.has_data ? !whole : !comment) return;
  if (event.has_data && tracker_->on_event(relayed, facts_).drop) return;
  pass(event.raw, out);
  // A blank line, so that an error can follow. A whole answer stays as it came.
  tracker_->on_end(facts_);
  if (!facts_.complete) out.push_back("\n\n");
}

}  // namespace

std::unique_ptr<RelayMeter> make_sse_relay_meter(std::unique_ptr<RelayTracker> tracker) {
  return std::make_unique<SseRelayMeter>(std::move(tracker));
}

}  // namespace weir::dialect
