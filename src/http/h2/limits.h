// What one HTTP/2 connection may cost, and why one was ended. Values only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http::h2 {

struct Limits {
  // Streams at once, told to the client; handlers of streams that the client has reset count until
  // they have ended. Beyond: RST_STREAM REFUSED_STREAM.
  uint32_t streams_max = 128;
  // Body bytes that a stream may have on their way or unread, and a connection on their way.
  uint32_t stream_window = 512 * 1024;
  uint32_t connection_window = 1024 * 1024;
  // Unread body bytes of all streams of a connection; beyond, the connection's window is opened
  // only as handlers read.
  size_t unread_max = size_t{4} * 1024 * 1024;
  // Body bytes that are read away behind an answer that came before them; more ends the stream. Far
  // more than for HTTP/1.1: clients wait for the window, and some (Python's httpcore) take neither
  // the answer nor a reset before they have sent all.
  uint64_t drain_bytes_max = uint64_t{16} * 1024 * 1024;
  // RST_STREAM frames, the peer's and those that its mistakes oblige us to: so many at once, and so
  // many more each second. Beyond: GOAWAY ENHANCE_YOUR_CALM.
  uint32_t resets_burst = 200;
  uint32_t resets_per_second = 50;
  // Frames that move nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, DATA without data),
  // likewise; each DATA frame that we send allows four more, and each with data that comes one.
  // Frames of unknown types are skipped and cost nothing.
  uint32_t control_burst = 1000;
  uint32_t control_per_second = 100;
  // CONTINUATION frames of one header block.
  size_t continuations_max = 8;
};

// Why a connection was ended by its rules; counted per kind.
enum class Fault : uint8_t {
  protocol,       // the peer broke the protocol: framing, compression, flow control
  resets,         // Limits::resets_*
  control,        // Limits::control_*, or acknowledgements that the peer does not take
  continuations,  // Limits::continuations_max
  headers,        // a header block of more than four times the head's limit
};
inline constexpr size_t kFaults = 5;
std::string_view to_string(Fault fault);

struct Counters {
  uint64_t connections = 0;      // ever
  uint64_t resets = 0;           // RST_STREAM frames of the peer
  uint64_t refused_streams = 0;  // beyond streams_max, or behind our GOAWAY
  uint64_t malformed = 0;        // streams ended for a message that is not HTTP
  std::array<uint64_t, kFaults> faults{};
};

}  // namespace weir::http::h2
