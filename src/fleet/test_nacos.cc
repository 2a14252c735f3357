#include "fleet/test_nacos.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/text.h"

namespace weir::fleet {

namespace {

std::string success(std::string_view data) {
  return fmt::format(R"({{"code":0,"message":"success","data":{}}})", data);
}

}  // namespace

TestNacos::TestNacos(net::Loop& loop, net::MemoryNetwork& network)
    : network_(network),
      server_(loop, {}, [this](http::ServerExchange& exchange) { return serve(exchange, *this); }) {
  up();
}

void TestNacos::up() {
  network_.listen("nacos", 8848, [this](std::unique_ptr<net::MemoryStream> stream) {
    server_.serve_connection(std::move(stream));
  });
}

net::Task<void> TestNacos::serve(http::ServerExchange& exchange, TestNacos& nacos) {
  std::string text;
  while (true) {
    const auto piece = co_await exchange.read_body();
    if (!piece) co_return;
    if (piece->empty()) break;
    text.append(*piece);
  }
  const std::string_view target = exchange.head().target;
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.size() < target.size()) text.append(target.substr(path.size() + 1));
  Form form;
  for (const std::string_view pair : split(text, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    form[std::string(pair.substr(0, equals))] = *percent_decode(pair.substr(equals + 1));
  }
  http::ResponseHead head;
  const std::string body = nacos.answer(exchange.head().method, path, form, head.status);
  static_cast<void>(co_await exchange.respond(head, body));
}

std::string TestNacos::answer(std::string_view method, std::string_view path, const Form& form,
                              int& status) {
  const auto field = [&](const std::string& name) {
    const auto found = form.find(name);
    return found == form.end() ? std::string() : found->second;
  };
  status = 200;
  if (method != "GET") {
    asked.push_back(std::string(method) + " " + std::string(path));
    forms.push_back(form);
  }
  if (path == "/nacos/v1/auth/login") {
    ++logins;
    const bool right = field("username") == "weir" && field("password") == password;
    if (right) return fmt::format(R"({{"accessToken":"{}","tokenTtl":18000}})", token);
    status = 403;
    return "unknown user!";
  }
  if (!password.empty() && field("accessToken") != token) {
    status = 403;
    return R"({"code":403,"message":"token invalid!","data":null})";
  }
  if (method != "GET" && refuse_writes) {
    status = 500;
    return R"({"code":30000,"message":"server error","data":"no leader"})";
  }
  if (path == "/nacos/v2/ns/instance/list") {
    std::string hosts;
    for (const TestInstance& one : instances[field("groupName") + "/" + field("serviceName")]) {
      hosts += fmt::format(R"({}{{"ip":"{}","port":{},"weight":{},"healthy":true,"enabled":true,)"
                           R"("ephemeral":true,"clusterName":"DEFAULT","metadata":{{}}}})",
                           hosts.empty() ? "" : ",", one.ip, one.port, one.weight);
    }
    return success(fmt::format(R"({{"name":"x","hosts":[{}]}})", hosts));
  }
  if (path == "/nacos/v2/ns/instance" && method == "PUT") {
    for (TestInstance& one : instances[field("groupName") + "/" + field("serviceName")]) {
      if (one.ip == field("ip") && std::to_string(one.port) == field("port")) {
        one.weight = std::stod(field("weight"));
      }
    }
    return success("\"ok\"");
  }
  if (path == "/nacos/v2/cs/config") {
    const std::string key = field("group") + "/" + field("dataId");
    if (method == "POST") {
      documents[key] = field("content");
      return success("true");
    }
    const auto found = documents.find(key);
    if (found != documents.end()) return success(json::quoted(found->second));
    status = 404;
    return R"({"code":20004,"message":"resource not found","data":"config data not exist"})";
  }
  status = 404;
  return "no such path";
}

}  // namespace weir::fleet
