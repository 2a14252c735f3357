// Traffic scheduling in the gateway: scripted providers, a manual clock, and the production
// scheduler judging once a second what the worker saw.
#include "gateway/traffic.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "gateway/test_traffic.h"

namespace weir::gateway {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

TEST(Traffic, ASickDeploymentLosesItsTrafficAndEarnsItBackInStages) {
  Scheduled s({"a", "b", "c"});
  s.play(15, 12);
  EXPECT_NEAR(s.share("b/m"), 1.0 / 3, 0.15);
  // Half of its answers fail.
  for (int i = 0; i < 400; ++i) {
    s.world.script("b", json_answer(i % 2 == 0 ? 500 : 200, i % 2 == 0 ? kBad : kGood));
  }
  s.forget();
  s.play(12, 12);
  EXPECT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  EXPECT_EQ(s.verdict(0).phase, schedule::Phase::steady);
  EXPECT_LE(s.weight(1), 250);
  s.forget();
  s.play(5, 12);
  EXPECT_LT(s.share("b/m"), 0.2);
  const auto told = s.control.history(0);
  ASSERT_FALSE(told.empty());
  EXPECT_THAT(told.back().sentence, HasSubstr("b/m goes from"));

  // It is well again: stages, not all at once.
  s.world.clear("b");
  s.world.script("b", json_answer(200, kGood));
  std::vector<uint16_t> stages = {s.weight(1)};
  for (int i = 0; i < 200 && s.weight(1) < 1000; ++i) {
    s.play(1, 12);
    if (s.weight(1) != stages.back()) stages.push_back(s.weight(1));
  }
  EXPECT_EQ(s.weight(1), 1000);
  EXPECT_GE(stages.size(), 4U);
  EXPECT_TRUE(std::is_sorted(stages.begin() + 1, stages.end()));
}

TEST(Traffic, AStormOf429MovesTrafficAndMarksNobodySick) {
  Scheduled s({"a", "b"});
  s.play(5, 10);
  s.world.clear("a");
  s.world.script("a", json_answer(429, kBad, "retry-after: 2\r\n"));
  s.model->retries.attempts = 2;
  s.forget();
  s.play(20, 10);
  EXPECT_EQ(s.statuses[200], 200) << "nobody is told of it";
  EXPECT_EQ(s.verdict(0).phase, schedule::Phase::steady);
  EXPECT_EQ(s.verdict(0).health, 1);
  EXPECT_LT(s.verdict(0).capacity, 1);
  EXPECT_GT(s.share("b/m"), 0.9);
  // At most one attempt per lease reached it.
  EXPECT_LE(s.world.requests("a").size(), 60U);
}

// What a limit counts comes back with time: no request need be sent to learn that.
TEST(Traffic, CapacityComesBackSoonAfterTheLastRefusal) {
  Scheduled s({"a", "b"});
  s.model->retries.attempts = 2;
  s.play(5, 4);
  s.world.clear("a");
  s.world.script("a", json_answer(429, kBad, "retry-after: 2\r\n"));
  s.play(25, 4);
  EXPECT_LT(s.verdict(0).capacity, 0.6F);
  s.world.clear("a");
  s.world.script("a", json_answer(200, kGood));
  s.play(12, 4);
  EXPECT_EQ(s.weight(0), 1000);
}

TEST(Traffic, HalfOfItsShareIsBackSoonAtTwoRequestsASecond) {
  Scheduled s({"a", "b", "c", "d", "e"}, provider::ProbeKind::completion);
  s.model->retries.attempts = 3;
  s.play(30, 10);
  for (const bool dead : {false, true}) {
    s.world.clear("b");
    for (int i = 0; i < 2000; ++i) {
      s.world.script(
          "b", json_answer(dead || i % 2 == 0 ? 500 : 200, dead || i % 2 == 0 ? kBad : kGood));
    }
    s.play(25, 10);
    EXPECT_EQ(s.verdict(1).phase, schedule::Phase::cut) << dead;
    s.world.clear("b");
    s.world.script("b", json_answer(200, kGood));
    int took = 0;
    while (s.weight(1) < 500 && took < 100) {
      s.play(1, 10);
      ++took;
    }
    EXPECT_LE(took, 30) << dead;
    s.play(60, 10);
    EXPECT_EQ(s.weight(1), 1000) << dead;
  }
}

TEST(Traffic, WhenAllAreSickNobodyIsCut) {
  Scheduled s({"a", "b", "c", "d"});
  s.play(10, 12);
  for (const char* name : {"a", "b", "c", "d"}) {
    s.world.clear(name);
    for (int i = 0; i < 200; ++i) {
      s.world.script(name, json_answer(i % 3 == 0 ? 500 : 200, i % 3 == 0 ? kBad : kGood));
    }
  }
  s.play(15, 16);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(s.weight(i), 1000) << i;
}

TEST(Traffic, HalfOfAModelAtMostIsCutBlindly) {
  Scheduled s({"a", "b", "c", "d"});
  s.play(10, 16);
  for (const char* name : {"a", "b"}) {
    s.world.clear(name);
    s.world.script(name, json_answer(500, kBad));
  }
  s.play(20, 16);
  double left = 0;
  for (size_t i = 0; i < 4; ++i) left += s.verdict(i).health;
  EXPECT_GE(left, 4 * (1 - 0.67) - 0.01);
  EXPECT_LT(s.weight(0), 200);
  EXPECT_LT(s.weight(1), 200);
  EXPECT_EQ(s.weight(2), 1000);
}

TEST(Traffic, TheOnlyDeploymentKeepsItsWeight) {
  Scheduled s({"a"});
  s.world.clear("a");
  s.world.script("a", json_answer(500, kBad));
  s.play(20, 5);
  EXPECT_EQ(s.weight(0), 1000);
  EXPECT_EQ(s.statuses[500], 100);
}

TEST(Traffic, SurvivesAReloadInTheMiddle) {
  Scheduled s({"a", "b", "c"});
  s.play(5, 12);
  s.world.clear("b");
  s.world.script("b", json_answer(500, kBad));
  // The guard steps around it at once, so the evidence comes by its probes.
  s.play(25, 12);
  ASSERT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  const uint16_t cut = s.weight(1);
  ASSERT_LT(cut, 200);
  s.world.reload();
  s.control.configure(s.world.snapshot());
  s.publish();
  EXPECT_EQ(s.weight(1), cut) << "what was found is not forgotten";
  s.forget();
  s.play(3, 12);
  EXPECT_LT(s.share("b/m"), 0.2);
  // One that is taken out and put back starts anew, and the others do not notice.
  EXPECT_EQ(s.weight(0), 1000);
}

TEST(Traffic, LowerPrioritiesWaitUntilTheHigherHaveNoCapacity) {
  Scheduled s({"ptu", "payg"});
  s.world.set_priority("m", 1, 1);
  s.world.reload();
  s.control.configure(s.world.snapshot());
  s.publish();
  s.play(5, 10);
  EXPECT_EQ(s.served["ptu/m"], 50);
  // Full: 429. The rest goes to the next priority without a client noticing.
  s.world.clear("ptu");
  s.world.script("ptu", json_answer(429, kBad, "retry-after: 30\r\n"));
  s.model = &s.world.snapshot().models.front();
  s.model->retries.attempts = 2;
  s.forget();
  s.play(5, 10);
  EXPECT_EQ(s.statuses[200], 50);
  EXPECT_EQ(s.served["payg/m"], 50);
  EXPECT_GE(s.world.worker().traffic.counters().spills, 49U);
  EXPECT_EQ(s.world.requests("ptu").size(), 51U) << "asked once, then left alone";
}

TEST(Traffic, WhatTheHeadersSayIsLeftIsNotOverdrawn) {
  Scheduled s({"small", "large"});
  s.world.clear("small");
  s.world.script("small", json_answer(200, kGood,
                                      "x-ratelimit-limit-requests: 100\r\n"
                                      "x-ratelimit-remaining-requests: 1\r\n"
                                      "x-ratelimit-reset-requests: 6m0s\r\n"));
  s.forget();
  s.play(3, 20);
  EXPECT_EQ(s.statuses[200], 60);
  EXPECT_LE(s.served["small/m"], 2) << "one answer told that there is room for one more";
  EXPECT_EQ(s.verdict(0).phase, schedule::Phase::steady);
  ASSERT_TRUE(s.control.seen(s.world.deployment("m", 0).slot)->budget.has_value());
  EXPECT_EQ(*s.control.seen(s.world.deployment("m", 0).slot)->budget, 100);
}

TEST(Traffic, NothingIsSentBeyondTheConfiguredLimitsOfAnAccount) {
  Scheduled s({"a", "b"});
  s.world.deployment("m", 0).account->state->requests.set_limit(5);
  s.play(1, 40);
  EXPECT_EQ(s.statuses[200], 40);
  EXPECT_LE(s.served["a/m"], 6);
  s.world.deployment("m", 1).account->state->concurrency.set_limit(1);
  s.world.deployment("m", 1).account->state->tokens.set_limit(10);  // one request is more
  const Answer refused = s.world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("accounts of the model"));
  EXPECT_FALSE(refused.header("retry-after").empty());
  EXPECT_EQ(s.world.last_row().attempts, 0U);
  EXPECT_EQ(s.world.last_row().error_code, "account_limit_reached");
}

