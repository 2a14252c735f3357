#include <gtest/gtest.h>

#include "base/json/document.h"
#include "base/json/splice.h"
#include "base/json/writer.h"

namespace weir::json {
namespace {

TEST(Json, SmokeReadEditWrite) {
  const std::string text = R"( {"model": "gpt\n", "n": [1, 2.5, true, null], "o": {}} )";
  Document document;
  const auto parsed = document.parse(text);
  ASSERT_TRUE(parsed) << parsed.error().message();
  const Value root = document.root();
  EXPECT_EQ(root.size(), 3u);
  EXPECT_EQ(root["model"].as_string(), "gpt\n");
  EXPECT_EQ(root["n"].raw(), "[1, 2.5, true, null]");
  std::vector<Edit> edits;
  ObjectEditor(root).set("model", "\"x\"").remove("n").set("new", "1").append_to(edits);
  EXPECT_EQ(splice(text, std::move(edits)), R"( {"model": "x", "o": {},"new":1} )");
  std::string out;
  Writer(out).begin_object().member("a", 1).member("b", "\x01").member("c", true).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":"\u0001","c":true})");
}

}  // namespace
}  // namespace weir::json
