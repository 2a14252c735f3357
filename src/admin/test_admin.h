// The admin API over in-memory connections, with real stores and a real ledger behind it, and a
// scripted process around them. For tests.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/admin_server.h"
#include "base/json/document.h"
#include "net/memory_stream.h"
#include "store/temporary_directory.h"

namespace weir::admin {

class ScriptedProcess : public Backend {
 public:
  explicit ScriptedProcess(net::Loop& loop)
      : hasher_(std::make_shared<access::KeyHasher>(Secret("installation"))) {
    auto keys = access::KeyStore::open(directory_.path(), hasher_);
    if (!keys) ADD_FAILURE() << keys.error().message();
    keys_.emplace(std::move(*keys));
    auto people = identity::PeopleStore::open(directory_.path(), hasher_);
    if (!people) ADD_FAILURE() << people.error().message();
    people_ = std::make_unique<identity::People>(
        loop, std::move(*people), identity::PasswordCost{.passes = 1, .memory_kib = 8},
        identity::PasswordThread::Mode::inline_for_tests);
    auto audit = identity::AuditLog::open(directory_.path());
    if (!audit) ADD_FAILURE() << audit.error().message();
    audit_.emplace(std::move(*audit));
    auto runner = jobs::Runner::open(directory_.path(), clock_);
    if (!runner) ADD_FAILURE() << runner.error().message();
    jobs_ = std::move(*runner);
    ledger::LogOptions options;
    options.data_dir = directory_.path();
    options.commit_interval = Milliseconds(1);
    auto log = ledger::RequestLog::open(options, clock_);
    if (!log) ADD_FAILURE() << log.error().message();
    log_ = std::move(*log);
    names_.models = {"m"};
    names_.deployments = {{"up/m", "m", "up", "openai"}};
    EXPECT_TRUE(keys_changed());
    traffic_.configure(*snapshot_);
  }

