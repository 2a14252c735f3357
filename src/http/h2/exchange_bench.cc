// What one exchange costs client and server together, without a kernel between them: a request of
// 4 kB, answered by a stream of eight events, by HTTP/1.1 and by HTTP/2.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "http/client.h"
#include "http/server.h"
#include "net/memory_stream.h"

namespace weir::http {
namespace {

net::Task<void> answer(ServerExchange& exchange) {
  while (true) {
    const Result<std::string_view> piece = co_await exchange.read_body();
    if (!piece || piece->empty()) break;
  }
  const std::string event(227, 'x');
  ResponseHead head;
  head.headers.add("content-type", "text/event-stream; charset=utf-8");
  head.headers.add("x-weir-request-id", "req_0123456789abc");
  static_cast<void>(co_await exchange.begin(head));
  for (int i = 0; i < 8; ++i) static_cast<void>(co_await exchange.write(event));
  static_cast<void>(co_await exchange.finish());
}

net::Task<void> ask(Client& client, const Origin& origin, std::string_view head,
                    std::string_view body, size_t& got) {
  ClientRequest request{.head = head};
  request.body = {&body, 1};
  auto exchange = co_await client.start(origin, request);
  if (!exchange || !co_await (*exchange)->response()) co_return;
  while (true) {
    const Result<std::string_view> piece = co_await (*exchange)->read_body();
    if (!piece || piece->empty()) break;
    got += piece->size();
  }
}

void exchange(benchmark::State& state, bool http2) {
  ManualClock clock;
  net::Loop loop(clock);
  net::MemoryNetwork network(loop);
  Server server(loop, {}, answer);
  network.listen("up", 80, [&](std::unique_ptr<net::MemoryStream> stream) {
    server.serve_connection(std::move(stream));
  });
  Client client(loop, network);
  Origin origin{"up", 80, false, {}, true};
  if (http2) origin.alpn = {"h2"};
  const std::string head =
      "POST /v1/chat/completions HTTP/1.1\r\nhost: up\r\nuser-agent: OpenAI/JS 6.1.0\r\n"
      "accept: application/json\r\nauthorization: Bearer sk-weir-0123456789abcdef0123456789\r\n"
      "content-type: application/json\r\nx-stainless-lang: js\r\n";
  const std::string body(4000, 'b');
  size_t got = 0;
  size_t asked = 0;
  for (auto _ : state) {
    loop.spawn(ask(client, origin, head, body, got));
    loop.run_until_idle();
    ++asked;
  }
  if (got != asked * 8 * 227) state.SkipWithError("an answer is incomplete");
}

void exchange_http1(benchmark::State& state) {
  exchange(state, false);
}
BENCHMARK(exchange_http1);

void exchange_http2(benchmark::State& state) {
  exchange(state, true);
}
BENCHMARK(exchange_http2);

}  // namespace
}  // namespace weir::http
