#include "app/commands/download.h"

#include <fmt/format.h>

#include <memory>

#include "base/clock.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "net/tls.h"

namespace weir::app {
namespace {

constexpr Nanoseconds kSilenceMost = std::chrono::seconds(60);
constexpr Nanoseconds kWholeMost = std::chrono::minutes(5);
constexpr size_t kBytesMost = size_t{64} << 20;

}  // namespace

net::Task<Result<std::string>> download_over(net::Loop& loop, net::Dialer& dialer,
                                             const std::string& url) {
  std::string_view rest;
  WEIR_CO_TRY(const http::Origin origin, http::parse_origin(url, &rest));
  if (!origin.tls) co_return fail(ErrorCode::invalid_argument, "expected an https:// address");
  http::Client client(loop, dialer);
  http::RequestBuilder builder("GET", rest.empty() ? "/" : rest, http::host_field(origin));
  builder.header("accept", "application/json, text/csv");
  http::ClientRequest request;
  request.head = builder.text();
  WEIR_CO_TRY(auto exchange, co_await client.start(origin, request));
  net::Timer timer(loop, [&exchange] {
    exchange->cancel(Error(ErrorCode::timeout, "the server said nothing for a minute"));
  });
  timer.arm(kSilenceMost);
  WEIR_CO_TRY(const http::ResponseHead* head, co_await exchange->response());
  if (head->status != 200) {
    co_return fail(ErrorCode::unavailable, fmt::format("{} answered {}; redirects are not followed",
                                                       origin.host, head->status));
  }
  std::string text;
  while (true) {
    timer.arm(kSilenceMost);
    WEIR_CO_TRY(const std::string_view piece, co_await exchange->read_body());
    if (piece.empty()) co_return text;
    text += piece;
    if (text.size() > kBytesMost) {
      co_return fail(ErrorCode::limit_exceeded, "the document is larger than 64 MiB");
    }
  }
}

Result<std::string> download(std::string_view url) {
  SystemClock clock;
  net::Loop loop(clock);
  WEIR_TRY(const auto resolver, net::CaresResolver::create(loop));
  WEIR_TRY(const auto tls, net::TlsClientContext::create({.system_roots = true}));
  net::SystemDialer dialer(loop, *resolver, *tls, net::deny_internal_addresses);
  auto done = net::run_task(loop, download_over(loop, dialer, std::string(url)), kWholeMost);
  if (!done) return fail(ErrorCode::timeout, "the document took longer than five minutes");
  return std::move(*done);
}

}  // namespace weir::app
