// InstanceSink: weights to the instances of Nacos services. A round lists the instances and writes
// the weights that differ, what falls first; every write is one of Raft's in Nacos, so a token
// bucket holds them to `writes_per_second`, and a round ends when it is empty: the next goes on
// from what is then the present. An instance is found by address and port. 1 is a standard machine;
// what is drained gets 0, and stays enabled, because Nacos does not list what is not. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleet/nacos/client.h"
#include "fleet/sink.h"

namespace weir::fleet::nacos {

struct NamedService {
  std::string service;
  std::string name;  // in Nacos
  std::string group = "DEFAULT_GROUP";
};

class InstanceSink final : public Sink {
 public:
  InstanceSink(net::Loop& loop, Feed& feed, std::unique_ptr<net::Dialer> dialer, Address address,
               std::vector<NamedService> services, uint32_t writes_per_second, SinkOptions options);
  ~InstanceSink() override { stop(); }

 private:
  net::Task<Result<void>> round() override;
  bool take_token();

  std::unique_ptr<net::Dialer> dialer_;
  Client client_;
  const std::vector<NamedService> services_;
  const double rate_;
  double tokens_;
  Nanoseconds refilled_;
};

}  // namespace weir::fleet::nacos
