// Forward: hands a call of the console's playground on to this process's own public listener and
// streams the answer back, so that a page at the admin address can call the model APIs without
// asking another origin. What is called is the data plane itself, with the virtual key that the
// page was given: limits, budgets, the ledger and routing are those of any client.
//
//   POST /api/v1/forward/v1/chat/completions   with x-weir-key: the virtual key (none: none)
//
// Lives on the control plane's loop. Limits: bodies as AdminServer's; kForwardsMax at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/client.h"
#include "http/exchange.h"
#include "net/task.h"

namespace weir::admin {

inline constexpr std::string_view kForwardPath = "/api/v1/forward";
inline constexpr uint32_t kForwardsMax = 32;

class Forward {
 public:
  explicit Forward(http::Client& client) : client_(client) {}

  // Answers the exchange, whose path begins with kForwardPath. `address` is the public listener's,
  // as a URL. A client that leaves ends the call.
  net::Task<void> serve(http::ServerExchange& exchange, std::string address);

 private:
  http::Client& client_;
  uint32_t running_ = 0;
};

}  // namespace weir::admin
