// UTF-8 (RFC 3629): checking and writing. Overlong forms, surrogates and code points above U+10FFFF
// are invalid. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// U+FFFD, the character that stands for what could not be decoded.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Bytes (1 to 4) of the valid character at `at`, or 0 where there is none. Needs at < end.
size_t utf8_character_length(const char* at, const char* end);

// Length of the longest prefix that is valid: text.size() when all of it is.
size_t utf8_valid_prefix(std::string_view text);
inline bool is_utf8(std::string_view text) {
  return utf8_valid_prefix(text) == text.size();
}

// Characters of valid text.
size_t utf8_code_points(std::string_view text);
// Where the `count`th character of valid text begins, in bytes; text.size() behind the last one.
size_t utf8_offset(std::string_view text, size_t count);

// Appends one code point; surrogates and values above U+10FFFF are written as U+FFFD.
void append_utf8(std::string& out, char32_t code_point);

// Appends the text, each maximal invalid part as one U+FFFD (Unicode 15, section 3.9, U+FFFD
// substitution of maximal subparts).
void append_valid_utf8(std::string& out, std::string_view text);

// The longest prefix of at most `bytes_max` bytes that does not cut a character in two.
std::string_view utf8_truncate(std::string_view text, size_t bytes_max);

}  // namespace weir
