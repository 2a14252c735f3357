// The fixture of the server's tests: a server on a manual clock, and clients over memory streams.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http/server.h"
#include "net/memory_stream.h"

namespace weir::http {

// The client's end of a connection, and what came over it.
struct Peer {
  std::unique_ptr<net::MemoryStream> stream;
  std::string received;
  bool ended = false;
  bool reset = false;
};

class ServerTest : public testing::Test {
 protected:
  void serve(Handler handler, ServerConfig config = {}, ErrorBody error_body = {}) {
    server_ = std::make_unique<Server>(loop_, config, std::move(handler), std::move(error_body));
  }

  Peer connect(net::MemoryOptions options = {}) {
    auto [ours, theirs] = net::memory_pair(loop_, options);
    server_->serve_connection(std::move(theirs));
    loop_.run_until_idle();
    return {std::move(ours), {}};
  }

  // Sends as the buffers allow, reading nothing.
  void send(Peer& peer, std::string_view bytes) {
    int blocked = 0;
    while (!bytes.empty()) {
      const net::IoResult io = peer.stream->try_write(bytes);
      if (io.status == net::IoStatus::ok) bytes.remove_prefix(io.bytes);
      loop_.run_until_idle();
      if (io.status == net::IoStatus::failed) return;
      if (io.status == net::IoStatus::would_block && ++blocked > 1000) {
        FAIL() << "the server does not read";
      }
    }
    loop_.run_until_idle();
  }

  void receive(Peer& peer) {
    std::string room(64 * 1024, '\0');
    while (true) {
      loop_.run_until_idle();
      const net::IoResult io = peer.stream->try_read(room);
      if (io.status == net::IoStatus::ok) {
        peer.received.append(room, 0, io.bytes);
        continue;
      }
      peer.ended = peer.ended || io.status == net::IoStatus::end;
      peer.reset = peer.reset || io.status == net::IoStatus::failed;
      return;
    }
  }

  // What the server says to these bytes, sent at once.
  std::string say(Peer& peer, std::string_view bytes) {
    peer.received.clear();
    send(peer, bytes);
    receive(peer);
    return peer.received;
  }

  ManualClock clock_;
  net::Loop loop_{clock_};
  std::unique_ptr<Server> server_;
};

inline net::Task<void> hello(ServerExchange& exchange) {
  ResponseHead head;
  head.headers.add("content-type", "text/plain");
  static_cast<void>(co_await exchange.respond(head, "hello"));
}

// Answers with method, path and body, after reading all of it.
inline net::Task<void> echo(ServerExchange& exchange) {
  std::string body(exchange.head().method);
  body.append(" ").append(exchange.head().path).append(" ");
  while (true) {
    const Result<std::string_view> piece = co_await exchange.read_body();
    if (!piece) {
      ResponseHead head;
      head.status = piece.error().code() == ErrorCode::limit_exceeded ? 413 : 400;
      const std::string code(to_string(piece.error().code()));
      static_cast<void>(co_await exchange.respond(head, code));
      co_return;
    }
    if (piece->empty()) break;
    body.append(*piece);
  }
  static_cast<void>(co_await exchange.respond({}, body));
}

inline constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
inline const std::string kDate = "date: Tue, 14 Nov 2023 22:13:20 GMT\r\n";

inline std::string answer(std::string_view body) {
  return "HTTP/1.1 200 OK\r\n" + kDate + "content-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

}  // namespace weir::http
