// RelayMeter: watches an answer that is relayed unchanged because client and provider speak the
// same dialect. It learns usage, the finish, errors and whether the stream is complete, at the
// price of a scan; bytes go through untouched but for what Weir itself asked the provider for
// (OpenAI's usage chunk when the client did not ask). Pure; belongs to one answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/stream_event.h"

namespace weir::dialect {

struct RelayMeterOptions {
  // openai_chat and openai_completions: Weir set stream_options.include_usage and the client had
  // not: the extra chunk with empty `choices` is taken out of what the client sees.
  bool strip_usage_chunk = false;
};

class RelayMeter {
 public:
  virtual ~RelayMeter() = default;

  // Takes the next bytes of a streamed answer. Appends to `out` the pieces to send on, in order:
  // views into `bytes` or into the meter (valid until the next call). Only whole SSE events are
  // let through, so that an error can be told between events; comments and unknown events pass.
  virtual Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) = 0;
  // The provider's bytes have ended. Appends what was still held back.
  virtual void finish(std::vector<std::string_view>& out) = 0;

  // An event that carries content (or a finish) has been seen: before that, failover is possible
  // without the client noticing. Role-only chunks, message_start and ping do not count.
  virtual bool has_content() const = 0;
  // The dialect's terminator has been seen ([DONE], message_stop, response.completed, a Gemini
  // finishReason): the answer is whole.
  virtual bool complete() const = 0;
  // An error event inside the stream.
  virtual const std::optional<ApiError>& error() const = 0;
  virtual const Usage& usage() const = 0;
  virtual StopReason stop() const = 0;
  // How Weir ends the stream where the provider has not: behind the events that were let through.
  virtual std::string broken_off(const ApiError& error, Dialect client,
                                 std::string_view request_id) const;
  // Bytes of generated text so far (UTF-8), tool arguments and thinking included: the base of an
  // estimate when usage never came.
  virtual int64_t generated_bytes() const = 0;
};

std::unique_ptr<RelayMeter> make_relay_meter(Dialect dialect, const RelayMeterOptions& options);

// Usage of a whole answer without building a Reply: for the same-dialect path. Endpoints without
// usage give an unreported Usage.
Usage read_usage(Dialect dialect, json::Value root);
Usage read_usage(Dialect dialect, std::string_view body);

// A rough count of the input tokens of a request, for reservations and for calls that end before
// the provider said: UTF-8 bytes of text over 4 with a share for each message and image.
int64_t estimate_tokens(std::string_view text);
// The same of a value that is parsed already, without reading it again.
int64_t estimate_tokens(json::Value value);

}  // namespace weir::dialect
