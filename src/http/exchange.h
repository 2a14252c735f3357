// One request and its answer, seen from either side, independent of the HTTP version below it.
// ServerExchange is what a handler answers a client through; ClientExchange is what the gateway
// asks a provider through. HTTP/1.1 implements both (server.h, client.h); HTTP/2 can.
//
// Both live on one worker's loop and are used by one coroutine at a time. Views they hand out name
// their own lifetime; nothing else of theirs is borrowed across a suspension. Reading is by
// demand: bytes are taken from the socket only when a piece is asked for, so a slow reader on one
// side holds back the writer on the other, and an exchange that waits holds no read buffer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/kept_hash.h"
#include "base/result.h"
#include "http/head.h"
#include "net/stream.h"
#include "net/task.h"

namespace weir::http {

// A connection that left HTTP after a 101: the stream, and what had been read behind the head.
struct Upgraded {
  std::unique_ptr<net::Stream> stream;
  std::string already_read;
};

class ServerExchange {
 public:
  virtual ~ServerExchange() = default;

  // Valid until the handler returns.
  virtual const RequestHead& head() const = 0;
  // "ip:port" of the client; empty on in-memory streams.
  virtual std::string_view peer() const = 0;
  // What the client's connection remembers from one request to the next of a secret that all of
  // them show; null where it remembers nothing (HTTP/2).
  virtual KeptHash* kept_hash() { return nullptr; }
  // When the first byte of the request's head was seen, in the loop's monotonic time.
  virtual Nanoseconds started() const = 0;

  // The body's size when the client told it (Content-Length); 0 for no body.
  virtual std::optional<uint64_t> content_length() const = 0;
  // read_body() fails with limit_exceeded once the body is longer than this. The server's limit
  // until set.
  virtual uint64_t body_limit() const = 0;
  virtual void set_body_limit(uint64_t bytes) = 0;
  // The next piece of the body; an empty view is its end (and again after it). The piece is valid
  // until the next call, respond(), begin() or the handler's return. Sends "100 Continue" first
  // when the client waits for it. Errors: limit_exceeded; protocol_error (bad chunking); timeout
  // (the client stalled); closed or connection_reset (the client went away).
  virtual net::Task<Result<std::string_view>> read_body() = 0;

  // Answers whole, in one gather write. Framing, Connection and Date are the server's; such fields
  // in `head` are left out. For HEAD the body is measured, not sent (a content-length field in
  // `head` is kept when the body is empty). Done when the kernel has taken every byte.
  virtual net::Task<Result<void>> respond(const ResponseHead& head, std::string_view body) = 0;
  // Streams an answer: begin, write as often as wanted, finish. A content-length field in `head`
  // frames it (finish with fewer bytes is an abort, more is invalid_argument); without one it is
  // chunked, or runs until the connection's end for HTTP/1.0. begin copies the head and holds it
  // back until the first write, finish or flush_head(), so that both leave in one packet. write
  // sends the pieces as one chunk and returns when the kernel has taken them: back-pressure.
  // Errors mean that the client is gone; go on to return from the handler.
  virtual net::Task<Result<void>> begin(const ResponseHead& head) = 0;
  virtual net::Task<Result<void>> write(std::span<const std::string_view> pieces) = 0;
  virtual net::Task<Result<void>> write(std::string_view piece) = 0;
  virtual net::Task<Result<void>> finish() = 0;
  // finish(), with fields behind the body (RFC 9110 §6.5): in HTTP/2 and in chunked answers. Those
  // not fit for the wire are left out; any other answer ends without them.
  virtual net::Task<Result<void>> finish(const HeaderList& trailers) = 0;
  // Sends the head that begin() holds back, for a first write that is far off.
  virtual net::Task<Result<void>> flush_head() = 0;
  // Whether begin() or respond() was called: no other answer is possible any more.
  virtual bool response_started() const = 0;
  // Cuts the connection without a terminator: the client sees a truncated answer, never a whole
  // one. Takes effect when the handler returns, at the latest.
  virtual void abort() = 0;

  // `callback` is called at most once, from the loop, when the client closes, half-closes or
  // resets while the handler runs; at the next loop turn when it already has. It must not destroy
  // the exchange. Empty = no longer interested.
  virtual void on_client_gone(std::function<void()> callback) = 0;
  virtual bool client_gone() const = 0;

  // Sends `head` (status 101, with Upgrade) and hands over the connection; the exchange is then
  // spent.
  virtual net::Task<Result<Upgraded>> upgrade(const ResponseHead& head) = 0;
};

// Points of one attempt, in the loop's monotonic time; zero = did not happen.
struct ClientTimes {
  Nanoseconds started{0};     // start() was called
  Nanoseconds connected{0};   // a connection was at hand (TLS done, or taken from the pool)
  Nanoseconds sent{0};        // the request's last byte was taken by the kernel
  Nanoseconds first_byte{0};  // the first byte of the response was read
};

class ClientExchange {
 public:
  virtual ~ClientExchange() = default;  // closes the connection unless the response was read whole

  // For requests started with a streamed body: sends a piece (back-pressure), and the end. Once
  // the response has begun with an error status both do nothing and succeed.
  virtual net::Task<Result<void>> write_body(std::string_view piece) = 0;
  virtual net::Task<Result<void>> finish_body() = 0;

  // The response's head; interim (1xx) ones are skipped, 101 is not. May come before the request
  // body is sent: a 4xx or 5xx then stops the sending. The head is valid as long as the exchange.
  // Errors: closed or connection_reset (no response; may be retried by the caller's policy),
  // protocol_error, limit_exceeded (head too long), or the one given to cancel().
  virtual net::Task<Result<const ResponseHead*>> response() = 0;
  // The next piece of the body, valid until the next call; an empty view is its regular end. A
  // body cut short is `closed` or connection_reset, broken framing protocol_error; never an end.
  virtual net::Task<Result<std::string_view>> read_body() = 0;

  // Wakes whatever waits on this exchange with that error, and every call after; the connection
  // is closed. Safe from a timer's callback. Idempotent.
  virtual void cancel(Error error) = 0;

  virtual const ClientTimes& times() const = 0;
  // Whether the connection came from the pool, and whether a stale one was replaced on the way.
  virtual bool reused() const = 0;
  virtual bool retried() const = 0;
  // A kept connection was lost before a byte of the answer: it may have been dead before the
  // request, or the provider may have had it. Told of requests that are sent `once`.
  virtual bool maybe_stale() const = 0;
  // "ip:port" of the provider.
  virtual std::string_view peer() const = 0;
  // After a 101: hands over the connection; the exchange is then spent.
  virtual Result<Upgraded> take_upgraded() = 0;
};

}  // namespace weir::http
