#include <fmt/format.h>

#include <algorithm>

#include "base/date.h"
#include "gateway/estimate.h"
#include "gateway/stages.h"
#include "ledger/cost.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;

// A token is at least one byte of text; the estimate takes four.
constexpr int64_t kTokensPerEstimated = 4;

// Uploads are audio and pictures. Speech at 6 kbit/s, of which a model makes ten tokens a second,
// is 75 bytes a token; all else is more.
constexpr uint64_t kUploadBytesPerToken = 64;

// How long one answer may be where the request does not say.
int64_t longest_answer(const Model& model) {
  return model.max_output > 0 ? model.max_output : kOutputUnlimited;
}

struct Worst {
  int64_t input = 0;
  int64_t output = 0;             // as limited by the request
  int64_t unlimited_outputs = 0;  // answers that it does not limit
};

void take_dearest(const Exchange& x, const Model& model, const Worst& worst, Money& dearest) {
  const int64_t input = worst.input;
  const int64_t output = worst.output + worst.unlimited_outputs * longest_answer(model);
  const std::string tier(x.body_is_json ? x.document.root()["service_tier"].string_or("") : "");
  for (const auto& deployment : model.pool.deployments()) {
    if (deployment->weight == 0) continue;
    ledger::PriceQuery query{.provider = provider::to_string(deployment->account->kind),
                             .model = deployment->base_model,
                             .location = deployment->account->location,
                             .account = deployment->account->name,
                             .wall_ms = x.start_ms};
    const ledger::PriceBook& prices = x.snapshot->prices;
    const ledger::PriceFactors factors = prices.factors(query);
    dearest = std::max(dearest, ledger::estimate(prices.find(query), input, output, factors));
    if (tier.empty()) continue;
    query.service_tier = tier;
    dearest = std::max(dearest, ledger::estimate(prices.find(query), input, output, factors));
  }
}

bool has_limits(const ledger::LimitCells* cells) {
  return cells != nullptr && (cells->requests.limit() > 0 || cells->tokens.limit() > 0 ||
                              cells->concurrency.limit() > 0);
}

bool has_budget(const ledger::LimitCells* cells) {
  return cells != nullptr && cells->budgets.enforced();
}

// "It starts anew at ...", or why waiting does not help.
std::string budget_hope(const ledger::BudgetAnswer& budget) {
  if (budget.in_flight) return "What is left is held by requests under way.";
  if (budget.resets_at_ms == 0) return "Whoever runs Weir can raise it.";
  return fmt::format("There is room again at {}; whoever runs Weir can raise it.",
                     rfc3339(budget.resets_at_ms));
}

}  // namespace

// What an attempt may cost at most: the dearest of all deployments that may come to serve it, all
// of the text as single-byte tokens, an answer as long as the request allows.
Money worst_cost(const Exchange& x) {
  if (x.asked == nullptr || !makes_something(x)) return {};
  Worst worst{.input = x.input_estimate * kTokensPerEstimated};
  if (x.body_is_json && x.output_estimate > 0) {
    const json::Value root = x.document.root();
    const int64_t answers = answers_asked(root);
    const bool limited = limits_output(root);
    (limited ? worst.output : worst.unlimited_outputs) =
        answers * (limited ? x.output_estimate : 1);
  }
  // These take tokens by number, too: two bytes of JSON each at the least.
  if (x.route.operation == provider::Operation::embed || x.route.endpoint == "/completions") {
    worst.input = std::max(worst.input, static_cast<int64_t>(x.body.size()));
  }
  if (wants_upgrade(x)) {
    worst.unlimited_outputs = 1;
  } else if (!x.body_is_json && x.client.head().method == "POST") {
    const uint64_t bytes = std::max<uint64_t>(x.client.content_length().value_or(0), x.body.size());
    worst.input = std::max(worst.input, static_cast<int64_t>(bytes / kUploadBytesPerToken));
    worst.unlimited_outputs = 1;
  }
  Money dearest;
  take_dearest(x, *x.asked, worst, dearest);
  for (const std::string& fallback : x.asked->fallbacks) {
    const Model* model = x.snapshot->find_model(fallback);
    if (model != nullptr) take_dearest(x, *model, worst, dearest);
  }
  return dearest;
}

bool cover_next_attempt(Exchange& x) {
  if (x.attempts.empty() || x.admission.reserved() == Money{}) return true;
  close_attempt(x);
  Money billed;
  for (const AttemptRecord& attempt : x.attempts) billed += attempt.cost.total;
  return x.admission.raise(billed + worst_cost(x));
}

bool cover_attempt_beside(Exchange& x) {
  const Money held = x.admission.reserved();
  return held == Money{} || x.admission.raise(held + worst_cost(x));
}

bool admit(Exchange& x) {
  const access::Principal& who = *x.principal;
  const auto subjects = who.payers();
  const bool budgeted = std::any_of(subjects.begin(), subjects.end(),
                                    [](const auto& cells) { return has_budget(cells.get()); });
  x.limited = std::any_of(subjects.begin(), subjects.end(),
                          [](const auto& cells) { return has_limits(cells.get()); });
  const ledger::AdmitRequest wanted{.tokens = x.input_estimate + x.output_estimate,
                                    .cost = budgeted ? worst_cost(x) : Money{},
                                    .now = x.now(),
                                    .wall_ms = x.start_ms};
  x.admission = ledger::admit(subjects, wanted, x.limits);
  if (x.limits.allowed()) return true;

  ++x.worker.counters.refused_limits;
  if (x.limits.retry_after) {
    x.retry_after = std::chrono::ceil<Milliseconds>(*x.limits.retry_after);
  }
  const std::string_view whose = access::Principal::kPayers[x.limits.subject];
  switch (x.limits.denial) {
    case ledger::Denial::budget:
      return refuse(x, ApiErrorType::quota, 429, "budget_exceeded",
                    fmt::format("The budget of {} ({} USD per {}) does not cover this request: "
                                "{} USD are spent. {}",
                                whose, x.limits.budget.rule.limit.to_usd(),
                                ledger::window_text(x.limits.budget.rule),
                                x.limits.budget.spent.to_usd(), budget_hope(x.limits.budget)));
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
