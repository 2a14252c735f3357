// Backend: what the admin API needs of the process it runs in. app/ implements it; tests script it.
// Control-plane thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "access/key_store.h"
#include "base/result.h"
#include "gateway/counters.h"
#include "gateway/probe_plan.h"
#include "gateway/snapshot.h"
#include "gateway/traffic_control.h"
#include "http/client.h"
#include "http/server.h"
#include "identity/audit_log.h"
#include "identity/people.h"
#include "ledger/alerts.h"
#include "ledger/log_reader.h"
#include "ledger/request_log.h"
#include "net/task.h"
#include "state/keeper.h"

namespace weir::admin {

// A copy of one worker's counters, made by that worker between two turns of its loop.
struct WorkerSample {
  gateway::Counters gateway;
  gateway::TrafficCounters traffic;
  http::ServerCounters server;
  http::ClientCounters client;
  uint64_t tls_handshakes_in = 0;
  uint64_t tls_handshakes_out = 0;
  uint64_t tls_resumed_out = 0;
};

// A counter slot's name: slots stay when what they count is no longer configured.
struct SlotNames {
  struct Deployment {
    std::string name;   // "account/model"
    std::string model;  // the configured model it serves
    std::string account;
    std::string provider;
  };
  std::vector<Deployment> deployments;  // by Deployment::slot
  std::vector<std::string> models;      // by Model::slot
};

class Backend {
 public:
  virtual ~Backend() = default;

  // One sample per worker; of a worker that does not answer within a second its last one: counters
  // must not seem to go back.
  virtual net::Task<std::vector<WorkerSample>> sample() = 0;
  virtual const SlotNames& slot_names() const = 0;
  virtual std::shared_ptr<const gateway::Snapshot> snapshot() const = 0;

  // Reads the configuration again and swaps it in; the new generation. On an error the running
  // configuration stays and the message holds every problem, one a line.
  virtual Result<uint64_t> reload() = 0;
  // Keys were made, changed or revoked in the store: builds and swaps in the next snapshot.
  virtual Result<uint64_t> keys_changed() = 0;

  virtual access::KeyStore& keys() = 0;
  virtual identity::People& people() = 0;
  virtual identity::AuditLog& audit() = 0;
  virtual const ledger::LogReader& ledger() const = 0;
  virtual ledger::LogHealth ledger_health() const = 0;
  virtual state::KeeperSample state_sample() const = 0;
  // Every budget in use and what is spent of it.
  virtual std::vector<ledger::BudgetStanding> budgets() const = 0;
  virtual ledger::AlertCounts alert_counts() const = 0;
  // The scheduler of the deployments' weights.
  virtual gateway::TrafficControl& traffic() = 0;
  // When sick deployments are asked by Weir itself.
  virtual const gateway::ProbePlan& probes() const = 0;
  // An operator's word changed a weight: the workers get the new ones.
  virtual void publish_weights() = 0;
  // Wall milliseconds at which the process started.
  virtual int64_t started_ms() const = 0;
  virtual std::string version() const = 0;
  // The address of the public listener, for the snippets that the pages show.
  virtual std::string public_address() const = 0;
};

}  // namespace weir::admin
