// Jobs by the admin API: started, cancelled, fetched and forgotten, and by whom.
#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "admin/jobs_json.h"
#include "admin/test_admin.h"

namespace weir::admin {
namespace {

using identity::Role;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kExport = R"({"kind":"export","from":"2026-11-01","to":"2026-12-01"})";

class JobsTest : public AdminTest {
 protected:
  std::string start(std::string_view body = kExport) {
    const auto answer = ask("POST", "/api/v1/jobs", body);
    EXPECT_EQ(answer->status, 202) << answer->body;
    return answer->root()["id"].string_or("");
  }
  std::string bearer(Role role) {
    identity::PeopleStore& store = process_.people().store();
    identity::User user;
    user.name = identity::to_string(role);
    user.roles = {role};
    const int64_t now = clock_.wall_ms();
    auto made = store.create(user, "", now);
    EXPECT_TRUE(made) << made.error().message();
    auto token = store.create_token(made->id, "t", user.roles, now + 86'400'000, now);
    EXPECT_TRUE(token) << token.error().message();
    return fmt::format("authorization: Bearer {}\r\n", token->secret.reveal());
  }
};

TEST_F(JobsTest, AJobIsStartedWatchedFetchedAndForgotten) {
  process_.work = [](jobs::Control& control) -> Result<std::string> {
    std::ofstream(control.file_path()) << "id,cost\r\n1,2\r\n";
    WEIR_CHECK_OK(control.progress(1, 1));
    return std::string(R"({"rows":1})");
  };
  const std::string id = start();
  process_.jobs().wait_until_idle();
  const auto job = ask("GET", "/api/v1/jobs/" + id);
  ASSERT_EQ(job->status, 200) << job->body;
  EXPECT_EQ(job->root()["state"].string_or(""), "done");
  EXPECT_EQ(job->root()["result"]["rows"].as_int64(), 1);
  EXPECT_EQ(job->root()["by"].string_or(""), "this machine");
  EXPECT_EQ(job->root()["file"].as_bool(), true);
  EXPECT_EQ(ask("GET", "/api/v1/jobs")->root()["items"].size(), 1U);

  const auto file = ask("GET", "/api/v1/jobs/" + id + "/file");
  EXPECT_EQ(file->status, 200);
  EXPECT_EQ(file->body, "id,cost\r\n1,2\r\n");
  EXPECT_THAT(file->head, HasSubstr("content-type: text/csv"));
  EXPECT_THAT(file->head, HasSubstr(R"(content-disposition: attachment; filename="rows.csv")"));
  EXPECT_THAT(file->head, HasSubstr("x-content-type-options: nosniff"));

  EXPECT_EQ(ask("POST", "/api/v1/jobs/" + id + "/cancel")->status, 400);
  EXPECT_EQ(ask("DELETE", "/api/v1/jobs/" + id)->status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/jobs/" + id)->status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/jobs/" + id + "/file")->status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/jobs/no-number")->status, 404);
}

TEST_F(JobsTest, WhoStartedAndFetchedIsOnTheAuditLog) {
  const std::string id = start();
  process_.jobs().wait_until_idle();
  ask("GET", "/api/v1/jobs/" + id + "/file");
  const auto audit = ask("GET", "/api/v1/audit?action=/jobs");
  EXPECT_THAT(audit->body, HasSubstr(R"("action":"POST /api/v1/jobs")"));
  EXPECT_THAT(audit->body, HasSubstr(R"("action":"GET /api/v1/jobs/{id}/file")"));
  EXPECT_THAT(audit->body, HasSubstr(R"("kind":"export")"));
}

TEST_F(JobsTest, WhatIsWrongIsToldAndStartsNothing) {
  for (const std::string_view body : {"{}", R"({"kind":"nothing"})", R"({"kind":"export"})"}) {
    EXPECT_EQ(ask("POST", "/api/v1/jobs", body)->status, 400) << body;
  }
  EXPECT_EQ(ask("GET", "/api/v1/jobs")->root()["items"].size(), 0U);
}

TEST_F(JobsTest, EachKindAsksForItsPermission) {
  const std::pair<Role, std::string> people[] = {
      {Role::admin, bearer(Role::admin)},
      {Role::operations, bearer(Role::operations)},
      {Role::finance, bearer(Role::finance)},
      {Role::privacy_officer, bearer(Role::privacy_officer)},
      {Role::viewer, bearer(Role::viewer)}};
  for (const JobKind& kind : job_kinds()) {
    for (const auto& [role, headers] : people) {
      const std::string what = fmt::format("{} as {}", kind.name, identity::to_string(role));
      const auto body = fmt::format(R"({{"kind":"{}","from":"2026-11-01"}})", kind.name);
      const bool reads = identity::grants({role}, identity::Permission::cost_read);
      const bool may = reads && identity::grants({role}, kind.permission);
      EXPECT_EQ(ask("POST", "/api/v1/jobs", body, headers)->status, may ? 202 : 403) << what;

      const auto made = ask("POST", "/api/v1/jobs", body, people[0].second);
      ASSERT_EQ(made->status, 202) << made->body;
      process_.jobs().wait_until_idle();
      const std::string path = "/api/v1/jobs/" + made->root()["id"].string_or("");
      EXPECT_EQ(ask("GET", path, {}, headers)->status, reads ? 200 : 403) << what;
      const bool file = kind.name == "export";
      EXPECT_EQ(ask("GET", path + "/file", {}, headers)->status, !may   ? 403
                                                                 : file ? 200
                                                                        : 404)
          << what;
      EXPECT_EQ(ask("POST", path + "/cancel", {}, headers)->status, may ? 400 : 403) << what;
      EXPECT_EQ(ask("DELETE", path, {}, headers)->status, may ? 200 : 403) << what;
    }
  }
}

TEST_F(JobsTest, EventsTellHowFarAJobIsAndNotWhatItIsAbout) {
  start();
  process_.jobs().wait_until_idle();
  process_.work = [](jobs::Control& control) -> Result<std::string> {
    for (;;) WEIR_CHECK_OK(control.progress(7, 9));
  };
  const std::string id = start();
  // The first event is of then: the running one is told, what is over is not.
  while (process_.jobs().list().front().done != 7) std::this_thread::yield();
  const auto events = ask("GET", "/api/v1/events");
  EXPECT_EQ(events->status, 200);
  EXPECT_THAT(events->body, HasSubstr("event: changed\ndata: {\"rows\":"));
  EXPECT_THAT(events->body, HasSubstr("event: job\ndata: {\"id\":\"" + id + "\""));
  EXPECT_THAT(events->body, HasSubstr(R"("done":7,"total":9)"));
  EXPECT_THAT(events->body, Not(HasSubstr("A title")));
  EXPECT_THAT(events->body, Not(HasSubstr(R"("state":"done")")));
  EXPECT_EQ(ask("POST", "/api/v1/jobs/" + id + "/cancel")->status, 200);
  process_.jobs().wait_until_idle();
  EXPECT_EQ(ask("GET", "/api/v1/jobs/" + id)->root()["state"].string_or(""), "cancelled");
}

}  // namespace
}  // namespace weir::admin
