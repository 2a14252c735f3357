// Backend: what the admin API needs of the process it runs in. app/ implements it; tests script it.
// Control-plane thread only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/key_store.h"
#include "admin/health.h"
#include "admin/settings.h"
#include "base/json/document.h"
#include "base/result.h"
#include "gateway/counters.h"
#include "gateway/probe_plan.h"
#include "gateway/queue.h"
#include "gateway/snapshot.h"
#include "gateway/traffic_control.h"
#include "http/client.h"
#include "http/server.h"
#include "identity/audit_log.h"
#include "identity/people.h"
#include "jobs/runner.h"
#include "ledger/alerts.h"
#include "ledger/log_reader.h"
#include "ledger/request_log.h"
#include "net/task.h"
#include "state/keeper.h"
#include "store/space.h"

namespace weir::admin {

// A copy of one worker's counters, made by that worker between two turns of its loop.
struct WorkerSample {
  gateway::Counters gateway;
  gateway::TrafficCounters traffic;
  std::array<gateway::QueueCounters, ledger::kPriorities> queue{};
  http::ServerCounters server;
  http::ClientCounters client;
  uint64_t tls_handshakes_in = 0;
  uint64_t tls_handshakes_out = 0;
  uint64_t tls_resumed_out = 0;
};

// How far the detector of anomalies is.
struct AnomalyState {
  int64_t learning_hours = 0;  // still to be learned after a start
  uint64_t unwatched = 0;      // sums beyond its limits
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

// An account or a model as it is in force.
struct ConfiguredObject {
  std::string name;
  std::string definition;  // JSON, with every default filled in; secrets are "<secret>"
  bool from_file = true;   // else made here, and changed here
  std::string key_id;      // made here: the key it is sealed under
  int64_t created_ms = 0;
  int64_t changed_ms = 0;
};

// What an account's provider answered to a call that costs nothing, or to one of a token.
struct AccountProbe {
  bool ok = false;
  int status = 0;       // 0: no answer
  std::string failure;  // the failure's class, or "unsupported"
  std::string detail;
  std::vector<std::string> models;  // that it names
  Milliseconds took{0};
  // Of a real call.
  std::string request_id = {};
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  Money cost = {};
  std::string cost_state = {};
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
  virtual Result<uint64_t> reload(const std::string& by) = 0;
  // Keys were made, changed or revoked in the store: builds and swaps in the next snapshot.
  virtual Result<uint64_t> keys_changed() = 0;

  // Accounts and models; `kind` is "account" or "model", `by` who asks. A change is checked as a
  // whole new configuration, stored sealed and swapped in, or nothing happens. Errors:
  // invalid_argument with every problem, not_found, already_exists (also of what the file has).
  virtual Result<std::vector<ConfiguredObject>> configured(std::string_view kind) = 0;
  virtual Result<void> add_configured(std::string_view kind, json::Value object,
                                      const std::string& by) = 0;
  // Members that are null are taken out, objects are merged.
  virtual Result<void> change_configured(std::string_view kind, const std::string& name,
                                         json::Value change, const std::string& by) = 0;
  virtual Result<void> remove_configured(std::string_view kind, const std::string& name,
                                         const std::string& by) = 0;

  // What is in force and where it comes from, and what another text would change: that is only
  // tried. Neither tells a secret.
  virtual Result<Settings> settings() = 0;
  virtual Result<SettingsCheck> check_settings(std::string_view text) = 0;
  // Configurations that were in force, newest first; what one changed, or what going back to it
  // would; and going back: its text runs until the file has another one. Errors: not_found,
  // invalid_argument with every problem.
  virtual Result<std::vector<Generation>> generations() = 0;
  virtual Result<std::vector<SettingChange>> generation_changes(int64_t id, bool to_running) = 0;
  virtual Result<uint64_t> rollback(int64_t id, const std::string& by) = 0;
  virtual std::optional<Rollback> rolled_back() const = 0;

  virtual net::Task<Result<AccountProbe>> probe(std::string name) = 0;
  // A real call of one token, by the provider's name of a model; it is on the ledger.
  virtual net::Task<Result<AccountProbe>> try_account(std::string name, std::string model) = 0;

  virtual jobs::Runner& jobs() = 0;
  // A job of that kind by its body. Errors: invalid_argument with the field.
  virtual Result<jobs::Order> make_job(std::string_view kind, json::Value body) = 0;

  virtual access::KeyStore& keys() = 0;
  virtual identity::People& people() = 0;
  virtual identity::AuditLog& audit() = 0;
  virtual const ledger::LogReader& ledger() const = 0;
  virtual ledger::LogHealth ledger_health() const = 0;
  // The disk below data_dir, as it was a moment ago.
  virtual store::DirectoryHealth disk() const = 0;
  // What failed on the control plane within a day, newest first.
  virtual std::vector<RecentError> recent_errors() const = 0;
  virtual state::KeeperSample state_sample() const = 0;
  // Every budget in use and what is spent of it.
  virtual std::vector<ledger::BudgetStanding> budgets() const = 0;
  virtual ledger::AlertCounts alert_counts() const = 0;
  // The latest first.
  virtual Result<std::vector<ledger::ToldAnomaly>> anomalies(int64_t limit) = 0;
  virtual AnomalyState anomaly_state() const = 0;
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
