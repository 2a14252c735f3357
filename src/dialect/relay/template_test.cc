#include "dialect/relay/template.h"

#include <gtest/gtest.h>

namespace weir::dialect {
namespace {

constexpr std::string_view kEvent =
    R"(data: {"id":"c","created":17,"choices":[{"delta":{"content":"Hi"}}],"p":"abc"})"
    "\n\n";
constexpr size_t kData = 6;  // behind "data: "

DeltaTemplate learned() {
  json::Document document;
  EXPECT_TRUE(document.parse(kEvent.substr(kData, kEvent.size() - kData - 2)));
  const json::Value root = document.root();
  DeltaTemplate result;
  const json::Value choice = *root["choices"].elements().begin();
  result.learn(kEvent, kData, choice["delta"]["content"], {root["p"], root["created"], {}});
  return result;
}

std::string event(std::string_view text, std::string_view created = "17",
                  std::string_view padding = "abc") {
  std::string bytes = R"(data: {"id":"c","created":)";
  bytes.append(created).append(R"(,"choices":[{"delta":{"content":")").append(text);
  bytes.append(R"("}}],"p":")").append(padding).append("\"}\n\n");
  return bytes;
}

TEST(DeltaTemplate, MatchesOnlyTheSameForm) {
  const DeltaTemplate known = learned();
  ASSERT_FALSE(known.empty());
  struct Case {
    const char* what;
    std::string bytes;
    bool matches;
    int64_t text_bytes = 0;
  };
  const Case cases[] = {
      {"itself", std::string(kEvent), true, 2},
      {"other text", event("a longer piece of text than eight"), true, 33},
      {"empty text", event(""), true, 0},
      {"escapes", event(R"(\"\\\n\u00e9\uD83D\uDE00)"), true, 1 + 1 + 1 + 2 + 4},
      {"UTF-8", event("é"), true, 2},
      {"other numbers and padding", event("x", "123456", ""), true, 1},
      {"followed by more", event("x") + "data:", true, 1},
      {"no number", event("x", ""), false},
      {"an escape that JSON has not", event(R"(a\qb)"), false},
      {"an escape with three digits", event(R"(\u00e)"), false},
      {"bytes that are no UTF-8", event("a\x93"), false},
      {"bytes that are no UTF-8, behind eight", event("a long enough one\x93\x93"), false},
      {"a leading zero", event("x", "017"), false},
      {"negative number", event("x", "-1"), false},
      {"fraction", event("x", "1.5"), false},
      {"line end inside the text", event("a\n\nb"), false},
      {"more members", R"(data: {"id":"c","created":17,"choices":[{"delta":{"content":"x"},)",
       false},
      {"text that closes early", event(R"(x"}}],"usage":{},"y":[{"z":{"z":")"), false},
      {"torn inside the text", event("x").substr(0, 60), false},
      {"torn in an escape", event("\\").substr(0, event("").size() - 15), false},
      {"torn before the blank line", event("x").substr(0, event("x").size() - 1), false},
      {"nothing", "", false},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    const DeltaTemplate::Match match = known.match(expected.bytes);
    EXPECT_EQ(match.length != 0, expected.matches);
    if (!expected.matches) continue;
    EXPECT_EQ(match.text_bytes, expected.text_bytes);
    EXPECT_TRUE(std::string_view(expected.bytes).substr(0, match.length).ends_with("\n\n"));
  }
}

TEST(DeltaTemplate, LearnsNothingFromLargeEventsOrOtherValues) {
  DeltaTemplate known = learned();
  json::Document document;
  const std::string big = "{\"a\":\"" + std::string(2 * DeltaTemplate::kBytesMax, 'x') + "\"}";
  ASSERT_TRUE(document.parse(big));
  known.learn(big, 0, document.root()["a"], {});
  EXPECT_TRUE(known.empty());
  EXPECT_EQ(known.match(kEvent).length, 0U);
  known = learned();
  known.learn(kEvent, 0, json::Value(), {});
  EXPECT_TRUE(known.empty());
}

TEST(UnescapedLength, CountsUtf8) {
  EXPECT_EQ(unescaped_length(""), 0);
  EXPECT_EQ(unescaped_length("abc"), 3);
  EXPECT_EQ(unescaped_length(R"(\u0041\u00e9\u20AC\ud83d\ude00\t)"), 1 + 2 + 3 + 4 + 1);
  EXPECT_EQ(unescaped_length(R"(\u07ff\u0800)"), 2 + 3);
  EXPECT_EQ(unescaped_length("a\\"), 1);  // torn text is no reason to read beyond it
  EXPECT_EQ(unescaped_length("\\u1"), 1);
}

}  // namespace
}  // namespace weir::dialect
