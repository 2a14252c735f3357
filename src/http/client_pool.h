// ClientPool: the connections of one client to one origin. Counts those in use, keeps the idle
// ones (last in, first out, so that surplus ones age out), and lets go of an idle connection as
// soon as its provider does. One thread; owned by the client.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "http/client.h"
#include "net/timer.h"

namespace weir::http {

// What a client's pools and exchanges share.
struct ClientCore {
  ClientCore(net::Loop& its_loop, net::Dialer& its_dialer, ClientConfig its_config)
      : loop(its_loop), dialer(its_dialer), config(its_config) {}
  net::Loop& loop;
  net::Dialer& dialer;
  const ClientConfig config;
  ClientCounters counters;
};

// A connection with what the pool needs to know of it.
struct PooledStream {
  std::unique_ptr<net::Stream> stream;
  Nanoseconds opened{0};
};

class ClientPool {
 public:
  ClientPool(ClientCore& core, Origin origin);
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  const Origin& origin() const { return origin_; }
  // An idle connection that is alive as far as one can tell without writing.
  std::optional<PooledStream> take_idle();
  // Opens a connection. limit_exceeded when the origin has as many as it may.
  net::Task<Result<PooledStream>> open(net::Deadline deadline);
  // Gives a connection back that is between messages; closes it when it is surplus or old.
  void give_back(PooledStream connection);
  // Closes a connection that can carry nothing more.
  void discard(PooledStream connection);
  // Counts out a connection that left HTTP.
  void release();
  void close_idle();
  bool unused() const { return open_ == 0; }

 private:
  struct Idle {
    PooledStream connection;
    Nanoseconds since{0};
  };
  void drop(const net::Stream* stream);
  void expire();

  ClientCore& core_;
  const Origin origin_;
  size_t open_ = 0;         // idle, in use and being opened
  std::vector<Idle> idle_;  // by the time of coming back
  net::Timer expiry_;
};

}  // namespace weir::http
