// The two ways to ask for an access token: the request's text and the reply's, without the network.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "provider/token.h"

namespace weir::provider {
namespace {

constexpr int64_t kJwtLifetimeSeconds = 3600;
// What an endpoint says of a token's life is believed between these.
constexpr int64_t kLifetimeSecondsMin = 10;
constexpr int64_t kLifetimeSecondsMax = 86'400;
constexpr std::string_view kGoogleScope = "https://www.googleapis.com/auth/cloud-platform";

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeKey>;

// RSASSA-PKCS1-v1_5 with SHA-256 over `text`, as JWTs call RS256.
Result<std::string> sign_rs256(std::string_view pem, std::string_view text) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return fail(ErrorCode::invalid_argument,
                "private_key of the service account: expected an RSA private key in PEM form");
  }
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    return fail(ErrorCode::internal, "signing the service account's JWT failed");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) != 1) {
    return fail(ErrorCode::internal, "signing the service account's JWT failed");
  }
  signature.resize(size);
  return signature;
}

Result<std::string> google_assertion(const TokenSource& source, int64_t wall_ms) {
  std::string header;
  json::Writer head(header);
  head.begin_object().member("alg", "RS256").member("typ", "JWT");
  if (!source.private_key_id.empty()) head.member("kid", source.private_key_id);
  head.end_object();

  const int64_t now = wall_ms / 1000;
  std::string claims;
  json::Writer(claims)
      .begin_object()
      .member("iss", source.client_email)
      .member("scope", source.scope)
      .member("aud", source.url)
      .member("iat", now)
      .member("exp", now + kJwtLifetimeSeconds)
      .end_object();

  std::string jwt = base64url_encode(header) + "." + base64url_encode(claims);
  WEIR_TRY(const std::string signature, sign_rs256(source.private_key_pem.reveal(), jwt));
  return jwt + "." + base64url_encode(signature);
}

}  // namespace

Result<TokenSource> parse_service_account(std::string_view text, std::string_view token_endpoint) {
  json::Document document;
  WEIR_CHECK_OK(document.parse(text));
  const json::Value root = document.root();
  TokenSource source;
  source.kind = TokenSource::Kind::google_service_account;
  source.scope = kGoogleScope;
  source.client_email = root["client_email"].string_or("");
  source.private_key_id = root["private_key_id"].string_or("");
  source.private_key_pem = Secret(root["private_key"].string_or(""));
  source.url =
      token_endpoint.empty() ? root["token_uri"].string_or("") : std::string(token_endpoint);
  if (source.url.empty()) source.url = "https://oauth2.googleapis.com/token";
  for (const std::string_view member : {"client_email", "private_key"}) {
    if (!root[member].is_string()) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("expected a service account's key file with \"{}\"; create one in the "
                      "Google Cloud console under IAM, Service accounts, Keys",
                      member));
    }
  }
  // A key that cannot sign is found at start and not at the first request.
  WEIR_CHECK_OK(sign_rs256(source.private_key_pem.reveal(), "probe"));
  return source;
}

Result<std::string> token_request_body(const TokenSource& source, int64_t wall_ms) {
  if (source.kind == TokenSource::Kind::entra) {
    return "grant_type=client_credentials&client_id=" + percent_encode(source.client_id) +
           "&client_secret=" + percent_encode(source.client_secret.reveal()) +
           "&scope=" + percent_encode(source.scope);
  }
  WEIR_TRY(const std::string assertion, google_assertion(source, wall_ms));
  return "grant_type=" + percent_encode("urn:ietf:params:oauth:grant-type:jwt-bearer") +
         "&assertion=" + assertion;
}

Result<AccessToken> parse_token_reply(int status, std::string_view body) {
  json::Document document;
  const bool parsed = document.parse(body).has_value();
  const json::Value root = document.root();
  if (status == 200 && parsed && root["access_token"].is_string()) {
    // Entra says expires_in as a number, some proxies as a string; an hour where it is missing.
    int64_t seconds = root["expires_in"].as_int64().value_or(0);
    if (seconds <= 0) {
      seconds = parse_int64(root["expires_in"].string_or("")).value_or(kJwtLifetimeSeconds);
    }
    seconds = std::clamp(seconds, kLifetimeSecondsMin, kLifetimeSecondsMax);
    return AccessToken{Secret(root["access_token"].string_or("")), Milliseconds(seconds * 1000)};
  }
  std::string why = parsed ? root["error_description"].string_or(root["error"].string_or("")) : "";
  // What came with a 200 may hold a token under another name: it is not shown.
  if (why.empty() && status != 200) why = std::string(body.substr(0, 200));
  if (why.empty()) why = "no access_token";
  return fail(status == 200 ? ErrorCode::protocol_error : ErrorCode::permission_denied,
              fmt::format("the token endpoint answered {}: {}", status, why));
}

}  // namespace weir::provider
