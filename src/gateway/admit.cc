#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/date.h"
#include "base/utf8.h"
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

// How long one answer may be where the request does not say: as the configuration has it, else as
// the price book knows it.
int64_t longest_answer(const Model& model, const ledger::PriceBook& prices,
                       const ledger::PriceQuery& query) {
  if (model.max_output > 0) return model.max_output;
  return prices.max_output(query).value_or(kOutputUnlimited);
}

struct Worst {
  int64_t input = 0;
  int64_t output = 0;             // as limited by the request
  int64_t unlimited_outputs = 0;  // answers that it does not limit
  int64_t tool_uses = 0;          // of the provider's own tools
};

void take_dearest(const Exchange& x, const Model& model, const Worst& worst, Money& dearest) {
  const int64_t input = worst.input;
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
    int64_t output = worst.output;
    if (worst.unlimited_outputs > 0) {
      output += worst.unlimited_outputs * longest_answer(model, prices, query);
    }
    dearest =
        std::max(dearest, ledger::estimate(x.worker.prices.find(prices, query, deployment->slot),
                                           input, output, factors, worst.tool_uses));
    if (tier.empty()) continue;
    query.service_tier = tier;
    dearest = std::max(
        dearest, ledger::estimate(prices.find(query), input, output, factors, worst.tool_uses));
  }
}

// Everyone whose limits hold for a request, and how a client is told of them.
struct Subjects {
  enum class Part : uint8_t { all, model, user };
  std::array<ledger::Subject, ledger::Admission::kSubjectsMax> list;
  std::array<Part, ledger::Admission::kSubjectsMax> parts{};
  std::array<uint8_t, ledger::Admission::kSubjectsMax> payers{};
  size_t count = 0;

  void add(ledger::Subject subject, uint8_t payer, Part part) {
    if (subject.rates == nullptr) return;
    list[count] = std::move(subject);
    parts[count] = part;
    payers[count++] = payer;
  }
  std::span<const ledger::Subject> all() const { return {list.data(), count}; }
};

// What a client is told that is refused while others wait.
constexpr Milliseconds kBehindOthers{1'000};

constexpr uint8_t kEverybody = access::Principal::kPayers.size();

// A request that names no model (files, batches) counts for none, although one led to its account.
bool names_model(const Exchange& x) {
  return x.asked != nullptr && x.model_asked == x.asked->name;
}

Subjects subjects_of(const Exchange& x) {
  using Part = Subjects::Part;
  const access::Principal& who = *x.principal;
  Subjects subjects;
  uint8_t payer = 0;
  for (ledger::Subject& subject : who.payers()) {
    subjects.add(std::move(subject), payer, Part::all);
    const ledger::PartLimits* parts = who.parts[payer].get();
    if (parts != nullptr) {
      const auto* of_model = names_model(x) ? parts->of_model(x.asked->name) : nullptr;
      if (of_model != nullptr) subjects.add(of_model->cells, payer, Part::model);
      if (parts->limits_users && x.snapshot->users != nullptr) {
        subjects.add(ledger::Subject(x.snapshot->users->cells_of(parts->subject, x.user,
                                                                 parts->users, x.now())),
                     payer, Part::user);
      }
    }
    ++payer;
  }
  if (names_model(x)) subjects.add(x.asked->limits, kEverybody, Part::model);
  return subjects;
}

std::string whose_text(const Exchange& x, const Subjects& subjects, size_t denied) {
  const uint8_t payer = subjects.payers[denied];
  if (payer == kEverybody) return fmt::format("the model \"{}\"", x.asked->name);
  const std::string_view name = access::Principal::kPayers[payer];
  switch (subjects.parts[denied]) {
    case Subjects::Part::all:
      break;
    case Subjects::Part::model:
      return fmt::format("{} for the model \"{}\"", name, x.asked->name);
    case Subjects::Part::user:
      return x.user.empty()
                 ? fmt::format("{} for all requests without a user", name)
                 : fmt::format("{} for the user \"{}\"", name, utf8_truncate(x.user, 100));
  }
  return std::string(name);
}

// What is refused for a time in which the queue would not serve it anyway is told at once; but
// where tokens are short, small requests would take what a large one waits for.
bool may_wait(const Exchange& x, const Subjects& subjects) {
  if (subjects.payers[x.limits.subject] != kEverybody || !x.limits.retry_after) return false;
  return x.limits.denial == ledger::Denial::tokens ||
         *x.limits.retry_after <= x.snapshot->queue.wait;
}

bool has_limits(const ledger::Subject& subject) {
  return subject.rates->requests.limit() > 0 || subject.rates->tokens.limit() > 0 ||
         subject.rates->concurrency.limit() > 0;
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
    worst.tool_uses = answers * tool_uses_asked(root);
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
  x.model_full = false;
  if (names_model(x) && x.asked->limits != nullptr && goes_behind(x, x.asked->limits->gate)) {
    x.model_full = true;
    x.retry_after = kBehindOthers;
    return refuse(x, ApiErrorType::rate_limit, 429, "model_limit_reached",
                  fmt::format("The limits of the model \"{}\" are reached, and other requests "
                              "wait for it.",
                              x.asked->name));
  }
  const Subjects subjects = subjects_of(x);
  bool budgeted = false;
  x.limited = false;
  for (const ledger::Subject& subject : subjects.all()) {
    budgeted = budgeted || (subject.budgets != nullptr && subject.budgets->enforced());
    x.limited = x.limited || has_limits(subject);
  }
  const ledger::AdmitRequest wanted{.tokens = x.input_estimate + x.output_estimate,
                                    .cost = budgeted ? worst_cost(x) : Money{},
                                    .now = x.now(),
                                    .wall_ms = x.start_ms};
  x.admission = ledger::admit(subjects.all(), wanted, x.limits);
  if (x.limits.allowed()) return true;

  // Who waits is counted when the wait was in vain.
  x.model_full = may_wait(x, subjects);
  if (!x.model_full) ++x.worker.counters.refused_limits;
  if (x.limits.retry_after) {
    x.retry_after = std::chrono::ceil<Milliseconds>(*x.limits.retry_after);
  }
  const std::string whose = whose_text(x, subjects, x.limits.subject);
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
