// Signing in at an identity provider of our own, in memory: what it is asked, what is believed, and
// when its keys are read again. The forged tokens themselves are in jwt_test.cc.
#include "identity/oidc.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>

#include "base/encoding.h"
#include "http/server.h"
#include "net/memory_stream.h"

namespace weir::identity {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kIssuer = "http://127.0.0.1:9000";
constexpr std::string_view kSecret = "zebra-client-secret";

class Signer {
 public:
  explicit Signer(std::string kid)
      : kid_(std::move(kid)), key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")) {}
  ~Signer() { EVP_PKEY_free(key_); }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  std::string jwk() const {
    std::string raw(32, '\0');
    size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key_, reinterpret_cast<uint8_t*>(raw.data()), &size);
    return fmt::format(R"({{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}"}})", kid_,
                       base64url_encode(raw));
  }
  std::string token(std::string_view claims) const {
    const std::string text =
        base64url_encode(fmt::format(R"({{"alg":"EdDSA","kid":"{}"}})", kid_)) + "." +
        base64url_encode(claims);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_);
    std::string out(64, '\0');
    size_t size = out.size();
    EVP_DigestSign(context, reinterpret_cast<uint8_t*>(out.data()), &size,
                   reinterpret_cast<const uint8_t*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    return text + "." + base64url_encode(out);
  }

 private:
  std::string kid_;
  EVP_PKEY* key_;
};

class OidcTest : public testing::Test {
 protected:
  OidcTest() : network_(loop_), client_(loop_, network_) {
    clock_.advance(std::chrono::hours(1));
    network_.listen("127.0.0.1", 9000, [this](std::unique_ptr<net::MemoryStream> stream) {
      server_.serve_connection(std::move(stream));
    });
    OidcConfig config{.issuer = std::string(kIssuer),
                      .client_id = "weir",
                      .client_secret = Secret(std::string(kSecret)),
                      .redirect_uri = "https://weir.example/api/v1/oidc/callback"};
    config.roles = {{"people", RoleSet{Role::viewer}}};
    oidc_ = std::make_unique<Oidc>(loop_, client_, std::move(config));
  }
  ~OidcTest() override { loop_.destroy_tasks(); }

  net::Task<void> provide(http::ServerExchange& exchange) {
    const std::string path(exchange.head().path);
    ++asked_[path];
    std::string body;
    while (true) {
      const auto piece = co_await exchange.read_body();
      if (!piece || piece->empty()) break;
      body += *piece;
    }
    std::string answer;
    int status = status_;
    if (path == "/.well-known/openid-configuration") {
      answer = fmt::format(R"({{"issuer":"{}","authorization_endpoint":"{}/authorize",)"
                           R"("token_endpoint":"{}","jwks_uri":"{}/keys"}})",
                           names_itself_, kIssuer, token_endpoint_, kIssuer);
    } else if (path == "/keys") {
      answer = fmt::format(R"({{"keys":[{}]}})", keys_);
    } else {
      redeemed_ = body;
      authorization_ = exchange.head().headers.get("authorization");
      status = token_status_;
      answer = token_status_ == 200 ? fmt::format(R"({{"id_token":"{}"}})", id_token_) : refusal_;
    }
    http::HeaderMap fields;
    fields.set("content-type", "application/json");
    const http::ResponseHead head{.status = status, .reason = {}, .headers = fields.list()};
    (void)co_await exchange.respond(head, answer);
  }
  template <class T>
  Result<T> run(net::Task<Result<T>> task) {
    auto done = net::run_task(loop_, std::move(task));
    return done ? std::move(*done) : fail(ErrorCode::internal, "hangs");
  }
  void advance(Nanoseconds by) {
    clock_.advance(by);
    loop_.run_until_idle();  // its turn reads the clock
  }
  // A sign-in on its way, and the provider's token for it.
  struct UnderWay {
    std::string state, nonce, cookie;
  };
  UnderWay begin() {
    auto started = run(oidc_->start("/costs"));
    EXPECT_TRUE(started) << started.error().message();
    if (!started) return {};
    const auto value = [&](std::string_view name) {
      const size_t at = started->location.find(fmt::format("&{}=", name)) + name.size() + 2;
      return started->location.substr(at, started->location.find('&', at) - at);
    };
    location_ = started->location;
    return {value("state"), value("nonce"), std::string(started->cookie.reveal())};
  }
  std::string claims(std::string_view nonce, std::string_view groups = R"(["people"])") {
    const int64_t now = clock_.wall_ms() / 1000;
    return fmt::format(R"({{"iss":"{}","aud":"weir","sub":"s1","iat":{},"exp":{},"nonce":"{}",)"
                       R"("preferred_username":"ada","groups":{}}})",
                       kIssuer, now, now + 300, nonce, groups);
  }
  Result<Vouched> finish(const UnderWay& at, std::string code = "c1", std::string issuer = {}) {
    return run(oidc_->finish(at.state, std::move(code), std::move(issuer), at.cookie));
  }

