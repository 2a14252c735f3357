#include <fmt/format.h>

#include <array>

#include "gateway/stages.h"
#include "ledger/cost.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;

// What the call may cost at most, by the price of the deployment that gets most of the traffic.
Money reserve_cost(const Exchange& x) {
  const provider::Deployment* likely = nullptr;
  for (const auto& deployment : x.asked->pool.deployments()) {
    if (likely == nullptr || deployment->weight > likely->weight) likely = deployment.get();
  }
  if (likely == nullptr) return {};
  const ledger::PriceRow* row =
      x.snapshot->prices.find({.provider = provider::to_string(likely->account->kind),
                               .model = likely->base_model,
                               .location = likely->account->location,
                               .wall_ms = x.start_ms});
  return ledger::estimate(row, x.input_estimate, x.output_estimate);
}

bool has_limits(const ledger::LimitCells* cells) {
  return cells != nullptr && (cells->requests.limit() > 0 || cells->tokens.limit() > 0 ||
                              cells->concurrency.limit() > 0);
}

bool has_budget(const ledger::LimitCells* cells) {
  return cells != nullptr && (cells->day.limit().nano() > 0 || cells->month.limit().nano() > 0);
}

}  // namespace

bool admit(Exchange& x) {
  const access::Principal& who = *x.principal;
  const std::array<std::shared_ptr<ledger::LimitCells>, 2> subjects = {who.key_limits,
                                                                       who.team_limits};
  const bool budgeted = has_budget(who.key_limits.get()) || has_budget(who.team_limits.get());
  x.limited = has_limits(who.key_limits.get()) || has_limits(who.team_limits.get());
  const ledger::AdmitRequest wanted{.tokens = x.input_estimate + x.output_estimate,
                                    .cost = budgeted && x.asked ? reserve_cost(x) : Money{},
                                    .now = x.now(),
                                    .wall_ms = x.start_ms};
  x.admission = ledger::admit(subjects, wanted, x.limits);
  if (x.limits.allowed()) return true;

  ++x.worker.counters.refused_limits;
  if (x.limits.retry_after) {
    x.retry_after = std::chrono::ceil<Milliseconds>(*x.limits.retry_after);
  }
  const std::string_view whose = x.limits.subject == 0 ? "this key" : "this key's team";
  switch (x.limits.denial) {
    case ledger::Denial::budget:
      return refuse(x, ApiErrorType::quota, 429, "budget_exceeded",
                    fmt::format("The budget of {} is spent: {} of {} USD. It starts anew at "
                                "{} (Unix ms); whoever runs Weir can raise it.",
                                whose, x.limits.budget.spent.to_usd(),
                                x.limits.budget.limit.to_usd(), x.limits.budget.resets_at_ms));
    case ledger::Denial::concurrency:
      return refuse(x, ApiErrorType::rate_limit, 429, "concurrency_limit_exceeded",
                    fmt::format("Too many requests at once for {}: the limit is {}.", whose,
                                x.limits.concurrency.limit));
    case ledger::Denial::tokens:
      return refuse(x, ApiErrorType::rate_limit, 429, "token_limit_exceeded",
                    fmt::format("The token limit of {} is reached: {} per minute; this request "
                                "needs about {}.",
                                whose, x.limits.tokens.limit, wanted.tokens));
    case ledger::Denial::requests:
    case ledger::Denial::none:
      break;
  }
  return refuse(x, ApiErrorType::rate_limit, 429, "rate_limit_exceeded",
                fmt::format("The request limit of {} is reached: {} per minute.", whose,
                            x.limits.requests.limit));
}

}  // namespace weir::gateway
