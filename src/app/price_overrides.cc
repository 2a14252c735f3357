#include "app/price_overrides.h"

#include <fmt/format.h>

#include <optional>

#include "base/date.h"

namespace weir::app {
namespace {

// Dollars per million tokens are micro-dollars per token: a thousandth of nano per million is pico.
std::optional<int64_t> pico_per_token(const std::optional<Money>& per_million) {
  if (!per_million) return std::nullopt;
  return per_million->nano() / 1000;
}

ledger::Rates rates(const TokenPrices& usd) {
  using ledger::UsageClass;
  ledger::Rates made;
  made[UsageClass::input] = pico_per_token(usd.input);
  made[UsageClass::cache_read] = pico_per_token(usd.cache_read);
  made[UsageClass::cache_write_5m] = pico_per_token(usd.cache_write_5m);
  made[UsageClass::cache_write_1h] = pico_per_token(usd.cache_write_1h);
  made[UsageClass::input_audio] = pico_per_token(usd.input_audio);
  made[UsageClass::input_image] = pico_per_token(usd.input_image);
  made[UsageClass::output] = pico_per_token(usd.output);
  made[UsageClass::output_audio] = pico_per_token(usd.output_audio);
  made[UsageClass::output_image] = pico_per_token(usd.output_image);
  return made;
}

ledger::PriceRow price_row(const Price& price) {
  ledger::PriceRow row;
  row.provider = to_string(price.provider);
  row.model = price.model;
  row.service_tier = price.service_tier;
  row.location = price.location;
  row.valid_from_ms = price.valid_from.wall_ms;
  row.id = fmt::format("config/{}/{}@{}", row.provider, row.model, rfc3339(row.valid_from_ms));
  if (!row.service_tier.empty()) row.id += "+" + row.service_tier;
  if (!row.location.empty()) row.id += "~" + row.location;
  row.rates = rates(price.usd_per_million);
  for (const PriceTier& tier : price.context_tiers) {
    row.context_tiers.push_back({tier.above_tokens, rates(tier.usd_per_million)});
  }
  if (price.usd_per_tool_call) row.nano_per_tool_call = price.usd_per_tool_call->nano();
  row.source = "configuration";
  return row;
}

}  // namespace

std::vector<ledger::PriceRow> price_overrides(const Config& config) {
  std::vector<ledger::PriceRow> rows;
  for (const Price& price : config.prices) rows.push_back(price_row(price));
  return rows;
}

Result<ledger::PriceBook> price_book(const Config& config) {
  WEIR_TRY(ledger::PriceBook book,
           ledger::PriceBook::shipped(price_overrides(config), config.file_prices));
  std::vector<ledger::PriceTerm> terms;
  for (const PriceTerm& term : config.price_terms) {
    ledger::PriceTerm made{.account = term.account,
                           .location = term.location,
                           .model = term.model,
                           .from_ms = term.valid_from.wall_ms,
                           .until_ms = term.valid_until ? term.valid_until->wall_ms : 0};
    // Hundredths of a percent as millionths.
    if (term.uplift) made.uplift_ppm = int64_t{term.uplift->basis_points} * 100;
    if (term.discount) made.discount_ppm = int64_t{term.discount->basis_points} * 100;
    terms.push_back(std::move(made));
  }
  WEIR_CHECK_OK(book.set_terms(std::move(terms)));
  return book;
}

}  // namespace weir::app
