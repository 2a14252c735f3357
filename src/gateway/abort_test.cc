// What becomes of a provider's stream whose client leaves: cancelled, or drained within limits, and
// what the ledger and the counters say of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/drain.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::CostState;
using ledger::Outcome;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kModel = "gpt-4o-2024-11-20";  // 2.50 and 10.00 dollars a million tokens
constexpr std::string_view kAsk =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]})";
constexpr std::string_view kAskMessages =
    R"({"model":"m","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"hello"}]})";
constexpr std::string_view kText =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"some words"},"finish_reason":null}]})";
constexpr std::string_view kStop =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
constexpr std::string_view kUsage =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}})";
constexpr int64_t kNano = 100 * 2'500 + 20 * 10'000;

std::string event(std::string_view data) {
  return chunk(fmt::format("data: {}\n\n", data));
}

// A stream whose pieces come a second apart: the first text with the head.
Scripted slowly(const std::vector<std::string>& data, Scripted::End end) {
  Scripted script = sse_begin({}, end);
  script.pieces[0] += event(kText);
  for (const std::string& one : data) script.pieces.push_back(event(one));
  script.between = seconds(1);
  return script;
}

Scripted whole() {
  Scripted script = slowly({std::string(kText), std::string(kStop), std::string(kUsage), "[DONE]"},
                           Scripted::End::keep);
  script.pieces.emplace_back("0\r\n\r\n");
  return script;
}

class Abort : public testing::Test {
 protected:
  void serve(provider::OnAbort on_abort, const Scripted& script) {
    world_.account("up").on_abort = on_abort;
    world_.script("up", script);
    world_.model("m", {fmt::format("up/{}", kModel)});
    world_.advance(seconds(1));
  }
  // Asks, and leaves when the first text has come.
  void ask_and_leave(std::string_view path = "/v1/chat/completions", std::string_view body = kAsk) {
    ask(path, body);
    leave();
  }
  void ask(std::string_view path, std::string_view body) {
    client_ = world_.connect();
    const std::string raw = fmt::format(
        "POST {} HTTP/1.1\r\nhost: w\r\ncontent-type: application/json\r\ncontent-length: "
        "{}\r\n\r\n{}",
        path, body.size(), body);
    ASSERT_EQ(client_->try_write(raw).bytes, raw.size());
    world_.loop().run_until_idle();
    EXPECT_THAT(world_.read_all(*client_), HasSubstr("some words"));
    EXPECT_EQ(counters().requests_running, 1U);
  }
  void leave() {
    client_->close();
    world_.loop().run_until_idle();
  }
  const Counters& counters() { return world_.worker().counters; }
  void expect(AbortHandling handling, const ledger::RequestRow& row) {
    EXPECT_EQ(row.outcome, Outcome::aborted);
    EXPECT_THAT(row.attempts_text, HasSubstr(fmt::format(R"("abort":"{}")", to_string(handling))));
    for (size_t i = 0; i < kAbortHandlings; ++i) {
      EXPECT_EQ(counters().aborts[i], i == static_cast<size_t>(handling) ? 1U : 0U) << i;
    }
    EXPECT_EQ(counters().client_aborts, 1U);
    EXPECT_EQ(counters().drains_running, 0U);
    EXPECT_EQ(counters().requests_running, 0U);
    EXPECT_EQ(world_.deployment("m").state->in_flight.load(), 0U);
    EXPECT_EQ(world_.deployment("m").state->lease.parked_until(), Nanoseconds{0});
  }
  void expect_estimated(AbortHandling handling) {
    const auto row = world_.last_row();
    expect(handling, row);
    EXPECT_EQ(row.cost_state, CostState::estimated);
    EXPECT_FALSE(row.usage.reported);
    EXPECT_GT(row.usage.output, 0);
  }
  void expect_drained() {
    const auto row = world_.last_row();
    expect(AbortHandling::drained, row);
    EXPECT_EQ(row.cost_state, CostState::final);
    EXPECT_EQ(row.usage.input, 100);
    EXPECT_EQ(row.usage.output, 20);
    EXPECT_EQ(row.cost.nano(), kNano);
  }

  TestWorld world_;
  std::unique_ptr<net::MemoryStream> client_;
};

TEST_F(Abort, CancelIsTheRuleAndEstimates) {
  serve(provider::Account{}.on_abort, whole());
  ask_and_leave();
  EXPECT_EQ(counters().requests_running, 0U) << "at once";
  expect_estimated(AbortHandling::cancelled);
}

TEST_F(Abort, ADrainedStreamHasTheProvidersUsage) {
  serve(provider::OnAbort::drain, whole());
  ask_and_leave();
  EXPECT_EQ(counters().requests_running, 1U);
  EXPECT_EQ(counters().drains_running, 1U);
  world_.advance(seconds(6));
  expect_drained();
}

TEST_F(Abort, ATranslatedStreamIsDrainedAsWell) {
  serve(provider::OnAbort::drain, whole());
  ask_and_leave("/v1/messages", kAskMessages);
  world_.advance(seconds(6));
  expect_drained();
}

