#include <fmt/format.h>

#include "base/text.h"
#include "gateway/affinity.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;
using provider::Operation;

bool was_tried(const Exchange& x, const provider::Deployment& deployment) {
  for (const AttemptRecord& attempt : x.attempts) {
    if (attempt.deployment == &deployment && !attempt.stale) return true;
  }
  return false;
}

uint32_t attempts_at(const Exchange& x, const Model& model) {
  uint32_t count = 0;
  for (const AttemptRecord& attempt : x.attempts) {
    for (const auto& deployment : model.pool.deployments()) {
      if (deployment.get() == attempt.deployment && !attempt.stale) ++count;
    }
  }
  return count;
}

const Model* next_fallback(const Exchange& x) {
  const std::vector<std::string>& names = x.asked->fallbacks;
  bool passed = x.serving == x.asked;
  for (const std::string& name : names) {
    if (passed) {
      const Model* model = x.snapshot->find_model(name);
      // A fallback is used under the rights of the key, like any other model.
      if (model != nullptr && x.principal->may_use(name)) return model;
    } else if (x.serving->name == name) {
      passed = true;
    }
  }
  return nullptr;
}

// A deployment that was tried may be asked again when its failure allows that and it is not parked
// for longer than a client would wait.
bool may_ask_again(const Exchange& x, const provider::Deployment& deployment) {
  for (const AttemptRecord& attempt : x.attempts) {
    if (attempt.deployment == &deployment && !provider::rule_of(attempt.failure).try_same) {
      return false;
    }
  }
  return provider::parked_until(deployment) <= x.now() + kWaitMax;
}

// Untried deployments first; where none is left, the ones tried before may answer this time.
provider::Pick pick_from(Exchange& x, const Model& model) {
  if (attempts_at(x, model) >= model.retries.attempts) return {};
  const Traffic::Wish wish = wish_of(x, model);
  Traffic& traffic = x.worker.traffic;
  if (const auto pick = traffic.pick(x.worker.random, wish,
                                     [&](const auto& deployment) {
                                       return could_serve(x, deployment) &&
                                              !was_tried(x, deployment);
                                     });
      pick.deployment != nullptr || x.attempts.empty()) {
    return pick;
  }
  return traffic.pick(x.worker.random, wish, [&](const auto& deployment) {
    return could_serve(x, deployment) && may_ask_again(x, deployment);
  });
}

bool refuse_pin(Exchange& x) {
  return refuse(x, ApiErrorType::not_found, 404, "pinned_account_not_allowed",
                fmt::format("\"{}\" belongs to an account that serves no model which this key may "
                            "use here.",
                            x.pinned_by));
}

bool refuse_unknown_model(Exchange& x) {
  std::vector<std::string_view> names;
  for (const Model& model : x.snapshot->models) {
    if (x.principal->may_use(model.name)) names.push_back(model.name);
  }
  std::string hint;
  if (const auto close = nearest(x.model_asked, names)) {
    hint = fmt::format(" Did you mean \"{}\"?", *close);
  }
  return refuse(x, ApiErrorType::not_found, 404, "model_not_found",
                fmt::format("The model \"{}\" does not exist here or this key may not use it.{} "
                            "GET /v1/models lists the models of this key.",
                            x.model_asked.substr(0, 200), hint),
                "model");
}

}  // namespace

bool could_serve(const Exchange& x, const provider::Deployment& deployment) {
  if (x.pinned != nullptr && deployment.account.get() != x.pinned) return false;
  return deployment.weight > 0 &&
         provider::spoken(deployment, x.route.operation, x.route.dialect).has_value();
}

Traffic::Wish wish_of(Exchange& x, const Model& model) {
  if (!x.affinity) {
    // With one deployment there is nothing to choose.
    x.affinity =
        model.pool.deployments().size() > 1 ? affinity_of(x, model.affinity) : AffinityKeys{};
  }
  return {.model = model,
          .generation = x.snapshot->generation,
          .now = x.now(),
          .tokens = static_cast<double>(x.input_estimate + x.output_estimate),
          .work = work_of(x.input_estimate, x.output_estimate),
          .affinity = *x.affinity,
          .who = &x,
          .again = x.place != nullptr,
          .bound = x.pinned != nullptr};
}

provider::Pick plan_beside(Exchange& x) {
  Traffic::Wish wish = wish_of(x, *x.serving);
  wish.affinity = {};  // that is where the first one is
  provider::Pick pick =
      x.worker.traffic.pick(x.worker.random, wish, [&](const provider::Deployment& deployment) {
        return could_serve(x, deployment) && !was_tried(x, deployment) &&
               provider::parked_until(deployment) == Nanoseconds{0};
      });
  if (pick.deployment != nullptr) pick.choice = provider::Choice::hedge;
  return pick;
}

bool accounts_are_full(Exchange& x) {
  const Traffic::Wish wish = wish_of(x, *x.asked);
  for (const auto& deployment : x.asked->pool.deployments()) {
    if (could_serve(x, *deployment) && !x.worker.traffic.account_holds(*deployment, wish))
      return true;
  }
  return false;
}

