// The corpus of forged ID tokens: each differs from a good one in one thing and must be refused.
#include "identity/jwt.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <functional>
#include <memory>

#include "base/encoding.h"

namespace weir::identity {
namespace {

constexpr int64_t kNow = 1'780'000'000;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

std::string number_of(EVP_PKEY* key, const char* name, int pad = 0) {
  BIGNUM* value = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key, name, &value), 1);
  std::string out(static_cast<size_t>(pad > 0 ? pad : BN_num_bytes(value)), '\0');
  BN_bn2binpad(value, reinterpret_cast<uint8_t*>(out.data()), static_cast<int>(out.size()));
  BN_free(value);
  return base64url_encode(out);
}

struct Signer {
  std::string alg, kid;
  Key key;

  std::string jwk(std::string_view more = "") const {
    if (alg == "RS256") {
      return fmt::format(R"({{"kty":"RSA","kid":"{}","n":"{}","e":"{}"{}}})", kid,
                         number_of(key.get(), OSSL_PKEY_PARAM_RSA_N),
                         number_of(key.get(), OSSL_PKEY_PARAM_RSA_E), more);
    }
    if (alg == "ES256") {
      return fmt::format(R"({{"kty":"EC","crv":"P-256","kid":"{}","x":"{}","y":"{}"{}}})", kid,
                         number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_X, 32),
                         number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, 32), more);
    }
    std::string raw(32, '\0');
    size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<uint8_t*>(raw.data()), &size);
    return fmt::format(R"({{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{}"{}}})", kid,
                       base64url_encode(raw), more);
  }
  std::string sign(std::string_view text) const {
    const bool plain = alg == "EdDSA";
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, plain ? nullptr : EVP_sha256(), nullptr, key.get());
    size_t size = 1024;
    std::string out(size, '\0');
    EXPECT_EQ(EVP_DigestSign(context, reinterpret_cast<uint8_t*>(out.data()), &size,
                             reinterpret_cast<const uint8_t*>(text.data()), text.size()),
              1);
    EVP_MD_CTX_free(context);
    out.resize(size);
    if (alg != "ES256") return out;
    const auto* der = reinterpret_cast<const uint8_t*>(out.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size));
    std::string raw(64, '\0');
    auto* to = reinterpret_cast<uint8_t*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), to, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), to + 32, 32);
    ECDSA_SIG_free(signature);
    return raw;
  }
  std::string token(std::string_view header, std::string_view claims) const {
    std::string text = base64url_encode(header) + "." + base64url_encode(claims);
    return text + "." + base64url_encode(sign(text));
  }
  std::string header() const { return fmt::format(R"({{"alg":"{}","kid":"{}"}})", alg, kid); }
};

Signer make(std::string alg, std::string kid) {
  Key key(alg == "RS256"   ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048})
          : alg == "ES256" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")
                           : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_NE(key, nullptr);
  return {std::move(alg), std::move(kid), std::move(key)};
}

std::string claims(std::string_view changed = {}, std::string_view to = {}) {
  std::vector<std::pair<std::string, std::string>> all = {{"iss", "\"https://id.example\""},
                                                          {"aud", "\"weir\""},
                                                          {"sub", "\"s-1\""},
                                                          {"exp", fmt::format("{}", kNow + 300)},
                                                          {"iat", fmt::format("{}", kNow)},
                                                          {"nonce", "\"n-1\""},
                                                          {"groups", R"(["admins"])"}};
  std::string out;
  bool found = false;
  for (auto& [name, value] : all) {
    if (name == changed) {
      found = true;
      if (to.empty()) continue;
      value = to;
    }
    out += fmt::format("{}\"{}\":{}", out.empty() ? "{" : ",", name, value);
  }
  if (!changed.empty() && !found) out += fmt::format(",\"{}\":{}", changed, to);
  return out + "}";
}

const JwtRules kRules{
    .issuer = "https://id.example", .client_id = "weir", .nonce = "n-1", .now_s = kNow};

class JwtTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    rsa_ = new Signer(make("RS256", "rsa-1"));
    ec_ = new Signer(make("ES256", "ec-1"));
    ed_ = new Signer(make("EdDSA", "ed-1"));
    other_ = new Signer(make("RS256", "rsa-2"));
  }
  static JwkSet keys() {
    return *JwkSet::parse(
        fmt::format(R"({{"keys":[{},{},{}]}})", rsa_->jwk(), ec_->jwk(), ed_->jwk()));
  }
  static Result<std::string> verify(std::string_view token) {
    return verify_id_token(token, keys(), kRules);
  }
  static Signer* rsa_;
  static Signer* ec_;
  static Signer* ed_;
  static Signer* other_;
};
Signer* JwtTest::rsa_;
Signer* JwtTest::ec_;
Signer* JwtTest::ed_;
Signer* JwtTest::other_;

TEST_F(JwtTest, GoodTokensOfEveryAllowedKindAreTaken) {
  for (const Signer* signer : {rsa_, ec_, ed_}) {
    const auto found = verify(signer->token(signer->header(), claims()));
    ASSERT_TRUE(found) << signer->alg << ": " << found.error().message();
    EXPECT_EQ(*found, claims());
  }
  for (const std::string& good :
       {claims("aud", R"(["weir"])"), claims("exp", fmt::format("{}", kNow - 59)),
        claims("iat", fmt::format("{}", kNow + 59)), claims("nbf", fmt::format("{}", kNow + 60)),
        claims("azp", R"("weir")"), claims("exp", fmt::format("{}.5", kNow + 1)),
        std::string(claims("aud", R"(["other","weir"],"azp":"weir")"))}) {
    EXPECT_TRUE(verify(rsa_->token(rsa_->header(), good))) << good;
  }
  EXPECT_TRUE(verify(rsa_->token(R"({"alg":"RS256","kid":"rsa-1","typ":"jwt"})", claims())));
  // Without a name the only key of its kind is meant.
  EXPECT_TRUE(verify(ec_->token(R"({"alg":"ES256"})", claims())));
}

