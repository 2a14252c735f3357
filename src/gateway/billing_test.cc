// What is on the ledger when an answer did not simply come: attempts that were given up, clients
// that left, Weir's own end, and endpoints whose price nobody told.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::CostState;
using ledger::Outcome;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kModel = "gpt-4o-2024-11-20";  // 2.50 and 10.00 dollars a million tokens
constexpr std::string_view kAsk = R"({"model":"m","messages":[{"role":"user","content":"hello"}]})";
constexpr std::string_view kAskStream =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]})";
constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}})";
constexpr int64_t kGoodNano = 100 * 2'500 + 20 * 10'000;
constexpr std::string_view kRole =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})";
constexpr std::string_view kText =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"some words"},"finish_reason":null}]})";
constexpr std::string_view kError = R"({"error":{"message":"boom","type":"server_error"}})";

std::string on(std::string_view account) {
  return fmt::format("{}/{}", account, kModel);
}

std::string raw_post(std::string_view path, std::string_view body) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nhost: w\r\ncontent-type: application/json\r\ncontent-length: "
      "{}\r\n\r\n{}",
      path, body.size(), body);
}

// Asks with fresh worlds until `bad` was tried first and `good` answered.
ledger::RequestRow failed_over(const Scripted& bad, std::string_view ask = kAsk) {
  for (int i = 0; i < 20; ++i) {
    TestWorld world;
    world.advance(seconds(1));
    world.account("bad");
    world.account("good");
    world.script("bad", bad);
    world.script("good", json_answer(200, kGood));
    world.model("m", {on("bad"), on("good")});
    for (int n = 0; n < i; ++n) world.worker().random.next();
    const Answer answer = world.post("/v1/chat/completions", ask);
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.header("x-weir-attempts") != "2") continue;
    return world.last_row();
  }
  ADD_FAILURE() << "the bad deployment was never tried first";
  return {};
}

TEST(Billing, AnAttemptThatBeganToAnswerIsPaidThoughAnotherAnswered) {
  // A stream that stalled before its first token: the provider has read the prompt.
  const auto stalled =
      failed_over(sse_begin({std::string(kRole)}, Scripted::End::hang), kAskStream);
  EXPECT_GT(stalled.cost.nano(), kGoodNano);
  EXPECT_EQ(stalled.cost_state, CostState::estimated);
  EXPECT_EQ(stalled.usage.input, 100) << "the row's usage is that of the answer";
  EXPECT_THAT(stalled.attempts_text, HasSubstr("nano_usd"));
  EXPECT_EQ(stalled.outcome, Outcome::ok);
  const auto cut = failed_over(json_answer(200, kGood.substr(0, 80)));
  EXPECT_GT(cut.cost.nano(), kGoodNano);
  EXPECT_EQ(cut.cost_state, CostState::estimated);
}

TEST(Billing, WhatTheProviderRefusedCostsNothing) {
  for (const Scripted& refusal :
       {json_answer(500, kError), json_answer(429, kError, "retry-after: 60\r\n"),
        json_answer(200, kError)}) {
    const auto row = failed_over(refusal);
    EXPECT_EQ(row.cost.nano(), kGoodNano);
    EXPECT_EQ(row.cost_state, CostState::final);
  }
  const auto streamed = failed_over(sse_answer({std::string(kError)}, false), kAskStream);
  EXPECT_EQ(streamed.cost.nano(), kGoodNano);
  EXPECT_EQ(streamed.cost_state, CostState::final);
  const auto silent = failed_over({.end = Scripted::End::hang}, kAskStream);
  EXPECT_EQ(silent.cost.nano(), kGoodNano);
}

TEST(Billing, AnAnswerThatTookTooLongIsPaid) {
  const auto row = failed_over({.end = Scripted::End::hang}, kAsk);
  EXPECT_GT(row.cost.nano(), kGoodNano);
  EXPECT_EQ(row.cost_state, CostState::estimated);
}

TEST(Billing, WhatFailedForGoodIsPaidAtItsOwnDeployment) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kGood.substr(0, 80)));
  world.script("up", json_answer(400, kError));
  world.model("m", {on("up")});
  EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 400);
  const auto row = world.last_row();
  EXPECT_EQ(row.outcome, Outcome::error);
  EXPECT_EQ(row.usage.total_input(), 0) << "the last attempt used nothing";
  EXPECT_GT(row.cost.nano(), 0);
  EXPECT_EQ(row.cost_state, CostState::estimated);
  EXPECT_EQ(world.worker().counters.deployment(0).cost_nano, row.cost.nano());
}

TEST(Billing, AClientThatLeavesBeforeTheAnswerPaysForItsQuestion) {
  TestWorld world;
  world.account("up");
  world.script("up", {.end = Scripted::End::hang});
  world.model("m", {on("up")});
  world.advance(seconds(1));
  auto client = world.connect();
  const std::string raw = raw_post("/v1/chat/completions", kAsk);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  client->close();
  world.loop().run_until_idle();
  const auto row = world.last_row();
  EXPECT_EQ(row.outcome, Outcome::aborted);
  EXPECT_EQ(row.cost_state, CostState::estimated);
  EXPECT_GT(row.usage.input, 0);
  EXPECT_EQ(row.usage.output, 0);
  EXPECT_GT(row.cost.nano(), 0);
}

