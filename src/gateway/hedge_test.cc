// Second attempts beside slow ones: who is relayed, what the ledger says, what they may cost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::string_view kAsk = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAskStream =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";
constexpr std::string_view kBad = R"({"error":{"message":"boom","type":"server_error"}})";
constexpr std::string_view kText =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"fine"},"finish_reason":null}]})";
constexpr std::string_view kStop =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

Scripted late(Scripted answer, Milliseconds by) {
  answer.before = by;
  return answer;
}

struct Hedged {
  explicit Hedged(std::optional<Milliseconds> after = Milliseconds(500), double budget = 0.05) {
    world.account("a");
    world.account("b");
    world.model("m", {"a", "b"}).hedge = HedgeRules{after, budget};
  }
  void script_both(const Scripted& answer) {
    for (const char* name : {"a", "b"}) {
      world.clear(name);
      world.script(name, answer);
    }
  }
  size_t sent() { return world.requests("a").size() + world.requests("b").size(); }
  const TrafficCounters& counters() { return world.worker().traffic.counters(); }
  uint32_t in_flight() {
    return world.deployment("m", 0).state->in_flight.load() +
           world.deployment("m", 1).state->in_flight.load();
  }
  TestWorld world;
};

TEST(Hedge, TheFirstToBeginIsRelayedAndTheOtherIsBilledByEstimate) {
  for (const bool stream : {false, true}) {
    Hedged h;
    // Whichever is asked first is slow; the other one answers at once.
    const Scripted good =
        stream ? sse_answer({std::string(kText), std::string(kStop)}) : json_answer(200, kGood);
    h.world.script("a", late(good, seconds(20)));
    h.world.script("b", late(good, seconds(20)));
    bool won = false;
    for (int i = 0; i < 2 && !won; ++i) {
      // One of the two is made quick: half of the requests begin at the slow one.
      h.world.clear("b");
      h.world.script("b", good);
      for (int n = 0; n < 20 && !won; ++n) {
        const Answer answer = h.world.post("/v1/chat/completions", stream ? kAskStream : kAsk);
        ASSERT_EQ(answer.status, 200);
        EXPECT_THAT(answer.body, HasSubstr("fine"));
        EXPECT_EQ(answer.header("x-weir-deployment"), "b/m");
        won = answer.header("x-weir-attempts") == "2";
      }
    }
    ASSERT_TRUE(won);
    EXPECT_EQ(h.counters().hedges, 1U);
    EXPECT_EQ(h.counters().hedges_won, 1U);
    const ledger::RequestRow row = h.world.last_row();
    EXPECT_EQ(row.outcome, ledger::Outcome::ok);
    EXPECT_EQ(row.deployment, "b/m");
    EXPECT_EQ(row.attempts, 2U);
    EXPECT_THAT(row.attempts_text, HasSubstr(R"("lost_race":true)"));
    EXPECT_THAT(row.attempts_text, HasSubstr(R"("why":"hedge")"));
    EXPECT_THAT(row.attempts_text, HasSubstr(R"("in":)")) << "the loser had the whole request";
    EXPECT_EQ(h.in_flight(), 0U);
    EXPECT_EQ(h.world.failures("m", 0), 0U) << "to be outrun is no failure";
  }
}

// The one that lost took at least so long: enough to find that it has become slow, although it
// never gets to the end of an answer.
TEST(Hedge, ALoserTellsThatItIsSlow) {
  for (const bool stream : {false, true}) {
    Hedged h(Milliseconds(500), 1.0);
    const Scripted good =
        stream ? sse_answer({std::string(kText), std::string(kStop)}) : json_answer(200, kGood);
    const auto ask = [&] {
      EXPECT_EQ(h.world.post("/v1/chat/completions", stream ? kAskStream : kAsk).status, 200);
    };
    h.script_both(late(good, milliseconds(100)));
    for (int i = 0; i < 20; ++i) ask();
    Traffic& traffic = h.world.worker().traffic;
    (void)traffic.take_samples(h.world.loop().now());
    h.world.clear("a");
    h.world.script("a", late(good, seconds(20)));
    const uint64_t before = h.counters().hedges_won;
    for (int i = 0; i < 20; ++i) ask();
    const auto lost = static_cast<uint32_t>(h.counters().hedges_won - before);
    ASSERT_GT(lost, 0U);
    schedule::Sample a;
    schedule::Sample b;
    for (const schedule::Sample& sample : traffic.take_samples(h.world.loop().now())) {
      (sample.endpoint == h.world.deployment("m", 0).state->index ? a : b) = sample;
    }
    EXPECT_EQ(a.requests, lost);
    EXPECT_EQ(a.errors, 0U) << "to be slow is no failure";
    EXPECT_TRUE(schedule::plausible(a));
    const auto mean = [](uint32_t sum, uint32_t count) { return sum / count / schedule::kLnUnit; };
    EXPECT_GE(mean(a.ln_latency, a.requests), mean(b.ln_latency, b.requests) + 1);
    if (stream) {
      EXPECT_EQ(a.streams, lost);
      EXPECT_GE(mean(a.ln_ttft, a.streams), mean(b.ln_ttft, b.streams) + 1);
      EXPECT_EQ(mean(a.ln_itl, a.streams), mean(b.ln_itl, b.streams)) << "of that it said nothing";
    }
  }
}

