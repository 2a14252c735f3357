// Embeddings where the provider takes less at a time than the client sends, and Amazon's forms.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;

constexpr std::string_view kTitan = "amazon.titan-embed-text-v2:0";
constexpr int64_t kTitanNano = 20;  // 0.02 dollars a million tokens

std::string texts(size_t count) {
  std::string out = R"({"model":"m","input":[)";
  for (size_t i = 0; i < count; ++i) out += fmt::format("{}\"t{}\"", i == 0 ? "" : ",", i);
  return out + "]}";
}

std::string vector_of(size_t i) {
  return fmt::format(R"({{"embedding":[{},0.5],"inputTextTokenCount":{}}})", i, i + 1);
}

std::vector<std::string> embeddings_of(const json::Value root) {
  std::vector<std::string> out;
  for (const json::Value entry : root["data"].elements()) {
    EXPECT_EQ(entry["index"].as_int64(), static_cast<int64_t>(out.size()));
    out.emplace_back(entry["embedding"].raw());
  }
  return out;
}

struct Bedrock {
  explicit Bedrock(std::string_view id) {
    provider::Account& account = world.account("aws", provider::Kind::bedrock);
    account.base_path = "";
    account.location = "us-east-1";
    account.api_key = {};
    account.auth = provider::AuthKind::aws_signature;
    account.aws = {.access_key_id = "AKIDEXAMPLE",
                   .secret_access_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")};
    world.model("m", {fmt::format("aws/{}", id)});
  }
  TestWorld world;
};

TEST(EmbeddingsGateway, TitanTakesAListOneByOne) {
  constexpr size_t kCount = 21;
  Bedrock b(kTitan);
  for (size_t i = 0; i < kCount; ++i) b.world.script("aws", json_answer(200, vector_of(i)));
  const Answer answer = b.world.post("/v1/embeddings", texts(kCount));
  EXPECT_EQ(answer.status, 200) << answer.body;
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body));
  const std::vector<std::string> data = embeddings_of(document.root());
  ASSERT_EQ(data.size(), kCount);
  ASSERT_EQ(b.world.requests("aws").size(), kCount);
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(data[i], fmt::format("[{},0.5]", i));
    const std::string& request = b.world.requests("aws")[i];
    EXPECT_THAT(request, HasSubstr("POST /model/amazon.titan-embed-text-v2%3A0/invoke HTTP/1.1"));
    EXPECT_THAT(request, HasSubstr("authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    EXPECT_THAT(request, HasSubstr(fmt::format(R"({{"inputText":"t{}"}})", i)));
  }
  constexpr int64_t kTokens = kCount * (kCount + 1) / 2;
  EXPECT_EQ(document.root()["usage"]["prompt_tokens"].as_int64(), kTokens);
  const ledger::RequestRow row = b.world.last_row();
  EXPECT_EQ(row.usage.input, kTokens);
  EXPECT_EQ(row.attempts, 1U);
  EXPECT_EQ(row.cost_state, ledger::CostState::final);
  EXPECT_EQ(row.cost.nano(), kTokens * kTitanNano);
  EXPECT_EQ(b.world.worker().counters.body_bytes_held, 0U);
}

TEST(EmbeddingsGateway, ACallThatFailsFailsTheAttempt) {
  struct Case {
    Scripted bad;
    int status;
    const char* failure;
  };
  const Case cases[] = {
      {json_answer(400, R"({"message":"expected maxLength: 50000"})",
                   "x-amzn-errortype: ValidationException\r\n"),
       400, "invalid"},
      {json_answer(200, R"({"embedding":"?"})"), 502, "protocol"},
      {json_answer(200, R"({"embedding":[1)"), 502, "truncated"},
      {{.pieces = {}, .end = Scripted::End::reset}, 502, "reset"},
      {{.pieces = {}, .end = Scripted::End::hang}, 504, "timeout"},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.failure);
    Bedrock b(kTitan);
    b.world.model("m", {fmt::format("aws/{}", kTitan)}).retries.attempts = 1;
    for (size_t i = 0; i < 3; ++i) b.world.script("aws", json_answer(200, vector_of(i)));
    b.world.script("aws", expected.bad);
    const Answer answer = b.world.post("/v1/embeddings", texts(9));
    EXPECT_EQ(answer.status, expected.status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(R"("error")"));
    const ledger::RequestRow row = b.world.last_row();
    EXPECT_THAT(row.attempts_text, HasSubstr(expected.failure));
    // What the calls before it used is paid.
    EXPECT_EQ(row.usage.input, 1 + 2 + 3);
    EXPECT_EQ(row.cost.nano(), (1 + 2 + 3) * kTitanNano);
    EXPECT_EQ(b.world.worker().counters.body_bytes_held, 0U);
  }
}

