#include "base/json/skim.h"

#include <cstddef>
#include <cstdint>

#include "base/json/scan.h"

namespace weir::json {
namespace {

const char* skip_space(const char* at, const char* end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  return at;
}

// Behind the string that begins at the quote `at`, or end where it does not close.
const char* skip_string(const char* at, const char* end) {
  bool non_ascii = false;
  ++at;
  while (at < end) {
    at = skip_plain(at, end, non_ascii);
    if (at == end) return end;
    if (*at == '"') return at + 1;
    at += *at == '\\' ? 2 : 1;
  }
  return end;
}

bool is_structure(char c) {
  return c == '"' || c == '{' || c == '}' || c == '[' || c == ']';
}

// The first quote, brace or bracket in [at, end), or end.
const char* find_structure(const char* at, const char* end) {
#if defined(__SSE2__)
  // Setting bit 5 makes '[' and '{' one, and ']' and '}' one.
  const __m128i bit = _mm_set1_epi8(0x20);
  const __m128i open = _mm_set1_epi8('{');
  const __m128i close = _mm_set1_epi8('}');
  const __m128i quote = _mm_set1_epi8('"');
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i folded = _mm_or_si128(bytes, bit);
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(folded, open), _mm_cmpeq_epi8(folded, close)),
                     _mm_cmpeq_epi8(bytes, quote));
    if (const int mask = _mm_movemask_epi8(found); mask != 0) {
      return at + __builtin_ctz(static_cast<unsigned>(mask));
    }
    at += 16;
  }
#endif
  while (at < end && !is_structure(*at)) ++at;
  return at;
}

// Behind the object or array that begins at `at`, or end where it does not close.
const char* skip_container(const char* at, const char* end) {
  size_t depth = 0;
  while ((at = find_structure(at, end)) < end) {
    if (*at == '"') {
      at = skip_string(at, end);
      continue;
    }
    depth += *at == '{' || *at == '[' ? 1 : -1;
    ++at;
    if (depth == 0) return at;
  }
  return end;
}

const char* skip_value(const char* at, const char* end) {
  if (at == end) return end;
  if (*at == '"') return skip_string(at, end);
  if (*at == '{' || *at == '[') return skip_container(at, end);
  while (at < end && *at != ',' && *at != '}' && *at > ' ') ++at;
  return at;
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

bool skim(std::string_view text, std::span<const std::string_view> names,
          std::span<std::string_view> values) {
  for (std::string_view& value : values) value = {};
  const char* const end = text.data() + text.size();
  const char* at = skip_space(text.data(), end);
  if (at == end || *at != '{') return false;
  at = skip_space(at + 1, end);
  while (at < end && *at == '"') {
    const char* const key = at;
    at = skip_string(at, end);
    const std::string_view name = between(key, at);
    at = skip_space(at, end);
    if (at == end || *at != ':') return false;
    at = skip_space(at + 1, end);
    const char* const value = at;
    at = skip_value(at, end);
    for (size_t i = 0; i < names.size(); ++i) {
      if (name.size() == names[i].size() + 2 && name.substr(1, names[i].size()) == names[i] &&
          values[i].empty()) {
        values[i] = between(value, at);
      }
    }
    at = skip_space(at, end);
    if (at == end || *at != ',') break;
    at = skip_space(at + 1, end);
  }
  return at < end && *at == '}' && skip_space(at + 1, end) == end;
}

}  // namespace weir::json
