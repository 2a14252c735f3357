// Access tokens: the JWT is checked with the public key, the keeper with a manual clock against a
// scripted token endpoint.
#include "provider/token.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "net/memory_stream.h"

namespace weir::provider {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kNowMs = 1'780'272'000'000;

// One key pair for all tests: making one takes a while.
EVP_PKEY* test_key() {
  static EVP_PKEY* const key = EVP_RSA_gen(2048);
  return key;
}

std::string test_key_pem() {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, test_key(), nullptr, nullptr, 0, nullptr, nullptr);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string pem(bytes, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

bool verified(std::string_view text, std::string_view signature) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool good =
      EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, test_key()) == 1 &&
      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

std::string key_file(std::string_view pem) {
  return fmt::format(
      R"({{"type":"service_account","client_email":"me@p.iam","private_key_id":"kid-1",)"
      R"("private_key":{},"token_uri":"http://token/google"}})",
      json::quoted(pem));
}

TEST(ServiceAccount, TheAssertionIsSignedAndSaysWhatGoogleAsks) {
  const auto source = parse_service_account(key_file(test_key_pem()), "");
  ASSERT_TRUE(source) << source.error().message();
  const auto body = token_request_body(*source, kNowMs);
  ASSERT_TRUE(body);
  constexpr std::string_view kStart =
      "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
  ASSERT_TRUE(body->starts_with(kStart)) << *body;
  const std::string jwt = body->substr(kStart.size());
  const size_t first = jwt.find('.');
  const size_t second = jwt.find('.', first + 1);
  ASSERT_NE(second, std::string::npos);
  const auto header = base64url_decode(jwt.substr(0, first));
  const auto claims = base64url_decode(jwt.substr(first + 1, second - first - 1));
  const auto signature = base64url_decode(jwt.substr(second + 1));
  ASSERT_TRUE(header && claims && signature);
  EXPECT_EQ(*header, R"({"alg":"RS256","typ":"JWT","kid":"kid-1"})");
  json::Document document;
  ASSERT_TRUE(document.parse(*claims));
  EXPECT_TRUE(document.root()["iss"].equals("me@p.iam"));
  EXPECT_TRUE(document.root()["aud"].equals("http://token/google"));
  EXPECT_TRUE(document.root()["scope"].equals("https://www.googleapis.com/auth/cloud-platform"));
  EXPECT_EQ(document.root()["iat"].as_int64(), kNowMs / 1000);
  EXPECT_EQ(document.root()["exp"].as_int64(), kNowMs / 1000 + 3600);
  EXPECT_TRUE(verified(jwt.substr(0, second), *signature));
  EXPECT_FALSE(verified(jwt.substr(0, second) + "x", *signature));
}

TEST(ServiceAccount, AKeyThatCannotSignIsRefusedWithoutBeingShown) {
  for (const char* text : {"{}", R"({"client_email":"a"})", "not json"}) {
    EXPECT_FALSE(parse_service_account(text, "")) << text;
  }
  const auto bad = parse_service_account(key_file("-----BEGIN nothing secret-bytes"), "");
  ASSERT_FALSE(bad);
  EXPECT_THAT(std::string(bad.error().message()), Not(HasSubstr("secret-bytes")));
}

TEST(Entra, TheFormIsPercentEncoded) {
  TokenSource source;
  source.client_id = "id 1";
  source.client_secret = Secret("a+b&c=d");
  source.scope = "https://x/.default";
  EXPECT_EQ(*token_request_body(source, kNowMs),
            "grant_type=client_credentials&client_id=id%201&client_secret=a%2Bb%26c%3Dd"
            "&scope=https%3A%2F%2Fx%2F.default");
}

TEST(TokenReply, IsReadStrictlyAndItsLifeWithinReason) {
  struct Case {
    const char* body;
    int64_t seconds;
  };
  for (const auto& [body, life] :
       {Case{R"({"access_token":"t","expires_in":3599})", 3599},
        Case{R"({"access_token":"t","expires_in":"120"})", 120},
        Case{R"({"access_token":"t"})", 3600},
        Case{R"({"access_token":"t","expires_in":-5})", 3600},
        Case{R"({"access_token":"t","expires_in":"-5"})", 10},
        Case{R"({"access_token":"t","expires_in":9223372036854775807})", 86'400}}) {
    const auto token = parse_token_reply(200, body);
    ASSERT_TRUE(token) << body;
    EXPECT_EQ(token->value.reveal(), "t");
    EXPECT_EQ(token->lifetime, seconds(life)) << body;
  }
  EXPECT_FALSE(parse_token_reply(200, R"({"access_token":5})"));
  const auto odd = parse_token_reply(200, R"({"id_token":"secret-token"})");
  ASSERT_FALSE(odd);
  EXPECT_THAT(std::string(odd.error().message()), Not(HasSubstr("secret-token")));
  const auto refused = parse_token_reply(
      401, R"({"error":"invalid_client","error_description":"the secret has expired"})");
  ASSERT_FALSE(refused);
  EXPECT_THAT(std::string(refused.error().message()), HasSubstr("the secret has expired"));
}

class KeeperTest : public testing::Test {
 protected:
  KeeperTest() {
    network_.listen("token", 80, [this](std::unique_ptr<net::MemoryStream> stream) {
      loop_.spawn(serve(*this, std::move(stream)));
    });
  }
  ~KeeperTest() override { loop_.destroy_tasks(); }

  // Answers each request after delay_: a token with its number, or a 503.
  static net::Task<void> serve(KeeperTest& self, std::unique_ptr<net::MemoryStream> stream) {
    char buffer[4096];
    while (true) {
      const auto got = co_await stream->read(buffer);
      if (!got || *got == 0) co_return;
      const int number = ++self.fetches_;
      if (self.delay_.count() > 0) co_await net::sleep(self.loop_, self.delay_);
      const std::string body =
          self.broken_ ? "down"
                       : fmt::format(R"({{"access_token":"t{}","expires_in":600}})", number);
      const std::string text = fmt::format("HTTP/1.1 {} X\r\ncontent-length: {}\r\n\r\n{}",
                                           self.broken_ ? 503 : 200, body.size(), body);
      const std::string_view piece = text;
      if (!co_await stream->write_all({&piece, 1})) co_return;
    }
  }
  TokenKeeper::Entry entry() {
    TokenSource source;
    source.url = "http://token/entra";
    source.client_id = "id";
    return {"acc", source, state_};
  }

  ManualClock clock_{kNowMs};
  net::Loop loop_{clock_};
  net::MemoryNetwork network_{loop_};
  http::Client client_{loop_, network_};
  std::shared_ptr<AccountState> state_ = std::make_shared<AccountState>();
  int fetches_ = 0;
  int errors_ = 0;
  bool broken_ = false;
  Nanoseconds delay_{0};
  TokenKeeper keeper_{loop_, client_, [this](std::string_view, const Error* error) {
                        if (error != nullptr) ++errors_;
                      }};
};

TEST_F(KeeperTest, FetchesAtOnceAndAgainBeforeTheEnd) {
  EXPECT_TRUE(keeper_.ready());
  keeper_.keep({entry()});
  EXPECT_FALSE(keeper_.ready());
  loop_.run_until_idle();
  EXPECT_EQ(state_->token.get(), "t1");
  EXPECT_TRUE(keeper_.ready());
  loop_.advance(seconds(538));
  EXPECT_EQ(fetches_, 1);
  loop_.advance(seconds(3));  // a tenth of 600 s is left
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(state_->token.get(), "t2");
}

TEST_F(KeeperTest, ARefusedTokenIsReplacedOnce) {
  keeper_.keep({entry()});
  loop_.run_until_idle();
  delay_ = seconds(5);
  state_->credential.park_until(loop_.now(), loop_.now() + seconds(600));
  // Many requests are refused while the new token is fetched: one fetch.
  for (int i = 0; i < 6; ++i) {
    state_->token_refused = true;
    loop_.advance(seconds(1));
  }
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(state_->token.get(), "t2");
  EXPECT_EQ(state_->credential.ask(loop_.now()), Lease::Gate::open)
      << "the fresh token opens what the old one parked";
}

TEST_F(KeeperTest, BacksOffWhileTheEndpointFailsAndKeepsTheOldToken) {
  keeper_.keep({entry()});
  loop_.run_until_idle();
  broken_ = true;
  loop_.advance(Milliseconds(540'500));
  EXPECT_EQ(errors_, 1);
  EXPECT_EQ(state_->token.get(), "t1");
  loop_.advance(seconds(30));  // after 1, 2, 4, 8, 16 s
  EXPECT_GE(errors_, 4);
  EXPECT_LE(errors_, 6);
  broken_ = false;
  loop_.advance(TokenKeeper::kRetryMost);
  EXPECT_NE(state_->token.get(), "t1");
}

TEST_F(KeeperTest, AReloadKeepsTheTokenAndDropsWhatIsGone) {
  keeper_.keep({entry()});
  loop_.run_until_idle();
  keeper_.keep({entry()});
  loop_.run_until_idle();
  EXPECT_EQ(fetches_, 1);
  keeper_.keep({});
  loop_.advance(seconds(3600));
  EXPECT_EQ(fetches_, 1);
  EXPECT_EQ(state_->token.get(), "t1");
}

TEST_F(KeeperTest, AnEndpointThatHangsIsGivenUp) {
  delay_ = seconds(3600);
  keeper_.keep({entry()});
  loop_.advance(TokenKeeper::kTimeout + seconds(1));
  EXPECT_GE(errors_, 1);
  keeper_.keep({});  // while a fetch is under way
  loop_.run_until_idle();
}

TEST(TokenSlotTest, AReplacedTokenStaysReadableForAWhile) {
  TokenSlot slot;
  EXPECT_EQ(slot.get(), "");
  slot.publish(Secret("one"), 0);
  slot.publish(Secret("two"), 1000);
  slot.publish(Secret("three"), TokenSlot::kGraceMs * 3);
  EXPECT_EQ(slot.get(), "three");
}

}  // namespace
}  // namespace weir::provider
