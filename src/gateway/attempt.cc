#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "dialect/translate.h"
#include "gateway/hedge.h"
#include "gateway/outgoing.h"
#include "gateway/relay.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::ApiError;
using dialect::ApiErrorType;
using provider::Blame;
using provider::FailureClass;

constexpr size_t kErrorBodyBytesMax = 256 * 1024;
// A 429 that names no moment parks the deployment for one second, then two, four ...
constexpr Nanoseconds kThrottleFirst{1'000'000'000};
constexpr Nanoseconds kThrottleMost{60'000'000'000};
// A refused credential or an empty quota is looked at again after these.
constexpr Nanoseconds kCredentialFirst{10'000'000'000};
constexpr Nanoseconds kCredentialMost{600'000'000'000};

// A lease is longer than asked by up to a tenth, at most a second, so that not everybody is back in
// the same moment.
constexpr double kJitter = 0.1;
constexpr Nanoseconds kJitterMost{1'000'000'000};

// Keeps the attempt in the books of the worker's traffic as long as it lives, and the Exchange's
// pointer to what is under way.
class InFlight {
 public:
  InFlight(Exchange& x, const provider::Deployment& deployment) : x_(x), deployment_(deployment) {
    x_.waited_behind = {};
    const Traffic::Wish wish = wish_of(x, *x.serving);
    // What a probe will ask. Written when it changes: workers share the cache line.
    const auto asked = static_cast<uint8_t>(1 + static_cast<uint8_t>(x.route.operation));
    if (!x.probe && deployment.state->asked.load(std::memory_order_relaxed) != asked) {
      deployment.state->asked.store(asked, std::memory_order_relaxed);
    }
    taken_ =
        x_.worker.traffic.sent(x_.attempts.back().ticket, wish, deployment, wish.work, x.stream);
    if (!taken_ || x_.place == nullptr) return;
    x_.place->took();
    x_.place = nullptr;
  }
  // One that is in the books already.
  InFlight(Exchange& x, const provider::Deployment& deployment, http::ClientExchange* upstream)
      : x_(x), deployment_(deployment), taken_(true) {
    x_.upstream = upstream;
  }
  ~InFlight() {
    x_.upstream = nullptr;
    AttemptRecord& record = x_.attempts.back();
    x_.worker.traffic.finished(record.ticket, deployment_, x_.now(), record.started,
                               {.failure = FailureClass::cancelled});
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  // False where another worker took what the account's limits had left.
  bool taken() const { return taken_; }

 private:
  Exchange& x_;
  const provider::Deployment& deployment_;
  bool taken_ = false;
};

// What the attempt came to, for the books.
Ending ending_of(const Exchange& x, FailureClass failure) {
  const AttemptRecord& record = x.attempts.back();
  Ending ending{.failure = failure, .blameless = record.excused, .probe = x.probe};
  if (failure != FailureClass::none) return ending;
  if (x.client_gone) {
    ending.failure = FailureClass::cancelled;
    return ending;
  }
  const bool begun = x.first_byte > record.started;
  const Nanoseconds first = (begun ? x.first_byte : record.ended) - record.started;
  ending.latency = first + x.waited_behind;
  if (x.stream && begun) {
    ending.first = first;
    ending.behind = x.waited_behind;
  }
  ending.input = x.usage.total_input() - x.usage.cache_read;
  ending.output = x.usage.total_output();
  return ending;
}

void report_success(const provider::Deployment& deployment, Nanoseconds started) {
  deployment.state->lease.succeeded(started);
  deployment.account->state->credential.succeeded(started);
}

// Until when a 429 that named a moment is kept.
Nanoseconds lease_end(Exchange& x, Milliseconds wait) {
  const double jitter = kJitter * x.worker.random.uniform() * static_cast<double>(wait.count());
  return x.now() + wait +
         std::min<Nanoseconds>(kJitterMost, Milliseconds(static_cast<int64_t>(jitter)));
}

// What the failure says about leases and the credential.
void report_failure(Exchange& x, const provider::Deployment& deployment, FailureClass failure) {
  const AttemptRecord& record = x.attempts.back();
  provider::Lease& lease = deployment.state->lease;
  provider::Lease& credential = deployment.account->state->credential;
  const Nanoseconds now = x.now();
  const provider::FailureRule& rule = provider::rule_of(failure);
  bool parked = false;
  switch (record.excused ? Blame::nobody : rule.blame) {
    case Blame::credential:
      if (failure == FailureClass::credential &&
          deployment.account->auth == provider::AuthKind::access_token) {
        deployment.account->state->token_refused.store(true, std::memory_order_relaxed);
      }
      credential.park_backing_off(now, kCredentialFirst, kCredentialMost);
      parked = true;
      break;
    case Blame::deployment:
      if (failure == FailureClass::throttled) {
        if (x.retry_after) {
          lease.park_until(now, lease_end(x, *x.retry_after));
        } else {
          lease.park_backing_off(now, kThrottleFirst, kThrottleMost);
        }
        parked = true;
      }
      // The provider answered, so it knows the credential: whatever parked that is over.
      if (failure == FailureClass::throttled || failure == FailureClass::server) {
        credential.succeeded(record.started);
      }
      break;
    case Blame::nobody:
      // An answer to a bad request shows that the deployment is well.
      if (record.status != 0 &&
          (failure == FailureClass::invalid || failure == FailureClass::content_filter)) {
        report_success(deployment, record.started);
      }
      break;
  }
  log::warn("attempt_failed", {{"request_id", x.id_text},
                               {"deployment", deployment.name},
                               {"failure", provider::to_string(failure)},
                               {"status", x.attempts.back().status},
                               {"parked", parked},
                               {"detail", x.attempt_detail}});
}

// Ends the attempt's record and draws the consequences.
Answered conclude(Exchange& x, const provider::Deployment& deployment, FailureClass failure) {
  AttemptRecord& record = x.attempts.back();
  record.concluded = true;
  record.failure = failure;
  record.ended = x.now();
  DeploymentCounters& counters = x.worker.counters.deployment(deployment.slot);
  ++counters.attempts[static_cast<size_t>(failure)];
  x.worker.traffic.finished(record.ticket, deployment, record.ended, record.started,
                            ending_of(x, failure));
  if (failure == FailureClass::none && !x.client_gone) {
    counters.duration_s.add(record.ended - record.started);
    if (x.first_byte > record.started) counters.first_token_s.add(x.first_byte - record.started);
    report_success(deployment, record.started);
  } else if (failure == FailureClass::cancelled) {
    x.abort_handling = AbortHandling::cancelled;
  } else if (failure != FailureClass::none) {
    report_failure(x, deployment, failure);
  }
  record.retry_after = x.retry_after;
  // What the verdict left undecided, the next request may try: a trial is never kept.
  if (record.choice == provider::Choice::trial) provider::abandon_trial(deployment);
  return x.client_gone || x.client.response_started() ? Answered::yes : Answered::no;
}

// What the client is told of a provider's error. A refusal of Weir's credential is Weir's affair:
// the client's own key was good, and the provider's sentence may show parts of Weir's.
ApiError told_error(FailureClass failure, ApiError error, const provider::Deployment& deployment) {
  if (failure == FailureClass::credential) {
    return provider::error_of(failure, deployment.name, {});
  }
  if (failure == FailureClass::protocol) {
    return provider::error_of(failure, deployment.name, fmt::format("status {}", error.status));
  }
  return error;
}

net::Task<Result<std::string>> read_error_body(Exchange& x, http::ClientExchange& upstream,
                                               AttemptTimer& timer) {
  std::string body;
  timer.arm("error body", x.asked->timeouts.idle);
  while (body.size() < kErrorBodyBytesMax) {
    auto piece = co_await upstream.read_body();
    // A cut error body still says its status.
    if (!piece || piece->empty()) break;
    body += *piece;
  }
  co_return body;
}

// What the log may say of an error: Weir's own words, but of a provider's the code alone, for its
// message may repeat the request.
std::string loggable(const ApiError& error, const provider::Deployment& deployment) {
  constexpr size_t kCodeBytesMax = 64;
  const bool own = error.code.starts_with("upstream_");
  return provider::without_secrets(own ? error.message : error.code.substr(0, kCodeBytesMax),
                                   *deployment.account);
}

// An answer that is not 2xx: understood, classified, kept for the client.
net::Task<FailureClass> take_error(Exchange& x, const provider::Deployment& deployment,
                                   const Outgoing& outgoing, http::ClientExchange& upstream,
                                   const http::ResponseHead& head, AttemptTimer& timer) {
  auto body = co_await read_error_body(x, upstream, timer);
  *body = provider::without_secrets(std::move(*body), *deployment.account);
  const dialect::Dialect spoken = outgoing.provider_dialect() == dialect::Dialect::passthrough
                                      ? x.route.error_dialect
                                      : outgoing.provider_dialect();
  ApiError error =
      dialect::read_error(spoken, head.status, *body, head.headers.get("x-amzn-errortype"));
  const FailureClass failure = provider::classify_answer(head.status, error);
  x.retry_after = provider::retry_after(head.headers, x.worker.loop.clock().wall_ms());
  const bool own_affair = failure == FailureClass::credential || failure == FailureClass::protocol;
  const bool readable = !head.headers.find("content-encoding");
  const bool foreign_form = provider::provider_of(deployment.account->kind).own_errors;
  if (!outgoing.translated() && !foreign_form && !own_affair && readable && !body->empty()) {
    x.foreign_error =
        ForeignError{head.status, std::string(head.headers.get("content-type")), std::move(*body)};
  }
  x.attempt_detail = loggable(error, deployment);
  if (failure == FailureClass::credential) {
    x.attempt_detail +=
        provider::clock_skew(*deployment.account, head.headers, x.worker.loop.clock().wall_ms());
  }
  x.error = told_error(failure, std::move(error), deployment);
  co_return failure;
}

// The part of the client's body that was not read yet goes straight on to the provider.
net::Task<Result<void>> stream_body(Exchange& x, http::ClientExchange& upstream,
                                    AttemptTimer& timer) {
  x.body_spent = true;
  while (true) {
    timer.wait_for_client();
    auto piece = co_await x.client.read_body();
    if (!piece) {
      refuse_read_error(x, piece.error());
      co_return fail(ErrorCode::cancelled, "the client's body ended early");
    }
    if (piece->empty()) break;
    x.bytes_in += static_cast<int64_t>(piece->size());
    timer.arm("progress in taking the request", x.asked->timeouts.idle);
    auto written = co_await upstream.write_body(*piece);
    if (!written) co_return fail(std::move(written).error());
  }
  co_return co_await upstream.finish_body();
}

// A time-out that says nothing about the deployment: the request's total time ended while an answer
// was under way, or had been used up by attempts before.
bool excused(const Exchange& x, const AttemptTimer& timer, FailureClass failure) {
  return failure == FailureClass::timeout && timer.total_is_over() &&
         (x.body_spent || x.client.response_started() || x.attempts.size() > 1);
}

bool lost_a_stale_one(const Exchange& x) {
  return std::ranges::any_of(x.attempts, [](const AttemptRecord& one) { return one.stale; });
}

http::ClientRequest request_of(const Exchange& x, const Outgoing& outgoing) {
  http::ClientRequest request{.head = outgoing.head()};
  request.once = outgoing.once();
  request.connect_timeout = x.asked->timeouts.connect;
  if (!x.body_streamed) {
    request.body = outgoing.body();
    return request;
  }
  request.streamed = true;
  if (const auto length = x.client.content_length()) {
    request.streamed_length =
        static_cast<uint64_t>(static_cast<int64_t>(*length) + outgoing.size_change());
  }
  return request;
}

// An attempt that got no answer.
Answered fail_attempt(Exchange& x, const provider::Deployment& deployment, FailureClass failure,
                      std::string_view detail) {
  x.attempt_detail = detail;
  x.error = provider::error_of(failure, deployment.name, detail);
  return conclude(x, deployment, failure);
}

// What is under way once an answer is awaited.
struct UnderWay {
  const provider::Deployment& deployment;
  const Outgoing& outgoing;
  http::ClientExchange& upstream;
  AttemptTimer& timer;
};

// The second half of an attempt: what has begun is understood, relayed and judged.
net::Task<Answered> finish(Exchange& x, UnderWay at, Begun begun) {
  const provider::Deployment& deployment = at.deployment;
  http::ClientExchange& upstream = at.upstream;
  AttemptTimer& timer = at.timer;
  const auto fail_with = [&](FailureClass failure, std::string_view detail) {
    return fail_attempt(x, deployment, failure, detail);
  };
  const Result<const http::ResponseHead*>& response = *begun.head;
  if (!response) {
    x.attempts.back().sent = upstream.times().sent != Nanoseconds{0};
    if (x.client_gone) co_return conclude(x, deployment, FailureClass::cancelled);
    const FailureClass failure = provider::classify_error(response.error(), true);
    if (excused(x, timer, failure)) x.attempts.back().excused = true;
    if (upstream.maybe_stale() && !lost_a_stale_one(x)) {
      x.attempts.back().stale = x.attempts.back().excused = true;
      // Those beside it are as old.
      x.worker.clients.client(deployment.account->transport).close_idle(at.outgoing.origin());
    }
    co_return fail_with(failure, response.error().message());
  }
  const http::ResponseHead& head = **response;
  x.attempts.back().status = head.status;
  x.worker.traffic.quota(x.attempts.back().ticket, x.now(),
                         provider::read_rate_limits(head.headers, x.worker.loop.clock().wall_ms()));
  if (head.status == 101 && wants_upgrade(x)) {
    timer.cancel();
    // The streams tell of a client that leaves; the callback's exchange is spent.
    x.upstream = nullptr;
    if (!co_await relay_upgraded(x, upstream, head)) {
      co_return fail_with(FailureClass::protocol, "the upgrade failed");
    }
    co_return conclude(x, deployment, FailureClass::none);
  }
  if (head.status < 200 || head.status > 299) {
    const FailureClass failure =
        co_await take_error(x, deployment, at.outgoing, upstream, head, timer);
    co_return conclude(x, deployment, x.client_gone ? FailureClass::cancelled : failure);
  }

  Relay way{x, deployment, at.outgoing, upstream, head, timer, std::move(begun.piece)};
  RelayEnd end = co_await relay(way);
  timer.cancel();
  if (x.client_gone) co_return conclude(x, deployment, FailureClass::none);
  if (end.failure != FailureClass::none) {
    if (excused(x, timer, end.failure)) x.attempts.back().excused = true;
    x.attempt_detail = loggable(end.error, deployment);
    x.error = end.failure == FailureClass::credential
                  ? told_error(end.failure, std::move(end.error), deployment)
                  : std::move(end.error);
  }
  co_return conclude(x, deployment, end.failure);
}

}  // namespace

net::Task<Answered> attempt(Exchange& x, provider::Pick pick) {
  const provider::Deployment& deployment = *pick.deployment;
  close_attempt(x);  // the one before
  x.deployment = &deployment;
  x.error.reset();
  x.foreign_error.reset();
  x.retry_after.reset();
  x.attempt_detail.clear();
  x.usage = {};
  x.generated_bytes = 0;
  x.attempts.push_back({.deployment = &deployment, .choice = pick.choice, .started = x.now()});
  const InFlight in_flight(x, deployment);
  const auto fail_with = [&](FailureClass failure, std::string_view detail) {
    return fail_attempt(x, deployment, failure, detail);
  };

  if (!in_flight.taken()) {
    x.attempts.back().refused_here = true;
    x.error =
        ApiError{.type = ApiErrorType::rate_limit,
                 .status = 429,
                 .message = fmt::format("The limits configured for the account {} are reached.",
                                        deployment.account->name),
                 .code = std::string(kAccountFull),
                 .param = {}};
    co_return conclude(x, deployment, FailureClass::local);
  }
  auto built = Outgoing::build(x, deployment);
  if (!built) {
    if (built.error().code() == ErrorCode::unavailable) {
      co_return fail_with(FailureClass::credential, built.error().message());
    }
    x.error = refusal_of(x, built.error());
    // Where it was the request that could not be read, no deployment can be told it.
    x.attempts.back().refused_here = x.conversation.has_value() || wants_thread(x);
    co_return conclude(x, deployment, FailureClass::invalid);
  }
  const Outgoing& outgoing = **built;

  const http::ClientRequest request = request_of(x, outgoing);
  http::Client& client = x.worker.clients.client(deployment.account->transport);
  auto started = co_await client.start(outgoing.origin(), request);
  if (!started) {
    co_return fail_with(provider::classify_error(started.error(), false),
                        started.error().message());
  }
  http::ClientExchange& upstream = **started;
  x.upstream = &upstream;
  if (x.client_gone) co_return conclude(x, deployment, FailureClass::cancelled);
  AttemptTimer timer(x, upstream);
  const Milliseconds patience = x.stream ? x.asked->timeouts.first_token : x.asked->timeouts.answer;
  timer.arm("answer", patience);

  if (x.body_streamed) {
    for (const std::string_view piece : outgoing.body()) {
      if (!co_await upstream.write_body(piece)) break;
    }
    if (auto sent = co_await stream_body(x, upstream, timer); !sent && x.error) {
      co_return conclude(x, deployment, FailureClass::cancelled);
    }
    timer.arm("answer", patience);
  }
  Begun begun;
  if (const auto after = hedge_after(x, outgoing)) {
    if (const auto second = co_await race(x, upstream, *after, begun)) {
      timer.cancel();
      started->reset();  // breaks the first one off
      const InFlight beside(x, *second->deployment, second->upstream.get());
      AttemptTimer its_timer(x, *second->upstream);
      its_timer.arm("data", patience);
      co_return co_await finish(
          x, {*second->deployment, *second->outgoing, *second->upstream, its_timer},
          std::move(second->begun));
    }
  } else {
    begun.head = co_await upstream.response();
  }
  co_return co_await finish(x, {deployment, outgoing, upstream, timer}, std::move(begun));
}

}  // namespace weir::gateway
