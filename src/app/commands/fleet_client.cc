#include "app/commands/fleet_client.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/json/document.h"
#include "http/client.h"
#include "net/dial_policy.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "net/tls.h"

namespace weir::app {
namespace {

constexpr Nanoseconds kTimeout = std::chrono::seconds(60);
constexpr size_t kAnswerMost = size_t{256} << 20;

std::string message_of(int status, const std::string& body) {
  json::Document document;
  if (document.parse(body))
    if (auto message = document.root()["error"]["message"].as_string()) return *message;
  return fmt::format("the server answered {}", status);
}

}  // namespace

class FleetClient::Impl {
 public:
  Impl(http::Origin origin, std::string prefix, Secret token)
      : origin_(std::move(origin)), prefix_(std::move(prefix)), token_(std::move(token)) {}

  Result<void> open() {
    WEIR_TRY(resolver_, net::CaresResolver::create(loop_));
    WEIR_TRY(tls_, net::TlsClientContext::create({.system_roots = origin_.tls}));
    dialer_ =
        std::make_unique<net::SystemDialer>(loop_, *resolver_, *tls_, net::inside_addresses());
    client_ = std::make_unique<http::Client>(loop_, *dialer_);
    return {};
  }

  net::Task<Result<std::string>> ask(std::string_view method, std::string_view path,
                                     std::string_view body,
                                     const std::function<bool(std::string_view)>* on_piece) {
    http::RequestBuilder builder(method, prefix_ + std::string(path), http::host_field(origin_));
    if (!token_.empty()) builder.header("authorization", fmt::format("Bearer {}", token_.reveal()));
    builder.header("accept", on_piece != nullptr ? "text/event-stream" : "application/json");
    if (!body.empty()) builder.header("content-type", "application/json");
    const std::array<std::string_view, 1> pieces = {body};
    http::ClientRequest request;
    request.head = builder.text();
    if (!body.empty()) request.body = pieces;
    WEIR_CO_TRY(auto exchange, co_await client_->start(origin_, request));
    net::Timer timer(loop_, [&exchange] {
      exchange->cancel(Error(ErrorCode::timeout, "the server said nothing for a minute"));
    });
    timer.arm(kTimeout);
    WEIR_CO_TRY(const http::ResponseHead* head, co_await exchange->response());
    const int status = head->status;
    std::string answer;
    while (true) {
      timer.arm(kTimeout);
      WEIR_CO_TRY(const std::string_view piece, co_await exchange->read_body());
      if (piece.empty()) break;
      if (on_piece != nullptr && status == 200) {
        if (!(*on_piece)(piece)) break;
        continue;
      }
      answer += piece;
      if (answer.size() > kAnswerMost)
        co_return fail(ErrorCode::limit_exceeded, "the answer is too long");
    }
    if (status >= 200 && status < 300) co_return answer;
    co_return fail(status == 404 ? ErrorCode::not_found : ErrorCode::unavailable,
                   message_of(status, answer));
  }

  Result<std::string> run(std::string_view method, std::string_view path, std::string_view body,
                          const std::function<bool(std::string_view)>* on_piece) {
    auto result = net::run_task(loop_, ask(method, path, body, on_piece),
                                on_piece != nullptr ? std::chrono::hours(24 * 365) : 2 * kTimeout);
    if (!result) return fail(ErrorCode::timeout, "the server did not answer");
    if (*result) return std::move(*result);
    const Error& error = result->error();
    if (error.code() == ErrorCode::connection_refused)
      return fail(error.code(), fmt::format("no fleet answers at {}: start one with `weir fleet "
                                            "serve`, or name it with --server",
                                            origin_.to_text()));
    return fail(error);
  }

 private:
  SystemClock clock_;
  net::Loop loop_{clock_};
  http::Origin origin_;
  std::string prefix_;
  Secret token_;
  std::unique_ptr<net::CaresResolver> resolver_;
  std::unique_ptr<net::TlsClientContext> tls_;
  std::unique_ptr<net::SystemDialer> dialer_;
  std::unique_ptr<http::Client> client_;
};

FleetClient::FleetClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FleetClient::FleetClient(FleetClient&&) noexcept = default;
FleetClient& FleetClient::operator=(FleetClient&&) noexcept = default;
FleetClient::~FleetClient() = default;

Result<FleetClient> FleetClient::create(std::string_view url, Secret token) {
  std::string_view rest;
  WEIR_TRY(http::Origin origin, http::parse_origin(url, &rest));
  while (rest.ends_with('/')) rest.remove_suffix(1);
  auto impl = std::make_unique<Impl>(std::move(origin), std::string(rest), std::move(token));
  WEIR_CHECK_OK(impl->open());
  return FleetClient(std::move(impl));
}

Result<std::string> FleetClient::call(std::string_view method, std::string_view path,
                                      std::string_view body) {
  return impl_->run(method, path, body, nullptr);
}

Result<void> FleetClient::stream(std::string_view path,
                                 const std::function<bool(std::string_view)>& on_piece) {
  WEIR_TRY(const std::string nothing, impl_->run("GET", path, {}, &on_piece));
  (void)nothing;
  return {};
}

}  // namespace weir::app
