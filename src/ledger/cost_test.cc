#include "ledger/cost.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "ledger/row.h"

namespace weir::ledger {
namespace {

int64_t& field(dialect::Usage& usage, size_t i) {
  int64_t* fields[] = {&usage.input,          &usage.cache_read,  &usage.cache_write_5m,
                       &usage.cache_write_1h, &usage.output,      &usage.input_audio,
                       &usage.output_audio,   &usage.input_image, &usage.output_image};
  return *fields[i];
}

PriceRow full_row(uint64_t seed) {
  Random random(seed);
  PriceRow row;
  row.id = "p/m@2026-01-01";
  for (auto& rate : row.rates.pico_per_token) rate = random.below(100'000'000);
  row.nano_per_tool_call = 10'000'000;
  return row;
}

TEST(Cost, TextbookCases) {
  PriceRow row;
  row.id = "anthropic/claude@2025-01-01";
  row.rates[UsageClass::input] = 3'000'000;
  row.rates[UsageClass::cache_read] = 300'000;
  row.rates[UsageClass::cache_write_5m] = 3'750'000;
  row.rates[UsageClass::cache_write_1h] = 6'000'000;
  row.rates[UsageClass::output] = 15'000'000;
  dialect::Usage usage;
  usage.reported = true;
  usage.input = 1000;
  usage.cache_read = 10'000;
  usage.cache_write_5m = 100;
  usage.cache_write_1h = 10;
  usage.output = 500;
  usage.reasoning = 400;
  Cost c = cost(usage, row);
  EXPECT_EQ(c.state, CostState::final);
  EXPECT_EQ(c.total.nano(), 3'000'000 + 3'000'000 + 375'000 + 60'000 + 7'500'000);
  EXPECT_EQ(c.row_id(), row.id);
  usage.reasoning = 0;
  EXPECT_EQ(cost(usage, row).total, c.total) << "reasoning is shown, never added";
  usage.reported = false;
  EXPECT_EQ(cost(usage, row).state, CostState::estimated);
}

TEST(Cost, RoundsEachClassHalfUp) {
  PriceRow row;
  row.rates[UsageClass::cache_read] = 2'800;  // DeepSeek's $0.0028 per million
  row.rates[UsageClass::input] = 500;
  dialect::Usage usage;
  usage.reported = true;
  usage.cache_read = 1;
  EXPECT_EQ(cost(usage, row).total.nano(), 3);
  usage.cache_read = 1'000'000;
  EXPECT_EQ(cost(usage, row).total.nano(), 2'800'000);
  usage.cache_read = 0;
  usage.input = 1;
  EXPECT_EQ(cost(usage, row).total.nano(), 1);
}

TEST(Cost, WhatHasNoRateIsUnpricedNeverFree) {
  for (size_t i = 0; i < kUsageClasses; ++i) {
    PriceRow row = full_row(3);
    row.rates.pico_per_token[i].reset();
    dialect::Usage usage;
    usage.reported = true;
    usage.input = 10;
    usage.output = 10;
    field(usage, i) = 5;
    Cost c = cost(usage, row);
    EXPECT_EQ(c.state, CostState::unpriced) << i;
    EXPECT_EQ(c.unpriced_classes, 1u << i);
    field(usage, i) = 0;
    EXPECT_EQ(cost(usage, row).state, CostState::final) << "what was not used needs no price";
  }
  PriceRow row = full_row(3);
  row.nano_per_tool_call.reset();
  dialect::Usage usage;
  usage.tool_calls = 1;
  EXPECT_EQ(cost(usage, row).state, CostState::unpriced);
  EXPECT_EQ(cost(usage, PriceBook(), {.provider = "p", .model = "m"}).state, CostState::unpriced);
  row.rates[UsageClass::input] = 0;
  usage.tool_calls = 0;
  usage.input = 100;
  usage.reported = true;
  EXPECT_EQ(cost(usage, row).state, CostState::final) << "a price of zero is a price";
}

TEST(Cost, AContextTierHoldsForTheWholeRequest) {
  PriceRow row;
  row.rates[UsageClass::input] = 1'250'000;
  row.rates[UsageClass::cache_read] = 125'000;
  row.rates[UsageClass::output] = 10'000'000;
  Rates above;
  above[UsageClass::input] = 2'500'000;
  above[UsageClass::cache_read] = 250'000;
  above[UsageClass::output] = 15'000'000;
  row.context_tiers.push_back({200'000, above});
  dialect::Usage usage;
  usage.reported = true;
  usage.input = 100'000;
  usage.cache_read = 100'000;
  usage.output = 1'000;
  EXPECT_EQ(cost(usage, row).total.nano(), 125'000'000 + 12'500'000 + 10'000'000);
  usage.cache_read = 100'001;  // cached tokens count towards the prompt
  EXPECT_EQ(cost(usage, row).total.nano(), 250'000'000 + 25'000'250 + 15'000'000);
  // Above: a class without a rate there is unpriced, not charged at the lower tier.
  row.context_tiers[0].rates[UsageClass::output].reset();
  EXPECT_EQ(cost(usage, row).state, CostState::unpriced);
}

TEST(Cost, PartsSumToTheTotalAndMoreUsageNeverCostsLess) {
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    PriceRow row = full_row(random.next());
    dialect::Usage usage;
    for (size_t k = 0; k < kUsageClasses; ++k) field(usage, k) = random.below(1'000'000);
    usage.tool_calls = random.below(20);
    Cost c = cost(usage, row);
    Money sum = c.tool_calls;
    for (Money part : c.parts) sum += part;
    ASSERT_EQ(sum, c.total);
    size_t k = random.below(kUsageClasses);
    field(usage, k) += 1 + random.below(1000);
    ASSERT_GE(cost(usage, row).total, c.total);
    ASSERT_GE(cost(usage, row).parts[k], c.parts[k]);
  }
}

TEST(Cost, ARowKeepsTheRatesItWasPricedBy) {
  PriceRow price;
  price.id = "p/m@2026-01-01";
  price.rates[UsageClass::input] = 1'000;
  price.rates[UsageClass::output] = 4'000;
  price.nano_per_tool_call = 7;
  price.context_tiers.push_back({.prompt_tokens_above = 100, .rates = price.rates});
  price.context_tiers[0].rates[UsageClass::input] = 2'000;
  dialect::Usage usage;
  usage.input = 100;
  RequestRow row;
  row.set_cost(cost(usage, price));
  EXPECT_EQ(row.rates, R"({"input":1000,"output":4000,"tool_call":7})");
  EXPECT_EQ(row.list_cost, row.cost);
  usage.input = 101;
  row.set_cost(cost(usage, price));
  EXPECT_EQ(row.rates, R"({"input":2000,"output":4000,"tool_call":7})");
  row.set_cost(Cost{});
  EXPECT_EQ(row.rates, "");
}

TEST(Cost, ExtremesSaturate) {
  PriceRow row = full_row(5);
  row.rates[UsageClass::input] = INT64_MAX;
  dialect::Usage usage;
  usage.input = INT64_MAX;
  usage.output = -5;
  Cost c = cost(usage, row);
  EXPECT_TRUE(c.total.saturated());
  EXPECT_EQ(c.parts[static_cast<size_t>(UsageClass::output)], Money{});
}

TEST(Cost, EstimateIsAnUpperBoundOfWhatTheRequestCanCost) {
  Random random(13);
  for (int i = 0; i < 5000; ++i) {
    PriceRow row = full_row(random.next());
    auto& rates = row.rates;
    rates[UsageClass::cache_read] = *rates[UsageClass::input] / 10;
    int64_t input = random.below(100'000);
    int64_t output = random.below(10'000);
    dialect::Usage usage;
    usage.cache_write_5m = random.below(static_cast<uint32_t>(input) + 1);
    usage.input = input - usage.cache_write_5m;
    usage.output = random.below(static_cast<uint32_t>(output) + 1);
    ASSERT_GE(estimate(&row, input, output).nano() + 1, cost(usage, row).total.nano());
  }
  EXPECT_EQ(estimate(nullptr, 100, 100), Money{});
}

}  // namespace
}  // namespace weir::ledger
