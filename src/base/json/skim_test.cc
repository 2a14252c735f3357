#include "base/json/skim.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/json/document.h"
#include "base/json/random_document.h"

namespace weir::json {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"a", "usage"};

struct Found {
  bool whole;
  std::string_view a, usage;
};

Found skim_two(std::string_view text) {
  std::array<std::string_view, 2> values;
  const bool whole = skim(text, kNames, values);
  return {whole, values[0], values[1]};
}

TEST(Skim, FindsMembersOfTheRootOnly) {
  struct Case {
    std::string_view text, a, usage;
  };
  const Case cases[] = {
      {R"({})", "", ""},
      {R"( { "a" : 1 , "usage" : {"x":[1,2]} } )", "1", R"({"x":[1,2]})"},
      {R"({"b":{"usage":1},"c":[{"a":2}],"usage":null})", "", "null"},
      {R"({"a":"}]\"{","usage":"\\"})", R"("}]\"{")", R"("\\")"},
      {R"({"a":1,"a":2})", "1", ""},
      {R"({"usage":[[],{},"]"],"a":-1.5e3})", "-1.5e3", R"([[],{},"]"])"},
      {R"({"a":true})", "true", ""},
      {R"({"long":"0123456789abcdef0123456789abcdef","a":"0123456789abcdef\"0123456789"})",
       R"("0123456789abcdef\"0123456789")", ""},
  };
  for (const Case& c : cases) {
    const Found found = skim_two(c.text);
    EXPECT_TRUE(found.whole) << c.text;
    EXPECT_EQ(found.a, c.a) << c.text;
    EXPECT_EQ(found.usage, c.usage) << c.text;
  }
}

TEST(Skim, TellsWhatIsNoWholeObject) {
  for (const std::string_view text :
       {"", " ", "[]", "1", "{", R"({"a")", R"({"a":)", R"({"a":1)", R"({"a":"x)", R"({"a":"\)",
        R"({"a":{"b":1})", R"({"a":1}x)", R"({"a":1,)", R"({"a" 1})", R"({a:1})"}) {
    EXPECT_FALSE(skim_two(text).whole) << text;
  }
}

TEST(Skim, NeverReadsPastTheEnd) {
  const std::string text = R"({"b":[{"c":"d\\\"e"}],"usage":{"n":12,"t":"é"},"a":[1,{"x":"y"}]})";
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::string cut = text.substr(0, size);  // on the heap: sanitizers see its end
    EXPECT_EQ(skim_two(cut).whole, size == text.size()) << size;
  }
}

TEST(Skim, AgreesWithTheReader) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    RandomDocument random(seed);
    std::string inner;
    std::string other;
    Writer inner_writer(inner);
    Writer other_writer(other);
    random.write_value(inner_writer, 4);
    random.write_value(other_writer, 4);
    const std::string text = R"({"x":)" + other + R"( , "usage" :)" + inner + "}";
    Document document;
    ASSERT_TRUE(document.parse(text)) << text;
    const Found found = skim_two(text);
    EXPECT_TRUE(found.whole) << text;
    EXPECT_EQ(found.usage, document.root()["usage"].raw()) << text;
  }
}

}  // namespace
}  // namespace weir::json
