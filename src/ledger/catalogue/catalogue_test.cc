#include "ledger/catalogue/catalogue.h"

#include <gtest/gtest.h>

#include <map>

#include "base/date.h"
#include "ledger/catalogue/compare.h"
#include "ledger/scale.h"

namespace weir::ledger {
namespace {

const int64_t kDay = *parse_rfc3339("2026-11-23T00:00:00Z");

Catalogue read(CatalogueKind kind, std::string_view text, std::string provider = "openai") {
  const auto made = read_catalogue(
      text, {.kind = kind, .valid_from_ms = kDay, .portkey_provider = std::move(provider)});
  EXPECT_TRUE(made) << (made ? "" : made.error().message());
  return made.value_or(Catalogue{});
}

const PriceRow* find(const Catalogue& catalogue, std::string_view id) {
  for (const PriceRow& row : catalogue.rows) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

TEST(ScaledDecimal, IsExactAndRefusesWhatIsNot) {
  struct Case {
    std::string_view text;
    int exponent;
    int64_t expected;  // -1: refused
  };
  for (const Case& c : std::initializer_list<Case>{
           {"2.5e-06", 12, 2'500'000},
           {"2.5E-6", 12, 2'500'000},
           {"0.0000025", 12, 2'500'000},
           {"1.8749999999999998e-06", 12, 1'875'000},  // the noise of a float
           {"3.0000000000000004e-07", 12, 300'000},
           {"10", 6, 10'000'000},
           {"0", 12, 0},
           {"0.0", 12, 0},
           {"1e-5", 12, 10'000'000},
           {"0.00025", 10, 2'500'000},
           {"123456789012345678901234567890123e-33", 12, 123'456'789'012},
           {"-1e-6", 12, -1},
           {"1e-13", 12, -1},       // finer than the book
           {"1.2345e-09", 12, -1},  // loses digits
           {"1e30", 12, -1},
           {"1e99999999999", 12, -1},
           {"1e-99999999999", 12, -1},
           {"", 12, -1},
           {".", 12, -1},
           {"1e", 12, -1},
           {"1.2.3", 12, -1},
           {"NaN", 12, -1},
       }) {
    const auto got = scaled_decimal(c.text, c.exponent);
    EXPECT_EQ(got ? *got : -1, c.expected) << c.text;
  }
  EXPECT_EQ(*scaled_decimal("-12.3456", 2, true), -1235);
  EXPECT_EQ(scaled(1'000'000, 1'100'000), 1'100'000);
  EXPECT_EQ(scaled(15, 900'000), 14);
  EXPECT_EQ(scaled(-15, 900'000), -14);
}

TEST(LiteLlm, RatesTiersContextsAndLifetimesAreReadFromMemberNames) {
  const Catalogue catalogue = read(CatalogueKind::litellm, R"({
    "sample_spec": {"litellm_provider": "one of ...", "input_cost_per_token": 0.0},
    "acme-1": {"litellm_provider": "openai", "mode": "chat", "supports_vision": true,
      "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06,
      "cache_read_input_token_cost": 5e-07, "cache_creation_input_token_cost": 2.5e-06,
      "cache_creation_input_token_cost_above_1hr": 4e-06, "input_cost_per_audio_token": 4e-05,
      "input_cost_per_token_above_200k_tokens": 4e-06,
      "output_cost_per_token_above_200k_tokens": 1.2e-05,
      "input_cost_per_token_batches": 1e-06, "output_cost_per_token_batches": 4e-06,
      "input_cost_per_token_priority": 4e-06, "output_cost_per_token_priority": 1.6e-05,
      "input_cost_per_token_above_200k_tokens_priority": 8e-06,
      "search_context_cost_per_query": {"search_context_size_low": 0.01,
        "search_context_size_high": 0.01}, "source": "https://example.com/a,b"},
    "vertex_ai/claude-x": {"litellm_provider": "vertex_ai-anthropic_models",
      "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
      "regional_endpoint_uplift_multiplier": 1.1},
    "azure/eu/acme-1": {"litellm_provider": "azure", "input_cost_per_token": 2.2e-06,
      "output_cost_per_token": 8.8e-06},
    "bedrock/eu-west-1/acme.x": {"litellm_provider": "bedrock", "input_cost_per_token": 1e-06},
    "groq/llama": {"litellm_provider": "groq", "input_cost_per_token": 1e-07},
    "dall-e": {"litellm_provider": "openai", "output_cost_per_image": 0.04}})");
  EXPECT_EQ(catalogue.elsewhere, 1u);
  EXPECT_EQ(catalogue.not_tokens, 1u);
  EXPECT_EQ(catalogue.variants, 1u);
  EXPECT_TRUE(catalogue.refused.empty());
  const PriceRow* row = find(catalogue, "openai/acme-1@2026-11-23");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->rates[UsageClass::input], 2'000'000);
  EXPECT_EQ(row->rates[UsageClass::input_image], 2'000'000) << "images are input";
  EXPECT_EQ(row->rates[UsageClass::cache_write_5m], 2'500'000);
  EXPECT_EQ(row->rates[UsageClass::cache_write_1h], 4'000'000);
  EXPECT_EQ(row->rates[UsageClass::input_audio], 40'000'000);
  EXPECT_EQ(row->rates[UsageClass::output_audio], std::nullopt);
  EXPECT_EQ(row->nano_per_tool_call, 10'000'000);
  EXPECT_EQ(row->source.find(','), std::string::npos);
  ASSERT_EQ(row->context_tiers.size(), 1u);
  EXPECT_EQ(row->context_tiers[0].prompt_tokens_above, 200'000);
  EXPECT_EQ(row->context_tiers[0].rates[UsageClass::output], 12'000'000);
  EXPECT_EQ(row->context_tiers[0].rates[UsageClass::cache_read], 500'000) << "as below";
  const PriceRow* batch = find(catalogue, "openai/acme-1@2026-11-23+batch");
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(batch->rates[UsageClass::cache_read], std::nullopt) << "not told, so not known";
  ASSERT_EQ(batch->context_tiers.size(), 1u);
  EXPECT_EQ(batch->context_tiers[0].rates, Rates{}) << "nothing is known of long input in batches";
  const PriceRow* priority = find(catalogue, "openai/acme-1@2026-11-23+priority");
  ASSERT_NE(priority, nullptr);
  EXPECT_EQ(priority->context_tiers.at(0).rates[UsageClass::input], 8'000'000);
  ASSERT_NE(find(catalogue, "vertex_ai/claude-x@2026-11-23~global"), nullptr);
  const PriceRow* regional = find(catalogue, "vertex_ai/claude-x@2026-11-23~regional");
  ASSERT_NE(regional, nullptr);
  EXPECT_EQ(regional->rates[UsageClass::output], 16'500'000);
  EXPECT_NE(find(catalogue, "azure_openai/acme-1@2026-11-23~regional"), nullptr);
}

TEST(ModelsDev, CostsTiersAndModes) {
  const Catalogue catalogue = read(CatalogueKind::models_dev, R"({
    "openai": {"id": "openai", "doc": "https://example.com/docs", "models": {
      "acme-1": {"id": "acme-1", "modalities": {"input": ["text", "image"], "output": ["text"]},
        "cost": {"input": 2.5, "output": 15, "cache_read": 0.25, "cache_write": 3.125,
          "input_audio": 40, "tiers": [{"tier": {"type": "context", "size": 272000},
            "input": 5, "output": 22.5}]},
        "experimental": {"modes": {"fast": {"cost": {"input": 5, "output": 30},
          "provider": {"body": {"service_tier": "priority"}}}}}},
      "old": {"cost": {"input": 1, "output": 2, "context_over_200k": {"input": 2, "output": 4}}},
      "thinker": {"cost": {"input": 1, "output": 2, "reasoning": 3}},
      "free": {"id": "free"}}},
    "somebody": {"models": {"a": {}, "b": {}}}})");
  EXPECT_EQ(catalogue.elsewhere, 2u);
  EXPECT_EQ(catalogue.not_tokens, 1u);
  ASSERT_EQ(catalogue.refused.size(), 1u);
  EXPECT_EQ(catalogue.refused[0].model, "thinker");
  const PriceRow* row = find(catalogue, "openai/acme-1@2026-11-23");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->rates[UsageClass::input], 2'500'000);
  EXPECT_EQ(row->rates[UsageClass::cache_write_5m], 3'125'000);
  EXPECT_EQ(row->context_tiers.at(0).prompt_tokens_above, 272'000);
  EXPECT_EQ(row->context_tiers.at(0).rates[UsageClass::input], 5'000'000);
  EXPECT_EQ(row->source, "https://example.com/docs");
  const PriceRow* priority = find(catalogue, "openai/acme-1@2026-11-23+priority");
  ASSERT_NE(priority, nullptr);
  EXPECT_EQ(priority->rates[UsageClass::output], 30'000'000);
  EXPECT_EQ(find(catalogue, "openai/old@2026-11-23")->context_tiers.at(0).rates[UsageClass::output],
            4'000'000);
}

TEST(Portkey, CentsAreDollarsByAHundred) {
  const std::string_view text = R"({
    "default": {"pricing_config": {"pay_as_you_go": {"request_token": {"price": 0}}}},
    "acme-1": {"pricing_config": {"currency": "USD",
        "pay_as_you_go": {"request_token": {"price": 0.00025}, "response_token": {"price": 0.001},
          "cache_read_input_token": {"price": 0.000125},
          "additional_units": {"web_search": {"price": 1}, "cache_write_1h": {"price": 0.0004}}},
        "batch_config": {"request_token": {"price": 0.000125}, "response_token": {"price": 0.0005}}},
      "custom_pricing": {"context_tier_map": {"0": "lte-272k", "272000": "gt-272k"},
        "regions": {"default": {"execution_modes": {"standard": {"context_tiers": {
            "lte-272k": {"pricing_config": {"pay_as_you_go": {"request_token": {"price": 0.00025}}}},
            "gt-272k": {"pricing_config": {"pay_as_you_go": {"request_token": {"price": 0.0005}}}}}},
          "flex": {"pricing_config": {"pay_as_you_go": {"request_token": {"price": 0.0001},
            "response_token": {"price": 0.0004}}}}}}}}},
    "yuan": {"pricing_config": {"currency": "CNY",
      "pay_as_you_go": {"request_token": {"price": 0.0001}}}}})";
  const Catalogue catalogue = read(CatalogueKind::portkey, text);
  const PriceRow* row = find(catalogue, "openai/acme-1@2026-11-23");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->rates[UsageClass::input], 2'500'000);
  EXPECT_EQ(row->rates[UsageClass::output], 10'000'000);
  EXPECT_EQ(row->rates[UsageClass::cache_write_1h], 4'000'000);
  EXPECT_EQ(row->nano_per_tool_call, 10'000'000);
  EXPECT_EQ(row->context_tiers.at(0).rates[UsageClass::input], 5'000'000);
  EXPECT_NE(find(catalogue, "openai/acme-1@2026-11-23+batch"), nullptr);
  EXPECT_NE(find(catalogue, "openai/acme-1@2026-11-23+flex"), nullptr);
  ASSERT_EQ(catalogue.refused.size(), 1u);
  EXPECT_EQ(catalogue.refused[0].why, "prices in CNY");
  EXPECT_EQ(read(CatalogueKind::portkey, text, "of-nobody").elsewhere, 2u);
}

TEST(Catalogue, WhatCannotBeIsRefusedWithItsReason) {
  const std::map<std::string, std::string> entries = {
      {"negative", R"("input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06)"},
      {"text", R"("input_cost_per_token": "1e-06", "output_cost_per_token": 1e-06)"},
      {"huge", R"("input_cost_per_token": 0.5, "output_cost_per_token": 0.5)"},
      {"odd", R"("input_cost_per_token": 1e-08, "output_cost_per_token": 1e-03)"},
      {"fine", R"("input_cost_per_token": 1.23456789e-09, "output_cost_per_token": 1e-06)"},
      {"a name", R"("input_cost_per_token": 1e-06)"},
      {"thinks", R"("output_cost_per_token": 1e-06, "output_cost_per_reasoning_token": 3e-06)"},
  };
  for (const auto& [name, members] : entries) {
    const Catalogue catalogue =
        read(CatalogueKind::litellm,
             "{\"" + name + "\":{\"litellm_provider\":\"openai\"," + members + "}}");
    EXPECT_TRUE(catalogue.rows.empty()) << name;
    ASSERT_EQ(catalogue.refused.size(), 1u) << name;
    EXPECT_FALSE(catalogue.refused[0].why.empty()) << name;
  }
  for (const std::string_view text :
       {"", "[]", "{}", "{\"a\":1}", "{\"a\":{\"litellm_provider\":\"openai\",\"x\":NaN}}"}) {
    EXPECT_FALSE(read_catalogue(text, {.valid_from_ms = kDay})) << text;
  }
}

PriceBook book_of(std::string_view lines) {
  auto rows = parse_price_csv(
      "provider,model,tier,location,hours,valid_from,above,input,cache_read,cache_write_5m,"
      "cache_write_1h,output,input_audio,output_audio,input_image,output_image,tool_call,aliases,"
      "source\n" +
          std::string(lines),
      "test");
  EXPECT_TRUE(rows) << (rows ? "" : rows.error().message());
  return *PriceBook::build(*rows, {});
}

TEST(ComparePrices, FindsWhatDiffersAndKeepsWhatTheCatalogueDoesNotTell) {
  const PriceBook book = book_of(
      "openai,m,,,,2026-01-01,,2.5,0.25,,4,10,,,,,10,m-{date},https://x\n"
      "openai,same,,,,2026-01-01,,1,,,,2,,,,,,,https://x\n"
      "openai,cents,,,,2026-01-01,,1,,,,2,,,,,,,https://x\n"
      "openai,given,,,,2026-01-01,,1,,,,2,,,,,,,https://x\n"
      "openai,swapped,,,,2026-01-01,,3,0.3,3.75,,15,,,,,,,https://x\n");
  const PriceComparison compared = compare_prices(book, read(CatalogueKind::models_dev, R"({
    "openai": {"models": {
      "m": {"cost": {"input": 2, "output": 10}},
      "m-2026-05-05": {"cost": {"input": 2, "output": 10}},
      "m-2025-05-05": {"cost": {"input": 3, "output": 10}},
      "same": {"cost": {"input": 1, "output": 2, "input_audio": 0}},
      "cents": {"cost": {"input": 100, "output": 200}},
      "given": {"cost": {"input": 0, "output": 0}},
      "swapped": {"cost": {"input": 3, "output": 15, "cache_read": 3.75, "cache_write": 0.3}},
      "unknown": {"cost": {"input": 7, "output": 8}},
      "gift": {"cost": {"input": 0, "output": 0}}}}})"),
                                                  kDay);
  EXPECT_EQ(compared.same, 2u) << "same, and the newer name of m";
  std::map<std::string, const PriceDifference*> by_model;
  for (const PriceDifference& one : compared.differences) by_model[one.row.model] = &one;
  ASSERT_EQ(by_model.size(), 7u);
  const PriceDifference& m = *by_model.at("m");
  ASSERT_EQ(m.changes.size(), 1u);
  EXPECT_EQ(m.changes[0].meter, "input");
  EXPECT_EQ(m.changes[0].before, 2'500'000);
  EXPECT_EQ(m.changes[0].after, 2'000'000);
  EXPECT_EQ(m.book_row, "openai/m@2026-01-01");
  EXPECT_EQ(m.row.id, "openai/m@2026-11-23");
  EXPECT_EQ(m.row.rates[UsageClass::cache_write_1h], 4'000'000) << "kept";
  EXPECT_EQ(m.row.nano_per_tool_call, 10'000'000) << "kept";
  EXPECT_EQ(m.row.aliases, std::vector<std::string>{"m-{date}"});
  EXPECT_TRUE(m.suspicious.empty());
  EXPECT_TRUE(by_model.at("m-2025-05-05")->row.aliases.empty()) << "a row of its own";
  EXPECT_EQ(by_model.at("cents")->suspicious, "input rises 100 times");
  EXPECT_EQ(by_model.at("given")->suspicious, "input becomes free");
  EXPECT_FALSE(by_model.at("swapped")->suspicious.empty());
  EXPECT_EQ(by_model.at("unknown")->book_row, "");
  EXPECT_TRUE(by_model.at("unknown")->suspicious.empty());
  EXPECT_EQ(by_model.at("gift")->suspicious, "it is free");
}

TEST(PriceFile, StandsBetweenOverridesAndTheShippedBookAndIsWrittenAsItIsRead) {
  const PriceBook shipped = book_of("openai,m,,,,2026-01-01,,2,,,,10,,,,,,m-{date},https://x\n");
  const PriceComparison compared =
      compare_prices(shipped, read(CatalogueKind::models_dev, R"({"openai": {"models":
        {"m": {"cost": {"input": 1.25, "output": 10, "tiers": [{"tier": {"size": 1000},
        "input": 2.5, "output": 15}]}, "limit": {"output": 4321}}}}})"),
                     kDay);
  ASSERT_EQ(compared.differences.size(), 1u);
  EXPECT_EQ(compared.differences[0].row.max_output, 4321);
  const std::string text = to_price_csv({&compared.differences[0].row, 1});
  const auto rows = parse_price_csv(text, "file");
  ASSERT_TRUE(rows) << rows.error().message();
  EXPECT_EQ(to_price_csv(*rows), text);
  EXPECT_EQ((*rows)[0].max_output, 4321);
  std::vector<PriceRow> base(shipped.rows().begin(), shipped.rows().end());
  PriceRow override = base[0];
  override.id = "config/m";
  override.location = "global";
  override.rates[UsageClass::input] = 7;
  const auto book = PriceBook::build(base, {override}, *rows);
  ASSERT_TRUE(book) << book.error().message();
  const auto input = [&](std::string_view model, std::string_view location, int64_t wall_ms) {
    const PriceRow* row = book->find(
        {.provider = "openai", .model = model, .location = location, .wall_ms = wall_ms});
    return row == nullptr ? -1 : row->rates[UsageClass::input].value_or(-1);
  };
  EXPECT_EQ(input("m", "", kDay - 1), 2'000'000) << "before its date the shipped row holds";
  EXPECT_EQ(input("m", "", kDay), 1'250'000);
  EXPECT_EQ(input("m-2026-10-10", "", kDay), 1'250'000) << "by the names of the shipped row";
  EXPECT_EQ(input("m", "global", kDay), 7) << "what the configuration says comes first";
}

}  // namespace
}  // namespace weir::ledger
