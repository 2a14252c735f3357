// A client of an in-memory Simulator for tests: one manual clock, one loop, a server behind the
// name "sim". ask() runs the loop until the answer is whole, moving time on as it waits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/memory_stream.h"
#include "sim/simulator.h"

namespace weir::sim {

class SimTestClient {
 public:
  struct Answer {
    int status = 0;
    http::HeaderMap headers;
    std::string body;
    std::optional<Error> error;  // no head, or a body cut short
    Nanoseconds first_byte{0};   // since the request was sent
    Nanoseconds ended{0};
  };
  struct Request {
    std::string path;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string method = "POST";
    size_t hang_up_after = SIZE_MAX;  // bytes of the body after which the client goes away
  };

  explicit SimTestClient(SimConfig config = {})
      : simulator(loop, std::move(config)), network_(loop), client_(loop, network_) {
    network_.listen("sim", 80, [this](std::unique_ptr<net::MemoryStream> stream) {
      simulator.serve_connection(std::move(stream));
    });
  }
  ~SimTestClient() { loop.destroy_tasks(); }

  Answer ask(Request request) {
    Answer answer;
    const bool ended = net::run_task(loop, run(&request, &answer));
    if (!ended) answer.error = Error(ErrorCode::timeout, "the answer never ended");
    loop.run_until_idle();
    return answer;
  }
  Answer post(std::string path, std::string body) {
    return ask({.path = std::move(path), .body = std::move(body)});
  }
  Answer get(std::string path) { return ask({.path = std::move(path), .method = "GET"}); }
  // The call that ended last.
  const Call& last() const { return simulator.calls().calls().back(); }

  ManualClock clock;
  net::Loop loop{clock};
  mutable Simulator simulator;

 private:
  net::Task<void> run(const Request* request, Answer* answer) {
    http::RequestBuilder head(request->method, request->path, "sim");
    for (const auto& [name, value] : request->headers) head.header(name, value);
    const std::string_view body = request->body;
    http::ClientRequest sent{.head = head.text()};
    if (!body.empty()) sent.body = std::span(&body, 1);
    const Nanoseconds start = loop.now();
    const http::Origin origin{.host = "sim", .port = 80};
    auto exchange = co_await client_.start(origin, sent);
    if (!exchange) {
      answer->error = exchange.error();
      co_return;
    }
    auto response = co_await (*exchange)->response();
    if (!response) {
      answer->error = response.error();
      co_return;
    }
    answer->first_byte = loop.now() - start;
    answer->status = (*response)->status;
    answer->headers = http::HeaderMap((*response)->headers);
    while (true) {
      auto piece = co_await (*exchange)->read_body();
      if (!piece) {
        answer->error = piece.error();
        break;
      }
      if (piece->empty()) break;
      answer->body.append(*piece);
      if (answer->body.size() >= request->hang_up_after) break;
    }
    answer->ended = loop.now() - start;
  }

  net::MemoryNetwork network_;
  http::Client client_;
};

}  // namespace weir::sim