std::string long_prompt(std::string_view document, std::string_view question) {
  return fmt::format(
      R"({{"model":"m","messages":[{{"role":"system","content":"{}{}"}},{{"role":"user","content":"{}"}}]}})",
      document, std::string(5'000, 'x'), question);
}

TEST(Affinity, ALongSharedPrefixMeetsTheSameDeployment) {
  Scheduled s({"a", "b", "c", "d"});
  std::map<std::string, int> homes;
  for (int document = 0; document < 40; ++document) {
    s.forget();
    for (int question = 0; question < 5; ++question) {
      s.play(1, 1, long_prompt(fmt::format("document {}", document), fmt::format("q{}", question)));
    }
    EXPECT_EQ(s.served.size(), 1U) << "document " << document;
    ++homes[s.served.begin()->first];
  }
  EXPECT_EQ(homes.size(), 4U) << "documents spread";
  EXPECT_EQ(s.world.worker().traffic.counters().affinity_home, 200U);
  // Short prompts are in no cache.
  s.forget();
  s.play(40, 1);
  EXPECT_GT(s.served.size(), 1U);
}

TEST(Affinity, ASessionThatIsNamedComesFirst) {
  Scheduled s({"a", "b", "c", "d"});
  for (int session = 0; session < 10; ++session) {
    s.forget();
    for (int turn = 0; turn < 4; ++turn) {
      s.play(1, 1,
             fmt::format(R"({{"model":"m","prompt_cache_key":"s{}","messages":[{{"role":"user",)"
                         R"("content":"turn {}"}}]}})",
                         session, turn));
    }
    EXPECT_EQ(s.served.size(), 1U) << session;
  }
}

TEST(Affinity, LoadAboveItsShareGoesElsewhere) {
  Scheduled s({"a", "b", "c", "d"});
  for (const char* name : {"a", "b", "c", "d"}) {
    s.world.clear(name);
    Scripted slow = json_answer(200, kGood);
    slow.before = seconds(30);
    s.world.script(name, slow);
  }
  const std::string body = long_prompt("one for all", "q");
  const std::string raw = fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: w\r\ncontent-type: application/json\r\n"
      "content-length: {}\r\n\r\n{}",
      body.size(), body);
  std::vector<std::unique_ptr<net::MemoryStream>> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(s.world.connect());
    ASSERT_EQ(clients.back()->try_write(raw).bytes, raw.size());
    s.world.loop().run_until_idle();
  }
  uint32_t most = 0;
  uint32_t sum = 0;
  for (size_t i = 0; i < 4; ++i) {
    const uint32_t in_flight = s.world.deployment("m", i).state->in_flight.load();
    most = std::max(most, in_flight);
    sum += in_flight;
  }
  EXPECT_EQ(sum, 60U);
  EXPECT_LE(most, 60U / 4 * 5 / 4 + 1) << "1.25 times its share";
  s.world.advance(seconds(60));
}

