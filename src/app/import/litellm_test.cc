#include "app/import/litellm.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "app/config/load.h"

namespace weir::app {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(WEIR_SOURCE_DIR) / "src/app/import/testdata";

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  constexpr std::string_view kEnding = ".litellm.yaml";
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(kEnding)) names.push_back(name.substr(0, name.size() - kEnding.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// NAME.litellm.yaml becomes NAME.weir.yaml and NAME.notes.txt. With WEIR_UPDATE_GOLDEN set, the
// two are written instead of compared.
class LiteLlmGolden : public testing::TestWithParam<std::string> {};

TEST_P(LiteLlmGolden, BecomesWhatIsRecorded) {
  const std::string name = GetParam();
  const auto imported =
      import_litellm(read_text(kFolder / (name + ".litellm.yaml")), name + ".litellm.yaml");
  ASSERT_TRUE(imported) << imported.error().message();
  std::string notes;
  for (const ImportNote& note : imported->notes) {
    notes += fmt::format("{}: {}: {}\n", note.line, note.path, note.message);
  }
  if (std::getenv("WEIR_UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    std::ofstream(kFolder / (name + ".weir.yaml")) << imported->yaml;
    std::ofstream(kFolder / (name + ".notes.txt")) << notes;
    GTEST_SKIP() << "written, not compared";
  }
  EXPECT_EQ(imported->yaml, read_text(kFolder / (name + ".weir.yaml")));
  EXPECT_EQ(notes, read_text(kFolder / (name + ".notes.txt")));
}

// What is written is valid, but for what a note says is to be finished.
TEST_P(LiteLlmGolden, PassesTheCheck) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [](const std::string& name) { return "https://" + name + ".example"; };
  surroundings.read_file = [](const std::string&) -> Result<std::string> { return "{}"; };
  const std::string notes = read_text(kFolder / (GetParam() + ".notes.txt"));
  const Loaded loaded = load_text(read_text(kFolder / (GetParam() + ".weir.yaml")), surroundings);
  for (const Problem& problem : loaded.problems) {
    if (problem.severity == Severity::warning) continue;
    EXPECT_THAT(notes, testing::HasSubstr(problem.path + ": to be finished"))
        << to_text(problem, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Files, LiteLlmGolden, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param; });

TEST(LiteLlmImport, RefusesWhatIsNoLiteLlmFile) {
  for (const char* text : {"", "a: [", "models: []", "model_list: 1", "- a"}) {
    const auto imported = import_litellm(text, "config.yaml");
    ASSERT_FALSE(imported) << text;
    EXPECT_EQ(imported.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(LiteLlmImport, TakesAnyShapeOfItsSections) {
  for (const char* text :
       {"model_list: []", "model_list: [1, [], {}]\nlitellm_settings: x\nrouter_settings: [1]",
        "model_list: [{model_name: [], litellm_params: {model: {}}}]",
        "model_list: [{model_name: a, litellm_params: {model: openai/}}]",
        "model_list: [{model_name: a, litellm_params: {model: /}}]",
        "model_list: []\nrouter_settings: {fallbacks: x, model_group_alias: [], timeout: []}",
        "model_list: []\ncredential_list: [1, {credential_name: a}]"}) {
    EXPECT_TRUE(import_litellm(text, "config.yaml")) << text;
  }
}

}  // namespace
}  // namespace weir::app
