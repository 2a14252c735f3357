#include "ledger/focus.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/date.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "ledger/budget.h"
#include "ledger/cost.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr std::string_view kOther = "Other";
constexpr std::string_view kToolCalls = "Tool Calls";

// By UsageClass.
constexpr std::array<std::string_view, kUsageClasses> kMeters = {"Input Tokens",
                                                                 "Input Cache Tokens",
                                                                 "Input Cache Write 5m Tokens",
                                                                 "Input Cache Write 1h Tokens",
                                                                 "Output Tokens",
                                                                 "Input Audio Tokens",
                                                                 "Output Audio Tokens",
                                                                 "Input Image Tokens",
                                                                 "Output Image Tokens"};

struct Column {
  std::string_view name;
  bool in_1_2 = true;
  bool in_1_4 = true;
};
constexpr Column kColumns[] = {{"BilledCost"},
                               {"EffectiveCost"},
                               {"ListCost"},
                               {"ContractedCost"},
                               {"ListUnitPrice"},
                               {"ContractedUnitPrice"},
                               {"BillingAccountId"},
                               {"BillingAccountName"},
                               {"BillingCurrency"},
                               {"PricingCurrency"},
                               {"PricingCurrencyContractedUnitPrice"},
                               {"PricingCurrencyEffectiveCost"},
                               {"PricingCurrencyListUnitPrice"},
                               {"BillingPeriodStart"},
                               {"BillingPeriodEnd"},
                               {"ChargePeriodStart"},
                               {"ChargePeriodEnd"},
                               {"ChargeCategory"},
                               {"ChargeClass"},
                               {"ChargeDescription"},
                               {"ChargeFrequency"},
                               {"ConsumedQuantity"},
                               {"ConsumedUnit"},
                               {"PricingQuantity"},
                               {"PricingUnit"},
                               {"PricingCategory"},
                               {"InvoiceId"},
                               {"InvoiceIssuerName"},
                               {"ProviderName", true, false},
                               {"PublisherName", true, false},
                               {"ServiceProviderName", false, true},
                               {"HostProviderName", false, true},
                               {"ServiceCategory"},
                               {"ServiceSubcategory"},
                               {"ServiceName"},
                               {"SkuId"},
                               {"SkuMeter"},
                               {"SkuPriceId"},
                               {"SkuPriceDetails"},
                               {"SubAccountId"},
                               {"SubAccountName"},
                               {"ResourceId"},
                               {"ResourceName"},
                               {"ResourceType"},
                               {"RegionId"},
                               {"RegionName"},
                               {"Tags"},
                               {"x_WeirTeam"},
                               {"x_WeirKeyId"},
                               {"x_RequestCount"},
                               {"x_CacheHit"}};

bool has(const Column& column, bool version_1_4) {
  return version_1_4 ? column.in_1_4 : column.in_1_2;
}

// A decimal without an exponent: `value` times ten to the minus `digits`.
std::string decimal(int64_t value, size_t digits) {
  std::string text = fmt::format("{:0{}}", value < 0 ? -value : value, digits + 1);
  text.insert(text.size() - digits, ".");
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return (value < 0 ? "-" : "") + text;
}

std::string time_text(int64_t wall_ms) {
  return rfc3339(wall_ms).substr(0, 19) + "Z";
}

// Rounded half away from zero, in the unit it came in.
int64_t converted(int64_t amount, const ReportCurrency& currency) {
  __extension__ using Wide = __int128;
  constexpr int64_t kUnit = 1'000'000'000;
  if (amount < 0) return -converted(-amount, currency);
  return static_cast<int64_t>((static_cast<Wide>(amount) * currency.nano_per_usd + kUnit / 2) /
                              kUnit);
}

// A rate with what it comes to; -1: it is not known.
struct Priced {
  int64_t rate = -1;
  Money cost;
};

Money cost_of_tokens(int64_t tokens, int64_t pico_per_token) {
  PriceRow price;
  dialect::Usage usage;
  usage.input = tokens;
  price.rates[UsageClass::input] = pico_per_token;
  return cost(usage, price).total;
}

