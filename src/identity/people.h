// People: who may use the admin API, and how they prove who they are. It joins the store of users,
// sessions and tokens, the thread that checks passwords and the guard against guessing. One for the
// process, on the control plane's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/secret.h"
#include "identity/oidc.h"
#include "identity/password_thread.h"
#include "identity/people_store.h"
#include "identity/role.h"
#include "identity/sign_in_guard.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::identity {

// Who makes a request, and by what.
struct Actor {
  enum class Kind : uint8_t {
    nobody,       // presented nothing that is known
    local,        // this machine, where there is neither a token in the configuration nor a user
    admin_token,  // admin.token of the configuration
    session,      // a person, by a cookie
    token,        // a person or a service account, by an access token
  };
  Kind kind = Kind::nobody;
  std::string user_id;  // empty where no user stands behind it
  std::string name;     // for logs and the audit log: "ada", "admin.token"
  RoleSet roles;
  std::optional<Session> session;
  std::string token_id;

  bool is_known() const { return kind != Kind::nobody; }
  bool may(Permission permission) const {
    if (permission == Permission::signed_in) return is_known();
    return grants(roles, permission);
  }
};
std::string_view to_string(Actor::Kind kind);

struct SignIn {
  std::optional<User> user;  // absent: refused
  Secret cookie;
  Nanoseconds wait{0};  // how long the next attempt must wait; 0: it need not
};

class People {
 public:
  // `loop` outlives it.
  People(net::Loop& loop, PeopleStore store, PasswordCost cost = {},
         PasswordThread::Mode mode = PasswordThread::Mode::thread);

  PeopleStore& store() { return store_; }
  const SessionRules& session_rules() const { return rules_; }
  void set_session_rules(const SessionRules& rules) { rules_ = rules; }

  // Name and password -> the new session's cookie. A refusal says neither whether there is such a
  // user nor why it may not sign in. Errors: unavailable, those of the store.
  net::Task<Result<SignIn>> sign_in(std::string name, Secret password, std::string address);
  // Checks the rules and hashes. Errors: invalid_argument, unavailable.
  net::Task<Result<std::string>> hash(Secret password, std::string user_name);
  // Guarded as sign-ins are. Errors: permission_denied (it is wrong), limit_exceeded (too many
  // tries), unavailable.
  net::Task<Result<void>> check_password(std::string name, Secret password, std::string address);

  // How long the next attempt for that name from there must wait.
  Nanoseconds wait_of(std::string_view name, std::string_view address) const;

  // Null where no identity provider is configured. A sign-in that is under way holds on to it: a
  // reload may replace it.
  std::shared_ptr<Oidc> oidc() const { return oidc_; }
  // Sign-ins that are under way there are over. `client` outlives it.
  void set_oidc(std::optional<OidcConfig> config, http::Client& client);
  // Takes in whom the provider vouches for. Errors: those of PeopleStore::vouched.
  Result<std::pair<User, Secret>> take_in(const Vouched& who, std::string_view address);

  SignInCounts counts() const { return guard_.counts(); }

 private:
  net::Loop& loop_;
  PeopleStore store_;
  SessionRules rules_;
  SignInGuard guard_;
  PasswordThread passwords_;
  std::shared_ptr<Oidc> oidc_;
};

}  // namespace weir::identity
