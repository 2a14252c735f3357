#include "http/body.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "http/chars.h"

namespace weir::http {

namespace {

// Gathers the payload of one decode() call into one run of bytes.
class Gather {
 public:
  void take(char* from, size_t size) {
    if (begin_ == nullptr) begin_ = end_ = from;
    if (end_ != from) std::memmove(end_, from, size);
    end_ += size;
  }
  std::string_view view() const { return {begin_, static_cast<size_t>(end_ - begin_)}; }

 private:
  char* begin_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace

bool BodyDecoder::done() const {
  switch (kind_) {
    case BodyKind::none:
      return true;
    case BodyKind::length:
      return left_ == 0;
    case BodyKind::chunked:
      return phase_ == Phase::done;
    case BodyKind::until_close:
      return false;
  }
  return true;
}

BodyDecoder::Step BodyDecoder::decode(std::span<char> bytes) {
  Step step;
  switch (kind_) {
    case BodyKind::none:
      return {State::done, {}, 0};
    case BodyKind::length: {
      const auto size = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      left_ -= size;
      step = {left_ == 0 ? State::done : State::more, {bytes.data(), size}, size};
      break;
    }
    case BodyKind::until_close:
      step = {State::more, {bytes.data(), bytes.size()}, bytes.size()};
      break;
    case BodyKind::chunked:
      step = decode_chunked(bytes);
      break;
  }
  decoded_ += step.payload.size();
  return step;
}

// Takes one byte of framing; false when it breaks the format (RFC 9112 §7.1).
bool BodyDecoder::take_framing_byte(char c) {
  switch (phase_) {
    case Phase::size_first:
    case Phase::size: {
      const int digit = hex_value(c);
      if (digit >= 0) {
        constexpr uint64_t kShiftable = std::numeric_limits<int64_t>::max() >> 4;
        if (left_ > kShiftable || ++line_bytes_ > 16) return false;
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        phase_ = Phase::size;
        return true;
      }
      if (phase_ == Phase::size_first) return false;
      if (c == '\r') {
        phase_ = Phase::size_lf;
        return true;
      }
      phase_ = Phase::extension;
      return allow_extensions_ && (c == ';' || is_blank(c));
    }
    case Phase::extension:
      if (c == '\r') {
        phase_ = Phase::size_lf;
        return true;
      }
      return !is_bad_in_value(c) && ++line_bytes_ <= kChunkLineBytesMax;
    case Phase::size_lf:
      line_bytes_ = 0;
      phase_ = left_ == 0 ? Phase::trailer_start : Phase::data;
      return c == '\n';
    case Phase::data_cr:
      phase_ = Phase::data_lf;
      return c == '\r';
    case Phase::data_lf:
      phase_ = Phase::size_first;
      return c == '\n';
    case Phase::trailer_start:
      phase_ = c == '\r' ? Phase::end_lf : Phase::trailer_name;
      return c == '\r' || is_token_char(c);
    case Phase::trailer_name:
      if (c == ':') phase_ = Phase::trailer_value;
      return ++trailer_bytes_ <= kTrailerBytesMax && (c == ':' || is_token_char(c));
    case Phase::trailer_value:
      if (c == '\r') phase_ = Phase::trailer_lf;
      return ++trailer_bytes_ <= kTrailerBytesMax && (c == '\r' || !is_bad_in_value(c));
    case Phase::trailer_lf:
      phase_ = Phase::trailer_start;
      return c == '\n';
    case Phase::end_lf:
      phase_ = Phase::done;
      return c == '\n';
    case Phase::data:
    case Phase::done:
    case Phase::error:
      break;
  }
  return false;
}

// What stands between two chunks as everybody writes it, at once: the line end behind the data, or
// a size of few digits and its line end. 0 where it is anything else, which goes byte by byte.
size_t BodyDecoder::take_plain_framing(std::span<const char> bytes) {
  if (phase_ == Phase::data_cr) {
    if (bytes.size() < 2 || bytes[0] != '\r' || bytes[1] != '\n') return 0;
    phase_ = Phase::size_first;
    return 2;
  }
  if (phase_ != Phase::size_first) return 0;
  constexpr size_t kDigitsMax = 8;
  uint64_t size = 0;
  size_t at = 0;
  for (; at < bytes.size() && at < kDigitsMax; ++at) {
    const int digit = hex_value(bytes[at]);
    if (digit < 0) break;
    size = size * 16 + static_cast<uint64_t>(digit);
  }
  if (at == 0 || bytes.size() - at < 2 || bytes[at] != '\r' || bytes[at + 1] != '\n') return 0;
  left_ = size;
  phase_ = size == 0 ? Phase::trailer_start : Phase::data;
  return at + 2;
}

BodyDecoder::Step BodyDecoder::decode_chunked(std::span<char> bytes) {
  Gather payload;
  size_t at = 0;
  while (at < bytes.size() && phase_ != Phase::done && phase_ != Phase::error) {
    if (const size_t plain = take_plain_framing(bytes.subspan(at)); plain > 0) {
      at += plain;
      continue;
    }
    if (phase_ != Phase::data) {
      if (!take_framing_byte(bytes[at])) {
        phase_ = Phase::error;
        break;
      }
      ++at;
      continue;
    }
    const auto size = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size() - at));
    payload.take(bytes.data() + at, size);
    at += size;
    left_ -= size;
    if (left_ == 0) phase_ = Phase::data_cr;
  }
  const State state = phase_ == Phase::done    ? State::done
                      : phase_ == Phase::error ? State::error
                                               : State::more;
  return {state, payload.view(), at};
}

std::string_view chunk_prefix(uint64_t size, std::span<char, kChunkPrefixMax> room) {
  constexpr std::string_view kHex = "0123456789abcdef";
  char* end = room.data() + room.size();
  char* p = end;
  *--p = '\n';
  *--p = '\r';
  do {
    *--p = kHex[size & 0xf];
    size >>= 4;
  } while (size != 0);
  return {p, static_cast<size_t>(end - p)};
}

}  // namespace weir::http