TEST_F(Abort, AClientThatLeavesBeforeTheFirstTokenIsDrainedAsWell) {
  constexpr std::string_view kRole =
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})";
  Scripted script = whole();
  script.pieces.insert(script.pieces.begin(),
                       sse_begin({}, Scripted::End::keep).pieces[0] + event(kRole));
  script.pieces[1] = event(kText);
  serve(provider::OnAbort::drain, script);
  client_ = world_.connect();
  const std::string raw =
      fmt::format("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n\r\n{}",
                  kAsk.size(), kAsk);
  ASSERT_EQ(client_->try_write(raw).bytes, raw.size());
  world_.loop().run_until_idle();
  EXPECT_EQ(world_.read_all(*client_), "");
  leave();
  world_.advance(seconds(7));
  expect_drained();
  EXPECT_EQ(world_.last_row().status, 0) << "nothing was sent";
}

TEST_F(Abort, ADrainEndsAfterItsTime) {
  serve(provider::OnAbort::drain, slowly({std::string(kText)}, Scripted::End::hang));
  ask_and_leave();
  world_.advance(Drain::kTimeMax - Milliseconds(1));
  EXPECT_EQ(counters().drains_running, 1U);
  world_.advance(Milliseconds(2));
  expect_estimated(AbortHandling::drain_capped);
}

TEST_F(Abort, ADrainEndsAfterItsBytes) {
  const std::string words(64 * 1024, 'w');
  const std::string big = fmt::format(
      R"({{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{{"content":"{}"}},"finish_reason":null}}]}})",
      words);
  Scripted script = slowly({}, Scripted::End::hang);
  script.pieces.push_back(event(kText));
  for (int i = 0; i < 17; ++i) script.pieces.push_back(event(big));
  script.between = Milliseconds(10);
  serve(provider::OnAbort::drain, script);
  ask_and_leave();
  world_.advance(Milliseconds(100));
  EXPECT_EQ(counters().drains_running, 1U);
  world_.advance(Milliseconds(200));
  expect_estimated(AbortHandling::drain_capped);
  EXPECT_GT(world_.last_row().usage.output, 100'000) << "what was drained is in the estimate";
}

TEST_F(Abort, AProviderThatBreaksOffEndsTheDrain) {
  const std::pair<const char*, Scripted> table[] = {
      {"reset", slowly({std::string(kText)}, Scripted::End::reset)},
      {"close", slowly({std::string(kText)}, Scripted::End::close)},
      {"error event",
       slowly({R"({"error":{"message":"boom","type":"server_error"}})"}, Scripted::End::hang)}};
  for (const auto& [name, script] : table) {
    SCOPED_TRACE(name);
    TestWorld world;
    world.account("up").on_abort = provider::OnAbort::drain;
    world.script("up", script);
    world.model("m", {fmt::format("up/{}", kModel)});
    world.advance(seconds(1));
    auto client = world.connect();
    const std::string raw =
        fmt::format("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n\r\n{}",
                    kAsk.size(), kAsk);
    ASSERT_EQ(client->try_write(raw).bytes, raw.size());
    world.loop().run_until_idle();
    client->close();
    world.advance(seconds(3));
    const auto row = world.last_row();
    EXPECT_EQ(row.outcome, Outcome::aborted);
    EXPECT_THAT(row.attempts_text, HasSubstr(R"("abort":"drain_failed")"));
    EXPECT_EQ(row.cost_state, CostState::estimated);
    EXPECT_EQ(world.worker().counters.drains_running, 0U);
  }
}

TEST_F(Abort, BeyondTheMostDrainsAtOnceAStreamIsCancelled) {
  serve(provider::OnAbort::drain, whole());
  world_.worker().counters.drains_running = Worker::kDrainsMax;
  ask_and_leave();
  EXPECT_EQ(counters().drains_refused, 1U);
  EXPECT_EQ(counters().drains_running, Worker::kDrainsMax);
  world_.worker().counters.drains_running = 0;
  expect_estimated(AbortHandling::cancelled);
}

TEST_F(Abort, AWorkerThatShutsDownBeginsNoDrain) {
  serve(provider::OnAbort::drain, whole());
  world_.worker().draining = true;
  ask_and_leave();
  expect_estimated(AbortHandling::cancelled);
}

TEST_F(Abort, AWorkerThatShutsDownGivesUpItsDrains) {
  serve(provider::OnAbort::drain, slowly({}, Scripted::End::hang));
  ask_and_leave();
  world_.worker().draining = true;
  world_.advance(Drain::kTick);
  expect_estimated(AbortHandling::drain_capped);
}

TEST_F(Abort, WeirsEndCutsADrain) {
  serve(provider::OnAbort::drain, slowly({}, Scripted::End::hang));
  ask_and_leave();
  world_.stop();
  expect_estimated(AbortHandling::drain_capped);
}

TEST_F(Abort, AnAnswerThatWasToldWholeIsNoAbort) {
  serve(provider::OnAbort::drain,
        slowly({std::string(kStop), std::string(kUsage), "[DONE]"}, Scripted::End::hang));
  ask("/v1/chat/completions", kAsk);
  world_.advance(seconds(4));
  EXPECT_THAT(world_.read_all(*client_), HasSubstr("[DONE]"));
  leave();
  EXPECT_EQ(counters().requests_running, 0U) << "there is nothing left to drain";
  const auto row = world_.last_row();
  EXPECT_EQ(row.outcome, Outcome::ok);
  EXPECT_THAT(row.attempts_text, Not(HasSubstr("abort")));
  EXPECT_EQ(row.cost.nano(), kNano);
}

}  // namespace
}  // namespace weir::gateway
