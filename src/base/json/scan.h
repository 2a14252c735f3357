// The inner loop that the reader and the writer share: running over the part of a string that
// needs no attention, 16 bytes at a time where the processor has SSE2. Pure; any thread.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::json {

inline bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte != '"' && byte != '\\';
}

// The first byte in [at, end) that is a quote, a backslash or a control character, or end. Sets
// non_ascii when a byte >= 0x80 was passed on the way, and leaves it alone otherwise.
inline const char* skip_plain(const char* at, const char* end, bool& non_ascii) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1F);
  int high = 0;
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i special =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmpeq_epi8(_mm_max_epu8(bytes, last_control), last_control));
    const int found = _mm_movemask_epi8(special);
    const int high_here = _mm_movemask_epi8(bytes);
    if (found != 0) {
      const int place = __builtin_ctz(static_cast<unsigned>(found));
      if (((high_here & ((1 << place) - 1)) | high) != 0) non_ascii = true;
      return at + place;
    }
    high |= high_here;
    at += 16;
  }
  if (high != 0) non_ascii = true;
#else
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  constexpr uint64_t kHighs = 0x8080808080808080ULL;
  while (end - at >= 8) {
    uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    const uint64_t quote = bytes ^ (kOnes * '"');
    const uint64_t backslash = bytes ^ (kOnes * '\\');
    // The classic "a byte below n" test, exact as far as "is there any" goes: no false negatives.
    if ((((bytes - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes)) & ~bytes & kHighs) != 0) {
      break;
    }
    if ((bytes & kHighs) != 0) non_ascii = true;
    at += 8;
  }
#endif
  while (at < end && is_plain(static_cast<unsigned char>(*at))) {
    if (static_cast<unsigned char>(*at) >= 0x80) non_ascii = true;
    ++at;
  }
  return at;
}

}  // namespace weir::json
