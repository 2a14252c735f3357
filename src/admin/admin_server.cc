#include "admin/admin_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "admin/console.h"
#include "admin/page.h"
#include "admin/routes.h"
#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/log.h"

namespace weir::admin {
namespace {

http::ServerConfig server_config() {
  http::ServerConfig config;
  config.body_bytes_max = AdminServer::kBodyBytesMax;
  config.connections_max = 256;
  return config;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_exists:
      return 409;
    case ErrorCode::permission_denied:
      return 403;
    case ErrorCode::limit_exceeded:
      return 413;
    case ErrorCode::timeout:
      return 504;
    case ErrorCode::unavailable:
      return 503;
    default:
      return 500;
  }
}

Reply error_reply(int status, std::string_view code, std::string_view message) {
  Reply reply{.status = status, .body = {}};
  json::Writer(reply.body)
      .begin_object()
      .key("error")
      .begin_object()
      .member("code", code)
      .member("message", message)
      .end_object()
      .end_object();
  return reply;
}

// "host", "host:port" or "[v6]:port" that can only mean this machine.
bool is_loopback_name(std::string_view host) {
  if (host.starts_with("[::1]")) return host.size() == 5 || host[5] == ':';
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

bool is_local_request(const http::RequestHead& head) {
  if (!is_loopback_name(head.host)) return false;
  const auto origin = head.headers.find("origin");
  if (!origin) return true;
  const size_t scheme = origin->find("://");
  return scheme != std::string_view::npos && is_loopback_name(origin->substr(scheme + 3));
}

std::map<std::string, std::string> parse_query(std::string_view query) {
  std::map<std::string, std::string> pairs;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals));
    const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())));
    if (name && value && !name->empty()) pairs[*name] = *value;
  }
  return pairs;
}

// Whether the path fits the pattern; what stands for {id} goes to `value`.
bool fits(std::string_view pattern, std::string_view path, std::string& value) {
  const size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path;
  const std::string_view tail = pattern.substr(pattern.find('}') + 1);
  if (!path.starts_with(pattern.substr(0, open)) || !path.ends_with(tail)) return false;
  if (path.size() <= open + tail.size()) return false;
  const std::string_view middle = path.substr(open, path.size() - open - tail.size());
  if (middle.find('/') != std::string_view::npos) return false;
  value = percent_decode(middle).value_or("");
  return !value.empty();
}

struct Match {
  const Route* route = nullptr;
  bool path_known = false;
  std::string value;
};

Match match(const http::RequestHead& head) {
  Match found;
  for (const Route& route : routes()) {
    if (!fits(route.path, head.path, found.value)) continue;
    found.path_known = true;
    if (route.method != head.method) continue;
    found.route = &route;
    return found;
  }
  return found;
}

bool presents_token(const http::RequestHead& head, const Secret& token) {
  const std::string_view value = head.headers.get("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  return value.starts_with(kBearer) && token.equals(value.substr(kBearer.size()));
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

net::Task<Reply> call(Backend& backend, http::ServerExchange& exchange, const Match& found) {
  const http::RequestHead& head = exchange.head();
  auto body = co_await read_all(exchange);
  if (!body) co_return error_reply(413, "too_large", "The body is over 1 MiB.");
  json::Document document;
  if (!body->empty()) {
    if (auto parsed = document.parse(*body); !parsed) {
      co_return error_reply(400, "invalid_json", parsed.error().message());
    }
  }
  const Request request{.method = head.method,
                        .path_value = found.value,
                        .query = parse_query(head.query),
                        .body = document.root()};
  auto reply = co_await found.route->handler(backend, request);
  if (reply) co_return std::move(*reply);
  const Error& error = reply.error();
  co_return error_reply(status_of(error.code()), to_string(error.code()), error.message());
}

net::Task<void> send_file(http::ServerExchange& exchange, ConsoleReply file) {
  file.headers.set("x-content-type-options", "nosniff");
  file.headers.set("referrer-policy", "no-referrer");
  const http::ResponseHead head{
      .status = file.status, .reason = {}, .headers = file.headers.list()};
  // A client that is gone needs no answer.
  (void)co_await exchange.respond(head, file.body);
}

net::Task<Reply> answer(Backend& backend, const Secret& token, http::ServerExchange& exchange) {
  const http::RequestHead& head = exchange.head();
  if (head.path == "/healthz") co_return Reply{.body = R"({"status":"ok"})"};
  if (token.empty() && !is_local_request(head)) {
    co_return error_reply(403, "forbidden",
                          "Without admin.token the admin API answers only to this machine.");
  }
  if (const Page* page = find_page(head.path); page != nullptr && head.method == "GET") {
    co_return Reply{.content_type = std::string(page->content_type),
                    .body = std::string(page->body)};
  }
  if (!token.empty() && !presents_token(head, token)) {
    co_return error_reply(401, "unauthorized",
                          "Send the admin token as \"Authorization: Bearer ...\" (admin.token in "
                          "the configuration).");
  }
  const Match found = match(head);
  if (found.route != nullptr) co_return co_await call(backend, exchange, found);
  if (found.path_known) {
    co_return error_reply(405, "method_not_allowed",
                          fmt::format("{} is not a method of this path.", head.method));
  }
  co_return error_reply(404, "not_found",
                        "No such path. GET /api/v1/openapi.json lists all of them.");
}

}  // namespace

AdminServer::AdminServer(net::Loop& loop, Secret token, Backend& backend)
    : token_(std::move(token)),
      backend_(backend),
      server_(loop, server_config(),
              [this](http::ServerExchange& exchange) { return serve(exchange); }) {}

AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::start(net::Loop& loop,
                                                        const net::Address& address, Secret token,
                                                        Backend& backend) {
  auto admin = std::make_unique<AdminServer>(loop, std::move(token), backend);
  net::ListenOptions options;
  options.address = address;
  options.reuse_port = false;
  WEIR_TRY(auto listener, net::Listener::open(loop, options));
  admin->address_ = listener->address();
  admin->server_.listen(std::move(listener));
  return admin;
}

net::Task<void> AdminServer::serve(http::ServerExchange& exchange) {
  // Files hold no secret and need no token, but only this machine sees them where there is none.
  if (!token_.empty() || is_local_request(exchange.head())) {
    if (auto file = Console::embedded().answer(exchange.head())) {
      co_await send_file(exchange, std::move(*file));
      co_return;
    }
  }
  const http::RequestHead& request = exchange.head();
  if (forward_ && request.path.starts_with(kForwardPath) &&
      (token_.empty() ? is_local_request(request) : presents_token(request, token_))) {
    co_await forward_->serve(exchange, backend_.public_address());
    co_return;
  }
  const Reply reply = co_await answer(backend_, token_, exchange);
  http::HeaderMap fields;
  fields.set("content-type", reply.content_type);
  fields.set("cache-control", "no-store");
  fields.set("x-content-type-options", "nosniff");
  fields.set("content-security-policy",
             "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
  fields.set("referrer-policy", "no-referrer");
  if (exchange.head().method != "GET") {
    log::info("admin", {{"method", exchange.head().method},
                        {"path", exchange.head().path},
                        {"status", reply.status}});
  }
  const http::ResponseHead head{.status = reply.status, .reason = {}, .headers = fields.list()};
  // A client that is gone needs no answer.
  (void)co_await exchange.respond(head, reply.body);
}

}  // namespace weir::admin
