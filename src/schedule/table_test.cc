// Tables and their deltas, the picker's distribution, the store's ids, and sentences.
#include "schedule/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/random.h"
#include "schedule/picker.h"
#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

TEST(Table, DeltasLeadFromAnyKeptVersionToTheLatest) {
  Table table(7, 50);
  EXPECT_EQ(table.version(), 7ULL << 32);
  Random random(1);
  std::map<uint32_t, uint16_t> content;
  std::map<uint64_t, std::map<uint32_t, uint16_t>> at_version;
  at_version[table.version()] = content;
  for (int step = 0; step < 200; ++step) {
    const uint32_t endpoint = random.below(20);
    const auto old = content.find(endpoint);
    const auto was = old == content.end() ? std::nullopt : std::optional(old->second);
    if (was && random.below(5) == 0) {
      content.erase(endpoint);
      table.put(endpoint, was, std::nullopt);
    } else {
      const auto weight = static_cast<uint16_t>(random.below(1000));
      content[endpoint] = weight;
      table.put(endpoint, was, weight);
    }
    at_version[table.version()] = content;
  }
  int reachable = 0;
  for (const auto& [version, then] : at_version) {
    const auto delta = table.since(version);
    if (!delta) continue;
    ++reachable;
    auto replayed = then;
    for (const WeightChange& c : *delta) {
      if (c.removed)
        replayed.erase(c.endpoint);
      else
        replayed[c.endpoint] = c.weight;
    }
    EXPECT_EQ(replayed, content);
  }
  EXPECT_EQ(reachable, 51);
  EXPECT_FALSE(table.since(table.version() + 1));
  EXPECT_TRUE(table.since(table.version())->empty());
  Table same(1, 8);
  for (const auto& [endpoint, weight] : content) same.put(endpoint, std::nullopt, weight);
  EXPECT_EQ(same.hash(), table.hash());
}

