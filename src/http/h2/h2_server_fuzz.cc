// The server's side of an HTTP/2 connection against any bytes: nothing crashes, nothing leaks, and
// what reaches a handler could have come by HTTP/1.1.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/server.h"
#include "net/memory_stream.h"

namespace weir::http {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings("\0\0\0\x4\0\0\0\0\0", 9);

void check_head(const RequestHead& head) {
  std::string text(head.method);
  text.append(" ").append(head.target).append(" HTTP/1.1\r\n");
  for (const Header& field : head.headers) {
    WEIR_ASSERT(valid_name(field.name) && valid_value(field.value));
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  text.append("\r\n");
  RequestHead again;
  const HeadOutcome outcome = parse_request_head(text, {.headers = 1000}, again);
  WEIR_ASSERT(outcome.state == ParseState::complete && outcome.consumed == text.size());
  WEIR_ASSERT(again.path == head.path && again.host == head.host);
}

net::Task<void> echo(ServerExchange& exchange) {
  if (exchange.head().version_major == 2) check_head(exchange.head());
  uint64_t size = 0;
  static_cast<void>(co_await exchange.begin({}));
  while (true) {
    const Result<std::string_view> piece = co_await exchange.read_body();
    if (!piece) {
      exchange.abort();
      co_return;
    }
    if (piece->empty()) break;
    size += piece->size();
    if (!co_await exchange.write(*piece)) co_return;
  }
  // A body that ended has the length that was told.
  const auto told = exchange.content_length();
  WEIR_ASSERT(!told || *told == size);
  static_cast<void>(co_await exchange.finish());
}

void run(bool with_start, size_t step, std::string_view bytes) {
  ManualClock clock;
  net::Loop loop(clock);
  Server server(loop, {.head = {.head_bytes = 2048, .headers = 16, .target_bytes = 256}}, echo);
  auto [ours, theirs] = net::memory_pair(loop);
  server.serve_connection(std::move(theirs));
  std::string all;
  if (with_start) all.append(kPreface).append(kSettings);
  all.append(bytes);
  std::string room(64 * 1024, '\0');
  for (size_t at = 0; at < all.size(); at += step) {
    const auto piece = std::string_view(all).substr(at, step);
    static_cast<void>(ours->try_write(piece));
    loop.run_until_idle();
    static_cast<void>(ours->try_read(room));
  }
  ours->close();
  loop.advance(std::chrono::minutes(3));
  WEIR_ASSERT(server.counters().connections_open == 0);
  WEIR_ASSERT(server.counters().requests_running == 0);
  WEIR_ASSERT(loop.buffers().counters().in_use == 0);
}

}  // namespace
}  // namespace weir::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 64 * 1024) return 0;
  const bool with_start = (data[0] & 1) != 0;
  const size_t step = data[1] == 0 ? size : size_t{data[1]} * 16;
  weir::http::run(with_start, step, {reinterpret_cast<const char*>(data + 2), size - 2});
  return 0;
}
