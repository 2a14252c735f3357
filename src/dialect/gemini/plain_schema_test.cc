#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"
#include "dialect/gemini/gemini.h"

namespace weir::dialect::gemini {
namespace {

using testing::canonical;

TEST(PlainSchema, ReferencesAreWrittenOut) {
  struct Row {
    const char* what;
    std::string schema;
    std::string plain;
  };
  const Row rows[] = {
      {"nothing to do", R"({"type":"object","properties":{"a":{"type":"string","pattern":"x"}}})",
       R"({"type":"object","properties":{"a":{"type":"string","pattern":"x"}}})"},
      {"definitions",
       R"({"$schema":"s","type":"object","properties":{"a":{"$ref":"#/$defs/A"},)"
       R"("b":{"type":"array","items":{"$ref":"#/$defs/A"}}},"$defs":{"A":{"type":"string"}}})",
       R"({"type":"object","properties":{"a":{"type":"string"},)"
       R"("b":{"type":"array","items":{"type":"string"}}}})"},
      {"what stands beside wins",
       R"({"properties":{"a":{"$ref":"#/definitions/A","description":"mine"}},)"
       R"("definitions":{"A":{"type":"string","description":"its"}}})",
       R"({"properties":{"a":{"description":"mine","type":"string"}}})"},
      {"a reference to a reference",
       R"({"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$ref":"#/$defs/B"},)"
       R"("B":{"type":"integer"}}})",
       R"({"properties":{"a":{"type":"integer"}}})"},
      {"any place in the document, escaped names",
       R"({"properties":{"x/y":{"type":"object"},"b":{"$ref":"#/properties/x~1y"}}})",
       R"({"properties":{"x/y":{"type":"object"},"b":{"type":"object"}}})"},
      {"circular ones stay, with their definitions",
       R"({"properties":{"n":{"$ref":"#/$defs/N"}},)"
       R"("$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}}})",
       R"({"properties":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}},)"
       R"("$defs":{"N":{"type":"object","properties":{"next":{"type":"object","properties":)"
       R"({"next":{"$ref":"#/$defs/N"}}}}}}})"},
      {"ones that point nowhere stay", R"({"items":{"$ref":"https://x/y"}})",
       R"({"items":{"$ref":"https://x/y"}})"},
      {"const", R"({"properties":{"k":{"const":"v"},"const":{"type":"null"}}})",
       R"({"properties":{"k":{"enum":["v"]},"const":{"type":"null"}}})"},
      {"no object", "true", "true"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(canonical(plain_schema(row.schema)), canonical(row.plain)) << row.what;
  }
}

// Each definition names the next one twice: written out, it would be larger than memory.
TEST(PlainSchema, WhatWouldExplodeStaysAsItIs) {
  std::string schema = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + "\"}";
    schema += "\"d" + std::to_string(i) + R"(":{"anyOf":[)" + next + "," + next + "]},";
  }
  schema += R"("d40":{"type":"string"}}})";
  EXPECT_EQ(plain_schema(schema), schema);
}

}  // namespace
}  // namespace weir::dialect::gemini
