// Weir's own calls at sick deployments: when they are made, what they cost, and what they bring.
#include "gateway/probe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_traffic.h"

namespace weir::gateway {
namespace {

using provider::ProbeKind;
using testing::HasSubstr;
using testing::Not;

uint64_t probes(Scheduled& s, size_t index, ProbeEnd end) {
  return s.world.worker()
      .counters.deployment(s.world.deployment("m", index).slot)
      .probes[static_cast<size_t>(end)];
}
uint64_t probes(Scheduled& s, size_t index) {
  uint64_t sum = 0;
  for (size_t end = 0; end < kProbeEnds; ++end) sum += probes(s, index, static_cast<ProbeEnd>(end));
  return sum;
}

void kill(Scheduled& s, const std::string& name) {
  s.world.clear(name);
  s.world.script(name, json_answer(500, kBad));
}
void heal(Scheduled& s, const std::string& name) {
  s.world.clear(name);
  s.world.script(name, json_answer(200, kGood));
}

TEST(Probe, NoneIsMadeWhileTrafficSpeaksOrNothingIsWrong) {
  Scheduled s({"a", "b", "c"}, ProbeKind::completion);
  s.play(10, 12);
  s.idle(600);  // healthy and idle
  EXPECT_EQ(s.plan.ordered(), 0U);
  // A twelfth of what it gets fails, and it gets enough for all to see.
  for (int i = 0; i < 4000; ++i) {
    s.world.script("b", json_answer(i % 3 == 0 ? 500 : 200, i % 3 == 0 ? kBad : kGood));
  }
  s.play(15, 60);
  EXPECT_NE(s.verdict(1).phase, schedule::Phase::steady);
  EXPECT_EQ(s.plan.ordered(), 0U);
}

TEST(Probe, ADeadDeploymentIsAskedLessAndLessOften) {
  Scheduled s({"a", "b"}, ProbeKind::completion);
  s.play(10, 4);
  kill(s, "b");
  s.play(20, 4);
  ASSERT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  std::vector<uint64_t> counts;
  for (int i = 0; i < 6; ++i) {
    const uint64_t before = s.plan.ordered();
    s.idle(120);
    counts.push_back(s.plan.ordered() - before);
  }
  EXPECT_GE(counts[0], 4U);
  EXPECT_LE(counts[0], 12U);
  EXPECT_TRUE(std::is_sorted(counts.rbegin(), counts.rend())) << testing::PrintToString(counts);
  EXPECT_LE(counts.back(), 1U);
  EXPECT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  EXPECT_EQ(probes(s, 1, ProbeEnd::answered), 0U);
  EXPECT_EQ(probes(s, 1, ProbeEnd::failed), probes(s, 1));
  EXPECT_EQ(probes(s, 0), 0U) << "the healthy one is not asked";
}

TEST(Probe, BringsItBackInStagesWithoutAnyClient) {
  Scheduled s({"a", "b"}, ProbeKind::completion);
  s.play(10, 4);
  kill(s, "b");
  s.play(20, 4);
  ASSERT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  heal(s, "b");
  std::vector<uint16_t> stages = {s.weight(1)};
  int took = 0;
  while (s.weight(1) < 1000 && took < 300) {
    s.idle(1);
    ++took;
    if (s.weight(1) != stages.back()) stages.push_back(s.weight(1));
  }
  EXPECT_EQ(s.weight(1), 1000);
  EXPECT_LT(took, 90);
  EXPECT_GE(stages.size(), 4U);
  EXPECT_TRUE(std::is_sorted(stages.begin(), stages.end()));
  EXPECT_THAT(s.control.history(0).back().sentence, HasSubstr("of them probes"));
  const uint64_t made = s.plan.ordered();
  EXPECT_LE(made, 20U);
  s.idle(600);
  EXPECT_EQ(s.plan.ordered(), made) << "well again: not asked any more";
  // No client's request, no client's counter.
  EXPECT_EQ(s.world.worker().counters.requests_running, 0U);
}

TEST(Probe, IsOnTheLedgerWithItsCost) {
  TestWorld world;
  world.account("b");
  world.model("m", {"b/gpt-4o"});
  world.script("b", json_answer(200, kGood));
  EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 200);
  const provider::Deployment& b = world.deployment("m");
  (void)world.worker().traffic.take_samples(world.loop().now());
  world.loop().spawn(probe(world.worker(), {"m", b.slot, b.state->index}));
  world.loop().run_until_idle();
  const std::string body = world.last_body("b");
  EXPECT_THAT(body, HasSubstr(R"("max_completion_tokens":1)"));
  EXPECT_THAT(body, HasSubstr(R"("model":"gpt-4o")"));
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.key_id, "weir:probe");
  EXPECT_EQ(row.tags, R"({"weir":"probe"})");
  EXPECT_EQ(row.outcome, ledger::Outcome::ok);
  EXPECT_EQ(row.deployment, "b/gpt-4o");
  EXPECT_THAT(row.attempts_text, HasSubstr(R"("why":"probe")"));
  EXPECT_GT(row.cost, Money{});
  const DeploymentCounters& counters = world.worker().counters.deployment(b.slot);
  EXPECT_EQ(counters.probe_cost_nano, row.cost.nano());
  EXPECT_EQ(counters.probes[0], 1U);
  EXPECT_EQ(world.worker().counters.model(0).requests[0], 1U) << "the client's alone";
  // A mark, and no latency to compare.
  const schedule::Sample& sample = world.worker().traffic.sample(b.state->index);
  EXPECT_EQ(sample.marks, schedule::kMarkProbeAnswered);
  EXPECT_EQ(sample.requests, 0U);
}

