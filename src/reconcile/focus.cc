// FOCUS as CSV, of whomever: columns are found by name, the few that are needed. Meters are
// SkuMeter where a provider has it, else the text of the charge.
#include <fmt/format.h>

#include <array>

#include "base/json/document.h"
#include "base/text.h"
#include "ledger/scale.h"
#include "reconcile/statement.h"
#include "store/day.h"

namespace weir::reconcile {

namespace {

constexpr size_t kFieldMax = 16'384;
constexpr size_t kFieldsMax = 512;

// Fields of one line (RFC 4180), and what is left behind it.
Result<std::vector<std::string>> take_line(std::string_view& text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        fields.back() += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      fields.back() += c;
    }
    if (fields.back().size() > kFieldMax || fields.size() > kFieldsMax) {
      return fail(ErrorCode::limit_exceeded, "a line with too many or too long fields");
    }
  }
  if (quoted) return fail(ErrorCode::invalid_argument, "a quote that is not closed");
  text.remove_prefix(std::min(i + 1, text.size()));
  return fields;
}

class Columns {
 public:
  explicit Columns(const std::vector<std::string>& head) {
    for (size_t i = 0; i < head.size(); ++i) index_.emplace(head[i], i);
  }
  bool has(const std::string& name) const { return index_.contains(name); }
  // The first of the names that has a value. NULL is written in several ways.
  std::string_view first(const std::vector<std::string>& fields,
                         std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const auto found = index_.find(name);
      if (found == index_.end() || found->second >= fields.size()) continue;
      const std::string& value = fields[found->second];
      if (!value.empty() && value != "NULL" && value != "null") return value;
    }
    return {};
  }

 private:
  std::map<std::string, size_t> index_;
};

std::string provider_of(std::string_view service, std::string_view company,
                        const std::string& given) {
  static constexpr std::array<std::array<std::string_view, 2>, 8> kServices = {
      {{"bedrock", "bedrock"},
       {"vertex", "vertex_ai"},
       {"gemini", "gemini"},
       {"azure openai", "azure_openai"},
       {"cognitive", "azure_openai"},
       {"foundry", "azure_openai"},
       {"claude api", "anthropic"},
       {"openai api", "openai"}}};
  const std::string text = to_lower(service);
  for (const auto& [part, provider] : kServices) {
    if (text.find(part) != std::string::npos) return std::string(provider);
  }
  const std::string name = to_lower(company);
  if (name == "openai" || name == "anthropic") return name;
  return given;
}

// "1000000 Tokens", "1M", "1K": how many tokens a unit is; 0 where it counts something else.
int64_t tokens_of_unit(std::string_view unit) {
  const std::string text = to_lower(unit);
  int64_t count = 0;
  size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && count < 1'000'000'000; ++i) {
    count = count * 10 + (text[i] - '0');
  }
  if (i == 0) return text.find("token") != std::string::npos ? 1 : 0;
  const std::string_view rest = trim(std::string_view(text).substr(i));
  if (rest.starts_with('k')) return count * 1'000;
  if (rest.starts_with('m')) return count * 1'000'000;
  return rest.find("token") != std::string_view::npos ? count : 0;
}

std::optional<int64_t> tokens_of(const Columns& columns, const std::vector<std::string>& fields) {
  const std::array<std::array<std::string_view, 2>, 2> kinds = {
      {{columns.first(fields, {"ConsumedQuantity"}), columns.first(fields, {"ConsumedUnit"})},
       {columns.first(fields, {"PricingQuantity"}), columns.first(fields, {"PricingUnit"})}}};
  for (const auto& [quantity, unit] : kinds) {
    const int64_t each = tokens_of_unit(unit);
    if (each == 0 || quantity.empty()) continue;
    int digits = 0;
    for (int64_t left = each; left > 1; left /= 10) ++digits;
    const auto tokens = ledger::scaled_decimal(quantity, digits, true);
    if (tokens) return *tokens;
  }
  return std::nullopt;
}

// What SkuPriceDetails says, or the name that the charge has.
std::string model_of(const Columns& columns, const std::vector<std::string>& fields,
                     std::string& tier) {
  json::Document details;
  const std::string_view text = columns.first(fields, {"SkuPriceDetails", "x_SkuDetails"});
  if (!text.empty() && details.parse(text)) {
    const json::Value root = details.root();
    tier = tier_of(root["ServiceTier"].string_or(""));
    const std::string model = root["ModelId"].string_or("");
    if (!model.empty()) return model;
  }
  return std::string(columns.first(
      fields, {"x_SkuMeterName", "x_SkuDescription", "SkuMeter", "ChargeDescription", "SkuId"}));
}

}  // namespace

Result<void> read_focus(std::string_view text, const ReadOptions& options, Statement& into) {
  WEIR_TRY(const std::vector<std::string> head, take_line(text));
  const Columns columns(head);
  for (const char* name : {"ChargePeriodStart", "BillingCurrency"}) {
    if (columns.has(name)) continue;
    return fail(ErrorCode::invalid_argument, fmt::format("not FOCUS: no column {}", name));
  }
  size_t number = 1;
  while (!text.empty()) {
    WEIR_TRY(const std::vector<std::string> fields, take_line(text));
    ++number;
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() != head.size()) {
      return fail(ErrorCode::invalid_argument, fmt::format("line {}: {} fields, the head has {}",
                                                           number, fields.size(), head.size()));
    }
    const auto day = store::parse_day(columns.first(fields, {"ChargePeriodStart"}).substr(0, 10));
    if (!day) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("line {}: ChargePeriodStart is no time", number));
    }
    const std::string_view category = columns.first(fields, {"ChargeCategory"});
    if (!category.empty() && category != "Usage" && category != "Credit" &&
        category != "Adjustment") {
      ++into.left_out[fmt::format("of category {}", category)];
      continue;
    }
    Line line{.day = *day,
              .provider = provider_of(columns.first(fields, {"ServiceName"}),
                                      columns.first(fields, {"InvoiceIssuerName", "ProviderName",
                                                             "ServiceProviderName"}),
                                      options.provider)};
    if (line.provider.empty() || (!options.provider.empty() && line.provider != options.provider)) {
      ++into.left_out["of other services"];
      continue;
    }
    line.model = model_of(columns, fields, line.tier);
    const std::string_view meter = columns.first(
        fields, {"SkuMeter", "x_SkuMeterName", "x_SkuDescription", "ChargeDescription"});
    line.meter = meter_of(meter);
    if (line.tier.empty()) line.tier = tier_of(meter);
    line.cost = dollars(columns.first(fields, {"BilledCost", "EffectiveCost"}), 0,
                        columns.first(fields, {"BillingCurrency"}), options, into);
    if (!line.cost) continue;
    if (line.meter) line.tokens = tokens_of(columns, fields);
    into.lines.push_back(std::move(line));
  }
  return {};
}

}  // namespace weir::reconcile
