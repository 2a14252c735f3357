#include "app/config/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <sstream>
#include <string>

#include "app/config/config.h"
#include "app/config/schema.h"
#include "app/config/test_files.h"
#include "base/json/document.h"

namespace weir::app {
namespace {

// Every field of every table: its table's path, its own path, and the field.
void each_field(const std::function<void(const std::string&, const FieldSpec&)>& visit) {
  const std::function<void(const ObjectSpec&, const std::string&)> walk =
      [&](const ObjectSpec& spec, const std::string& path) {
        for (const FieldSpec& field : spec.fields) {
          visit(path, field);
          if (field.object == nullptr) continue;
          const std::string suffix = field.kind == FieldKind::object_list ? "[]" : "";
          walk(*field.object, (path.empty() ? "" : path + ".") + std::string(field.name) + suffix);
        }
      };
  walk(config_spec(), "");
}

TEST(ConfigReference, ThePageIsUpToDate) {
  EXPECT_EQ(read_source_file("docs/reference/configuration.md"), reference_markdown())
      << "run: weir config reference > docs/reference/configuration.md";
}

TEST(ConfigReference, TheSchemaIsUpToDate) {
  EXPECT_EQ(read_source_file("docs/reference/weir.schema.json"), json_schema())
      << "run: weir config schema > docs/reference/weir.schema.json";
}

TEST(ConfigReference, EveryFieldIsOnThePageUnderItsObject) {
  const std::string page = reference_markdown();
  size_t fields = 0;
  each_field([&](const std::string& path, const FieldSpec& field) {
    ++fields;
    const std::string heading = path.empty() ? "\n## Top level\n" : "\n## `" + path + "`\n";
    const size_t begin = page.find(heading);
    ASSERT_NE(begin, std::string::npos) << heading;
    const size_t end = page.find("\n## ", begin + 1);
    const std::string section = page.substr(begin, end - begin);
    EXPECT_THAT(section, testing::HasSubstr("| `" + std::string(field.name) + "` |")) << path;
    EXPECT_THAT(section, testing::HasSubstr(std::string(field.doc))) << path;
  });
  EXPECT_GT(fields, 100U);
}

TEST(ConfigReference, EveryFieldIsInTheSchema) {
  const std::string text = json_schema();
  json::Document document;
  ASSERT_TRUE(document.parse(text));
  each_field([&](const std::string& path, const FieldSpec& field) {
    json::Value at = document.root();
    std::stringstream steps(path);
    for (std::string step; std::getline(steps, step, '.');) {
      const bool list = step.ends_with("[]");
      if (list) step.resize(step.size() - 2);
      at = at["properties"][step];
      if (list) at = at["items"];
    }
    const json::Value property = at["properties"][field.name];
    ASSERT_TRUE(property) << path << "." << field.name;
    EXPECT_EQ(property["description"].string_or(""), field.doc);
    EXPECT_FALSE(*at["additionalProperties"].as_bool()) << path;
  });
}

TEST(ConfigReference, DocumentedSentencesAreSentences) {
  each_field([&](const std::string& path, const FieldSpec& field) {
    SCOPED_TRACE(path + "." + std::string(field.name));
    EXPECT_TRUE(field.doc.ends_with('.')) << field.doc;
    EXPECT_EQ(field.doc.find('|'), std::string_view::npos);
    for (const char c : field.name) {
      EXPECT_TRUE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') << field.name;
    }
  });
}

TEST(ConfigReference, NoFieldIsTwiceInATable) {
  std::set<std::string> seen;
  each_field([&](const std::string& path, const FieldSpec& field) {
    EXPECT_TRUE(seen.insert(path + "." + std::string(field.name)).second) << path << field.name;
  });
}

TEST(ConfigReference, ExplainsAFieldByItsPath) {
  EXPECT_THAT(explain_field("models.retries.budget"),
              testing::AllOf(testing::HasSubstr("models[].retries.budget"),
                             testing::HasSubstr("from `defaults.retries.budget`")));
  EXPECT_THAT(explain_field("models[3].timeouts"), testing::HasSubstr("first_token"));
  EXPECT_THAT(explain_field("server.listen"), testing::HasSubstr("127.0.0.1:8080"));
  for (const char* path : {"", ".", "server.nope", "server.listen.x", "nope"}) {
    EXPECT_EQ(explain_field(path), "") << path;
  }
}

}  // namespace
}  // namespace weir::app
