// A realtime session through the gateway: frames pass untouched, and the row has what they told.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_frames.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::CostState;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAsk =
    "GET /v1/realtime?model=rt HTTP/1.1\r\nhost: w\r\nconnection: Upgrade\r\n"
    "upgrade: websocket\r\nsec-websocket-key: k\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-extensions: permessage-deflate\r\n\r\n";
constexpr std::string_view kAgreed =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-accept: abc\r\n\r\n";
constexpr std::string_view kCreated = R"({"type":"response.created","response":{"id":"resp_1"}})";
constexpr std::string_view kDone =
    R"({"type":"response.done","response":{"usage":{"total_tokens":120,"input_tokens":100,"output_tokens":20,"input_token_details":{"text_tokens":100,"audio_tokens":0,"cached_tokens":40,"cached_tokens_details":{"text_tokens":40,"audio_tokens":0}},"output_token_details":{"text_tokens":20,"audio_tokens":0}}}})";

// The session's row after the provider sent these bytes, in pieces of that size, and the client
// left.
ledger::RequestRow session(const std::string& frames, size_t piece) {
  TestWorld world;
  world.account("up");
  Scripted script{.pieces = {std::string(kAgreed)}, .end = Scripted::End::hang};
  for (size_t at = 0; at < frames.size(); at += piece) {
    script.pieces.push_back(frames.substr(at, piece));
  }
  world.script("up", script);
  world.model("rt", {"up/gpt-4o-2024-11-20"});
  auto client = world.connect();
  EXPECT_EQ(client->try_write(kAsk).bytes, kAsk.size());
  world.loop().run_until_idle();
  const std::string seen = world.read_all(*client);
  EXPECT_TRUE(seen.ends_with("\r\n\r\n" + frames)) << "the frames pass untouched";
  EXPECT_THAT(world.requests("up")[0], Not(HasSubstr("permessage-deflate")));
  client->close();
  world.advance(Milliseconds(6'000));
  return world.last_row();
}

TEST(Realtime, TheSessionCostsWhatItsResponsesTold) {
  const std::string frames = text_frame(kCreated) + text_frame(kDone) + frame(0x9, "") +
                             frame(0x1, kCreated, false) + frame(0x0, "") + text_frame(kDone);
  for (const size_t piece : {size_t{1}, size_t{50}, frames.size()}) {
    const auto row = session(frames, piece);
    EXPECT_EQ(row.status, 101);
    EXPECT_EQ(row.usage.input, 120);
    EXPECT_EQ(row.usage.cache_read, 80);
    EXPECT_EQ(row.usage.output, 40);
    EXPECT_EQ(row.cost_state, CostState::final);
    EXPECT_EQ(row.cost.nano(), 120 * 2'500 + 80 * 1'250 + 40 * 10'000);
  }
}

TEST(Realtime, AResponseThatWasCutMakesItAnEstimate) {
  const auto row = session(text_frame(kCreated) + text_frame(kDone) + text_frame(kCreated), 4096);
  EXPECT_EQ(row.usage.output, 20);
  EXPECT_EQ(row.cost_state, CostState::estimated);
  EXPECT_EQ(row.cost.nano(), 60 * 2'500 + 40 * 1'250 + 20 * 10'000);
}

TEST(Realtime, AnAudioPriceThatIsMissingIsNotGuessed) {
  const auto row = session(
      text_frame(
          R"({"type":"response.done","response":{"usage":{"total_tokens":7,"input_tokens":5,"output_tokens":2,"input_token_details":{"text_tokens":2,"audio_tokens":3},"output_token_details":{"text_tokens":1,"audio_tokens":1}}}})"),
      4096);
  EXPECT_EQ(row.usage.input_audio, 3);
  EXPECT_EQ(row.usage.output_audio, 1);
  EXPECT_EQ(row.cost_state, CostState::unpriced);
}

TEST(Realtime, ABudgetThatDoesNotCoverAnotherResponseEndsTheSession) {
  TestWorld world;
  world.advance(Milliseconds(1'000));
  auto cells = std::make_shared<ledger::LimitCells>();
  auto who = std::make_shared<access::Principal>();
  who->key_id = "k";
  who->key_limits = cells;
  world.snapshot().anonymous = who;
  world.account("up");
  const std::string turn = text_frame(kCreated) + text_frame(kDone);
  world.script("up", {.pieces = {std::string(kAgreed), turn, turn, turn, turn},
                      .end = Scripted::End::hang,
                      .between = Milliseconds(10)});
  world.model("rt", {"up/gpt-4o-2024-11-20"});
  // One response is 60, 40 and 20 tokens. Room for two and for what a third may take.
  constexpr int64_t kTurn = 60 * 2'500 + 40 * 1'250 + 20 * 10'000;
  constexpr int64_t kNext = (100 + 4'096) * 4 * 2'500 + 16'384 * 10'000;
  cells->apply({.budgets = {{Money::from_nano(2 * kTurn + kNext), ledger::BudgetWindow::day}}});
  auto client = world.connect();
  ASSERT_EQ(client->try_write(kAsk).bytes, kAsk.size());
  std::string seen;
  for (int i = 0; i < 6; ++i) {
    world.advance(Milliseconds(10));
    seen += world.read_all(*client);
  }
  EXPECT_TRUE(seen.ends_with("\r\n\r\n" + turn + turn + turn)) << seen;
  world.advance(Milliseconds(6'000));
  const auto row = world.last_row();
  EXPECT_EQ(row.error_code, "budget_exceeded");
  EXPECT_EQ(row.cost.nano(), 3 * kTurn);
  EXPECT_EQ(cells->budgets.spent_ever().nano(), 3 * kTurn);
  EXPECT_EQ(cells->budgets.reserved(), Money{});
}

TEST(Realtime, ASessionWithoutAWordIsUnpriced) {
  EXPECT_EQ(session("not a frame", 4096).cost_state, CostState::unpriced);
}

}  // namespace
}  // namespace weir::gateway
