#include "gateway/batches.h"
#include "gateway/event_usage.h"
#include "gateway/pins.h"
#include "gateway/relay.h"
#include "gateway/stages.h"

namespace weir::gateway {

using provider::FailureClass;

namespace {

// What the bytes tell on their way.
struct Readers {
  explicit Readers(Relay& r) {
    const http::HeaderList& headers = r.head.headers;
    if (makes_something(r.x) && headers.get("content-encoding").empty() &&
        headers.get("content-type").starts_with("text/event-stream")) {
      events.emplace(r.x.usage);
    }
  }
  void feed(std::string_view bytes) {
    if (results != nullptr) results->feed(bytes);
    if (events) events->feed(bytes);
  }
  std::unique_ptr<BatchResults> results;
  std::optional<EventUsage> events;
};

}  // namespace

net::Task<RelayEnd> relay_bytes(Relay& r, std::string already_read) {
  Exchange& x = r.x;
  Readers readers(r);
  if (keeps_state(x)) readers.results = co_await BatchResults::open(x);
  const std::string type(r.head.headers.get("content-type"));
  if (!co_await begin_stream(r, type)) co_return RelayEnd{};
  if (!already_read.empty()) {
    readers.feed(already_read);
    r.timer.wait_for_client();
    const std::string_view piece = already_read;
    if (!co_await write_stream(x, {&piece, 1})) co_return RelayEnd{};
  }
  while (true) {
    r.timer.arm("data", x.asked->timeouts.idle);
    auto piece = co_await r.upstream.read_body();
    if (!piece) {
      // Nothing in these formats can tell an error: the client must see a cut connection.
      x.client.abort();
      const FailureClass failure = provider::classify_error(piece.error(), true);
      co_return RelayEnd{failure,
                         provider::error_of(failure, r.deployment.name, piece.error().message())};
    }
    if (piece->empty()) break;
    r.timer.wait_for_client();
    const std::string_view bytes = *piece;
    readers.feed(bytes);
    if (!co_await write_stream(x, {&bytes, 1})) co_return RelayEnd{};
  }
  if (readers.results != nullptr) co_await readers.results->settle();
  if (!co_await x.client.finish()) x.client_gone = true;
  co_return RelayEnd{};
}

}  // namespace weir::gateway
