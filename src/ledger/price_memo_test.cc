#include "ledger/price_memo.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace weir::ledger {
namespace {

constexpr int64_t kDay = 86'400'000;
constexpr int64_t kBegin = 1'795'305'600'000;  // 2026-11-22T00:00:00Z, a Sunday

PriceRow row_of(const char* id, const char* provider, const char* model, int64_t from_ms) {
  PriceRow row;
  row.id = id;
  row.provider = provider;
  row.model = model;
  row.valid_from_ms = from_ms;
  row.rates[UsageClass::input] = 1'000;
  return row;
}

std::vector<PriceRow> rows_of() {
  std::vector<PriceRow> rows = {row_of("a1", "p", "a", 0), row_of("a2", "p", "a", kBegin + kDay),
                                row_of("b1", "p", "b", kBegin), row_of("q1", "q", "a", 0)};
  rows.push_back(row_of("a-batch", "p", "a", 0));
  rows.back().service_tier = "batch";
  rows.push_back(row_of("a-global", "p", "a", 0));
  rows.back().location = "global";
  rows.push_back(row_of("b-night", "p", "b", kBegin));
  rows.back().hours.weekdays = 0x7f;
  rows.back().hours.spans = {{.from_minute = 60, .to_minute = 61}};
  return rows;
}

TEST(PriceMemo, AnswersAsTheBookDoes) {
  auto book = PriceBook::build(rows_of(), {});
  auto other = PriceBook::build({rows_of()[1]}, {});
  ASSERT_TRUE(book);
  ASSERT_TRUE(other);
  const PriceBook copy = *book;
  const PriceBook* const books[] = {&*book, &*other, &copy};
  PriceMemo memo;
  Random random(1);
  int64_t wall_ms = kBegin - kDay;
  for (int i = 0; i < 50'000; ++i) {
    wall_ms += random.below(7'000);
    const PriceBook& asked = *books[random.below(20) < 18 ? 0 : random.below(3)];
    const PriceQuery query{.provider = random.below(10) == 0 ? "q" : "p",
                           .model = random.below(3) == 0 ? "b" : "a",
                           .service_tier = random.below(10) == 0   ? "batch"
                                           : random.below(10) == 0 ? "nobody's"
                                           : random.below(2) == 0  ? "default"
                                                                   : "",
                           .location = random.below(10) == 0 ? "global" : "",
                           .wall_ms = wall_ms};
    const auto slot = static_cast<uint32_t>(random.below(20) == 0 ? PriceMemo::kSlotsMax : 3);
    ASSERT_EQ(memo.find(asked, query, slot), asked.find(query)) << i;
  }
}

}  // namespace
}  // namespace weir::ledger