  ManualClock clock_;
  net::Loop loop_{clock_};
  net::MemoryNetwork network_;
  http::Client client_;
  http::Server server_{
      loop_, {}, [this](http::ServerExchange& exchange) { return provide(exchange); }, {}};
  Signer first_{"k1"}, second_{"k2"};
  std::string names_itself_{kIssuer}, token_endpoint_ = std::string(kIssuer) + "/token";
  std::string keys_ = first_.jwk(), id_token_, refusal_, redeemed_, authorization_, location_;
  int status_ = 200, token_status_ = 200;
  std::map<std::string, int> asked_;
  std::unique_ptr<Oidc> oidc_;
};

TEST_F(OidcTest, ACodeBecomesWhomTheProviderVouchesFor) {
  const UnderWay at = begin();
  EXPECT_THAT(location_, HasSubstr("code_challenge_method=S256"));
  EXPECT_THAT(location_, Not(HasSubstr(std::string(kSecret))));
  id_token_ = first_.token(claims(at.nonce));
  const auto who = finish(at, "c1", std::string(kIssuer));
  ASSERT_TRUE(who) << who.error().message();
  EXPECT_EQ(who->name, "ada");
  EXPECT_TRUE(who->roles.has(Role::viewer));
  EXPECT_FALSE(who->roles.has(Role::admin));
  EXPECT_EQ(who->return_to, "/costs");
  EXPECT_THAT(redeemed_, HasSubstr("code_verifier="));
  EXPECT_THAT(redeemed_, Not(HasSubstr(std::string(kSecret)))) << "it goes in the header";
  EXPECT_TRUE(authorization_.starts_with("Basic "));
  EXPECT_FALSE(finish(at)) << "a state is good once";
  EXPECT_EQ(oidc_->counts().succeeded, 1U);
  EXPECT_EQ(oidc_->counts().failed, 1U);
}

TEST_F(OidcTest, WhatDoesNotFitSignsNobodyIn) {
  const auto code_of = [](const Result<Vouched>& who) {
    return who ? ErrorCode::internal : who.error().code();
  };
  UnderWay at = begin();
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_EQ(code_of(finish({"another", "", at.cookie})), ErrorCode::permission_denied);
  EXPECT_EQ(code_of(finish({at.state, "", "another"})), ErrorCode::permission_denied);
  // Which did not use up the sign-in of the browser that began it.
  EXPECT_TRUE(finish(at));
  at = begin();
  EXPECT_EQ(code_of(finish(at, "c1", "https://evil.example")), ErrorCode::permission_denied);
  at = begin();
  EXPECT_EQ(code_of(finish(at, "")), ErrorCode::permission_denied);
  at = begin();
  id_token_ = first_.token(claims("another-nonce"));
  EXPECT_EQ(code_of(finish(at)), ErrorCode::permission_denied);
  at = begin();
  id_token_ = first_.token(claims(at.nonce, R"(["strangers"])"));
  EXPECT_EQ(code_of(finish(at)), ErrorCode::permission_denied) << "no group with a role";
  at = begin();
  id_token_ = second_.token(claims(at.nonce));
  EXPECT_EQ(code_of(finish(at)), ErrorCode::permission_denied)
      << "a key that is not the provider's";
  at = begin();
  advance(Oidc::kPendingLife + std::chrono::seconds(1));
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_EQ(code_of(finish(at)), ErrorCode::permission_denied) << "too late";
}

