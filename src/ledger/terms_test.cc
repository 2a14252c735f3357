// What is charged beside the list price: discounts and uplifts, and what a row keeps of them.
#include <gtest/gtest.h>

#include "ledger/cost.h"
#include "ledger/row.h"

namespace weir::ledger {
namespace {

PriceBook book() {
  PriceRow row;
  row.id = "p/m@1";
  row.provider = "p";
  row.model = "m";
  row.rates[UsageClass::input] = 2'500'000;
  row.rates[UsageClass::output] = 10'000'000;
  row.nano_per_tool_call = 10'000'000;
  PriceBook made = *PriceBook::build({row}, {});
  EXPECT_TRUE(made.set_terms({
      {.location = "eu-*", .uplift_ppm = 100'000},
      {.account = "main", .discount_ppm = 150'000},
      {.account = "main",
       .model = "m*",
       .from_ms = 1'000,
       .until_ms = 2'000,
       .discount_ppm = 200'000},
  }));
  return made;
}

TEST(PriceTerms, TheLastThatMatchesHolds) {
  const PriceBook prices = book();
  const auto factors = [&](std::string_view account, std::string_view location, int64_t wall_ms) {
    return prices.factors({.provider = "p",
                           .model = "m",
                           .location = location,
                           .account = account,
                           .wall_ms = wall_ms});
  };
  EXPECT_TRUE(factors("other", "us-east-1", 0).none());
  EXPECT_EQ(factors("other", "eu-west-1", 0), (PriceFactors{100'000, 0}));
  EXPECT_EQ(factors("main", "eu-west-1", 0), (PriceFactors{100'000, 150'000}));
  EXPECT_EQ(factors("main", "", 1'000), (PriceFactors{0, 200'000}));
  EXPECT_EQ(factors("main", "", 2'000), (PriceFactors{0, 150'000}));
  PriceBook many;
  EXPECT_FALSE(many.set_terms(std::vector<PriceTerm>(PriceBook::kTermsMax + 1)));
}

TEST(PriceTerms, WhatIsPaidAndTheListAreTwoSumsAndTheRowKeepsBothRates) {
  const PriceBook prices = book();
  dialect::Usage usage;
  usage.input = 1'000'000;
  usage.output = 100'000;
  usage.tool_calls = 2;
  usage.reported = true;
  const Cost priced =
      cost(usage, prices, {.provider = "p", .model = "m", .location = "eu-x", .account = "main"});
  // List with 10 %: 2.75 + 1.10 + 0.022; paid 15 % less.
  EXPECT_EQ(priced.list, Money::from_nano(3'872'000'000));
  EXPECT_EQ(priced.total, Money::from_nano(3'291'200'000));
  EXPECT_EQ(priced.state, CostState::final);
  RequestRow row;
  row.set_cost(priced);
  EXPECT_EQ(row.cost, priced.total);
  EXPECT_EQ(row.list_cost, priced.list);
  EXPECT_EQ(row.rates, R"({"input":2337500,"output":9350000,"tool_call":9350000,)"
                       R"("list":{"input":2750000,"output":11000000,"tool_call":11000000}})");
  const PriceRow& plain = prices.rows()[0];
  EXPECT_EQ(rates_text(cost(usage, plain)),
            R"({"input":2500000,"output":10000000,"tool_call":10000000})");
  EXPECT_EQ(cost(usage, plain).list, cost(usage, plain).total);
}

// What is reserved must not be less than what may be charged.
TEST(PriceTerms, TheEstimateHasTheUplift) {
  const PriceBook prices = book();
  const PriceRow* row = &prices.rows()[0];
  EXPECT_EQ(estimate(row, 1'000'000, 100'000), Money::from_nano(3'500'000'000));
  EXPECT_EQ(estimate(row, 1'000'000, 100'000, {100'000, 0}), Money::from_nano(3'850'000'000));
}

}  // namespace
}  // namespace weir::ledger
