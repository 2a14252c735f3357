// Where values come from, what changed between two configurations, and the generations on disk.
#include "app/settings.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "app/config/load.h"
#include "app/generations.h"
#include "app/managed.h"
#include "store/temporary_directory.h"

namespace weir::app {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kText = R"(
server:
  listen: 127.0.0.1:9000
accounts:
- name: one
  provider: openai
  api_key: sk-literal
- {name: two, provider: openai, api_key: "${KEY}", endpoint: "${URL}"}
models: [{name: m, deployments: [{account: one, model: gpt-4o}]}]
)";

struct Read {
  Config config;
  std::vector<SettingEntry> settings;
};

Read read(std::string_view text, bool references_as_written = false) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.variable = [](const std::string& name) -> std::optional<std::string> {
    return name == "URL" ? "https://example.com/v1" : "sk-of-the-environment";
  };
  surroundings.managed = [](const Config&) -> Result<std::vector<ManagedItem>> {
    return std::vector<ManagedItem>{
        {"accounts", "three", Secret(R"({"name":"three","provider":"openai","api_key":"sk-3"})")}};
  };
  Loaded loaded = load_text(text, surroundings);
  EXPECT_TRUE(loaded.config) << (loaded.problems.empty() ? "" : loaded.problems[0].message);
  Read made{.config = loaded.config.value_or(Config{}), .settings = {}};
  made.settings = settings_of(made.config,
                              {.file = "weir.yaml",
                               .text = text,
                               .references_as_written = references_as_written,
                               .fingerprint = [](std::string_view secret) {
                                 return "h" + std::to_string(std::hash<std::string_view>()(secret));
                               }});
  return made;
}

const admin::Setting* find(const std::vector<SettingEntry>& settings, std::string_view path) {
  for (const SettingEntry& entry : settings) {
    if (entry.shown.path == path) return &entry.shown;
  }
  return nullptr;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Settings, EveryValueHasItsSource) {
  const Read all = read(kText);
  const struct {
    std::string_view path, value, source;
    bool secret, restart;
  } cases[] = {
      {"server.listen", R"("127.0.0.1:9000")", "file weir.yaml:3", false, true},
      {"admin.listen", R"("127.0.0.1:8081")", "default", false, true},
      {"log.level", R"("info")", "default", false, false},
      {"accounts[one].api_key", R"("<secret>")", "file weir.yaml:7", true, false},
      {"accounts[two].api_key", R"("<secret>")", "environment KEY, file weir.yaml:8", true, false},
      {"accounts[two].endpoint", R"("https://example.com/v1")", "environment URL, file weir.yaml:8",
       false, false},
      {"accounts[three].api_key", R"("<secret>")", "console", true, false},
      {"models[m].deployments[0].model", R"("gpt-4o")", "file weir.yaml:9", false, false},
  };
  for (const auto& c : cases) {
    const admin::Setting* setting = find(all.settings, c.path);
    ASSERT_NE(setting, nullptr) << c.path;
    EXPECT_EQ(setting->value, c.value) << c.path;
    EXPECT_EQ(setting->source, c.source) << c.path;
    EXPECT_EQ(setting->secret, c.secret) << c.path;
    EXPECT_EQ(setting->restart, c.restart) << c.path;
    EXPECT_FALSE(setting->doc.empty()) << c.path;
  }
  for (const SettingEntry& entry : all.settings) {
    EXPECT_THAT(entry.shown.value + entry.compared, Not(HasSubstr("sk-"))) << entry.shown.path;
  }
}

TEST(Settings, ChangesAreToldByPathAndSecretsOnlyThatTheyChanged) {
  const Read before = read(kText);
  EXPECT_TRUE(changes_between(before.settings, read(kText).settings).empty());
  const Read after = read(replaced(replaced(std::string(kText), "sk-literal", "sk-other"), "gpt-4o",
                                   "gpt-5, weight: 2"));
  const auto changes = changes_between(before.settings, after.settings);
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].path, "accounts[one].api_key");
  EXPECT_TRUE(changes[0].secret);
  EXPECT_EQ(changes[0].before, changes[0].after);
  EXPECT_EQ(changes[1].path, "models[m].deployments[0].model");
  EXPECT_EQ(changes[1].before, R"("gpt-4o")");
  EXPECT_EQ(changes[2].path, "models[m].deployments[0].weight");
  // An account more shifts none of the others.
  const Read more = read(replaced(std::string(kText), "accounts:\n",
                                  "accounts:\n- {name: zero, provider: openai, api_key: k}\n"));
  for (const auto& change : changes_between(before.settings, more.settings)) {
    EXPECT_THAT(change.path, HasSubstr("accounts[zero]"));
    EXPECT_TRUE(change.before.empty());
  }
}

