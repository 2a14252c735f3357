// What HAProxy's runtime API says about the servers of a backend (management.txt, "show servers
// state", format 1), and the commands that bring them to a table's weights. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fleet/feed.h"

namespace weir::fleet::haproxy {

struct ServerState {
  std::string name;
  std::string address;  // "10.0.0.1:80"
  uint32_t admin = 0;   // bits of srv_admin_state
  int64_t weight = 0;   // srv_uweight, in effect
};

// invalid_argument: HAProxy said something else, which is the message.
Result<std::vector<ServerState>> read_servers_state(std::string_view text);

struct Plan {
  std::vector<std::string> commands;
  size_t weights = 0;    // commands that set a weight
  size_t unmatched = 0;  // endpoints that no server stands for
};
// A server stands for the endpoint of its name, or else of its address. Weights go from 0 to 256,
// 256 for the largest full weight of the service; 1 is the least that an endpoint gets that is not
// drained. What is drained gets weight 0 and the state "drain"; a server that is found in just this
// state is made ready again when the weight returns, one that an operator drained or put into
// maintenance is left so.
Plan plan_commands(std::string_view backend, const ServiceView& view,
                   const std::vector<ServerState>& servers);

}  // namespace weir::fleet::haproxy
