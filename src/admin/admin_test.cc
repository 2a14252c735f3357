// The admin API as a client sees it: every route over in-memory connections, with a real key store
// and ledger behind it, and a scripted process.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/admin_server.h"
#include "admin/routes.h"
#include "base/json/document.h"
#include "net/memory_stream.h"
#include "store/temporary_directory.h"

namespace weir::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

class ScriptedProcess : public Backend {
 public:
  ScriptedProcess() : hasher_(std::make_shared<access::KeyHasher>(Secret("installation"))) {
    auto keys = access::KeyStore::open(directory_.path(), hasher_);
    if (!keys) ADD_FAILURE() << keys.error().message();
    keys_.emplace(std::move(*keys));
    ledger::LogOptions options;
    options.data_dir = directory_.path();
    options.commit_interval = Milliseconds(1);
    auto log = ledger::RequestLog::open(options, clock_);
    if (!log) ADD_FAILURE() << log.error().message();
    log_ = std::move(*log);
    names_.models = {"m"};
    names_.deployments = {{"up/m", "m", "up", "openai"}};
    EXPECT_TRUE(keys_changed());
  }

  net::Task<std::vector<WorkerSample>> sample() override { co_return samples; }
  const SlotNames& slot_names() const override { return names_; }
  std::shared_ptr<const gateway::Snapshot> snapshot() const override { return snapshot_; }
  Result<uint64_t> reload() override {
    ++reloads;
    if (!problem.empty()) return fail(ErrorCode::invalid_argument, problem);
    return ++generation;
  }
  Result<uint64_t> keys_changed() override {
    auto next = std::make_shared<gateway::Snapshot>();
    next->generation = ++generation;
    next->models.resize(1);
    next->models[0].name = "m";
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
  access::KeyStore& keys() override { return *keys_; }
  const ledger::LogReader& ledger() const override { return reader_; }
  ledger::LogHealth ledger_health() const override { return log_->health(); }
  state::KeeperSample state_sample() const override { return {}; }
  std::vector<ledger::BudgetStanding> budgets() const override {
    return {{.subject = "team/t",
             .rule = {.limit = Money::from_nano(2'000'000'000),
                      .window = ledger::BudgetWindow::rolling,
                      .days = 7,
                      .hard = false},
             .spent = Money::from_nano(1)}};
  }
  ledger::AlertCounts alert_counts() const override { return {.sent = 3}; }
  gateway::TrafficControl& traffic() override { return traffic_; }
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

  std::vector<WorkerSample> samples{1};
  std::string problem;
  int reloads = 0;
  uint64_t generation = 0;
  int weights_published = 0;

 private:
  store::TemporaryDirectory directory_;
  SystemClock clock_;
  IdMaker ids_{0};
  std::shared_ptr<access::KeyHasher> hasher_;
  std::optional<access::KeyStore> keys_;
  std::unique_ptr<ledger::RequestLog> log_;
  ledger::LogReader reader_{directory_.path()};
  SlotNames names_;
  std::shared_ptr<const gateway::Snapshot> snapshot_;
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

  ManualClock clock_;
  net::Loop loop_{clock_};
  ScriptedProcess process_;
  AdminServer server_{loop_, Secret(), process_};
  std::string key_;
};

TEST_F(AdminTest, EveryRouteAnswersAndStandsInTheDocument) {
  process_.write(process_.row(SystemClock().wall_ms()));
  const auto document = ask("GET", "/api/v1/openapi.json");
  ASSERT_EQ(document->status, 200);
  for (const Route& route : routes()) {
    EXPECT_TRUE(document->root()["paths"][route.path].is_object()) << route.path;
    if (route.path.find('{') != std::string_view::npos || route.method != "GET") continue;
    const auto answer = ask("GET", route.path);
    EXPECT_EQ(answer->status, 200) << route.path << answer->body;
    EXPECT_THAT(answer->head, HasSubstr("x-content-type-options: nosniff"));
    EXPECT_THAT(answer->head, HasSubstr("cache-control: no-store"));
  }
  EXPECT_EQ(ask("DELETE", "/api/v1/status")->status, 405);
  EXPECT_EQ(ask("GET", "/api/v1/nothing")->status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/keys/a/b/rotate")->status, 404);
}

TEST_F(AdminTest, WithoutATokenOnlyThisMachineIsAnswered) {
  struct Case {
    const char* host;
    const char* origin;
    int status;
  };
  for (const auto& [host, origin, status] :
       {Case{"localhost:8081", "", 200}, Case{"127.0.0.1", "", 200}, Case{"[::1]:8081", "", 200},
        Case{"evil.example", "", 403}, Case{"localhost.evil.example:8081", "", 403},
        Case{"127.0.0.1.evil.example", "", 403}, Case{"[::1].evil", "", 403},
        Case{"localhost", "http://localhost:8081", 200},
        Case{"localhost", "http://evil.example", 403}, Case{"localhost", "null", 403},
        Case{"localhost", "http://localhost.evil.example", 403}}) {
    const auto answer =
        send(fmt::format("GET /api/v1/status HTTP/1.1\r\nhost: {}\r\n{}\r\n", host,
                         *origin == '\0' ? std::string() : fmt::format("origin: {}\r\n", origin)));
    EXPECT_EQ(answer->status, status) << host << " " << origin;
  }
}

TEST_F(AdminTest, WithATokenItIsAskedForEverywhereButTheFiles) {
  server_.set_token(Secret("the-token"));
  for (const char* path : {"/api/v1/status", "/api/v1/keys", "/api/v1/requests", "/metrics"}) {
    EXPECT_EQ(ask("GET", path)->status, 401) << path;
    EXPECT_EQ(ask("GET", path, {}, "authorization: Bearer the-toke\r\n")->status, 401) << path;
    EXPECT_EQ(ask("GET", path, {}, "authorization: Basic the-token\r\n")->status, 401) << path;
    EXPECT_EQ(ask("GET", path, {}, "authorization: Bearer the-token\r\n")->status, 200) << path;
  }
  EXPECT_EQ(ask("POST", "/api/v1/reload")->status, 401);
  EXPECT_EQ(process_.reloads, 0);
  EXPECT_EQ(ask("GET", "/healthz")->status, 200);
  const auto page = ask("GET", "/");
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->head, HasSubstr("content-security-policy: default-src '"));
  // The page holds no secret and runs nothing but its own file.
  EXPECT_THAT(page->body, Not(HasSubstr("the-token")));
  EXPECT_THAT(page->body, Not(HasSubstr("<script>")));
  EXPECT_THAT(ask("GET", "/console.js")->body, Not(HasSubstr("innerHTML")));
}

TEST_F(AdminTest, AKeyLivesRotatesAndDies) {
  const std::string id = make(R"({"name":"a","team":"t","models":["m"],"limits":{"rpm":5},)"
                              R"("budget":{"usd":"1.5","per":"day"},"tags":{"env":"prod"}})");
  const std::string first = key_;
  EXPECT_TRUE(process_.accepts(first));
  const auto list = ask("GET", "/api/v1/keys");
  EXPECT_THAT(list->body, Not(HasSubstr(first))) << "a key is shown once";
  ASSERT_EQ(list->root()["keys"].size(), 2U);
  EXPECT_THAT(list->body, HasSubstr(R"("source":"file")"));
  EXPECT_THAT(list->body, HasSubstr(R"("budgets":[{"usd":"1.50","per":"day","hard":true}])"));

  const std::string rotate = "/api/v1/keys/" + id + "/rotate";
  const auto rotated = ask("POST", rotate, R"({"overlap_s":60})");
  ASSERT_EQ(rotated->status, 200) << rotated->body;
  const std::string second = rotated->root()["key"].string_or("");
  EXPECT_NE(second, first);
  EXPECT_TRUE(process_.accepts(first)) << "for the overlap";
  EXPECT_TRUE(process_.accepts(second));
  const auto at_once = ask("POST", rotate);
  EXPECT_FALSE(process_.accepts(second));
  const std::string third = at_once->root()["key"].string_or("");
  EXPECT_TRUE(process_.accepts(third));

  EXPECT_EQ(ask("DELETE", "/api/v1/keys/" + id)->status, 200);
  EXPECT_FALSE(process_.accepts(third));
  EXPECT_EQ(ask("POST", rotate)->status, 404) << "a revoked key does not come back";
  EXPECT_EQ(ask("DELETE", "/api/v1/keys/from-file")->status, 404) << "the file's keys are its own";
  EXPECT_EQ(ask("DELETE", "/api/v1/keys/nobody")->status, 404);
}

TEST_F(AdminTest, ASpecificationThatIsNotUnderstoodMakesNoKey) {
  for (const char* body : {"",
                           "[]",
                           "{",
                           R"({"name":""})",
                           R"({"name":5})",
                           R"({"nam":"a"})",
                           R"({"name":"a","limits":{"rpms":5}})",
                           R"({"name":"a","limits":{"rpm":0}})",
                           R"({"name":"a","limits":{"rpm":-1}})",
                           R"({"name":"a","limits":{"rpm":1.5}})",
                           R"({"name":"a","limits":{"rpm":99999999999999999999}})",
                           R"({"name":"a","limits":[]})",
                           R"({"name":"a","budget":{"usd":"much"}})",
                           R"({"name":"a","budget":{"usd":-1}})",
                           R"({"name":"a","budget":{"usd":"1e400"}})",
                           R"({"name":"a","budget":{}})",
                           R"({"name":"a","budget":{"usd":1,"per":"year"}})",
                           R"({"name":"a","expires":"soon"})",
                           R"({"name":"a","expires":5})",
                           R"({"name":"a","models":"m"})",
                           R"({"name":"a","models":[5]})",
                           R"({"name":"a","tags":{"x":1}})",
                           R"({"name":"a","capture":"yes"})"}) {
    const auto answer = ask("POST", "/api/v1/keys", body);
    EXPECT_EQ(answer->status, 400) << body << answer->body;
    EXPECT_TRUE(answer->root()["error"]["message"].is_string()) << body;
  }
  const auto list = ask("GET", "/api/v1/keys");
  EXPECT_EQ(list->root()["keys"].size(), 1U);
  make(R"({"name":"a"})");
  EXPECT_EQ(ask("POST", "/api/v1/keys", R"({"name":"a"})")->status, 409);
  const std::string id = make(R"({"name":"b"})");
  for (const char* overlap : {"-1", "2592001", "\"1\"", "1.5", "9223372036854775807"}) {
    EXPECT_EQ(
        ask("POST", "/api/v1/keys/" + id + "/rotate", fmt::format(R"({{"overlap_s":{}}})", overlap))
            ->status,
        400)
        << overlap;
  }
}

TEST_F(AdminTest, RowsComeInPagesNewestFirst) {
  const int64_t now = SystemClock().wall_ms();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    auto row = process_.row(now - 10'000 + i);
    ids.push_back("req_" + row.id.to_text());
    row.status = i == 0 ? 500 : 200;
    row.key_id = i < 2 ? "k1" : "k2";
    process_.write(std::move(row));
  }
  std::vector<std::string> seen;
  std::string before;
  for (int page = 0; page < 5; ++page) {
    const auto answer = ask("GET", "/api/v1/requests?limit=2" + before);
    ASSERT_EQ(answer->status, 200) << answer->body;
    for (const json::Value row : answer->root()["requests"].elements()) {
      seen.push_back(row["id"].string_or(""));
      EXPECT_TRUE(row["model_asked"].equals("<script>alert(1)</script>\"\n"));
    }
    if (answer->root()["next"].is_null()) break;
    before = "&before=" + answer->root()["next"].string_or("");
  }
  EXPECT_EQ(seen, std::vector<std::string>(ids.rbegin(), ids.rend()));
  EXPECT_EQ(ask("GET", "/api/v1/requests?key=k1")->root()["requests"].size(), 2U);
  EXPECT_EQ(ask("GET", "/api/v1/requests?status_class=5")->root()["requests"].size(), 1U);
  EXPECT_EQ(
      ask("GET", fmt::format("/api/v1/requests?since={}", now - 9'998))->root()["requests"].size(),
      3U);
  const auto one = ask("GET", "/api/v1/requests/" + ids[3]);
  EXPECT_EQ(one->status, 200);
  EXPECT_TRUE(one->root()["id"].equals(ids[3]));
  EXPECT_EQ(ask("GET", "/api/v1/requests/req_nothing")->status, 404);
}

TEST_F(AdminTest, ParametersThatMakeNoSenseAreNamed) {
  for (const char* query :
       {"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=99999999999999999999",
        "status_class=9", "since=-1", "until=9223372036854775807", "since=1e3", "before=%20"}) {
    const auto answer = ask("GET", std::string("/api/v1/requests?") + query);
    EXPECT_EQ(answer->status, 400) << query;
    EXPECT_THAT(answer->body,
                HasSubstr(std::string(query).substr(0, std::string(query).find('='))));
  }
  for (const char* query :
       {"until=9223372036854775807", "since=9223372036854775807", "by=nothing", "then_by=secret"}) {
    EXPECT_EQ(ask("GET", std::string("/api/v1/usage?") + query)->status, 400) << query;
  }
  EXPECT_EQ(ask("GET", "/api/v1/usage?until=253402300799999&by=day&then_by=model")->status, 200);
}

TEST_F(AdminTest, AReloadTellsTheGenerationOrEveryProblem) {
  const auto good = ask("POST", "/api/v1/reload");
  EXPECT_EQ(good->status, 200);
  EXPECT_EQ(good->root()["config_generation"].as_int64(),
            static_cast<int64_t>(process_.generation));
  process_.problem = "weir.yaml:3:1: models: expected a list";
  const auto bad = ask("POST", "/api/v1/reload");
  EXPECT_EQ(bad->status, 400);
  EXPECT_THAT(bad->body, HasSubstr("weir.yaml:3:1"));
}

TEST_F(AdminTest, MetricsSumTheWorkersUnderTheirSlotsNames) {
  process_.samples.resize(2);
  for (auto& sample : process_.samples) {
    sample.gateway.model(0).requests[0] = 3;
    sample.gateway.deployment(0).attempts[0] = 4;
    sample.gateway.model(7).requests[0] = 9;  // a slot nobody has a name for yet
    sample.gateway.requests_running = 1;
    sample.gateway.aborts[static_cast<size_t>(gateway::AbortHandling::drained)] = 5;
  }
  const auto metrics = ask("GET", "/metrics");
  EXPECT_THAT(metrics->head, HasSubstr("content-type: text/plain; version=0.0.4"));
  EXPECT_THAT(metrics->body, HasSubstr("weir_requests_total{model=\"m\",outcome=\"ok\"} 6\n"));
  EXPECT_THAT(metrics->body, HasSubstr("weir_requests_running 2\n"));
  EXPECT_THAT(metrics->body, HasSubstr("weir_aborted_requests_total{handling=\"drained\"} 10\n"));
}

TEST_F(AdminTest, ABodyOverTheLimitIsRefused) {
  const std::string body(AdminServer::kBodyBytesMax + 1, ' ');
  EXPECT_EQ(ask("POST", "/api/v1/keys", body)->status, 413);
}

}  // namespace
}  // namespace weir::admin
