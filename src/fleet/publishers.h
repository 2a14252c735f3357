// Publishers: everything by which weights leave a fleet besides its REST API: xDS, HAProxy's
// sockets and agent checks, and what else is configured. They read the feed and nothing else of the
// fleet. One thread, the feed's; loop and feed outlive them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "fleet/dubbo/rule_sink.h"
#include "fleet/feed.h"
#include "fleet/haproxy/agent.h"
#include "fleet/haproxy/runtime_sink.h"
#include "fleet/nacos/instance_sink.h"
#include "fleet/sink.h"
#include "fleet/xds/server.h"
#include "http/server.h"
#include "net/address.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/task.h"
#include "net/tls.h"
#include "observe/exposition.h"

namespace weir::fleet {

struct PublisherOptions {
  struct Xds {
    net::Address listen;
    xds::Config config{};
    std::shared_ptr<const net::TlsServerContext> tls;
  };
  struct Haproxy {
    std::string name;
    std::string address;  // "unix:/run/haproxy.sock" or "host:port"
    std::vector<haproxy::Backend> backends;
  };
  struct Nacos {
    std::string name;
    nacos::Address address;
    uint32_t writes_per_second = 50;
    std::vector<nacos::NamedService> services;
  };
  struct Dubbo {
    std::string name;
    nacos::Address address;
    std::vector<std::string> applications;
    std::vector<std::string> services;
  };
  std::optional<Xds> xds;
  std::vector<Haproxy> haproxy;
  std::vector<Nacos> nacos;
  std::vector<Dubbo> dubbo;
  std::optional<net::Address> haproxy_agent;
};

// What publishers count, as /metrics shows it.
struct PublisherFigures {
  struct OfSink {
    std::string kind, name;
    SinkCounters counters;
  };
  xds::Counters xds{};
  uint64_t xds_left_out = 0;
  haproxy::AgentCounters agent{};
  std::vector<OfSink> sinks{};
};
void write_metrics(const PublisherFigures& figures, observe::Exposition& out);

class Publishers {
 public:
  // While `standby` says yes the sinks rest: the primary, with the same tables, writes.
  Publishers(net::Loop& loop, Feed& feed, std::function<bool()> standby = {});
  ~Publishers();

  // Listens and begins. io_error names an address that is taken; invalid_argument one that is none.
  Result<void> start(const PublisherOptions& options);
  // Ends the streams of xDS, for at most `limit`; the sinks go on until destruction.
  net::Task<void> drain(Nanoseconds limit);

  // Where xDS and the agent listen, with the ports that the kernel picked.
  const std::optional<net::Address>& xds_address() const { return xds_address_; }
  const std::optional<net::Address>& agent_address() const { return agent_address_; }
  const xds::Server* xds() const { return xds_.get(); }
  const std::vector<std::unique_ptr<Sink>>& sinks() const { return sinks_; }
  PublisherFigures figures() const;

 private:
  Result<std::unique_ptr<net::Dialer>> dialer_to(const std::string& address, net::Origin& origin);
  Result<net::Dialer*> network();

  net::Loop& loop_;
  Feed& feed_;
  const std::function<bool()> standby_;
  // For addresses with names, made when the first is needed.
  std::unique_ptr<net::CaresResolver> resolver_;
  std::unique_ptr<net::TlsClientContext> tls_;
  std::unique_ptr<net::SystemDialer> dialer_;

  std::unique_ptr<xds::Server> xds_;
  std::unique_ptr<http::Server> xds_http_;
  std::optional<net::Address> xds_address_;
  std::unique_ptr<haproxy::Agent> agent_;
  std::optional<net::Address> agent_address_;
  std::vector<std::unique_ptr<Sink>> sinks_;
};

}  // namespace weir::fleet
