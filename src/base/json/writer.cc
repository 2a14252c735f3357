#include "base/json/writer.h"

#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/json/scan.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

constexpr uint32_t kCheckedLevels = 64;

void append_escape(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  const char escape[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 0xF]};
  out.append(escape, sizeof escape);
}

template <class Number>
void append_number(std::string& out, Number value) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  assert(error == std::errc());
  out.append(digits, end);
}

#if defined(__SSE2__)
constexpr size_t kShortMax = 48;
constexpr size_t kShortRoom = kShortMax + 16 + 8;  // a vector's reading on, and what stands around

// The text in quotes at `room` where that is all it takes: the size, else 0. Most names and many
// values are short, plain and worth one append instead of three.
size_t put_short(char* room, std::string_view text) {
  if (text.size() > kShortMax) return 0;
  room[0] = '"';
  char* const inside = room + 1;
  if (!text.empty()) std::memcpy(inside, text.data(), text.size());
  for (size_t at = 0; at < text.size(); at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(inside + at));
    const __m128i last_control = _mm_set1_epi8(0x1F);
    // The sign bit of what is not ASCII counts, too.
    const __m128i special = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
        _mm_or_si128(_mm_cmpeq_epi8(_mm_max_epu8(bytes, last_control), last_control), bytes));
    const size_t left = text.size() - at;
    const unsigned here = left >= 16 ? 0xFFFFU : (1U << left) - 1;
    if ((static_cast<unsigned>(_mm_movemask_epi8(special)) & here) != 0) return 0;
  }
  inside[text.size()] = '"';
  return text.size() + 2;
}
#else
constexpr size_t kShortRoom = 8;
size_t put_short(char*, std::string_view) {
  return 0;
}
#endif

// append_quoted() behind a comma, where one is needed, and in front of `behind`.
void append_quoted_between(std::string& out, bool comma, std::string_view text,
                           std::string_view behind) {
  char room[kShortRoom];
  room[0] = ',';
  size_t end = put_short(room + 1, text);
  if (end == 0) {
    if (comma) out.push_back(',');
    append_quoted(out, text);
    out.append(behind);
    return;
  }
  ++end;
  for (const char c : behind) room[end++] = c;
  const size_t begin = comma ? 0 : 1;
  out.append(room + begin, end - begin);
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  char room[kShortRoom];
  if (const size_t size = put_short(room, text); size > 0) {
    out.append(room, size);
    return;
  }
  const char* at = text.data();
  const char* const end = at + text.size();
  out.push_back('"');
  while (true) {
    bool non_ascii = false;
    const char* const stop = skip_plain(at, end, non_ascii);
    const std::string_view plain(at, static_cast<size_t>(stop - at));
    if (non_ascii) {
      append_valid_utf8(out, plain);
    } else {
      out += plain;
    }
    if (stop == end) break;
    append_escape(out, *stop);
    at = stop + 1;
  }
  out.push_back('"');
}

std::string quoted(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text);
  return out;
}

bool Writer::in_object() const {
  return depth_ > 0 && depth_ <= kCheckedLevels && ((objects_ >> (depth_ - 1)) & 1) != 0;
}

void Writer::before_value() {
  assert(key_written_ || !in_object());  // inside an object every value needs a key
  if (needs_comma_ && !key_written_ && depth_ > 0) out_.push_back(',');
  key_written_ = false;
  needs_comma_ = true;
}

Writer& Writer::open(char bracket, bool object) {
  before_value();
  out_.push_back(bracket);
  if (depth_ < kCheckedLevels) {
    const uint64_t bit = uint64_t{1} << depth_;
    objects_ = object ? objects_ | bit : objects_ & ~bit;
  }
  ++depth_;
  needs_comma_ = false;
  return *this;
}

Writer& Writer::close(char bracket, [[maybe_unused]] bool object) {
  assert(depth_ > 0 && !key_written_);
  assert(depth_ > kCheckedLevels || in_object() == object);
  out_.push_back(bracket);
  --depth_;
  needs_comma_ = true;
  return *this;
}

Writer& Writer::begin_object() {
  return open('{', true);
}
Writer& Writer::end_object() {
  return close('}', true);
}
Writer& Writer::begin_array() {
  return open('[', false);
}
Writer& Writer::end_array() {
  return close(']', false);
}

Writer& Writer::key(std::string_view name) {
  assert(!key_written_ && (depth_ > kCheckedLevels || in_object()));
  append_quoted_between(out_, needs_comma_, name, ":");
  key_written_ = true;
  return *this;
}

Writer& Writer::string(std::string_view text) {
  assert(key_written_ || !in_object());
  append_quoted_between(out_, needs_comma_ && !key_written_ && depth_ > 0, text, {});
  key_written_ = false;
  needs_comma_ = true;
  return *this;
}

Writer& Writer::signed_number(int64_t value) {
  before_value();
  append_number(out_, value);
  return *this;
}

Writer& Writer::unsigned_number(uint64_t value) {
  before_value();
  append_number(out_, value);
  return *this;
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  before_value();
  append_number(out_, value);
  return *this;
}

Writer& Writer::boolean(bool value) {
  return raw(value ? "true" : "false");
}
Writer& Writer::null() {
  return raw("null");
}

Writer& Writer::raw(std::string_view json) {
  before_value();
  out_ += json;
  return *this;
}

}  // namespace weir::json
