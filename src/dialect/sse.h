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
  std::string_view raw;    // the bytes of this event with its closing blank line
  bool has_data = true;    // false: only comments and blank lines (see Blocks::all)
};

class SseReader {
 public:
  static constexpr size_t kEventBytesMax = 16 * 1024 * 1024;  // one event: images come as base64

  // What reaches the sink: events with data, or also blocks that hold only comments or nothing
  // (keep-alives), so that the `raw` of all calls together is every byte of the stream.
  enum class Blocks : uint8_t { events, all };

  SseReader() = default;
  explicit SseReader(Blocks blocks) : blocks_(blocks) {}

  // Takes the next bytes and calls `sink` for each complete event; views are valid in the call
  // only. limit_exceeded when one event outgrows the limit; the reader is of no use after that.
  Result<void> feed(std::string_view bytes, const std::function<void(const SseEvent&)>& sink);
  // The bytes have ended. An event whose blank line is missing is delivered all the same (Gemini
  // servers may close right behind the last line); whether it was whole, its JSON tells.
  Result<void> finish(const std::function<void(const SseEvent&)>& sink);
  // An event has begun and not ended: at the end of a stream, a sign of truncation.
  bool in_event() const;

 private:
  using Sink = std::function<void(const SseEvent&)>;
  size_t scan(std::string_view buffer, const Sink& sink);
  void deliver(std::string_view block, const Sink& sink);

  Blocks blocks_ = Blocks::events;
  bool first_ = true;      // no block has been delivered: a byte order mark may stand here
  bool after_cr_ = false;  // the last line of the block ended in CR alone
  std::string pending_;    // the block that has begun
  std::string joined_;     // several data lines
  size_t line_start_ = 0;  // in pending_: where the unfinished line begins
  size_t scanned_ = 0;     // in pending_: no line end before this
};

// Appends "event: NAME\ndata: DATA\n\n"; no event line for an empty name. `data` is JSON, or text
// without a line end.
void append_sse(std::string& out, std::string_view event, std::string_view data);

// Makes one line of the JSON text that begins at `from`. JSON may hold line ends between its tokens
// only, where a blank does as well; what a client or a provider laid out over several lines (a
// schema, say) would otherwise end the event's data in its midst.
void join_lines(std::string& out, size_t from);

}  // namespace weir::dialect
