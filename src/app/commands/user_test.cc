// weir user and weir audit, from the command line to the stores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "base/json/document.h"
#include "identity/password.h"
#include "identity/people_store.h"
#include "store/sqlite.h"

namespace weir::app {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Ran {
  int code;
  std::string out;
  std::string err;
};

class UserCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "weir-user-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Ran run(std::vector<std::string> words, const std::string& typed = {}) {
    words.insert(words.end(), {"--data-dir", folder_});
    std::istringstream in(typed);
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{out, err, Surroundings::empty(), &in};
    const int code = run_command_line(program(), words, terminal);
    return {code, out.str(), err.str()};
  }
  identity::PeopleStore store() {
    auto hasher = access::KeyHasher::open(folder_);
    return std::move(*identity::PeopleStore::open(
        folder_, std::make_shared<access::KeyHasher>(std::move(*hasher))));
  }
  std::string folder_;
};

TEST_F(UserCommand, MakesPeopleWhoCanSignIn) {
  const Ran added =
      run({"user", "add", "ada", "--role", "admin", "--role", "viewer"}, "correct horse battery\n");
  ASSERT_EQ(added.code, kExitDone) << added.err;
  EXPECT_EQ(added.out, "");
  const auto user = store().with_password("ada");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->first.roles, (identity::RoleSet{identity::Role::admin, identity::Role::viewer}));
  EXPECT_TRUE(identity::verify_password(user->second, Secret("correct horse battery")));
  EXPECT_EQ(run({"user", "password", "ada"}, "another long one\r\n").code, kExitDone);
  EXPECT_TRUE(
      identity::verify_password(store().with_password("ada")->second, Secret("another long one")));
  struct Case {
    std::vector<std::string> words;
    const char* typed;
  };
  for (const auto& [words, typed] :
       {Case{{"user", "add", "ada"}, "correct horse battery\n"},
        Case{{"user", "add", "bob"}, "short\n"}, Case{{"user", "add", "bob"}, ""},
        Case{{"user", "add", "b b"}, "correct horse battery\n"},
        Case{{"user", "add", "bob", "--role", "root"}, "x\n"},
        Case{{"user", "password", "eve"}, "correct horse battery\n"},
        Case{{"user", "change", "ada", "--role", "viewer"}, ""},
        Case{{"user", "change", "ada", "--disable"}, ""}, Case{{"user", "remove", "ada"}, ""}}) {
    EXPECT_EQ(run(words, typed).code, kExitFailed) << words[2];
  }
  EXPECT_THAT(run({"user", "remove", "adaa"}).err, HasSubstr("ada"));  // did you mean
}

TEST_F(UserCommand, ServiceAccountsGetTokens) {
  ASSERT_EQ(run({"user", "add", "prometheus", "--service", "--role", "viewer"}).code, kExitDone);
  const Ran made = run({"user", "token", "prometheus", "scrape"});
  ASSERT_EQ(made.code, kExitDone) << made.err;
  const std::string secret = made.out.substr(0, made.out.size() - 1);
  const auto found = store().find_token(secret, SystemClock().wall_ms());
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->second.roles, identity::RoleSet{identity::Role::viewer});
  EXPECT_EQ(run({"user", "token", "prometheus", "more", "--role", "admin"}).code, kExitFailed);
  EXPECT_EQ(run({"user", "token", "prometheus", "old", "--expires", "2020-01-01"}).code,
            kExitFailed);
  EXPECT_EQ(run({"user", "password", "prometheus"}, "correct horse battery\n").code, kExitFailed);
  const Ran listed = run({"user", "list", "--json"});
  json::Document document;
  ASSERT_TRUE(document.parse(listed.out));
  EXPECT_TRUE(document.root().elements().begin() != document.root().elements().end());
  EXPECT_THAT(run({"user", "list"}).out, HasSubstr("prometheus"));
}

TEST_F(UserCommand, EveryChangeIsInTheAuditLogAndTamperingIsFound) {
  ASSERT_EQ(run({"user", "add", "ada", "--role", "admin"}, "correct horse battery\n").code,
            kExitDone);
  const Ran key = run({"key", "add", "search"});
  ASSERT_EQ(key.code, kExitDone);
  ASSERT_EQ(run({"key", "rotate", "search"}).code, kExitDone);
  ASSERT_EQ(run({"key", "revoke", "search"}).code, kExitDone);
  const Ran listed = run({"audit", "list", "--json"});
  EXPECT_THAT(listed.out, HasSubstr(R"("action":"weir user add")"));
  EXPECT_THAT(listed.out, HasSubstr(R"("action":"weir key rotate")"));
  EXPECT_THAT(listed.out, Not(HasSubstr("correct horse")));
  EXPECT_THAT(listed.out, Not(HasSubstr(key.out.substr(0, key.out.size() - 1))));
  EXPECT_THAT(run({"audit", "list", "--action", "key revoke"}).out, HasSubstr("weir key revoke"));
  EXPECT_EQ(run({"audit", "list", "--actor", "nobody at all"}).out, "");

  const Ran good = run({"audit", "verify"});
  ASSERT_EQ(good.code, kExitDone) << good.err;
  EXPECT_THAT(good.out, testing::StartsWith("4:"));
  const std::string anchor = good.out.substr(0, good.out.size() - 1);
  const std::string public_key = folder_ + "/audit.pub";
  std::ofstream(public_key) << run({"audit", "key"}).out;
  EXPECT_EQ(run({"audit", "verify", "--public-key", public_key, "--anchor", anchor}).code,
            kExitDone);
  EXPECT_EQ(run({"audit", "verify", "--anchor", "4:00"}).code, kExitFailed);
  EXPECT_EQ(run({"audit", "verify", "--public-key", folder_ + "/none"}).code, kExitFailed);
  {
    auto connection = store::Connection::open(folder_ + "/audit.db", store::OpenMode::read_write);
    ASSERT_TRUE(connection->execute("UPDATE record SET actor='eve' WHERE number=2"));
  }
  const Ran bad = run({"audit", "verify"});
  EXPECT_EQ(bad.code, kExitFailed);
  EXPECT_THAT(bad.err, HasSubstr("record 2 "));
}

}  // namespace
}  // namespace weir::app
