// Agent: answers HAProxy's agent checks (configuration manual, "agent-check"), for installations
// that rather ask than be told. A check sends the name that `agent-send` gives it,
// "SERVICE/ENDPOINT" and a line feed, and gets one line: "up ready 35%", the percentage of the
// weight that the server has in haproxy.cfg, or "drain". A name that nobody knows gets an empty
// line, which leaves the server as it is, and is counted.
//
// One thread, the feed's. Limits: connections_max checks at once, kNameBytes a name, kCheckTime
// each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fleet/feed.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"
#include "net/tcp.h"

namespace weir::fleet::haproxy {

inline constexpr size_t kNameBytes = 1024;
inline constexpr Nanoseconds kCheckTime = std::chrono::seconds(5);

struct AgentCounters {
  uint64_t checks = 0;
  uint64_t unknown = 0;  // no such service or endpoint
  uint64_t broken = 0;   // no whole name in time
};

class Agent {
 public:
  // Both outlive the agent.
  Agent(net::Loop& loop, Feed& feed, size_t connections_max = 4096);

  // io_error names the address.
  Result<net::Address> listen(const net::Address& address);
  void serve(std::unique_ptr<net::Stream> stream);
  const AgentCounters& counters() const { return counters_; }

 private:
  net::Task<void> check(std::unique_ptr<net::Stream> stream);
  std::string answer(std::string_view name);

  net::Loop& loop_;
  Feed& feed_;
  const size_t connections_max_;
  AgentCounters counters_;
  std::unique_ptr<net::Listener> listener_;
  net::TaskGroup checks_;  // last: the tasks refer to all of the above
};

}  // namespace weir::fleet::haproxy
