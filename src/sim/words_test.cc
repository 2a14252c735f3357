#include "sim/words.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

TEST(Words, CountsTokensAsDescribed) {
  struct Case {
    std::string_view text;
    int64_t tokens;
  };
  for (const Case& c :
       {Case{"", 0}, Case{"weir", 1}, Case{"The weather: fine", 4}, Case{"internationalization", 3},
        Case{"  \n", 1}, Case{"a b  c", 3}, Case{"{\"city\":\"Oslo\"}", 9},
        Case{"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 2}, Case{"\xFF\xFF", 1}}) {
    EXPECT_EQ(count_tokens(c.text), c.tokens) << c.text;
  }
}

TEST(Words, TokensNeverCutACharacter) {
  const std::string_view text = "aaaaaaa\xE2\x82\xAC rest";
  EXPECT_EQ(token_bytes(text), 7U);
}

TEST(Words, MakesExactlyTheTokensAskedFor) {
  for (const int64_t tokens : {0, 1, 2, 7, 64, 1000}) {
    Random random(static_cast<uint64_t>(tokens) + 9);
    EXPECT_EQ(count_tokens(make_text(random, tokens)), tokens);
  }
}

TEST(Words, TheSameSeedMakesTheSameText) {
  Random one(5);
  Random two(5);
  Random other(6);
  const std::string text = make_text(one, 50);
  EXPECT_EQ(text, make_text(two, 50));
  EXPECT_NE(text, make_text(other, 50));
}

TEST(Words, PrefixOfTokens) {
  EXPECT_EQ(first_tokens("one two three", 2), "one two");
  EXPECT_EQ(first_tokens("one", 5), "one");
  EXPECT_EQ(first_tokens("one", 0), "");
}

}  // namespace
}  // namespace weir::sim
