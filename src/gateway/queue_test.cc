// The queue on the journey: requests that wait for an account or a model that is full, by priority.
#include "gateway/queue.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::Priority;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}})";

class Queued : public testing::Test {
 protected:
  struct Client {
    std::string name;
    std::unique_ptr<net::MemoryStream> stream;
    std::string received;
  };

  Queued() {
    world_.advance(seconds(1));
    world_.account("up").state->concurrency.set_limit(1);
    serve_in(Milliseconds(1'000));
    world_.model("m", {"up/a"});
    auto who = std::make_shared<access::Principal>();
    who->key_id = "k";
    who->priority = Priority::high;
    world_.snapshot().anonymous = who;
    world_.snapshot().queue = {.size = 4, .wait = seconds(60)};
  }
  void serve_in(Milliseconds time) {
    world_.clear("up");
    Scripted answer = json_answer(200, kGood);
    answer.before = time;
    world_.script("up", answer);
  }
  // A request of that class; the loop has not moved on in time.
  void ask(const std::string& name, std::string_view priority, std::string_view more = {}) {
    const std::string body = fmt::format(
        R"({{"model":"m","user":"{}"{},"messages":[{{"role":"user","content":"hello"}}]}})", name,
        more);
    clients_.push_back({name, world_.connect(), {}});
    world_.loop().spawn(
        [](net::MemoryStream& to, std::string bytes)
            -> net::Task<void> {
          const std::string_view piece = bytes;
          (void)co_await to.write_all({&piece, 1});
        }(*clients_.back().stream,
            fmt::format("POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-length: {}\r\n"
                        "content-type: application/json\r\nx-weir-priority: {}\r\n\r\n{}",
                        body.size(), priority, body)));
    world_.loop().run_until_idle();
  }
  // In the order in which the provider was asked.
  std::vector<std::string> served() {
    std::vector<std::string> names;
    for (const std::string& request : world_.requests("up")) {
      const size_t at = request.find(R"("user":")") + 8;
      names.push_back(request.substr(at, request.find('"', at) - at));
    }
    return names;
  }
  std::string answer(const std::string& name) {
    for (Client& client : clients_) {
      if (client.name != name) continue;
      client.received += world_.read_all(*client.stream);
      return client.received;
    }
    return {};
  }
  int status(const std::string& name) {
    const std::string text = answer(name);
    return text.size() < 12 ? 0 : std::stoi(text.substr(9, 3));
  }
  const QueueCounters& counters(Priority priority) {
    return world_.worker().queue.counters()[static_cast<size_t>(priority)];
  }
  size_t waiting() { return world_.worker().queue.size(); }

  TestWorld world_;
  std::vector<Client> clients_;
};

TEST_F(Queued, TheMoreImportantGoFirstThenThoseWhoCameFirst) {
  ask("first", "normal");
  for (const char* name : {"low-1", "low-2"}) ask(name, "low");
  ask("normal", "normal");
  ask("high", "whatever");  // not a class: the key's own
  EXPECT_EQ(waiting(), 4U);
  world_.advance(seconds(10));
  EXPECT_THAT(served(), ElementsAre("first", "high", "normal", "low-1", "low-2"));
  for (const Client& client : clients_) EXPECT_EQ(status(client.name), 200) << client.name;
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(counters(Priority::low).served, 2U);
  // What was free was used at once: four waited one, two, three and four seconds.
  EXPECT_EQ(counters(Priority::high).waited_us, 1'000'000U);
  EXPECT_EQ(counters(Priority::low).waited_us, 7'000'000U);
}

TEST_F(Queued, ARequestCanOnlyLowerItsClass) {
  auto who = std::make_shared<access::Principal>(*world_.snapshot().anonymous);
  who->priority = Priority::low;
  world_.snapshot().anonymous = who;
  ask("first", "high");
  ask("second", "high");
  EXPECT_EQ(counters(Priority::low).waiting, 1U);
  EXPECT_EQ(counters(Priority::high).waits, 0U);
}

TEST_F(Queued, AFullQueueGivesTheLastPlaceOfALowerClass) {
  ask("first", "normal");
  for (const char* name : {"low-1", "low-2"}) ask(name, "low");
  for (const char* name : {"normal-1", "normal-2"}) ask(name, "normal");
  EXPECT_EQ(waiting(), 4U);
  ask("normal-3", "normal");
  EXPECT_EQ(status("low-2"), 429) << "the last of the least important";
  EXPECT_THAT(answer("low-2"), HasSubstr("retry-after: 1\r\n"));
  EXPECT_THAT(answer("low-2"), HasSubstr("accounts of the model"));
  ask("low-3", "low");
  EXPECT_EQ(status("low-3"), 429) << "nobody is less important";
  EXPECT_EQ(waiting(), 4U);
  EXPECT_EQ(counters(Priority::low).pushed_out, 1U);
  EXPECT_EQ(counters(Priority::low).refused_full, 1U);
  world_.advance(seconds(10));
  EXPECT_THAT(served(), ElementsAre("first", "normal-1", "normal-2", "normal-3", "low-1"));
}

TEST_F(Queued, AWaitEndsByItsTimeAndByTheClient) {
  world_.snapshot().queue.wait = Milliseconds(700);
  ask("first", "normal");
  ask("patient", "normal");
  ask("gone", "normal");
  clients_.back().stream->reset();
  world_.loop().run_until_idle();
  EXPECT_EQ(waiting(), 1U);
  EXPECT_EQ(counters(Priority::normal).left, 1U);
  world_.advance(Milliseconds(699));
  EXPECT_EQ(status("patient"), 0);
  world_.advance(Milliseconds(6));
  EXPECT_EQ(status("patient"), 429);
  EXPECT_EQ(counters(Priority::normal).expired, 1U);
  EXPECT_EQ(waiting(), 0U);
  world_.advance(seconds(2));
  EXPECT_THAT(served(), ElementsAre("first"));
  EXPECT_EQ(world_.deployment("m").account->state->concurrency.in_flight(), 0);
  EXPECT_TRUE(world_.deployment("m").account->state->gate.nobody());
  std::map<std::string, ledger::Outcome> outcomes;
  for (const auto& row : world_.rows()) outcomes[row.user] = row.outcome;
  EXPECT_EQ(outcomes["gone"], ledger::Outcome::aborted);
  EXPECT_EQ(outcomes["patient"], ledger::Outcome::denied);
}

TEST_F(Queued, ADrainLetsNobodyInAndEmptiesIt) {
  ask("first", "normal");
  ask("second", "normal");
  world_.worker().draining = true;
  ask("third", "high");
  EXPECT_EQ(status("third"), 429);
  world_.drain(seconds(5));
  EXPECT_THAT(served(), ElementsAre("first", "second"));
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(Queued, AServerThatStopsLeavesNothingBehind) {
  ask("first", "normal");
  ask("second", "normal");
  world_.stop();
  EXPECT_EQ(waiting(), 0U);
  EXPECT_TRUE(world_.deployment("m").account->state->gate.nobody());
}

// The gates are what other workers see: here another worker's request waits for the account.
TEST_F(Queued, WhoWaitsElsewhereComesBeforeTheLessImportantHere) {
  provider::AccountState& account = *world_.deployment("m").account->state;
  account.gate.join(Priority::normal);
  ask("low", "low");
  ask("normal", "normal");
  EXPECT_EQ(waiting(), 2U) << "there is room, but others came before";
  ask("high", "high");
  EXPECT_THAT(served(), ElementsAre("high"));
  world_.advance(seconds(2));
  EXPECT_THAT(served(), ElementsAre("high", "normal")) << "equals may go once they have waited";
  world_.advance(seconds(2));
  EXPECT_EQ(served().size(), 2U) << "a lower class stays back";
  account.gate.leave(Priority::normal);
  world_.advance(seconds(2));
  EXPECT_THAT(served(), ElementsAre("high", "normal", "low"));
}

TEST_F(Queued, AModelsOwnLimitIsWaitedForToo) {
  world_.deployment("m").account->state->concurrency.set_limit(0);
  auto limits = std::make_shared<ledger::LimitCells>();
  limits->apply({.concurrency = 1});
  world_.snapshot().models.front().limits = limits;
  ask("first", "normal");
  ask("low", "low");
  ask("high", "high");
  EXPECT_EQ(waiting(), 2U);
  world_.advance(seconds(10));
  EXPECT_THAT(served(), ElementsAre("first", "high", "low"));
  EXPECT_TRUE(limits->gate.nobody());
  EXPECT_EQ(limits->concurrency.in_flight(), 0);
  EXPECT_EQ(world_.worker().counters.refused_limits, 0U);
  // A rate that has no room before the wait is over is told at once.
  limits->apply({.requests_per_minute = 1});
  world_.snapshot().queue.wait = seconds(2);
  ask("rate-1", "normal");
  ask("rate-2", "normal");
  EXPECT_EQ(status("rate-2"), 429);
  EXPECT_THAT(answer("rate-2"), HasSubstr("retry-after: 60\r\n"));
  EXPECT_EQ(world_.worker().counters.refused_limits, 1U);
}

TEST_F(Queued, RetryAfterIsOfTheAccountThatHasRoomFirst) {
  world_.snapshot().queue.size = 0;
  provider::AccountState& account = *world_.deployment("m").account->state;
  account.concurrency.set_limit(0);
  account.requests.set_limit(2);
  ask("first", "normal");
  ask("second", "normal");
  ask("third", "normal");
  EXPECT_EQ(status("third"), 429);
  EXPECT_THAT(answer("third"), HasSubstr("retry-after: 30\r\n"));
  world_.advance(Milliseconds(29'999));
  ask("early", "normal");
  EXPECT_EQ(status("early"), 429);
  world_.advance(Milliseconds(1));
  ask("right", "normal");
  world_.advance(seconds(2));
  EXPECT_EQ(status("right"), 200);
}

// Random arrivals at an account with little room: nobody is served from the queue, or past it,
// while a more important request is waiting, and none is refused while a less important one is
// served.
TEST(QueueProperties, TheHigherIsNeverRefusedBeforeTheLower) {
  class Run : public Queued {
   public:
    void TestBody() override {}
    void play(uint64_t seed) {
      Random random(seed);
      const size_t size_max = 1 + random.below(6);
      world_.snapshot().queue = {.size = size_max, .wait = Milliseconds(100 + random.below(900))};
      world_.deployment("m").account->state->concurrency.set_limit(1 + random.below(3));
      std::map<std::string, int64_t> begun;  // ms, when the provider was asked
      size_t seen = 0;
      const int64_t start_ms = world_.loop().clock().wall_ms();
      for (int step = 0; step < 300; ++step) {
        if (random.below(4) == 0) serve_in(Milliseconds(20 + random.below(300)));
        if (step < 250 && random.below(3) == 0) {
          const auto priority = static_cast<Priority>(random.below(3));
          ask(fmt::format("{}-{}", static_cast<int>(priority), step), ledger::to_string(priority));
          if (random.below(12) == 0) clients_.back().stream->reset();
        }
        world_.advance(Milliseconds(10));
        ASSERT_LE(waiting(), size_max) << "seed " << seed;
        const auto names = served();
        for (; seen < names.size(); ++seen) {
          begun[names[seen]] = world_.loop().clock().wall_ms() - start_ms;
        }
      }
      world_.advance(seconds(3));
      EXPECT_EQ(waiting(), 0U);
      EXPECT_TRUE(world_.deployment("m").account->state->gate.nobody());
      for (const auto& row : world_.rows()) {
        if (row.status != 429) continue;
        ++refused;
        const int64_t came = row.start_ms - start_ms;
        const int64_t told = came + row.total_us / 1000;
        for (const auto& [name, at] : begun) {
          const bool lower = name.front() > row.user.front();
          // Seen up to a step later than it was.
          if (lower && at - 10 > came && at < told) {
            ADD_FAILURE() << "seed " << seed << ": " << name << " at " << at << " before "
                          << row.user << " of " << came << " to " << told;
          }
        }
      }
      for (const auto& counters : world_.worker().queue.counters()) {
        EXPECT_EQ(counters.waits,
                  counters.served + counters.expired + counters.pushed_out + counters.left);
        EXPECT_EQ(counters.waiting, 0U);
        served_late += counters.served;
      }
    }
    size_t refused = 0;
    uint64_t served_late = 0;
  };
  size_t refused = 0;
  uint64_t served_late = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Run run;
    run.play(seed);
    refused += run.refused;
    served_late += run.served_late;
  }
  EXPECT_GT(refused, 100U);
  EXPECT_GT(served_late, 100U);
}

}  // namespace
}  // namespace weir::gateway