TEST(Affinity, AMovedWeightMovesItsOwnKeysOnly) {
  int moved = 0;
  int lost = 0;
  for (uint64_t key = 1; key <= 2'000; ++key) {
    const auto best = [&](uint16_t weight_of_2) {
      uint32_t winner = 0;
      double least = 1e9;
      for (uint32_t slot = 0; slot < 5; ++slot) {
        const double place = rendezvous(key * 7919, slot, slot == 2 ? weight_of_2 : 1000);
        if (place < least) {
          least = place;
          winner = slot;
        }
      }
      return winner;
    };
    const uint32_t before = best(1000);
    const uint32_t after = best(10);
    if (before == after) continue;
    EXPECT_EQ(before, 2U);
    ++moved;
    lost += after == 2 ? 1 : 0;
  }
  EXPECT_NEAR(moved, 400, 80);
  EXPECT_EQ(lost, 0);
}

TEST(TrafficControl, PinsEndByThemselves) {
  Scheduled s({"a", "b"});
  s.play(3, 10);
  ASSERT_TRUE(s.control.pin("m", "a/m", 0, 10));
  s.publish();
  s.forget();
  s.play(5, 10);
  EXPECT_EQ(s.served["b/m"], 50);
  s.play(8, 10);
  EXPECT_EQ(s.weight(0), 1000);
  EXPECT_FALSE(s.control.pin("m", "a/m", 0.5, 0)) << "an end is asked for";
  EXPECT_FALSE(s.control.pin("m", "a/m", 2, 10));
  EXPECT_FALSE(s.control.pin("m", "nobody", 1, 10));
  EXPECT_FALSE(s.control.unpin("m", "a/m")) << "there is none";
}

