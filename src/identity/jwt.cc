#include "identity/jwt.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/encoding.h"
#include "base/json/document.h"
#include "base/text.h"

namespace weir::identity {
namespace {

constexpr size_t kCoordinateBytes = 32;  // of P-256 and Ed25519
constexpr json::Limits kJsonLimits{.depth_max = 16, .nodes_max = 10'000};

template <auto Function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

const uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}
Number number(std::string_view text) {
  return Number(BN_bin2bn(bytes(text), static_cast<int>(text.size()), nullptr));
}

std::shared_ptr<evp_pkey_st> from_params(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return {key, EVP_PKEY_free};
}

std::shared_ptr<evp_pkey_st> rsa_key(std::string_view modulus, std::string_view exponent) {
  const Number n = number(modulus);
  const Number e = number(exponent);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder || BN_num_bits(n.get()) < 2048 || BN_num_bits(n.get()) > 8192 ||
      BN_num_bits(e.get()) > 32 || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) != 0 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return from_params("RSA", builder.get());
}

std::shared_ptr<evp_pkey_st> p256_key(std::string_view x, std::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return nullptr;
  std::string point("\x04");
  point.append(x).append(y);
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return from_params("EC", builder.get());
}

std::shared_ptr<evp_pkey_st> ed25519_key(std::string_view x) {
  if (x.size() != kCoordinateBytes) return nullptr;
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(x), x.size());
  if (key == nullptr) return nullptr;
  return {key, EVP_PKEY_free};
}

std::optional<JwtAlgorithm> parse_algorithm(std::string_view name) {
  if (name == "RS256") return JwtAlgorithm::rs256;
  if (name == "ES256") return JwtAlgorithm::es256;
  if (name == "EdDSA") return JwtAlgorithm::eddsa;
  return std::nullopt;
}

std::string decoded(json::Value value) {
  return base64url_decode(value.string_or("!")).value_or("");
}

// nullopt: a key that is of no use here.
std::optional<Jwk> read_key(json::Value value) {
  Jwk jwk;
  jwk.kid = value["kid"].string_or("");
  if (value["use"].exists() && !value["use"].equals("sig")) return std::nullopt;
  const std::string type = value["kty"].string_or("");
  if (type == "RSA") {
    jwk.algorithm = JwtAlgorithm::rs256;
    jwk.key = rsa_key(decoded(value["n"]), decoded(value["e"]));
  } else if (type == "EC" && value["crv"].equals("P-256")) {
    jwk.algorithm = JwtAlgorithm::es256;
    jwk.key = p256_key(decoded(value["x"]), decoded(value["y"]));
  } else if (type == "OKP" && value["crv"].equals("Ed25519")) {
    jwk.algorithm = JwtAlgorithm::eddsa;
    jwk.key = ed25519_key(decoded(value["x"]));
  }
  if (!jwk.key) return std::nullopt;
  // A key that says what it is for is for nothing else: PS256, RS512.
  if (value["alg"].exists() && parse_algorithm(value["alg"].string_or("")) != jwk.algorithm) {
    return std::nullopt;
  }
  return jwk;
}

// r and s of 32 bytes each, as JWS has them, in the DER form that OpenSSL wants.
std::string der_signature(std::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return {};
  const Signature signature(ECDSA_SIG_new());
  Number r = number(raw.substr(0, kCoordinateBytes));
  Number s = number(raw.substr(kCoordinateBytes));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();
  (void)s.release();
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool verify_signature(const Jwk& jwk, std::string_view text, std::string signature) {
  if (jwk.algorithm == JwtAlgorithm::es256) signature = der_signature(signature);
  if (signature.empty()) return false;
  const EVP_MD* digest = jwk.algorithm == JwtAlgorithm::eddsa ? nullptr : EVP_sha256();
  const Context context(EVP_MD_CTX_new());
  return context &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, jwk.key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text),
                          text.size()) == 1;
}

tl::unexpected<Error> refused(std::string why) {
  return fail(ErrorCode::permission_denied, "the ID token " + std::move(why));
}

std::optional<double> seconds(json::Value value) {
  const auto number = value.is_number() ? value.as_double() : std::nullopt;
  if (!number || !std::isfinite(*number) || *number < 0 || *number > 1e12) return std::nullopt;
  return number;
}

Result<void> check_audience(json::Value claims, const std::string& client_id) {
  const json::Value audience = claims["aud"];
  bool named = audience.is_string() && audience.equals(client_id);
  for (const json::Value one : audience.elements()) {
    if (!one.is_string()) return refused("has an audience that is no text");
    named = named || one.equals(client_id);
  }
  if (!named) return refused("is for somebody else");
  const json::Value party = claims["azp"];
  if (audience.is_array() && audience.size() > 1 && !party.exists()) {
    return refused("is for several and does not say who asked");
  }
  if (party.exists() && !party.equals(client_id)) return refused("was asked for by somebody else");
  return {};
}

