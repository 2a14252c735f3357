// A Nacos in memory, for the tests of what writes to one: answers as version 2's open API does, and
// keeps what it was asked. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"
#include "net/loop.h"
#include "net/memory_stream.h"

namespace weir::fleet {

struct TestInstance {
  std::string ip;
  int port = 0;
  double weight = 1;
};

class TestNacos {
 public:
  // Listens at nacos:8848.
  TestNacos(net::Loop& loop, net::MemoryNetwork& network);

  void up();
  void down() { network_.refuse("nacos", 8848, ErrorCode::connection_refused); }

  // By "group/service", and by "group/id".
  std::map<std::string, std::vector<TestInstance>> instances;
  std::map<std::string, std::string> documents;
  std::string password;           // of user weir; empty: nobody need log in
  std::string token = "token-1";  // that a login gives, and calls must show
  bool refuse_writes = false;
  std::vector<std::string> asked;  // "PUT /nacos/v2/ns/instance", reads left out
  std::vector<std::map<std::string, std::string>> forms;
  int logins = 0;

 private:
  using Form = std::map<std::string, std::string>;
  static net::Task<void> serve(http::ServerExchange& exchange, TestNacos& nacos);
  std::string answer(std::string_view method, std::string_view path, const Form& form, int& status);

  net::MemoryNetwork& network_;
  http::Server server_;
};

}  // namespace weir::fleet
