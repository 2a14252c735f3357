// Reranking: relayed where the provider has Cohere's form, translated for Amazon Bedrock.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAsk =
    R"({"model":"m","query":"q","documents":["a","b",{"text":"c"}],"top_n":2,"return_documents":true})";

void sign(provider::Account& account) {
  account.base_path = "";
  account.location = "us-west-2";
  account.api_key = {};
  account.auth = provider::AuthKind::aws_signature;
  account.aws = {.access_key_id = "AKIDEXAMPLE",
                 .secret_access_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")};
}

TEST(RerankGateway, SignedRequestsGoToTheAgentsRuntime) {
  for (const char* path : {"/v1/rerank", "/v2/rerank"}) {
    TestWorld world;
    sign(world.account("aws", provider::Kind::bedrock));
    world.model("m", {"aws/amazon.rerank-v1:0"});
    world.script(
        "aws",
        json_answer(
            200,
            R"({"results":[{"index":2,"relevanceScore":0.9},{"index":0,"relevanceScore":0.1}]})"));
    const Answer answer = world.post(path, kAsk);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.body,
                HasSubstr(R"("model":"m","results":[{"index":2,"relevance_score":0.9,)"
                          R"("document":{"text":"c"}},{"index":0,"relevance_score":0.1,)"));
    const std::string& request = world.requests("aws")[0];
    EXPECT_THAT(request, HasSubstr("POST /rerank HTTP/1.1\r\n"));
    EXPECT_THAT(request, HasSubstr("/us-west-2/bedrock/aws4_request, SignedHeaders="));
    EXPECT_THAT(request, HasSubstr(R"("modelArn":"arn:aws:bedrock:us-west-2::foundation-model/)"
                                   R"(amazon.rerank-v1:0")"));
    // A dollar for a thousand queries; nobody tells how many units were billed.
    const ledger::RequestRow row = world.last_row();
    EXPECT_EQ(row.cost_state, ledger::CostState::estimated);
    EXPECT_EQ(row.cost.nano(), 1'000'000);
    EXPECT_EQ(row.usage.total_input() + row.usage.total_output(), 0);
  }
}

TEST(RerankGateway, ApiKeysInvokeCoheresModelsAlone) {
  TestWorld world;
  world.account("aws", provider::Kind::bedrock).base_path = "";
  world.model("m", {"aws/cohere.rerank-v3-5:0"});
  world.model("n", {"aws/amazon.rerank-v1:0"});
  world.script("aws", json_answer(200, R"({"results":[{"index":1,"relevance_score":0.5}]})"));
  const Answer answer = world.post("/v1/rerank", kAsk);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(world.requests("aws")[0],
              HasSubstr("POST /model/cohere.rerank-v3-5%3A0/invoke HTTP/1.1\r\n"));
  EXPECT_THAT(world.requests("aws")[0], HasSubstr("authorization: Bearer "));
  EXPECT_EQ(world.last_body("aws"),
            R"({"api_version":2,"query":"q","documents":["a","b","c"],"top_n":2})");
  const Answer none = world.post("/v1/rerank", R"({"model":"n","query":"q","documents":["a"]})");
  EXPECT_EQ(none.status, 400);
  EXPECT_THAT(none.body, HasSubstr("unsupported_operation"));
}

TEST(RerankGateway, WhatCannotBeToldIsNamed) {
  TestWorld world;
  sign(world.account("aws", provider::Kind::bedrock));
  world.model("m", {"aws/cohere.rerank-v3-5:0"});
  world.script("aws", json_answer(200, R"({"results":[],"nextToken":"t"})"));
  world.script("aws", json_answer(200, R"({"results":[{"index":7,"relevanceScore":1}]})"));
  const Answer answer = world.post(
      "/v1/rerank", R"({"model":"m","query":"q","documents":["a"],"max_tokens_per_doc":9})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("x-weir-dropped"), "max_tokens_per_doc, results");
  const Answer bad = world.post("/v1/rerank", R"({"model":"m","query":"q","documents":"a"})");
  EXPECT_EQ(bad.status, 400);
  EXPECT_THAT(bad.body, HasSubstr("documents: expected an array"));
  EXPECT_EQ(world.post("/v1/rerank", R"({"model":"m","query":"q","documents":["a"]})").status, 502);
}

TEST(RerankGateway, CoheresOwnFormPassesAsItIs) {
  TestWorld world;
  world.account("up", provider::Kind::openai_compatible);
  world.model("m", {"up/rerank-v3.5"});
  const std::string body =
      R"({"id":"i","results":[{"index":0,"relevance_score":0.70}],"meta":{"billed_units":{"search_units":3}}})";
  world.script("up", json_answer(200, body));
  const Answer answer = world.post("/v2/rerank", kAsk);
  EXPECT_EQ(answer.body, body);
  EXPECT_THAT(world.requests("up")[0], HasSubstr("POST /v1/rerank HTTP/1.1\r\n"));
  EXPECT_THAT(world.last_body("up"), HasSubstr(R"("model":"rerank-v3.5")"));
  EXPECT_EQ(world.last_row().usage.tool_calls, 3);
  EXPECT_EQ(world.last_row().cost_state, ledger::CostState::unpriced);
}

}  // namespace
}  // namespace weir::gateway
