// Budgets on the journey: what is reserved for a request, what a further attempt adds to it, and
// who is charged.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/estimate.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::BudgetWindow;
using std::chrono::seconds;
using testing::HasSubstr;

// Dollars a million tokens, in and out: 2.50 and 10.00; 0.15 and 0.60.
constexpr std::string_view kDear = "gpt-4o-2024-11-20";
constexpr std::string_view kCheap = "gpt-4o-mini-2024-07-18";
constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}})";
constexpr int64_t kGoodNano = 100 * 2'500 + 20 * 10'000;
// The longest answer of either, by the shipped price book.
constexpr int64_t kLongest = 16'384;

std::string ask(std::string_view more = {}) {
  return fmt::format(R"({{"model":"m"{},"messages":[{{"role":"user","content":"hello"}}]}})", more);
}

// The most that `ask(more)` may cost at the dear model.
int64_t worst_nano(std::string_view more, int64_t output) {
  const std::string body = ask(more);
  json::Document document;
  EXPECT_TRUE(document.parse(body));
  const int64_t input = estimate_input_tokens(document.root()) * 4;
  return input * 2'500 + output * 10'000;
}

class Budgeted : public testing::Test {
 protected:
  Budgeted() { world_.advance(seconds(1)); }

  void hold(int64_t nano, BudgetWindow window = BudgetWindow::day) {
    auto who = std::make_shared<access::Principal>();
    who->key_id = "k";
    who->project = "p";
    who->team_limits = cells_;
    cells_->apply({.budgets = {{Money::from_nano(nano), window}}});
    world_.snapshot().anonymous = who;
  }
  void serve(std::string_view account, std::string_view model, const Scripted& answer) {
    world_.account(std::string(account));
    world_.script(std::string(account), answer);
    deployments_.push_back(fmt::format("{}/{}", account, model));
  }
  Answer post(std::string_view more = {}) { return world_.post("/v1/chat/completions", ask(more)); }

  TestWorld world_;
  std::shared_ptr<ledger::LimitCells> cells_ = std::make_shared<ledger::LimitCells>();
  std::vector<std::string> deployments_;
};

