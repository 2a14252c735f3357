#include "fleet/nacos/client.h"

#include <fmt/format.h>

#include <array>

#include "base/encoding.h"
#include "base/json/document.h"

namespace weir::fleet::nacos {

namespace {

constexpr int kNoSuchDocument = 20004;

std::string encode(const std::vector<std::pair<std::string, std::string>>& form) {
  std::string out;
  for (const auto& [name, value] : form) {
    if (!out.empty()) out += '&';
    out += name + "=" + percent_encode(value);
  }
  return out;
}

}  // namespace

Result<Address> parse_address(std::string_view url) {
  Address address;
  std::string_view rest;
  WEIR_TRY(address.origin, http::parse_origin(url, &rest));
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (!rest.empty()) address.prefix = rest;
  return address;
}

Client::Client(net::Loop& loop, net::Dialer& dialer, Address address)
    : loop_(loop), address_(std::move(address)), http_(loop, dialer) {}

net::Task<Result<Client::Answer>> Client::send(std::string method, std::string path, Form form) {
  if (!token_.empty()) form.emplace_back("accessToken", token_);
  const std::string text = encode(form);
  const bool in_body = method != "GET";
  http::RequestBuilder builder(method, address_.prefix + path + (in_body ? "" : "?" + text),
                               http::host_field(address_.origin));
  if (in_body) builder.header("content-type", "application/x-www-form-urlencoded");
  const std::array<std::string_view, 1> pieces = {text};
  http::ClientRequest request;
  request.head = builder.text();
  if (in_body) request.body = pieces;
  auto exchange = co_await http_.start(address_.origin, request);
  if (!exchange) co_return fail(std::move(exchange.error()));
  net::Timer timer(loop_, [&exchange] {
    (*exchange)->cancel({ErrorCode::timeout, "Nacos did not answer in time"});
  });
  timer.arm(kCallTime);
  const auto head = co_await (*exchange)->response();
  if (!head) co_return fail(head.error());
  Answer answer{.status = (*head)->status, .body = {}};
  while (true) {
    const auto piece = co_await (*exchange)->read_body();
    if (!piece) co_return fail(piece.error());
    if (piece->empty()) co_return answer;
    answer.body += *piece;
    if (answer.body.size() > kAnswerBytes) {
      co_return fail(ErrorCode::limit_exceeded, "Nacos' answer is longer than 64 MiB");
    }
  }
}

net::Task<Result<void>> Client::log_in() {
  token_.clear();
  auto answer = co_await send(
      "POST", "/v1/auth/login",
      {{"username", address_.user}, {"password", std::string(address_.password.reveal())}});
  if (!answer) co_return fail(std::move(answer.error()));
  json::Document document;
  if (answer->status == 200 && document.parse(answer->body)) {
    token_ = document.root()["accessToken"].string_or("");
  }
  if (token_.empty()) {
    co_return fail(ErrorCode::permission_denied, fmt::format("Nacos did not let {} in (status {})",
                                                             address_.user, answer->status));
  }
  co_return Result<void>();
}

net::Task<Result<std::string>> Client::call(std::string method, std::string path, Form form) {
  if (!address_.space.empty()) form.emplace_back("namespaceId", address_.space);
  bool fresh = false;
  if (!address_.user.empty() && token_.empty()) {
    fresh = true;
    if (auto in = co_await log_in(); !in) co_return fail(std::move(in.error()));
  }
  auto answer = co_await send(method, path, form);
  if (!answer) co_return fail(std::move(answer.error()));
  const bool refused = answer->status == 401 || answer->status == 403;
  if (refused && !address_.user.empty() && !fresh) {
    if (auto in = co_await log_in(); !in) co_return fail(std::move(in.error()));
    answer = co_await send(method, path, form);
    if (!answer) co_return fail(std::move(answer.error()));
  }
  json::Document document;
  const bool readable = document.parse(answer->body).has_value();
  const json::Value root = readable ? document.root() : json::Value();
  const auto code = root["code"].as_int64();
  if (answer->status == 200 && code == 0) {
    const json::Value data = root["data"];
    co_return data.is_string() ? data.string_or("") : std::string(data.raw());
  }
  if (code == kNoSuchDocument) co_return fail(ErrorCode::not_found);
  const std::string why = root["message"].string_or("") + " " + root["data"].string_or("");
  co_return fail(ErrorCode::unavailable,
                 fmt::format("Nacos answered {} {} with {}: {}", method, path, answer->status,
                             std::string_view(why).substr(0, 200)));
}

net::Task<Result<std::vector<Instance>>> Client::list(std::string service, std::string group) {
  const auto data = co_await call("GET", "/v2/ns/instance/list",
                                  {{"serviceName", service}, {"groupName", group}});
  if (!data) co_return fail(data.error());
  json::Document document;
  if (auto parsed = document.parse(*data); !parsed) co_return fail(std::move(parsed.error()));
  std::vector<Instance> out;
  for (const json::Value host : document.root()["hosts"].elements()) {
    const auto port = host["port"].as_int64();
    const auto weight = host["weight"].as_double();
    if (!host["ip"].is_string() || !port || *port < 0 || *port > 65'535 || !weight) continue;
    out.push_back({.ip = host["ip"].string_or(""),
                   .port = static_cast<uint16_t>(*port),
                   .cluster = host["clusterName"].string_or("DEFAULT"),
                   .weight = *weight,
                   .ephemeral = host["ephemeral"].as_bool().value_or(true)});
  }
  co_return out;
}

net::Task<Result<void>> Client::update(std::string service, std::string group, Instance instance) {
  // Without metadata: what the instance registered itself with stays in force.
  const auto done = co_await call("PUT", "/v2/ns/instance",
                                  {{"serviceName", service},
                                   {"groupName", group},
                                   {"clusterName", instance.cluster},
                                   {"ip", instance.ip},
                                   {"port", std::to_string(instance.port)},
                                   {"weight", fmt::format("{}", instance.weight)},
                                   {"enabled", "true"},
                                   {"ephemeral", instance.ephemeral ? "true" : "false"}});
  if (!done) co_return fail(done.error());
  co_return Result<void>();
}

net::Task<Result<std::string>> Client::read(std::string id, std::string group) {
  return call("GET", "/v2/cs/config", {{"dataId", std::move(id)}, {"group", std::move(group)}});
}

net::Task<Result<void>> Client::write(std::string id, std::string group, std::string content) {
  const auto done = co_await call("POST", "/v2/cs/config",
                                  {{"dataId", std::move(id)},
                                   {"group", std::move(group)},
                                   {"content", std::move(content)},
                                   {"type", "yaml"}});
  if (!done) co_return fail(done.error());
  if (*done != "true") co_return fail(ErrorCode::unavailable, "Nacos did not take the document");
  co_return Result<void>();
}

}  // namespace weir::fleet::nacos
