// HTTP/1.x body framing as a pure incremental decoder over bytes, and the chunked encoder.
//
// decode() is given what was read and returns the payload in it as one contiguous view: chunk
// headers between pieces are squeezed out in place, so that one read is relayed as one write
// however small the peer's chunks are.
//
// Limits: a chunk-size line of 128 bytes, trailers of 8 KiB (checked and dropped). Chunk
// extensions are refused in requests (nothing that calls a model API sends them; parsers that
// disagree on them are a smuggling path) and skipped in responses within the line's limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/head.h"

namespace weir::http {

inline constexpr size_t kChunkLineBytesMax = 128;
inline constexpr size_t kTrailerBytesMax = size_t{8} * 1024;

class BodyDecoder {
 public:
  enum class State : uint8_t {
    more,   // needs more bytes (or, until_close, the end of the connection)
    done,   // the body is complete; bytes behind `consumed` belong to the next message
    error,  // the framing is broken; nothing after this can be trusted
  };
  struct Step {
    State state = State::more;
    std::string_view payload;  // in `bytes`, valid as long as they are
    size_t consumed = 0;       // of `bytes`: all of them unless done or error
  };

  BodyDecoder() = default;
  BodyDecoder(Framing framing, bool allow_extensions)
      : kind_(framing.kind),
        allow_extensions_(allow_extensions),
        left_(framing.kind == BodyKind::length ? framing.length : 0) {}

  // Takes all of `bytes` up to the body's end. `bytes` is rewritten in place (see above).
  Step decode(std::span<char> bytes);
  // The connection ended: true when that is this body's regular end.
  bool end_of_input_is_end() const { return kind_ == BodyKind::until_close || done(); }
  bool done() const;
  // Payload bytes handed out so far.
  uint64_t decoded() const { return decoded_; }
  // Payload bytes still to come where framing tells (BodyKind::length), else 0.
  uint64_t length_left() const { return kind_ == BodyKind::length ? left_ : 0; }

 private:
  enum class Phase : uint8_t {
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done,
    error,
  };
  bool take_framing_byte(char c);
  size_t take_plain_framing(std::span<const char> bytes);
  Step decode_chunked(std::span<char> bytes);

  BodyKind kind_ = BodyKind::none;
  bool allow_extensions_ = false;
  Phase phase_ = Phase::size_first;
  uint16_t line_bytes_ = 0;     // of the chunk-size line
  uint16_t trailer_bytes_ = 0;  // of all trailers
  uint64_t left_ = 0;           // of the length, or of the chunk
  uint64_t decoded_ = 0;
};

// The line before a chunk of that many bytes (> 0), written into `room`: "1f\r\n".
inline constexpr size_t kChunkPrefixMax = 18;
std::string_view chunk_prefix(uint64_t size, std::span<char, kChunkPrefixMax> room);
inline constexpr std::string_view kChunkSuffix = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace weir::http