namespace {

// Until when the limits of all accounts keep a request away: of the account that has room first.
Milliseconds account_wait(Exchange& x) {
  // Nobody knows when a request in flight ends, or how many others wait.
  constexpr Nanoseconds kInFlight{1'000'000'000};
  const Traffic::Wish wish = wish_of(x, *x.asked);
  const auto tokens = static_cast<int64_t>(wish.tokens);
  std::optional<Nanoseconds> soonest;
  for (const auto& deployment : x.asked->pool.deployments()) {
    if (!could_serve(x, *deployment)) continue;
    const provider::AccountState& state = *deployment->account->state;
    const ledger::LimitAnswer of_tokens = state.tokens.ask(tokens, wish.now);
    if (of_tokens.never) continue;
    const bool behind = !state.concurrency.ask().allowed || !state.gate.nobody();
    const Nanoseconds wait = std::max({behind ? kInFlight : Nanoseconds{0}, of_tokens.retry_after,
                                       state.requests.ask(wish.now).retry_after});
    if (!soonest || wait < *soonest) soonest = wait;
  }
  return std::max(std::chrono::ceil<Milliseconds>(soonest.value_or(kInFlight)), Milliseconds{1});
}

}  // namespace

bool refuse_full_accounts(Exchange& x) {
  x.retry_after = account_wait(x);
  return refuse(x, ApiErrorType::rate_limit, 429, std::string(kAccountFull),
                fmt::format("The limits configured for the accounts of the model \"{}\" are "
                            "reached.",
                            x.asked->name));
}

bool resolve_model(Exchange& x) {
  // A header may say a model where the body cannot; an id that is pinned says more.
  const bool by_pin = x.pinned != nullptr && !x.model_named;
  if ((x.model_asked.empty() || by_pin) && x.route.operation == Operation::passthrough) {
    // Nothing in a request for /files or /batches names a model: the first one that this key may
    // use and whose provider has the endpoint decides the account.
    for (const Model& model : x.snapshot->models) {
      if (!x.principal->may_use(model.name)) continue;
      for (const auto& deployment : model.pool.deployments()) {
        if (could_serve(x, *deployment)) {
          x.asked = x.serving = &model;
          return true;
        }
      }
    }
    if (x.pinned != nullptr) return refuse_pin(x);
    return refuse(x, ApiErrorType::not_found, 404, "no_account_for_endpoint",
                  "No configured account serves this endpoint. Name a model by the x-weir-model "
                  "header, or add an account of a provider that has it.");
  }
  if (x.model_asked.empty()) {
    return refuse(x, ApiErrorType::invalid_request, 400, "missing_model",
                  "model: expected the name of a model.", "model");
  }
  const Model* model = x.snapshot->find_model(x.model_asked);
  if (model == nullptr || !x.principal->may_use(x.model_asked)) return refuse_unknown_model(x);
  x.asked = x.serving = model;
  x.worker.retry_budget(model->slot).earn(model->retries.budget);
  return true;
}

provider::Pick plan_next(Exchange& x) {
  const Model* const before = x.serving;
  provider::Pick parked;
  const Model* parked_model = nullptr;
  while (true) {
    const provider::Pick pick = pick_from(x, *x.serving);
    if (pick.deployment != nullptr && pick.choice != provider::Choice::least_parked) {
      if (x.serving != before) ++x.worker.counters.model(x.asked->slot).fallbacks;
      return pick;
    }
    // Everything here is parked: a fallback that is well comes first, but nothing beats an attempt.
    if (pick.deployment != nullptr && parked.deployment == nullptr) {
      parked = pick;
      parked_model = x.serving;
    }
    const Model* fallback = next_fallback(x);
    if (fallback == nullptr) {
      if (parked_model != nullptr) x.serving = parked_model;
      if (x.serving != before) ++x.worker.counters.model(x.asked->slot).fallbacks;
      return parked;
    }
    x.serving = fallback;
  }
}

bool may_try_again(Exchange& x, provider::FailureClass failure) {
  const provider::FailureRule& rule = provider::rule_of(failure);
  if (x.client_gone) return false;
  // Nothing was sent, so nothing is sent again: another deployment may be able to be told.
  if (x.attempts.back().refused_here) return true;
  if (!rule.try_another && !rule.try_same) return false;
  // What was streamed to the first deployment cannot be sent again.
  if (x.body_spent) return false;
  if (x.now() - x.started >= x.asked->timeouts.total) return false;
  // The batch may have been made: a second one would be billed as well.
  if (x.batch_row != 0 && x.attempts.back().status < 400 &&
      failure != provider::FailureClass::connect && failure != provider::FailureClass::tls &&
      failure != provider::FailureClass::local) {
    return false;
  }
  if (x.attempts.back().stale) return true;
  ModelCounters& counters = x.worker.counters.model(x.asked->slot);
  if (!x.worker.retry_budget(x.asked->slot).spend()) {
    ++counters.retries_refused;
    return false;
  }
  ++counters.retries;
  return true;
}

}  // namespace weir::gateway
