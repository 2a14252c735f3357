// Statements in each provider's form, made from the recorded replies by way of the ledger: they
// must agree with it, and faults that are put into them must be called by their names.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/date.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "dialect/recorded_replies.h"
#include "dialect/usage_json.h"
#include "ledger/cost.h"
#include "ledger/export.h"
#include "ledger/log_writer.h"
#include "ledger/price_book.h"
#include "ledger/sample_row.h"
#include "reconcile/account.h"
#include "reconcile/drift.h"
#include "store/day.h"

namespace weir::reconcile {
namespace {

using dialect::Dialect;
using dialect::Usage;
using ledger::kUsageClasses;
using ledger::UsageClass;

constexpr int64_t kDays = 5;
const int64_t kFirstDay = store::day_of(ledger::kNoon);

Usage usage_of(const dialect::recorded::Reply& reply, json::Value root) {
  switch (reply.dialect) {
    case Dialect::openai_chat:
      return dialect::usage_of_openai_body(root);
    case Dialect::openai_responses:
      return dialect::usage_of_openai_response(root);
    case Dialect::anthropic_messages:
      return dialect::usage_of_anthropic(root["usage"]);
    case Dialect::gemini:
      return dialect::usage_of_gemini_body(root);
    default:
      return {};
  }
}

struct Call {
  std::string provider;
  std::string model;
  Usage usage;
};

// The recorded calls that the book has a price for; OpenAI's again as Azure's and Gemini's as
// Vertex AI's.
std::vector<Call> recorded_calls(const ledger::PriceBook& book) {
  std::vector<Call> calls;
  for (const auto& reply : dialect::recorded::load(false)) {
    json::Document document;
    if (!document.parse(reply.body, {.unique_keys_levels = 0})) continue;
    const json::Value root = document.root();
    const Usage usage = usage_of(reply, root);
    std::string model = root["model"].string_or(root["modelVersion"].string_or(""));
    std::vector<std::string> providers;
    if (reply.dialect == Dialect::anthropic_messages) providers = {"anthropic"};
    if (reply.dialect == Dialect::gemini) providers = {"gemini", "vertex_ai"};
    if (reply.dialect == Dialect::openai_chat || reply.dialect == Dialect::openai_responses) {
      providers = {"openai", "azure_openai"};
    }
    for (const std::string& provider : providers) {
      const ledger::Cost cost = ledger::cost(
          usage, book, {.provider = provider, .model = model, .wall_ms = ledger::kNoon});
      if (cost.state == ledger::CostState::final && cost.total != Money{}) {
        calls.push_back({provider, model, usage});
      }
    }
  }
  return calls;
}

// What a provider counts, by day, model, tier and meter.
struct SoldKey {
  int64_t day;
  std::string provider, model, tier;
  UsageClass meter;
  auto operator<=>(const SoldKey&) const = default;
};
struct Sold {
  int64_t tokens = 0;
  int64_t pico = 0;  // dollars, a millionth of a millionth
};
using Invoice = std::map<SoldKey, Sold>;

std::string usd(int64_t pico, int decimals) {
  int64_t unit = 1;
  for (int i = decimals; i < 12; ++i) unit *= 10;
  const int64_t count = (pico + unit / 2) / unit;
  int64_t whole = 1;
  for (int i = 0; i < decimals; ++i) whole *= 10;
  return fmt::format("{}.{:0{}}", count / whole, count % whole, decimals);
}

std::string spaced(std::string model) {
  std::ranges::replace(model, '-', ' ');
  return model;
}

// Buckets of one day each with what `result` writes for every line of the invoice.
template <class Result>
std::string pages(const Invoice& invoice, bool unix_times, const Result& result) {
  std::string text;
  json::Writer w(text);
  w.begin_object().member("object", "page").key("data").begin_array();
  for (int64_t day = kFirstDay; day < kFirstDay + kDays; ++day) {
    w.begin_object();
    if (unix_times) {
      w.member("start_time", day * 86'400);
    } else {
      w.member("starting_at", store::day_text(day) + "T00:00:00Z");
    }
    w.key("results").begin_array();
    for (const auto& [key, sold] : invoice) {
      if (key.day == day) result(key, sold, w);
    }
    w.end_array().end_object();
  }
  w.end_array().end_object();
  return text;
}

void openai_usage(const SoldKey& key, const Sold& sold, json::Writer& w) {
  w.begin_object()
      .member("object", "organization.usage.completions.result")
      .member("model", key.model)
      .member("batch", key.tier == "batch")
      .member("service_tier", key.tier.empty() ? "default" : key.tier);
  const bool cached = key.meter == UsageClass::cache_read;
  const bool audio = key.meter == UsageClass::input_audio || key.meter == UsageClass::output_audio;
  const bool output = key.meter == UsageClass::output || key.meter == UsageClass::output_audio;
  w.member("input_tokens", output || audio ? 0 : sold.tokens)
      .member("input_cached_tokens", cached ? sold.tokens : 0)
      .member("output_tokens", output && !audio ? sold.tokens : 0)
      .member("input_audio_tokens", audio && !output ? sold.tokens : 0)
      .member("output_audio_tokens", audio && output ? sold.tokens : 0)
      .end_object();
}

void openai_cost(const SoldKey& key, const Sold& sold, json::Writer& w) {
  static const std::map<UsageClass, std::string> kItems = {{UsageClass::input, "input"},
                                                           {UsageClass::cache_read, "cached input"},
                                                           {UsageClass::output, "output"}};
  const auto item = kItems.find(key.meter);
  w.begin_object().member("object", "organization.costs.result").key("amount").begin_object();
  w.member_raw("value", usd(sold.pico, 10)).member("currency", "usd").end_object();
  w.member("line_item", fmt::format("{}{}, {}", key.tier == "batch" ? "batch " : "", key.model,
                                    item == kItems.end() ? "input" : item->second))
      .end_object();
}

std::string_view anthropic_type(UsageClass meter) {
  switch (meter) {
    case UsageClass::cache_read:
      return "cache_read_input_tokens";
    case UsageClass::cache_write_5m:
      return "cache_creation.ephemeral_5m_input_tokens";
    case UsageClass::cache_write_1h:
      return "cache_creation.ephemeral_1h_input_tokens";
    case UsageClass::output:
      return "output_tokens";
    default:
      return "uncached_input_tokens";
  }
}

void anthropic_usage(const SoldKey& key, const Sold& sold, json::Writer& w) {
  w.begin_object().member("model", key.model).member("service_tier", "standard");
  const std::string_view type = anthropic_type(key.meter);
  if (type.starts_with("cache_creation.")) {
    w.key("cache_creation").begin_object().member(type.substr(15), sold.tokens).end_object();
  } else {
    w.member(type, sold.tokens);
  }
  w.end_object();
}

void anthropic_cost(const SoldKey& key, const Sold& sold, json::Writer& w) {
  w.begin_object()
      .member("currency", "USD")
      .member("amount", usd(sold.pico * 100, 8))  // cents
      .member("cost_type", "tokens")
      .member("model", key.model)
      .member("service_tier", "standard")
      .member("token_type", anthropic_type(key.meter))
      .end_object();
}

std::string azure_csv(const Invoice& invoice) {
  std::string text =
      "\xef\xbb\xbf"
      "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ConsumedQuantity,ConsumedUnit,"
      "PricingQuantity,PricingUnit,ServiceName,x_SkuMeterName,Tags\r\n";
  for (const auto& [key, sold] : invoice) {
    const std::string_view meter = key.meter == UsageClass::output       ? "Outp"
                                   : key.meter == UsageClass::cache_read ? "cached Inp"
                                                                         : "Inp";
    text += fmt::format(
        "{},USD,Usage,{}T00:00:00Z,{},Tokens,{}.{:03},1K,Azure OpenAI,{} {} glbl "
        "Tokens,\"{{\"\"a\"\":\"\"b,c\"\"}}\"\r\n",
        usd(sold.pico, 12), store::day_text(key.day), sold.tokens, sold.tokens / 1000,
        sold.tokens % 1000, spaced(key.model), meter);
  }
  return text;
}

std::string gcp_lines(const Invoice& invoice) {
  std::string text;
  for (const auto& [key, sold] : invoice) {
    const std::string_view meter = key.meter == UsageClass::output       ? "Text Output"
                                   : key.meter == UsageClass::cache_read ? "Cached Text Input"
                                                                         : "Text Input";
    // A credit of a tenth, taken off a price that is as much higher.
    text += fmt::format(
        R"({{"service":{{"description":"{}"}},"sku":{{"description":"{} {} - Predictions"}},)"
        R"("usage_start_time":"{} 07:00:00 UTC","usage":{{"amount":{},"unit":"count"}},)"
        R"("cost":{},"currency":"USD","credits":[{{"amount":-{}}}]}})"
        "\n",
        key.provider == "vertex_ai" ? "Vertex AI" : "Gemini API", spaced(key.model), meter,
        store::day_text(key.day), sold.tokens, usd(sold.pico + sold.pico / 10, 9),
        usd(sold.pico / 10, 9));
  }
  return text;
}

class Reconcile : public testing::Test {
 protected:
  void SetUp() override {
    const auto book = ledger::PriceBook::shipped();
    ASSERT_TRUE(book);
    std::vector<Call> calls = recorded_calls(*book);
    if (calls.empty()) GTEST_SKIP() << "no recorded replies beside the checkout";
    IdMaker ids(0);
    std::vector<ledger::RequestRow> rows;
    for (int64_t day = 0; day < kDays; ++day) {
      for (const Call& call : calls) {
        ledger::RequestRow row =
            ledger::sample_row(ids.make(ledger::kNoon + day * store::kDayMs + 1'000));
        row.provider = call.provider;
        row.provider_model = call.model;
        row.usage = call.usage;
        // As many of it as make the money worth looking at.
        for (int64_t* count :
             {&row.usage.input, &row.usage.cache_read, &row.usage.cache_write_5m,
              &row.usage.cache_write_1h, &row.usage.output, &row.usage.input_audio,
              &row.usage.output_audio, &row.usage.input_image, &row.usage.output_image}) {
          *count *= 40;
        }
        row.usage.tool_calls = 0;
        const ledger::PriceRow* price = book->find({.provider = call.provider,
                                                    .model = call.model,
                                                    .service_tier = row.usage.service_tier,
                                                    .wall_ms = row.start_ms});
        ASSERT_NE(price, nullptr);
        row.set_cost(ledger::cost(row.usage, *price));
        sell(row, *price);
        rows.push_back(std::move(row));
      }
    }
    ledger::LogWriter writer(ledger::options_in(directory_));
    ASSERT_TRUE(writer.write(rows));
    const auto account = account_of(directory_.path(), kFirstDay, kFirstDay + kDays);
    ASSERT_TRUE(account);
    account_ = *account;
  }

  void sell(const ledger::RequestRow& row, const ledger::PriceRow& price) {
    const ledger::Rates& rates = price.rates_at(row.usage.total_input());
    for (size_t i = 0; i < kUsageClasses; ++i) {
      const int64_t tokens = ledger::tokens_of(row.usage, static_cast<UsageClass>(i));
      if (tokens == 0) continue;
      Sold& sold =
          invoices_[row.provider][{store::day_of(row.start_ms), row.provider, row.provider_model,
                                   tier_of(row.usage.service_tier), static_cast<UsageClass>(i)}];
      sold.tokens += tokens;
      sold.pico += tokens * rates.pico_per_token[i].value_or(0);
    }
  }

  Statement statement_of(const std::string& provider, const Invoice& invoice) {
    Statement statement;
    const auto take = [&](Source source, const std::string& text) {
      const auto read =
          read_statement(text, {.source = source, .provider = "azure_openai"}, statement);
      EXPECT_TRUE(read) << (read ? "" : read.error().message());
    };
    if (provider == "openai") {
      take(Source::openai, pages(invoice, true, openai_usage));
      take(Source::openai, pages(invoice, true, openai_cost));
    } else if (provider == "anthropic") {
      take(Source::anthropic, pages(invoice, false, anthropic_usage));
      take(Source::anthropic, pages(invoice, false, anthropic_cost));
    } else if (provider == "azure_openai") {
      take(Source::focus, azure_csv(invoice));
    } else {
      take(Source::gcp, gcp_lines(invoice));
    }
    EXPECT_TRUE(statement.left_out.empty()) << statement.left_out.begin()->first;
    return statement;
  }

  Reconciliation against(const std::string& provider, const Invoice& invoice,
                         int64_t today = kFirstDay + 100) {
    return reconcile(account_, statement_of(provider, invoice),
                     {.from_day = kFirstDay, .to_day = kFirstDay + kDays, .today = today});
  }

  // The key with most tokens of a day.
  static SoldKey biggest(const Invoice& invoice, int64_t day) {
    const auto found = std::ranges::max_element(invoice, {}, [day](const auto& entry) {
      return entry.first.day == day && entry.first.meter == UsageClass::input ? entry.second.tokens
                                                                              : -1;
    });
    return found->first;
  }

  static std::string kinds(const Reconciliation& result) {
    std::string text;
    for (const auto& [kind, part] : result.sums) {
      if (kind == Kind::rounding) continue;
      text += fmt::format("{}{}", text.empty() ? "" : " ", to_string(kind));
    }
    return text;
  }

  store::TemporaryDirectory directory_;
  std::map<std::string, Invoice> invoices_;
  std::vector<Line> account_;
};

TEST_F(Reconcile, EveryProvidersStatementAgreesWithTheLedger) {
  ASSERT_EQ(invoices_.size(), 5u) << "openai, azure_openai, anthropic, gemini, vertex_ai";
  for (const auto& [provider, invoice] : invoices_) {
    SCOPED_TRACE(provider);
    const Reconciliation result = against(provider, invoice);
    EXPECT_EQ(kinds(result), "");
    EXPECT_FALSE(result.drifts.empty());
    EXPECT_GT(result.provider_cost, Money::from_nano(10'000'000)) << "a cent at least";
    int64_t tokens = 0;
    for (const Drift& drift : result.drifts) {
      EXPECT_EQ(drift.ledger_tokens, drift.provider_tokens) << drift.model;
      tokens += drift.provider_tokens;
    }
    EXPECT_GT(tokens, 10'000);
  }
}

TEST_F(Reconcile, OurOwnFocusIsAStatementThatAgrees) {
  for (const auto format : {ledger::ExportFormat::focus_1_2, ledger::ExportFormat::focus_1_4}) {
    std::string text;
    ASSERT_TRUE(ledger::export_rows(ledger::LogReader(directory_.path()),
                                    {.since_ms = kFirstDay * store::kDayMs,
                                     .until_ms = (kFirstDay + kDays) * store::kDayMs,
                                     .format = format},
                                    [&text](std::string_view piece) {
                                      text += piece;
                                      return Result<void>{};
                                    }));
    Statement statement;
    ASSERT_TRUE(read_statement(text, {.source = Source::focus}, statement));
    const Reconciliation result =
        reconcile(account_, statement,
                  {.from_day = kFirstDay, .to_day = kFirstDay + kDays, .today = kFirstDay + 100});
    EXPECT_EQ(kinds(result), "");
    EXPECT_EQ(result.ledger_cost, result.provider_cost);
    EXPECT_GT(result.drifts.size(), 10u);
  }
}

TEST_F(Reconcile, FaultsAreCalledByTheirNames) {
  for (const auto& [provider, whole] : invoices_) {
    SCOPED_TRACE(provider);
    const SoldKey key = biggest(whole, kFirstDay + 1);
    const Sold sold = whole.at(key);
    const auto with = [&](auto&& change) {
      Invoice invoice = whole;
      change(invoice);
      return invoice;
    };
    // Somebody else's key: the same model, more of it.
    EXPECT_EQ(kinds(against(provider, with([&](Invoice& invoice) {
                              invoice[key].tokens += sold.tokens;
                              invoice[key].pico += sold.pico;
                            }))),
              "bypass");
    // A model that nobody asked for here.
    EXPECT_EQ(kinds(against(provider, with([&](Invoice& invoice) {
                              SoldKey other = key;
                              other.model = "quite-another-7";
                              invoice[other] = sold;
                            }))),
              "bypass");
    // Every token of the model dearer by a tenth.
    EXPECT_EQ(kinds(against(provider, with([&](Invoice& invoice) {
                              for (auto& [one, line] : invoice) {
                                if (one.model == key.model) line.pico += line.pico / 10;
                              }
                              invoice[key].pico += 1'000'000'000;
                            }))),
              "rate");
    // A part was counted on the next day.
    EXPECT_EQ(kinds(against(provider, with([&](Invoice& invoice) {
                              SoldKey next = key;
                              ++next.day;
                              invoice[next].tokens += sold.tokens / 2;
                              invoice[next].pico += sold.pico / 2;
                              invoice[key].tokens -= sold.tokens / 2;
                              invoice[key].pico -= sold.pico / 2;
                            }))),
              "late");
    // Not there at all, on a day that is settled, and on one that is not.
    const auto gone = with([&](Invoice& invoice) { invoice.erase(key); });
    EXPECT_EQ(kinds(against(provider, gone)), "missing");
    EXPECT_EQ(kinds(against(provider, gone, kFirstDay + 2)), "late");
    // What we have as input they have as cached input, and cheaper.
    EXPECT_EQ(kinds(against(provider, with([&](Invoice& invoice) {
                              SoldKey cached = key;
                              cached.meter = UsageClass::cache_read;
                              invoice[cached].tokens += sold.tokens / 2;
                              invoice[cached].pico += sold.pico / 20;
                              invoice[key].tokens -= sold.tokens / 2;
                              invoice[key].pico -= sold.pico / 2;
                            }))),
              "class");
    // Less than a hundredth of a cent.
    const Reconciliation rounded =
        against(provider, with([&](Invoice& invoice) { invoice[key].pico += 50'000'000; }));
    EXPECT_EQ(kinds(rounded), "");
    EXPECT_NE(rounded.sums.count(Kind::rounding), 0u);
  }
}

TEST_F(Reconcile, MoneyWithoutTokensStaysUnexplained) {
  Invoice invoice = invoices_.at("openai");
  const SoldKey key = biggest(invoice, kFirstDay + 1);
  const auto costs_only = [&](const Invoice& from) {
    Statement statement;
    EXPECT_TRUE(read_statement(pages(from, true, openai_cost), {}, statement));
    return reconcile(account_, statement,
                     {.from_day = kFirstDay, .to_day = kFirstDay + kDays, .today = kFirstDay + 99});
  };
  EXPECT_EQ(kinds(costs_only(invoice)), "");
  invoice[key].pico *= 3;
  invoice[key].pico += 1'000'000'000;
  EXPECT_EQ(kinds(costs_only(invoice)), "unexplained");
}

TEST(ReadStatement, WhatIsNoSuchExportIsRefused) {
  for (const auto& [source, text] : std::initializer_list<std::pair<Source, std::string_view>>{
           {Source::openai, ""},
           {Source::openai, "{}"},
           {Source::openai, "{\"data\":[{\"results\":[]}]}"},
           {Source::anthropic, "{\"data\":[{\"starting_at\":\"soon\"}]}"},
           {Source::gcp, "{\"cost\":1}"},
           {Source::gcp, "not json"},
           {Source::focus, "a,b\n1,2\n"},
           {Source::focus, "ChargePeriodStart,BillingCurrency\n2026-11-22\n"},
           {Source::focus, "ChargePeriodStart,BillingCurrency\nyesterday,USD\n"},
           {Source::focus, "ChargePeriodStart,BillingCurrency\n\"2026-11-22,USD\n"}}) {
    Statement statement;
    EXPECT_FALSE(read_statement(text, {.source = source}, statement)) << text;
  }
}

TEST(ReadStatement, LinesThatAreNotUnderstoodAreCounted) {
  Statement statement;
  ASSERT_TRUE(read_statement(
      R"({"data":[{"start_time":1795392000,"results":[
        {"amount":{"value":1,"currency":"usd"},"line_item":null},
        {"amount":{"value":1,"currency":"eur"},"line_item":"m, input"},
        {"input_tokens":5,"model":null}]}]})",
      {}, statement));
  EXPECT_TRUE(statement.lines.empty());
  EXPECT_EQ(statement.left_out.size(), 3u);
  Statement converted;
  ASSERT_TRUE(read_statement(
      R"({"data":[{"start_time":1795392000,"results":[
        {"amount":{"value":"0.92","currency":"eur"},"line_item":"m, input"}]}]})",
      {.nano_per_usd = {{"EUR", 920'000'000}}}, converted));
  ASSERT_EQ(converted.lines.size(), 1u);
  EXPECT_EQ(converted.lines[0].cost, Money::from_nano(1'000'000'000));
  Statement absurd;
  ASSERT_TRUE(read_statement(
      R"({"data":[{"start_time":1795392000,"results":[
        {"amount":{"value":"900","currency":"eur"},"line_item":"m, input"}]}]})",
      {.nano_per_usd = {{"EUR", 1}}}, absurd));
  EXPECT_EQ(absurd.left_out.count("with an amount that is too large"), 1u);
}

// Cents, as Anthropic tells them.
TEST(ReadStatement, AnthropicsAmountsAreCents) {
  Statement statement;
  ASSERT_TRUE(read_statement(R"({"data":[{"starting_at":"2026-11-22T00:00:00Z","results":[
    {"amount":"123.45","currency":"USD","model":"claude-x","token_type":"output_tokens"}]}]})",
                             {.source = Source::anthropic}, statement));
  EXPECT_EQ(statement.lines.at(0).cost, Money::from_nano(1'234'500'000));
  EXPECT_EQ(statement.lines.at(0).meter, UsageClass::output);
}

}  // namespace
}  // namespace weir::reconcile
