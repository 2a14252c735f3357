// The stages of the journey, in order. Each is in the file with its name and adds to the Exchange;
// one that refuses fills Exchange::error and returns false, and the answer stage tells the client.
//
//   route -> authenticate -> read -> admit -> plan -> attempt (-> plan ...) -> relay -> settle
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/exchange.h"
#include "ledger/cost.h"
#include "net/task.h"
#include "provider/call.h"

namespace weir::gateway {

// authenticate.cc: the presented key -> principal, before a byte of the body is read.
bool authenticate(Exchange& x);

// read.cc: the body, and what routing needs to know of it.
net::Task<bool> read(Exchange& x);

// What the client is told when its body could not be read.
bool refuse_read_error(Exchange& x, const Error& error);

// admit.cc: limits and budgets of everyone who pays for the request, all local.
bool admit(Exchange& x);
// What one attempt may cost at most.
Money worst_cost(const Exchange& x);
// Before another attempt: whether the budgets cover it, too, where those before are billed.
bool cover_next_attempt(Exchange& x);
// Before a second attempt beside the one under way: whether the budgets cover both.
bool cover_attempt_beside(Exchange& x);

// serve.cc: notes in the ledger's journal what is about to be sent, so that a kill loses no call.
void note_attempt(Exchange& x, const provider::Deployment& next);

// A wait before another attempt, as a provider's Retry-After asks for it, is kept up to here.
inline constexpr Milliseconds kWaitMax{2'000};

// plan.cc: the model, and then the deployment for the next attempt.
bool resolve_model(Exchange& x);
// The next deployment, or a null one when nothing is left to try. Advances to fallbacks.
provider::Pick plan_next(Exchange& x);
// What the next attempt asks of a deployment.
Traffic::Wish wish_of(Exchange& x, const Model& model);
// One for a second attempt beside the first, or a null one: open, with capacity left, not tried.
provider::Pick plan_beside(Exchange& x);
// What a client is told then, and until when.
inline constexpr std::string_view kAccountFull = "account_limit_reached";
bool refuse_full_accounts(Exchange& x);
// Whether the deployment has the endpoint, and what the request refers to.
bool could_serve(const Exchange& x, const provider::Deployment& deployment);
// Whether the configured limits of an account keep a deployment of the model from being asked.
bool accounts_are_full(Exchange& x);
// Whether another attempt is allowed after this failure: attempts left, retry budget, rule.
bool may_try_again(Exchange& x, provider::FailureClass failure);

// attempt.cc: one try at one deployment, answered or failed. On a failure before the first byte
// went to the client, error, foreign_error and retry_after say what to tell if it was the last.
enum class Answered : uint8_t {
  yes,  // the client has its answer, or is gone; nothing more can be sent
  no,   // failed before the first byte: another attempt may be made
};
net::Task<Answered> attempt(Exchange& x, provider::Pick pick);

// upgrade.cc: a WebSocket, relayed both ways after the provider has agreed (101). False when it
// could not begin.
bool wants_upgrade(const Exchange& x);
net::Task<bool> relay_upgraded(Exchange& x, http::ClientExchange& upstream,
                               const http::ResponseHead& head);

// answer.cc: what Weir says itself.
// The head's own fields: request id, model, deployment, attempts, generation, rate limits.
void add_weir_headers(const Exchange& x, http::AnswerFields& fields);
net::Task<void> answer_error(Exchange& x);
net::Task<void> answer_json(Exchange& x, std::string body, int status = 200);
net::Task<void> answer_models(Exchange& x);
net::Task<void> answer_token_estimate(Exchange& x);

// price.cc: what all attempts so far cost, the ones that another followed included: a provider that
// had begun to answer bills, whoever answered in the end.
ledger::Cost price(const Exchange& x);
// Puts the last attempt's usage (estimated where the provider did not say) and cost into its
// record. Does nothing the second time.
void close_attempt(Exchange& x);
// The same for an attempt beside the one under way, which keeps its usage.
void close_beside(Exchange& x, AttemptRecord& attempt);
// False for requests that read or change what is there (files, batches, stored responses): their
// answers may repeat the usage of an earlier one.
bool makes_something(const Exchange& x);

// settle.cc: usage -> cost -> ledger row; limits released; counters. Exactly once.
void settle(Exchange& x);

// serve.cc: gives the exchange its id, its time and its route.
void accept(Exchange& x);

// serve.cc: the journey. The handler of the public listener.
net::Task<void> serve(Worker& worker, http::ServerExchange& client);

// Shared by the stages: refuse with an error of that kind.
bool refuse(Exchange& x, dialect::ApiErrorType type, int status, std::string code,
            std::string message, std::string param = {});

}  // namespace weir::gateway
