// Undoes the escapes of a JSON string that parse() has accepted. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir::json {

// Appends the text that stands between the quotes, unescaped. Lone surrogates become U+FFFD.
void append_unescaped(std::string& out, std::string_view between_quotes);

// The value of a hex digit, or -1.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The value of four hex digits, or -1.
int read_hex4(const char* at);

}  // namespace weir::json
