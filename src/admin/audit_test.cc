// What the admin API writes into the audit log, and how it is read there.
#include <gmock/gmock.h>

#include "admin/routes.h"
#include "admin/test_admin.h"
#include "store/sqlite.h"

namespace weir::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

class AuditApiTest : public AdminTest {
 protected:
  // The newest record.
  identity::AuditRecord last() {
    auto records = process_.audit().list({.limit = 1});
    if (!records || records->empty()) return {};
    return records->front();
  }
};

TEST_F(AuditApiTest, EveryChangeIsARecordWithBeforeAndAfterAndWithoutSecrets) {
  const std::string id = make(R"({"name":"search","limits":{"rpm":10}})");
  EXPECT_EQ(last().action, "POST /api/v1/keys");
  EXPECT_EQ(last().actor, "this machine");
  EXPECT_EQ(last().actor_kind, "local");
  EXPECT_EQ(last().object, id);
  EXPECT_EQ(last().status, 201);
  EXPECT_EQ(last().before, "");
  EXPECT_THAT(last().after, HasSubstr(R"("rpm":10)"));
  EXPECT_THAT(last().after, Not(HasSubstr(key_)));
  const auto rotated = ask("POST", "/api/v1/keys/" + id + "/rotate", R"({"overlap_s":60})");
  EXPECT_EQ(last().action, "POST /api/v1/keys/{id}/rotate");
  EXPECT_NE(last().before, last().after);
  EXPECT_THAT(last().before + last().after, Not(HasSubstr(rotated->root()["key"].string_or("?"))));
  ask("DELETE", "/api/v1/keys/" + id);
  EXPECT_EQ(last().action, "DELETE /api/v1/keys/{id}");
  EXPECT_THAT(last().before, HasSubstr(R"("name":"search")"));
  ask("POST", "/api/v1/reload");
  EXPECT_EQ(last().action, "POST /api/v1/reload");
  // What was refused is a record too; what only reads is none.
  ask("DELETE", "/api/v1/keys/none");
  EXPECT_EQ(last().status, 404);
  EXPECT_EQ(last().object, "none");
  const int64_t number = last().number;
  EXPECT_EQ(number, 5);
  ask("GET", "/api/v1/keys");
  EXPECT_EQ(last().number, number);
}

TEST_F(AuditApiTest, PeopleAreNamedAndPasswordsAreNot) {
  ask("POST", "/api/v1/users",
      R"({"name":"ada","roles":["admin"],"password":"correct horse battery"})");
  EXPECT_THAT(last().after, HasSubstr(R"("roles":["admin"])"));
  EXPECT_THAT(last().after, Not(HasSubstr("correct horse")));
  EXPECT_THAT(last().after, Not(HasSubstr("argon")));
  const int64_t number = last().number;
  // Who is nobody fills no audit log.
  EXPECT_EQ(ask("POST", "/api/v1/sign_in", R"({"name":"ada","password":"wrong"})")->status, 401);
  EXPECT_EQ(ask("POST", "/api/v1/reload")->status, 401);
  EXPECT_EQ(last().number, number);
  const auto in =
      ask("POST", "/api/v1/sign_in", R"({"name":"ada","password":"correct horse battery"})");
  ASSERT_EQ(in->status, 200) << in->body;
  EXPECT_EQ(last().action, "POST /api/v1/sign_in");
  EXPECT_EQ(last().actor, "ada");
  const size_t from = in->head.find("set-cookie: ") + 12;
  const std::string headers = fmt::format("cookie: {}\r\nx-weir-csrf: {}\r\n",
                                          in->head.substr(from, in->head.find(';', from) - from),
                                          in->root()["csrf"].string_or(""));
  const auto token = ask("POST", "/api/v1/me/tokens", R"({"name":"ci"})", headers);
  EXPECT_EQ(last().actor, "ada");
  EXPECT_EQ(last().actor_kind, "session");
  EXPECT_THAT(last().after, HasSubstr(R"("name":"ci")"));
  EXPECT_THAT(last().after, Not(HasSubstr(token->root()["token"].string_or("?"))));
  const std::string bearer =
      fmt::format("authorization: Bearer {}\r\n", token->root()["token"].string_or(""));
  const std::string user = in->root()["user"]["id"].string_or("");
  EXPECT_EQ(ask("PATCH", "/api/v1/users/" + user, R"({"display":"Ada"})", bearer)->status, 200);
  EXPECT_EQ(last().actor_kind, "token");
  EXPECT_THAT(last().before, HasSubstr(R"("display":"")"));
  EXPECT_THAT(last().after, HasSubstr(R"("display":"Ada")"));

  const auto listed = ask("GET", "/api/v1/audit?actor=ada&limit=2", {}, bearer);
  ASSERT_EQ(listed->status, 200) << listed->body;
  EXPECT_EQ(listed->root()["records"].size(), 2U);
  EXPECT_EQ(listed->root()["next"].as_int64(), last().number - 1);
  for (const auto record : listed->root()["records"].elements()) {
    EXPECT_TRUE(record["after"].is_object());
  }
  const auto rest =
      ask("GET", fmt::format("/api/v1/audit?actor=ada&before={}", last().number - 1), {}, bearer);
  EXPECT_EQ(rest->root()["records"].size(), 1U);
  EXPECT_TRUE(rest->root()["next"].is_null());
  EXPECT_EQ(ask("GET", "/api/v1/audit?action=/users", {}, bearer)->root()["records"].size(), 2U);
  for (const char* query : {"limit=0", "limit=1001", "before=x", "since=-1"}) {
    EXPECT_EQ(ask("GET", fmt::format("/api/v1/audit?{}", query), {}, bearer)->status, 400) << query;
  }
}

