#include "http/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "base/date.h"
#include "base/encoding.h"
#include "base/text.h"

namespace weir::http {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr size_t kHashBytes = 32;

using SignedHeaders = std::map<std::string, std::string>;

Result<std::string> sha256(std::span<const std::string_view> pieces) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  std::string hash(kHashBytes, '\0');
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const std::string_view piece : pieces) {
    good = good && EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1;
  }
  good = good && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(hash.data()),
                                    nullptr) == 1;
  if (!good) return fail(ErrorCode::internal, "SHA-256 failed");
  return hex_encode(hash);
}

Result<std::string> sha256(std::string_view text) {
  return sha256(std::span<const std::string_view>(&text, 1));
}

Result<std::string> hmac(std::string_view key, std::string_view text) {
  std::string out(kHashBytes, '\0');
  unsigned int size = 0;
  const unsigned char* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                   reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                   reinterpret_cast<unsigned char*>(out.data()), &size);
  if (done == nullptr || size != kHashBytes) return fail(ErrorCode::internal, "HMAC failed");
  return out;
}

// "20150830T123600Z" of "2015-08-30T12:36:00.000Z".
std::string amz_date(int64_t wall_ms) {
  std::string text = rfc3339(wall_ms);
  text.resize(text.find('.'));
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

// The path encoded once more, slashes apart: what is %3A on the wire is %253A here.
std::string canonical_path(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  return path.empty() ? "/" : percent_encode(path, "/");
}

// Names and values in order. They are percent-encoded on the wire, the way AWS wants it.
std::string canonical_query(std::string_view target) {
  const size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {};
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string_view pair : split(target.substr(mark + 1), '&')) {
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    pairs.emplace_back(pair.substr(0, equals),
                       equals == std::string_view::npos ? "" : pair.substr(equals + 1));
  }
  std::sort(pairs.begin(), pairs.end());
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    out += name + "=" + value;
  }
  return out;
}

// A header's value without blanks around it and with single ones inside.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : trim(value)) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && out.ends_with(' ')) continue;
    out += blank ? ' ' : c;
  }
  return out;
}

std::string scope_of(const SignedRequest& request, std::string_view date) {
  return std::string(date.substr(0, 8)) + "/" + std::string(request.region) + "/" +
         std::string(request.service) + "/aws4_request";
}

std::string names_of(const SignedHeaders& headers) {
  std::string names;
  for (const auto& [name, value] : headers) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

Result<std::string> signature_of(const SignedRequest& request, const SignedHeaders& headers,
                                 std::string_view date, const Secret& secret) {
  WEIR_TRY(const std::string payload, sha256(request.body));
  std::string canonical = std::string(request.method) + "\n" + canonical_path(request.target) +
                          "\n" + canonical_query(request.target) + "\n";
  for (const auto& [name, value] : headers) canonical += name + ":" + value + "\n";
  canonical += "\n" + names_of(headers) + "\n" + payload;
  WEIR_TRY(const std::string hash, sha256(canonical));
  const std::string text = std::string(kAlgorithm) + "\n" + std::string(date) + "\n" +
                           scope_of(request, date) + "\n" + hash;
  const Secret start("AWS4" + std::string(secret.reveal()));
  WEIR_TRY(std::string day, hmac(start.reveal(), date.substr(0, 8)));
  WEIR_TRY(std::string region, hmac(day, request.region));
  WEIR_TRY(std::string service, hmac(region, request.service));
  WEIR_TRY(const std::string key, hmac(service, "aws4_request"));
  WEIR_TRY(const std::string signature, hmac(key, text));
  return hex_encode(signature);
}

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "Credential=AKID/20150830/...", of the comma-separated list behind the algorithm.
std::string_view field_of(std::string_view authorization, std::string_view name) {
  if (!authorization.starts_with(kAlgorithm)) return {};
  for (const std::string_view part : split(authorization.substr(kAlgorithm.size()), ',')) {
    const std::string_view field = trim(part);
    if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=') {
      return field.substr(name.size() + 1);
    }
  }
  return {};
}

tl::unexpected<Error> refused(std::string message) {
  return fail(ErrorCode::permission_denied, std::move(message));
}

}  // namespace

Result<void> sign_v4(const SignedRequest& request, const AwsCredentials& credentials,
                     HeaderMap& headers) {
  const std::string date = amz_date(request.wall_ms);
  headers.set("x-amz-date", date);
  if (!credentials.session_token.empty()) {
    headers.set("x-amz-security-token", credentials.session_token.reveal());
  }
  SignedHeaders chosen;
  chosen["host"] = canonical_value(request.host);
  for (size_t i = 0; i < headers.size(); ++i) {
    const std::string name = lower(headers[i].name);
    if (name != "content-type" && !name.starts_with("x-amz")) continue;
    std::string& value = chosen[name];
    value += (value.empty() ? "" : ",") + canonical_value(headers[i].value);
  }
  WEIR_TRY(const std::string signature,
           signature_of(request, chosen, date, credentials.secret_access_key));
  headers.set("authorization", std::string(kAlgorithm) +
                                   " Credential=" + credentials.access_key_id + "/" +
                                   scope_of(request, date) + ", SignedHeaders=" + names_of(chosen) +
                                   ", Signature=" + signature);
  return {};
}

Result<void> verify_v4(const SignedRequest& request, const HeaderList& headers,
                       const AwsCredentials& credentials) {
  const std::string_view authorization = headers.get("authorization");
  const std::string_view date = headers.get("x-amz-date");
  if (!authorization.starts_with(kAlgorithm)) return refused("Missing Authentication Token");
  if (field_of(authorization, "Credential") !=
      credentials.access_key_id + "/" + scope_of(request, date)) {
    return refused("Credential should be scoped to a valid key, date, region and service");
  }
  if (headers.get("x-amz-security-token") != credentials.session_token.reveal()) {
    return refused("The security token included in the request is invalid");
  }
  const std::string oldest = amz_date(request.wall_ms - kSignatureSkewMaxMs);
  const std::string newest = amz_date(request.wall_ms + kSignatureSkewMaxMs);
  if (date < oldest) {
    return refused("Signature expired: " + std::string(date) + " is now earlier than " + oldest);
  }
  if (date > newest) {
    return refused("Signature not yet current: " + std::string(date) + " is still later than " +
                   newest);
  }
  SignedHeaders chosen;
  const std::string_view names = field_of(authorization, "SignedHeaders");
  for (const std::string_view name : split(names, ';')) {
    std::string value;
    for (const Header& header : headers) {
      if (!iequals(header.name, name)) continue;
      value += (value.empty() ? "" : ",") + canonical_value(header.value);
    }
    chosen[std::string(name)] = std::move(value);
  }
  if (!chosen.contains("host") || !chosen.contains("x-amz-date")) {
    return refused("Both host and x-amz-date must be signed headers");
  }
  WEIR_TRY(const std::string expected,
           signature_of(request, chosen, date, credentials.secret_access_key));
  if (!Secret(expected).equals(field_of(authorization, "Signature"))) {
    return refused("The request signature we calculated does not match the signature you provided");
  }
  return {};
}

}  // namespace weir::http
