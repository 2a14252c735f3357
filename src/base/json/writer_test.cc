#include "base/json/writer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/json/document.h"
#include "base/random.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

using namespace std::string_view_literals;

TEST(JsonWriter, PlacesCommasAndColons) {
  std::string out;
  Writer w(out);
  w.begin_object().member("a", 1).key("b").begin_array().end_array();
  w.key("c").begin_array().number(1).string("x").begin_object().end_object().null().end_array();
  w.member_raw("d", "[ 1 ]").member("e", false).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[],"c":[1,"x",{},null],"d":[ 1 ],"e":false})");
}

TEST(JsonWriter, DoesNotSeparateWholeTexts) {
  std::string out;
  Writer w(out);
  w.begin_object().end_object();
  out += '\n';
  w.begin_array().number(1).end_array();
  out += '\n';
  w.number(2);
  EXPECT_EQ(out, "{}\n[1]\n2");
}

TEST(JsonWriter, TakesEveryKindOfNumber) {
  std::string out;
  Writer w(out);
  const std::string text = "owned";
  w.begin_array().number(int8_t{-1}).number(uint64_t{UINT64_MAX}).number(INT64_MIN);
  w.number(size_t{7}).number(0.1).number(1e21).number(-0.0).number(1e300).number(5e-324);
  w.number(std::nan("")).number(-std::numeric_limits<double>::infinity()).string(text).end_array();
  EXPECT_EQ(out,
            "[-1,18446744073709551615,-9223372036854775808,7,0.1,1e+21,-0,1e+300,5e-324,null,null,"
            "\"owned\"]");
  out.clear();
  w.begin_object().member("u", 3U).member("d", 1.5).member("b", true).member("s", text);
  w.member("c", "chars").end_object();
  EXPECT_EQ(out, R"({"u":3,"d":1.5,"b":true,"s":"owned","c":"chars"})");
}

TEST(JsonWriter, Escapes) {
  struct Case {
    std::string_view text;
    std::string_view json;
  };
  const Case cases[] = {
      {"", R"("")"},
      {"plain", R"("plain")"},
      {"\"\\/", R"("\"\\/")"},
      {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
      {"\0\x01\x1F"sv, R"("\u0000\u0001\u001f")"},
      {"\x7F", "\"\x7F\""},
      {"ä€😀", R"("ä€😀")"},
      {"a\xFF\xC3z", "\"a\uFFFD\uFFFDz\""},
      {"\xC3\n\xA4", "\"\uFFFD\\n\uFFFD\""},
      {"\xED\xA0\x80", "\"\uFFFD\uFFFD\uFFFD\""},
      {"sixteen bytes !!\"", "\"sixteen bytes !!\\\"\""},
  };
  for (const Case& c : cases) EXPECT_EQ(quoted(c.text), c.json);
}

TEST(JsonWriter, AnyBytesComeOutAsReadableJson) {
  Random random(3);
  Document document;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes(random.below(50), '\0');
    // Mostly ASCII, so that runs of plain text of all lengths meet specials.
    for (char& c : bytes) c = static_cast<char>(random.below(random.below(8) == 0 ? 256 : 128));
    const std::string text = json::quoted(bytes);
    ASSERT_TRUE(document.parse(text)) << text;
    std::string expected;
    append_valid_utf8(expected, bytes);
    ASSERT_EQ(document.root().as_string(), expected);
  }
}

TEST(JsonWriter, DoublesReadBackTheSame) {
  Random random(9);
  Document document;
  for (int round = 0; round < 5000; ++round) {
    const auto value = std::bit_cast<double>(random.next());
    if (!std::isfinite(value)) continue;
    std::string out;
    Writer(out).number(value);
    ASSERT_TRUE(document.parse(out)) << out;
    ASSERT_EQ(document.root().as_double(), value) << out;
  }
}

#ifndef NDEBUG
TEST(JsonWriterDeathTest, StopsOnMisuse) {
  std::string out;
  EXPECT_DEATH(Writer(out).begin_object().number(1), "");
  EXPECT_DEATH(Writer(out).begin_array().key("a"), "");
  EXPECT_DEATH(Writer(out).begin_array().end_object(), "");
  EXPECT_DEATH(Writer(out).begin_object().key("a").end_object(), "");
  EXPECT_DEATH(Writer(out).end_array(), "");
  EXPECT_DEATH(Writer(out).key("a"), "");
}
#endif

}  // namespace
}  // namespace weir::json
