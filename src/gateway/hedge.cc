#include "gateway/hedge.h"

#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using provider::FailureClass;
using provider::Operation;

bool is_stream(const Begun& begun) {
  return (**begun.head)->headers.get("content-type").find("event-stream") != std::string_view::npos;
}

bool is_success(int status) {
  return status >= 200 && status <= 299;
}

net::Task<void> begin(http::ClientExchange& upstream, bool stream, Begun& begun) {
  begun.head = co_await upstream.response();
  if (!*begun.head || !is_success((**begun.head)->status)) co_return;
  if (stream && is_stream(begun)) begun.piece = co_await upstream.read_body();
}

net::Task<void> run_first(Exchange& x, http::ClientExchange& upstream, Begun& begun, bool& done,
                          net::Event& changed) {
  co_await begin(upstream, x.stream, begun);
  done = true;
  changed.set();
}

net::Task<void> run_second(Exchange& x, Second& second, net::Event& changed) {
  http::Client& client = x.worker.clients.client(second.deployment->account->transport);
  auto started = co_await client.start(second.outgoing->origin(), second.request);
  if (!started) {
    second.not_connected = started.error();
  } else {
    second.upstream = std::move(*started);
    x.beside = second.upstream.get();
    AttemptTimer timer(x, *second.upstream);
    timer.arm("answer", x.stream ? x.asked->timeouts.first_token : x.asked->timeouts.answer);
    co_await begin(*second.upstream, x.stream, second.begun);
  }
  second.done = true;
  changed.set();
}

FailureClass failure_of(const Begun& begun) {
  if (!begun.head) return FailureClass::cancelled;
  if (!*begun.head) return provider::classify_error(begun.head->error(), true);
  const int status = (**begun.head)->status;
  if (!is_success(status)) {
    dialect::ApiError error;
    error.status = status;
    return provider::classify_status(status, error);
  }
  if (begun.piece && !*begun.piece) return provider::classify_error(begun.piece->error(), true);
  return FailureClass::cancelled;
}

// Closes the record of the one that is not relayed. What it took until then counts for what is
// usual, or only the quick ones would.
void lose(Exchange& x, AttemptRecord& record, const http::ClientExchange* upstream,
          FailureClass failure, const Begun& begun) {
  record.ended = x.now();
  record.failure = failure;
  record.lost_race = true;
  record.concluded = true;
  record.sent = upstream != nullptr && upstream->times().sent != Nanoseconds{0};
  if (begun.head && *begun.head) record.status = (**begun.head)->status;
  ++x.worker.counters.deployment(record.deployment->slot).attempts[static_cast<size_t>(failure)];
  x.worker.traffic.finished(record.ticket, *record.deployment, record.ended, record.started,
                            {.failure = failure, .stream = x.stream, .outrun = true});
  close_beside(x, record);
}

std::unique_ptr<Second> make_second(Exchange& x) {
  const provider::Pick pick = plan_beside(x);
  if (pick.deployment == nullptr) return nullptr;
  // Both will be billed: who pays must be able to, and the share of hedges is limited.
  if (!cover_attempt_beside(x) || !x.worker.hedge_budget(x.asked->slot).spend()) {
    x.worker.traffic.count_hedge_refused();
    return nullptr;
  }
  auto built = Outgoing::build(x, *pick.deployment);
  if (!built || (*built)->calls() > 1) return nullptr;
  auto second = std::make_unique<Second>();
  second->deployment = pick.deployment;
  second->record = {.deployment = pick.deployment, .choice = pick.choice, .started = x.now()};
  const Traffic::Wish wish = wish_of(x, *x.serving);
  if (!x.worker.traffic.sent(second->record.ticket, wish, *pick.deployment, wish.work, x.stream)) {
    return nullptr;
  }
  note_attempt(x, *pick.deployment);
  second->outgoing = std::move(*built);
  second->request.head = second->outgoing->head();
  second->request.body = second->outgoing->body();
  second->request.once = second->outgoing->once();
  second->request.connect_timeout = x.asked->timeouts.connect;
  x.worker.traffic.count_hedge();
  return second;
}

// Takes the second one out of the books where the frame is destroyed in the middle.
class Guard {
 public:
  Guard(Exchange& x, std::unique_ptr<Second>& second) : x_(x), second_(second) {}
  ~Guard() {
    x_.beside = nullptr;
    if (!second_) return;
    x_.worker.traffic.finished(second_->record.ticket, *second_->deployment, x_.now(),
                               second_->record.started, {.failure = FailureClass::cancelled});
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Exchange& x_;
  std::unique_ptr<Second>& second_;
};

}  // namespace

bool Begun::good() const {
  return head && *head && is_success((**head)->status) && (!piece || piece->has_value());
}

std::optional<Nanoseconds> hedge_after(Exchange& x, const Outgoing& outgoing) {
  const std::optional<HedgeRules>& rules = x.serving->hedge;
  if (!rules || x.attempts.size() != 1 || x.body_streamed || x.pinned != nullptr || x.probe) {
    return std::nullopt;
  }
  const Operation operation = x.route.operation;
  // A stored response would be stored twice.
  const bool idempotent = operation == Operation::generate || operation == Operation::complete ||
                          operation == Operation::embed || operation == Operation::rerank;
  if (!idempotent || outgoing.calls() > 1) return std::nullopt;
  x.worker.hedge_budget(x.asked->slot).earn(rules->budget);
  if (rules->after) return *rules->after;
  const Nanoseconds usual = x.worker.traffic.usual_most(*x.serving, x.stream);
  if (usual.count() == 0) return std::nullopt;
  return usual;
}

net::Task<std::unique_ptr<Second>> race(Exchange& x, http::ClientExchange& upstream,
                                        Nanoseconds after, Begun& first) {
  net::Event changed(x.worker.loop);
  std::unique_ptr<Second> second;
  const Guard guard(x, second);
  // Destroyed first: nothing of it runs once this frame is gone.
  net::TaskGroup running(x.worker.loop);
  bool first_done = false;
  running.spawn(run_first(x, upstream, first, first_done, changed));
  if (!co_await changed.wait_for(after) && !x.client_gone && !first_done) {
    second = make_second(x);
    if (second) running.spawn(run_second(x, *second, changed));
  }
  const auto decided = [&] {
    if (first_done && (first.good() || !second || second->done)) return true;
    return second != nullptr && second->done && second->begun.good();
  };
  while (!decided()) {
    changed.reset();
    co_await changed.wait();
  }
  x.beside = nullptr;
  running.destroy_all();
  if (!second) co_return nullptr;
  if (first_done && (first.good() || !second->begun.good())) {
    FailureClass failure = failure_of(second->begun);
    if (second->not_connected) failure = provider::classify_error(*second->not_connected, false);
    lose(x, second->record, second->upstream.get(), failure, second->begun);
    // The last record stays that of the attempt under way.
    x.attempts.insert(x.attempts.end() - 1, std::move(second->record));
    second.reset();
    co_return nullptr;
  }
  lose(x, x.attempts.back(), &upstream, first_done ? failure_of(first) : FailureClass::cancelled,
       first);
  x.worker.traffic.count_hedge_won();
  x.attempts.push_back(std::move(second->record));
  second->record = {};
  x.deployment = second->deployment;
  x.upstream = second->upstream.get();
  x.usage = {};
  x.generated_bytes = 0;
  co_return std::move(second);
}

}  // namespace weir::gateway
