#include "base/json/writer.h"

#include <cassert>
#include <charconv>
#include <cmath>

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

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
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
  if (needs_comma_) out_.push_back(',');
  append_quoted(out_, name);
  out_.push_back(':');
  key_written_ = true;
  return *this;
}

Writer& Writer::string(std::string_view text) {
  before_value();
  append_quoted(out_, text);
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
