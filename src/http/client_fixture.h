// The fixture of the client's tests: a client on a manual clock, and providers whose every byte the
// test writes, over memory streams.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client.h"
#include "net/memory_stream.h"

namespace weir::http {

// What a request came to.
struct Call {
  std::unique_ptr<ClientExchange> exchange;
  std::optional<int> status;
  std::string body;
  std::optional<ErrorCode> error;
  bool once = false;   // asked: ClientRequest::once
  bool ended = false;  // the body ended regularly
  bool done = false;
};

inline net::Task<void> read_all(Call& call) {
  const auto head = co_await call.exchange->response();
  if (!head) {
    call.error = head.error().code();
  } else {
    call.status = (*head)->status;
    while (!call.error && !call.ended) {
      const Result<std::string_view> piece = co_await call.exchange->read_body();
      if (!piece) {
        call.error = piece.error().code();
      } else if (piece->empty()) {
        call.ended = true;
      } else {
        call.body.append(*piece);
      }
    }
  }
  call.done = true;
}

inline net::Task<void> start_only(Client& client, Origin origin, ClientRequest request,
                                  Call& call) {
  auto exchange = co_await client.start(origin, request);
  if (exchange) {
    call.exchange = std::move(*exchange);
  } else {
    call.error = exchange.error().code();
    call.done = true;
  }
}

inline net::Task<void> fetch(Client& client, Origin origin, ClientRequest request, Call& call) {
  co_await start_only(client, origin, request, call);
  if (call.exchange) co_await read_all(call);
}

class ClientTest : public testing::Test {
 protected:
  static constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nhost: up\r\n";
  static constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nhost: up\r\n";

  void make_client(ClientConfig config = {}, net::MemoryOptions options = {}) {
    network_.emplace(loop_, options);
    network_->listen("up", 80, [this](std::unique_ptr<net::MemoryStream> stream) {
      providers_.push_back(std::move(stream));
    });
    client_ = std::make_unique<Client>(loop_, *network_, config);
  }

  // Runs a whole request; the test answers it meanwhile. The call outlives the loop's tasks.
  void start(Call& call, std::string_view head, std::span<const std::string_view> body = {}) {
    ClientRequest request{.head = head};
    request.body = body;
    request.once = call.once;
    loop_.spawn(fetch(*client_, origin_, request, call));
    loop_.run_until_idle();
  }

  // What the provider has got on that connection since it last looked.
  std::string got(size_t connection) {
    std::string all;
    std::string room(64 * 1024, '\0');
    loop_.run_until_idle();
    while (true) {
      const net::IoResult io = providers_.at(connection)->try_read(room);
      if (io.status != net::IoStatus::ok) return all;
      all.append(room, 0, io.bytes);
      loop_.run_until_idle();
    }
  }
  void say(size_t connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const net::IoResult io = providers_.at(connection)->try_write(bytes);
      ASSERT_EQ(io.status, net::IoStatus::ok);
      bytes.remove_prefix(io.bytes);
      loop_.run_until_idle();
    }
  }
  void hang_up(size_t connection) {
    providers_.at(connection)->close();
    loop_.run_until_idle();
  }
  const ClientCounters& counters() const { return client_->counters(); }

  ManualClock clock_;
  net::Loop loop_{clock_};
  Origin origin_{"up", 80, false, {}, true};
  std::optional<net::MemoryNetwork> network_;
  std::vector<std::unique_ptr<net::MemoryStream>> providers_;
  std::unique_ptr<Client> client_;
};

}  // namespace weir::http
