// TokenIssuer: the two OAuth token endpoints that gateways fetch credentials from: Microsoft Entra
// client credentials and Google's JWT bearer grant. Issues short-lived tokens, knows which are
// still good, and counts fetches so that a test can see that they are single-flight. One thread.
// Limit: `tokens_max` tokens are remembered, oldest out first.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace weir::sim {

struct TokenAnswer {
  int status = 200;
  std::string body;  // JSON
};

class TokenIssuer {
 public:
  struct Counters {
    uint64_t entra = 0;  // tokens issued
    uint64_t google = 0;
    uint64_t refused = 0;  // requests that got none
  };

  // `google_public_key`: PEM; assertions must be signed with its private key. Empty: the signature
  // is not looked at.
  TokenIssuer(Nanoseconds lifetime, std::string google_public_key)
      : lifetime_(lifetime), google_public_key_(std::move(google_public_key)) {}

  // `body` is the form of the request.
  TokenAnswer entra(std::string_view body, int64_t now_ms);
  TokenAnswer google(std::string_view body, int64_t now_ms);

  // Issued here and not yet expired.
  bool valid(std::string_view token, int64_t now_ms) const;
  // Tokens issued so far stop being good, as after a revocation.
  void revoke_all() { tokens_.clear(); }
  const Counters& counters() const { return counters_; }

 private:
  static constexpr size_t kTokensMax = 10'000;
  struct Token {
    std::string text;
    int64_t until_ms;
  };
  std::string issue(std::string_view prefix, int64_t now_ms);
  TokenAnswer refuse(std::string_view error, std::string_view description);

  Nanoseconds lifetime_;
  std::string google_public_key_;
  std::deque<Token> tokens_;
  uint64_t issued_ = 0;
  Counters counters_;
};

// Whether the RS256 signature of a JWT is that of the key. invalid_argument where the key is no PEM
// public key (or certificate).
Result<bool> verify_rs256(std::string_view jwt, const std::string& public_key_pem);

}  // namespace weir::sim
