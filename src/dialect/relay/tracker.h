// RelayTracker: what one dialect's streamed events mean to the relay meter. The meter frames bytes
// and owns the facts; a tracker reads one event after the other and changes nothing but the facts.
// Belongs to one answer; one thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "base/json/document.h"
#include "dialect/relay/meter.h"
#include "dialect/relay/template.h"

namespace weir::dialect {

// What the meter knows of its answer so far.
struct RelayFacts {
  Usage usage;
  bool has_content = false;
  bool complete = false;
  std::optional<ApiError> error;
  StopReason stop = StopReason::unset;
  int64_t generated_bytes = 0;
  int64_t events = 0;  // so far, of SSE
};

struct RelayEvent {
  std::string_view name;  // of the SSE event, mostly empty
  std::string_view data;
  json::Value root;  // data parsed; missing where it is no JSON
};

struct RelayVerdict {
  bool drop = false;  // keep it from the client
  // Where the event did nothing but add the text of one string (already counted): that string, and
  // what else may differ between two such events. The meter makes a template of it.
  json::Value text = {};
  std::array<json::Value, DeltaTemplate::kHolesMax - 1> others = {};
};

class RelayTracker {
 public:
  virtual ~RelayTracker() = default;
  virtual RelayVerdict on_event(const RelayEvent& event, RelayFacts& facts) = 0;
  // The provider's bytes have ended.
  virtual void on_end(RelayFacts& /*facts*/) {}
  // See RelayMeter.
  virtual std::string broken_off(const ApiError& error, Dialect client, std::string_view request_id,
                                 const RelayFacts& facts) const;
};

std::unique_ptr<RelayTracker> make_openai_chat_tracker(const RelayMeterOptions& options);
std::unique_ptr<RelayTracker> make_openai_completions_tracker(const RelayMeterOptions& options);
std::unique_ptr<RelayTracker> make_openai_responses_tracker();
std::unique_ptr<RelayTracker> make_anthropic_tracker();
std::unique_ptr<RelayTracker> make_gemini_tracker();

// Meters over a tracker: for SSE, and for Gemini, whose stream without alt=sse is a JSON array.
std::unique_ptr<RelayMeter> make_sse_relay_meter(std::unique_ptr<RelayTracker> tracker);
std::unique_ptr<RelayMeter> make_gemini_relay_meter();

// Adds generated text to the facts; empty text is no content.
inline void add_generated(RelayFacts& facts, int64_t bytes) {
  facts.generated_bytes += bytes;
  if (bytes > 0) facts.has_content = true;
}

// UTF-8 length of a string value; 0 for any other.
int64_t text_length(json::Value value);

// Notes the error that an event tells: the first one counts, and the answer is not whole any more.
void set_error(RelayFacts& facts, json::Value root);
// An event named "error" whose data is no JSON.
void set_error_text(RelayFacts& facts, std::string_view data);

// Which candidates have begun and which have ended; indexes above 63 are not followed.
class CandidateSet {
 public:
  void begin(int64_t index) { seen_ |= bit(index); }
  void end(int64_t index) {
    begin(index);
    ended_ |= bit(index);
  }
  bool all_ended() const { return seen_ != 0 && seen_ == ended_; }

 private:
  static uint64_t bit(int64_t index) {
    return index >= 0 && index < 64 ? uint64_t{1} << index : uint64_t{0};
  }
  uint64_t seen_ = 0;
  uint64_t ended_ = 0;
};

}  // namespace weir::dialect