TEST_F(AuditApiTest, TheHeadIsAnAnchorForVerification) {
  ask("POST", "/api/v1/reload");
  const auto head = ask("GET", "/api/v1/audit/head");
  const auto key = identity::AuditKey::from_public_pem(head->root()["public_key"].string_or(""));
  ASSERT_TRUE(key) << key.error().message();
  const auto anchor = identity::parse_anchor(head->root()["anchor"].string_or(""));
  ASSERT_TRUE(anchor);
  ask("POST", "/api/v1/reload");
  const auto report = identity::AuditLog::verify(process_.folder(), *key, *anchor);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->problems.empty());
  EXPECT_EQ(report->records, 2);
}

TEST_F(AuditApiTest, AChangeThatCouldNotBeRecordedIsNotMade) {
  ask("POST", "/api/v1/users",
      R"({"name":"ada","roles":["admin"],"password":"correct horse battery"})");
  const auto in =
      ask("POST", "/api/v1/sign_in", R"({"name":"ada","password":"correct horse battery"})");
  const size_t from = in->head.find("set-cookie: ") + 12;
  const std::string headers = fmt::format("cookie: {}\r\nx-weir-csrf: {}\r\n",
                                          in->head.substr(from, in->head.find(';', from) - from),
                                          in->root()["csrf"].string_or(""));
  auto connection =
      store::Connection::open(process_.folder() + "/audit.db", store::OpenMode::read_write);
  ASSERT_TRUE(connection->execute("ALTER TABLE record RENAME TO away"));
  const int reloads = process_.reloads;
  const auto refused = ask("POST", "/api/v1/reload", {}, headers);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->root()["error"]["code"].string_or(""), "audit_unwritable");
  EXPECT_EQ(process_.reloads, reloads);
  EXPECT_EQ(ask("POST", "/api/v1/keys", R"({"name":"k"})", headers)->status, 503);
  EXPECT_TRUE(process_.keys().list(true)->empty());
  EXPECT_EQ(process_.audit().failed(), 2U);
  EXPECT_THAT(ask("GET", "/metrics", {}, headers)->body, HasSubstr("weir_audit_failures_total 2"));
  // Who looks into it must get in.
  EXPECT_EQ(ask("POST", "/api/v1/sign_in", R"({"name":"ada","password":"correct horse battery"})")
                ->status,
            200);
  ASSERT_TRUE(connection->execute("ALTER TABLE away RENAME TO record"));
  EXPECT_EQ(ask("POST", "/api/v1/reload", {}, headers)->status, 200);
}

// By admin.oidc the listener may be reached without a token.
TEST_F(AuditApiTest, WhereOthersCanReachItBeingOnThisMachineIsNoProof) {
  EXPECT_EQ(ask("GET", "/api/v1/keys")->status, 200);
  server_.set_reachable(true);
  EXPECT_EQ(ask("GET", "/api/v1/keys")->status, 401);
  EXPECT_EQ(ask("POST", "/api/v1/keys", R"({"name":"k"})")->status, 401);
  EXPECT_NE(ask("GET", "/api/v1/sign_in")->status, 401);
}

TEST_F(AuditApiTest, WhatPeopleWroteIsNotShownWhereThatCannotBeRecorded) {
  ledger::RequestRow captured = process_.row(SystemClock().wall_ms());
  const std::string id = captured.id.to_text();
  captured.capture = std::make_unique<ledger::Capture>();
  captured.capture->request = "zebra";
  captured.captured = true;
  process_.write(std::move(captured));
  EXPECT_THAT(ask("GET", "/api/v1/requests/" + id)->body, HasSubstr("zebra"));
  auto connection =
      store::Connection::open(process_.folder() + "/audit.db", store::OpenMode::read_write);
  ASSERT_TRUE(connection->execute("DROP TABLE record"));
  const auto refused = ask("GET", "/api/v1/requests/" + id);
  EXPECT_EQ(refused->status, 503);
  EXPECT_THAT(refused->body, Not(HasSubstr("zebra")));
}

TEST_F(AuditApiTest, ReadingWhatPeopleWroteIsARecord) {
  ledger::RequestRow row = process_.row(SystemClock().wall_ms());
  const std::string plain = "/api/v1/requests/" + row.id.to_text();
  process_.write(std::move(row));
  ledger::RequestRow captured = process_.row(SystemClock().wall_ms());
  const std::string id = captured.id.to_text();
  captured.capture = std::make_unique<ledger::Capture>();
  captured.capture->request = "{}";
  captured.captured = true;
  process_.write(std::move(captured));
  ask("GET", plain);
  EXPECT_EQ(last().number, 0);
  ask("GET", "/api/v1/requests/" + id);
  EXPECT_EQ(last().action, "GET /api/v1/requests/{id}");
  EXPECT_EQ(last().object, id);
}

}  // namespace
}  // namespace weir::admin
