// ControlPlane: the process around the workers. It reads the configuration, composes snapshots and
// publishes them, keeps access tokens fresh, serves the admin API, watches the configuration file
// and the signals, and drains. One thread: the one that calls run().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/backend.h"
#include "app/alert_sender.h"
#include "app/anomaly_desk.h"
#include "app/compose.h"
#include "app/config/config.h"
#include "app/config/load.h"
#include "app/data_plane.h"
#include "app/managed.h"
#include "identity/people.h"
#include "ledger/request_log.h"
#include "net/signals.h"
#include "net/timer.h"
#include "provider/token.h"
#include "state/keeper.h"
#include "store/directory_lock.h"
#include "vault/records.h"

namespace weir::admin {
class AdminServer;
}
namespace weir::sim {
class EmbeddedProvider;
}

namespace weir::app {

struct ServeOptions {
  std::string config_path;  // empty: demo mode
  std::string data_dir;     // overrides the configuration's; empty: as configured
};

class ControlPlane final : public admin::Backend {
 public:
  // How often the configuration file and the key store are looked at. A changed file is read at the
  // second look that finds it the same.
  static constexpr Milliseconds kWatchInterval{1'000};
  // How often the deployments' weights are judged.
  static constexpr Milliseconds kTrafficInterval{1'000};

  explicit ControlPlane(ServeOptions options);
  ~ControlPlane() override;

  // Everything up to serving. Errors are for a person: every problem, one a line.
  Result<void> start();
  // Serves until SIGTERM or SIGINT and the drain after it. The exit status.
  int run();

  // admin::Backend
  net::Task<std::vector<admin::WorkerSample>> sample() override;
  const admin::SlotNames& slot_names() const override { return composer_->slot_names(); }
  std::shared_ptr<const gateway::Snapshot> snapshot() const override { return snapshot_; }
  Result<uint64_t> reload() override;
  Result<uint64_t> keys_changed() override;
  Result<std::vector<admin::ConfiguredObject>> configured(std::string_view kind) override;
  Result<void> add_configured(std::string_view kind, json::Value object) override;
  Result<void> change_configured(std::string_view kind, const std::string& name,
                                 json::Value change) override;
  Result<void> remove_configured(std::string_view kind, const std::string& name) override;
  net::Task<Result<admin::AccountProbe>> probe(std::string name) override;
  access::KeyStore& keys() override { return *keys_; }
  identity::People& people() override { return *people_; }
  identity::AuditLog& audit() override { return *audit_; }
  const ledger::LogReader& ledger() const override { return *reader_; }
  ledger::LogHealth ledger_health() const override { return log_->health(); }
  state::KeeperSample state_sample() const override { return keeper_->sample(); }
  std::vector<ledger::BudgetStanding> budgets() const override {
    return composer_->limits().standings(clock_.wall_ms());
  }
  ledger::AlertCounts alert_counts() const override { return alerts_->counts(); }
  Result<std::vector<ledger::ToldAnomaly>> anomalies(int64_t limit) override {
    return alerts_->anomalies(limit);
  }
  admin::AnomalyState anomaly_state() const override;
  gateway::TrafficControl& traffic() override { return *traffic_; }
  const gateway::ProbePlan& probes() const override { return probes_; }
  void publish_weights() override;
  int64_t started_ms() const override { return started_ms_; }
  std::string version() const override;
  std::string public_address() const override;

  const Config& config() const { return config_; }
  std::string admin_address() const;
  bool is_demo() const { return options_.config_path.empty(); }

 private:
  // A change of what is managed that is to be checked and then made; without text: a removal.
  struct Change {
    std::string kind;
    std::string name;
    Secret text;
  };
  Result<Config> load_config(const Change* change = nullptr);
  Result<std::vector<ManagedItem>> managed(const Config& file, const Change* change);
  Result<void> open_records(const Config& config);
  Result<vault::Record> record_of(std::string_view kind, const std::string& name);
  Result<void> make_change(const Change& change);
  Result<uint64_t> apply(Config config);
  Result<void> open_stores();
  Result<void> start_admin();
  void configure_admin(const Config& config);
  Result<uint64_t> publish(const Config& config);
  Result<std::shared_ptr<const net::TlsServerContext>> load_tls(const Server& server) const;
  void judge_traffic();
  void watch();
  void watch_file();
  void watch_keys();
  void watch_records();
  void watch_budgets();
  void watch_anomalies();
  void on_signal(int signal);
  void reload_and_log(std::string_view why);

  ServeOptions options_;
  SystemClock clock_;
  net::Loop loop_;
  int64_t started_ms_;
  Config config_;
  std::unique_ptr<sim::EmbeddedProvider> demo_;
  store::DirectoryLock data_lock_;  // held as long as anything below writes
  std::shared_ptr<access::KeyHasher> hasher_;
  std::optional<access::KeyStore> keys_;
  std::unique_ptr<identity::People> people_;
  std::optional<identity::AuditLog> audit_;
  std::optional<vault::Records> records_;  // once there are any
  std::unique_ptr<ledger::RequestLog> log_;
  std::unique_ptr<state::Keeper> keeper_;
  std::optional<ledger::LogReader> reader_;
  std::optional<ledger::AlertBook> alerts_;
  std::optional<AnomalyDesk> anomalies_;
  std::unique_ptr<Composer> composer_;
  std::shared_ptr<const gateway::Snapshot> snapshot_;
  uint64_t generation_ = 0;
  std::vector<admin::WorkerSample> samples_;  // every worker's last one
  net::TlsTicketKeys ticket_keys_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<TransportClients> clients_;
  std::unique_ptr<provider::TokenKeeper> tokens_;
  std::unique_ptr<AlertSender> alert_sender_;
  std::unique_ptr<DataPlane> plane_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::unique_ptr<net::Signals> signals_;
  std::unique_ptr<net::Timer> watch_timer_;
  std::unique_ptr<gateway::TrafficControl> traffic_;
  gateway::ProbePlan probes_;
  std::unique_ptr<net::Timer> traffic_timer_;
  int64_t file_stamp_ = 0;       // of the file that was read last
  int64_t file_stamp_seen_ = 0;  // at the last look
  int64_t keys_version_ = 0;     // of the key store at the last look
  int64_t records_version_ = 0;  // of what is managed
  bool draining_ = false;
};

}  // namespace weir::app
