// The HTTP client of one worker: requests out, over pools of kept-alive connections. Origins that
// offer "h2" (Origin::alpn) are asked by HTTP/2 where they agree to it, many requests to a
// connection, and without TLS by prior knowledge; requests that want an upgrade by HTTP/1.1.
//
// Owns its idle connections; an exchange owns the connection it runs on and gives it back when the
// response was read to a clean end. Lives on its loop's thread. Limits: ClientConfig. A connection
// that the provider closed while it idled is noticed by the loop and leaves the pool at once; one
// that turns out stale under a request is replaced, once, when the body can be sent again and the
// request may be (ClientRequest::once).
// Deadlines belong to the caller (net::Timer calling cancel()), but for connecting.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "http/exchange.h"
#include "http/h2/limits.h"
#include "http/head.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::http {

// Where a request goes. Equal origins share a pool.
using Origin = net::Origin;
// Value of the Host field: the port is left out where it is the scheme's own.
std::string host_field(const Origin& origin);
// Reads "https://host[:port]" and leaves the rest (path prefix) in `rest` when given; a URL that
// is not http(s), or has user information, is invalid_argument.
Result<Origin> parse_origin(std::string_view url, std::string_view* rest = nullptr);

struct ClientConfig {
  HeadLimits head = kProviderHeadLimits;
  size_t connections_per_origin_max = 16'384;  // beyond: start() fails with limit_exceeded
  size_t idle_per_origin_max = 256;
  Nanoseconds idle_timeout = std::chrono::seconds(50);  // below the 60 s of common load balancers
  Nanoseconds age_max = std::chrono::minutes(10);  // older ones are not pooled: DNS may have moved
  Nanoseconds connect_timeout = std::chrono::seconds(5);  // where the request names none
  struct Http2 {
    uint32_t streams_max = 100;           // per connection, where the provider allows as many
    uint32_t stream_window = 128 * 1024;  // of a response, sent and not read
    Nanoseconds ping_interval = std::chrono::seconds(30);  // of silence while streams are open
    Nanoseconds ping_timeout = std::chrono::seconds(10);   // for the answer
  };
  Http2 http2{};
};

struct ClientCounters {
  uint64_t requests = 0;
  uint64_t connections_opened = 0;
  uint64_t connect_failures = 0;
  uint64_t reused = 0;
  // A pooled connection was dead, or the provider did not take a stream: sent again elsewhere.
  uint64_t stale_retries = 0;
  uint64_t poisoned = 0;  // not pooled: bytes behind the response's end
  uint64_t expired_idle = 0;
  uint64_t refused_by_limit = 0;
  uint64_t protocol_errors = 0;
  uint64_t truncated = 0;
  uint64_t open = 0;  // connections now, idle ones included
  uint64_t idle = 0;
  uint64_t http2_streams = 0;
  uint64_t http2_goaways = 0;  // of providers
  uint64_t http2_ping_timeouts = 0;
  h2::Counters h2{};
};

struct ClientRequest {
  // Line and fields from RequestBuilder::text(), without framing fields. Copied by start().
  std::string_view head;
  // A whole body, in pieces. The array is copied; the bytes must stay as long as the exchange.
  std::span<const std::string_view> body{};
  // A streamed body instead: sent by write_body()/finish_body(). With a length it is sent with
  // Content-Length, without chunked.
  bool streamed = false;
  std::optional<uint64_t> streamed_length{};
  Nanoseconds connect_timeout{0};  // 0 = the client's
  // The provider may act on it, and bill it, each time: where a kept connection is lost before an
  // answer it may have arrived, so it is not sent again here (ClientExchange::maybe_stale()).
  bool once = false;
};

class Client {
 public:
  // `loop` and `dialer` outlive the client; the client outlives its exchanges.
  Client(net::Loop& loop, net::Dialer& dialer, ClientConfig config = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Takes or opens a connection and sends what the kernel takes at once; the rest of the body goes
  // out while response() is awaited. Errors: connection errors of the dialer (connection_refused,
  // dns_failure, tls_failure, timeout, ...), limit_exceeded, invalid_argument (a head without a
  // request line).
  net::Task<Result<std::unique_ptr<ClientExchange>>> start(const Origin& origin,
                                                           const ClientRequest& request);

  // Closes idle connections, all of them or one origin's (after its configuration changed).
  void close_idle();
  void close_idle(const Origin& origin);
  const ClientCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
