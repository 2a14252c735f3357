// ControlPlane: the process around the workers. It reads the configuration, composes snapshots and
// publishes them, keeps access tokens fresh, serves the admin API, watches the configuration file
// and the signals, and drains. One thread: the one that calls run().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/backend.h"
#include "app/alert_sender.h"
#include "app/anomaly_desk.h"
#include "app/compose.h"
#include "app/config/config.h"
#include "app/config/load.h"
#include "app/data_plane.h"
#include "app/generations.h"
#include "app/managed.h"
#include "identity/people.h"
#include "jobs/runner.h"
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
  Result<uint64_t> reload(const std::string& by) override;
  Result<uint64_t> keys_changed() override;
  Result<std::vector<admin::ConfiguredObject>> configured(std::string_view kind) override;
  Result<void> add_configured(std::string_view kind, json::Value object,
                              const std::string& by) override;
  Result<void> change_configured(std::string_view kind, const std::string& name, json::Value change,
                                 const std::string& by) override;
  Result<void> remove_configured(std::string_view kind, const std::string& name,
                                 const std::string& by) override;
  Result<admin::Settings> settings() override;
  Result<admin::SettingsCheck> check_settings(std::string_view text) override;
  Result<std::vector<admin::Generation>> generations() override;
  Result<std::vector<admin::SettingChange>> generation_changes(int64_t id,
                                                               bool to_running) override;
  Result<uint64_t> rollback(int64_t id, const std::string& by) override;
  std::optional<admin::Rollback> rolled_back() const override;
  net::Task<Result<admin::AccountProbe>> probe(std::string name) override;
  net::Task<Result<admin::AccountProbe>> try_account(std::string name, std::string model) override;
  jobs::Runner& jobs() override { return *jobs_; }
  Result<jobs::Order> make_job(std::string_view kind, json::Value body) override;
  access::KeyStore& keys() override { return *keys_; }
  identity::People& people() override { return *people_; }
  identity::AuditLog& audit() override { return *audit_; }
  const ledger::LogReader& ledger() const override { return *reader_; }
  // Of the writer and of the disk: an idle writer does not know that it could not write.
  ledger::LogHealth ledger_health() const override;
  store::DirectoryHealth disk() const override { return disk_; }
  std::vector<admin::RecentError> recent_errors() const override;
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
    std::string by;
  };
  // What a configuration is read from, where that is not the file, or what stands in its place
  // since a rollback, with what is managed.
  struct Reading {
    const Change* change = nullptr;
    const GenerationText* instead = nullptr;
    bool past_override = false;
  };
  // Who made a generation, and why.
  struct Origin {
    std::string by;
    std::string why;
  };
  Result<Config> load_config(const Reading& how);
  Result<Secret> file_text(const Reading& how);
  void add_demo(Config& config) const;
  Result<std::vector<ManagedItem>> managed(const Config& file, const Change* change);
  Result<void> open_records(const Config& config);
  Result<vault::Record> record_of(std::string_view kind, const std::string& name);
  Result<void> make_change(const Change& change);
  Result<uint64_t> apply(Config config, const Origin& origin);
  std::string fingerprint(std::string_view text) const;
  SettingsOrigin origin_of(std::string_view text) const;
  Result<void> open_generations();
  Result<std::shared_ptr<vault::KeyRing>> ring_in_force();
  void remember_generation(const Origin& origin);
  void forget_override_unless_used();
  Result<void> put_managed(const std::vector<ManagedItem>& items);
  Result<void> note_override(int64_t id, const Secret& text);
  Result<void> open_stores();
  Result<void> start_admin();
  void configure_admin(const Config& config);
  Result<uint64_t> publish(const Config& config);
  Result<std::shared_ptr<const net::TlsServerContext>> load_tls(const Server& server) const;
  void judge_traffic();
  void watch();
  void watch_file();
  int64_t file_stamp() const;
  void watch_keys();
  void watch_records();
  void watch_budgets();
  void watch_corrections();
  void watch_disk();
  void note_error(const std::string& what, std::string_view message);
  void on_job_end(std::string_view kind);
  void watch_anomalies();
  void on_signal(int signal);
  void reload_and_log(const std::string& why);

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
  std::optional<Generations> generations_;
  std::optional<Override> override_;  // since a rollback
  Secret override_text_;
  struct Read {
    GenerationText text;
    bool overridden = false;  // and not the file's
  };
  Read read_;            // by the last load
  GenerationText text_;  // in force
  std::unique_ptr<ledger::RequestLog> log_;
  std::unique_ptr<state::Keeper> keeper_;
  std::unique_ptr<jobs::Runner> jobs_;
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
  int64_t corrections_stamp_ = 0;
  store::DirectoryHealth disk_;
  std::vector<admin::RecentError> errors_;  // newest first
  bool draining_ = false;
};

}  // namespace weir::app
