#include "base/json/unescape.h"

#include <cstring>

#include "base/check.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

char short_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;  // quote, backslash, slash
  }
}

bool is_high_surrogate(int unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}
bool is_low_surrogate(int unit) {
  return unit >= 0xDC00 && unit < 0xE000;
}

}  // namespace

int read_hex4(const char* at) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_unescaped(std::string& out, std::string_view between_quotes) {
  const char* at = between_quotes.data();
  const char* const end = at + between_quotes.size();
  while (at < end) {
    const void* found = std::memchr(at, '\\', static_cast<size_t>(end - at));
    const char* const backslash = found == nullptr ? end : static_cast<const char*>(found);
    out.append(at, backslash);
    if (backslash == end) return;
    WEIR_ASSERT(end - backslash >= 2);
    at = backslash + 2;
    if (backslash[1] != 'u') {
      out.push_back(short_escape(backslash[1]));
      continue;
    }
    WEIR_ASSERT(end - at >= 4);
    const int unit = read_hex4(at);
    at += 4;
    char32_t code_point = static_cast<char32_t>(unit);
    if (is_high_surrogate(unit) && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
      const int low = read_hex4(at + 2);
      if (is_low_surrogate(low)) {
        code_point = static_cast<char32_t>(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        at += 6;
      }
    }
    append_utf8(out, code_point);  // a surrogate left alone comes out as U+FFFD
  }
}

}  // namespace weir::json
