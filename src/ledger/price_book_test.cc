#include "ledger/price_book.h"

#include <gtest/gtest.h>

#include <set>

#include "base/date.h"
#include "ledger/cost.h"
#include "ledger/prices/shipped.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

constexpr std::string_view kHeader =
    "provider,model,tier,location,hours,valid_from,above,input,cache_read,cache_write_5m,"
    "cache_write_1h,output,input_audio,output_audio,input_image,output_image,tool_call,aliases,"
    "source\n";

int64_t at(std::string_view time) {
  return *parse_rfc3339(time);
}

std::vector<PriceRow> rows(std::string_view lines) {
  auto parsed = parse_price_csv(std::string(kHeader) + std::string(lines), "test");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? *parsed : std::vector<PriceRow>{};
}

std::string found(const PriceBook& book, PriceQuery query) {
  const PriceRow* row = book.find(query);
  return row ? row->id : "unpriced";
}

TEST(PriceCsv, ReadsEveryColumn) {
  auto list = rows(
      "# a comment\n"
      "p,m,batch,global,,2026-01-02,,2.5,0.0028,,=,10,,0.1,,,10,m-{date} n,https://x\n"
      "p,m,batch,global,,2026-01-02,200000,5,,,,15,,,,,,,https://x\n");
  ASSERT_EQ(list.size(), 1u);
  const PriceRow& row = list[0];
  EXPECT_EQ(row.id, "p/m@2026-01-02+batch~global");
  EXPECT_EQ(row.valid_from_ms, at("2026-01-02T00:00:00Z"));
  EXPECT_EQ(row.rates[UsageClass::input], 2'500'000);
  EXPECT_EQ(row.rates[UsageClass::cache_read], 2'800);
  EXPECT_EQ(row.rates[UsageClass::cache_write_5m], std::nullopt);
  EXPECT_EQ(row.rates[UsageClass::cache_write_1h], 2'500'000);
  EXPECT_EQ(row.rates[UsageClass::output_audio], 100'000);
  EXPECT_EQ(row.nano_per_tool_call, 10'000'000);
  EXPECT_EQ(row.aliases, (std::vector<std::string>{"m-{date}", "n"}));
  ASSERT_EQ(row.context_tiers.size(), 1u);
  EXPECT_EQ(row.context_tiers[0].prompt_tokens_above, 200'000);
  EXPECT_EQ(&row.rates_at(200'000), &row.rates);
  EXPECT_EQ(&row.rates_at(200'001), &row.context_tiers[0].rates);
}

TEST(PriceCsv, RefusesWhatItCanNotRead) {
  for (const char* line : {
           "p,m,,,,2026-01-02,,2.5,,,,10,,,,,,\n",                     // a column too few
           "p,m,,,,2026-01-02,,2.5,,,,10,,,,,,,\n",                    // no source
           "p,m,,,,2026-13-02,,2.5,,,,10,,,,,,,s\n",                   // no date
           "p,m,,,,2026-01-02,,-1,,,,10,,,,,,,s\n",                    // negative
           "p,m,,,,2026-01-02,,1e3,,,,10,,,,,,,s\n",                   // exponent
           "p,m,,,,2026-01-02,,0.0000001,,,,10,,,,,,,s\n",             // finer than pico-dollars
           "p,m,,,,2026-01-02,,1.2.3,,,,10,,,,,,,s\n",                 //
           "p,m,,,,2026-01-02,200000,2.5,,,,10,,,,,,,s\n",             // tier without its model
           "p,m,,,6-1@01:00-02:00,2026-01-02,,2.5,,,,10,,,,,,,s\n",    // weekdays
           "p,m,,,1-5@02:00-01:00,2026-01-02,,2.5,,,,10,,,,,,,s\n",    // times
           "p,m,,,1-5@01:00-02:00!x,2026-01-02,,2.5,,,,10,,,,,,,s\n",  // days
       }) {
    auto parsed = parse_price_csv(std::string(kHeader) + line, "test");
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(parsed.error().message().find("test:2"), std::string_view::npos) << line;
  }
  EXPECT_FALSE(parse_price_csv("a,b,c\n", "test"));
}

TEST(PriceBook, FindsByDateAliasTierAndLocation) {
  auto book = PriceBook::build(rows("p,m-2025-01-01,,,,2025-01-01,,1,,,,1,,,,,,m,s\n"
                                    "p,m-2025-01-01,,,,2025-06-01,,2,,,,2,,,,,,m,s\n"
                                    "p,m-2025-01-01,batch,,,2025-01-01,,0.5,,,,1,,,,,,m,s\n"
                                    "p,dated,,,,2025-01-01,,1,,,,1,,,,,,dated-{date} at@{date},s\n"
                                    "p,placed,,global,,2025-01-01,,1,,,,1,,,,,,,s\n"
                                    "p,placed,,regional,,2025-01-01,,1.1,,,,1,,,,,,,s\n"
                                    "p,any,,,,2025-01-01,,1,,,,1,,,,,,,s\n"
                                    "q,m,,,,2025-01-01,,9,,,,9,,,,,,,s\n"),
                               {});
  ASSERT_TRUE(book) << book.error().message();
  int64_t january = at("2025-01-15T00:00:00Z");
  int64_t july = at("2025-07-01T00:00:00Z");
  struct {
    PriceQuery query;
    const char* id;
  } cases[] = {
      {{.provider = "p", .model = "m", .wall_ms = january}, "p/m-2025-01-01@2025-01-01"},
      {{.provider = "p", .model = "m-2025-01-01", .wall_ms = january}, "p/m-2025-01-01@2025-01-01"},
      {{.provider = "p", .model = "m", .wall_ms = july}, "p/m-2025-01-01@2025-06-01"},
      {{.provider = "p", .model = "m", .wall_ms = at("2025-06-01T00:00:00Z")},
       "p/m-2025-01-01@2025-06-01"},
      {{.provider = "p", .model = "m", .wall_ms = at("2024-12-31T23:59:59Z")}, "unpriced"},
      {{.provider = "q", .model = "m", .wall_ms = july}, "q/m@2025-01-01"},
      {{.provider = "r", .model = "m", .wall_ms = july}, "unpriced"},
      {{.provider = "p", .model = "m", .service_tier = "default", .wall_ms = july},
       "p/m-2025-01-01@2025-06-01"},
      {{.provider = "p", .model = "m", .service_tier = "batch", .wall_ms = july},
       "p/m-2025-01-01@2025-01-01+batch"},
      {{.provider = "p", .model = "m", .service_tier = "priority", .wall_ms = july}, "unpriced"},
      {{.provider = "p", .model = "dated-2026-11-22", .wall_ms = july}, "p/dated@2025-01-01"},
      {{.provider = "p", .model = "dated-20261122", .wall_ms = july}, "p/dated@2025-01-01"},
      {{.provider = "p", .model = "at@20261122", .wall_ms = july}, "p/dated@2025-01-01"},
      {{.provider = "p", .model = "dated-2026", .wall_ms = july}, "unpriced"},
      {{.provider = "p", .model = "m-2026-11-22", .wall_ms = july}, "unpriced"},
      {{.provider = "p", .model = "placed", .location = "global", .wall_ms = july},
       "p/placed@2025-01-01~global"},
      {{.provider = "p", .model = "placed", .location = "us-central1", .wall_ms = july},
       "p/placed@2025-01-01~regional"},
      {{.provider = "p", .model = "placed", .wall_ms = july}, "unpriced"},
      {{.provider = "p", .model = "any", .location = "us-central1", .wall_ms = july},
       "p/any@2025-01-01"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(found(*book, c.query), c.id) << c.query.model << " " << c.query.service_tier;
  }
  EXPECT_NE(book->find_by_id("q/m@2025-01-01"), nullptr);
  EXPECT_EQ(book->find_by_id("q/m@2025-01-02"), nullptr);
}

TEST(PriceBook, OverridesComeFirstAndOnlyWhereTheyHold) {
  auto shipped = rows(
      "p,m,,,,2025-01-01,,1,,,,1,,,,,,,s\n"
      "p,m,,,,2026-01-01,,2,,,,2,,,,,,,s\n"
      "p,m,batch,,,2025-01-01,,1,,,,1,,,,,,,s\n");
  auto mine = rows("p,m,,,,2025-06-01,,7,,,,7,,,,,,,contract\n");
  mine[0].id = "config/m";
  auto book = PriceBook::build(shipped, mine);
  ASSERT_TRUE(book);
  auto id = [&](const char* time, std::string_view tier) {
    return found(*book, {.provider = "p", .model = "m", .service_tier = tier, .wall_ms = at(time)});
  };
  EXPECT_EQ(id("2025-03-01T00:00:00Z", ""), "p/m@2025-01-01");
  EXPECT_EQ(id("2025-07-01T00:00:00Z", ""), "config/m");
  EXPECT_EQ(id("2026-07-01T00:00:00Z", ""), "config/m") << "newer shipped rows do not win";
  EXPECT_EQ(id("2026-07-01T00:00:00Z", "batch"), "p/m@2025-01-01+batch");
}

TEST(PriceBook, HoursOfTheWeek) {
  auto book = PriceBook::build(
      rows("d,m,,,,2026-09-10,,1,,,,1,,,,,,,s\n"
           "d,m,,,1-5@01:00-04:00+06:00-10:00!2026-10-01..2026-10-07,2026-09-10,,2,,,,2,,,,,,,s\n"
           "d,m,,,,2026-12-01,,3,,,,3,,,,,,,s\n"),
      {});
  ASSERT_TRUE(book);
  struct {
    const char* time;
    bool peak;
  } cases[] = {
      {"2026-09-14T01:00:00Z", true},  // a Monday
      {"2026-09-14T00:59:59Z", false}, {"2026-09-14T03:59:59Z", true},
      {"2026-09-14T04:00:00Z", false}, {"2026-09-14T09:00:00Z", true},
      {"2026-09-18T09:00:00Z", true},                                    // Friday
      {"2026-09-19T09:00:00Z", false},                                   // Saturday
      {"2026-09-20T09:00:00Z", false},                                   // Sunday
      {"2026-09-30T09:00:00Z", true},  {"2026-10-01T09:00:00Z", false},  // holiday
      {"2026-10-07T09:00:00Z", false}, {"2026-10-08T09:00:00Z", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(found(*book, {.provider = "d", .model = "m", .wall_ms = at(c.time)}),
              c.peak ? "d/m@2026-09-10^hours" : "d/m@2026-09-10")
        << c.time;
  }
  EXPECT_EQ(found(*book, {.provider = "d", .model = "m", .wall_ms = at("2026-12-07T09:00:00Z")}),
            "d/m@2026-12-01")
      << "a later row ends the hours too";
}

TEST(PriceBook, RefusesAmbiguousRows) {
  EXPECT_FALSE(PriceBook::build(rows("p,m,,,,2025-01-01,,1,,,,1,,,,,,,s\n"
                                     "p,m,,,,2025-01-01,,2,,,,2,,,,,,,s\n"),
                                {}));
  EXPECT_FALSE(PriceBook::build(rows("p,m,,,,2025-01-01,,1,,,,1,,,,,,x,s\n"
                                     "p,n,,,,2025-01-01,,2,,,,2,,,,,,x,s\n"),
                                {}));
  PriceRow nameless;
  nameless.id = "x";
  EXPECT_FALSE(PriceBook::build({}, {nameless}));
}

TEST(ShippedPrices, AreReadableLinkedAndSane) {
  auto book = PriceBook::shipped();
  ASSERT_TRUE(book) << book.error().message();
  EXPECT_GE(book->rows().size(), 300u);
  std::set<std::string> models;
  for (const PriceRow& row : book->rows()) {
    models.insert(row.provider + "/" + row.model);
    EXPECT_TRUE(row.source.starts_with("https://")) << row.id;
    EXPECT_GE(row.valid_from_ms, at("2023-01-01T00:00:00Z")) << row.id;
    EXPECT_LE(row.valid_from_ms, at("2027-12-31T00:00:00Z")) << row.id;
    auto input = row.rates[UsageClass::input];
    if (!input) continue;  // known to be unknown
    EXPECT_GT(*input, 0) << row.id;
    EXPECT_LE(*input, 200'000'000) << row.id << ": more than $200 a million is a slip of the point";
    if (auto output = row.rates[UsageClass::output]) {
      EXPECT_GE(*output, *input) << row.id;
      EXPECT_LE(*output, *input * 10) << row.id;
    }
    if (auto read = row.rates[UsageClass::cache_read]) {
      EXPECT_LE(*read * 3 / 2, *input) << row.id << ": a cache hit is a good deal cheaper";
    }
    if (auto write = row.rates[UsageClass::cache_write_5m]) {
      EXPECT_GE(*write, *input) << row.id;
      if (auto hour = row.rates[UsageClass::cache_write_1h]) EXPECT_GE(*hour, *write) << row.id;
    }
    for (const ContextTier& tier : row.context_tiers) {
      if (tier.rates[UsageClass::input])
        EXPECT_GE(*tier.rates[UsageClass::input], *input) << row.id;
    }
  }
  EXPECT_GE(models.size(), 150u);
  for (const ShippedPrices& file : shipped_prices()) EXPECT_LT(file.csv.size(), 65'536u);
}

TEST(ShippedPrices, KnownModelsCostWhatTheirProvidersSay) {
  auto book = PriceBook::shipped();
  ASSERT_TRUE(book);
  int64_t now = at("2026-11-22T12:00:00Z");  // a Sunday
  struct {
    PriceQuery query;
    const char* usd_per_million[4];  // input, cache read, cache write, output; "" is unpriced
  } cases[] = {
      {{.provider = "openai", .model = "gpt-4o-2024-11-20"}, {"2.50", "1.25", "", "10.00"}},
      {{.provider = "openai", .model = "gpt-4o"}, {"2.50", "1.25", "", "10.00"}},
      {{.provider = "openai", .model = "gpt-5-2025-08-07"}, {"1.25", "0.125", "", "10.00"}},
      {{.provider = "openai", .model = "gpt-5", .service_tier = "flex"},
       {"0.625", "0.0625", "", "5.00"}},
      {{.provider = "openai", .model = "gpt-5", .service_tier = "priority"},
       {"2.50", "0.25", "", "20.00"}},
      {{.provider = "openai", .model = "gpt-5.6"}, {"4.00", "0.40", "5.00", "20.00"}},
      {{.provider = "openai", .model = "text-embedding-3-small"}, {"0.02", "", "", ""}},
      {{.provider = "azure_openai", .model = "gpt-4o-2024-11-20"}, {"2.50", "1.25", "", "10.00"}},
      {{.provider = "anthropic", .model = "claude-sonnet-4-5"}, {"3.00", "0.30", "3.75", "15.00"}},
      {{.provider = "anthropic", .model = "claude-sonnet-4-5-20250929"},
       {"3.00", "0.30", "3.75", "15.00"}},
      {{.provider = "anthropic", .model = "claude-sonnet-5"}, {"2.00", "0.20", "2.50", "10.00"}},
      {{.provider = "anthropic", .model = "claude-sonnet-5-5"}, {"2.00", "0.10", "2.50", "10.00"}},
      {{.provider = "anthropic", .model = "claude-opus-5-5", .service_tier = "standard"},
       {"4.00", "0.20", "5.00", "20.00"}},
      {{.provider = "anthropic", .model = "claude-opus-4-8", .service_tier = "batch"},
       {"2.50", "0.25", "3.125", "12.50"}},
      {{.provider = "gemini", .model = "gemini-2.5-pro"}, {"1.25", "0.125", "", "10.00"}},
      {{.provider = "gemini", .model = "gemini-3.8-flash"}, {"0.75", "0.075", "", "3.75"}},
      {{.provider = "vertex_ai", .model = "gemini-2.5-flash", .location = "us-central1"},
       {"0.30", "0.03", "", "2.50"}},
      {{.provider = "vertex_ai", .model = "claude-sonnet-4-5@20250929", .location = "global"},
       {"3.00", "0.30", "3.75", "15.00"}},
      {{.provider = "vertex_ai", .model = "claude-sonnet-4-5", .location = "us-east5"},
       {"3.30", "0.33", "4.125", "16.50"}},
      {{.provider = "bedrock", .model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
       {"1.10", "0.11", "1.375", "5.50"}},
      {{.provider = "bedrock", .model = "global.anthropic.claude-haiku-4-5-20251001-v1:0"},
       {"1.00", "0.10", "1.25", "5.00"}},
      {{.provider = "deepseek", .model = "deepseek-chat"}, {"0.15", "0.003", "", "0.60"}},
      {{.provider = "xai", .model = "grok-4.7"}, {"2.00", "0.50", "", "6.00"}},
      {{.provider = "mistral", .model = "mistral-large-latest"}, {"0.50", "", "", "1.50"}},
  };
  for (auto& c : cases) {
    c.query.wall_ms = now;
    const PriceRow* row = book->find(c.query);
    ASSERT_NE(row, nullptr) << c.query.provider << " " << c.query.model;
    UsageClass classes[] = {UsageClass::input, UsageClass::cache_read, UsageClass::cache_write_5m,
                            UsageClass::output};
    for (size_t i = 0; i < 4; ++i) {
      auto rate = row->rates[classes[i]];
      // Pico-dollars per token are micro-dollars per million, a thousandth of nano-dollars.
      EXPECT_EQ(rate ? Money::from_nano(*rate * 1000).to_usd() : "", c.usd_per_million[i])
          << row->id << " " << to_string(classes[i]);
    }
  }
  EXPECT_EQ(found(*book, {.provider = "openai", .model = "gpt-99", .wall_ms = now}), "unpriced");
  EXPECT_EQ(
      found(*book,
            {.provider = "openai", .model = "gpt-5", .service_tier = "scale", .wall_ms = now}),
      "unpriced");
  // Haiku 5.5 costs five times as much above 100,000 prompt tokens, cached ones included.
  const PriceRow* haiku =
      book->find({.provider = "anthropic", .model = "claude-haiku-5-5", .wall_ms = now});
  ASSERT_NE(haiku, nullptr);
  dialect::Usage usage;
  usage.reported = true;
  usage.cache_read = 100'000;
  usage.output = 1000;
  EXPECT_EQ(cost(usage, *haiku).total.to_usd(), "0.0015");
  usage.cache_read = 100'001;
  EXPECT_EQ(cost(usage, *haiku).total.nano(), 5'000'050 + 2'500'000);
}

TEST(PriceBook, KnowsHowLongAnAnswerOfACommonModelCanBe) {
  PriceRow own;
  own.id = "config/x";
  own.provider = "openai";
  own.model = "gpt-4.1";
  own.rates[UsageClass::input] = 1;
  const auto book = PriceBook::shipped({own});
  ASSERT_TRUE(book) << book.error().message();
  const auto most = [&](std::string_view provider, std::string_view model) {
    return book->max_output(
        {.provider = provider, .model = model, .wall_ms = at("2026-11-22T00:00:00Z")});
  };
  EXPECT_EQ(most("openai", "gpt-4.1"), 32'768) << "a price of one's own says nothing of it";
  EXPECT_EQ(most("openai", "gpt-4o-2024-11-20"), 16'384);
  EXPECT_EQ(most("anthropic", "claude-sonnet-4-5"), 64'000) << "by an alias";
  EXPECT_EQ(most("bedrock", "anthropic.claude-opus-4-8"), 128'000);
  EXPECT_EQ(most("openai", "nobody-knows-this"), std::nullopt);
}

}  // namespace
}  // namespace weir::ledger