TEST(Picker, DrawsInProportion) {
  const std::vector<uint16_t> weights = {1000, 500, 0, 250, 10, 1, 64'000, 0};
  double sum = 0;
  for (const uint16_t w : weights) sum += w;
  const Picker picker(weights);
  Random random(3);
  std::vector<double> counts(weights.size());
  constexpr int kDraws = 2'000'000;
  for (int i = 0; i < kDraws; ++i) ++counts[picker.draw(static_cast<uint32_t>(random.next()))];
  for (size_t i = 0; i < weights.size(); ++i) {
    const double expected = weights[i] / sum * kDraws;
    EXPECT_NEAR(counts[i], expected, 5 * std::sqrt(expected) + 1e-9) << i;
  }
}

TEST(Picker, PrefersTheOneWithLessLoadPerWeight) {
  const Picker picker(std::vector<uint16_t>{1000, 1000, 100});
  std::vector<uint32_t> load = {50, 0, 4};
  Random random(4);
  std::vector<int> counts(3);
  for (int i = 0; i < 10'000; ++i)
    ++counts[picker.pick(random.next(), [&](uint32_t e) { return load[e]; })];
  // 0 only when both draws are 0, or with 2 at 0.05 against 0.04.
  EXPECT_GT(counts[1], counts[0] * 2);
  EXPECT_GT(counts[0], 1000);
}

TEST(Picker, SurvivesDegenerateTables) {
  EXPECT_EQ(Picker(std::vector<uint16_t>{}).draw(12345), 0u);
  EXPECT_EQ(Picker(std::vector<uint16_t>{0, 0, 0}).draw(0xffff'ffff), 0u);
  EXPECT_EQ(Picker(std::vector<uint16_t>{7}).draw(0xffff'ffff), 0u);
  const Picker last(std::vector<uint16_t>{0, 0, 65'535});
  for (const uint32_t r : {0U, 1U, 0x5555'5555U, 0xffff'ffffU}) EXPECT_EQ(last.draw(r), 2u);
}

TEST(Store, KeepsIdsWhileGroupsGrowAndShrink) {
  Store store(Limits{});
  const ServiceId service = *store.add_service({}, 1);
  std::vector<GroupId> groups;
  for (int i = 0; i < 5; ++i) groups.push_back(*store.add_group(service, {.expected = 2}));
  std::map<EndpointId, std::pair<GroupId, float>> known;
  Random random(8);
  uint32_t now = 1000;
  for (int step = 0; step < 20'000; ++step, now += random.below(2)) {
    if (random.below(100) < 52 || known.empty()) {
      const GroupId group = groups[random.below(5)];
      const float base = 0.5F + static_cast<float>(random.uniform());
      const EndpointId id =
          *store.add_endpoint(group, {.base = base, .host = random.below(9)}, now);
      ASSERT_FALSE(known.contains(id));
      known[id] = {group, base};
    } else {
      auto it = known.lower_bound(random.below(known.rbegin()->first + 1));
      ASSERT_TRUE(store.remove_endpoint(it->first, now));
      ASSERT_FALSE(store.remove_endpoint(it->first, now));
      known.erase(it);
    }
  }
  ASSERT_EQ(store.endpoints(), known.size());
  uint32_t on_hosts = 0;
  for (uint32_t host = 0; host < 9; ++host) on_hosts += store.host_size(host);
  EXPECT_EQ(on_hosts, known.size());
  for (const auto& [id, expected] : known) {
    const uint32_t slot = store.slot(id);
    ASSERT_NE(slot, kNone);
    EXPECT_EQ(store.columns.id[slot], id);
    EXPECT_EQ(store.columns.base[slot], expected.second);
    const Group& group = store.groups[expected.first];
    EXPECT_TRUE(slot >= group.first && slot < group.first + group.size);
  }
}

TEST(Store, RefusesBeyondItsLimits) {
  Store store({.endpoints = 3, .groups = 2, .services = 1, .hosts = 10});
  const ServiceId service = *store.add_service({}, 1);
  EXPECT_EQ(store.add_service({}, 1).error().code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(store.add_group(5, {}).error().code(), ErrorCode::not_found);
  const GroupId group = *store.add_group(service, {});
  ASSERT_TRUE(store.add_group(service, {}));
  EXPECT_EQ(store.add_group(service, {}).error().code(), ErrorCode::limit_exceeded);
  for (const float base : {0.0F, -1.0F, 65.0F, std::nanf("")})
    EXPECT_EQ(store.add_endpoint(group, {.base = base}, 0).error().code(),
              ErrorCode::invalid_argument);
  EXPECT_EQ(store.add_endpoint(group, {.host = 10}, 0).error().code(), ErrorCode::limit_exceeded);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store.add_endpoint(group, {}, 0));
  EXPECT_EQ(store.add_endpoint(group, {}, 0).error().code(), ErrorCode::limit_exceeded);
}

TEST(Sentence, SaysWhatWhyAndWhatTheClassicRuleWouldHaveSaid) {
  const Record record{.second = 12,
                      .old_weight = 1000,
                      .new_weight = 500,
                      .reason = Reason::cut,
                      .cause = Cause::errors,
                      .gates = kGateHeadroom,
                      .peers = 19,
                      .requests = 60,
                      .errors = 31,
                      .peer_rate = 0.001F,
                      .evidence = 26.1F,
                      .threshold = 24.3F};
  EXPECT_EQ(sentence(record, "chat/7"),
            "12 s: chat/7 goes from 1000 to 500: 31 of its last 60 requests failed, its 19 peers "
            "fail 0.1 %; evidence 26.1 where 24.3 is asked; three sigma sees nothing; other cuts "
            "are held back by the survivors' headroom.");
  for (int reason = 0; reason <= static_cast<int>(Reason::base); ++reason) {
    for (int cause = 0; cause <= static_cast<int>(Cause::gross); ++cause) {
      Record r = record;
      r.reason = static_cast<Reason>(reason);
      r.cause = static_cast<Cause>(cause);
      EXPECT_THAT(sentence(r, "x"),
                  testing::AllOf(testing::StartsWith("12 s: x goes"), testing::EndsWith(".")));
    }
  }
}

}  // namespace
}  // namespace weir::schedule
