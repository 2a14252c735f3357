// Character classes of HTTP/1.x heads, shared by the head parser and the body decoder.
// Pure functions; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::http {

namespace chars_detail {
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<size_t>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> kToken = make_token_table();
}  // namespace chars_detail

// tchar of RFC 9110 §5.6.2.
inline bool is_token_char(char c) {
  return chars_detail::kToken[static_cast<unsigned char>(c)];
}
// What a field value must not hold: C0 controls but HTAB, and DEL.
inline bool is_bad_in_value(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}
inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
// The value of a hexadecimal digit, or -1.
inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The first byte in [p, end) that is_bad_in_value, or end. Looks at eight bytes at a time.
inline const char* find_bad_in_value(const char* p, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  constexpr uint64_t kHighs = 0x8080808080808080ULL;
  while (true) {
    if constexpr (std::endian::native == std::endian::little) {
      while (end - p >= 8) {
        uint64_t word;
        std::memcpy(&word, p, 8);
        // A borrow can only flag bytes above a byte that is flagged rightly, so the lowest flag is
        // exact.
        const uint64_t del = word ^ (kOnes * 0x7f);
        const uint64_t flags = (((word - kOnes * 0x20) & ~word) | ((del - kOnes) & ~del)) & kHighs;
        if (flags != 0) {
          p += std::countr_zero(flags) / 8;
          break;
        }
        p += 8;
      }
    }
    while (p != end && !is_bad_in_value(*p)) {
      // Leave the byte loop as soon as a whole word is ahead again (after a tab).
      const bool tab = *p++ == '\t';
      if (tab && end - p >= 8) break;
    }
    if (p == end || is_bad_in_value(*p)) return p;
  }
}

}  // namespace weir::http
