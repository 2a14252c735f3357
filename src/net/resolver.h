// Resolver: host names to addresses. The interface is what tests script; CaresResolver is the real
// one: c-ares on the loop's descriptors and timer, A and AAAA, /etc/hosts, numeric hosts and
// localhost without a query. One query per name at a time, shared by all who ask. Answers are kept
// for their TTL (between 5 s and 1 h), "no such name" for 5 s; when a server fails, an expired
// answer at most `stale_max` old is served and counted. One thread. Limits: `cache_max` names,
// least recently used out first; c-ares asks each server `tries` times.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::net {

class Resolver {
 public:
  virtual ~Resolver() = default;
  // At least one address, families alternating, best first. dns_failure (the message names the host
  // and what the server said) or timeout. Takes the host by value: the frame owns it.
  virtual Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port,
                                                     Deadline deadline) = 0;
};

struct ResolverOptions {
  std::string servers{};  // "127.0.0.1:5353,10.0.0.2"; empty: as the system says
  Milliseconds try_timeout{2000};
  int tries = 3;
  size_t cache_max = 1024;
  Nanoseconds ttl_min = std::chrono::seconds(5);
  Nanoseconds ttl_max = std::chrono::hours(1);
  Nanoseconds negative_ttl = std::chrono::seconds(5);
  Nanoseconds stale_max = std::chrono::minutes(10);
};

class CaresResolver final : public Resolver {
 public:
  struct Counters {
    uint64_t hits = 0;
    uint64_t misses = 0;  // a query was started
    uint64_t shared = 0;  // joined a query in flight
    uint64_t failures = 0;
    uint64_t stale = 0;  // answered with an expired entry because the query failed
    uint64_t evicted = 0;
    size_t entries = 0;
  };

  static Result<std::unique_ptr<CaresResolver>> create(Loop& loop, ResolverOptions options = {});
  ~CaresResolver() override;

  Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port,
                                             Deadline deadline) override;
  Counters counters() const;
  // Forgets every cached answer.
  void flush();

 private:
  class Impl;
  explicit CaresResolver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
