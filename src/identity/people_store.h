// The people store: users, their sessions and their access tokens, in data_dir/people.db. Of
// cookies and tokens only a keyed hash is stored (access/key_hash.h), of passwords an Argon2id one.
// A service account is a user without a password: it has tokens only. For control-plane threads;
// each call is one transaction. `weir user` writes beside a running server, which reads every
// request's user afresh, so a change counts from the next request on.
//
// Limits: kUsersMax users; kSessionsMax sessions and kTokensMax tokens each, the oldest session
// making room for the next.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/key_hash.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "identity/role.h"
#include "store/sqlite.h"

namespace weir::identity {

inline constexpr int64_t kUsersMax = 10'000;
inline constexpr int64_t kSessionsMax = 20;
inline constexpr int64_t kTokensMax = 50;
inline constexpr size_t kNameBytesMax = 128;
inline constexpr int64_t kTokenLifetimeMaxMs = 366LL * 86'400'000;
inline constexpr std::string_view kTokenPrefix = "weir_pat_";

enum class UserKind : uint8_t { person, service };
std::string_view to_string(UserKind kind);

struct User {
  std::string id;
  std::string name;  // what is typed to sign in; unique
  UserKind kind = UserKind::person;
  std::string display;  // as people call them
  RoleSet roles;
  bool disabled = false;
  bool has_password = false;
  std::string issuer;  // OIDC; empty: a local user
  std::string subject;
  int64_t created_ms = 0;
  int64_t signed_in_ms = 0;  // 0: never
};

// What is to change; what is absent stays.
struct UserChange {
  std::optional<std::string> display = {};
  std::optional<RoleSet> roles = {};
  std::optional<bool> disabled = {};
};

struct Session {
  User user;
  access::KeyHash hash{};
  int64_t created_ms = 0;
  int64_t expires_ms = 0;
};

struct SessionRules {
  Milliseconds lifetime{12LL * 3'600'000};
  Milliseconds idle{2LL * 3'600'000};
};

struct Token {
  std::string id;
  std::string user_id;
  std::string name;
  std::string masked;
  RoleSet roles;  // what it may be used for, as far as its user still has them
  int64_t created_ms = 0;
  int64_t expires_ms = 0;
  int64_t used_ms = 0;  // to the minute; 0: never
  int64_t revoked_ms = 0;
};

struct NewToken {
  Token token;
  Secret secret;  // shown once
};

class PeopleStore {
 public:
  // Opens data_dir/people.db and brings its tables up to date. Errors: io_error, corrupt.
  static Result<PeopleStore> open(const std::string& data_dir,
                                  std::shared_ptr<const access::KeyHasher> hasher);

  Result<bool> has_users();
  Result<std::vector<User>> users();         // by name
  Result<User> user(std::string_view id);    // not_found
  Result<User> find(std::string_view name);  // not_found
  // `password_hash` is empty for service accounts and for who signs in elsewhere. Errors:
  // invalid_argument, already_exists, limit_exceeded.
  Result<User> create(User user, std::string_view password_hash, int64_t wall_ms);
  // A change or a removal that would leave no administrator who can sign in is refused
  // (permission_denied). What a user may no longer do ends at once, sessions of a disabled one too.
  Result<User> change(std::string_view id, const UserChange& change);
  Result<void> remove(std::string_view id);
  // The user of that name with its hash, which is empty where it has none. Errors: not_found.
  Result<std::pair<User, std::string>> with_password(std::string_view name);
  // Ends the user's sessions but `keep`.
  Result<void> set_password(std::string_view id, std::string_view password_hash,
                            const access::KeyHash* keep = nullptr);
  // The user whom an identity provider vouches for: made at the first sign-in, given these roles at
  // each. Errors: already_exists (a local user has that name), permission_denied (disabled).
  Result<User> vouched(std::string_view issuer, std::string_view subject, std::string_view name,
                       std::string_view display, RoleSet roles, int64_t wall_ms);

  // The cookie's value. Errors: permission_denied (disabled).
  Result<Secret> open_session(std::string_view user_id, std::string_view address, int64_t wall_ms,
                              const SessionRules& rules);
  // nullopt: unknown, ended, or its user is disabled.
  Result<std::optional<Session>> find_session(std::string_view cookie, int64_t wall_ms,
                                              const SessionRules& rules);
  Result<void> end_session(const access::KeyHash& hash);
  // What a page must send along with a change, so that no other site's page can make one.
  std::string csrf_token(const Session& session) const;

  // Errors: invalid_argument (name, lifetime, roles that the user has not), already_exists,
  // limit_exceeded.
  Result<NewToken> create_token(std::string_view user_id, std::string_view name, RoleSet roles,
                                int64_t expires_ms, int64_t wall_ms);
  // Of one user, or with an empty id of all; newest first.
  Result<std::vector<Token>> tokens(std::string_view user_id);
  Result<void> revoke_token(std::string_view id, std::string_view user_id, int64_t wall_ms);
  // nullopt: unknown, expired, revoked, or its user is disabled. The roles are what both have.
  Result<std::optional<std::pair<User, Token>>> find_token(std::string_view secret,
                                                           int64_t wall_ms);

 private:
  PeopleStore(store::Connection connection, std::shared_ptr<const access::KeyHasher> hasher)
      : connection_(std::move(connection)), hasher_(std::move(hasher)) {}
  Result<void> keep_an_administrator();
  access::KeyHash session_hash(std::string_view cookie) const;

  store::Connection connection_;
  std::shared_ptr<const access::KeyHasher> hasher_;
};

}  // namespace weir::identity
