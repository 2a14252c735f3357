// A fleet node on a manual clock, asked over memory streams: the fixture of the API's tests. Time
// passes only by pass(). One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "fleet/node.h"
#include "net/memory_stream.h"

namespace weir::fleet {

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  // The value of a field of the head, or empty.
  std::string field(std::string_view name) const;
};

// A connection of which the answer is not waited for.
struct Open {
  std::unique_ptr<net::MemoryStream> stream;
  std::string received;
};

class NodeTest : public testing::Test {
 protected:
  NodeTest() { make({}); }
  void make(NodeOptions options);

  Answer ask(std::string_view method, std::string_view path, std::string_view body = {},
             std::string_view fields = {});
  Answer get(std::string_view path, std::string_view fields = {}) {
    return ask("GET", path, {}, fields);
  }
  // Asks, and returns at once.
  Open begin(std::string_view path, std::string_view fields = {});
  void receive(Open& open);
  // Lets that much time pass; seconds close on the way.
  void pass(Nanoseconds time) { loop_.advance(time); }
  // The second that the clock is in.
  uint32_t second() const { return static_cast<uint32_t>(clock_.wall_ms() / 1000); }

  // Registers `count` endpoints "e0", "e1", ... of one service.
  void add_service(const std::string& service, uint32_t count);
  // Reports each endpoint of the service in the current second, as JSON; `errors` of ten requests
  // fail at endpoint `bad`.
  void report(const std::string& service, uint32_t count, uint32_t bad, uint32_t errors,
              const std::string& reporter = "r1", double bad_ms = 20);
  // The same, and then a second passes.
  void live(const std::string& service, uint32_t count, uint32_t bad, uint32_t errors) {
    report(service, count, bad, errors);
    pass(std::chrono::seconds(1));
  }
  uint16_t weight(const std::string& service, const std::string& endpoint);

  ManualClock clock_;
  net::Loop loop_{clock_};
  std::unique_ptr<Node> node_;
};

}  // namespace weir::fleet
