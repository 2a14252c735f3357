#include "base/json/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::json {
namespace {

using namespace std::string_view_literals;
using testing::HasSubstr;

TEST(JsonKeys, TwiceInOneObjectIsRefusedHoweverSpelled) {
  for (const std::string_view text : {
           R"({"a":1,"a":2})",
           R"({"a":1,"b":2,"a":3})",
           R"({"a":1,"\u0061":2})",
           R"({"\u0061":1,"a":2})",
           R"({"\u00e4":1,"ä":2})",
           R"({"\ud83d\ude00":1,"😀":2})",
           R"({"/":1,"\/":2})",
           R"({"":1,"":2})",
           R"([{"a":{"b":1,"b":1}}])",
           R"({"a":{"x":1},"a":{"x":1}})",
           R"({"\ud800":1,"\udbff":2})",  // both are read as U+FFFD
           "{\"x\\u0000\":1,\"x\\u0000\":2}",
       }) {
    EXPECT_FALSE(Document().parse(text)) << text;
  }
  EXPECT_TRUE(Document().parse(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})"));
  EXPECT_TRUE(Document().parse(R"({"x\u0000":1,"x":2,"x\u0000\u0000":3})"));
}

TEST(JsonKeys, TwiceIsFoundInObjectsOfEverySize) {
  for (const int size : {1, 2, 3, 15, 16, 17, 18, 100, 5000}) {
    for (const int twin : {0, size / 2, size - 1}) {
      std::string text = "{";
      for (int i = 0; i < size; ++i) text += "\"key" + std::to_string(i) + "\":" + "{},";
      const std::string unique = text + "\"other\":0}";
      text += "\"key" + std::to_string(twin) + "\":0}";
      EXPECT_TRUE(Document().parse(unique)) << size;
      const auto parsed = Document().parse(text);
      ASSERT_FALSE(parsed) << size << ' ' << twin;
      EXPECT_THAT(std::string(parsed.error().message()), HasSubstr("again"));
    }
  }
}

TEST(JsonKeys, DeepLevelsMayBeLeftUnchecked) {
  constexpr std::string_view kText = R"({"a":{"b":{"c":1,"c":2}}})";
  EXPECT_FALSE(Document().parse(kText, {.unique_keys_levels = 3}));
  Document document;
  ASSERT_TRUE(document.parse(kText, {.unique_keys_levels = 2}));
  EXPECT_EQ(document.root()["a"]["b"]["c"].as_int64(), 1);
  EXPECT_EQ(document.root()["a"]["b"].size(), 2u);
  EXPECT_FALSE(Document().parse(R"({"a":1,"a":1})", {.unique_keys_levels = 1}));
  EXPECT_TRUE(Document().parse(R"({"a":1,"a":1})", {.unique_keys_levels = 0}));
}

TEST(JsonLimits, DepthIsCountedAndCostsNoStack) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(Document().parse(nested(128)));
  for (const std::string& text : {nested(129), std::string(100'000, '['), nested(100'000)}) {
    const auto parsed = Document().parse(text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), ErrorCode::limit_exceeded);
    EXPECT_THAT(std::string(parsed.error().message()), HasSubstr("at byte 128"));
  }
  // Raised, even a million levels pass: nothing recurses, here or in reading.
  Document document;
  const std::string deep = nested(1'000'000);
  ASSERT_TRUE(document.parse(deep, {.depth_max = 1'000'000}));
  EXPECT_EQ(document.root().raw().size(), deep.size());
  EXPECT_EQ(document.root().size(), 1u);
  // Depth is not length.
  EXPECT_TRUE(Document().parse("[[],[],[]]", {.depth_max = 2}));
  EXPECT_TRUE(Document().parse("1", {.depth_max = 0}));
  EXPECT_FALSE(Document().parse("[]", {.depth_max = 0}));
}

TEST(JsonLimits, NodesAreCounted) {
  EXPECT_TRUE(Document().parse("[1,2,3]", {.nodes_max = 4}));
  const auto parsed = Document().parse("[1,2,3,4]", {.nodes_max = 4});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), ErrorCode::limit_exceeded);
  EXPECT_TRUE(Document().parse("{\"a\":1}", {.nodes_max = 3}));
  EXPECT_FALSE(Document().parse("{\"a\":1}", {.nodes_max = 2}));
}

TEST(JsonDocument, IsUsableAgainAfterAnError) {
  Document document;
  ASSERT_TRUE(document.parse("[1,2,3]"));
  ASSERT_FALSE(document.parse("[1,2"));
  EXPECT_FALSE(document.root().exists());
  ASSERT_TRUE(document.parse("{\"a\":\"b\"}"));
  EXPECT_EQ(document.root()["a"].as_string(), "b");
}

