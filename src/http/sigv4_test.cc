// Signatures: AWS's own test suite, requests that botocore signed, and what a receiver refuses.
#include "http/sigv4.h"

#include <gtest/gtest.h>

#include "base/date.h"

namespace weir::http {
namespace {

const AwsCredentials& example() {
  static const AwsCredentials credentials{
      .access_key_id = "AKIDEXAMPLE",
      .secret_access_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")};
  return credentials;
}

std::string sign(SignedRequest request, std::string_view body, HeaderMap& headers,
                 const AwsCredentials& credentials = example()) {
  request.body = {&body, 1};
  EXPECT_TRUE(sign_v4(request, credentials, headers));
  return std::string(headers.get("authorization"));
}

std::string signature(const std::string& authorization) {
  return authorization.substr(authorization.rfind('=') + 1);
}

TEST(SigV4, TheSuiteOfAws) {
  const int64_t then = *parse_rfc3339("2015-08-30T12:36:00Z");
  const struct {
    const char* name;
    const char* method;
    const char* target;
    const char* signature;
  } table[] = {
      {"get-vanilla", "GET", "/",
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla", "POST", "/",
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1",
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
  };
  for (const auto& row : table) {
    HeaderMap headers;
    const std::string got = sign({.method = row.method,
                                  .host = "example.amazonaws.com",
                                  .target = row.target,
                                  .region = "us-east-1",
                                  .service = "service",
                                  .wall_ms = then},
                                 "", headers);
    EXPECT_EQ(got, std::string("AWS4-HMAC-SHA256 "
                               "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                               "SignedHeaders=host;x-amz-date, Signature=") +
                       row.signature)
        << row.name;
    EXPECT_EQ(headers.get("x-amz-date"), "20150830T123600Z");
  }
}

// The same requests through botocore.auth.SigV4Auth at 2026-11-22T09:08:07Z.
TEST(SigV4, AsBotocoreSigns) {
  const int64_t then = *parse_rfc3339("2026-11-22T09:08:07Z");
  HeaderMap headers;
  headers.set("Content-Type", "application/json");
  headers.set("user-agent", "not signed");
  EXPECT_EQ(signature(sign({.method = "POST",
                            .host = "bedrock-runtime.us-east-1.amazonaws.com",
                            .target = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/"
                                      "converse",
                            .region = "us-east-1",
                            .service = "bedrock",
                            .wall_ms = then},
                           R"({"messages":[]})", headers)),
            "da4e67a7bfafb1ac3216a0461b0c9dce8ab2f7653ca89d7c08b42af121d2299b");

  HeaderMap token;
  token.set("content-type", "application/json");
  token.set("X-Amzn-Bedrock-GuardrailIdentifier", " g  1");
  AwsCredentials temporary = example();
  temporary.session_token = Secret("session/token==");
  EXPECT_EQ(sign({.method = "POST",
                  .host = "bedrock-runtime.us-east-1.amazonaws.com",
                  .target = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-"
                            "inference-profile%2Fabc123/invoke-with-response-stream",
                  .region = "us-east-1",
                  .service = "bedrock",
                  .wall_ms = then},
                 "{\"a\":\"\xC3\xA9\"}", token, temporary),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;"
            "x-amzn-bedrock-guardrailidentifier, "
            "Signature=60a63900a6913b4f385186035e5fc96def3757958ed481cc346320077808393e");
  EXPECT_EQ(token.get("x-amz-security-token"), "session/token==");

  HeaderMap query;
  EXPECT_EQ(signature(sign({.method = "GET",
                            .host = "127.0.0.1:8099",
                            .target = "/a?b=2&a=1&a=0&c",
                            .region = "eu-central-1",
                            .service = "sts",
                            .wall_ms = then},
                           "", query)),
            "8bad0efc68f05aa8a47c71b7c96fb62d1124915577b4f078d0a2cb739f3abf5a");
}

TEST(SigV4, BodiesInPiecesAreOne) {
  const int64_t then = *parse_rfc3339("2026-11-22T09:08:07Z");
  SignedRequest request{.method = "POST",
                        .host = "h",
                        .target = "/",
                        .region = "r",
                        .service = "bedrock",
                        .wall_ms = then};
  HeaderMap whole;
  const std::string one = sign(request, "abcdef", whole);
  const std::string_view pieces[] = {"ab", "", "cdef"};
  request.body = pieces;
  HeaderMap split;
  ASSERT_TRUE(sign_v4(request, example(), split));
  EXPECT_EQ(split.get("authorization"), one);
}

class Verify : public testing::Test {
 protected:
  Verify() {
    headers_.set("content-type", "application/json");
    EXPECT_TRUE(sign_v4(request(), example(), headers_));
    headers_.add("host", "h:1");
  }
  SignedRequest request() {
    return {.method = "POST",
            .host = "h:1",
            .target = target_,
            .body = {&body_, 1},
            .region = "us-east-1",
            .service = "bedrock",
            .wall_ms = now_};
  }
  Result<void> check(const AwsCredentials& credentials = example()) {
    const HeaderList list = headers_.list();
    return verify_v4(request(), list, credentials);
  }
  std::string_view body_ = "{}";
  std::string_view target_ = "/model/m%3A0/converse";
  int64_t now_ = 1'800'000'000'000;
  HeaderMap headers_;
};

TEST_F(Verify, AcceptsWhatWasSigned) {
  EXPECT_TRUE(check()) << check().error().message();
  now_ += kSignatureSkewMaxMs;
  EXPECT_TRUE(check());
  headers_.set("user-agent", "anything");
  EXPECT_TRUE(check());
}

TEST_F(Verify, RefusesWhatWasChanged) {
  const auto refused = [&](std::string_view why) {
    const auto checked = check();
    ASSERT_FALSE(checked) << why;
    EXPECT_EQ(checked.error().code(), ErrorCode::permission_denied);
    EXPECT_NE(checked.error().message().find(why), std::string_view::npos)
        << checked.error().message();
  };
  body_ = "{ }";
  refused("does not match");
  body_ = "{}";
  target_ = "/model/m:0/converse";
  refused("does not match");
  target_ = "/model/m%3A0/converse";
  now_ += kSignatureSkewMaxMs + 1000;
  refused("Signature expired");
  now_ -= 2 * (kSignatureSkewMaxMs + 1000);
  refused("not yet current");
  now_ += kSignatureSkewMaxMs + 1000;
  headers_.set("content-type", "text/plain");
  refused("does not match");
  headers_.set("content-type", "application/json");
  headers_.set("x-amz-security-token", "t");
  refused("security token");
  headers_ = {};
  refused("Missing Authentication Token");
}

TEST_F(Verify, RefusesOtherKeys) {
  AwsCredentials other = example();
  other.secret_access_key = Secret("another");
  EXPECT_FALSE(check(other));
  other = example();
  other.access_key_id = "AKIDOTHER";
  EXPECT_FALSE(check(other));
}

}  // namespace
}  // namespace weir::http
