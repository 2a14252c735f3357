// Client: what Weir says to a Nacos server (open API, version 2): instances of services with their
// weights, and documents of the configuration center. Logs in where there is a user, again when its
// token is refused. One thread. Limits: kAnswerBytes an answer, kCallTime a call.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "http/client.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::fleet::nacos {

inline constexpr size_t kAnswerBytes = size_t{64} << 20;
inline constexpr Nanoseconds kCallTime = std::chrono::seconds(10);

struct Address {
  http::Origin origin{};
  std::string prefix = "/nacos";
  std::string space{};  // namespaceId; empty: public
  std::string user{};
  Secret password{};
};
// "http://nacos:8848", with a path where Nacos is not below /nacos.
Result<Address> parse_address(std::string_view url);

struct Instance {
  std::string ip;
  uint16_t port = 0;
  std::string cluster;
  double weight = 1;
  bool ephemeral = true;
};

class Client {
 public:
  // Both outlive the client.
  Client(net::Loop& loop, net::Dialer& dialer, Address address);

  // The enabled instances of a service.
  net::Task<Result<std::vector<Instance>>> list(std::string service, std::string group);
  // Writes the weight that stands in `instance`.
  net::Task<Result<void>> update(std::string service, std::string group, Instance instance);
  // not_found where there is no such document.
  net::Task<Result<std::string>> read(std::string id, std::string group);
  net::Task<Result<void>> write(std::string id, std::string group, std::string content);

 private:
  using Form = std::vector<std::pair<std::string, std::string>>;
  // The member `data` of the answer, as it stands in it.
  net::Task<Result<std::string>> call(std::string method, std::string path, Form form);
  struct Answer {
    int status = 0;
    std::string body;
  };
  net::Task<Result<Answer>> send(std::string method, std::string path, Form form);
  net::Task<Result<void>> log_in();

  net::Loop& loop_;
  const Address address_;
  http::Client http_;
  std::string token_;
};

}  // namespace weir::fleet::nacos