TEST(EmbeddingsGateway, AThrottleOnTheWayIsTriedElsewhere) {
  Bedrock b(kTitan);
  b.world.account("other");
  b.world.model("m", {fmt::format("aws/{}", kTitan), "other/text-embedding-3-small"});
  b.world.script("aws", json_answer(200, vector_of(0)));
  b.world.script("aws", json_answer(429, R"({"message":"Too many requests"})",
                                    "x-amzn-errortype: ThrottlingException\r\n"));
  b.world.script(
      "other",
      json_answer(
          200,
          R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[7]},{"object":"embedding","index":1,"embedding":[8]}],"model":"e","usage":{"prompt_tokens":2,"total_tokens":2}})"));
  for (int i = 0; i < 20; ++i) {
    const Answer answer = b.world.post("/v1/embeddings", texts(2));
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.header("x-weir-attempts") == "2") {
      EXPECT_THAT(answer.body, HasSubstr(R"("embedding":[7])"));
      EXPECT_THAT(b.world.last_row().attempts_text, HasSubstr("throttled"));
      return;
    }
  }
  FAIL() << "Titan was never tried first";
}

TEST(EmbeddingsGateway, AClientThatLeavesEndsTheCallsThatAreLeft) {
  Bedrock b(kTitan);
  b.world.script("aws", json_answer(200, vector_of(0)));
  b.world.script("aws", {.pieces = {}, .end = Scripted::End::hang});
  const auto client = b.world.connect();
  const std::string body = texts(30);
  const std::string raw = fmt::format(
      "POST /v1/embeddings HTTP/1.1\r\nhost: w\r\ncontent-type: application/json\r\n"
      "content-length: {}\r\n\r\n{}",
      body.size(), body);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  b.world.loop().run_until_idle();
  client->close();
  b.world.loop().run_until_idle();
  const ledger::RequestRow row = b.world.last_row();
  EXPECT_EQ(row.outcome, ledger::Outcome::aborted);
  EXPECT_LT(b.world.requests("aws").size(), 12U);
  EXPECT_EQ(b.world.worker().counters.body_bytes_held, 0U);
}

TEST(EmbeddingsGateway, CohereAtBedrockTellsItsTokensInAHeader) {
  Bedrock b("cohere.embed-v4:0");
  b.world.script(
      "aws",
      json_answer(200, R"({"response_type":"embeddings_by_type","embeddings":{"float":[[1],[2]]}})",
                  "x-amzn-bedrock-input-token-count: 9\r\n"));
  const Answer answer = b.world.post("/v1/embeddings", texts(2));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(R"("usage":{"prompt_tokens":9,"total_tokens":9})"));
  EXPECT_EQ(b.world.last_row().usage.input, 9);
  EXPECT_TRUE(b.world.last_row().usage.reported);
}

TEST(EmbeddingsGateway, GoogleClientsOfAmazonsModels) {
  Bedrock b(kTitan);
  b.world.script("aws", json_answer(200, vector_of(0)));
  b.world.script("aws", json_answer(200, vector_of(1)));
  const Answer one =
      b.world.post("/v1beta/models/m:embedContent", R"({"content":{"parts":[{"text":"a"}]}})");
  EXPECT_EQ(one.status, 200) << one.body;
  EXPECT_EQ(one.body, R"({"embedding":{"values":[0,0.5]},"usageMetadata":{"promptTokenCount":1}})");
  const Answer batch = b.world.post(
      "/v1beta/models/m:batchEmbedContents",
      R"({"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]})");
  EXPECT_EQ(batch.status, 200) << batch.body;
  EXPECT_THAT(batch.body, HasSubstr(R"("usageMetadata":{"promptTokenCount":4})"));
}

TEST(EmbeddingsGateway, AListLongerThanGoogleTakesGoesInSeveralBatches) {
  TestWorld world;
  auto& account = world.account("g", provider::Kind::gemini);
  account.auth = provider::AuthKind::api_key_header;
  account.base_path = "/v1beta";
  std::string hundred = R"({"embeddings":[)";
  for (size_t i = 0; i < 100; ++i)
    hundred += fmt::format(R"({}{{"values":[{}]}})", i ? "," : "", i);
  world.script("g", json_answer(200, hundred + "]}"));
  world.script("g", json_answer(200, R"({"embeddings":[{"values":[100]}]})"));
  world.model("m", {"g/gemini-embedding-001"});
  const Answer answer = world.post("/v1/embeddings", texts(101));
  EXPECT_EQ(answer.status, 200) << answer.body;
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body));
  const std::vector<std::string> data = embeddings_of(document.root());
  ASSERT_EQ(data.size(), 101U);
  EXPECT_EQ(data[100], "[100]");
  EXPECT_EQ(world.requests("g").size(), 2U);
  // Nobody told the tokens of all: they are estimated.
  EXPECT_FALSE(world.last_row().usage.reported);
}

TEST(EmbeddingsGateway, AModelThatEmbedsNothingIsNotAsked) {
  Bedrock b("amazon.nova-pro-v1:0");
  const Answer answer = b.world.post("/v1/embeddings", texts(1));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("unsupported_operation"));
}

}  // namespace
}  // namespace weir::gateway
