// ID tokens: a JWT (RFC 7519, 7515) checked against an issuer's published keys (RFC 7517), and the
// claims that OpenID Connect Core 3.1.3.7 asks for. Nothing that the token says decides how it is
// checked: of its header only alg, out of three that are allowed, and kid, which must name a key of
// the set whose own type fits. Pure functions over bytes; any thread.
//
// Limits: kTokenBytesMax, kKeysMax keys, RSA keys of 2,048 to 8,192 bits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace weir::identity {

enum class JwtAlgorithm : uint8_t { rs256, es256, eddsa };

struct Jwk {
  std::string kid;  // empty: the key has none
  JwtAlgorithm algorithm = JwtAlgorithm::rs256;
  std::shared_ptr<evp_pkey_st> key;
};

class JwkSet {
 public:
  static constexpr size_t kKeysMax = 64;
  // Keys that are not for signatures, or of a kind that is not allowed here, are left out. Errors:
  // invalid_argument (no key set, or none usable).
  static Result<JwkSet> parse(std::string_view json);
  // The key of that id; with an empty one the only key for the algorithm, if it is the only one.
  const Jwk* find(std::string_view kid, JwtAlgorithm algorithm) const;
  size_t size() const { return keys_.size(); }

 private:
  std::vector<Jwk> keys_;
};

struct JwtRules {
  std::string issuer;
  std::string client_id;
  std::string nonce;
  int64_t now_s = 0;
  int64_t skew_s = 60;  // by which clocks may differ
};

inline constexpr size_t kTokenBytesMax = 32 * 1024;

// The claims as JSON text. Errors: not_found (no key fits: the set may be old), permission_denied
// (anything else; the message says what, for the log).
Result<std::string> verify_id_token(std::string_view token, const JwkSet& keys,
                                    const JwtRules& rules);

}  // namespace weir::identity
