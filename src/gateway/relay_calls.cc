// A request that takes several calls, as the provider takes less at a time than the client sent.
// The first is under way when this begins; the others follow, a few at once, and their answers are
// put together in order. One that fails fails the attempt: the client gets all or an error.
#include <deque>

#include "gateway/embed.h"
#include "gateway/relay.h"
#include "provider/failure.h"

namespace weir::gateway {
namespace {

using provider::FailureClass;

constexpr size_t kAtOnce = 8;
constexpr size_t kErrorBytesMax = 64 * 1024;

struct Call {
  std::unique_ptr<Outgoing> outgoing;  // owns the bytes that the exchange sends: it goes last
  std::unique_ptr<http::ClientExchange> exchange;
};

// The answers so far, counted against the worker's memory.
struct Answers {
  explicit Answers(uint64_t& held_) : held(held_) {}
  ~Answers() { held -= bytes; }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  void count(size_t more) {
    bytes += more;
    held += more;
  }
  void release(size_t less) {
    bytes -= less;
    held -= less;
  }

  uint64_t& held;
  size_t bytes = 0;
  dialect::EmbeddingsReply reply;
};

net::Task<RelayEnd> begin(Relay& r, size_t number, std::deque<Call>& under_way) {
  Exchange& x = r.x;
  auto outgoing = r.outgoing.another(x, r.deployment, number);
  if (!outgoing) co_return failed(r, FailureClass::credential, outgoing.error().message());
  http::ClientRequest request{.head = (*outgoing)->head(), .body = (*outgoing)->body()};
  request.connect_timeout = x.asked->timeouts.connect;
  request.once = (*outgoing)->once();
  http::Client& client = x.worker.clients.client(r.deployment.account->transport);
  auto started = co_await client.start((*outgoing)->origin(), request);
  if (!started) {
    co_return failed(r, provider::classify_error(started.error(), false),
                     started.error().message());
  }
  under_way.push_back({std::move(*outgoing), std::move(*started)});
  co_return RelayEnd{x.client_gone ? FailureClass::cancelled : FailureClass::none, {}};
}

net::Task<RelayEnd> take_answer(Relay& r, http::ClientExchange& upstream,
                                const http::ResponseHead& head, AttemptTimer& timer,
                                Answers& answers) {
  Exchange& x = r.x;
  std::string body;
  timer.arm("answer", x.asked->timeouts.answer);
  while (true) {
    auto piece = co_await upstream.read_body();
    if (!piece) {
      answers.release(body.size());
      co_return failed(r, provider::classify_error(piece.error(), true), piece.error().message());
    }
    if (piece->empty()) break;
    if (x.upstream_time == Nanoseconds{0}) x.upstream_time = x.now() - x.started;
    body += *piece;
    answers.count(piece->size());
    timer.arm("data", x.asked->timeouts.idle);
    if (answers.held > Worker::kBodyBytesHeldMax) co_return no_memory(x);
    if (answers.bytes > kTranslatedBytesMax) co_return too_long(r);
  }
  timer.cancel();
  answers.release(body.size());
  json::Document document;
  if (auto parsed = document.parse(body, {.unique_keys_levels = 0}); !parsed) {
    co_return failed(r, FailureClass::truncated, "its answer is not whole JSON");
  }
  const size_t before = answers.reply.vectors.size();
  if (auto added =
          add_embeddings(r.outgoing.embeddings_api(), document.root(), head.headers, answers.reply);
      !added) {
    co_return failed(r, FailureClass::protocol, added.error().message());
  }
  for (size_t i = before; i < answers.reply.vectors.size(); ++i) {
    answers.count(answers.reply.vectors[i].size());
  }
  co_return RelayEnd{};
}

net::Task<RelayEnd> take_error(Relay& r, http::ClientExchange& upstream,
                               const http::ResponseHead& head) {
  std::string body;
  while (body.size() < kErrorBytesMax) {
    auto piece = co_await upstream.read_body();
    if (!piece || piece->empty()) break;  // a cut error body still says its status
    body += *piece;
  }
  body = provider::without_secrets(std::move(body), *r.deployment.account);
  RelayEnd end;
  end.error = dialect::read_error(r.outgoing.provider_dialect(), head.status, body,
                                  head.headers.get("x-amzn-errortype"));
  end.failure = provider::classify_answer(head.status, end.error);
  r.x.retry_after = provider::retry_after(head.headers, r.x.worker.loop.clock().wall_ms());
  co_return end;
}

net::Task<RelayEnd> finish(Relay& r, http::ClientExchange& upstream, Answers& answers) {
  Exchange& x = r.x;
  AttemptTimer timer(x, upstream);
  timer.arm("answer", x.asked->timeouts.answer);
  auto head = co_await upstream.response();
  if (!head) {
    co_return failed(r, provider::classify_error(head.error(), true), head.error().message());
  }
  if ((*head)->status != 200) co_return co_await take_error(r, upstream, **head);
  co_return co_await take_answer(r, upstream, **head, timer, answers);
}

// The calls before the one that failed are billed, where they told what.
RelayEnd give_up(Exchange& x, const Answers& answers, RelayEnd end) {
  if (answers.reply.usage.reported) {
    x.usage = answers.reply.usage;
    x.generated_bytes = static_cast<int64_t>(answers.bytes);
  }
  return end;
}

}  // namespace

net::Task<RelayEnd> relay_calls(Relay& r) {
  Exchange& x = r.x;
  Answers answers(x.worker.counters.body_bytes_held);
  std::deque<Call> under_way;
  size_t begun = 1;
  for (size_t done = 0; done < r.outgoing.calls(); ++done) {
    for (; begun < r.outgoing.calls() && under_way.size() < kAtOnce; ++begun) {
      RelayEnd end = co_await begin(r, begun, under_way);
      if (end.failure != FailureClass::none) co_return give_up(x, answers, std::move(end));
    }
    RelayEnd end;
    if (done == 0) {
      end = co_await take_answer(r, r.upstream, r.head, r.timer, answers);
    } else {
      const Call call = std::move(under_way.front());
      under_way.pop_front();
      x.upstream = call.exchange.get();
      end = co_await finish(r, *call.exchange, answers);
      x.upstream = nullptr;
    }
    if (end.failure != FailureClass::none) co_return give_up(x, answers, std::move(end));
  }
  const std::string body = write_embeddings(x, answers.reply);
  co_return co_await answer_whole(r, "application/json", body);
}

}  // namespace weir::gateway