TEST(JsonValue, KeepsTheSourceBytes) {
  constexpr std::string_view kText = R"( { "n" : 1.50e+2 , "s":"\u0061" ,"a" : [ 1 , {} ] } )";
  Document document;
  ASSERT_TRUE(document.parse(kText));
  const Value root = document.root();
  EXPECT_EQ(root.raw(), kText.substr(1, kText.size() - 2));
  EXPECT_EQ(root.offset(), 1u);
  EXPECT_EQ(root["n"].raw(), "1.50e+2");
  EXPECT_EQ(root["s"].raw(), R"("\u0061")");
  EXPECT_EQ(root["a"].raw(), "[ 1 , {} ]");
  EXPECT_EQ(kText.substr(root["a"].offset(), 1), "[");
}

TEST(JsonValue, MissingAnswersAsAbsent) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"null":null,"text":"x"})"));
  const Value missing = document.root()["nothing"]["at"]["all"];
  EXPECT_FALSE(missing);
  EXPECT_FALSE(missing.is_null());
  EXPECT_EQ(missing.type(), Type::null);
  EXPECT_EQ(missing.size(), 0u);
  EXPECT_EQ(missing.raw(), "");
  EXPECT_EQ(missing.as_string(), std::nullopt);
  EXPECT_EQ(missing.as_plain_string(), std::nullopt);
  EXPECT_EQ(missing.as_int64(), std::nullopt);
  EXPECT_EQ(missing.as_double(), std::nullopt);
  EXPECT_EQ(missing.as_bool(), std::nullopt);
  EXPECT_EQ(missing.string_or("else"), "else");
  EXPECT_FALSE(missing.equals(""));
  for (const Member& member : missing.members()) ADD_FAILURE() << member.key;
  for (const Value value : missing.elements()) ADD_FAILURE() << value.raw();
  EXPECT_TRUE(document.root()["null"].is_null());
  EXPECT_FALSE(document.root()["text"]["of"]);
  EXPECT_FALSE(Document().root());
}

TEST(JsonValue, AnswersOnlyForItsType) {
  Document document;
  ASSERT_TRUE(document.parse(R"([null,true,1,"1",[1],{"a":1}])"));
  for (const Value value : document.root().elements()) {
    EXPECT_EQ(value.as_bool().has_value(), value.is_bool());
    EXPECT_EQ(value.as_int64().has_value(), value.is_number());
    EXPECT_EQ(value.as_double().has_value(), value.is_number());
    EXPECT_EQ(value.as_string().has_value(), value.is_string());
    EXPECT_EQ(value.size(), value.is_array() || value.is_object() ? 1u : 0u);
    EXPECT_EQ(value["a"].exists(), value.is_object());
  }
}

TEST(JsonValue, Iterates) {
  Document document;
  ASSERT_TRUE(document.parse(R"({"a":[1,[2,3],{"x":[]},4],"b\n":{},"c":true})"));
  std::string seen;
  for (const auto& [key, value] : document.root().members()) {
    seen += key + '=' + std::string(value.raw()) + ';';
  }
  EXPECT_EQ(seen, "a=[1,[2,3],{\"x\":[]},4];b\n={};c=true;");
  seen.clear();
  for (const Value value : document.root()["a"].elements()) seen += std::string(value.raw()) + ';';
  EXPECT_EQ(seen, "1;[2,3];{\"x\":[]};4;");
  EXPECT_EQ(document.root().size(), 3u);
  EXPECT_EQ(document.root()["a"].size(), 4u);
  EXPECT_TRUE(document.root()["b\n"].is_object());
}

TEST(JsonValue, UnescapesStrings) {
  struct Case {
    std::string_view text;
    std::string_view value;
    bool plain;
  };
  const Case cases[] = {
      {R"("")", "", true},
      {R"("abc")", "abc", true},
      {R"("ä€😀")", "ä€😀", true},
      {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t", false},
      {R"("a\u0041b")", "aAb", false},
      {R"("\u0000")", "\0"sv, false},
      {R"("\u00e4\u20AC")", "ä€", false},
      {R"("\uD83D\uDE00!")", "😀!", false},
      {R"("\uDBFF\uDFFF")", "\U0010FFFF", false},
      {R"("\ud83d")", "\uFFFD", false},
      {R"("\ude00x")", "\uFFFDx", false},
      {R"("\ude00\ud83d")", "\uFFFD\uFFFD", false},
      {R"("\ud83d\ud83d\ude00")", "\uFFFD😀", false},
      {R"("\ud83d\n\ude00")", "\uFFFD\n\uFFFD", false},
      {R"("\ud83d\u0041")", "\uFFFDA", false},
  };
  for (const Case& c : cases) {
    Document document;
    ASSERT_TRUE(document.parse(c.text)) << c.text;
    EXPECT_EQ(document.root().as_string(), c.value) << c.text;
    EXPECT_EQ(document.root().string_or("?"), c.value) << c.text;
    EXPECT_TRUE(document.root().equals(c.value)) << c.text;
    EXPECT_FALSE(document.root().equals("other")) << c.text;
    EXPECT_EQ(document.root().as_plain_string().has_value(), c.plain) << c.text;
    if (c.plain) {
      EXPECT_EQ(document.root().as_plain_string(), c.value);
    }
  }
}

}  // namespace
}  // namespace weir::json
