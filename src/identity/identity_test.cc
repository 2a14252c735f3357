#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "identity/password.h"
#include "identity/people.h"
#include "identity/role.h"
#include "identity/sign_in_guard.h"
#include "store/temporary_directory.h"

namespace weir::identity {
namespace {

constexpr PasswordCost kCheap{.passes = 1, .memory_kib = 8};
constexpr int64_t kNow = 1'780'000'000'000;
constexpr int64_t kDay = 86'400'000;

TEST(Role, NamesReadBackAndUnknownOnesAreTold) {
  for (const Role role : kRoles) EXPECT_EQ(parse_role(to_string(role)), role);
  EXPECT_EQ(*parse_roles(to_text(RoleSet::all())), RoleSet::all());
  EXPECT_EQ(*parse_roles(""), RoleSet());
  EXPECT_EQ(*parse_roles("viewer, finance"), (RoleSet{Role::finance, Role::viewer}));
  EXPECT_EQ(parse_roles("viewer,root").error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(parse_roles("Admin").error().code(), ErrorCode::invalid_argument);
}

TEST(Role, NothingIsGrantedThatNoRowGrants) {
  EXPECT_TRUE(grants({}, Permission::anyone));
  EXPECT_FALSE(grants(RoleSet::all(), Permission::signed_in));
  for (const PermissionRow& row : permissions()) {
    EXPECT_TRUE(row.roles.has(Role::admin)) << row.name;
    EXPECT_FALSE(grants({}, row.permission)) << row.name;
    EXPECT_FALSE(row.doc.empty());
    for (const Role role : kRoles) {
      EXPECT_EQ(grants({role}, row.permission), row.roles.has(role)) << row.name;
    }
  }
}

TEST(Password, OnlyTheRightOneFits) {
  const Secret password("correct horse battery");
  const auto hash = hash_password(password, kCheap);
  ASSERT_TRUE(hash) << hash.error().message();
  EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
  EXPECT_TRUE(verify_password(*hash, password));
  EXPECT_FALSE(verify_password(*hash, Secret("correct horse batterx")));
  EXPECT_FALSE(verify_password(*hash, Secret("")));
  EXPECT_NE(*hash, *hash_password(password, kCheap));
  for (const char* broken :
       {"", "x", "$argon2id$v=19$m=8,t=1,p=1$", "$argon2i$v=19$m=8,t=1,p=1$a$b"}) {
    EXPECT_FALSE(verify_password(broken, password)) << broken;
  }
  std::string truncated = *hash;
  truncated.pop_back();
  EXPECT_FALSE(verify_password(truncated, password));
}

TEST(Password, RulesAreAboutLengthAndTheName) {
  EXPECT_TRUE(check_password(Secret("twelve bytes"), "ada"));
  EXPECT_FALSE(check_password(Secret("eleven byte"), "ada"));
  EXPECT_FALSE(check_password(Secret(std::string(257, 'x')), "ada"));
  EXPECT_FALSE(check_password(Secret("Long-User-Name"), "long-user-name"));
}

TEST(SignInGuard, LocksANameLongerEachTime) {
  SignInGuard guard;
  Nanoseconds now = std::chrono::hours(10);
  for (uint32_t i = 0; i < SignInGuard::kNameFailures; ++i) {
    EXPECT_EQ(guard.begin("ada", "192.0.2.1", now).count(), 0) << i;
  }
  EXPECT_EQ(guard.begin("ada", "192.0.2.1", now), SignInGuard::kFirstLock);
  EXPECT_EQ(guard.begin("ada", "192.0.2.9", now), SignInGuard::kFirstLock);  // from anywhere
  EXPECT_EQ(guard.begin("bob", "192.0.2.1", now).count(), 0);
  now += SignInGuard::kFirstLock;
  EXPECT_EQ(guard.begin("ada", "192.0.2.1", now).count(), 0);
  EXPECT_EQ(guard.left("ada", "192.0.2.1", now), SignInGuard::kFirstLock * 2);
  Nanoseconds longest{0};
  for (int i = 0; i < 20; ++i) {
    now += guard.left("ada", "198.51.100.7", now);
    EXPECT_EQ(guard.begin("ada", fmt::format("198.51.100.{}", i), now).count(), 0);
    longest = std::max(longest, guard.left("ada", "198.51.100.7", now));
  }
  EXPECT_EQ(longest, SignInGuard::kLongestLock);
  EXPECT_EQ(guard.counts().refused, 2U);
  EXPECT_EQ(guard.counts().succeeded, 0U);
  EXPECT_GT(guard.counts().lockouts, 5U);
}

TEST(SignInGuard, ASuccessClearsTheNameAndAddressesAreCountedToo) {
  SignInGuard guard;
  const Nanoseconds now = std::chrono::hours(10);
  for (int round = 0; round < 10; ++round) {
    for (uint32_t i = 0; i + 1 < SignInGuard::kNameFailures; ++i) {
      EXPECT_EQ(guard.begin("ada", fmt::format("192.0.2.{}", round), now).count(), 0);
    }
    EXPECT_EQ(guard.begin("ada", "203.0.113.1", now).count(), 0);
    guard.succeeded("ada", "203.0.113.1");
  }
  EXPECT_EQ(guard.counts().succeeded, 10U);
  EXPECT_EQ(guard.counts().failed, 40U);
  for (uint32_t i = 0; i < SignInGuard::kAddressFailures; ++i) {
    EXPECT_EQ(guard.begin(fmt::format("user{}", i), "203.0.113.2", now).count(), 0);
  }
  EXPECT_GT(guard.begin("another", "203.0.113.2", now).count(), 0);
  EXPECT_EQ(guard.begin("another", "203.0.113.3", now).count(), 0);
}

TEST(SignInGuard, ItsTablesAreBoundedAndForget) {
  SignInGuard guard;
  Nanoseconds now = std::chrono::hours(10);
  for (size_t i = 0; i < SignInGuard::kEntriesMax + 100; ++i) {
    guard.begin(fmt::format("n{}", i), fmt::format("a{}", i), now);
    now += Nanoseconds(1);
  }
  EXPECT_EQ(guard.entries(), 2 * SignInGuard::kEntriesMax);
  SignInGuard other;
  for (uint32_t i = 0; i < SignInGuard::kNameFailures; ++i) other.begin("ada", "a", now);
  now += SignInGuard::kMemory + std::chrono::seconds(1);
  other.begin("ada", "a", now);
  EXPECT_EQ(other.left("ada", "a", now).count(), 0);
}

class PeopleStoreTest : public testing::Test {
 protected:
  PeopleStoreTest() : hasher_(std::make_shared<access::KeyHasher>(Secret("installation"))) {
    store_.emplace(*PeopleStore::open(directory_.path(), hasher_));
  }
  User make(std::string name, RoleSet roles, UserKind kind = UserKind::person) {
    User user;
    user.name = std::move(name);
    user.roles = roles;
    user.kind = kind;
    auto made = store_->create(user, kind == UserKind::person ? "$hash" : "", kNow);
    EXPECT_TRUE(made) << made.error().message();
    return *made;
  }
  store::TemporaryDirectory directory_;
  std::shared_ptr<access::KeyHasher> hasher_;
  std::optional<PeopleStore> store_;
  SessionRules rules_;
};

TEST_F(PeopleStoreTest, UsersAreMadeChangedFoundAndRemoved) {
  EXPECT_FALSE(*store_->has_users());
  const User ada = make("ada", {Role::admin});
  const User bob = make("bob", {Role::finance, Role::viewer});
  EXPECT_TRUE(*store_->has_users());
  EXPECT_NE(ada.id, bob.id);
  EXPECT_EQ(store_->find("ADA")->id, ada.id);  // one name, however it is written
  EXPECT_EQ(store_->users()->size(), 2U);
  User again;
  again.name = "Ada";
  EXPECT_EQ(store_->create(again, "x", kNow).error().code(), ErrorCode::already_exists);
  for (const char* name : {"", "a b", "a\n", "a/b", "a:b", "\xff"}) {
    again.name = name;
    EXPECT_EQ(store_->create(again, "x", kNow).error().code(), ErrorCode::invalid_argument);
  }
  EXPECT_EQ(store_->change(bob.id, {.display = "Bob", .roles = RoleSet{Role::viewer}})->display,
            "Bob");
  EXPECT_EQ(store_->user(bob.id)->roles, RoleSet{Role::viewer});
  EXPECT_TRUE(store_->remove(bob.id));
  EXPECT_EQ(store_->user(bob.id).error().code(), ErrorCode::not_found);
  EXPECT_EQ(store_->remove(bob.id).error().code(), ErrorCode::not_found);
}

TEST_F(PeopleStoreTest, TheLastAdministratorStays) {
  const User ada = make("ada", {Role::admin});
  make("robot", {Role::admin}, UserKind::service);  // cannot sign in
  for (const UserChange& change :
       {UserChange{.roles = RoleSet{Role::viewer}}, UserChange{.disabled = true}}) {
    EXPECT_EQ(store_->change(ada.id, change).error().code(), ErrorCode::permission_denied);
  }
  EXPECT_EQ(store_->remove(ada.id).error().code(), ErrorCode::permission_denied);
  EXPECT_EQ(store_->user(ada.id)->roles, RoleSet{Role::admin});
  const User eve = make("eve", {Role::admin});
  EXPECT_TRUE(store_->change(ada.id, {.disabled = true}));
  EXPECT_EQ(store_->remove(eve.id).error().code(), ErrorCode::permission_denied);
}

TEST_F(PeopleStoreTest, SessionsEndByTimeIdlenessDisablingAndNumber) {
  const User ada = make("ada", {Role::admin});
  const User bob = make("bob", {Role::viewer});
  const auto open = [&](const User& user, int64_t at) {
    return std::string(store_->open_session(user.id, "192.0.2.1", at, rules_)->reveal());
  };
  const auto alive = [&](const std::string& cookie, int64_t at) {
    return store_->find_session(cookie, at, rules_)->has_value();
  };
  const std::string cookie = open(bob, kNow);
  EXPECT_TRUE(alive(cookie, kNow));
  EXPECT_FALSE(alive(cookie + "x", kNow));
  EXPECT_FALSE(alive("", kNow));
  const int64_t idle = rules_.idle.count();
  EXPECT_TRUE(alive(cookie, kNow + idle - 1));  // and so it was seen then
  EXPECT_TRUE(alive(cookie, kNow + 2 * idle - 2));
  EXPECT_FALSE(alive(cookie, kNow + 4 * idle));
  const std::string long_one = open(bob, kNow);
  for (int64_t at = kNow; at < kNow + rules_.lifetime.count(); at += idle / 2) {
    EXPECT_TRUE(alive(long_one, at));
  }
  EXPECT_FALSE(alive(long_one, kNow + rules_.lifetime.count()));
  const std::string ended = open(bob, kNow);
  EXPECT_TRUE(store_->end_session((*store_->find_session(ended, kNow, rules_))->hash));
  EXPECT_FALSE(alive(ended, kNow));
  const std::string disabled = open(bob, kNow);
  ASSERT_TRUE(store_->change(bob.id, {.disabled = true}));
  EXPECT_FALSE(alive(disabled, kNow));
  EXPECT_EQ(store_->open_session(bob.id, "", kNow, rules_).error().code(),
            ErrorCode::permission_denied);
  ASSERT_TRUE(store_->change(bob.id, {.disabled = false}));
  EXPECT_FALSE(alive(disabled, kNow));

  std::vector<std::string> cookies;
  for (int64_t i = 0; i <= kSessionsMax; ++i) cookies.push_back(open(ada, kNow + i));
  EXPECT_FALSE(alive(cookies.front(), kNow + kSessionsMax));
  EXPECT_TRUE(alive(cookies[1], kNow + kSessionsMax));
  EXPECT_TRUE(alive(cookies.back(), kNow + kSessionsMax));
}

TEST_F(PeopleStoreTest, ANewPasswordEndsTheOtherSessions) {
  const User ada = make("ada", {Role::admin});
  const Secret one = *store_->open_session(ada.id, "", kNow, rules_);
  const Secret two = *store_->open_session(ada.id, "", kNow, rules_);
  const Session kept = **store_->find_session(one.reveal(), kNow, rules_);
  EXPECT_NE(store_->csrf_token(kept),
            store_->csrf_token(**store_->find_session(two.reveal(), kNow, rules_)));
  ASSERT_TRUE(store_->set_password(ada.id, "$new", &kept.hash));
  EXPECT_TRUE(store_->find_session(one.reveal(), kNow, rules_)->has_value());
  EXPECT_FALSE(store_->find_session(two.reveal(), kNow, rules_)->has_value());
  EXPECT_EQ(store_->with_password("ada")->second, "$new");
  ASSERT_TRUE(store_->set_password(ada.id, "$newer"));
  EXPECT_FALSE(store_->find_session(one.reveal(), kNow, rules_)->has_value());
  const User robot = make("robot", {}, UserKind::service);
  EXPECT_EQ(store_->set_password(robot.id, "$x").error().code(), ErrorCode::invalid_argument);
}

TEST_F(PeopleStoreTest, ATokenDoesWhatBothItAndItsUserMay) {
  const User ada = make("ada", {Role::admin, Role::viewer});
  make("eve", {Role::admin});
  const auto made = store_->create_token(ada.id, "laptop", RoleSet{Role::admin}, kNow + kDay, kNow);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(made->secret.reveal().starts_with(kTokenPrefix));
  EXPECT_EQ(made->token.masked.find(std::string(made->secret.reveal().substr(9, 20))),
            std::string::npos);
  const auto roles = [&](int64_t at) -> std::optional<RoleSet> {
    auto found = store_->find_token(made->secret.reveal(), at);
    if (!*found) return std::nullopt;
    return (*found)->second.roles;
  };
  EXPECT_EQ(roles(kNow), RoleSet{Role::admin});
  EXPECT_EQ(roles(kNow + kDay), std::nullopt);
  ASSERT_TRUE(store_->change(ada.id, {.roles = RoleSet{Role::viewer}}));
  EXPECT_EQ(roles(kNow), RoleSet());
  ASSERT_TRUE(store_->change(ada.id, {.roles = RoleSet::all()}));
  EXPECT_EQ(roles(kNow), RoleSet{Role::admin});
  ASSERT_TRUE(store_->change(ada.id, {.disabled = true}));
  EXPECT_EQ(roles(kNow), std::nullopt);
  ASSERT_TRUE(store_->change(ada.id, {.disabled = false}));
  EXPECT_EQ(store_->revoke_token(made->token.id, "somebody else", kNow).error().code(),
            ErrorCode::not_found);
  ASSERT_TRUE(store_->revoke_token(made->token.id, ada.id, kNow));
  EXPECT_EQ(roles(kNow), std::nullopt);
  EXPECT_EQ(store_->tokens(ada.id)->front().revoked_ms, kNow);
}

TEST_F(PeopleStoreTest, TokensThatWouldBeTooMuchAreRefused) {
  const User bob = make("bob", {Role::viewer});
  struct Case {
    const char* name;
    RoleSet roles;
    int64_t expires;
    ErrorCode code;
  };
  for (const auto& [name, roles, expires, code] :
       {Case{"", {Role::viewer}, kNow + kDay, ErrorCode::invalid_argument},
        Case{"more", {Role::admin}, kNow + kDay, ErrorCode::invalid_argument},
        Case{"none", {}, kNow + kDay, ErrorCode::invalid_argument},
        Case{"past", {Role::viewer}, kNow, ErrorCode::invalid_argument},
        Case{"long", {Role::viewer}, kNow + 367 * kDay, ErrorCode::invalid_argument}}) {
    EXPECT_EQ(store_->create_token(bob.id, name, roles, expires, kNow).error().code(), code)
        << name;
  }
  for (int64_t i = 0; i < kTokensMax; ++i) {
    ASSERT_TRUE(
        store_->create_token(bob.id, fmt::format("t{}", i), {Role::viewer}, kNow + kDay, kNow));
  }
  EXPECT_EQ(store_->create_token(bob.id, "t0", {Role::viewer}, kNow + kDay, kNow).error().code(),
            ErrorCode::limit_exceeded);
  // Expired ones leave room, and go.
  for (int i = 0; i < 100; ++i) {
    const int64_t at = kNow + (i + 2) * kDay;
    ASSERT_TRUE(store_->create_token(bob.id, fmt::format("n{}", i), {Role::viewer}, at + 1, at));
  }
  EXPECT_LE(store_->tokens(bob.id)->size(), 22U);
}

TEST_F(PeopleStoreTest, WhoIsVouchedForGetsTheRolesOfEachSignIn) {
  const User local = make("ada", {Role::admin});
  const auto sign_in = [&](std::string_view subject, std::string_view name, RoleSet roles) {
    return store_->vouched("https://id.example", subject, name, "Name", roles, kNow);
  };
  // A name at the identity provider takes over no local user.
  EXPECT_EQ(sign_in("s1", "ada", RoleSet::all()).error().code(), ErrorCode::already_exists);
  const auto made = sign_in("s1", "ada@id.example", {Role::admin});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(sign_in("s1", "renamed", {Role::viewer})->id, made->id);
  EXPECT_EQ(store_->user(made->id)->roles, RoleSet{Role::viewer});
  EXPECT_EQ(store_->user(made->id)->name, "ada@id.example");
  EXPECT_NE(sign_in("s2", "bob@id.example", {})->id, made->id);
  ASSERT_TRUE(store_->change(made->id, {.disabled = true}));
  EXPECT_EQ(sign_in("s1", "x", RoleSet::all()).error().code(), ErrorCode::permission_denied);
  EXPECT_EQ(store_->user(local.id)->roles, RoleSet{Role::admin});
}

TEST_F(PeopleStoreTest, NoSecretLiesInTheStore) {
  const User ada = make("ada", {Role::admin});
  const Secret cookie = *store_->open_session(ada.id, "", kNow, rules_);
  const auto token = store_->create_token(ada.id, "t", {Role::admin}, kNow + kDay, kNow);
  store_.reset();
  for (const char* file : {"/people.db", "/people.db-wal"}) {
    std::ifstream in(directory_.path() + file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (std::string_view(file) == "/people.db") EXPECT_NE(bytes.find("$hash"), std::string::npos);
    EXPECT_EQ(bytes.find(cookie.reveal()), std::string::npos);
    EXPECT_EQ(bytes.find(token->secret.reveal()), std::string::npos);
    // The checksum and all but the last four characters are shown nowhere.
    EXPECT_EQ(bytes.find(token->secret.reveal().substr(9, 16)), std::string::npos);
  }
}

TEST(PasswordThread, AnswersFromItsThreadAndRefusesWhenFull) {
  SystemClock clock;
  net::Loop loop(clock);
  PasswordThread passwords(loop, kCheap);
  int right = 0;
  int wrong = 0;
  int refused = 0;
  const auto hash = *hash_password(Secret("a password of mine"), kCheap);
  const auto ask = [](PasswordThread& thread, std::string text, std::string password, int& yes,
                      int& no, int& full) -> net::Task<void> {
    const auto answer = co_await thread.verify(std::move(text), Secret(std::move(password)));
    answer ? (*answer ? ++yes : ++no) : ++full;
  };
  loop.spawn(ask(passwords, hash, "a password of mine", right, wrong, refused));
  loop.spawn(ask(passwords, hash, "a password of yours", right, wrong, refused));
  loop.spawn(ask(passwords, "", "a password of mine", right, wrong, refused));
  EXPECT_TRUE(loop.run_until([&] { return right + wrong + refused == 3; }));
  EXPECT_EQ(right, 1);
  EXPECT_EQ(wrong, 2);
  // More at once than may wait: with a hash that takes long, some are told so.
  const auto slow = *hash_password(Secret("slow"), {.passes = 1, .memory_kib = 16'384});
  const int many = static_cast<int>(PasswordThread::kWaitingMax) + 20;
  for (int i = 0; i < many; ++i) loop.spawn(ask(passwords, slow, "x", right, wrong, refused));
  EXPECT_TRUE(loop.run_until([&] { return right + wrong + refused == 3 + many; }));
  EXPECT_GT(refused, 0);
  EXPECT_EQ(passwords.refused(), static_cast<uint64_t>(refused));
}

}  // namespace
}  // namespace weir::identity