TEST_F(Budgeted, TheWorstCaseIsReservedAndTheCostIsCharged) {
  struct {
    std::string_view more;
    int64_t output;
  } cases[] = {
      {R"(,"max_tokens":50)", 50}, {R"(,"max_completion_tokens":50,"n":3)", 150}, {"", kLongest}};
  serve("up", kDear, json_answer(200, kGood));
  world_.model("m", deployments_);
  int64_t spent = 0;
  for (const auto& c : cases) {
    const int64_t worst = worst_nano(c.more, c.output);
    hold(spent + worst - 1'000);
    const Answer refused = post(c.more);
    EXPECT_EQ(refused.status, 429) << c.more;
    EXPECT_THAT(refused.body, HasSubstr("this key's team"));
    EXPECT_EQ(world_.last_row().error_code, "budget_exceeded");
    EXPECT_EQ(world_.last_row().project, "p") << "a refused request has its project, too";
    hold(spent + worst + 1'000);
    EXPECT_EQ(post(c.more).status, 200) << c.more;
    spent += kGoodNano;
    EXPECT_EQ(cells_->budgets.spent_ever().nano(), spent);
    EXPECT_EQ(cells_->budgets.reserved(), Money{});
  }
}

TEST_F(Budgeted, AModelMaySayHowLongItsAnswersGet) {
  serve("up", kDear, json_answer(200, kGood));
  world_.model("m", deployments_).max_output = 20'000;
  hold(worst_nano("", 20'000) - 1'000);
  EXPECT_EQ(post().status, 429);
  hold(worst_nano("", 20'000) + 1'000);
  EXPECT_EQ(post().status, 200);
}

TEST_F(Budgeted, ToolsThatAreBilledApieceAreReserved) {
  constexpr int64_t kSearchNano = 10'000'000;
  constexpr std::string_view kOnce =
      R"(,"max_tokens":50,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}])";
  constexpr std::string_view kOpen = R"(,"max_tokens":50,"web_search_options":{})";
  // 1.25 and 10.00 dollars a million tokens.
  serve("up", "gpt-5-2025-08-07", json_answer(200, kGood));
  world_.model("m", deployments_);
  const auto worst = [](std::string_view more) { return (worst_nano(more, 0) / 2) + 50 * 10'000; };
  for (const auto& [more, uses] : {std::pair(kOnce, int64_t{1}), std::pair(kOpen, kToolUses)}) {
    const int64_t spent = cells_->budgets.spent_ever().nano();
    hold(spent + worst(more) + uses * kSearchNano - 1'000);
    EXPECT_EQ(post(more).status, 429) << more;
    hold(spent + worst(more) + uses * kSearchNano + 1'000);
    EXPECT_EQ(post(more).status, 200) << more;
  }
}

// What a reservation is bound to: a stream that never ends is ended by the request's total time.
TEST_F(Budgeted, NoReservationOutlivesItsRequestsTime) {
  const std::string piece =
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"and "},"finish_reason":null}]})";
  Scripted endless = sse_begin(std::vector<std::string>(1000, piece), Scripted::End::hang);
  endless.between = Milliseconds(1'000);
  serve("up", kDear, endless);
  world_.model("m", deployments_).timeouts.total = seconds(60);
  hold(1'000'000'000);
  const std::string body = ask(R"(,"stream":true)");
  auto client = world_.connect();
  const std::string request = fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-type: application/json\r\n"
      "content-length: {}\r\n\r\n{}",
      body.size(), body);
  ASSERT_EQ(client->try_write(request).bytes, request.size());
  for (int i = 0; i < 50; ++i) {
    world_.advance(seconds(1));
    world_.read_all(*client);
  }
  EXPECT_GT(cells_->budgets.reserved(), Money{}) << "under way";
  for (int i = 0; i < 20; ++i) {
    world_.advance(seconds(1));
    world_.read_all(*client);
  }
  EXPECT_EQ(cells_->budgets.reserved(), Money{});
  EXPECT_GT(cells_->budgets.spent_ever(), Money{});
}

TEST_F(Budgeted, WhatBreaksOffWithoutTellingItsUsageCostsWhatWasHeld) {
  Scripted cut = json_answer(200, R"({"data":[{"b64_json":"AAAA"}]})");
  cut.pieces = {cut.pieces[0].substr(0, cut.pieces[0].size() - 4)};
  cut.end = Scripted::End::close;
  serve("up", kDear, cut);
  world_.model("m", deployments_).retries.attempts = 1;
  constexpr int64_t kBudget = 1'000'000'000;
  hold(kBudget);
  EXPECT_NE(world_.post("/v1/images/generations", R"({"model":"m","prompt":"a cat"})").status, 200);
  EXPECT_EQ(world_.last_row().cost_state, ledger::CostState::estimated);
  EXPECT_GE(world_.last_row().cost.nano(), kLongest * 10'000);
  EXPECT_EQ(cells_->budgets.spent_ever(), world_.last_row().cost);
  EXPECT_EQ(cells_->budgets.reserved(), Money{});
}

TEST_F(Budgeted, UploadsAreReservedByTheirSize) {
  serve("up", kDear, json_answer(200, R"({"text":"hello"})"));
  world_.model("m", deployments_);
  const std::string body =
      "--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
      "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" +
      std::string(64'000, 'x') + "\r\n--B--\r\n";
  const auto upload = [&] {
    return world_.send(
        fmt::format("POST /v1/audio/transcriptions HTTP/1.1\r\nhost: w\r\ncontent-type: "
                    "multipart/form-data; boundary=B\r\ncontent-length: {}\r\n\r\n{}",
                    body.size(), body));
  };
  hold(1'000 * 2'500 + kLongest * 10'000);
  EXPECT_EQ(upload().status, 429);
  hold(1'100 * 2'500 + kLongest * 10'000);
  EXPECT_EQ(upload().status, 200);
}

TEST_F(Budgeted, TheDearestDeploymentAndFallbackCount) {
  serve("up", kCheap, json_answer(200, kGood));
  world_.account("dear");
  world_.model("m", deployments_).fallbacks = {"other"};
  world_.model("other", {fmt::format("dear/{}", kDear)});
  hold(worst_nano(R"(,"max_tokens":50)", 50) - 1'000);
  EXPECT_EQ(post(R"(,"max_tokens":50)").status, 429);
}

TEST_F(Budgeted, AnAttemptBesideASlowOneNeedsItsOwnRoom) {
  const std::string_view more = R"(,"max_tokens":50)";
  const int64_t worst = worst_nano(more, 50);
  Scripted slow = json_answer(200, kGood);
  slow.before = std::chrono::seconds(2);
  serve("one", kDear, slow);
  serve("two", kDear, slow);
  world_.model("m", deployments_).hedge = HedgeRules{Milliseconds(500), 1.0};
  hold(2 * worst - 1'000);
  EXPECT_EQ(post(more).status, 200);
  EXPECT_EQ(world_.last_row().attempts, 1u) << "only one of two would have been covered";
  hold(kGoodNano + 2 * worst + 1'000);
  EXPECT_EQ(post(more).status, 200);
  EXPECT_EQ(world_.last_row().attempts, 2u);
  EXPECT_EQ(world_.last_row().project, "p");
  EXPECT_EQ(world_.last_row().cost.nano(), cells_->budgets.spent_ever().nano() - kGoodNano);
  EXPECT_LE(cells_->budgets.spent_ever().nano(), kGoodNano + 2 * worst);
  EXPECT_EQ(cells_->budgets.reserved(), Money{});
}

TEST_F(Budgeted, AnAttemptBehindABilledOneNeedsItsOwnRoom) {
  // The provider began to answer, and bills: both attempts together may exceed the budget.
  serve("bad", kDear, json_answer(200, kGood.substr(0, 80)));
  world_.model("m", deployments_);
  const int64_t worst = worst_nano(R"(,"max_tokens":50)", 50);
  hold(worst + 1'000);
  EXPECT_GE(post(R"(,"max_tokens":50)").status, 500);
  EXPECT_EQ(world_.last_row().attempts, 1u);
  EXPECT_LE(cells_->budgets.spent_ever().nano(), worst + 1'000);
  hold(100 * worst);
  world_.advance(seconds(100));
  EXPECT_GE(post(R"(,"max_tokens":50)").status, 500);
  EXPECT_GT(world_.last_row().attempts, 1u) << "with room it is tried again";
  EXPECT_EQ(cells_->budgets.reserved(), Money{});
}

}  // namespace
}  // namespace weir::gateway
