#include <algorithm>
#include <utility>

#include "gateway/pins.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using ledger::Cost;
using ledger::CostState;
using provider::FailureClass;
using provider::Operation;

// UTF-8 bytes of generated text a token, over English prose and code.
constexpr int64_t kBytesPerToken = 4;

bool is_timeout_of_a_whole_answer(const Exchange& x, const AttemptRecord& attempt) {
  return attempt.failure == FailureClass::timeout && !x.stream;
}

// Whether the provider will bill this attempt: it began to answer, or had the whole request and was
// given up on. What it refused or broke before it had generated anything costs nothing.
bool is_billed(const Exchange& x, const AttemptRecord& attempt) {
  if (attempt.status == 101) return true;
  if (attempt.status == 0) {
    return attempt.sent &&
           (attempt.failure == FailureClass::cancelled || is_timeout_of_a_whole_answer(x, attempt));
  }
  if (attempt.status < 200 || attempt.status > 299) return false;
  switch (attempt.failure) {
    case FailureClass::none:
    case FailureClass::timeout:
    case FailureClass::reset:
    case FailureClass::truncated:
    case FailureClass::protocol:
    case FailureClass::cancelled:
      return true;
    default:
      return x.generated_bytes > 0 || x.usage.total_output() > 0;
  }
}

// Endpoints whose price is only known where their answers tell it.
bool tells_or_is_unpriced(const Exchange& x) {
  return x.route.operation == Operation::passthrough || x.route.operation == Operation::rerank;
}

// What is billed when the provider never said: the client left, the stream broke, or the server
// does not report. Marked as an estimate by Usage::reported being false.
void estimate_usage(Exchange& x) {
  if (x.usage.reported || tells_or_is_unpriced(x)) return;
  if (x.usage.total_input() == 0) x.usage.input = x.input_estimate;
  // A stream that broke off may have told the count of its beginning.
  const int64_t generated = (x.generated_bytes + kBytesPerToken - 1) / kBytesPerToken;
  if (x.usage.total_output() < generated) {
    x.usage.output += generated - x.usage.total_output();
  }
}

// Nobody will know what it used. Where it broke off and a budget holds something for it, all of
// that counts, as of a call that a killed process left; else it is unpriced.
Cost what_is_held(const Exchange& x, const AttemptRecord& attempt) {
  Cost cost;
  const bool broken = x.client_gone || attempt.failure != FailureClass::none;
  if (!broken || wants_upgrade(x) || x.admission.reserved() == Money{}) return cost;
  cost.total = cost.list = worst_cost(x);
  if (cost.total > Money{}) cost.state = CostState::estimated;
  return cost;
}

Cost attempt_cost(const Exchange& x, const AttemptRecord& attempt) {
  Cost nothing;
  nothing.state = CostState::final;
  if (!is_billed(x, attempt)) return nothing;
  // Counting tokens is free with every provider.
  if (x.route.operation == Operation::count_tokens || !makes_something(x)) return nothing;
  // What a relayed endpoint costs is only known where its answer tells usage, of a model that the
  // request named: the provider's default for it may be any. A realtime session that was cut told
  // a part of it.
  const bool told = x.usage.reported || x.usage.tool_calls > 0 ||
                    x.usage.total_input() + x.usage.total_output() > 0;
  if (tells_or_is_unpriced(x) && !(told && x.model_named)) return what_is_held(x, attempt);
  const provider::Deployment& deployment = *attempt.deployment;
  const ledger::PriceBook& prices = x.snapshot->prices;
  const ledger::PriceQuery query{.provider = provider::to_string(deployment.account->kind),
                                 .model = deployment.base_model,
                                 .service_tier = x.usage.service_tier,
                                 .location = deployment.account->location,
                                 .account = deployment.account->name,
                                 .wall_ms = x.start_ms};
  const ledger::PriceRow* row = x.worker.prices.find(prices, query, deployment.slot);
  return row == nullptr ? Cost{} : ledger::cost(x.usage, *row, prices.factors(query));
}

void add(Cost& sum, const Cost& more) {
  sum.total += more.total;
  sum.list += more.list;
  for (size_t i = 0; i < sum.parts.size(); ++i) sum.parts[i] += more.parts[i];
  sum.tool_calls += more.tool_calls;
  sum.state = std::max(sum.state, more.state);
  sum.unpriced_classes |= more.unpriced_classes;
  if (more.row == nullptr) return;
  sum.row = more.row;
  sum.rates = more.rates;
  sum.factors = more.factors;
}

}  // namespace

bool makes_something(const Exchange& x) {
  if (x.route.operation != Operation::passthrough) return true;
  if (x.route.rest == "/realtime") return true;
  // What a batch costs is known when it has ended (batches.cc); to keep files costs nothing here.
  if (x.client.head().method != "POST") return false;
  if (x.route.endpoint.starts_with("/responses/")) return !x.route.rest.ends_with("/cancel");
  return !keeps_state(x);
}

void close_attempt(Exchange& x) {
  if (x.attempts.empty() || x.attempts.back().closed) return;
  AttemptRecord& attempt = x.attempts.back();
  attempt.closed = true;
  if (is_billed(x, attempt)) {
    estimate_usage(x);
  } else {
    x.usage = {};
  }
  attempt.cost = attempt_cost(x, attempt);
  attempt.usage = x.usage;
}

void close_beside(Exchange& x, AttemptRecord& attempt) {
  const dialect::Usage usage = std::exchange(x.usage, {});
  const int64_t generated = std::exchange(x.generated_bytes, 0);
  attempt.closed = true;
  if (is_billed(x, attempt)) estimate_usage(x);
  attempt.cost = attempt_cost(x, attempt);
  attempt.usage = x.usage;
  x.usage = usage;
  x.generated_bytes = generated;
}

ledger::Cost price(const Exchange& x) {
  Cost sum;
  sum.state = CostState::final;
  for (const AttemptRecord& attempt : x.attempts) {
    add(sum, attempt.closed ? attempt.cost : attempt_cost(x, attempt));
  }
  return sum;
}

}  // namespace weir::gateway
