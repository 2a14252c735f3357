#include "sim/token_issuer.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

constexpr std::string_view kGoogleGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
constexpr int64_t kClockSkewS = 60;

std::string form_value(std::string_view form, std::string_view name) {
  for (const std::string_view pair : split(form, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string value(pair.substr(equals + 1));
    std::replace(value.begin(), value.end(), '+', ' ');
    return percent_decode(value).value_or("");
  }
  return {};
}

int64_t seconds(Nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

// What is wrong with the claims of an assertion; empty for nothing.
std::string claims_fault(std::string_view jwt, int64_t now_ms) {
  const auto parts = split(jwt, '.');
  if (parts.size() != 3) return "Invalid JWT: expected three parts";
  const auto header = base64url_decode(parts[0]);
  const auto claims = base64url_decode(parts[1]);
  json::Document head;
  json::Document body;
  if (!header || !claims || !head.parse(*header) || !body.parse(*claims)) {
    return "Invalid JWT: header or claims are not base64url JSON";
  }
  if (!head.root()["alg"].equals("RS256")) return "Invalid JWT: alg must be RS256";
  const json::Value root = body.root();
  if (root["iss"].string_or("").empty()) return "Invalid JWT: iss is missing";
  if (root["aud"].string_or("").empty()) return "Invalid JWT: aud is missing";
  if (root["scope"].string_or("").empty()) return "Invalid JWT: scope is missing";
  const auto issued = root["iat"].as_int64();
  const auto expires = root["exp"].as_int64();
  const int64_t now_s = now_ms / 1000;
  if (!issued || !expires) return "Invalid JWT: iat and exp are required";
  if (*issued > now_s + kClockSkewS || *expires < now_s - kClockSkewS ||
      *expires - *issued > 3600) {
    return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
           "timeframe";
  }
  return {};
}

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

KeyPtr read_public_key(const std::string& pem) {
  const auto open = [&pem] {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  };
  if (pem.find("BEGIN CERTIFICATE") != std::string::npos) {
    const CertificatePtr certificate(PEM_read_bio_X509(open().get(), nullptr, nullptr, nullptr),
                                     &X509_free);
    if (certificate) return {X509_get_pubkey(certificate.get()), &EVP_PKEY_free};
  }
  return {PEM_read_bio_PUBKEY(open().get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
}

}  // namespace

Result<bool> verify_rs256(std::string_view jwt, const std::string& public_key_pem) {
  const KeyPtr key = read_public_key(public_key_pem);
  if (!key) return fail(ErrorCode::invalid_argument, "expected a public key or certificate in PEM");
  const size_t dot = jwt.rfind('.');
  const auto signature =
      dot == std::string_view::npos ? std::nullopt : base64url_decode(jwt.substr(dot + 1));
  if (!signature) return false;
  const DigestPtr digest(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1) {
    return false;
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature->data());
  const auto* text = reinterpret_cast<const unsigned char*>(jwt.data());
  return EVP_DigestVerify(digest.get(), bytes, signature->size(), text, dot) == 1;
}

std::string TokenIssuer::issue(std::string_view prefix, int64_t now_ms) {
  ++issued_;
  std::string token =
      fmt::format("{}sim-{}-{:016x}", prefix, issued_, hash_text(std::to_string(issued_)));
  tokens_.push_back({token, now_ms + seconds(lifetime_) * 1000});
  if (tokens_.size() > kTokensMax) tokens_.pop_front();
  return token;
}

TokenAnswer TokenIssuer::refuse(std::string_view error, std::string_view description) {
  ++counters_.refused;
  TokenAnswer answer;
  answer.status = error == "invalid_client" ? 401 : 400;
  json::Writer w(answer.body);
  w.begin_object().member("error", error).member("error_description", description).end_object();
  return answer;
}

TokenAnswer TokenIssuer::entra(std::string_view body, int64_t now_ms) {
  if (form_value(body, "grant_type") != "client_credentials") {
    return refuse("unsupported_grant_type", "AADSTS70003: expected client_credentials");
  }
  if (form_value(body, "client_id").empty()) {
    return refuse("invalid_request", "AADSTS900144: the body must contain client_id");
  }
  const std::string secret = form_value(body, "client_secret");
  if (secret.empty() && form_value(body, "client_assertion").empty()) {
    return refuse("invalid_client", "AADSTS7000216: client_secret or client_assertion is required");
  }
  if (secret == "wrong") {
    return refuse("invalid_client", "AADSTS7000215: Invalid client secret provided");
  }
  if (!form_value(body, "scope").ends_with("/.default")) {
    return refuse("invalid_scope", "AADSTS1002012: scope must end in /.default");
  }
  ++counters_.entra;
  TokenAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().member("token_type", "Bearer").member("expires_in", seconds(lifetime_));
  w.member("ext_expires_in", seconds(lifetime_));
  w.member("access_token", issue("eyJ0eXAi.", now_ms)).end_object();
  return answer;
}

TokenAnswer TokenIssuer::google(std::string_view body, int64_t now_ms) {
  if (form_value(body, "grant_type") != kGoogleGrant) {
    return refuse("unsupported_grant_type", "Invalid grant_type");
  }
  const std::string assertion = form_value(body, "assertion");
  if (const std::string fault = claims_fault(assertion, now_ms); !fault.empty()) {
    return refuse("invalid_grant", fault);
  }
  if (!google_public_key_.empty() && !verify_rs256(assertion, google_public_key_).value_or(false)) {
    return refuse("invalid_grant", "Invalid JWT Signature.");
  }
  ++counters_.google;
  TokenAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().member("access_token", issue("ya29.", now_ms));
  w.member("expires_in", seconds(lifetime_)).member("token_type", "Bearer").end_object();
  return answer;
}

bool TokenIssuer::valid(std::string_view token, int64_t now_ms) const {
  return std::any_of(tokens_.begin(), tokens_.end(),
                     [&](const Token& one) { return one.text == token && now_ms < one.until_ms; });
}

}  // namespace weir::sim
