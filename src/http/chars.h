// Character classes of HTTP/1.x heads, shared by the head parser and the body decoder.
// Pure functions; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

// The first byte in [p, end) that is no token character, or end.
inline const char* find_no_token(const char* p, const char* end) {
#if defined(__SSE2__)
  // Sixteen at a time, as far as they are letters, digits and dashes: what names are made of.
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i letter =
        _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i plain =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter),
                                  _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    const auto other = static_cast<unsigned>(_mm_movemask_epi8(plain)) ^ 0xFFFFU;
    if (other == 0) {
      p += 16;
      continue;
    }
    p += std::countr_zero(other);
    if (!is_token_char(*p)) return p;
    ++p;
  }
#endif
  while (p != end && is_token_char(*p)) ++p;
  return p;
}

// The first byte in [p, end) that is_bad_in_value, or end. Looks at several bytes at a time.
inline const char* find_bad_in_value(const char* p, const char* end) {
#if defined(__SSE2__)
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i last_control = _mm_set1_epi8(0x1F);
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, last_control), last_control);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')), control),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F)));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(bad));
    if (found != 0) return p + std::countr_zero(found);
    p += 16;
  }
#endif
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