TEST(TrafficControl, ADrainedDeploymentIsAskedNothing) {
  Scheduled s({"a", "b"});
  s.model->retries.attempts = 3;
  s.idle(1);
  ASSERT_TRUE(s.control.pin("m", "a/m", 0, 1000));
  s.publish();
  // Neither as a retry nor where the other is parked.
  s.world.clear("b");
  s.world.script("b", json_answer(500, kBad));
  EXPECT_EQ(s.world.post("/v1/chat/completions", kAsk).status, 500);
  s.world.clear("b");
  s.world.script("b", json_answer(429, kBad, "retry-after: 1000\r\n"));
  EXPECT_EQ(s.world.post("/v1/chat/completions", kAsk).status, 429);
  EXPECT_EQ(s.world.post("/v1/chat/completions", kAsk).status, 429);
  EXPECT_TRUE(s.world.requests("a").empty());
}

TEST(TrafficControl, TheLastDeploymentIsDrainedByForceAlone) {
  Scheduled s({"a", "b"});
  s.idle(1);
  s.world.account("spare");
  s.world.script("spare", json_answer(200, kGood));
  ASSERT_TRUE(s.control.pin("m", "a/m", 0, 1000));
  const auto refused = s.control.pin("m", "b/m", 0, 1000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::already_exists);
  EXPECT_TRUE(s.control.pin("m", "a/m", 0, 2000)) << "drained for longer";
  EXPECT_TRUE(s.control.pin("m", "b/m", 0.1, 1000)) << "a share is no drain";
  ASSERT_TRUE(s.control.pin("m", "b/m", 0, 1000, /*force=*/true));
  s.publish();
  const Answer nothing = s.world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(nothing.status, 503);
  EXPECT_THAT(nothing.body, HasSubstr("deployments_drained"));
  EXPECT_EQ(s.world.last_row().error_code, "deployments_drained");
  EXPECT_EQ(s.world.last_row().attempts, 0U);
  // A fallback takes over.
  s.world.model("other", {"spare"});
  s.world.snapshot().models[0].fallbacks = {"other"};
  EXPECT_EQ(s.world.post("/v1/chat/completions", kAsk).status, 200);
  // The drain ends.
  s.idle(1001);
  EXPECT_EQ(s.weight(1), 1000);
}

