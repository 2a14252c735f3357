#include "sim/token_issuer.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

#include "base/encoding.h"
#include "base/json/document.h"

namespace weir::sim {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

std::string token_in(const TokenAnswer& answer) {
  json::Document document;
  EXPECT_TRUE(document.parse(answer.body)) << answer.body;
  return document.root()["access_token"].string_or("");
}

class Signer {
 public:
  Signer() : key_(EVP_RSA_gen(2048), &EVP_PKEY_free) {}

  std::string public_pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_PUBKEY(out.get(), key_.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<size_t>(size)};
  }

  std::string sign(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                         &EVP_MD_CTX_free);
    EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    std::string signature(512, '\0');
    size_t size = signature.size();
    EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    signature.resize(size);
    return signature;
  }

  // A grant form with claims good at kNow but for what is given.
  std::string grant(int64_t issued_s = kNow / 1000, int64_t lifetime_s = 3600) const {
    const std::string claims = R"({"iss":"a@b.iam","scope":"s","aud":"t","iat":)" +
                               std::to_string(issued_s) + R"(,"exp":)" +
                               std::to_string(issued_s + lifetime_s) + "}";
    const std::string text =
        base64url_encode(R"({"alg":"RS256","typ":"JWT"})") + "." + base64url_encode(claims);
    return "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + text +
           "." + base64url_encode(sign(text));
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

TEST(TokenIssuer, GoogleVerifiesTheSignature) {
  const Signer signer;
  const Signer stranger;
  TokenIssuer issuer(std::chrono::seconds(100), signer.public_pem());
  const TokenAnswer good = issuer.google(signer.grant(), kNow);
  ASSERT_EQ(good.status, 200) << good.body;
  const std::string token = token_in(good);
  EXPECT_TRUE(issuer.valid(token, kNow));
  EXPECT_TRUE(issuer.valid(token, kNow + 99'000));
  EXPECT_FALSE(issuer.valid(token, kNow + 100'000));
  EXPECT_EQ(issuer.google(stranger.grant(), kNow).status, 400);
  EXPECT_EQ(issuer.google(signer.grant(kNow / 1000 - 8000), kNow).status, 400) << "expired";
  EXPECT_EQ(issuer.google(signer.grant(kNow / 1000, 7200), kNow).status, 400) << "too long";
  EXPECT_EQ(issuer.google("grant_type=x", kNow).status, 400);
  EXPECT_EQ(issuer.counters().google, 1U);
  EXPECT_EQ(issuer.counters().refused, 4U);
  issuer.revoke_all();
  EXPECT_FALSE(issuer.valid(token, kNow));
  EXPECT_FALSE(verify_rs256("a.b.c", "no key"));
}

TEST(TokenIssuer, Entra) {
  TokenIssuer issuer(std::chrono::hours(1), "");
  const std::string form =
      "grant_type=client_credentials&client_id=i&client_secret=s"
      "&scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default";
  const TokenAnswer good = issuer.entra(form, kNow);
  ASSERT_EQ(good.status, 200) << good.body;
  EXPECT_TRUE(issuer.valid(token_in(good), kNow));
  EXPECT_NE(token_in(good), token_in(issuer.entra(form, kNow)));
  struct Case {
    std::string_view form;
    int status;
  };
  for (const Case& c :
       {Case{"grant_type=password", 400}, Case{"grant_type=client_credentials&client_id=i", 401},
        Case{"grant_type=client_credentials&client_id=i&client_secret=wrong", 401},
        Case{"grant_type=client_credentials&client_id=i&client_secret=s&scope=x", 400}}) {
    EXPECT_EQ(issuer.entra(c.form, kNow).status, c.status) << c.form;
  }
  EXPECT_EQ(issuer.counters().entra, 2U);
}

}  // namespace
}  // namespace weir::sim