TEST(Hedge, AnAnswerThatComesInTimeStaysAlone) {
  Hedged h;
  h.script_both(late(json_answer(200, kGood), milliseconds(400)));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(h.world.post("/v1/chat/completions", kAsk).status, 200);
  EXPECT_EQ(h.sent(), 5U);
  EXPECT_EQ(h.counters().hedges, 0U);
}

TEST(Hedge, TheFirstMayStillWin) {
  Hedged h;
  h.script_both(late(json_answer(200, kGood), milliseconds(800)));
  const Answer answer = h.world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("x-weir-attempts"), "2");
  EXPECT_EQ(h.counters().hedges, 1U);
  EXPECT_EQ(h.counters().hedges_won, 0U);
  EXPECT_EQ(h.world.last_row().attempts, 2U);
  EXPECT_EQ(h.in_flight(), 0U);
}

TEST(Hedge, IsHeldByItsBudget) {
  Hedged h(Milliseconds(500), 0.0);
  h.script_both(late(json_answer(200, kGood), seconds(2)));
  for (int i = 0; i < 25; ++i) EXPECT_EQ(h.world.post("/v1/chat/completions", kAsk).status, 200);
  EXPECT_EQ(h.counters().hedges, 10U) << "what may be saved up, and nothing is earned";
  EXPECT_EQ(h.counters().hedges_refused, 15U);
  EXPECT_EQ(h.sent(), 35U);
}

TEST(Hedge, LearnsWhatIsLong) {
  Hedged h(std::nullopt);
  h.script_both(late(json_answer(200, kGood), milliseconds(300)));
  for (int i = 0; i < 80; ++i) EXPECT_EQ(h.world.post("/v1/chat/completions", kAsk).status, 200);
  const Nanoseconds usual =
      h.world.worker().traffic.usual_most(*h.world.snapshot().find_model("m"), false);
  EXPECT_GT(usual, milliseconds(200));
  EXPECT_LT(usual, milliseconds(600));
  const uint64_t before = h.counters().hedges;
  h.script_both(late(json_answer(200, kGood), seconds(5)));
  EXPECT_EQ(h.world.post("/v1/chat/completions", kAsk).status, 200);
  EXPECT_EQ(h.counters().hedges, before + 1);
}

TEST(Hedge, BothMayFailAndTheClientIsToldOnce) {
  Hedged h;
  h.world.snapshot().models.front().retries.attempts = 2;
  h.script_both(late(json_answer(500, kBad), milliseconds(800)));
  const Answer answer = h.world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr("boom"));
  EXPECT_EQ(h.world.last_row().attempts, 2U);
  EXPECT_EQ(h.world.failures("m", 0) + h.world.failures("m", 1), 2U);
  EXPECT_EQ(h.in_flight(), 0U);
}

TEST(Hedge, CallsThatChangeSomethingAreMadeOnce) {
  Hedged h;
  h.script_both(
      late(json_answer(200, R"({"id":"r","object":"response","output":[]})"), seconds(2)));
  h.world.post("/v1/responses", R"({"model":"m","input":"hi"})");
  EXPECT_EQ(h.sent(), 1U);
}

TEST(Hedge, AClientThatLeavesEndsBoth) {
  Hedged h;
  h.script_both({.end = Scripted::End::hang});
  auto client = h.world.connect();
  const std::string raw =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-type: "
      "application/json\r\ncontent-length: " +
      std::to_string(kAsk.size()) + "\r\n\r\n" + std::string(kAsk);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  h.world.advance(seconds(1));
  EXPECT_EQ(h.in_flight(), 2U);
  client->close();
  h.world.loop().run_until_idle();
  EXPECT_EQ(h.in_flight(), 0U);
  EXPECT_EQ(h.world.last_row().outcome, ledger::Outcome::aborted);
  EXPECT_EQ(h.world.last_row().attempts, 2U);
}

TEST(Hedge, WhatRunsAtTheEndIsTakenOutOfTheBooks) {
  Hedged h;
  h.script_both({.end = Scripted::End::hang});
  auto client = h.world.connect();
  const std::string raw =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-type: "
      "application/json\r\ncontent-length: " +
      std::to_string(kAsk.size()) + "\r\n\r\n" + std::string(kAsk);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  h.world.advance(seconds(1));
  EXPECT_EQ(h.in_flight(), 2U);
  h.world.stop();
  EXPECT_EQ(h.in_flight(), 0U);
}

}  // namespace
}  // namespace weir::gateway
