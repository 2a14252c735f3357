// RealtimeUsage: what a Realtime session used, read from the provider's events as they pass: every
// `response.done` tells the tokens of one response, and they add up. What was left unsaid makes the
// sum an estimate: a response that had begun when the session ended, input audio that another model
// transcribed at its own price, a stream that cannot be read. One session.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json/document.h"
#include "dialect/usage.h"
#include "gateway/websocket.h"

namespace weir::gateway {

class RealtimeUsage {
 public:
  // Adds to `usage`, which outlives this; `reported` in it is true while nothing was left unsaid.
  explicit RealtimeUsage(dialect::Usage& usage);

  // The next bytes from the provider.
  void feed(std::string_view bytes);
  // Responses that ended so far, and the input tokens of the last one: the next has as many.
  int64_t responses() const { return done_; }
  int64_t last_input() const { return last_input_; }

 private:
  void take(std::string_view event);

  dialect::Usage& usage_;
  MessageReader reader_;
  json::Document document_;
  int64_t begun_ = 0;  // responses
  int64_t done_ = 0;
  int64_t last_input_ = 0;
  bool unsaid_ = false;
};

// The `usage` of a realtime response. Text and audio counts include what was cached.
dialect::Usage usage_of_realtime(json::Value usage);

}  // namespace weir::gateway
