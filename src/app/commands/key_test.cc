#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "access/key_format.h"
#include "app/commands.h"
#include "base/json/document.h"

namespace weir::app {
namespace {

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, Surroundings::empty()};
  const int code = run_command_line(program(), words, terminal);
  return {code, out.str(), err.str()};
}

class KeyCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "weir-key-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Ran key(std::vector<std::string> words) {
    words.insert(words.begin(), "key");
    words.insert(words.end(), {"--data-dir", folder_});
    return run(words);
  }
  // The list as JSON, kept alive here.
  json::Value list(bool all = false) {
    std::vector<std::string> words{"list", "--json"};
    if (all) words.emplace_back("--all");
    text_ = key(words).out;
    EXPECT_TRUE(document_.parse(text_)) << text_;
    return document_.root();
  }

 private:
  std::string folder_;
  std::string text_;
  json::Document document_;
};

TEST_F(KeyCommand, AddsListsRotatesAndRevokes) {
  const Ran added = key({"add", "search", "--model", "gpt-4o", "-m", "claude", "--rpm", "600",
                         "--budget", "50/day", "--tag", "env=prod", "--expires", "2030-01-01"});
  ASSERT_EQ(added.code, kExitDone) << added.err;
  const std::string secret = added.out.substr(0, added.out.size() - 1);
  EXPECT_TRUE(access::is_well_formed(secret)) << secret;
  EXPECT_THAT(added.err, testing::Not(testing::HasSubstr(secret)));

  for (const json::Value item : list().elements()) {
    EXPECT_TRUE(item["name"].equals("search"));
    EXPECT_EQ(item["models"].size(), 2U);
    EXPECT_TRUE(item["expires"].equals("2030-01-01"));
  }
  const Ran listed = key({"list"});
  EXPECT_THAT(listed.out, testing::HasSubstr("rpm=600 budget=50.00/day"));
  EXPECT_THAT(listed.out, testing::Not(testing::HasSubstr(secret)));

  ASSERT_EQ(key({"update", "search", "--rpm", "7", "--clear", "budgets", "--priority", "low",
                 "--model-rpm", "gpt-*=3", "--name", "find", "--owner", "ada"})
                .code,
            kExitDone);
  const Ran changed = key({"list"});
  EXPECT_THAT(changed.out, testing::HasSubstr("find "));
  EXPECT_THAT(changed.out, testing::HasSubstr("rpm=7 expires"));
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"update", "find", "--clear", "all"},
        {"update", "find", "--priority", "urgent"},
        {"update", "find", "--model-rpm", "gpt"},
        {"update", "find", "--rpm", "0"},
        {"update", "nobody", "--rpm", "5"}}) {
    EXPECT_NE(key(wrong).code, kExitDone) << wrong[2];
  }
  EXPECT_EQ(key({"list"}).out, changed.out);
  ASSERT_EQ(key({"update", "find", "--name", "search"}).code, kExitDone);

  const Ran rotated = key({"rotate", "search", "--overlap", "1h"});
  ASSERT_EQ(rotated.code, kExitDone) << rotated.err;
  EXPECT_NE(rotated.out, added.out);

  EXPECT_EQ(key({"revoke", "search"}).code, kExitDone);
  EXPECT_EQ(list().size(), 0U);
  EXPECT_EQ(list(true).size(), 1U);
}

TEST_F(KeyCommand, RefusesWhatItCannotDo) {
  ASSERT_EQ(key({"add", "search"}).code, kExitDone);
  struct Case {
    std::vector<std::string> words;
    std::string_view said;
  };
  for (const Case& c : std::vector<Case>{
           {{"add", "search"}, "search"},
           {{"add", "x", "--rpm", "0"}, "--rpm"},
           {{"add", "x", "--tpm", "many"}, "--tpm"},
           {{"add", "x", "--budget", "50/year"}, "--budget"},
           {{"add", "x", "--budget", "-1"}, "--budget"},
           {{"add", "x", "--expires", "soon"}, "--expires"},
           {{"add", "x", "--tag", "prod"}, "--tag"},
           {{"revoke", "serach"}, "\"search\""},
           {{"rotate", "search", "--overlap", "24"}, "unit"},
       }) {
    const Ran ran = key(c.words);
    EXPECT_EQ(ran.code, kExitFailed) << c.said;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, testing::HasSubstr(std::string(c.said)));
  }
  EXPECT_EQ(list().size(), 1U);
}

TEST(PricesCommand, ShowsShippedRows) {
  const Ran ran = run({"prices", "gpt-4o-mini", "--provider", "openai", "--json"});
  ASSERT_EQ(ran.code, kExitDone) << ran.err;
  json::Document document;
  ASSERT_TRUE(document.parse(ran.out));
  ASSERT_GT(document.root().size(), 0U);
  for (const json::Value row : document.root().elements()) {
    EXPECT_TRUE(row["provider"].equals("openai"));
    EXPECT_TRUE(row["usd_per_million"].is_object());
    EXPECT_NE(row["source"].string_or(""), "");
  }
  EXPECT_THAT(run({"prices", "gpt-4o-mini"}).out, testing::HasSubstr("input="));
  EXPECT_EQ(run({"prices", "no-such-model"}).code, kExitFailed);
}

TEST(PricesCommand, PutsOverridesFirst) {
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{out, err, Surroundings::empty()};
  terminal.surroundings.read_file = [](const std::string&) -> Result<std::string> {
    return "prices:\n- {provider: openai, model: acme-1, location: global,\n"
           "   usd_per_million: {input: 0.000001, output: 2},\n"
           "   context_tiers: [{above_tokens: 9, usd_per_million: {input: 4}}]}\n";
  };
  ASSERT_EQ(run_command_line(program(), {"prices", "-c", "w.yaml", "acme"}, terminal), kExitDone)
      << err.str();
  EXPECT_EQ(out.str(),
            "openai acme-1 location=global: input=0.000001 output=2.00 (more above 9 tokens)\n");
}

TEST_F(KeyCommand, FencesAKeyIn) {
  ASSERT_EQ(key({"add", "search", "--from", "192.0.2.0/24", "--from", "2001:db8::/32", "--endpoint",
                 "embed", "--no-capture"})
                .code,
            0);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"add", "a", "--from", "192.0.2.1/24"},
        std::vector<std::string>{"add", "b", "--endpoint", "chat"}}) {
    EXPECT_EQ(key(words).code, 1);
  }
}

}  // namespace
}  // namespace weir::app
