// AWS's event stream (application/vnd.amazon.eventstream), the framing of Bedrock's streams: an
// incremental reader over untrusted bytes cut anywhere, and a writer. A message is a prelude (total
// and headers' length, CRC-32), typed headers, a payload and a CRC-32 of it all; both checksums are
// verified. Source: docs.aws.amazon.com, "Event stream encoding". Plain values; one thread.
//
// Inside Weir a Bedrock stream is server-sent events, and these frames are only how they travel:
// EventStreamToSse unpacks them, SseToEventStream packs them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/sse.h"

namespace weir::dialect {

// CRC-32 as gzip has it (RFC 1952), of `bytes` behind what gave `before`.
uint32_t crc32(std::string_view bytes, uint32_t before = 0);

// The headers that Bedrock's messages have, as views into the message.
struct EventStreamMessage {
  std::string_view message_type;    // ":message-type": event, exception or error
  std::string_view event_type;      // ":event-type", of events
  std::string_view exception_type;  // ":exception-type", of exceptions
  std::string_view error_code;      // ":error-code" and
  std::string_view error_message;   // ":error-message", of errors
  std::string_view payload;
};

class EventStreamReader {
 public:
  static constexpr size_t kMessageBytesMax = 24 * 1024 * 1024;
  static constexpr size_t kHeaderBytesMax = 128 * 1024;

  using Sink = std::function<void(const EventStreamMessage&)>;
  // Takes the next bytes and calls `sink` for each complete message; views are valid in the call
  // only. protocol_error where a length or checksum is wrong, limit_exceeded for a message over the
  // limits, both as soon as the prelude tells; the reader is of no use after that.
  Result<void> feed(std::string_view bytes, const Sink& sink);
  // A message has begun and not ended.
  bool in_message() const { return !pending_.empty(); }

 private:
  std::string pending_;
};

// Appends one message with these headers, all of them strings.
void append_event_stream(std::string& out,
                         const std::vector<std::pair<std::string_view, std::string_view>>& headers,
                         std::string_view payload);

// The frames of ConverseStream or InvokeModelWithResponseStream as server-sent events. An event's
// name is its :event-type (messageStart, ...) and its data the payload; a `chunk` is what its
// base64 holds, one event of the model's own API named by the `type` in it. An exception becomes
// what tells an error in a stream of `dialect`.
class EventStreamToSse {
 public:
  explicit EventStreamToSse(Dialect dialect) : dialect_(dialect) {}
  Result<void> feed(std::string_view bytes, std::string& sse);
  bool in_message() const { return reader_.in_message(); }

 private:
  Result<void> unpack(const EventStreamMessage& message, std::string& sse);
  void unpack_error(std::string_view type, std::string_view text, std::string& sse);

  const Dialect dialect_;
  EventStreamReader reader_;
  json::Document document_;
};

// The inverse: what a Bedrock server sends for these events. `chunks`: for InvokeModel, each
// event's data in a `chunk`. An event "error" becomes an exception of the type that it tells.
class SseToEventStream {
 public:
  explicit SseToEventStream(bool chunks) : chunks_(chunks) {}
  Result<void> feed(std::string_view sse, std::string& frames);

 private:
  void pack(const SseEvent& event, std::string& frames);

  SseReader reader_;
  const bool chunks_;
};

}  // namespace weir::dialect
