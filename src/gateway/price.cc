#include <algorithm>

#include "gateway/stages.h"

namespace weir::gateway {

using provider::Operation;

bool reached_provider(const Exchange& x) {
  return std::any_of(x.attempts.begin(), x.attempts.end(), [](const AttemptRecord& attempt) {
    return attempt.status >= 200 && attempt.status < 300;
  });
}

bool makes_something(const Exchange& x) {
  if (x.route.operation != Operation::passthrough) return true;
  if (x.route.rest == "/realtime") return true;
  if (x.client.head().method != "POST") return false;
  return x.route.dialect != dialect::Dialect::openai_responses ||
         !x.route.rest.ends_with("/cancel");
}

ledger::Cost price(const Exchange& x) {
  ledger::Cost nothing;
  nothing.state = ledger::CostState::final;
  // No provider answered, so nothing is owed; counting tokens is free with every provider.
  if (x.deployment == nullptr || !reached_provider(x)) return nothing;
  if (x.route.operation == Operation::count_tokens || !makes_something(x)) return nothing;
  // What a relayed endpoint costs is only known where its answer tells usage.
  if (x.route.operation == Operation::passthrough && !x.usage.reported) return {};
  return ledger::cost(x.usage, x.snapshot->prices,
                      {.provider = provider::to_string(x.deployment->account->kind),
                       .model = x.deployment->base_model,
                       .location = x.deployment->account->location,
                       .wall_ms = x.start_ms});
}

}  // namespace weir::gateway
