// The HTTP server of one worker: connections in, one handler coroutine per request. HTTP/2 where
// the client agrees on it by ALPN, or begins with its preface on a connection without TLS.
//
// Owns its connections; lives on its loop's thread. Requests of one HTTP/1.1 connection are served
// in order (pipelining included), those of one HTTP/2 connection side by side. Limits and
// time-outs: ServerConfig; each one reached is counted in ServerCounters. One timer per connection,
// re-armed lazily, serves every time-out.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "http/exchange.h"
#include "http/h2/limits.h"
#include "http/head.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace weir::net {
class Listener;
class TlsServerContext;
}  // namespace weir::net

namespace weir::http {

struct ServerConfig {
  HeadLimits head{};
  uint64_t body_bytes_max = uint64_t{100} * 1024 * 1024;  // default of ServerExchange::body_limit
  uint64_t drain_bytes_max = uint64_t{256} * 1024;  // unread request body read away for keep-alive
  size_t connections_max = 65'536;                  // more are closed at once, and counted
  Nanoseconds head_timeout = std::chrono::seconds(20);   // first byte of a head to its last
  Nanoseconds body_timeout = std::chrono::seconds(30);   // for each KiB of a request body
  Nanoseconds write_timeout = std::chrono::seconds(60);  // for each KiB of an answer not taken
  Nanoseconds idle_timeout = std::chrono::seconds(90);   // between requests, and before the first
  Nanoseconds linger_timeout = std::chrono::seconds(5);  // for a client to read a last answer
  bool http2 = true;  // by its preface; by ALPN it is the TLS context that offers it
  h2::Limits h2{};
};

// Single writer (the worker); read by others relaxed through a copy made on the worker.
struct ServerCounters {
  uint64_t connections = 0;  // ever
  uint64_t connections_open = 0;
  uint64_t connections_refused = 0;  // over connections_max, or while draining
  uint64_t tls_failures = 0;         // handshakes that failed
  uint64_t requests = 0;             // heads parsed
  uint64_t requests_running = 0;
  uint64_t aborted = 0;         // answers cut short by the handler
  uint64_t clients_gone = 0;    // while a handler ran
  uint64_t fields_dropped = 0;  // response fields not fit for the wire
  uint64_t unanswered = 0;      // handlers that returned without an answer (500 was sent)
  std::array<uint64_t, kHeadFaults> head_faults{};
  uint64_t timeouts_head = 0, timeouts_body = 0, timeouts_write = 0, timeouts_idle = 0;
  h2::Counters h2{};
};

// What the server itself answers with when a request cannot reach the handler (bad head, head
// time-out) or the handler did not answer: content type and body for that status.
struct ErrorReply {
  std::string content_type = "application/json";
  std::string body;
};
// `head` is what could be read of the request, or null.
using ErrorBody =
    std::function<ErrorReply(int status, std::string_view reason, const RequestHead* head)>;

using Handler = std::function<net::Task<void>(ServerExchange&)>;

class Server {
 public:
  // `loop` outlives the server. An empty `error_body` answers {"error":{"message":...}}.
  Server(net::Loop& loop, ServerConfig config, Handler handler, ErrorBody error_body = {});
  ~Server();  // cuts what is still running
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts from `listener` until drain; over TLS when a context is given.
  void listen(std::unique_ptr<net::Listener> listener,
              std::shared_ptr<const net::TlsServerContext> tls = nullptr);
  // Serves one connection that is already there.
  void serve_connection(std::unique_ptr<net::Stream> stream);

  // Stops accepting, closes idle connections, lets running exchanges end (answers say
  // Connection: close) and cuts what is left after `deadline` from now. Returns when none is open.
  net::Task<void> drain(Nanoseconds deadline);
  bool draining() const;

  const ServerCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