TEST_F(JwtTest, WrongClaimsAreRefused) {
  struct Case {
    const char* name;
    std::string value;  // empty: left out
  };
  const Case cases[] = {
      {"iss", ""},
      {"iss", R"("https://id.example/")"},
      {"iss", R"("http://id.example")"},
      {"iss", R"(["https://id.example"])"},
      {"iss", "null"},
      {"aud", ""},
      {"aud", R"("weir2")"},
      {"aud", R"([])"},
      {"aud", R"(["other"])"},
      {"aud", R"(["weir","other"])"},  // and no azp
      {"aud", R"(["weir",7])"},
      {"aud", R"({"weir":"weir"})"},
      {"azp", R"("other")"},
      {"azp", "null"},
      {"exp", ""},
      {"exp", fmt::format("{}", kNow - 60)},
      {"exp", "0"},
      {"exp", "-1"},
      {"exp", "1e300"},
      {"exp", fmt::format("\"{}\"", kNow + 300)},
      {"exp", "null"},
      {"iat", ""},
      {"iat", fmt::format("{}", kNow + 61)},
      {"iat", R"("now")"},
      {"nbf", fmt::format("{}", kNow + 61)},
      {"nbf", R"("then")"},
      {"nonce", ""},
      {"nonce", R"("n-2")"},
      {"nonce", R"("")"},
      {"nonce", R"(["n-1"])"},
      {"sub", ""},
      {"sub", R"("")"},
      {"sub", "7"},
      {"sub", fmt::format("\"{}\"", std::string(256, 's'))},
      // The same claim twice: readers differ on which one counts.
      {"x\":1,\"iss", R"("https://id.example")"},
      {"x\":1,\"sub", R"("root")"},
      {"x\":1,\"nonce", R"("n-1")"},
      {"x\":1,\"groups", R"(["root"])"},
  };
  for (const auto& [name, value] : cases) {
    const auto found = verify(rsa_->token(rsa_->header(), claims(name, value)));
    ASSERT_FALSE(found) << name << " " << value;
    EXPECT_EQ(found.error().code(), ErrorCode::permission_denied) << name << " " << value;
  }
  for (const char* text : {"", "[]", "7", "{", R"({"iss":"https://id.example"} x)", "\xff"}) {
    EXPECT_FALSE(verify(rsa_->token(rsa_->header(), text))) << text;
  }
  JwtRules without = kRules;
  without.nonce.clear();
  EXPECT_FALSE(
      verify_id_token(rsa_->token(rsa_->header(), claims("nonce", R"("")")), keys(), without));
}

TEST_F(JwtTest, ForgedHeadersAndSignaturesAreRefused) {
  const std::string good = rsa_->token(rsa_->header(), claims());
  const size_t dot = good.rfind('.');
  const std::string body = base64url_encode(claims());
  const auto unsigned_with = [&](std::string_view header, std::string_view signature = "") {
    return fmt::format("{}.{}.{}", base64url_encode(header), body, signature);
  };
  // The public key as text, used as the secret of an HMAC.
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, rsa_->key.get());
  char* pem = nullptr;
  const long pem_size = BIO_get_mem_data(bio, &pem);
  const auto hmac = [&](std::string_view header) {
    std::string text = base64url_encode(header) + "." + body;
    std::string mac(32, '\0');
    HMAC(EVP_sha256(), pem, static_cast<int>(pem_size),
         reinterpret_cast<const uint8_t*>(text.data()), text.size(),
         reinterpret_cast<uint8_t*>(mac.data()), nullptr);
    return text + "." + base64url_encode(mac);
  };
  std::string flipped = good;
  flipped[dot + 5] = flipped[dot + 5] == 'A' ? 'B' : 'A';
  std::string zero_signature = ec_->token(ec_->header(), claims());
  zero_signature = zero_signature.substr(0, zero_signature.rfind('.') + 1) +
                   base64url_encode(std::string(64, 0));
  const std::string changed_claims =
      fmt::format("{}.{}.{}", base64url_encode(rsa_->header()),
                  base64url_encode(claims("sub", R"("root")")), good.substr(dot + 1));
  const std::string forged[] = {
      "",
      ".",
      "..",
      "...",
      good + ".",
      good.substr(0, dot),
      good.substr(0, dot + 1),
      good.substr(0, good.size() - 1),
      good + "A",
      good + "=",
      " " + good,
      good + "\n",
      flipped,
      changed_claims,
      zero_signature,
      std::string(kTokenBytesMax + 1, 'A'),
      unsigned_with(R"({"alg":"none"})"),
      unsigned_with(R"({"alg":"None","kid":"rsa-1"})"),
      unsigned_with(R"({"alg":"nOnE"})", "AA"),
      unsigned_with(R"({"alg":""})"),
      unsigned_with(R"({})"),
      unsigned_with(R"({"kid":"rsa-1"})", good.substr(dot + 1)),
      unsigned_with(R"([])"),
      unsigned_with(R"({"alg":["RS256"],"kid":"rsa-1"})", good.substr(dot + 1)),
      hmac(R"({"alg":"HS256","kid":"rsa-1"})"),
      hmac(R"({"alg":"RS256","kid":"rsa-1"})"),
      // Signed well, but by another algorithm's name, another key, or with what must be understood.
      rsa_->token(R"({"alg":"RS384","kid":"rsa-1"})", claims()),
      rsa_->token(R"({"alg":"PS256","kid":"rsa-1"})", claims()),
      rsa_->token(R"({"alg":"rs256","kid":"rsa-1"})", claims()),
      rsa_->token(R"({"alg":"ES256","kid":"rsa-1"})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"ec-1"})", claims()),
      rsa_->token(R"({"alg":"EdDSA","kid":"ed-1"})", claims()),
      ec_->token(R"({"alg":"RS256","kid":"ec-1"})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-3"})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":""})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"../../dev/null"})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-1' OR '1'='1"})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-1","kid":"rsa-1"})", claims()),
      rsa_->token(R"({"alg":"none","alg":"RS256","kid":"rsa-1"})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-1","crit":["exp"]})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-1","crit":[]})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-1","b64":false})", claims()),
      rsa_->token(R"({"alg":"RS256","kid":"rsa-1","typ":"at+jwt"})", claims()),
      // A key of the forger's own, brought along or passed off as the published one.
      other_->token(R"({"alg":"RS256","kid":"rsa-1"})", claims()),
      other_->token(fmt::format(R"({{"alg":"RS256","jwk":{}}})", other_->jwk()), claims()),
      other_->token(R"({"alg":"RS256","kid":"rsa-2","jku":"https://evil.example/keys"})", claims()),
      other_->token(R"({"alg":"RS256","kid":"rsa-2","x5u":"https://evil.example/c"})", claims()),
  };
  for (const std::string& token : forged) {
    const auto found = verify(token);
    ASSERT_FALSE(found) << token;
    EXPECT_TRUE(found.error().code() == ErrorCode::permission_denied ||
                found.error().code() == ErrorCode::not_found)
        << token;
  }
  BIO_free(bio);
}