Result<void> check_claims(json::Value claims, const JwtRules& rules) {
  if (!claims.is_object()) return refused("holds no claims");
  if (!claims["iss"].is_string() || !claims["iss"].equals(rules.issuer)) {
    return refused("is from another issuer");
  }
  WEIR_CHECK_OK(check_audience(claims, rules.client_id));
  const auto now = static_cast<double>(rules.now_s);
  const auto skew = static_cast<double>(rules.skew_s);
  const auto expires = seconds(claims["exp"]);
  if (!expires || now >= *expires + skew) return refused("has ended");
  const auto issued = seconds(claims["iat"]);
  if (!issued || *issued > now + skew) return refused("was issued in the future");
  if (claims["nbf"].exists()) {
    const auto begins = seconds(claims["nbf"]);
    if (!begins || *begins > now + skew) return refused("has not begun");
  }
  if (rules.nonce.empty() || !claims["nonce"].is_string() || !claims["nonce"].equals(rules.nonce)) {
    return refused("answers another sign-in");
  }
  const std::string subject = claims["sub"].string_or("");
  if (subject.empty() || subject.size() > 255) return refused("has no subject");
  return {};
}

}  // namespace

Result<JwkSet> JwkSet::parse(std::string_view json) {
  json::Document document;
  if (auto parsed = document.parse(json, kJsonLimits); !parsed) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the key set is no JSON: {}", parsed.error().message()));
  }
  JwkSet set;
  for (const json::Value value : document.root()["keys"].elements()) {
    if (auto jwk = read_key(value)) set.keys_.push_back(std::move(*jwk));
    if (set.keys_.size() == kKeysMax) break;
  }
  if (set.keys_.empty()) {
    return fail(ErrorCode::invalid_argument,
                "the key set has no key for RS256, ES256 or EdDSA signatures");
  }
  return set;
}

const Jwk* JwkSet::find(std::string_view kid, JwtAlgorithm algorithm) const {
  const auto fits = [&](const Jwk& jwk) {
    return jwk.algorithm == algorithm && (kid.empty() || jwk.kid == kid);
  };
  const auto found = std::ranges::find_if(keys_, fits);
  if (found == keys_.end()) return nullptr;
  // Two keys of one name are no reason to try both.
  return std::ranges::count_if(keys_, fits) == 1 ? &*found : nullptr;
}

Result<std::string> verify_id_token(std::string_view token, const JwkSet& keys,
                                    const JwtRules& rules) {
  if (token.size() > kTokenBytesMax) return refused("is too long");
  const auto parts = split(token, '.');
  if (parts.size() != 3) return refused("has no three parts");
  const auto header_text = base64url_decode(parts[0]);
  auto claims_text = base64url_decode(parts[1]);
  auto signature = base64url_decode(parts[2]);
  if (!header_text || !claims_text || !signature) return refused("is no base64url");
  json::Document header;
  if (!header.parse(*header_text, kJsonLimits) || !header.root().is_object()) {
    return refused("has a header that is no JSON object");
  }
  const json::Value root = header.root();
  const auto algorithm = parse_algorithm(root["alg"].string_or(""));
  if (!algorithm) {
    return refused(fmt::format("is signed by \"{}\"", root["alg"].string_or("").substr(0, 20)));
  }
  // Extensions that would have to be understood.
  if (root["crit"].exists() || root["b64"].exists()) return refused("has critical extensions");
  if (root["typ"].exists() && !equals_ignore_case(root["typ"].string_or(""), "JWT")) {
    return refused("is of another type");
  }
  if (root["kid"].exists() && root["kid"].string_or("").empty()) {
    return refused("names a key that has no name");
  }
  const Jwk* jwk = keys.find(root["kid"].string_or(""), *algorithm);
  if (jwk == nullptr) {
    return fail(ErrorCode::not_found, "the ID token is signed with a key that is not published");
  }
  const std::string_view covered = token.substr(0, parts[0].size() + 1 + parts[1].size());
  if (!verify_signature(*jwk, covered, std::move(*signature))) {
    return refused("has a wrong signature");
  }
  json::Document claims;
  if (!claims.parse(*claims_text, kJsonLimits)) return refused("has claims that are no JSON");
  WEIR_CHECK_OK(check_claims(claims.root(), rules));
  return std::move(*claims_text);
}

}  // namespace weir::identity
