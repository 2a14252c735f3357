// Small helpers over ASCII text: comparing without case, trimming, splitting, strict numbers, and
// "did you mean". Pure functions; any thread. Encodings are in encoding.h, UTF-8 in utf8.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Only A-Z and a-z are folded; every other byte stands for itself, whatever the locale says.
inline char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string to_lower(std::string_view text);
// Inline, as header fields are looked up by it, many times a request.
inline bool equals_ignore_case(std::string_view a, std::string_view b);
bool starts_with_ignore_case(std::string_view text, std::string_view prefix);
// Negative, zero or positive, as std::string_view::compare.
int compare_ignore_case(std::string_view a, std::string_view b);

// Without the spaces, tabs, carriage returns and line feeds at both ends.
std::string_view trim(std::string_view text);
// Parts between separators, empty ones too: "a,,b" is three and "" is one.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::span<const std::string_view> parts, std::string_view separator);

// Decimal digits all the way, with a '-' in front where the type has one; no '+', no white space,
// no leading zeros but "0". nullopt for anything else and out of range.
std::optional<int64_t> parse_int64(std::string_view text);
std::optional<uint64_t> parse_uint64(std::string_view text, uint64_t max = UINT64_MAX);

// Edits (insert, remove, replace, swap neighbors) from one text to the other.
size_t edit_distance(std::string_view a, std::string_view b);
// The candidate that a person who wrote `name` most likely meant, or nullopt where none is near
// (more than a third of its letters differ). Case is ignored. The first of equals. Names longer
// than 128 bytes have no nearest one.
std::optional<std::string_view> nearest(std::string_view name,
                                        std::span<const std::string_view> candidates);
inline std::optional<std::string_view> nearest(std::string_view name,
                                               std::initializer_list<std::string_view> candidates) {
  return nearest(name, std::span(candidates.begin(), candidates.size()));
}

namespace text_detail {

// Eight bytes with A-Z folded to a-z, all at once.
inline uint64_t folded_word(const char* text) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  uint64_t word;
  std::memcpy(&word, text, sizeof word);
  const uint64_t low = word & (kOnes * 0x7F);
  const uint64_t from_a = low + kOnes * (0x80 - 'A');
  const uint64_t behind_z = low + kOnes * (0x80 - 'Z' - 1);
  const uint64_t upper = (from_a ^ behind_z) & ~word & (kOnes * 0x80);
  return word | upper >> 2;
}

}  // namespace text_detail

inline bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const char* x = a.data();
  const char* y = b.data();
  size_t left = a.size();
  if (left >= 8) {
    for (; left > 8; left -= 8, x += 8, y += 8) {
      if (text_detail::folded_word(x) != text_detail::folded_word(y)) return false;
    }
    x -= 8 - left;  // the last eight, which may overlap those before
    y -= 8 - left;
    return text_detail::folded_word(x) == text_detail::folded_word(y);
  }
  for (; left > 0; --left, ++x, ++y) {
    if (ascii_lower(*x) != ascii_lower(*y)) return false;
  }
  return true;
}

}  // namespace weir
