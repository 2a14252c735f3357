// Node: one fleet with its clock and its API, put together: the scheduler behind HTTP. `weir fleet
// serve` runs one on its main thread; tests run one on a manual clock over memory streams. Owns
// everything it is made of; the loop outlives it. One thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "fleet/api.h"
#include "fleet/fleet.h"
#include "fleet/narrator.h"
#include "fleet/ticker.h"
#include "http/server.h"
#include "net/address.h"
#include "net/loop.h"

namespace weir::fleet {

struct NodeOptions {
  FleetOptions fleet{};
  ApiOptions api{};
  size_t connections_max = 65'536;
};

class Node {
 public:
  // The first second of `options.fleet` is set from the loop's clock.
  Node(net::Loop& loop, NodeOptions options);
  ~Node();

  // io_error names the address.
  Result<net::Address> listen(const net::Address& address);
  // Begins to close seconds.
  void start();
  // Lets running requests end, for at most `limit`.
  net::Task<void> drain(Nanoseconds limit);

  Fleet& fleet() { return *fleet_; }
  Ticker& ticker() { return *ticker_; }
  Api& api() { return *api_; }
  http::Server& server() { return *server_; }

 private:
  net::Loop& loop_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Ticker> ticker_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Narrator> narrator_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace weir::fleet