  net::Task<std::vector<WorkerSample>> sample() override { co_return samples; }
  const SlotNames& slot_names() const override { return names_; }
  std::shared_ptr<const gateway::Snapshot> snapshot() const override { return snapshot_; }
  Result<uint64_t> reload(const std::string&) override {
    ++reloads;
    if (!problem.empty()) return fail(ErrorCode::invalid_argument, problem);
    return ++generation;
  }
  Result<uint64_t> keys_changed() override {
    auto next = std::make_shared<gateway::Snapshot>();
    next->generation = ++generation;
    next->models.resize(1);
    next->models[0].name = "m";
    next->models[0].pool = provider::Pool({up_, down_});
    WEIR_TRY(const auto stored, keys_->list(true));
    std::vector<access::KeyEntry> entries;
    access::KeyEntry configured;
    configured.hash = hasher_->hash("configured-secret");
    configured.principal.key_id = configured.principal.name = "from-file";
    configured.principal.masked = "conf...ret";
    entries.push_back(std::move(configured));
    for (const auto& key : stored) access::append_entries(key, nullptr, entries);
    WEIR_TRY(next->keys, access::KeyTable::build(hasher_, std::move(entries)));
    snapshot_ = std::move(next);
    return generation;
  }
  Result<std::vector<ConfiguredObject>> configured(std::string_view kind) override {
    if (kind == "model") return std::vector<ConfiguredObject>();
    std::vector<ConfiguredObject> list{{.name = "up", .definition = R"({"name":"up"})"}};
    for (const auto& [name, text] : made) {
      list.push_back({.name = name,
                      .definition = text,
                      .from_file = false,
                      .key_id = "local:0",
                      .created_ms = 1'780'272'000'000,
                      .changed_ms = 1'780'272'000'000});
    }
    return list;
  }
  Result<void> add_configured(std::string_view, json::Value object, const std::string&) override {
    const std::string name = object["name"].string_or("");
    if (made.contains(name)) return fail(ErrorCode::already_exists, "there is one");
    made[name] = "{}";
    return {};
  }
  Result<void> change_configured(std::string_view, const std::string& name, json::Value change,
                                 const std::string&) override {
    if (!made.contains(name)) return fail(ErrorCode::not_found, "there is none");
    made[name] = change.raw();
    return {};
  }
  Result<void> remove_configured(std::string_view, const std::string& name,
                                 const std::string&) override {
    if (made.erase(name) == 0) return fail(ErrorCode::not_found, "there is none");
    return {};
  }
  Result<Settings> settings() override {
    return Settings{.file = "weir.yaml",
                    .items = {{.path = "server.listen",
                               .value = R"("127.0.0.1:8080")",
                               .source = "default",
                               .doc = "Where",
                               .restart = true},
                              {.path = "admin.token",
                               .value = R"("<secret>")",
                               .source = "file weir.yaml:3",
                               .secret = true}}};
  }
  Result<SettingsCheck> check_settings(std::string_view text) override {
    if (text == "broken") {
      return SettingsCheck{.problems = {{.severity = "error",
                                         .code = "syntax",
                                         .line = 7,
                                         .column = 2,
                                         .path = "server",
                                         .message = "a message"}}};
    }
    return SettingsCheck{.ok = true, .changes = {{.path = "log.level", .after = R"("debug")"}}};
  }
  Result<std::vector<Generation>> generations() override {
    return std::vector<Generation>{{.id = 2,
                                    .time_ms = 9,
                                    .by = "ada",
                                    .why = "w",
                                    .changes = 1,
                                    .kept = true,
                                    .running = true},
                                   {.id = 1, .time_ms = 8, .why = "start", .kept = true}};
  }
  Result<std::vector<SettingChange>> generation_changes(int64_t id, bool to_running) override {
    if (id > 2) return fail(ErrorCode::not_found, "there is none");
    return std::vector<SettingChange>{
        {.path = to_running ? "to.running" : "to.before", .before = "1", .after = "2"}};
  }
  Result<uint64_t> rollback(int64_t id, const std::string& by) override {
    if (id > 2) return fail(ErrorCode::not_found, "there is none");
    gone_back = Rollback{.generation = id, .since_ms = 5};
    last_by = by;
    return ++generation;
  }
  std::optional<Rollback> rolled_back() const override { return gone_back; }
  net::Task<Result<AccountProbe>> probe(std::string name) override {
    if (!made.contains(name)) co_return fail(ErrorCode::not_found, "there is none");
    co_return AccountProbe{.ok = true, .status = 200, .models = {"gpt-4o"}};
  }
  jobs::Runner& jobs() override { return *jobs_; }
  Result<jobs::Order> make_job(std::string_view kind, json::Value body) override {
    if (body["from"].string_or("").empty()) return fail(ErrorCode::invalid_argument, "from");
    return jobs::Order{.kind = std::string(kind),
                       .title = "A title",
                       .unit = "rows",
                       .file_name = kind == "export" ? "rows.csv" : "",
                       .work = work};
  }
  net::Task<Result<AccountProbe>> try_account(std::string name, std::string model) override {
    if (!made.contains(name)) co_return fail(ErrorCode::not_found, "there is none");
    co_return AccountProbe{.ok = true,
                           .status = 200,
                           .models = {model},
                           .request_id = "req_1",
                           .input_tokens = 8,
                           .output_tokens = 1,
                           .cost = Money::from_nano(30'000),
                           .cost_state = "final"};
  }
  access::KeyStore& keys() override { return *keys_; }
  identity::People& people() override { return *people_; }
  identity::AuditLog& audit() override { return *audit_; }
  const std::string& folder() const { return directory_.path(); }
  const ledger::LogReader& ledger() const override { return reader_; }
  ledger::LogHealth ledger_health() const override { return log_->health(); }
  state::KeeperSample state_sample() const override { return {}; }
  store::DirectoryHealth disk() const override { return disk_seen; }
  std::vector<RecentError> recent_errors() const override { return errors; }
  std::vector<ledger::BudgetStanding> budgets() const override {
    return {{.subject = "team/t",
             .rule = {.limit = Money::from_nano(2'000'000'000),
                      .window = ledger::BudgetWindow::rolling,
                      .days = 7,
                      .hard = false},
             .spent = Money::from_nano(1)}};
  }
  ledger::AlertCounts alert_counts() const override { return {.sent = 3}; }
  Result<std::vector<ledger::ToldAnomaly>> anomalies(int64_t limit) override {
    if (limit < 1) return std::vector<ledger::ToldAnomaly>{};
    return std::vector<ledger::ToldAnomaly>{{7, R"({"type":"anomaly","kind":"spend"})"}};
  }
  AnomalyState anomaly_state() const override { return {.learning_hours = 2, .unwatched = 1}; }
  gateway::TrafficControl& traffic() override { return traffic_; }
  const gateway::ProbePlan& probes() const override { return probes_; }
  void publish_weights() override { ++weights_published; }
  int64_t started_ms() const override { return 1'780'272'000'000; }
  std::string version() const override { return "1.2.3"; }
  std::string public_address() const override { return "http://127.0.0.1:8080"; }

  bool accepts(std::string_view key) const {
    return snapshot_->keys.find(key, clock_.wall_ms()).principal != nullptr;
  }
  ledger::RequestRow row(int64_t start_ms) {
    ledger::RequestRow row;
    row.id = ids_.make(start_ms);
    row.start_ms = start_ms;
    row.model_asked = "<script>alert(1)</script>\"\n";
    row.status = 200;
    row.cost_state = ledger::CostState::final;
    return row;
  }
  void write(ledger::RequestRow row) {
    EXPECT_TRUE(log_->port(0).submit(std::move(row)));
    EXPECT_TRUE(log_->flush(std::chrono::seconds(10)));
  }

  // What the jobs do.
  jobs::Work work = [](jobs::Control& control) -> Result<std::string> {
    if (!control.file_path().empty()) std::ofstream(control.file_path()) << "row";
    return std::string("{}");
  };
  std::vector<WorkerSample> samples{1};
  std::map<std::string, std::string> made;  // accounts and models
  std::string problem;
  store::DirectoryHealth disk_seen{.free_bytes = 5'000'000'000, .total_bytes = 9'000'000'000};
  std::vector<RecentError> errors;
  std::optional<Rollback> gone_back;
  std::string last_by;
  int reloads = 0;
  uint64_t generation = 0;
  int weights_published = 0;

 private:
  store::TemporaryDirectory directory_;
  SystemClock clock_;
  IdMaker ids_{0};
  std::shared_ptr<access::KeyHasher> hasher_;
  std::optional<access::KeyStore> keys_;
  std::unique_ptr<identity::People> people_;
  std::optional<identity::AuditLog> audit_;
  std::unique_ptr<ledger::RequestLog> log_;
  std::unique_ptr<jobs::Runner> jobs_;
  ledger::LogReader reader_{directory_.path()};
  static std::shared_ptr<provider::Deployment> deployment(const char* name, uint32_t index) {
    auto made = std::make_shared<provider::Deployment>();
    auto account = std::make_shared<provider::Account>();
    account->name = std::string(name).substr(0, std::string(name).find('/'));
    account->state = std::make_shared<provider::AccountState>();
    made->account = std::move(account);
    made->name = name;
    made->slot = index;
    made->state = std::make_shared<provider::DeploymentState>();
    made->state->index = index;
    return made;
  }
  std::shared_ptr<provider::Deployment> up_ = deployment("up/m", 0);
  std::shared_ptr<provider::Deployment> down_ = deployment("down/m", 1);
  SlotNames names_;
  std::shared_ptr<const gateway::Snapshot> snapshot_;
  gateway::ProbePlan probes_;
  gateway::TrafficControl traffic_{std::chrono::seconds(100), 1'780'272'000'000, 1};
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  json::Value root() {
    EXPECT_TRUE(document.parse(body)) << body;
    return document.root();
  }
  json::Document document;
};

class AdminTest : public testing::Test {
 protected:
  ~AdminTest() override { loop_.destroy_tasks(); }

  std::unique_ptr<Answer> send(std::string_view raw) {
    auto [ours, theirs] = net::memory_pair(loop_, {.capacity = 4 << 20});
    server_.server().serve_connection(std::move(theirs));
    EXPECT_EQ(ours->try_write(raw).bytes, raw.size());
    loop_.run_until_idle();
    auto answer = std::make_unique<Answer>();
    std::string received;
    std::string room(64 * 1024, '\0');
    while (true) {
      const auto got = ours->try_read(room);
      if (got.bytes == 0) break;
      received.append(room, 0, got.bytes);
    }
    const size_t end = received.find("\r\n\r\n");
    if (end == std::string::npos) return answer;
    answer->head = received.substr(0, end + 2);
    answer->body = received.substr(end + 4);
    answer->status = std::stoi(received.substr(9, 3));
    return answer;
  }
  std::unique_ptr<Answer> ask(std::string_view method, std::string_view path,
                              std::string_view body = {}, std::string_view headers = {}) {
    return send(
        fmt::format("{} {} HTTP/1.1\r\nhost: localhost:8081\r\n{}content-length: {}\r\n\r\n{}",
                    method, path, headers, body.size(), body));
  }
  // Makes a key with that specification; its id, and the key itself in key_.
  std::string make(std::string_view spec) {
    const auto made = ask("POST", "/api/v1/keys", spec);
    EXPECT_EQ(made->status, 201) << made->body;
    key_ = made->root()["key"].string_or("");
    return made->root()["id"].string_or("");
  }

  static json::Value element(json::Value list, size_t number) {
    for (const json::Value one : list.elements()) {
      if (number-- == 0) return one;
    }
    return {};
  }
  static json::Value first_model(Answer& traffic) { return element(traffic.root()["models"], 0); }

  // Sessions and tokens are judged by the wall clock.
  ManualClock clock_{SystemClock().wall_ms()};
  net::Loop loop_{clock_};
  ScriptedProcess process_{loop_};
  AdminServer server_{loop_, Secret(), process_};
  std::string key_;
};

}  // namespace weir::admin
