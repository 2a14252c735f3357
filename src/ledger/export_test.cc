#include "ledger/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "base/text.h"
#include "ledger/focus.h"
#include "ledger/log_writer.h"
#include "ledger/sample_row.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

// Lines of fields; fields have no commas of their own in these tests but in quotes.
std::vector<std::vector<std::string>> table_of(std::string_view text) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> line(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      if (quoted && i + 1 < text.size() && text[i + 1] == '"') {
        line.back() += text[++i];
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      line.emplace_back();
    } else if (c == '\n' && !quoted) {
      lines.push_back(std::exchange(line, {""}));
    } else if (c != '\r' || quoted) {
      line.back() += c;
    }
  }
  return lines;
}

class Export : public testing::Test {
 protected:
  Export() {
    LogWriter writer(options_in(directory_));
    Random random(5);
    std::vector<RequestRow> rows;
    IdMaker ids(0);
    for (int i = 0; i < 1200; ++i) {
      RequestRow row = sample_row(ids.make(kNoon + i * 100'000), random.next());
      PriceRow price;
      price.id = "p/m@2026-01-01";
      for (auto& rate : price.rates.pico_per_token) rate = random.below(3) * 1'234'567;
      price.nano_per_tool_call = 10'000'000;
      row.set_cost(cost(row.usage, price));
      // Every third was tried before.
      if (i % 3 == 0) row.cost += Money::from_nano(77);
      row.user = i == 0 ? "=1+1" : "a,\"b\"";
      sum_ += row.cost;
      rows.push_back(std::move(row));
    }
    EXPECT_TRUE(writer.write(rows));
  }

  std::string text(ExportFormat format) {
    std::string out;
    const auto done = export_rows(LogReader(directory_.path()),
                                  {.since_ms = kNoon,
                                   .until_ms = kNoon + 3 * store::kDayMs,
                                   .format = format,
                                   .organization = "acme"},
                                  [&out](std::string_view piece) {
                                    out += piece;
                                    return Result<void>{};
                                  });
    EXPECT_TRUE(done);
    return out;
  }

  store::TemporaryDirectory directory_;
  Money sum_;
};

TEST_F(Export, EveryRowIsALineOfCsvAndOfJson) {
  const auto lines = table_of(text(ExportFormat::csv));
  ASSERT_EQ(lines.size(), 1201u);
  Money sum;
  std::map<std::string, size_t> columns;
  for (size_t i = 0; i < lines[0].size(); ++i) columns[lines[0][i]] = i;
  for (size_t i = 1; i < lines.size(); ++i) {
    ASSERT_EQ(lines[i].size(), lines[0].size());
    sum += *Money::parse_usd(lines[i][columns["cost_usd"]]);
  }
  EXPECT_EQ(sum, sum_);
  EXPECT_EQ(lines[1][columns["user"]], "a,\"b\"");
  EXPECT_THAT(text(ExportFormat::csv), testing::HasSubstr("\"'=1+1\"")) << "no formula";
  const std::string json = text(ExportFormat::jsonl);
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1200);
  EXPECT_THAT(json, testing::HasSubstr(R"("cache_read":512,)"));
}

TEST_F(Export, FocusLinesAddUpToTheLedger) {
  for (const ExportFormat format : {ExportFormat::focus_1_2, ExportFormat::focus_1_4}) {
    const auto lines = table_of(text(format));
    ASSERT_GT(lines.size(), 20u);
    std::map<std::string, size_t> columns;
    for (size_t i = 0; i < lines[0].size(); ++i) columns[lines[0][i]] = i;
    EXPECT_EQ(columns.contains("ProviderName"), format == ExportFormat::focus_1_2);
    EXPECT_EQ(columns.contains("HostProviderName"), format == ExportFormat::focus_1_4);
    Money sum;
    int64_t requests = 0;
    int64_t cached = 0;
    for (size_t i = 1; i < lines.size(); ++i) {
      const auto at = [&](const std::string& name) { return lines[i][columns.at(name)]; };
      ASSERT_EQ(lines[i].size(), lines[0].size());
      sum += *Money::parse_usd(at("BilledCost"));
      requests += static_cast<int64_t>(*parse_uint64(at("x_RequestCount"), 1'000'000));
      if (at("SkuMeter") == "Input Cache Tokens") {
        cached += static_cast<int64_t>(*parse_uint64(at("ConsumedQuantity"), 1'000'000'000));
        EXPECT_EQ(at("PricingUnit"), "1000000 Tokens");
        EXPECT_EQ(at("x_CacheHit"), "true");
      }
      EXPECT_EQ(at("SubAccountId"), "suggest");
      EXPECT_EQ(at("BillingAccountName"), "acme");
      EXPECT_EQ(at("BillingPeriodStart"), "2026-11-01T00:00:00Z");
      EXPECT_EQ(at("ServiceSubcategory"), "Generative AI");
    }
    EXPECT_EQ(sum, sum_);
    EXPECT_EQ(requests, 1200);
    EXPECT_EQ(cached, 1200 * 512);
  }
}

TEST_F(Export, FocusIsBilledInTheCurrencyOfTheDayAndPricedInDollars) {
  std::string out;
  ASSERT_TRUE(
      export_rows(LogReader(directory_.path()),
                  {.since_ms = kNoon,
                   .until_ms = kNoon + 3 * store::kDayMs,
                   .format = ExportFormat::focus_1_4,
                   .currency = "EUR",
                   .currency_rates = {{0, 500'000'000}, {kNoon + 10 * store::kDayMs, 900'000'000}}},
                  [&out](std::string_view piece) {
                    out += piece;
                    return Result<void>{};
                  }));
  const auto lines = table_of(out);
  std::map<std::string, size_t> columns;
  for (size_t i = 0; i < lines.at(0).size(); ++i) columns[lines[0][i]] = i;
  Money billed;
  Money priced;
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto at = [&](const std::string& name) { return lines[i][columns.at(name)]; };
    EXPECT_EQ(at("BillingCurrency"), "EUR");
    EXPECT_EQ(at("PricingCurrency"), "USD");
    billed += *Money::parse_usd(at("BilledCost"));
    priced += *Money::parse_usd(at("PricingCurrencyEffectiveCost"));
  }
  EXPECT_EQ(priced, sum_);
  EXPECT_NEAR(static_cast<double>(billed.nano()), static_cast<double>(sum_.nano()) / 2,
              static_cast<double>(lines.size()));
}

}  // namespace
}  // namespace weir::ledger
