// Limits on the journey: of a model for everybody, of a key for one model, of each end user; which
// one a client is told, and until when it has to wait.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::LimitRules;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}})";

std::string ask(std::string_view model, std::string_view more = {}) {
  return fmt::format(R"({{"model":"{}"{},"messages":[{{"role":"user","content":"hello"}}]}})",
                     model, more);
}

class Limited : public testing::Test {
 protected:
  Limited() {
    world_.advance(seconds(1));
    world_.account("up");
    world_.script("up", json_answer(200, kGood));
    world_.model("gpt-4o", {"up/a"});
    world_.model("gpt-4o-mini", {"up/b"});
    world_.model("claude", {"up/c"});
    world_.snapshot().users = ledger::UserLimits::make({1, 2});
    // What is refused is told at once.
    world_.snapshot().queue.size = 0;
    who_->key_id = "k";
  }
  static std::shared_ptr<ledger::LimitCells> cells(const LimitRules& rules) {
    auto made = std::make_shared<ledger::LimitCells>();
    made->apply(rules);
    return made;
  }
  Model& model(std::string_view name) {
    for (Model& one : world_.snapshot().models) {
      if (one.name == name) return one;
    }
    ADD_FAILURE() << name;
    return world_.snapshot().models.front();
  }
  void use() { world_.snapshot().anonymous = who_; }
  Answer post(std::string_view model, std::string_view more = {}, std::string_view headers = {}) {
    return world_.post("/v1/chat/completions", ask(model, more), headers);
  }

  TestWorld world_;
  std::shared_ptr<access::Principal> who_ = std::make_shared<access::Principal>();
};

TEST_F(Limited, AModelsLimitIsOfEverybody) {
  const std::string name = "gpt-4o";
  model(name).limits = cells({.requests_per_minute = 2});
  use();
  EXPECT_EQ(post(name).status, 200);
  const Answer second = post(name);
  EXPECT_EQ(second.header("x-ratelimit-limit-requests"), "2");
  EXPECT_EQ(second.header("x-ratelimit-remaining-requests"), "0");
  auto other = std::make_shared<access::Principal>();
  other->key_id = "another";
  world_.snapshot().anonymous = other;
  const Answer refused = post(name);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr(fmt::format("the model \\\"{}\\\"", name)));
  EXPECT_EQ(refused.header("retry-after"), "30");
  EXPECT_EQ(post("claude").status, 200);
  world_.advance(Milliseconds(29'999));
  EXPECT_EQ(post(name).status, 429);
  world_.advance(Milliseconds(1));
  EXPECT_EQ(post(name).status, 200);
}

TEST_F(Limited, AKeysLimitForAModelAndForManyThatBeginAlike) {
  auto parts = std::make_shared<ledger::PartLimits>();
  parts->subject = "key/k";
  parts->models.push_back({"gpt-4o", cells({.requests_per_minute = 1})});
  parts->models.push_back({"gpt-*", cells({.requests_per_minute = 3})});
  who_->parts[0] = parts;
  who_->key_limits = cells({.requests_per_minute = 100});
  use();
  EXPECT_EQ(post("gpt-4o").header("x-ratelimit-limit-requests"), "1") << "the tightest is told";
  EXPECT_THAT(post("gpt-4o").body, HasSubstr("this key for the model"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(post("gpt-4o-mini").status, 200) << "the first that fits";
  EXPECT_EQ(post("gpt-4o-mini").status, 429);
  EXPECT_EQ(post("claude").header("x-ratelimit-limit-requests"), "100");
}

TEST_F(Limited, EveryUserOfATeamHasItsOwn) {
  auto parts = std::make_shared<ledger::PartLimits>();
  parts->subject = "team/t";
  parts->limits_users = true;
  parts->users = {.requests_per_minute = 2};
  who_->parts[2] = parts;
  use();
  struct {
    std::string_view more;
    std::string_view headers;
    std::string_view told;
  } const users[] = {{R"(,"user":"alice")", "", "for the user \\\"alice\\\""},
                     {R"(,"metadata":{"user_id":"bob"})", "", "for the user \\\"bob\\\""},
                     {"", "x-weir-user: carol\r\n", "for the user \\\"carol\\\""},
                     {"", "", "for all requests without a user"}};
  for (const auto& user : users) {
    EXPECT_EQ(post("claude", user.more, user.headers).status, 200) << user.told;
    EXPECT_EQ(post("gpt-4o", user.more, user.headers).status, 200) << user.told;
    const Answer refused = post("claude", user.more, user.headers);
    EXPECT_EQ(refused.status, 429) << user.told;
    EXPECT_THAT(refused.body, HasSubstr(user.told));
    EXPECT_THAT(refused.body, HasSubstr("this key's team"));
    EXPECT_EQ(refused.header("retry-after"), "30");
  }
  EXPECT_EQ(post("claude", "", "x-weir-user: alice\r\n").status, 429) << "by any way of naming it";
  EXPECT_EQ(world_.snapshot().users->counts().buckets, 4U);
  for (const std::string& sent : world_.requests("up")) {
    EXPECT_THAT(sent, Not(HasSubstr("x-weir"))) << "the provider is not told";
  }
}

TEST_F(Limited, RetryAfterIsOfAllLimitsTogether) {
  who_->key_limits = cells({.requests_per_minute = 60});
  who_->team_limits = cells({.requests_per_minute = 2});
  model("gpt-4o").limits = cells({.requests_per_minute = 1});
  use();
  EXPECT_EQ(post("gpt-4o").status, 200);
  EXPECT_EQ(post("claude").status, 200);
  const Answer refused = post("gpt-4o");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("retry-after"), "60") << "the team's half a minute is not enough";
  EXPECT_EQ(who_->key_limits->requests.peek(world_.loop().now()).remaining, 58)
      << "what another limit refused used nothing up";
}

}  // namespace
}  // namespace weir::gateway
