// Who may do what at the admin API: every cell of docs/reference/roles.md, signing in and out,
// tokens, and what a browser may be made to send.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "admin/routes.h"
#include "admin/test_admin.h"
#include "base/text.h"

namespace weir::admin {
namespace {

using identity::Role;
using identity::RoleSet;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPassword = "correct horse battery staple";

class PeopleTest : public AdminTest {
 protected:
  identity::PeopleStore& store() { return process_.people().store(); }

  identity::User make_user(std::string name, RoleSet roles) {
    identity::User user;
    user.name = std::move(name);
    user.roles = roles;
    auto hash =
        identity::hash_password(Secret(std::string(kPassword)), {.passes = 1, .memory_kib = 8});
    auto made = store().create(user, *hash, clock_.wall_ms());
    EXPECT_TRUE(made) << made.error().message();
    return *made;
  }
  std::string bearer_of(const identity::User& user, std::string_view name = "t") {
    const int64_t now = clock_.wall_ms();
    auto made = store().create_token(user.id, name, user.roles, now + 86'400'000, now);
    EXPECT_TRUE(made) << made.error().message();
    return fmt::format("authorization: Bearer {}\r\n", made->secret.reveal());
  }
  // The headers of a browser that is signed in.
  std::string session_of(const identity::User& user, bool with_csrf = true) {
    const auto& rules = process_.people().session_rules();
    auto cookie = store().open_session(user.id, "", clock_.wall_ms(), rules);
    EXPECT_TRUE(cookie);
    auto session = store().find_session(cookie->reveal(), clock_.wall_ms(), rules);
    std::string headers = fmt::format("cookie: theme=dark; weir_session={}\r\n", cookie->reveal());
    if (with_csrf) headers += fmt::format("x-weir-csrf: {}\r\n", store().csrf_token(**session));
    return headers;
  }
  std::unique_ptr<Answer> sign_in(std::string_view name, std::string_view password) {
    return ask("POST", "/api/v1/sign_in",
               fmt::format(R"({{"name":"{}","password":"{}"}})", name, password));
  }
  std::string error_of(const std::unique_ptr<Answer>& answer) {
    return answer->body.starts_with('{') ? answer->root()["error"]["code"].string_or("") : "";
  }
  std::string concrete(std::string_view path) {
    std::string text(path);
    if (const size_t at = text.find("{id}"); at != std::string::npos) text.replace(at, 4, "none");
    return text;
  }
};

struct Cells {
  std::string method, path;
  std::vector<bool> may;  // anonymous, then the roles
};

// The second table of the page.
std::vector<Cells> matrix() {
  std::ifstream in(WEIR_SOURCE_DIR "/docs/reference/roles.md");
  std::vector<Cells> rows;
  for (std::string line; std::getline(in, line);) {
    const auto cells = split(line, '|');
    if (cells.size() != identity::kRoles.size() + 5) continue;
    const std::string_view request = trim(cells[1]);
    const size_t space = request.find(' ');
    if (!request.starts_with('`') || space == std::string_view::npos) continue;
    Cells row;
    row.method = request.substr(1, space - 1);
    row.path = request.substr(space + 1, request.size() - space - 2);
    for (size_t i = 3; i + 1 < cells.size(); ++i) row.may.push_back(trim(cells[i]) == "yes");
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST_F(PeopleTest, EveryCellOfTheMatrixHolds) {
  const std::vector<Cells> rows = matrix();
  ASSERT_EQ(rows.size(), routes().size());
  std::vector<std::pair<identity::User, std::string>> users;
  for (const Role role : identity::kRoles) {
    users.emplace_back(make_user(std::string(identity::to_string(role)), {role}), "");
    users.back().second = bearer_of(users.back().first);
  }
  const identity::User nobody = make_user("no-role", {});
  server_.set_token(Secret("the-token"));
  size_t cells = 0;
  const auto expect = [&](const Cells& row, bool may, std::string_view headers,
                          std::string_view who, int refusal) {
    ++cells;
    const auto answer = ask(row.method, concrete(row.path), "{}", headers);
    const std::string code = error_of(answer);
    const std::string what =
        fmt::format("{} {} as {}: {} {}", row.method, row.path, who, answer->status, answer->body);
    if (may) {
      EXPECT_NE(code, "forbidden") << what;
      EXPECT_NE(code, "csrf") << what;
      EXPECT_NE(answer->status, 401) << what;
      EXPECT_NE(answer->status, 0) << what;
    } else {
      EXPECT_EQ(answer->status, refusal) << what;
      EXPECT_EQ(code, refusal == 401 ? "unauthorized" : "forbidden") << what;
    }
  };
  for (const Cells& row : rows) {
    const auto route = std::ranges::find_if(routes(), [&](const Route& one) {
      return one.method == row.method && one.path == row.path;
    });
    ASSERT_NE(route, routes().end()) << row.path;
    expect(row, row.may[0], "", "nobody", 401);
    expect(row, row.may[0], "authorization: Bearer weir_pat_unknown\r\n", "a wrong token", 401);
    expect(row, row.may[0], "cookie: weir_session=ws_unknown\r\n", "a wrong cookie", 401);
    const bool signed_in = route->permission == identity::Permission::signed_in;
    expect(row, row.may[0] || signed_in, session_of(nobody), "a user without a role", 403);
    expect(row, true, "authorization: Bearer the-token\r\n", "admin.token", 0);
    for (size_t i = 0; i < users.size(); ++i) {
      const auto& [user, bearer] = users[i];
      expect(row, row.may[i + 1], bearer, user.name + " by token", 403);
      expect(row, row.may[i + 1], session_of(user), user.name + " by session", 403);
    }
  }
  EXPECT_EQ(cells, rows.size() * (5 + 2 * identity::kRoles.size()));
  // Whoever is nobody does not even learn which paths there are.
  EXPECT_EQ(ask("GET", "/api/v1/nothing")->status, 401);
  EXPECT_EQ(ask("PUT", "/api/v1/status")->status, 401);
}

TEST_F(PeopleTest, AsSoonAsThereIsAUserThisMachineIsNobodyToo) {
  EXPECT_EQ(ask("GET", "/api/v1/keys")->status, 200);
  const auto before = ask("GET", "/api/v1/sign_in");
  EXPECT_EQ(before->body, R"({"open":true,"password":false,"token":false,"oidc":false})");
  EXPECT_EQ(ask("GET", "/api/v1/me")->root()["kind"].string_or(""), "local");
  const auto made =
      ask("POST", "/api/v1/users",
          fmt::format(R"({{"name":"ada","roles":["admin"],"password":"{}"}})", kPassword));
  ASSERT_EQ(made->status, 201) << made->body;
  EXPECT_THAT(made->body, Not(HasSubstr("argon")));
  EXPECT_EQ(ask("GET", "/api/v1/keys")->status, 401);
  EXPECT_EQ(ask("POST", "/api/v1/users", "{}")->status, 401);
  EXPECT_EQ(ask("GET", "/api/v1/sign_in")->body,
            R"({"open":false,"password":true,"token":true,"oidc":false})");
  const auto signed_in = sign_in("ada", kPassword);
  ASSERT_EQ(signed_in->status, 200) << signed_in->body;
}

TEST_F(PeopleTest, SigningInSetsACookieThatSignsOutAgain) {
  make_user("ada", {Role::viewer, Role::finance});
  EXPECT_EQ(sign_in("ada", "wrong")->status, 401);
  EXPECT_EQ(sign_in("eve", kPassword)->body, sign_in("ada", "wrong")->body);
  const auto answer = sign_in("ada", kPassword);
  ASSERT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(answer->root()["roles"].raw(), R"(["finance","viewer"])");
  const std::string csrf = answer->root()["csrf"].string_or("");
  EXPECT_FALSE(csrf.empty());
  const size_t from = answer->head.find("set-cookie: ") + 12;
  const std::string cookie = answer->head.substr(from, answer->head.find("\r\n", from) - from);
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly; SameSite=Strict"));
  EXPECT_THAT(cookie, HasSubstr("; Path=/; Max-Age=43200"));
  EXPECT_THAT(cookie, Not(HasSubstr("Secure")));
  const std::string headers = fmt::format("cookie: {}\r\n", cookie.substr(0, cookie.find(';')));
  const auto me = ask("GET", "/api/v1/me", {}, headers);
  EXPECT_EQ(me->root()["name"].string_or(""), "ada");
  EXPECT_EQ(me->root()["csrf"].string_or(""), csrf);
  EXPECT_EQ(ask("POST", "/api/v1/sign_out", {}, headers)->status, 403);
  const std::string with_csrf = headers + fmt::format("x-weir-csrf: {}\r\n", csrf);
  const auto out = ask("POST", "/api/v1/sign_out", {}, with_csrf);
  EXPECT_EQ(out->status, 200);
  EXPECT_THAT(out->head, HasSubstr("weir_session=; Path=/; Max-Age=0"));
  EXPECT_EQ(ask("GET", "/api/v1/me", {}, headers)->status, 401);

  server_.set_public_url("https://weir.example.com");
  EXPECT_THAT(sign_in("ada", kPassword)->head, HasSubstr("set-cookie: __Host-weir_session=ws_"));
  EXPECT_THAT(sign_in("ada", kPassword)->head, HasSubstr("; Secure\r\n"));
}

TEST_F(PeopleTest, GuessingIsHeldBackEvenWhenRightInTheEnd) {
  make_user("ada", {Role::admin});
  for (uint32_t i = 0; i < identity::SignInGuard::kNameFailures; ++i) {
    EXPECT_EQ(sign_in("ada", fmt::format("guess {}", i))->status, i + 1 == 5 ? 429 : 401);
  }
  const auto locked = sign_in("ADA", kPassword);
  EXPECT_EQ(locked->status, 429);
  EXPECT_THAT(locked->head, HasSubstr("retry-after: 30\r\n"));
  EXPECT_EQ(process_.people().counts().lockouts, 1U);
  loop_.advance(identity::SignInGuard::kFirstLock);
  EXPECT_EQ(sign_in("ada", kPassword)->status, 200);
  EXPECT_EQ(process_.people().counts().succeeded, 1U);
}

TEST_F(PeopleTest, AnotherSitesPageCanChangeNothing) {
  const identity::User ada = make_user("ada", {Role::admin});
  struct Case {
    bool csrf;
    const char* origin;
    int status;
  };
  for (const auto& [csrf, origin, status] :
       {Case{true, "", 200}, Case{true, "origin: http://localhost:8081\r\n", 200},
        Case{false, "", 403}, Case{false, "origin: http://localhost:8081\r\n", 403},
        Case{true, "origin: http://localhost:9999\r\n", 403},
        Case{true, "origin: https://evil.example\r\n", 403}, Case{true, "origin: null\r\n", 403}}) {
    const int before = process_.reloads;
    const auto answer = ask("POST", "/api/v1/reload", {}, session_of(ada, csrf) + origin);
    EXPECT_EQ(answer->status, status) << csrf << origin << answer->body;
    EXPECT_EQ(process_.reloads - before, status == 200 ? 1 : 0);
  }
  // One session's word is of no use to another, nor is a wrong one.
  const std::string one = session_of(ada);
  const std::string other = session_of(ada);
  const std::string crossed =
      one.substr(0, one.find("x-weir-csrf")) + other.substr(other.find("x-weir-csrf"));
  EXPECT_EQ(ask("POST", "/api/v1/reload", {}, crossed)->status, 403);
  // A token is no browser's: it needs no such word.
  EXPECT_EQ(ask("POST", "/api/v1/reload", {}, bearer_of(ada))->status, 200);
  // Nobody is signed in by another site's page either.
  EXPECT_EQ(
      ask("POST", "/api/v1/sign_in", fmt::format(R"({{"name":"ada","password":"{}"}})", kPassword),
          "origin: https://evil.example\r\n")
          ->status,
      403);
}

TEST_F(PeopleTest, PeopleMakeTheirOwnTokensAndTokensMakeNone) {
  const identity::User ada = make_user("ada", {Role::operations, Role::viewer});
  const identity::User root = make_user("root", {Role::admin});
  const auto made =
      ask("POST", "/api/v1/me/tokens", R"({"name":"ci","roles":["viewer"]})", session_of(ada));
  ASSERT_EQ(made->status, 201) << made->body;
  const std::string bearer =
      fmt::format("authorization: Bearer {}\r\n", made->root()["token"].string_or(""));
  EXPECT_EQ(ask("GET", "/api/v1/status", {}, bearer)->status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/reload", {}, bearer)->status, 403);
  EXPECT_EQ(ask("POST", "/api/v1/me/tokens", R"({"name":"more"})", bearer)->status, 403);
  for (const char* body :
       {R"({"name":"x","roles":["admin"]})", R"({"name":"x","roles":["root"]})", R"({"name":""})",
        R"({"name":"x","expires":"2099-01-01T00:00:00Z"})", R"({"name":"x","role":"viewer"})",
        R"([])", R"({"name":"x","roles":[]})"}) {
    EXPECT_EQ(ask("POST", "/api/v1/me/tokens", body, session_of(ada))->status, 400) << body;
  }
  EXPECT_EQ(ask("POST", "/api/v1/me/tokens", R"({"name":"ci"})", session_of(ada))->status, 409);
  const std::string id = made->root()["id"].string_or("");
  const auto listed = ask("GET", "/api/v1/tokens", {}, session_of(root));
  EXPECT_THAT(listed->body, HasSubstr(id));
  EXPECT_THAT(listed->body, HasSubstr(R"("user":"ada")"));
  EXPECT_THAT(listed->body, Not(HasSubstr(made->root()["token"].string_or("?"))));
  // Nobody revokes another's by the way to their own.
  EXPECT_EQ(ask("DELETE", "/api/v1/me/tokens/" + id, {}, session_of(root))->status, 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + id, {}, session_of(root))->status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/status", {}, bearer)->status, 401);
  // For a person nobody else makes one; for a service account only an administrator does.
  EXPECT_EQ(
      ask("POST", "/api/v1/users/" + ada.id + "/tokens", R"({"name":"spy"})", session_of(root))
          ->status,
      403);
  const auto service =
      ask("POST", "/api/v1/users", R"({"name":"prometheus","kind":"service","roles":["viewer"]})",
          session_of(root));
  ASSERT_EQ(service->status, 201) << service->body;
  const auto token = ask("POST", "/api/v1/users/" + service->root()["id"].string_or("") + "/tokens",
                         R"({"name":"scrape"})", session_of(root));
  ASSERT_EQ(token->status, 201) << token->body;
  EXPECT_EQ(ask("GET", "/metrics", {},
                fmt::format("authorization: Bearer {}\r\n", token->root()["token"].string_or("")))
                ->status,
            200);
  EXPECT_EQ(sign_in("prometheus", "")->status, 400);
  EXPECT_EQ(sign_in("prometheus", kPassword)->status, 401);
}

TEST_F(PeopleTest, UsersAreChangedAndTheirSessionsFollow) {
  const identity::User root = make_user("root", {Role::admin});
  const identity::User ada = make_user("ada", {Role::viewer});
  const std::string hers = session_of(ada);
  const std::string path = "/api/v1/users/" + ada.id;
  EXPECT_EQ(ask("POST", "/api/v1/reload", {}, hers)->status, 403);
  const auto raised = ask("PATCH", path, R"({"roles":["operator"]})", session_of(root));
  EXPECT_EQ(raised->root()["roles"].raw(), R"(["operator"])");
  EXPECT_EQ(ask("POST", "/api/v1/reload", {}, hers)->status, 200);  // from the next request on
  EXPECT_EQ(ask("PATCH", path, R"({"disabled":true})", session_of(root))->status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/me", {}, hers)->status, 401);
  EXPECT_EQ(sign_in("ada", kPassword)->status, 401);
  EXPECT_EQ(ask("PATCH", path, R"({"disabled":false})", session_of(root))->status, 200);
  EXPECT_EQ(ask("POST", path + "/password", R"({"password":"another long one"})", session_of(root))
                ->status,
            200);
  EXPECT_EQ(ask("POST", path + "/password", R"({"password":"short"})", session_of(root))->status,
            400);
  EXPECT_EQ(sign_in("ada", kPassword)->status, 401);
  EXPECT_EQ(sign_in("ada", "another long one")->status, 200);
  for (const char* body : {R"({"roles":["nobody"]})", R"({"roles":"admin"})", R"({"disabled":1})",
                           R"({"name":"eve"})", R"({"display":"a\nb"})"}) {
    EXPECT_EQ(ask("PATCH", path, body, session_of(root))->status, 400) << body;
  }
  EXPECT_EQ(ask("DELETE", "/api/v1/users/" + root.id, {}, session_of(root))->status, 403);
  EXPECT_EQ(ask("DELETE", path, {}, session_of(root))->status, 200);
  EXPECT_EQ(ask("DELETE", path, {}, session_of(root))->status, 404);
}

TEST_F(PeopleTest, OnesOwnPasswordNeedsTheOldOne) {
  const identity::User ada = make_user("ada", {});
  const std::string other = session_of(ada);
  const std::string mine = session_of(ada);
  const auto change = [&](std::string_view old, std::string_view next) {
    return ask("POST", "/api/v1/me/password",
               fmt::format(R"({{"password":"{}","new_password":"{}"}})", old, next), mine)
        ->status;
  };
  EXPECT_EQ(change("wrong", "a longer sentence yet"), 403);
  EXPECT_EQ(change(kPassword, "short"), 400);
  EXPECT_EQ(change(kPassword, "a longer sentence yet"), 200);
  EXPECT_EQ(ask("GET", "/api/v1/me", {}, other)->status, 401);
  EXPECT_EQ(ask("GET", "/api/v1/me", {}, mine)->status, 200);
  EXPECT_EQ(sign_in("ada", "a longer sentence yet")->status, 200);
}

TEST_F(PeopleTest, MessagesAreShownToThoseWhoMayReadThem) {
  ledger::RequestRow row = process_.row(SystemClock().wall_ms());
  const std::string path = "/api/v1/requests/" + row.id.to_text();
  row.capture = std::make_unique<ledger::Capture>();
  row.capture->request = R"({"secret":"of a client"})";
  row.captured = true;
  process_.write(std::move(row));
  for (const Role role : identity::kRoles) {
    if (role == Role::finance) continue;
    const identity::User user = make_user(std::string(identity::to_string(role)), {role});
    const auto answer = ask("GET", path, {}, bearer_of(user));
    EXPECT_EQ(answer->status, 200) << user.name << answer->body;
    const bool shown = answer->body.find("of a client") != std::string::npos;
    EXPECT_EQ(shown, role == Role::admin || role == Role::privacy_officer) << user.name;
  }
}

}  // namespace
}  // namespace weir::admin
