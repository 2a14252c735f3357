#include "dialect/strict_schema.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::dialect {
namespace {

TEST(StrictSchema, EveryObjectClosedAndEveryPropertyRequired) {
  struct Row {
    const char* schema;
    bool fits;
  };
  const Row rows[] = {
      {R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],)"
       R"("additionalProperties":false})",
       true},
      {R"({"type":"object","properties":{},"additionalProperties":false})", true},
      {R"({"type":"object","properties":{"a":{}},"additionalProperties":false})", false},
      {R"({"type":"object","properties":{"a":{}},"required":["a"]})", false},
      {R"({"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":true})",
       false},
      {R"({"type":["object","null"],"properties":{}})", false},
      {R"({"type":"array","items":{"type":"object"}})", false},
      {R"({"anyOf":[{"type":"string"},{"type":"object"}]})", false},
      {R"({"oneOf":[{"type":"string"}]})", false},
      {R"({"$ref":"#/$defs/x","$defs":{"x":{"type":"object"}}})", false},
      {R"({"$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}})", true},
      {"[]", false},
      {"no JSON", false},
  };
  for (const Row& row : rows) EXPECT_EQ(fits_openai_strict(row.schema), row.fits) << row.schema;
}

}  // namespace
}  // namespace weir::dialect