TEST(Probe, AsksInTheAccountsDialectForWhatItWasAskedFor) {
  struct Case {
    provider::Kind kind;
    provider::Operation asked;
    ProbeKind probing;
    std::string_view path;
    std::string_view body;
  };
  using enum provider::Kind;
  using enum provider::Operation;
  const Case cases[] = {
      {openai_compatible, generate, ProbeKind::completion, "POST /v1/chat/completions",
       R"("max_tokens":1)"},
      {provider::Kind::anthropic, generate, ProbeKind::completion, "POST /v1/messages",
       R"("max_tokens":1)"},
      {openai, embed, ProbeKind::completion, "POST /v1/embeddings", R"("input":"ping")"},
      {openai, generate, ProbeKind::list_models, "GET /v1/models", ""},
      {provider::Kind::anthropic, passthrough, ProbeKind::list_models, "GET /v1/models", ""},
      {openai, passthrough, ProbeKind::completion, "", ""},
      {openai, generate, ProbeKind::off, "", ""},
  };
  for (const Case& c : cases) {
    TestWorld world;
    world.account("up", c.kind);
    world.model("m", {"up"}).probe = c.probing;
    const provider::Deployment& one = world.deployment("m");
    one.state->asked.store(static_cast<uint8_t>(1 + static_cast<uint8_t>(c.asked)));
    world.script("up", json_answer(200, R"({"data":[]})"));
    world.loop().spawn(probe(world.worker(), {"m", one.slot, one.state->index}));
    world.loop().run_until_idle();
    if (c.path.empty()) {
      EXPECT_TRUE(world.requests("up").empty());
      EXPECT_FALSE(can_probe(*world.snapshot().find_model("m"), one));
      continue;
    }
    ASSERT_EQ(world.requests("up").size(), 1U) << c.path;
    EXPECT_THAT(world.requests("up")[0], testing::StartsWith(std::string(c.path)));
    EXPECT_THAT(world.last_body("up"), HasSubstr(std::string(c.body)));
  }
}

TEST(Probe, IsHeldByTheAccountsCapAndByAWaitThatWasAskedFor) {
  Scheduled s({"a", "b"}, ProbeKind::completion);
  s.play(10, 4);
  kill(s, "b");
  s.play(20, 4);
  ASSERT_EQ(s.verdict(1).phase, schedule::Phase::cut);
  auto* account = const_cast<provider::Account*>(s.world.deployment("m", 1).account.get());
  account->probes_per_hour = 3;
  const uint64_t before = s.plan.ordered();
  s.idle(3'000);
  EXPECT_LE(s.plan.ordered() - before, 3U);
  EXPECT_GT(s.plan.held_back(), 0U);
  s.idle(1'500);
  EXPECT_GT(s.plan.ordered() - before, 3U) << "an hour is over";
  account->probes_per_hour = 30;
  // Throttled: the provider has said when to come again.
  s.world.clear("b");
  s.world.script("b", json_answer(429, kBad, "retry-after: 1000\r\n"));
  s.idle(400);
  const uint64_t asked = s.plan.ordered();
  s.idle(500);
  EXPECT_EQ(s.plan.ordered(), asked);
}

TEST(Probe, OneThatHangsEndsAndCountsAsFailed) {
  TestWorld world;
  world.account("up");
  world.model("m", {"up"});
  const provider::Deployment& one = world.deployment("m");
  one.state->asked.store(1);
  world.script("up", {.end = Scripted::End::hang});
  world.loop().spawn(probe(world.worker(), {"m", one.slot, one.state->index}));
  world.advance(kProbeMost - Milliseconds(100));
  EXPECT_EQ(one.state->in_flight.load(), 1U);
  world.advance(Milliseconds(200));
  EXPECT_EQ(one.state->in_flight.load(), 0U);
  EXPECT_EQ(world.worker().traffic.sample(one.state->index).marks, schedule::kMarkProbeFailed);
  // One that is under way at the end is taken out of the books.
  world.loop().spawn(probe(world.worker(), {"m", one.slot, one.state->index}));
  world.advance(Milliseconds(100));
  EXPECT_EQ(one.state->in_flight.load(), 1U);
  world.loop().destroy_tasks();
  EXPECT_EQ(one.state->in_flight.load(), 0U);
}

// Whatever the scheduler thinks of it: nothing will be heard while nobody goes there.
TEST(Probe, WhatAWorkerStepsAroundIsAskedToo) {
  Scheduled s({"a", "b"}, ProbeKind::completion);
  s.play(10, 4);
  const provider::Deployment& b = s.world.deployment("m", 1);
  schedule::Sample stepped_around;
  stepped_around.endpoint = b.state->index;
  stepped_around.marks = schedule::kMarkAvoided;
  for (int i = 0; i < 3; ++i) {
    s.control.add({stepped_around});
    s.idle(1);
    EXPECT_EQ(s.plan.ordered(), 0U) << "traffic was heard a moment ago";
  }
  for (int i = 0; i < 4; ++i) {
    s.control.add({stepped_around});
    s.idle(1);
  }
  EXPECT_EQ(s.verdict(1).phase, schedule::Phase::steady);
  EXPECT_EQ(s.plan.ordered(), 1U);
  EXPECT_EQ(probes(s, 1, ProbeEnd::answered), 1U);
}

}  // namespace
}  // namespace weir::gateway
