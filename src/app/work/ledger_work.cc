#include "app/work/ledger_work.h"

#include <fmt/format.h>

#include "app/config/values.h"
#include "app/price_overrides.h"

namespace weir::app {
namespace {

// What a row was priced as: its deployment's base model, at its account's place.
ledger::PricedAs priced_as(const Config& config, const ledger::RequestRow& row) {
  ledger::PricedAs as{.model = row.provider_model, .location = {}};
  for (const Account& account : config.accounts) {
    if (account.name != row.account) continue;
    as.location = account.provider == Provider::bedrock ? account.region : account.location;
  }
  for (const Model& model : config.models) {
    if (model.name != row.model) continue;
    for (const Deployment& deployment : model.deployments) {
      if (deployment.account != row.account || deployment.base_model.empty()) continue;
      const std::string& sent = !deployment.deployment.empty() ? deployment.deployment
                                : !deployment.model.empty()    ? deployment.model
                                                               : model.name;
      if (sent == row.provider_model) as.model = deployment.base_model;
    }
  }
  return as;
}

}  // namespace

Result<DateRange> parse_period(std::string_view from, std::string_view to, std::string_view names) {
  const auto since = parse_moment(std::string(from));
  const auto until = parse_moment(std::string(to));
  if (!since || !until || since->wall_ms >= until->wall_ms) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{}: expected two dates or times such as 2026-11-01, in that order", names));
  }
  return DateRange{.since_ms = since->wall_ms, .until_ms = until->wall_ms};
}

Result<ledger::ExportQuery> export_query(const Config& config, const DateRange& period,
                                         std::string_view format) {
  const auto known = ledger::export_format_of(format);
  if (!known) {
    return fail(ErrorCode::invalid_argument, "format: expected csv, jsonl, focus-1.2 or focus-1.4");
  }
  ledger::ExportQuery query{
      .since_ms = period.since_ms, .until_ms = period.until_ms, .format = *known};
  if (!config.organization.name.empty()) query.organization = config.organization.name;
  if (config.currency) {
    query.currency = config.currency->code;
    for (const CurrencyRate& rate : config.currency->rates) {
      query.currency_rates.emplace_back(rate.valid_from.wall_ms, rate.per_usd.nano());
    }
  }
  return query;
}

Result<ledger::RerateReport> rerate_period(const Config& config, const DateRange& period,
                                           bool dry_run,
                                           std::function<Result<void>(int64_t rows)> progress) {
  WEIR_TRY(const ledger::PriceBook book, price_book(config));
  return ledger::rerate(
      {.data_dir = config.data_dir,
       .since_ms = period.since_ms,
       .until_ms = period.until_ms,
       .dry_run = dry_run,
       .priced_as = [&config](const ledger::RequestRow& row) { return priced_as(config, row); },
       .progress = std::move(progress)},
      book);
}

}  // namespace weir::app
