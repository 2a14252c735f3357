#include "admin/forward.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/json/writer.h"
#include "http/headers.h"

namespace weir::admin {

namespace {

net::Task<void> refuse(http::ServerExchange& exchange, int status, std::string message) {
  std::string body;
  json::Writer(body)
      .begin_object()
      .key("error")
      .begin_object()
      .member("code", "forward_failed")
      .member("message", message)
      .end_object()
      .end_object();
  http::HeaderMap fields;
  fields.set("content-type", "application/json");
  fields.set("cache-control", "no-store");
  const http::ResponseHead head{.status = status, .reason = {}, .headers = fields.list()};
  (void)co_await exchange.respond(head, body);
}

net::Task<Result<std::string>> read_all(http::ServerExchange& exchange) {
  std::string body;
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) co_return fail(std::move(piece).error());
    if (piece->empty()) co_return body;
    body += *piece;
  }
}

std::string head_for(const http::RequestHead& from, std::string_view target,
                     const http::Origin& origin) {
  http::RequestBuilder head(from.method, target, http::host_field(origin));
  for (const std::string_view name : {"content-type", "accept"}) {
    if (const auto value = from.headers.find(name)) head.header(name, *value);
  }
  head.header("user-agent", "weir-console");
  if (const auto key = from.headers.find("x-weir-key"); key && !key->empty()) {
    head.header("authorization", "Bearer " + std::string(*key));
  }
  return std::string(head.text());
}

// What a page may see of the answer: its kind and Weir's own fields.
http::HeaderMap fields_of(const http::ResponseHead& from) {
  http::HeaderMap fields;
  for (const http::Header& field : from.headers) {
    const bool own = field.name.starts_with("x-weir-") || field.name.starts_with("x-ratelimit-");
    if (own || field.name == "content-type" || field.name == "retry-after") {
      fields.add(field.name, field.value);
    }
  }
  fields.set("cache-control", "no-store");
  fields.set("x-content-type-options", "nosniff");
  // What a model made is data: no browser is to take it for a page.
  fields.set("content-security-policy", "default-src 'none'; sandbox");
  return fields;
}

net::Task<void> stream(http::ClientExchange& from, http::ServerExchange& to) {
  const auto response = co_await from.response();
  if (!response) {
    co_await refuse(
        to, 502, fmt::format("The public address does not answer: {}", response.error().message()));
    co_return;
  }
  const http::HeaderMap fields = fields_of(**response);
  const http::ResponseHead head{
      .status = (*response)->status, .reason = {}, .headers = fields.list()};
  if (!co_await to.begin(head)) co_return;
  while (true) {
    const auto piece = co_await from.read_body();
    if (!piece) {
      to.abort();
      co_return;
    }
    if (piece->empty()) break;
    if (!co_await to.write(*piece)) co_return;
  }
  (void)co_await to.finish();
}

}  // namespace

net::Task<void> Forward::serve(http::ServerExchange& exchange, std::string address) {
  const http::RequestHead& head = exchange.head();
  auto origin = http::parse_origin(address);
  if (!origin) {
    co_await refuse(exchange, 500, "The public address cannot be called: " + address);
    co_return;
  }
  // It is this process: its certificate names the host that clients use, not this address.
  origin->tls_verify = false;
  if (running_ >= kForwardsMax) {
    co_await refuse(exchange, 503, "Too many calls from consoles at once.");
    co_return;
  }
  auto body = co_await read_all(exchange);
  if (!body) {
    co_await refuse(exchange, 413, "The body is over the admin API's limit.");
    co_return;
  }
  const std::string text = head_for(head, head.target.substr(kForwardPath.size()), *origin);
  const std::string_view pieces[] = {*body};
  http::ClientRequest request{.head = text};
  if (!body->empty()) request.body = pieces;
  ++running_;
  auto started = co_await client_.start(*origin, request);
  if (!started) {
    --running_;
    co_await refuse(
        exchange, 502,
        fmt::format("The public address does not answer: {}", started.error().message()));
    co_return;
  }
  http::ClientExchange& call = **started;
  exchange.on_client_gone([&call] { call.cancel({ErrorCode::closed, "the console left"}); });
  co_await stream(call, exchange);
  exchange.on_client_gone({});
  --running_;
}

}  // namespace weir::admin
