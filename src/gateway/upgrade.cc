#include "gateway/realtime_usage.h"
#include "gateway/relay.h"
#include "gateway/stages.h"
#include "net/stream.h"

namespace weir::gateway {
namespace {

// A session without a byte in either direction ends after this; the vendors' own end earlier.
constexpr Milliseconds kSilenceMax{900'000};
// After one side has ended, the other may send its last words for as long as this.
constexpr Milliseconds kLingerMax{5'000};

// What a session may have said before its first answer, or between two.
constexpr int64_t kInputBetween = 4096;  // tokens

// After each response: what is spent so far and the next one must be covered by every budget, and
// the journal knows of it, should this process be killed.
bool cover_session(Exchange& x, int64_t last_input) {
  if (x.admission.reserved() == Money{}) return true;
  x.input_estimate = last_input + kInputBetween;
  const bool covered = x.admission.raise(price(x).total + worst_cost(x));
  note_attempt(x, *x.deployment);
  return covered;
}

bool end_session(Exchange& x) {
  refuse(x, dialect::ApiErrorType::quota, 429, "budget_exceeded",
         "The budget does not cover another response of this session.");
  return true;
}

struct Pump {
  net::Stream& from;
  net::Stream& to;
  int64_t& bytes;
  net::Timer& silence;
  RealtimeUsage* usage = nullptr;  // reads along
  Exchange* x = nullptr;           // whose usage that is
};

// Copies until `from` ends, then ends `to` in order; any error ends both ways.
net::Task<void> pump(Pump p) {
  while (true) {
    if (!co_await p.from.readable()) break;
    net::Buffer buffer = p.from.loop().buffers().take();
    const net::IoResult got = p.from.try_read(buffer.span());
    if (got.status == net::IoStatus::would_block) continue;
    if (got.status == net::IoStatus::end) {
      p.to.shutdown_write();
      p.silence.arm(kLingerMax);
      co_return;
    }
    if (got.status != net::IoStatus::ok) break;
    p.silence.arm(kSilenceMax);
    p.bytes += static_cast<int64_t>(got.bytes);
    // Before the client has them: a session that is cut here has its usage on the row.
    bool covered = true;
    if (p.usage != nullptr) {
      const int64_t before = p.usage->responses();
      p.usage->feed(std::string_view(buffer.data(), got.bytes));
      covered = p.usage->responses() == before || cover_session(*p.x, p.usage->last_input());
    }
    if (!co_await p.to.write_all(std::string_view(buffer.data(), got.bytes))) break;
    if (!covered) {
      end_session(*p.x);
      break;
    }
  }
  p.from.cancel(ErrorCode::closed);
  p.to.cancel(ErrorCode::closed);
}

}  // namespace

bool wants_upgrade(const Exchange& x) {
  return x.route.endpoint == "/realtime" &&
         http::iequals(x.client.head().headers.get("upgrade"), "websocket");
}

net::Task<bool> relay_upgraded(Exchange& x, http::ClientExchange& upstream,
                               const http::ResponseHead& head) {
  http::AnswerFields fields;
  for (const http::Header& header : head.headers) {
    if (http::iequals(header.name, "upgrade") ||
        (header.name.size() > 14 && http::iequals(header.name.substr(0, 14), "sec-websocket-"))) {
      fields.add(fields.keep(std::string(header.name)), fields.keep(std::string(header.value)));
    }
  }
  add_weir_headers(x, fields);
  auto far = upstream.take_upgraded();
  if (!far) co_return false;
  const http::ResponseHead answer{.status = 101, .reason = {}, .headers = fields.take()};
  x.status = 101;
  x.first_byte = x.now();
  auto near = co_await x.client.upgrade(answer);
  if (!near) {
    x.client_gone = true;
    co_return true;
  }
  RealtimeUsage usage(x.usage);
  if (!far->already_read.empty()) {
    usage.feed(far->already_read);
    x.bytes_out += static_cast<int64_t>(far->already_read.size());
    const bool covered = usage.responses() == 0 || cover_session(x, usage.last_input());
    (void)co_await near->stream->write_all(far->already_read);
    if (!covered) co_return end_session(x);
  }
  if (!near->already_read.empty()) {
    x.bytes_in += static_cast<int64_t>(near->already_read.size());
    (void)co_await far->stream->write_all(near->already_read);
  }
  net::Stream& client = *near->stream;
  net::Stream& provider = *far->stream;
  net::Timer silence(x.worker.loop, [&client, &provider] {
    client.cancel(ErrorCode::timeout);
    provider.cancel(ErrorCode::timeout);
  });
  silence.arm(kSilenceMax);
  // Told when Weir drains and its patience is over: both ways end, and the session with them.
  x.client.on_client_gone([&x, &client, &provider] {
    x.client_gone = true;
    client.cancel(ErrorCode::cancelled);
    provider.cancel(ErrorCode::cancelled);
  });
  net::TaskGroup pumps(x.worker.loop);
  pumps.spawn(pump({client, provider, x.bytes_in, silence}));
  pumps.spawn(pump({provider, client, x.bytes_out, silence, &usage, &x}));
  co_await pumps.wait();
  x.client.on_client_gone({});
  co_return true;
}

}  // namespace weir::gateway
