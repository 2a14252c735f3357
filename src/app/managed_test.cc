// What is managed beside the file: taken in, checked, merged, shown.
#include "app/managed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config/load.h"
#include "store/temporary_directory.h"

namespace weir::app {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kFile = R"(
accounts: [{name: one, provider: openai, api_key: k1}]
models: [{name: m, deployments: [{account: two, model: gpt-4o}]}]
)";

Loaded load(std::string_view file, const std::vector<ManagedItem>& items) {
  Surroundings surroundings = Surroundings::empty();
  surroundings.managed = [&](const Config&) -> Result<std::vector<ManagedItem>> { return items; };
  return load_text(file, surroundings);
}

ManagedItem account(const std::string& name, const std::string& more) {
  return {"accounts", name,
          Secret(R"({"name":")" + name + R"(","provider":"openai",)" + more + "}")};
}

json::Value parse(json::Document& document, std::string_view text) {
  EXPECT_TRUE(document.parse(text)) << text;
  return document.root();
}

TEST(Managed, IsReadBehindTheFile) {
  EXPECT_FALSE(load(kFile, {}).config) << "the model's account is not there";
  const Loaded loaded = load(kFile, {account("two", R"("api_key":"${HOME} and $${x}")")});
  ASSERT_TRUE(loaded.config) << loaded.problems[0].message;
  EXPECT_EQ(loaded.config->accounts[1].api_key.reveal(), "${HOME} and $${x}")
      << "nothing in it stands for anything else";
  const Loaded none = load("", {account("two", R"("api_key":"k","limits":{"rpm":5})")});
  ASSERT_TRUE(none.config);
  EXPECT_EQ(none.config->accounts[0].limits.rpm, 5);
}

TEST(Managed, TheFileComesFirst) {
  const Loaded loaded =
      load(kFile, {account("two", R"("api_key":"k")"), account("one", R"("api_key":"other")")});
  ASSERT_TRUE(loaded.config);
  ASSERT_EQ(loaded.config->accounts.size(), 2U);
  EXPECT_EQ(loaded.config->accounts[0].api_key.reveal(), "k1");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].code, ProblemCode::duplicate_name);
}

TEST(Managed, WhatIsWrongInItIsToldWithoutItsSecrets) {
  const Loaded loaded = load(kFile, {account("two", R"("api_key":["sk-secret"],"limit":1)")});
  ASSERT_FALSE(loaded.config);
  std::string all;
  for (const Problem& problem : loaded.problems) all += to_text(problem, "f") + "\n";
  EXPECT_THAT(all, HasSubstr("accounts[1].limit"));
  EXPECT_THAT(all, Not(HasSubstr("sk-secret")));
}

TEST(Managed, NamesNoFileOfThisMachine) {
  json::Document document;
  for (const char* text :
       {R"({"name":"a","provider":"openai","api_key":"file:/etc/passwd"})",
        R"({"name":"a","headers":{"x":"file:/etc/passwd"}})",
        R"({"name":"a","entra":{"client_secret":"file:/etc/passwd"}})",
        R"({"name":"a","service_account":"/etc/passwd"})",
        R"({"name":"a","credentials_file":"/etc/passwd"})",
        R"({"name":"a","tls":{"ca_file":"/etc/passwd"}})", R"({"provider":"openai"})", "[]"}) {
    EXPECT_FALSE(check_managed("account", parse(document, text))) << text;
  }
  EXPECT_TRUE(check_managed("account", parse(document, R"({"name":"a","api_key":"k"})")));
  EXPECT_FALSE(check_managed("key", parse(document, R"({"name":"a"})")));
}

TEST(Managed, AChangeIsMerged) {
  json::Document before;
  json::Document change;
  EXPECT_EQ(
      merged(parse(before, R"({"a":1,"b":{"c":1,"d":2},"e":[1],"f":"x"})"),
             parse(change, R"({"a":2,"b":{"d":null,"g":3},"e":[2],"f":null,"h":true,"i":null})")),
      R"({"a":2,"b":{"c":1,"g":3},"e":[2],"h":true})");
}

TEST(Managed, IsShownWithoutSecrets) {
  const Loaded loaded =
      load(kFile,
           {account("two", R"("api_key":"sk-secret","headers":{"x-a":"sk-header"},"http2":true)")});
  ASSERT_TRUE(loaded.config);
  const std::string text = shown(*loaded.config, "account", "two");
  EXPECT_THAT(text, Not(HasSubstr("sk-")));
  EXPECT_THAT(text, HasSubstr(R"("http2":true)"));
  EXPECT_EQ(shown(*loaded.config, "account", "three"), "");
  EXPECT_THAT(shown(*loaded.config, "model", "m"), HasSubstr(R"("weight":1)"));
}

TEST(Managed, ThereIsAlwaysAKeyAndOldOnesOpen) {
  const store::TemporaryDirectory directory;
  Secrets secrets;
  auto own = *make_ring(secrets, directory.path());
  auto records = *vault::Records::open(directory.path(), own);
  ASSERT_TRUE(records.put("account", "a", Secret("{}"), 1));
  secrets.key = Secret(std::string(64, 'a'));
  auto ring = *make_ring(secrets, directory.path());
  EXPECT_NE(ring->current(), own->current());
  records.use(ring);
  EXPECT_EQ(records.list()->records.size(), 1U) << "the directory's key opens what it sealed";
  EXPECT_EQ(records.rewrap()->changed, 1U);
  secrets.previous_key = secrets.key;
  secrets.key = Secret(std::string(64, 'b'));
  records.use(*make_ring(secrets, directory.path()));
  EXPECT_EQ(records.list()->records.size(), 1U);
  secrets.key = Secret("too short");
  EXPECT_FALSE(make_ring(secrets, directory.path()));
}

TEST(VaultReferences, StandForAFieldAndAreAskedForOnce) {
  int asked = 0;
  Surroundings surroundings = Surroundings::empty();
  surroundings.vault = [&](const std::string& path, const std::string& field) -> Result<Secret> {
    ++asked;
    if (path != "secret/data/openai") return fail(ErrorCode::not_found, "Vault answered 404");
    return Secret("value of " + field);
  };
  surroundings.managed = [](const Config&) -> Result<std::vector<ManagedItem>> {
    return std::vector<ManagedItem>();
  };
  const auto with = [&](const std::string& reference) {
    return load_text("accounts: [{name: a, provider: openai, api_key: \"" + reference + "\"}]",
                     surroundings);
  };
  const Loaded good = with("${vault:secret/data/openai#api_key}");
  ASSERT_TRUE(good.config);
  EXPECT_EQ(good.config->accounts[0].api_key.reveal(), "value of api_key");
  EXPECT_EQ(asked, 1);
  for (const char* wrong : {"${vault:secret/data/other#api_key}", "${vault:secret/data/openai}",
                            "${vault:#x}", "${vault:secret/data/openai#}"}) {
    const Loaded loaded = with(wrong);
    EXPECT_FALSE(loaded.config) << wrong;
  }
  surroundings.vault = {};
  EXPECT_FALSE(with("${vault:secret/data/openai#api_key}").config);
}

}  // namespace
}  // namespace weir::app