std::pair<std::string_view, std::string_view> service_and_provider(std::string_view provider) {
  static constexpr std::array<std::array<std::string_view, 3>, 6> kNames = {
      {{"openai", "OpenAI API", "OpenAI"},
       {"azure_openai", "Azure OpenAI", "Microsoft"},
       {"anthropic", "Claude API", "Anthropic"},
       {"vertex_ai", "Vertex AI", "Google Cloud"},
       {"gemini", "Gemini API", "Google"},
       {"bedrock", "Amazon Bedrock", "AWS"}}};
  for (const auto& [kind, service, company] : kNames) {
    if (kind == provider) return {service, company};
  }
  return {"Model API", provider};
}

}  // namespace

void append_csv_field(std::string& out, std::string_view text) {
  const bool formula =
      !text.empty() && std::string_view("=+@\t").find(text.front()) != std::string_view::npos;
  if (!formula && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += formula ? "\"'" : "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

std::string focus_head(bool version_1_4) {
  std::string head;
  for (const Column& column : kColumns) {
    if (has(column, version_1_4)) head += fmt::format("{}{}", head.empty() ? "" : ",", column.name);
  }
  return head + "\r\n";
}

void FocusDay::add(const RequestRow& row) {
  Key key{row.key_id,
          row.project,
          row.team,
          row.account,
          row.provider,
          row.deployment,
          row.model,
          row.provider_model,
          row.usage.service_tier,
          row.price_row,
          row.tags,
          kOther,
          -1,
          -1,
          row.corrects.value() != 0};
  json::Document document;
  const bool priced = !row.rates.empty() && document.parse(row.rates).has_value();
  Money left = row.cost;
  Money list_left = row.list_cost;
  bool counted = key.correction;  // it is no request
  const json::Value list_rates = priced ? document.root()["list"] : json::Value();
  const auto line = [&](std::string_view meter, int64_t quantity, Priced paid, Priced list) {
    key.meter = meter;
    key.rate = paid.rate;
    key.list_rate = list.rate;
    Sum& sum = lines_[key];
    sum.quantity += quantity;
    sum.cost += paid.cost;
    sum.list += list.cost;
    // A request is counted on its first line.
    if (!std::exchange(counted, true)) ++sum.requests;
    left -= paid.cost;
    list_left -= list.cost;
  };
  for (size_t i = 0; i < kUsageClasses; ++i) {
    const int64_t tokens = tokens_of(row.usage, static_cast<UsageClass>(i));
    if (tokens <= 0) continue;
    const std::string_view name = to_string(static_cast<UsageClass>(i));
    const auto priced_by = [tokens, name](const json::Value& rates) -> Priced {
      const auto rate = rates[name].as_int64();
      return rate ? Priced{*rate, cost_of_tokens(tokens, *rate)} : Priced{};
    };
    const Priced paid = priced ? priced_by(document.root()) : Priced{};
    line(kMeters[i], tokens, paid, list_rates.exists() ? priced_by(list_rates) : paid);
  }
  if (row.usage.tool_calls > 0) {
    const auto priced_by = [&row](const json::Value& rates) -> Priced {
      const auto rate = rates["tool_call"].as_int64();
      return rate ? Priced{*rate, Money::from_nano(*rate).times(row.usage.tool_calls)} : Priced{};
    };
    const Priced paid = priced ? priced_by(document.root()) : Priced{};
    line(kToolCalls, row.usage.tool_calls, paid,
         list_rates.exists() ? priced_by(list_rates) : paid);
  }
  if (left != Money{} || list_left != Money{}) line(kOther, 0, {-1, left}, {-1, list_left});
}

std::string FocusDay::take() {
  std::string out;
  const int64_t from = day_ * store::kDayMs;
  const int64_t month = window_index(BudgetWindow::month, from);
  for (const auto& [key, sum] : lines_) {
    const auto [service, company] = service_and_provider(key.provider);
    const bool tool = key.meter == kToolCalls;
    const bool metered = key.meter != kOther;
    const auto billed = [this](int64_t amount) { return converted(amount, currency_); };
    // Pico-dollars per token are micro-dollars per million tokens.
    const auto unit_price = [tool](int64_t rate) {
      return rate < 0 ? "" : decimal(rate, tool ? 9 : 6);
    };
    std::string details;
    json::Writer w(details);
    w.begin_object().member("ModelId", key.provider_model);
    if (!key.tier.empty()) w.member("ServiceTier", key.tier);
    w.end_object();
    const auto value = [&](std::string_view column) -> std::string {
      if (column == "BilledCost" || column == "EffectiveCost" || column == "ContractedCost") {
        return decimal(billed(sum.cost.nano()), 9);
      }
      if (column == "ListCost") return decimal(billed(sum.list.nano()), 9);
      if (column == "ListUnitPrice")
        return key.list_rate < 0 ? "" : unit_price(billed(key.list_rate));
      if (column == "ContractedUnitPrice") return key.rate < 0 ? "" : unit_price(billed(key.rate));
      if (column == "PricingCurrencyListUnitPrice") return unit_price(key.list_rate);
      if (column == "PricingCurrencyContractedUnitPrice") return unit_price(key.rate);
      if (column == "PricingCurrencyEffectiveCost") return decimal(sum.cost.nano(), 9);
      if (column == "BillingAccountId") return key.account;
      if (column == "BillingAccountName") return organization_;
      if (column == "BillingCurrency") return currency_.code;
      if (column == "PricingCurrency") return "USD";
      if (column == "BillingPeriodStart") {
        return time_text(window_start_ms(BudgetWindow::month, month));
      }
      if (column == "BillingPeriodEnd") {
        return time_text(window_start_ms(BudgetWindow::month, month + 1));
      }
      if (column == "ChargePeriodStart") return time_text(from);
      if (column == "ChargePeriodEnd") return time_text(from + store::kDayMs);
      if (column == "ChargeCategory") return "Usage";
      if (column == "ChargeClass") return key.correction ? "Correction" : "";
      if (column == "ChargeDescription") {
        return fmt::format("{} of {}", metered ? key.meter : "Earlier attempts and estimates",
                           key.provider_model);
      }
      if (column == "ChargeFrequency") return "Usage-Based";
      if (column == "ConsumedQuantity") return metered ? fmt::format("{}", sum.quantity) : "";
      if (column == "ConsumedUnit") return !metered ? "" : tool ? "Calls" : "Tokens";
      if (column == "PricingQuantity") {
        return metered ? decimal(sum.quantity, tool ? 0 : 6) : "";
      }
      if (column == "PricingUnit") return !metered ? "" : tool ? "Calls" : "1000000 Tokens";
      if (column == "PricingCategory") return metered ? "Standard" : "";
      if (column == "InvoiceIssuerName" || column == "ProviderName" || column == "PublisherName" ||
          column == "ServiceProviderName" || column == "HostProviderName") {
        return std::string(company);
      }
      if (column == "ServiceCategory") return "AI and Machine Learning";
      if (column == "ServiceSubcategory") return "Generative AI";
      if (column == "ServiceName") return std::string(service);
      if (column == "SkuId") return fmt::format("{}/{}", key.provider, key.provider_model);
      if (column == "SkuMeter") return std::string(metered ? key.meter : "");
      if (column == "SkuPriceId") return key.price_row;
      if (column == "SkuPriceDetails") return details;
      if (column == "SubAccountId" || column == "SubAccountName") return key.project;
      if (column == "ResourceId") return key.deployment;
      if (column == "ResourceName") return key.model;
      if (column == "ResourceType") return "Model deployment";
      if (column == "Tags") return key.tags;
      if (column == "x_WeirTeam") return key.team;
      if (column == "x_WeirKeyId") return key.key_id;
      if (column == "x_RequestCount") return fmt::format("{}", sum.requests);
      if (column == "x_CacheHit") return key.meter == kMeters[1] ? "true" : "false";
      return "";
    };
    bool first = true;
    for (const Column& column : kColumns) {
      if (!has(column, version_1_4_)) continue;
      if (!first) out += ',';
      first = false;
      append_csv_field(out, value(column.name));
    }
    out += "\r\n";
  }
  lines_.clear();
  return out;
}

}  // namespace weir::ledger
