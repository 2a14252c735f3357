// DataPlane: the workers. Each is one thread with its own loop, listener, resolver, upstream pools
// and gateway::Worker; they share nothing that changes but atomics. The control plane talks to
// them by posted messages only.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "admin/backend.h"
#include "app/config/config.h"
#include "gateway/probe.h"
#include "gateway/worker.h"
#include "http/server.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace weir::app {

// The upstream clients of one thread, one per distinct transport, made when first needed.
class TransportClients final : public gateway::Clients {
 public:
  TransportClients(net::Loop& loop, net::Resolver& resolver, net::DialPolicy policy);
  ~TransportClients() override;
  http::Client& client(const provider::Transport& transport) override;
  // Sums over all of them.
  void sample(admin::WorkerSample& into) const;

 private:
  struct One;
  net::Loop& loop_;
  net::Resolver& resolver_;
  net::DialPolicy policy_;
  std::map<provider::Transport, std::unique_ptr<One>> clients_;
};

class DataPlane {
 public:
  struct Options {
    Server server;
    uint32_t workers = 1;
    ledger::RequestLog* log = nullptr;                 // one port per worker; outlives the plane
    state::Keeper* keeper = nullptr;                   // outlives the plane, stopped before it ends
    std::shared_ptr<const net::TlsServerContext> tls;  // null: plain
    net::DialPolicy policy;                            // of connections to providers
  };

  // Opens the listeners (io_error names the address) and starts the threads.
  static Result<std::unique_ptr<DataPlane>> start(const Options& options,
                                                  std::shared_ptr<const gateway::Snapshot> first);
  ~DataPlane();  // cuts what is still running

  // With the port that the kernel picked.
  net::Address address() const;
  // Any of these may be called from the control thread at any time.
  void publish(std::shared_ptr<const gateway::Snapshot> snapshot);
  void publish_tls(std::shared_ptr<const net::TlsServerContext> tls);
  // Asks every worker for a copy of its counters; `done` is called on `loop` once per worker, with
  // its index.
  using OnSample = std::function<void(size_t worker, admin::WorkerSample)>;
  void sample(net::Loop& loop, const OnSample& done);
  // Asks every worker for what it saw of the deployments since it was asked last; `done` is called
  // on `loop` once per worker, with its index.
  using OnTraffic = std::function<void(size_t worker, std::vector<schedule::Sample>)>;
  void collect(net::Loop& loop, const OnTraffic& done);
  void publish_weights(std::shared_ptr<const gateway::WeightTable> table);
  // Has one worker, another each time, make a call of Weir's own.
  void probe(const gateway::ProbeOrder& order);
  // A call that a person asked for; `done` is called on the asker's loop.
  using OnTrial = std::function<void(gateway::TrialEnd)>;
  void try_model(net::Loop& asker, std::shared_ptr<const gateway::Snapshot> snapshot,
                 const OnTrial& done);
  // Lets running requests end within `deadline`; `done` is called on `loop` when all have.
  void drain(net::Loop& loop, Milliseconds deadline, const std::function<void()>& done);
  size_t workers() const { return threads_.size(); }

 private:
  class WorkerThread;
  DataPlane() = default;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  size_t next_prober_ = 0;
};

}  // namespace weir::app
