// Oidc: signing in at an identity provider, by the authorization code flow with PKCE (OpenID
// Connect Core 3.1, RFC 7636). It finds the provider's endpoints and keys, remembers the sign-ins
// under way, and turns a code into whom the provider vouches for. Keys are read again when one is
// not known or kKeysAge has passed, at most every kFetchPause and less often while that fails; what
// was read last counts up to kKeysAgeMost.
//
// All requests go out by the client that it is given, over HTTPS unless the issuer is this machine.
// Control plane's loop only. Limits: kPendingMax sign-ins under way, the oldest making room; bodies
// of kBodyBytesMax; 10 s for each request.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "http/client.h"
#include "identity/jwt.h"
#include "identity/role.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::identity {

struct OidcConfig {
  std::string issuer;
  std::string client_id;
  Secret client_secret;  // empty: a public client
  std::string scope = "openid profile email";
  std::string groups_claim = "groups";
  std::vector<std::pair<std::string, RoleSet>> roles;  // by group
  std::string redirect_uri;
};

// Whom the identity provider vouches for.
struct Vouched {
  std::string issuer;
  std::string subject;
  std::string name;
  std::string display;
  RoleSet roles;
  std::string return_to;  // the page that the sign-in began on
};

struct OidcCounts {
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t pending = 0;
  uint64_t pending_dropped = 0;  // made room for others
  uint64_t key_fetches = 0;
  uint64_t key_fetch_failures = 0;
};

class Oidc {
 public:
  static constexpr size_t kPendingMax = 1000;
  static constexpr Nanoseconds kPendingLife = std::chrono::minutes(10);
  static constexpr Nanoseconds kTimeout = std::chrono::seconds(10);
  static constexpr Nanoseconds kFetchPause = std::chrono::seconds(10);
  static constexpr Nanoseconds kFetchPauseMost = std::chrono::minutes(5);
  static constexpr Nanoseconds kKeysAge = std::chrono::minutes(10);
  static constexpr Nanoseconds kKeysAgeMost = std::chrono::hours(24);
  static constexpr size_t kBodyBytesMax = 256 * 1024;

  struct Started {
    std::string location;  // where the browser goes
    Secret cookie;         // what it must bring back
  };

  // `loop` and `client` outlive it.
  Oidc(net::Loop& loop, http::Client& client, OidcConfig config);

  const OidcConfig& config() const { return config_; }
  // `return_to` is a path of the console; anything else counts as "/". Errors: unavailable and
  // those of the client, where the provider's document cannot be had.
  net::Task<Result<Started>> start(std::string return_to);
  // Errors: permission_denied (no such sign-in, another browser's, a code or token that is not
  // good, no group with a role), unavailable and those of the client.
  net::Task<Result<Vouched>> finish(std::string state, std::string code, std::string issuer,
                                    std::string cookie);
  OidcCounts counts() const {
    OidcCounts counts = counts_;
    counts.pending = pending_.size();
    return counts;
  }

 private:
  struct Endpoints {
    std::string authorization, token, keys;
    bool secret_in_body = false;
    Nanoseconds found{0};
  };
  struct Pending {
    std::string nonce;
    std::string verifier;
    Secret cookie;
    std::string return_to;
    Nanoseconds begun{0};
  };
  struct Answer {
    int status = 0;
    std::string body;
  };

  net::Task<Result<Answer>> ask(std::string method, std::string url, std::string body,
                                std::string authorization);
  net::Task<Result<Endpoints>> endpoints();
  net::Task<Result<void>> fetch_keys();
  net::Task<Result<std::string>> redeem(Endpoints at, std::string code, std::string verifier);
  net::Task<Result<std::string>> verify(std::string token, std::string nonce);
  net::Task<Result<Vouched>> finish_pending(Pending pending, std::string code);
  Result<Vouched> vouched(const std::string& claims) const;
  void drop_old_pending();

  net::Loop& loop_;
  http::Client& client_;
  OidcConfig config_;
  std::optional<Endpoints> endpoints_;
  std::optional<JwkSet> keys_;
  Nanoseconds keys_at_{0};
  Nanoseconds next_fetch_{0};
  uint32_t fetch_failures_ = 0;
  std::map<std::string, Pending, std::less<>> pending_;  // by state
  OidcCounts counts_;
};

}  // namespace weir::identity
