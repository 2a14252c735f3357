// Node: one fleet with its clock and its API, put together: the scheduler behind HTTP. `weir fleet
// serve` runs one on its main thread; tests run one on a manual clock over memory streams. Owns
// everything it is made of; the loop outlives it. One thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "fleet/api.h"
#include "fleet/fleet.h"
#include "fleet/keeper.h"
#include "fleet/mirror.h"
#include "fleet/narrator.h"
#include "fleet/ops.h"
#include "fleet/scraper.h"
#include "fleet/ticker.h"
#include "http/server.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"

namespace weir::fleet {

struct Declared {
  ServiceSpec service;
  std::vector<EndpointSpec> endpoints;
};

struct NodeOptions {
  FleetOptions fleet{};
  ApiOptions api{};
  size_t connections_max = 65'536;
  std::string data_dir{};  // empty: nothing is kept
  std::vector<MirrorOptions> mirrors{};
  std::vector<ScrapeJob> scrapes{};
};

class Node {
 public:
  // Opens data_dir, where one is given, and goes on with what lies there. What cannot be read any
  // more is said in the log and left out. already_exists: another process uses data_dir.
  static Result<std::unique_ptr<Node>> open(net::Loop& loop, NodeOptions options);
  // Without data_dir. The first second of `options.fleet` is set from the loop's clock.
  Node(net::Loop& loop, NodeOptions options);
  ~Node();

  // io_error names the address. HTTPS where a context is given.
  Result<net::Address> listen(const net::Address& address,
                              std::shared_ptr<const net::TlsServerContext> tls = nullptr);
  // What the configuration declares: it is put in, and what it declared before and does not any
  // more is taken out.
  Result<void> declare(const std::vector<Declared>& all);
  // Whom to scrape, from the next second on.
  void scrape(std::vector<ScrapeJob> jobs);
  // Sends everything to the standbys, and begins to scrape. The client outlives the node.
  void reach_out(http::Client& client);
  // Begins to close seconds.
  void start();
  // Writes the last snapshot and waits for it.
  void save_and_stop();
  // Lets running requests end, for at most `limit`.
  net::Task<void> drain(Nanoseconds limit);

  Fleet& fleet() { return *fleet_; }
  Ticker& ticker() { return *ticker_; }
  Api& api() { return *api_; }
  http::Server& server() { return *server_; }

 private:
  Result<void> load();
  void after_tick();
  void save();
  void write_metrics(observe::Exposition& e);

  net::Loop& loop_;
  NodeOptions options_;
  std::unique_ptr<Keeper> keeper_;
  OpWriter kept_{false};
  Observers observers_;
  uint32_t next_save_ = 0;  // second
  uint64_t snapshots_seen_ = 0;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Ticker> ticker_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Narrator> narrator_;
  std::unique_ptr<http::Server> server_;
  std::vector<std::unique_ptr<Mirror>> mirrors_;
  std::unique_ptr<Scraper> scraper_;
};

}  // namespace weir::fleet
