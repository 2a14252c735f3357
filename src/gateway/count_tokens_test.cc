// Token counts: by the provider of whatever dialect, else by an estimate that says so.
#include "gateway/count_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using provider::Kind;
using testing::HasSubstr;
using testing::Not;

struct Client {
  std::string_view path;
  std::string_view body;
  std::string_view answer;
};
constexpr Client kClients[] = {
    {"/v1/messages/count_tokens",
     R"({"model":"m","system":"be brief","messages":[{"role":"user","content":"some words"}]})",
     R"({"input_tokens":17})"},
    {"/v1beta/models/m:countTokens",
     R"({"generateContentRequest":{"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"some words"}]}],"generationConfig":{"maxOutputTokens":5}}})",
     R"({"totalTokens":17})"},
    {"/v1/responses/input_tokens",
     R"({"model":"m","instructions":"be brief","input":[{"role":"user","content":"some words"}]})",
     R"({"object":"response.input_tokens","input_tokens":17})"},
};
struct Provider {
  Kind kind;
  std::string_view base_path;
  std::string_view path;
  std::string_view answer;
};
constexpr Provider kProviders[] = {
    {Kind::anthropic, "/v1", "POST /v1/messages/count_tokens ", R"({"input_tokens":17})"},
    {Kind::gemini, "/v1beta", "POST /v1beta/models/x:countTokens ", R"({"totalTokens":17})"},
    {Kind::vertex_ai, "", "/publishers/google/models/x:countTokens ",
     R"({"totalTokens":17,"totalBillableCharacters":4})"},
    {Kind::openai, "/v1", "POST /v1/responses/input_tokens ",
     R"({"object":"response.input_tokens","input_tokens":17})"},
};

TEST(CountTokens, EveryClientGetsEveryProvidersCount) {
  for (const Client& client : kClients) {
    for (const Provider& provider : kProviders) {
      SCOPED_TRACE(std::string(client.path) + " at " + std::string(provider.path));
      TestWorld world;
      world.account("up", provider.kind).base_path = provider.base_path;
      world.script("up", json_answer(200, provider.answer));
      world.model("m", {"up/x"});
      const Answer answer = world.post(client.path, client.body);
      EXPECT_EQ(answer.status, 200) << answer.body;
      EXPECT_EQ(answer.header("x-weir-estimated"), "");
      json::Document got, wanted;
      ASSERT_TRUE(got.parse(answer.body));
      ASSERT_TRUE(wanted.parse(client.answer));
      for (const auto& [name, value] : wanted.root().members()) {
        EXPECT_EQ(got.root()[name].raw(), value.raw());
      }
      ASSERT_EQ(world.requests("up").size(), 1U);
      EXPECT_THAT(world.requests("up")[0], HasSubstr(provider.path));
      const std::string asked = world.last_body("up");
      EXPECT_THAT(asked, HasSubstr("some words"));
      EXPECT_THAT(asked, HasSubstr("be brief"));
      EXPECT_THAT(asked, Not(HasSubstr("max_tokens"))) << "the endpoint refuses it";
      EXPECT_EQ(world.last_row().cost.nano(), 0);
      EXPECT_EQ(world.last_row().cost_state, ledger::CostState::final);
    }
  }
}

TEST(CountTokens, WhereNobodyCountsItIsAnEstimate) {
  for (const Client& client : kClients) {
    SCOPED_TRACE(client.path);
    TestWorld world;
    world.account("up", Kind::openai_compatible);
    world.model("m", {"up/x"});
    const Answer answer = world.post(client.path, client.body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("x-weir-estimated"), "true");
    EXPECT_TRUE(world.requests("up").empty());
    json::Document got;
    ASSERT_TRUE(got.parse(answer.body));
    const json::Value count =
        got.root()[client.path.starts_with("/v1beta") ? "totalTokens" : "input_tokens"];
    EXPECT_GT(count.as_int64().value_or(0), 2);
  }
}

TEST(CountTokens, ACountThatFailsIsAnEstimateAndARefusalIsOne) {
  TestWorld world;
  world.account("up", Kind::anthropic);
  world.script("up", json_answer(404, R"({"type":"error","error":{"type":"not_found_error"}})"));
  world.script("up",
               json_answer(400, R"({"type":"error","error":{"type":"invalid_request_error"}})"));
  world.model("m", {"up/x"});
  const Answer failed = world.post(kClients[1].path, kClients[1].body);
  EXPECT_EQ(failed.status, 200) << failed.body;
  EXPECT_EQ(failed.header("x-weir-estimated"), "true");
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::ok);
  const Answer refused = world.post(kClients[1].path, kClients[1].body);
  EXPECT_EQ(refused.status, 400);
}

TEST(CountTokens, ANumberThatIsNoneIsNotPassedOn) {
  json::Document document;
  ASSERT_TRUE(document.parse(R"({"input_tokens":-1,"totalTokens":"x"})"));
  EXPECT_FALSE(read_count(dialect::Dialect::anthropic_messages, document.root()));
  EXPECT_FALSE(read_count(dialect::Dialect::gemini, document.root()));
  json::Document empty;
  ASSERT_TRUE(empty.parse("{}"));
  EXPECT_EQ(read_count(dialect::Dialect::gemini, empty.root()).value(), 0);
  EXPECT_FALSE(read_count(dialect::Dialect::openai_responses, empty.root()));
}

}  // namespace
}  // namespace weir::gateway