TEST_F(OidcTest, ARefusalIsToldInAWordOrNotAtAll) {
  UnderWay at = begin();
  token_status_ = 400;
  refusal_ = R"({"error":"invalid_grant"})";
  EXPECT_THAT(std::string(finish(at).error().message()), HasSubstr("invalid_grant"));
  at = begin();
  refusal_ = R"({"error":"you sent zebra-client-secret"})";
  EXPECT_THAT(std::string(finish(at).error().message()), Not(HasSubstr("zebra")));
}

TEST_F(OidcTest, AnotherProvidersDocumentAndUnsafeEndpointsAreRefused) {
  names_itself_ = "https://other.example";
  EXPECT_EQ(run(oidc_->start("/")).error().code(), ErrorCode::unavailable);
  names_itself_ = kIssuer;
  token_endpoint_ = "http://id.example/token";
  EXPECT_EQ(run(oidc_->start("/")).error().code(), ErrorCode::unavailable);
  status_ = 500;
  EXPECT_EQ(run(oidc_->start("/")).error().code(), ErrorCode::unavailable);
}

TEST_F(OidcTest, KeysAreReadAgainForOneThatIsNewAndNotForEachForgery) {
  UnderWay at = begin();
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_TRUE(finish(at));
  EXPECT_EQ(asked_["/keys"], 1);
  for (int i = 0; i < 5; ++i) {
    at = begin();
    id_token_ = second_.token(claims(at.nonce));
    EXPECT_FALSE(finish(at));
  }
  EXPECT_EQ(asked_["/keys"], 1) << "within kFetchPause";
  advance(Oidc::kFetchPause);
  keys_ = second_.jwk();
  at = begin();
  id_token_ = second_.token(claims(at.nonce));
  EXPECT_TRUE(finish(at)) << "rolled over";
  EXPECT_EQ(asked_["/keys"], 2);
  at = begin();
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_FALSE(finish(at)) << "the old key is gone";
  EXPECT_EQ(oidc_->counts().key_fetches, 2U);
  EXPECT_EQ(oidc_->counts().key_fetch_failures, 0U);
}

TEST_F(OidcTest, OldKeysAreBetterThanNoneForADay) {
  UnderWay at = begin();
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_TRUE(finish(at));
  keys_ = "broken";
  advance(Oidc::kKeysAge + std::chrono::seconds(1));
  at = begin();
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_TRUE(finish(at));
  EXPECT_EQ(oidc_->counts().key_fetch_failures, 1U);
  advance(Oidc::kKeysAgeMost);
  at = begin();
  id_token_ = first_.token(claims(at.nonce));
  EXPECT_EQ(finish(at).error().code(), ErrorCode::unavailable);
}

TEST_F(OidcTest, SignInsUnderWayAreBounded) {
  const UnderWay oldest = begin();
  for (size_t i = 0; i < Oidc::kPendingMax; ++i) {
    advance(Milliseconds(1));
    ASSERT_TRUE(run(oidc_->start("/")));
  }
  EXPECT_EQ(oidc_->counts().pending, Oidc::kPendingMax);
  EXPECT_EQ(oidc_->counts().pending_dropped, 1U);
  id_token_ = first_.token(claims(oldest.nonce));
  EXPECT_FALSE(finish(oldest));
}

}  // namespace
}  // namespace weir::identity
