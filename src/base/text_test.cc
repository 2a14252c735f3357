#include "base/text.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Text, ComparesWithoutCase) {
  EXPECT_TRUE(equals_ignore_case("Content-Type", "content-TYPE"));
  EXPECT_FALSE(equals_ignore_case("Content-Type", "Content-Typ"));
  // '@' and '`', '[' and '{' differ by the bit that tells cases apart, and are no letters.
  EXPECT_FALSE(equals_ignore_case("@[", "`{"));
  EXPECT_FALSE(equals_ignore_case("\xC3\x84", "\xC3\xA4"));
  EXPECT_TRUE(starts_with_ignore_case("Bearer abc", "bearer "));
  EXPECT_FALSE(starts_with_ignore_case("Bear", "bearer"));
  EXPECT_EQ(compare_ignore_case("Alpha", "aLPHA"), 0);
  EXPECT_LT(compare_ignore_case("alpha", "Beta"), 0);
  EXPECT_GT(compare_ignore_case("alphas", "ALPHA"), 0);
  EXPECT_LT(compare_ignore_case("a", "\xFF"), 0);
  EXPECT_EQ(to_lower("GPT-4\xC3\x84"), "gpt-4\xC3\x84");
}

TEST(Text, TrimsAndSplits) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  using Parts = std::vector<std::string_view>;
  EXPECT_EQ(split("a,,b,", ','), (Parts{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), Parts{""});
  EXPECT_EQ(join(split("a.b.c", '.'), "::"), "a::b::c");
  EXPECT_EQ(join({}, ","), "");
}

TEST(Text, ReadsWholeNumbersOnly) {
  struct Case {
    std::string_view text;
    std::optional<int64_t> value;
  };
  const Case cases[] = {
      {"0", 0},
      {"7", 7},
      {"-12", -12},
      {"9223372036854775807", INT64_MAX},
      {"-9223372036854775808", INT64_MIN},
      {"9223372036854775808", std::nullopt},
      {"-9223372036854775809", std::nullopt},
      {"", std::nullopt},
      {"-", std::nullopt},
      {"-0", std::nullopt},
      {"+1", std::nullopt},
      {" 1", std::nullopt},
      {"1 ", std::nullopt},
      {"01", std::nullopt},
      {"-01", std::nullopt},
      {"0x10", std::nullopt},
      {"1e3", std::nullopt},
      {"--1", std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_int64(c.text), c.value) << '"' << c.text << '"';
  EXPECT_EQ(parse_uint64("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_uint64("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_uint64("65535", 65535), 65535u);
  EXPECT_EQ(parse_uint64("65536", 65535), std::nullopt);
  EXPECT_EQ(parse_uint64("-1"), std::nullopt);
  EXPECT_EQ(parse_uint64("00"), std::nullopt);
}

TEST(Text, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("", "ab"), 2u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("model", "mdoel"), 1u);  // neighbors swapped
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);
}

TEST(Text, FindsWhatWasMeant) {
  const std::string_view keys[] = {"accounts", "models", "listen", "ledger", "fallbacks"};
  EXPECT_EQ(nearest("acounts", keys), "accounts");
  EXPECT_EQ(nearest("Model", keys), "models");
  EXPECT_EQ(nearest("lisetn", keys), "listen");
  EXPECT_EQ(nearest("ledger", keys), "ledger");
  EXPECT_EQ(nearest("telemetry", keys), std::nullopt);
  EXPECT_EQ(nearest("", keys), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'a'), keys), std::nullopt);
  EXPECT_EQ(nearest("xb", {"ab", "cb"}), std::nullopt);
  EXPECT_EQ(nearest("abd", {"abc", "abe"}), "abc");
}

}  // namespace
}  // namespace weir
