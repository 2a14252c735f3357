// Server: xDS over gRPC. A handler for an HTTP/2 server of the fleet's loop: the aggregated service
// (ADS), and the services of single kinds, each in state of the world and incremental.
//
// One coroutine per stream reads what the client says, one writes what StreamState has for it; a
// response is made when the one before has been taken, so that a client that does not read holds
// one response and no more. One thread, the feed's.
//
// Limits: Config. Streams beyond streams_max end at once with RESOURCE_EXHAUSTED, and are counted.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "fleet/feed.h"
#include "fleet/xds/catalog.h"
#include "fleet/xds/grpc.h"
#include "fleet/xds/stream_state.h"
#include "http/exchange.h"
#include "http/server.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::fleet::xds {

struct Config {
  size_t streams_max = 4096;
  size_t request_bytes_max = size_t{4} << 20;
  std::string control_plane = "weir";  // how clients see who tells them
};

// What the HTTP server in front needs: streams stay silent for as long as nothing changes.
http::ServerConfig http_config();

class Server {
 public:
  // Both outlive the server, which outlives the exchanges it serves.
  Server(net::Loop& loop, Feed& feed, Config config = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  net::Task<void> serve(http::ServerExchange& exchange);
  // Ends all streams, so that clients go elsewhere; new ones end at once.
  void stop();

  const Counters& counters() const { return counters_; }
  const Catalog& catalog() const { return catalog_; }

 private:
  struct Stream;
  struct Method;

  static const Method* find_method(std::string_view path);
  net::Task<void> read(Stream& stream);
  net::Task<void> write(Stream& stream);

  net::Loop& loop_;
  const Config config_;
  Catalog catalog_;
  Counters counters_;
  std::vector<Stream*> streams_;
  bool stopped_ = false;
};

}  // namespace weir::fleet::xds