TEST(TrafficControl, ARequestThatIsBoundToADrainedDeploymentReachesIt) {
  Scheduled s({"a", "b"});
  s.idle(1);
  ASSERT_TRUE(s.control.pin("m", "a/m", 0, 1000));
  s.publish();
  Traffic& traffic = s.world.worker().traffic;
  const auto at_a = [&](const provider::Deployment& one) { return one.account->name == "a"; };
  Traffic::Wish wish{.model = *s.model, .generation = 1, .now = s.world.loop().now()};
  EXPECT_EQ(traffic.pick(s.world.worker().random, wish, at_a).deployment, nullptr);
  wish.bound = true;
  const auto pick = traffic.pick(s.world.worker().random, wish, at_a);
  ASSERT_NE(pick.deployment, nullptr);
  EXPECT_EQ(pick.deployment->name, "a/m");
}

// A guard that steps around a deployment is heard, and a worker that does not answer is missed.
TEST(TrafficControl, NobodyIsCutOnTheWordOfFewWorkers) {
  Scheduled s({"a", "b", "c"});
  s.play(10, 12);
  const auto bad = [&] {
    std::vector<schedule::Sample> samples(3);
    for (uint32_t i = 0; i < 3; ++i) {
      samples[i].endpoint = s.world.deployment("m", i).state->index;
      for (int n = 0; n < 8; ++n) schedule::add_request(samples[i], 0, i == 1);
    }
    return samples;
  };
  // Four workers were heard of lately; three do not answer any more.
  for (size_t worker = 0; worker < 4; ++worker) s.control.add({}, worker);
  s.world.advance(Milliseconds(1000));
  s.control.evaluate(s.world.loop().now());
  for (int i = 0; i < 5; ++i) {
    s.control.add(bad(), 0);
    s.world.advance(Milliseconds(1000));
    s.control.evaluate(s.world.loop().now());
    EXPECT_EQ(s.verdict(1).phase, schedule::Phase::steady) << i;
  }
  // They are back, and what was said in the meantime is not lost.
  for (size_t worker = 0; worker < 4; ++worker) s.control.add({}, worker);
  s.world.advance(Milliseconds(1000));
  s.control.evaluate(s.world.loop().now());
  EXPECT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  EXPECT_EQ(s.verdict(0).phase, schedule::Phase::steady);
}

TEST(TrafficControl, ADryRunTellsAndDoesNothing) {
  Scheduled s({"a", "b", "c"});
  ASSERT_TRUE(s.control.dry_run("m", true));
  s.play(5, 12);
  s.world.clear("b");
  s.world.script("b", json_answer(500, kBad));
  s.play(25, 12);
  EXPECT_EQ(s.weight(1), 1000);
  bool told = false;
  for (const auto& change : s.control.history(0)) told |= change.told_only;
  EXPECT_TRUE(told);
}

// Weights stay within their bounds whatever the samples say, and some of every model is left.
TEST(TrafficControl, WeightsStayWithinBoundsWhateverComes) {
  Scheduled s({"a", "b", "c"});
  Random random(5);
  for (int second = 0; second < 400; ++second) {
    std::vector<schedule::Sample> samples(3);
    for (uint32_t i = 0; i < 3; ++i) {
      schedule::Sample& sample = samples[i];
      sample.endpoint = i;
      const uint32_t requests = random.below(30);
      for (uint32_t n = 0; n < requests; ++n) {
        schedule::add_request(sample, 1000.0 * (1 + random.below(100'000)), random.below(2) == 0);
      }
      sample.throttled = random.below(20);
      sample.inflight = static_cast<uint16_t>(random.below(50));
      sample.budget = static_cast<uint16_t>(random.below(20'000));
      sample.utilization = static_cast<uint8_t>(random.below(256));
    }
    s.control.add(samples);
    s.world.advance(seconds(1));
    s.control.evaluate(s.world.loop().now());
    const auto table = s.control.table();
    uint32_t sum = 0;
    for (const uint16_t weight : table->weights) {
      EXPECT_GE(weight, 1);
      EXPECT_LE(weight, 1000);
      sum += weight;
    }
    EXPECT_GT(sum, 0U);
  }
}

}  // namespace
}  // namespace weir::gateway
