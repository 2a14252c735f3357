#include "sim/schema_instance.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

std::string instance(std::string_view schema) {
  json::Document document;
  EXPECT_TRUE(document.parse(schema)) << schema;
  return schema_instance(document.root());
}

TEST(SchemaInstance, MinimalValues) {
  struct Case {
    std::string_view schema;
    std::string_view expected;
  };
  for (
      const Case& c : {
          Case{R"({"type":"string"})", R"("text")"},
          Case{
              R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}})",
              R"({"city":"city","days":1})"},
          Case{R"({"type":"OBJECT","properties":{"ok":{"type":"BOOLEAN"}}})", R"({"ok":true})"},
          Case{R"({"type":"array","items":{"type":"number"},"minItems":2})", "[1,1]"},
          Case{R"({"enum":["red","blue"]})", R"("red")"},
          Case{R"({"const":7})", "7"},
          Case{R"({"type":["null","integer"],"minimum":5})", "5"},
          Case{R"({"type":"integer","maximum":-3})", "-3"},
          Case{R"({"anyOf":[{"type":"boolean"},{"type":"null"}]})", "true"},
          Case{R"({"type":"string","format":"date"})", R"("2026-01-02")"},
          Case{R"({"properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"null"}}})",
               R"({"a":null})"},
          Case{R"({"type":"string","minLength":6})", R"("textxx")"},
          Case{"{}", R"("text")"},
      }) {
    EXPECT_EQ(instance(c.schema), c.expected) << c.schema;
  }
}

TEST(SchemaInstance, RecursionEnds) {
  const std::string text = instance(
      R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"left":{"$ref":"#/$defs/node"},"right":{"$ref":"#/$defs/node"}}}}})");
  json::Document document;
  EXPECT_TRUE(document.parse(text));
  EXPECT_LT(text.size(), size_t{1} << 20);
}

}  // namespace
}  // namespace weir::sim