TEST(Billing, AClientThatHangsUpAtTheTerminatorHadItsAnswer) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_begin({std::string(kText), "[DONE]"}, Scripted::End::hang));
  world.model("m", {on("up")});
  auto client = world.connect();
  const std::string raw = raw_post("/v1/chat/completions", kAskStream);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  EXPECT_THAT(world.read_all(*client), HasSubstr("[DONE]"));
  client->close();
  world.loop().run_until_idle();
  EXPECT_EQ(world.last_row().outcome, Outcome::ok);
  EXPECT_EQ(world.worker().counters.client_aborts, 0U);
}

TEST(Billing, ARequestThatWeirsEndCutsIsARowWithWhatItUsed) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_begin({std::string(kRole), std::string(kText)}, Scripted::End::hang));
  world.model("m", {on("up")});
  auto client = world.connect();
  const std::string raw = raw_post("/v1/chat/completions", kAskStream);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  world.advance(seconds(2));
  world.stop();
  const auto rows = world.rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].outcome, Outcome::aborted);
  EXPECT_EQ(rows[0].usage.output, 3);  // 10 bytes
  EXPECT_EQ(rows[0].cost_state, CostState::estimated);
  EXPECT_THAT(rows[0].attempts_text, HasSubstr(R"("ms":2000)"));
  EXPECT_EQ(world.worker().counters.requests_running, 0U);
  EXPECT_EQ(world.worker().counters.body_bytes_held, 0U);
  EXPECT_EQ(world.deployment("m").state->in_flight.load(), 0U);
}

TEST(Billing, ADrainThatLosesPatienceEndsASessionWithItsRow) {
  TestWorld world;
  world.account("up");
  world.script("up", {.pieces = {"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                                 "connection: upgrade\r\nsec-websocket-accept: abc\r\n\r\n"},
                      .end = Scripted::End::hang});
  world.model("rt", {"up/gpt-realtime"});
  auto client = world.connect();
  const std::string_view raw =
      "GET /v1/realtime?model=rt HTTP/1.1\r\nhost: w\r\nconnection: Upgrade\r\n"
      "upgrade: websocket\r\nsec-websocket-key: k\r\nsec-websocket-version: 13\r\n\r\n";
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  world.drain(seconds(5));
  EXPECT_EQ(world.worker().counters.requests_running, 0U);
  const auto row = world.last_row();
  EXPECT_EQ(row.status, 101);
  EXPECT_EQ(row.outcome, Outcome::aborted);
  EXPECT_EQ(row.cost_state, CostState::unpriced) << "what a session cost, nobody told";
}

TEST(Billing, AnEndpointsDefaultModelHasNoPriceHere) {
  constexpr std::string_view kImage =
      R"({"created":1,"data":[],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}})";
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kImage));
  world.model("m", {on("up")});
  EXPECT_EQ(world.post("/v1/images/generations", R"({"prompt":"x"})").status, 200);
  EXPECT_EQ(world.last_row().cost_state, CostState::unpriced);
  EXPECT_EQ(world.last_row().cost.nano(), 0);
  EXPECT_EQ(world.post("/v1/images/generations", R"({"model":"m","prompt":"x"})").status, 200);
  EXPECT_GT(world.last_row().cost.nano(), 0);
}

TEST(Billing, AnUpgradeIsForRealtimeAlone) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kGood));
  world.model("m", {on("up")});
  EXPECT_EQ(world.post("/v1/chat/completions", kAsk, "upgrade: websocket\r\n").status, 200);
  EXPECT_THAT(world.requests("up")[0], Not(HasSubstr("upgrade")));
}

// Speech, transcripts and pictures as events: only passed on, but read along.
TEST(Billing, EventsThatAreOnlyPassedOnTellTheirUsage) {
  TestWorld world;
  world.account("up");
  world.model("m", {on("up")});
  const std::string done =
      R"({"type":"image_generation.completed","b64_json":")" + std::string(100'000, 'A') +
      R"(","usage":{"input_tokens":100,"output_tokens":20,"total_tokens":120}})";
  world.script("up", sse_answer({R"({"type":"image_generation.partial_image"})", done}, false));
  const Answer answer = world.send(
      "POST /v1/images/generations HTTP/1.1\r\nhost: w\r\nx-weir-user: somebody\r\ncontent-type: "
      "application/json\r\ncontent-length: 42\r\n\r\n"
      R"({"model":"m","prompt":"cat","stream":true})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("partial_image"));
  EXPECT_EQ(world.last_row().cost.nano(), kGoodNano);
  EXPECT_EQ(world.last_row().cost_state, CostState::final);
  EXPECT_EQ(world.last_row().user, "somebody") << "where the body names nobody";
  EXPECT_THAT(world.requests("up")[0], Not(HasSubstr("x-weir-user")));
}

}  // namespace
}  // namespace weir::gateway