TEST_F(JwtTest, KeySetsGiveOnlyWhatIsFitForSignatures) {
  const std::string key = rsa_->jwk();
  const auto usable = [](const std::string& keys) -> size_t {
    const auto set = JwkSet::parse(fmt::format(R"({{"keys":[{}]}})", keys));
    return set ? set->size() : 0;
  };
  EXPECT_EQ(usable(key), 1U);
  EXPECT_EQ(usable(rsa_->jwk(R"(,"use":"sig","alg":"RS256")")), 1U);
  EXPECT_EQ(usable(rsa_->jwk(R"(,"use":"enc")")), 0U);
  EXPECT_EQ(usable(rsa_->jwk(R"(,"alg":"PS256")")), 0U);
  EXPECT_EQ(usable(rsa_->jwk(R"(,"alg":"none")")), 0U);
  EXPECT_EQ(usable(R"({"kty":"oct","kid":"a","k":"c2VjcmV0"})"), 0U);
  EXPECT_EQ(usable(R"({"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"})"), 0U);  // 17 bits
  EXPECT_EQ(usable(R"({"kty":"EC","crv":"P-256","kid":"a","x":"AA","y":"AA"})"), 0U);
  // A point that is not on the curve.
  const std::string zeros = base64url_encode(std::string(32, '\1'));
  EXPECT_EQ(usable(fmt::format(R"({{"kty":"EC","crv":"P-256","kid":"a","x":"{}","y":"{}"}})", zeros,
                               zeros)),
            0U);
  EXPECT_EQ(usable(R"({"kty":"OKP","crv":"Ed448","kid":"a","x":"AA"})"), 0U);
  EXPECT_EQ(usable(R"({}, 7, "x", null)"), 0U);
  EXPECT_EQ(usable(R"({}, 7,)" + key), 1U);
  for (const char* text : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[]})", "{", "7"}) {
    EXPECT_FALSE(JwkSet::parse(text)) << text;
  }
  // Two keys of one name, or none named where two could be meant, are no guess.
  const auto twice = JwkSet::parse(fmt::format(R"({{"keys":[{},{}]}})", key, key));
  EXPECT_EQ(twice->find("rsa-1", JwtAlgorithm::rs256), nullptr);
  const auto two = JwkSet::parse(fmt::format(R"({{"keys":[{},{}]}})", key, other_->jwk()));
  EXPECT_EQ(two->find("", JwtAlgorithm::rs256), nullptr);
  EXPECT_NE(two->find("rsa-2", JwtAlgorithm::rs256), nullptr);
}

}  // namespace
}  // namespace weir::identity
