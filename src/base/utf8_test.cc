#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, EveryCodePointIsValidAndNoSurrogateIs) {
  for (char32_t c = 0; c <= 0x110000; ++c) {
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(is_utf8(text)) << static_cast<uint32_t>(c);
    const bool scalar = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
    if (!scalar || c == 0xFFFD)
      ASSERT_EQ(text, kReplacementCharacter);
    else
      ASSERT_NE(text, kReplacementCharacter);
  }
}

// The plain way: decode by the bit patterns, then refuse what is overlong, a surrogate or too big.
size_t valid_prefix_slowly(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t length = lead < 0x80             ? 1
                          : (lead & 0xE0) == 0xC0 ? 2
                          : (lead & 0xF0) == 0xE0 ? 3
                          : (lead & 0xF8) == 0xF0 ? 4
                                                  : 0;
    if (length == 0 || at + length > text.size()) return at;
    uint32_t value = length == 1 ? lead : lead & (0x7FU >> length);
    for (size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0) != 0x80) return at;
      value = value << 6 | (next & 0x3FU);
    }
    constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < kSmallest[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
      return at;
    }
    at += length;
  }
  return at;
}

TEST(Utf8, AgreesWithThePlainWay) {
  // Every two-byte text, and every three-byte text with an interesting lead.
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const char two[] = {static_cast<char>(a), static_cast<char>(b)};
      const std::string_view text(two, 2);
      ASSERT_EQ(utf8_valid_prefix(text), valid_prefix_slowly(text)) << a << ' ' << b;
      for (const int lead : {0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5}) {
        const char three[] = {static_cast<char>(lead), two[0], two[1], '\x80', 'x'};
        const std::string_view longer(three, sizeof three);
        ASSERT_EQ(utf8_valid_prefix(longer), valid_prefix_slowly(longer));
      }
    }
  }
  // Mixtures, damaged in one place.
  Random random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    while (text.size() < 40) {
      append_utf8(text, random.below(2) == 0 ? random.below(0x80) : random.below(0x11000));
    }
    text[random.below(static_cast<uint32_t>(text.size()))] = static_cast<char>(random.below(256));
    ASSERT_EQ(utf8_valid_prefix(text), valid_prefix_slowly(text));
  }
}

TEST(Utf8, ReplacesMaximalInvalidParts) {
  struct Case {
    std::string_view in;
    std::string_view out;
  };
  const Case cases[] = {
      {"", ""},
      {"abc ä", "abc ä"},
      {"a\xFFz", "a\uFFFDz"},
      {"\xC3", "\uFFFD"},
      {"\xE2\x82", "\uFFFD"},
      {"\xF0\x9F\x98x", "\uFFFDx"},
      {"\x80\x80", "\uFFFD\uFFFD"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
      // The example of the Unicode standard, table 3-8.
      {"\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64",
       "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd"},
  };
  for (const Case& c : cases) {
    std::string out;
    append_valid_utf8(out, c.in);
    EXPECT_EQ(out, c.out);
  }
}

TEST(Utf8, TruncatesBetweenCharacters) {
  constexpr std::string_view kText = "aä€😀";  // 1 + 2 + 3 + 4 bytes
  const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (size_t max = 0; max < std::size(kept); ++max) {
    EXPECT_EQ(utf8_truncate(kText, max), kText.substr(0, kept[max])) << max;
  }
  // No UTF-8, no boundary to look for.
  EXPECT_EQ(utf8_truncate("\x80\x80\x80\x80\x80\x80\x80\x80", 6).size(), 6u);
  EXPECT_EQ(utf8_truncate("\x80\x80\x80", 2).size(), 2u);
}

}  // namespace
}  // namespace weir
