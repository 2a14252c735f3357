#include <fmt/format.h>

#include "gateway/batches.h"
#include "gateway/drain.h"
#include "gateway/pins.h"
#include "gateway/queue.h"
#include "gateway/recall.h"
#include "gateway/references.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;
using provider::FailureClass;
using provider::Operation;

constexpr Milliseconds kBackOffFirst{100};

}  // namespace

void accept(Exchange& x) {
  const net::Loop& loop = x.worker.loop;
  x.started = loop.now();
  x.start_ms = loop.clock().wall_ms();
  x.id = x.worker.ids.make(x.start_ms);
  x.id_text = "req_" + x.id.to_text();
  x.route = route_of(x.client.head());
}

namespace {

bool answered_without_model(const Exchange& x) {
  return x.route.kind != RouteKind::model_call;
}

net::Task<void> answer_here(Exchange& x) {
  switch (x.route.kind) {
    case RouteKind::health:
      co_return co_await answer_json(x, R"({"status":"ok"})");
    case RouteKind::ready: {
      const bool ready = !x.worker.draining;
      // A store that fails stops no request: a load balancer that took this one out would lose
      // capacity and nothing would be better elsewhere.
      const bool degraded = !x.worker.log.store_works();
      co_return co_await answer_json(x,
                                     !ready     ? R"({"status":"not ready"})"
                                     : degraded ? R"({"status":"ready","degraded":["ledger"]})"
                                                : R"({"status":"ready"})",
                                     ready ? 200 : 503);
    }
    case RouteKind::list_models:
    case RouteKind::get_model:
      if (!authenticate(x)) break;
      co_return co_await answer_models(x);
    case RouteKind::method_not_allowed:
      refuse(x, ApiErrorType::invalid_request, 405, "method_not_allowed",
             fmt::format("{} is not a method of {}.", x.client.head().method.substr(0, 20),
                         x.client.head().path.substr(0, 200)));
      break;
    case RouteKind::unknown:
    case RouteKind::model_call:
      refuse(x, ApiErrorType::not_found, 404, "unknown_endpoint",
             fmt::format("Weir has no endpoint {}. OpenAI clients use .../v1, Anthropic clients "
                         "the address alone, Gemini clients .../v1beta.",
                         x.client.head().path.substr(0, 200)));
      break;
  }
  co_await answer_error(x);
}

// Before the same deployment is asked again there is a pause, at least until its own Retry-After
// and its parking are over; another one is asked at once.
Milliseconds pause_before(const Exchange& x, const provider::Deployment& next) {
  uint32_t times = 0;
  Nanoseconds until = provider::parked_until(next);
  for (const AttemptRecord& attempt : x.attempts) {
    if (attempt.deployment != &next || attempt.stale) continue;
    ++times;
    if (attempt.retry_after) until = std::max(until, attempt.ended + *attempt.retry_after);
  }
  if (times == 0) return Milliseconds{0};
  return std::max(kBackOffFirst * (int64_t{1} << std::min(times - 1, 4U)),
                  std::chrono::ceil<Milliseconds>(until - x.now()));
}

// A pick that no attempt is made of.
void drop(const provider::Pick& pick) {
  if (pick.choice == provider::Choice::trial) provider::abandon_trial(*pick.deployment);
}

void nothing_to_try(Exchange& x) {
  if (x.error) return;
  if (accounts_are_full(x)) {
    refuse_full_accounts(x);
    return;
  }
  if (x.pinned != nullptr) {
    refuse(x, ApiErrorType::invalid_request, 400, "pinned_elsewhere",
           fmt::format("The request refers to \"{}\", which is known to the account {} alone, and "
                       "the model \"{}\" is not served there. Leave it out, or ask a model of that "
                       "account.",
                       x.pinned_by, x.pinned->name, x.asked->name));
    return;
  }
  if (x.worker.traffic.all_drained(*x.asked)) {
    refuse(x, ApiErrorType::unavailable, 503, "deployments_drained",
           fmt::format("An operator has drained every deployment of the model \"{}\".",
                       x.asked->name));
    return;
  }
  refuse(x, ApiErrorType::invalid_request, 400, "unsupported_operation",
         fmt::format("No deployment of the model \"{}\" serves {}: its providers do not have this "
                     "endpoint.",
                     x.asked->name, x.route.endpoint));
}

// The row of a request that is about to be sent, as the journal keeps it: should this process be
// killed, nobody will know what the call used, and all that was reserved counts as spent.
ledger::RowView row_if_killed(const Exchange& x, const provider::Deployment& next) {
  ledger::RowView row;
  row.id = x.id;
  row.start_ms = x.start_ms;
  row.journal_slot = x.journal_slot;
  row.key_id = x.principal->key_id;
  row.team = x.principal->team;
  row.project = x.principal->project;
  row.user = std::string_view(x.user).substr(0, 256);
  row.dialect = dialect::to_string(x.route.dialect);
  row.endpoint = x.route.endpoint;
  row.model_asked = std::string_view(x.model_asked).substr(0, 256);
  if (x.serving != nullptr) row.model = x.serving->name;
  row.deployment = next.name;
  row.account = next.account->name;
  row.provider = provider::to_string(next.account->kind);
  row.provider_model = next.model;
  // A session that goes on is noted again; all others are about to begin.
  row.attempts = static_cast<uint32_t>(x.attempts.size() + (x.status == 101 ? 0 : 1));
  row.outcome = ledger::Outcome::aborted;
  row.error_code = "weir_killed";
  row.streamed = x.stream;
  row.usage.input = x.input_estimate;
  row.cost = x.admission.reserved();
  row.list_cost = row.cost;
  row.cost_state = row.cost == Money{} ? ledger::CostState::unpriced : ledger::CostState::estimated;
  row.config_generation = static_cast<int64_t>(x.snapshot->generation);
  row.bytes_in = x.bytes_in;
  return row;
}

// Another worker's request was faster: nothing was sent, and there may be room again soon.
bool account_was_taken(Exchange& x) {
  if (!x.attempts.back().refused_here || !x.error || x.error->code != kAccountFull) return false;
  x.attempts.pop_back();
  x.deployment = nullptr;
  x.error.reset();
  return true;
}

// Attempts until one is answered or no further one is allowed. True when the client has its
// answer.
net::Task<bool> try_deployments(Exchange& x) {
  std::unique_ptr<WaitQueue::Place> place;
  while (true) {
    const provider::Pick pick = plan_next(x);
    if (pick.deployment == nullptr) {
      if (co_await wait_for_account(x, place)) continue;
      if (x.client_gone) co_return true;
      nothing_to_try(x);
      co_return false;
    }
    const Milliseconds pause = pause_before(x, *pick.deployment);
    if (pause > kWaitMax) {
      drop(pick);
      co_return false;
    }
    if (pause.count() > 0) {
      co_await net::sleep(x.worker.loop, pause);
      if (x.client_gone) {
        drop(pick);
        co_return true;
      }
    }
    co_await announce_batch(x, *pick.deployment);
    note_attempt(x, *pick.deployment);
    const Answered answered = co_await attempt(x, pick);
    if (x.attempts.back().status >= 400) withdraw_batch(x);
    if (answered == Answered::yes) co_return true;
    if (account_was_taken(x)) continue;
    if (!may_try_again(x, x.attempts.back().failure) || !cover_next_attempt(x)) co_return false;
  }
}

bool provider_counts_tokens(const Exchange& x) {
  for (const auto& deployment : x.asked->pool.deployments()) {
    if (provider::provider_of(deployment->account->kind)
            .dialect(*deployment, x.route.operation, x.route.dialect)) {
      return true;
    }
  }
  return false;
}

// A count that its provider could not give is estimated; one that it refused is refused.
bool may_estimate(Exchange& x) {
  if (x.route.operation != Operation::count_tokens || x.attempts.empty()) return false;
  if (x.attempts.back().failure == FailureClass::invalid) return false;
  x.error.reset();
  x.foreign_error.reset();
  return true;
}

net::Task<void> walk(Exchange& x) {
  if (!authenticate(x) || !co_await read(x) || !take_pin(x)) co_return co_await answer_error(x);
  if (x.route.endpoint == "/responses/*" && co_await answer_kept_response(x)) co_return;
  if ((may_continue(x) && !co_await recall(x)) || (may_refer(x) && !co_await fill_references(x)) ||
      !resolve_model(x) || !admit_batch(x) || (!admit(x) && !co_await wait_for_model(x))) {
    if (x.client_gone) co_return;
    co_return co_await answer_error(x);
  }
  x.error.reset();
  x.retry_after.reset();
  if (x.route.operation == Operation::count_tokens && !provider_counts_tokens(x)) {
    co_return co_await answer_token_estimate(x);
  }
  x.client.on_client_gone([&x] {
    x.client_gone = true;
    if (x.place != nullptr) x.place->cancel();
    if (x.upstream == nullptr || (x.drain != nullptr && x.drain->begin())) return;
    x.abort_handling = AbortHandling::cancelled;
    x.upstream->cancel({ErrorCode::cancelled, "the client is gone"});
    if (x.beside != nullptr) x.beside->cancel({ErrorCode::cancelled, "the client is gone"});
  });
  const bool answered = co_await try_deployments(x);
  x.place = nullptr;
  x.client.on_client_gone({});
  if (answered || x.client_gone) co_return;
  if (may_estimate(x)) co_return co_await answer_token_estimate(x);
  co_await answer_error(x);
}

// Settles when the frame goes, by whatever way: the end, or a loop that is shut down.
class Settlement {
 public:
  explicit Settlement(Exchange& x) : x_(x) { ++x_.worker.counters.requests_running; }
  ~Settlement() {
    --x_.worker.counters.requests_running;
    x_.worker.counters.body_bytes_held -= x_.body.size();
    settle(x_);
  }
  Settlement(const Settlement&) = delete;
  Settlement& operator=(const Settlement&) = delete;

 private:
  Exchange& x_;
};

}  // namespace

void note_attempt(Exchange& x, const provider::Deployment& next) {
  ledger::RowView row = row_if_killed(x, next);
  x.worker.log.note(row);
  x.journal_slot = row.journal_slot;
}

net::Task<void> serve(Worker& worker, http::ServerExchange& client) {
  Exchange x(worker, client);
  accept(x);
  if (answered_without_model(x)) co_return co_await answer_here(x);
  const Settlement settlement(x);
  co_await walk(x);
  x.walked = true;
}

}  // namespace weir::gateway
