#include "identity/oidc.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "access/key_format.h"
#include "base/encoding.h"
#include "base/json/document.h"
#include "base/utf8.h"
#include "identity/people_store.h"
#include "net/timer.h"

namespace weir::identity {
namespace {

constexpr Nanoseconds kEndpointsAge = std::chrono::hours(1);
constexpr size_t kGroupsMax = 2000;
constexpr json::Limits kJsonLimits{.depth_max = 16, .nodes_max = 20'000};

// HTTPS, or a provider on this machine.
bool is_safe(const std::string& url) {
  const auto origin = http::parse_origin(url);
  if (!origin) return false;
  if (url.starts_with("https://")) return true;
  return origin->host == "127.0.0.1" || origin->host == "localhost" || origin->host == "::1" ||
         origin->host == "[::1]";
}

std::string challenge_of(std::string_view verifier) {
  std::array<uint8_t, 32> hash{};
  EVP_Digest(verifier.data(), verifier.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  return base64url_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// 190 bits; twice that for the verifier, which has 43 characters at least.
Result<std::string> random_text(int times = 1) {
  std::string text;
  for (int i = 0; i < times; ++i) {
    WEIR_TRY(const Secret part, access::generate_key(""));
    text += part.reveal();
  }
  return text;
}

bool is_page(std::string_view path) {
  return path.size() <= 512 && path.starts_with('/') && !path.starts_with("//") &&
         std::ranges::none_of(path, [](char c) {
           return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '\\';
         });
}

// What may stand in a user's name, of what the provider calls somebody.
std::string user_name(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, kNameBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    name += byte <= 0x20 || byte >= 0x7f || c == '/' || c == ':' ? '_' : c;
  }
  return name;
}

tl::unexpected<Error> refused(std::string why) {
  return fail(ErrorCode::permission_denied, std::move(why));
}

}  // namespace

Oidc::Oidc(net::Loop& loop, http::Client& client, OidcConfig config)
    : loop_(loop), client_(client), config_(std::move(config)) {}

net::Task<Result<Oidc::Answer>> Oidc::ask(std::string method, std::string url, std::string body,
                                          std::string authorization) {
  if (!is_safe(url)) {
    co_return fail(ErrorCode::invalid_argument, fmt::format("{}: must be https", url));
  }
  std::string_view path;
  auto origin = http::parse_origin(url, &path);
  if (!origin) co_return fail(std::move(origin).error());
  http::RequestBuilder head(method, path.empty() ? "/" : path, http::host_field(*origin));
  head.header("accept", "application/json");
  head.header("user-agent", "weir");
  if (!body.empty()) head.header("content-type", "application/x-www-form-urlencoded");
  if (!authorization.empty()) head.header("authorization", authorization);
  const std::string_view pieces[] = {body};
  http::ClientRequest request{.head = head.text()};
  if (!body.empty()) request.body = pieces;
  auto started = co_await client_.start(*origin, request);
  if (!started) co_return fail(std::move(started).error());
  http::ClientExchange& exchange = **started;
  net::Timer deadline(loop_, [&exchange] {
    exchange.cancel({ErrorCode::timeout, "the identity provider did not answer within 10 s"});
  });
  deadline.arm(kTimeout);
  auto response = co_await exchange.response();
  if (!response) co_return fail(std::move(response).error());
  Answer answer{.status = (*response)->status, .body = {}};
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) co_return fail(std::move(piece).error());
    if (piece->empty()) co_return answer;
    answer.body += *piece;
    if (answer.body.size() > kBodyBytesMax) {
      co_return fail(ErrorCode::limit_exceeded, "the identity provider's answer is over 256 KiB");
    }
  }
}

net::Task<Result<Oidc::Endpoints>> Oidc::endpoints() {
  if (endpoints_ && loop_.now() - endpoints_->found < kEndpointsAge) co_return *endpoints_;
  auto answer = co_await ask("GET", config_.issuer + "/.well-known/openid-configuration", {}, {});
  if (!answer) co_return fail(std::move(answer).error());
  json::Document document;
  if (answer->status != 200 || !document.parse(answer->body, kJsonLimits)) {
    co_return fail(ErrorCode::unavailable,
                   fmt::format("the identity provider's configuration cannot be read: status {}",
                               answer->status));
  }
  const json::Value root = document.root();
  // Another issuer's document would make this one's tokens out of that one's.
  if (!root["issuer"].equals(config_.issuer)) {
    co_return fail(ErrorCode::unavailable,
                   fmt::format("the identity provider calls itself \"{}\", not \"{}\"",
                               root["issuer"].string_or(""), config_.issuer));
  }
  Endpoints found{.authorization = root["authorization_endpoint"].string_or(""),
                  .token = root["token_endpoint"].string_or(""),
                  .keys = root["jwks_uri"].string_or(""),
                  .found = loop_.now()};
  for (const std::string* url : {&found.authorization, &found.token, &found.keys}) {
    if (!is_safe(*url)) {
      co_return fail(ErrorCode::unavailable,
                     fmt::format("the identity provider's endpoint \"{}\" is no https URL", *url));
    }
  }
  const json::Value methods = root["token_endpoint_auth_methods_supported"];
  bool basic = !methods.is_array();
  for (const json::Value method : methods.elements()) {
    basic = basic || method.equals("client_secret_basic");
  }
  found.secret_in_body = !basic;
  endpoints_ = found;
  co_return found;
}

net::Task<Result<void>> Oidc::fetch_keys() {
  const Nanoseconds now = loop_.now();
  ++counts_.key_fetches;
  const Nanoseconds pause =
      std::min(kFetchPause * (1U << std::min(fetch_failures_, 8U)), kFetchPauseMost);
  next_fetch_ = now + pause;
  ++fetch_failures_;
  const auto failed = [this](Error error) {
    ++counts_.key_fetch_failures;
    return fail(std::move(error));
  };
  auto at = co_await endpoints();
  if (!at) co_return failed(std::move(at).error());
  auto answer = co_await ask("GET", at->keys, {}, {});
  if (!answer) co_return failed(std::move(answer).error());
  if (answer->status != 200) {
    co_return failed({ErrorCode::unavailable,
                      fmt::format("the identity provider's keys: status {}", answer->status)});
  }
  auto keys = JwkSet::parse(answer->body);
  if (!keys) co_return failed({ErrorCode::unavailable, std::string(keys.error().message())});
  keys_ = std::move(*keys);
  keys_at_ = loop_.now();
  fetch_failures_ = 0;
  co_return Result<void>();
}

void Oidc::drop_old_pending() {
  std::erase_if(pending_,
                [this](const auto& one) { return loop_.now() - one.second.begun > kPendingLife; });
  while (pending_.size() >= kPendingMax) {
    pending_.erase(
        std::ranges::min_element(pending_, {}, [](const auto& one) { return one.second.begun; }));
    ++counts_.pending_dropped;
  }
}

net::Task<Result<Oidc::Started>> Oidc::start(std::string return_to) {
  auto at = co_await endpoints();
  if (!at) co_return fail(std::move(at).error());
  auto state = random_text();
  auto nonce = random_text();
  auto verifier = random_text(2);
  auto cookie = random_text();
  if (!state || !nonce || !verifier || !cookie) co_return fail(ErrorCode::unavailable);
  const bool query = at->authorization.find('?') != std::string::npos;
  Started started;
  started.location = fmt::format(
      "{}{}response_type=code&client_id={}&redirect_uri={}&scope={}&state={}&nonce={}"
      "&code_challenge={}&code_challenge_method=S256",
      at->authorization, query ? '&' : '?', percent_encode(config_.client_id),
      percent_encode(config_.redirect_uri), percent_encode(config_.scope), *state, *nonce,
      challenge_of(*verifier));
  started.cookie = Secret(*cookie);
  drop_old_pending();
  pending_.insert_or_assign(*state, Pending{.nonce = std::move(*nonce),
                                            .verifier = std::move(*verifier),
                                            .cookie = Secret(std::move(*cookie)),
                                            .return_to = is_page(return_to) ? return_to : "/",
                                            .begun = loop_.now()});
  co_return started;
}

net::Task<Result<Vouched>> Oidc::finish(std::string state, std::string code, std::string issuer,
                                        std::string cookie) {
  const auto found = pending_.find(state);
  if (found == pending_.end() || loop_.now() - found->second.begun > kPendingLife) {
    ++counts_.failed;
    co_return refused("no such sign-in is under way; begin again");
  }
  // Another browser's cookie does not use up this one's sign-in.
  if (!found->second.cookie.equals(cookie)) {
    ++counts_.failed;
    co_return refused("the sign-in began in another browser");
  }
  Pending pending = std::move(found->second);
  pending_.erase(found);
  // RFC 9207: against an answer that another provider has passed off as this one's.
  if (code.empty() || code.size() > 4096 || (!issuer.empty() && issuer != config_.issuer)) {
    ++counts_.failed;
    co_return refused("the identity provider did not sign anybody in");
  }
  auto done = co_await finish_pending(std::move(pending), std::move(code));
  ++(done ? counts_.succeeded : counts_.failed);
  co_return done;
}

net::Task<Result<Vouched>> Oidc::finish_pending(Pending pending, std::string code) {
  auto at = co_await endpoints();
  if (!at) co_return fail(std::move(at).error());
  auto token = co_await redeem(std::move(*at), std::move(code), pending.verifier);
  if (!token) co_return fail(std::move(token).error());
  auto claims = co_await verify(std::move(*token), pending.nonce);
  if (!claims) co_return fail(std::move(claims).error());
  auto who = vouched(*claims);
  if (who) who->return_to = std::move(pending.return_to);
  co_return who;
}

net::Task<Result<std::string>> Oidc::redeem(Endpoints at, std::string code, std::string verifier) {
  std::string body =
      fmt::format("grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={}",
                  percent_encode(code), percent_encode(config_.redirect_uri), verifier);
  std::string authorization;
  const std::string id = percent_encode(config_.client_id);
  const std::string secret = percent_encode(config_.client_secret.reveal());
  if (secret.empty() || at.secret_in_body) {
    body += "&client_id=" + id;
    if (!secret.empty()) body += "&client_secret=" + secret;
  } else {
    authorization = "Basic " + base64_encode(fmt::format("{}:{}", id, secret));
  }
  auto answer = co_await ask("POST", at.token, std::move(body), std::move(authorization));
  if (!answer) co_return fail(std::move(answer).error());
  json::Document document;
  const bool read = document.parse(answer->body, kJsonLimits).has_value();
  if (answer->status != 200 || !read) {
    std::string word = read ? document.root()["error"].string_or("") : "";
    // RFC 6749's are words; anything else may repeat what was sent, the client's secret with it.
    const bool plain = word.size() <= 64 && std::ranges::all_of(word, [](char c) {
                         return (c >= 'a' && c <= 'z') || c == '_';
                       });
    if (!plain) word = "(no error code)";
    co_return refused(
        fmt::format("the identity provider refused the code: {} {}", answer->status, word));
  }
  std::string token = document.root()["id_token"].string_or("");
  if (token.empty()) co_return refused("the identity provider sent no ID token");
  co_return token;
}

net::Task<Result<std::string>> Oidc::verify(std::string token, std::string nonce) {
  const JwtRules rules{.issuer = config_.issuer,
                       .client_id = config_.client_id,
                       .nonce = std::move(nonce),
                       .now_s = loop_.clock().wall_ms() / 1000};
  bool fetched = false;
  if (!keys_ || loop_.now() - keys_at_ > kKeysAge) {
    if (loop_.now() >= next_fetch_) {
      fetched = true;
      auto done = co_await fetch_keys();
      // Old keys are better than none while the provider is away.
      if (!done && (!keys_ || loop_.now() - keys_at_ > kKeysAgeMost)) {
        co_return fail(std::move(done).error());
      }
    }
    if (!keys_ || loop_.now() - keys_at_ > kKeysAgeMost) {
      co_return fail(ErrorCode::unavailable, "the identity provider's keys cannot be had");
    }
  }
  auto claims = verify_id_token(token, *keys_, rules);
  // A key that is not known may be a new one. It is asked for now and then, not for each forgery.
  if (!claims && claims.error().code() == ErrorCode::not_found && !fetched &&
      loop_.now() >= next_fetch_) {
    auto done = co_await fetch_keys();
    if (!done) co_return fail(std::move(done).error());
    claims = verify_id_token(token, *keys_, rules);
  }
  if (!claims && claims.error().code() == ErrorCode::not_found) {
    co_return refused(std::string(claims.error().message()));
  }
  co_return claims;
}

Result<Vouched> Oidc::vouched(const std::string& claims) const {
  json::Document document;
  WEIR_CHECK_OK(document.parse(claims, kJsonLimits));
  const json::Value root = document.root();
  Vouched who{.issuer = config_.issuer, .subject = root["sub"].string_or("")};
  // An address that nobody verified could be anybody's.
  const bool verified = root["email_verified"].as_bool().value_or(false);
  for (const std::string& name : {root["preferred_username"].string_or(""),
                                  verified ? root["email"].string_or("") : "", who.subject}) {
    who.name = user_name(name);
    if (!who.name.empty()) break;
  }
  const std::string display = root["name"].string_or("");
  for (const char c : utf8_truncate(display, kNameBytesMax)) {
    who.display += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  const json::Value groups = root[config_.groups_claim];
  const auto grant = [&](const std::string& group) {
    for (const auto& [name, roles] : config_.roles) {
      if (name != group) continue;
      for (const Role role : kRoles) {
        if (roles.has(role)) who.roles.add(role);
      }
    }
  };
  if (groups.is_string()) grant(groups.string_or(""));
  size_t count = 0;
  for (const json::Value group : groups.elements()) {
    if (++count > kGroupsMax) break;
    if (group.is_string()) grant(group.string_or(""));
  }
  if (who.roles.empty()) {
    return refused(fmt::format("none of the groups of \"{}\" has a role here", who.name));
  }
  return who;
}

}  // namespace weir::identity
