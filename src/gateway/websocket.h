// MessageReader: reads along one direction of a WebSocket (RFC 6455) whose bytes pass untouched:
// frames cut anywhere, control frames between fragments, text put together. It understands nothing
// that was negotiated on top: a frame with a reserved bit ends the reading, and broken() tells.
// Pure; one direction of one session. Memory: one message up to kMessageBytesMax that `wanted` asks
// for; everything else is passed over.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir::gateway {

class MessageReader {
 public:
  static constexpr size_t kMessageBytesMax = 4 << 20;
  static constexpr size_t kBeginningBytes = 256;  // of a message: by these it is wanted or not

  // Whether the message that begins so shall be kept whole.
  using Wanted = bool (*)(std::string_view beginning);
  using OnMessage = std::function<void(std::string_view text)>;
  MessageReader(Wanted wanted, OnMessage on_message)
      : wanted_(wanted), on_message_(std::move(on_message)) {}

  void feed(std::string_view bytes);
  // What came was no WebSocket frame, or compressed: nothing can be read from here on.
  bool broken() const { return broken_; }
  // Messages that were wanted and too long.
  uint64_t too_long() const { return too_long_; }

 private:
  bool read_head(std::string_view& bytes);
  void take_payload(std::string_view bytes);
  void end_frame();

  const Wanted wanted_;
  const OnMessage on_message_;
  bool broken_ = false;
  bool in_payload_ = false;
  std::string head_;      // of the frame, as far as it has come
  uint64_t left_ = 0;     // of the frame's payload
  bool final_ = false;    // the frame ends its message
  bool control_ = false;  // a ping, pong or close, possibly between fragments
  bool text_ = false;     // the message under way is text
  bool decided_ = false;  // ... and it is known whether it is wanted
  bool kept_ = false;
  std::string message_;
  uint64_t too_long_ = 0;
};

}  // namespace weir::gateway
