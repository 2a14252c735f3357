// Settings, generations, health and the test of an account by the admin API.
#include <gmock/gmock.h>

#include "admin/test_admin.h"

namespace weir::admin {
namespace {

using testing::HasSubstr;

TEST_F(AdminTest, SettingsTellSectionsAndSources) {
  const auto answer = ask("GET", "/api/v1/settings");
  ASSERT_EQ(answer->status, 200);
  const json::Value first = element(answer->root()["items"], 0);
  EXPECT_EQ(first["section"].string_or(""), "server");
  EXPECT_EQ(first["value"].string_or(""), "127.0.0.1:8080");
  EXPECT_EQ(first["source"].string_or(""), "default");
  EXPECT_EQ(first["restart"].as_bool(), true);
}

TEST_F(AdminTest, AnotherTextIsTriedAndItsProblemsHaveLines) {
  const auto broken = ask("POST", "/api/v1/settings/check", R"({"text":"broken"})");
  ASSERT_EQ(broken->status, 200) << broken->body;
  EXPECT_EQ(broken->root()["ok"].as_bool(), false);
  EXPECT_EQ(element(broken->root()["problems"], 0)["line"].as_int64(), 7);
  const auto good = ask("POST", "/api/v1/settings/check", R"({"text":"x"})");
  const json::Value change = element(good->root()["changes"], 0);
  EXPECT_TRUE(change["before"].is_null());
  EXPECT_EQ(change["after"].string_or(""), "debug");
  EXPECT_EQ(change["change"].string_or(""), "added");
  EXPECT_EQ(ask("POST", "/api/v1/settings/check", "{}")->status, 400);
  EXPECT_EQ(ask("POST", "/api/v1/settings/check", R"({"text":"x","apply":true})")->status, 400);
}

TEST_F(AdminTest, BodiesOfMoreThanAMebibyteAreForUploadsOnly) {
  const std::string large = fmt::format(R"({{"text":"{}"}})", std::string(2 << 20, '#'));
  EXPECT_EQ(ask("POST", "/api/v1/settings/check", large)->status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/keys", large)->status, 413);
}

TEST_F(AdminTest, GenerationsAreListedComparedAndGoneBackTo) {
  const auto list = ask("GET", "/api/v1/generations");
  ASSERT_EQ(list->status, 200);
  EXPECT_EQ(element(list->root()["items"], 0)["id"].string_or(""), "2");
  EXPECT_TRUE(list->root()["rolled_back"].is_null());
  const auto path_of = [this](std::string_view query) {
    const auto diff = ask("GET", fmt::format("/api/v1/generations/2/diff{}", query));
    return element(diff->root()["changes"], 0)["path"].string_or("");
  };
  EXPECT_EQ(path_of(""), "to.before");
  EXPECT_EQ(path_of("?against=running"), "to.running");
  EXPECT_EQ(ask("GET", "/api/v1/generations/2/diff?against=x")->status, 400);
  EXPECT_EQ(ask("GET", "/api/v1/generations/9/diff")->status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/generations/x/diff")->status, 404);
  EXPECT_EQ(ask("POST", "/api/v1/generations/9/rollback")->status, 404);
  EXPECT_EQ(ask("POST", "/api/v1/generations/1/rollback")->status, 200);
  EXPECT_EQ(process_.last_by, "this machine");
  EXPECT_THAT(ask("GET", "/api/v1/status")->body,
              HasSubstr(R"("rolled_back":{"generation":"1","since_ms":5})"));
  EXPECT_THAT(ask("GET", "/api/v1/audit?action=/rollback")->body, HasSubstr(R"("object":"1")"));
}

TEST_F(AdminTest, HealthSaysWhatIsWrongAndWhatToDo) {
  EXPECT_EQ(ask("GET", "/api/v1/health")->root()["ok"].as_bool(), true);
  process_.disk_seen = {.writable = false, .problem = "/data cannot be written: Read-only"};
  process_.errors = {{.what = "reload_failed", .message = "line 3", .time_ms = 7, .times = 1}};
  const auto answer = ask("GET", "/api/v1/health");
  EXPECT_EQ(answer->root()["ok"].as_bool(), false);
  const json::Value first = element(answer->root()["problems"], 0);
  EXPECT_EQ(first["what"].string_or(""), "disk_unwritable");
  EXPECT_THAT(first["message"].string_or(""), HasSubstr("Read-only"));
  EXPECT_FALSE(first["todo"].string_or("").empty());
  EXPECT_EQ(element(answer->root()["problems"], 1)["what"].string_or(""), "reload_failed");
  process_.disk_seen = {.free_bytes = 1'000'000, .total_bytes = 9'000'000'000};
  process_.errors.clear();
  const auto low = ask("GET", "/api/v1/health");
  EXPECT_EQ(low->root()["ok"].as_bool(), true);
  EXPECT_EQ(element(low->root()["problems"], 0)["what"].string_or(""), "disk_low");
  for (const json::Value item : low->root()["items"].elements()) {
    EXPECT_FALSE(item["name"].string_or("").empty());
    EXPECT_TRUE(item["dropped"].is_number());
  }
}

TEST_F(AdminTest, AnAccountIsTestedByItsListOrByACallOfAModel) {
  ASSERT_EQ(ask("POST", "/api/v1/accounts", R"({"name":"a"})")->status, 201);
  const auto listed = ask("POST", "/api/v1/accounts/a/test");
  EXPECT_EQ(listed->root()["request"].string_or("x"), "");
  const auto called = ask("POST", "/api/v1/accounts/a/test", R"({"model":"gpt-4o-mini"})");
  ASSERT_EQ(called->status, 200) << called->body;
  EXPECT_EQ(called->root()["cost_usd"].string_or(""), "0.00003");
  EXPECT_EQ(called->root()["request"].string_or(""), "req_1");
  EXPECT_EQ(ask("POST", "/api/v1/accounts/a/test", R"({"modle":"x"})")->status, 400);
  EXPECT_EQ(ask("POST", "/api/v1/accounts/b/test", R"({"model":"x"})")->status, 404);
  EXPECT_THAT(ask("GET", "/api/v1/audit?action=/test")->body, HasSubstr("gpt-4o-mini"));
}

}  // namespace
}  // namespace weir::admin
