#include "app/work/reconcile_work.h"

#include <fmt/format.h>

#include <algorithm>

#include "admin/drift_json.h"
#include "app/config/values.h"
#include "base/clock.h"
#include "reconcile/account.h"
#include "store/day.h"

namespace weir::app {

Result<reconcile::ReadOptions> read_options(const Config& config, std::string_view source,
                                            std::string_view provider) {
  const auto known = reconcile::source_of(source);
  if (!known) {
    return fail(ErrorCode::invalid_argument,
                "source: expected openai, anthropic, azure, gcp or focus");
  }
  reconcile::ReadOptions options{.source = *known, .provider = std::string(provider)};
  if (source == "azure") options.provider = "azure_openai";
  if (config.currency && !config.currency->rates.empty()) {
    options.nano_per_usd[config.currency->code] = config.currency->rates.back().per_usd.nano();
  }
  return options;
}

Result<std::optional<int64_t>> parse_day_of(std::string_view text, std::string_view name) {
  if (text.empty()) return std::optional<int64_t>();
  const auto moment = parse_moment(text);
  if (!moment) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: expected a day such as 2026-11-01", name));
  }
  return std::optional(store::day_of(moment->wall_ms));
}

reconcile::DriftQuery drift_query(const reconcile::Statement& statement,
                                  const ReconcileDays& days) {
  int64_t first = 0;
  int64_t last = -1;
  for (const reconcile::Line& line : statement.lines) {
    if (last < first || line.day < first) first = line.day;
    last = std::max(last, line.day);
  }
  return {.from_day = days.from.value_or(first),
          .to_day = days.to.value_or(last + 1),
          .today = days.today.value_or(store::day_of(SystemClock().wall_ms()))};
}

Result<reconcile::Reconciliation> reconcile_with_ledger(const Config& config,
                                                        const reconcile::Statement& statement,
                                                        const reconcile::DriftQuery& query) {
  WEIR_TRY(const std::vector<reconcile::Line> account,
           reconcile::account_of(config.data_dir, query.from_day, query.to_day));
  return reconcile::reconcile(account, statement, query);
}

bool has_drift(const reconcile::Reconciliation& result) {
  return std::ranges::any_of(result.sums,
                             [](const auto& sum) { return reconcile::is_drift(sum.first); });
}

void write_sums(json::Writer& w, const reconcile::Reconciliation& result) {
  w.member("ledger_cost_usd", result.ledger_cost.to_usd())
      .member("provider_cost_usd", result.provider_cost.to_usd());
  w.key("sums").begin_array();
  for (const auto& [kind, part] : result.sums) admin::write_part(w, part);
  w.end_array();
}

void write_left_out(json::Writer& w, const reconcile::Statement& statement) {
  w.key("left_out").begin_object();
  for (const auto& [why, count] : statement.left_out) w.member(why, count);
  w.end_object();
}

std::string reconciliation_json(const reconcile::Reconciliation& result,
                                const reconcile::Statement& statement) {
  std::string text;
  json::Writer w(text);
  w.begin_object();
  write_sums(w, result);
  write_left_out(w, statement);
  w.key("days").begin_array();
  for (const reconcile::Drift& drift : result.drifts) {
    w.begin_object();
    admin::write_drift(w, drift);
    w.end_object();
  }
  w.end_array().end_object();
  return text;
}

}  // namespace weir::app
