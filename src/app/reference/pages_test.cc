// The pages that are printed from the program's tables, against the files in docs/.
#include "app/reference/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "app/commands.h"
#include "dialect/losses.h"

namespace weir::app {
namespace {

std::string source_file(const std::string& path) {
  std::ifstream in(std::string(WEIR_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(ReferencePages, AreUpToDate) {
  const std::pair<std::string, std::string> pages[] = {
      {"endpoints", endpoints_page()},
      {"dialects", dialect::dialects_markdown()},
      {"metrics", metrics_page()},
      {"admin-api", admin_api_page()},
      {"roles", roles_page()},
      {"commands", commands_page(program())},
      {"fleet-configuration", fleet_configuration_page()},
      {"fleet-api", fleet_api_page()},
      {"fleet-metrics", fleet_metrics_page()},
  };
  for (const auto& [name, text] : pages) {
    EXPECT_EQ(source_file("docs/reference/" + name + ".md"), text)
        << "run: weir reference " << name << " > docs/reference/" << name << ".md";
  }
}

TEST(ReferencePages, TheFailureClassesStandInTheirPage) {
  EXPECT_THAT(source_file("docs/failures.md"), testing::HasSubstr(failure_classes_table()))
      << "run: weir reference failures, and put its table into docs/failures.md";
}

TEST(ReferencePages, EveryMetricHasATypeAndAMeaning) {
  std::stringstream page(metrics_page());
  size_t metrics = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `weir_")) continue;
    ++metrics;
    EXPECT_THAT(line, testing::ContainsRegex("\\| (counter|gauge|histogram) \\|.*\\.\\ \\|$"));
  }
  EXPECT_GT(metrics, 40U);
}

TEST(ReferencePages, SaysHowProvidersServeAnEndpoint) {
  const std::string page = endpoints_page();
  EXPECT_THAT(page, testing::HasSubstr("| `POST /v1/chat/completions` | openai_chat | relayed | "
                                       "relayed | relayed | translated | translated |"));
  EXPECT_THAT(page, testing::HasSubstr("| `POST /v1/messages/count_tokens` | anthropic_messages | "
                                       "translated | estimated |"));
}

}  // namespace
}  // namespace weir::app
