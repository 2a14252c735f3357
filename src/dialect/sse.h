// Server-sent events as the model APIs use them (WHATWG HTML, "Event stream interpretation"): an
// incremental reader over untrusted bytes cut anywhere, and a writer. LF, CRLF and CR line ends,
// comments, several data lines. Plain values; one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::dialect {

struct SseEvent {
  std::string_view event;  // empty when the stream names none
  std::string_view data;   // data lines joined by LF
  std::string_view raw;    // the bytes of this event with its closing blank line, where contiguous
};

class SseReader {
 public:
  static constexpr size_t kEventBytesMax = 16 * 1024 * 1024;  // one event: images come as base64

  // Takes the next bytes and calls `sink` for each complete event; views are valid in the call
  // only. limit_exceeded when one event outgrows the limit. Comments and empty events are passed
  // over (raw bytes between events belong to the next event's `raw`).
  Result<void> feed(std::string_view bytes, const std::function<void(const SseEvent&)>& sink);
  // Bytes of an event that has begun and not ended: not empty at the end of a stream = truncated.
  // (Gemini servers may close right behind the last event's line: finish() delivers it.)
  Result<void> finish(const std::function<void(const SseEvent&)>& sink);
  bool in_event() const { return !pending_.empty(); }

 private:
  std::string pending_;
  std::string joined_;
  size_t scanned_ = 0;
  bool first_ = true;
};

// Appends "event: NAME\ndata: DATA\n\n"; no event line for an empty name.
void append_sse(std::string& out, std::string_view event, std::string_view data);

}  // namespace weir::dialect