TEST(Settings, ATextThatIsOnlyTriedTellsNoVariable) {
  const Read tried = read(kText, true);
  const admin::Setting* endpoint = find(tried.settings, "accounts[two].endpoint");
  ASSERT_NE(endpoint, nullptr);
  EXPECT_EQ(endpoint->value, R"("${URL}")");
  EXPECT_TRUE(changes_between(read(kText).settings, tried.settings).empty())
      << "it is the same value all the same";
}

class GenerationsTest : public testing::Test {
 protected:
  GenerationsTest()
      : ring_(*make_ring({}, directory_.path())),
        generations_(*Generations::open(directory_.path())) {}
  void add(const std::string& mark, std::string_view text, vault::KeyRing* ring) {
    const auto done = generations_.add(
        {.time_ms = 5, .by = "ada", .why = "why", .mark = mark}, read(text).settings,
        {.file = Secret(std::string(text)),
         .managed = {{"accounts", "three", Secret(R"({"name":"three","api_key":"sk-3"})")}}},
        ring);
    ASSERT_TRUE(done) << done.error().message();
  }
  void add(const std::string& mark, std::string_view text) { add(mark, text, ring_.get()); }

  store::TemporaryDirectory directory_;
  std::shared_ptr<vault::KeyRing> ring_;
  Generations generations_;
};

TEST_F(GenerationsTest, AreKeptWithWhatTheyChangedAndTheirText) {
  add("a", kText);
  add("a", kText);
  add("b", replaced(std::string(kText), "gpt-4o", "gpt-5"));
  const auto list = *generations_.list();
  ASSERT_EQ(list.size(), 2U) << "the same one again is no new one";
  EXPECT_TRUE(list[0].running);
  EXPECT_EQ(list[0].changes, 1);
  EXPECT_EQ(list[1].changes, 0);
  EXPECT_TRUE(list[1].kept);
  const auto text = generations_.text(list[1].id, *ring_);
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(text->file.reveal(), kText);
  ASSERT_EQ(text->managed.size(), 1U);
  EXPECT_EQ(text->managed[0].text.reveal(), R"({"name":"three","api_key":"sk-3"})");
  EXPECT_EQ(*generations_.before(list[0].id), list[1].id);
  EXPECT_EQ(*generations_.before(list[1].id), std::nullopt);
  const auto changes =
      changes_between(*generations_.settings(list[1].id), *generations_.settings(list[0].id));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].path, "models[m].deployments[0].model");
  EXPECT_EQ(generations_.text(99, *ring_).error().code(), ErrorCode::not_found);
}

TEST_F(GenerationsTest, NoSecretLiesOpenOnTheDisk) {
  add("a", kText);
  ASSERT_TRUE(generations_.list());
  for (const auto& file : std::filesystem::directory_iterator(directory_.path())) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(bytes.find("sk-literal"), std::string::npos) << file.path();
    EXPECT_EQ(bytes.find("sk-3"), std::string::npos) << file.path();
    EXPECT_EQ(bytes.find("sk-of-the-environment"), std::string::npos) << file.path();
  }
}

TEST_F(GenerationsTest, WithoutAKeyTheChangeIsKeptAndNotTheText) {
  add("a", kText, nullptr);
  EXPECT_FALSE(generations_.list()->front().kept);
  EXPECT_EQ(generations_.text(1, *ring_).error().code(), ErrorCode::invalid_argument);
}

TEST_F(GenerationsTest, AreBounded) {
  for (size_t i = 0; i < Generations::kKeptMax + 2; ++i) add(std::to_string(i), kText);
  EXPECT_EQ(generations_.list()->size(), Generations::kKeptMax);
  EXPECT_EQ(generations_.list()->front().id, Generations::kKeptMax + 2);
}

TEST_F(GenerationsTest, AnotherKeyTakesThemOver) {
  add("a", kText);
  Secrets secrets;
  secrets.key = Secret(std::string(64, 'a'));
  const auto next = *make_ring(secrets, directory_.path());
  EXPECT_EQ(*generations_.rewrap(*next), 1U);
  EXPECT_EQ(*generations_.rewrap(*next), 0U);
  EXPECT_TRUE(generations_.text(1, *next));
  EXPECT_FALSE(generations_.text(1, *ring_)) << "sealed under a key that this ring has not";
}

TEST_F(GenerationsTest, WhatWasGoneBackToIsRemembered) {
  EXPECT_EQ(*generations_.overriding(), std::nullopt);
  ASSERT_TRUE(generations_.set_override({.generation = 3, .since_ms = 4, .file_mark = "m"}));
  Generations other = *Generations::open(directory_.path());
  const auto kept = *other.overriding();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->generation, 3);
  EXPECT_EQ(kept->file_mark, "m");
  ASSERT_TRUE(other.clear_override());
  EXPECT_EQ(*generations_.overriding(), std::nullopt);
}

}  // namespace
}  // namespace weir::app
