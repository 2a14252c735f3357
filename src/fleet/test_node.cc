#include "fleet/test_node.h"

#include <fmt/format.h>

#include "base/text.h"

namespace weir::fleet {

std::string Answer::field(std::string_view name) const {
  for (const std::string_view line : split(head, '\n')) {
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && equals_ignore_case(line.substr(0, colon), name))
      return std::string(trim(line.substr(colon + 1)));
  }
  return {};
}

void NodeTest::make(NodeOptions options) {
  node_ = nullptr;
  node_ = std::make_unique<Node>(loop_, std::move(options));
  node_->start();
}

Open NodeTest::begin(std::string_view path, std::string_view fields) {
  auto [ours, theirs] = net::memory_pair(loop_, {});
  node_->server().serve_connection(std::move(theirs));
  Open open{std::move(ours), {}};
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", path, fields);
  (void)open.stream->try_write(request);
  loop_.run_until_idle();
  return open;
}

void NodeTest::receive(Open& open) {
  std::string room(64 * 1024, '\0');
  while (true) {
    loop_.run_until_idle();
    const net::IoResult io = open.stream->try_read(room);
    if (io.status != net::IoStatus::ok) return;
    open.received.append(room, 0, io.bytes);
  }
}

Answer NodeTest::ask(std::string_view method, std::string_view path, std::string_view body,
                     std::string_view fields) {
  auto [ours, theirs] = net::memory_pair(loop_, {});
  node_->server().serve_connection(std::move(theirs));
  const std::string request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Length: {}\r\n{}\r\n{}",
      method, path, body.size(), fields, body);
  std::string_view left = request;
  Open open{std::move(ours), {}};
  for (int turns = 0; !left.empty() && turns < 100'000; ++turns) {
    const net::IoResult io = open.stream->try_write(left);
    if (io.status == net::IoStatus::ok) left.remove_prefix(io.bytes);
    loop_.run_until_idle();
  }
  receive(open);
  Answer answer;
  const size_t end = open.received.find("\r\n\r\n");
  if (end == std::string::npos) return answer;
  answer.head = open.received.substr(0, end);
  answer.body = open.received.substr(end + 4);
  answer.status = static_cast<int>(parse_int64(answer.head.substr(9, 3)).value_or(0));
  return answer;
}

void NodeTest::add_service(const std::string& service, uint32_t count) {
  ASSERT_TRUE(node_->fleet().put_service({.name = service}));
  for (uint32_t i = 0; i < count; ++i) {
    EndpointSpec spec;
    spec.info.name = fmt::format("e{}", i);
    spec.info.address = fmt::format("10.0.0.{}", i + 1);
    spec.info.port = 80;
    spec.info.zone = "z1";
    ASSERT_TRUE(node_->fleet().put_endpoint(service, spec));
  }
}

void NodeTest::report(const std::string& service, uint32_t count, uint32_t bad, uint32_t errors,
                      const std::string& reporter, double bad_ms) {
  std::string body = fmt::format(R"({{"reporter":"{}","samples":[)", reporter);
  for (uint32_t i = 0; i < count; ++i) {
    body += fmt::format(
        R"({}{{"service":"{}","endpoint":"e{}","second":{},"requests":10,"errors":{},"latency_ms":{}}})",
        i == 0 ? "" : ",", service, i, second(), i == bad ? errors : 0, i == bad ? bad_ms : 20.0);
  }
  const Answer answer = ask("POST", "/v1/fleet/samples", body + "]}");
  EXPECT_EQ(answer.status, 200) << answer.body;
}

uint16_t NodeTest::weight(const std::string& service, const std::string& endpoint) {
  const auto view = node_->fleet().view(service);
  for (const EndpointView& e : view->endpoints)
    if (e.info->name == endpoint) return e.weight;
  ADD_FAILURE() << "there is no " << endpoint;
  return 0;
}

}  // namespace weir::fleet
