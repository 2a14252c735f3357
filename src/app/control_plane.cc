#include "app/control_plane.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <stdexcept>
#include <thread>

#include "admin/admin_server.h"
#include "app/version.h"
#include "app/work/job_orders.h"
#include "app/work/price_work.h"
#include "base/log.h"
#include "ledger/rerate.h"
#include "net/dial_policy.h"
#include "sim/embedded_provider.h"

namespace weir::app {
namespace {

// How long a reload that brings budgets waits for the ledger's latest rows.
constexpr Milliseconds kLedgerFlush{2'000};
constexpr int32_t kMillisecondsPerDay = 86'400'000;

int32_t days(Milliseconds duration) {
  return static_cast<int32_t>((duration.count() + kMillisecondsPerDay - 1) / kMillisecondsPerDay);
}

uint32_t worker_count(const Server& server) {
  if (server.workers > 0) return server.workers;
  return std::max(std::thread::hardware_concurrency(), 1U);
}

// Sockets are descriptors: the soft limit of 1,024 that shells set is far too low for a gateway.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string version_line() {
  return fmt::format("{} ({})", app::version(), commit());
}

Result<void> check_admin(const ListenAddress& listen, const Admin& admin) {
  const bool signs_in = admin.oidc && !admin.public_url.empty();
  if (!admin.token.empty() || signs_in || listen.is_loopback()) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("admin.token, or admin.oidc with admin.public_url: needed because "
                          "admin.listen {} can be reached from other machines",
                          listen.to_text()));
}

// What a reload cannot change, as the fields' names; empty when it changed none of them.
// needs_restart() of settings.h knows them by path.
std::string restart_fields(const Config& before, const Config& after) {
  const std::pair<std::string_view, bool> fields[] = {
      {"server.listen", before.server.listen != after.server.listen},
      {"server.workers", worker_count(before.server) != worker_count(after.server)},
      {"server.tls", before.server.tls.has_value() != after.server.tls.has_value()},
      {"server.http2", before.server.http2 != after.server.http2},
      {"server.limits", before.server.limits != after.server.limits},
      {"server.timeouts", before.server.timeouts != after.server.timeouts},
      {"admin.listen", before.admin.listen != after.admin.listen},
      {"data_dir", before.data_dir != after.data_dir},
      {"outgoing.internal", before.outgoing.internal != after.outgoing.internal},
      {"log.file", before.log.file != after.log.file},
      {"ledger.retention", before.ledger.retention != after.ledger.retention},
      {"state", before.state != after.state},
      {"capture.retention", before.capture.retention != after.capture.retention},
  };
  std::string names;
  for (const auto& [name, changed] : fields) {
    if (changed) names.append(names.empty() ? "" : ", ").append(name);
  }
  return names;
}

std::optional<identity::OidcConfig> oidc_of(const Admin& admin, const std::string& listens_at) {
  if (!admin.oidc) return std::nullopt;
  const OidcProvider& provider = *admin.oidc;
  identity::OidcConfig config{
      .issuer = provider.issuer,
      .client_id = provider.client_id,
      .client_secret = provider.client_secret,
      .scope = provider.scope,
      .groups_claim = provider.groups_claim,
      .redirect_uri =
          (admin.public_url.empty() ? listens_at : admin.public_url) + "/api/v1/oidc/callback"};
  for (const auto& [group, roles] : provider.roles) {
    // Checked when the configuration was read.
    if (auto known = identity::parse_roles(roles)) config.roles.emplace_back(group, *known);
  }
  return config;
}

void add_demo_to(Config& config, const std::string& endpoint) {
  Account account;
  account.name = "demo";
  account.provider = Provider::openai_compatible;
  account.endpoint = endpoint;
  config.accounts.push_back(account);
  Model model;
  model.name = "demo";
  Deployment deployment;
  deployment.account = "demo";
  deployment.model = "demo";
  model.deployments.push_back(deployment);
  config.models.push_back(model);
  // A price, so that the newcomer sees a cost: one dollar a million tokens in, four out.
  Price price;
  price.provider = Provider::openai_compatible;
  price.model = "demo";
  price.usd_per_million.input = Money::from_nano(1'000'000'000);
  price.usd_per_million.cache_read = Money::from_nano(100'000'000);
  price.usd_per_million.output = Money::from_nano(4'000'000'000);
  config.prices.push_back(price);
}

}  // namespace

ControlPlane::ControlPlane(ServeOptions options)
    : options_(std::move(options)),
      loop_(clock_),
      started_ms_(clock_.wall_ms()),
      ticket_keys_(net::TlsTicketKeys::random()) {}

ControlPlane::~ControlPlane() {
  // Answers to the workers' questions must not come behind their loops' end.
  admin_.reset();
  if (jobs_) jobs_->stop();
  if (keeper_) keeper_->stop();
  // Workers end first: they hold ports of the log and post to this loop.
  plane_.reset();
  alert_sender_.reset();
  tokens_.reset();
  loop_.destroy_tasks();
  if (log_) log_->stop();
  log::stop();
}

void ControlPlane::add_demo(Config& config) const {
  add_demo_to(config, demo_->endpoint());
}

// The demo has no file, and what is managed beside it.
Result<Secret> ControlPlane::file_text(const Reading& how) {
  if (how.instead != nullptr) return how.instead->file;
  if (is_demo()) return Secret();
  auto text = Surroundings::process().read_file(options_.config_path);
  if (!text) {
    const Problem problem{.code = ProblemCode::missing_file,
                          .path = {},
                          .message = std::string(text.error().message())};
    return fail(ErrorCode::invalid_argument, to_text(problem, options_.config_path) + "\n");
  }
  read_.overridden = override_ && !how.past_override && override_->file_mark == fingerprint(*text);
  return read_.overridden ? override_text_ : Secret(std::move(*text));
}

Result<Config> ControlPlane::load_config(const Reading& how) {
  Surroundings surroundings = Surroundings::process();
  read_ = {};
  surroundings.managed = [this, &how](const Config& file) -> Result<std::vector<ManagedItem>> {
    if (how.instead != nullptr) {
      read_.text.managed = how.instead->managed;
    } else {
      WEIR_TRY(read_.text.managed, managed(file, how.change));
    }
    return read_.text.managed;
  };
  WEIR_TRY(read_.text.file, file_text(how));
  Loaded loaded = load_text(read_.text.file.reveal(), surroundings);
  const std::string name = is_demo() ? "the demo" : options_.config_path;
  if (!loaded.config) {
    std::string text;
    for (const Problem& problem : loaded.problems) text += to_text(problem, name) + "\n";
    return fail(ErrorCode::invalid_argument, text);
  }
  if (how.change == nullptr) {
    for (const Problem& problem : loaded.problems) {
      log::warn("configuration", {{"problem", to_text(problem, name)}});
    }
  }
  if (is_demo()) add_demo(*loaded.config);
  if (!options_.data_dir.empty()) loaded.config->data_dir = options_.data_dir;
  WEIR_CHECK_OK(add_imported_prices(*loaded.config));
  return std::move(*loaded.config);
}

Result<void> ControlPlane::open_stores() {
  if (auto made = store::make_private_directory(config_.data_dir); !made) {
    return fail(ErrorCode::io_error, fmt::format("data_dir {}", made.error().message()));
  }
  WEIR_TRY(data_lock_, store::DirectoryLock::take(config_.data_dir));
  WEIR_TRY(access::KeyHasher hasher, access::KeyHasher::open(config_.data_dir));
  hasher_ = std::make_shared<access::KeyHasher>(std::move(hasher));
  WEIR_TRY(keys_, access::KeyStore::open(config_.data_dir, hasher_));
  WEIR_TRY(identity::PeopleStore people, identity::PeopleStore::open(config_.data_dir, hasher_));
  people_ = std::make_unique<identity::People>(loop_, std::move(people));
  WEIR_TRY(audit_, identity::AuditLog::open(config_.data_dir));
  reader_.emplace(config_.data_dir);
  WEIR_TRY(alerts_, ledger::AlertBook::open(config_.data_dir));
  ledger::LogOptions options;
  options.data_dir = config_.data_dir;
  options.ports = worker_count(config_.server);
  options.retention_days = days(config_.ledger.retention);
  options.capture_retention_days = days(config_.capture.retention);
  options.capture_message_bytes_max = static_cast<int64_t>(config_.capture.bytes_max);
  WEIR_TRY(log_, ledger::RequestLog::open(std::move(options), clock_));
  WEIR_TRY(keeper_, state::Keeper::open({.data_dir = config_.data_dir,
                                         .pins_max = config_.state.pins,
                                         .pin_retention = config_.state.pin_retention,
                                         .responses = config_.state.responses,
                                         .response_retention = config_.state.response_retention,
                                         .bytes_max = config_.state.bytes_max},
                                        clock_));
  WEIR_TRY(jobs_, jobs::Runner::open(config_.data_dir, clock_));
  disk_ = store::look_at_directory(config_.data_dir);
  return {};
}

// Before anybody sees that it is over.
void ControlPlane::on_job_end(std::string_view kind) {
  if (kind == "rerate") watch_corrections();
  if (kind == "import_prices") reload_and_log("prices were imported");
}

Result<jobs::Order> ControlPlane::make_job(std::string_view kind, json::Value body) {
  return make_order(kind, body, {.config = std::make_shared<const Config>(config_)});
}

Result<std::shared_ptr<const net::TlsServerContext>> ControlPlane::load_tls(
    const Server& server) const {
  if (!server.tls) return std::shared_ptr<const net::TlsServerContext>();
  net::TlsServerOptions options{.certificate_file = server.tls->certificate,
                                .key_file = server.tls->key,
                                .ticket_keys = ticket_keys_};
  if (server.http2) options.alpn.insert(options.alpn.begin(), "h2");
  return net::TlsServerContext::load(options);
}

Result<uint64_t> ControlPlane::publish(const Config& config) {
  WEIR_TRY(const std::vector<access::StoredKey> stored, keys_->list(/*with_revoked=*/true));
  WEIR_CHECK_OK(check_reload(config_, config, !stored.empty()));
  WEIR_TRY(auto tls, load_tls(config.server));
  WEIR_TRY(Composition composition,
           composer_->compose(config, stored, generation_ + 1, clock_.wall_ms()));
  ++generation_;
  snapshot_ = std::move(composition.snapshot);
  tokens_->keep(std::move(composition.tokens));
  alert_sender_->set_webhook(config.alerts.webhook);
  anomalies_->configure(config.alerts.anomalies);
  traffic_->configure(*snapshot_);
  if (plane_) {
    plane_->publish(snapshot_);
    publish_weights();
    plane_->publish_tls(std::move(tls));
  }
  return generation_;
}

Result<void> ControlPlane::start() {
  raise_descriptor_limit();
  if (is_demo()) {
    WEIR_TRY(demo_, sim::EmbeddedProvider::start());
  }
  WEIR_TRY(config_, load_config({}));
  WEIR_CHECK_OK(log::start({.level = config_.log.level, .path = config_.log.file}));
  WEIR_CHECK_OK(open_stores());
  WEIR_CHECK_OK(open_generations());
  composer_ = std::make_unique<Composer>(hasher_);
  // Budgets that are made begin with what is corrected already.
  corrections_stamp_ = ledger::corrections_stamp(config_.data_dir);
  composer_->on_new_budgets([this](ledger::LimitRegistry& limits) {
    // What is on its way to the ledger belongs to it; a store that fails is no reason to refuse.
    if (auto flushed = log_->flush(kLedgerFlush); !flushed) {
      log::warn("budgets_without_latest_rows", {{"reason", flushed.error().message()}});
    }
    return ledger::remember_spending(*reader_, clock_.wall_ms(), limits);
  });
  traffic_ = std::make_unique<gateway::TrafficControl>(clock_.monotonic(), started_ms_, 1);
  auto resolver = net::CaresResolver::create(loop_);
  if (!resolver) return fail(std::move(resolver).error());
  resolver_ = std::move(*resolver);
  clients_ = std::make_unique<TransportClients>(loop_, *resolver_,
                                                net::named_addresses(config_.outgoing.internal));
  tokens_ = std::make_unique<provider::TokenKeeper>(
      loop_, clients_->client({}), [](std::string_view account, const Error* error) {
        if (error == nullptr) {
          log::info("access_token_fetched", {{"account", account}});
        } else {
          log::error("access_token_failed", {{"account", account}, {"problem", error->message()}});
        }
      });
  alert_sender_ = std::make_unique<AlertSender>(loop_, clients_->client({}), *alerts_);
  anomalies_.emplace(*reader_, *alerts_);
  WEIR_CHECK_OK(publish(config_));
  text_ = read_.text;
  remember_generation({"", "start"});
  WEIR_TRY(auto tls, load_tls(config_.server));
  WEIR_TRY(plane_, DataPlane::start({.server = config_.server,
                                     .workers = worker_count(config_.server),
                                     .log = log_.get(),
                                     .keeper = keeper_.get(),
                                     .tls = std::move(tls),
                                     .policy = net::named_addresses(config_.outgoing.internal)},
                                    snapshot_));
  WEIR_CHECK_OK(start_admin());
  WEIR_TRY(signals_, net::Signals::open(loop_, {SIGTERM, SIGINT, SIGHUP},
                                        [this](int signal) { on_signal(signal); }));
  if (!is_demo()) file_stamp_ = file_stamp();
  WEIR_TRY(keys_version_, keys_->foreign_changes());
  jobs_->on_end(
      [this](const jobs::Job& job) { loop_.post([this, kind = job.kind] { on_job_end(kind); }); });
  watch_timer_ = std::make_unique<net::Timer>(loop_, [this] { watch(); });
  watch_timer_->arm(kWatchInterval);
  publish_weights();
  traffic_timer_ = std::make_unique<net::Timer>(loop_, [this] { judge_traffic(); });
  traffic_timer_->arm(kTrafficInterval);
  if (!snapshot_->keys_required && !config_.server.listen.is_loopback()) {
    log::warn("open_gateway",
              {{"problem", "no key is configured: everybody who reaches " +
                               config_.server.listen.to_text() + " spends on your accounts"}});
  }
  log::info("started", {{"version", version_line()},
                        {"listen", public_address()},
                        {"admin", admin_address()},
                        {"workers", plane_->workers()},
                        {"generation", generation_}});
  return {};
}

Result<void> ControlPlane::start_admin() {
  WEIR_CHECK_OK(check_admin(config_.admin.listen, config_.admin));
  WEIR_TRY(const net::Address address, net::Address::parse(config_.admin.listen.to_text()));
  WEIR_TRY(admin_, admin::AdminServer::start(loop_, address, config_.admin.token, *this));
  admin_->set_client(clients_->client({}));
  configure_admin(config_);
  return {};
}

void ControlPlane::configure_admin(const Config& config) {
  admin_->set_token(config.admin.token);
  admin_->set_public_url(config.admin.public_url);
  admin_->set_reachable(!config_.admin.listen.is_loopback());
  people_->set_oidc(oidc_of(config.admin, admin_address()), clients_->client({}));
  people_->set_session_rules(
      {.lifetime = config.admin.sessions.lifetime, .idle = config.admin.sessions.idle});
}

int ControlPlane::run() {
  loop_.run();
  log::info("stopped");
  return 0;
}

net::Task<std::vector<admin::WorkerSample>> ControlPlane::sample() {
  struct Gathering {
    Gathering(net::Loop& loop, size_t workers) : waiting(workers), all(loop) {}
    size_t waiting;
    net::Event all;
  };
  auto gathering = std::make_shared<Gathering>(loop_, plane_->workers());
  samples_.resize(plane_->workers());
  plane_->sample(loop_, [this, gathering](size_t worker, admin::WorkerSample sample) {
    samples_[worker] = std::move(sample);
    if (--gathering->waiting == 0) gathering->all.set();
  });
  co_await gathering->all.wait_for(std::chrono::seconds(1));
  co_return samples_;
}

// Asked for by a person: what the file says counts again.
Result<uint64_t> ControlPlane::reload(const std::string& by) {
  WEIR_TRY(Config config, load_config({.past_override = true}));
  WEIR_TRY(const uint64_t generation, apply(std::move(config), {by, "the file was read again"}));
  forget_override_unless_used();
  return generation;
}

Result<uint64_t> ControlPlane::apply(Config config, const Origin& origin) {
  WEIR_CHECK_OK(check_admin(config_.admin.listen, config.admin));
  WEIR_TRY(const uint64_t generation, publish(config));
  if (const std::string fields = restart_fields(config_, config); !fields.empty()) {
    log::warn("reload_needs_restart",
              {{"fields", fields}, {"problem", "these take effect when Weir is restarted"}});
  }
  configure_admin(config);
  log::set_level(config.log.level);
  config_ = std::move(config);
  text_ = read_.text;
  remember_generation(origin);
  log::info("reloaded", {{"generation", generation}});
  return generation;
}

Result<uint64_t> ControlPlane::keys_changed() {
  return publish(config_);
}

void ControlPlane::reload_and_log(const std::string& why) {
  const auto generation = [&]() -> Result<uint64_t> {
    WEIR_TRY(Config config, load_config({}));
    return apply(std::move(config), {"", why});
  }();
  if (generation) {
    forget_override_unless_used();
    return;
  }
  log::error(
      "reload_failed",
      {{"why", why}, {"problem", generation.error().message()}, {"still_running", generation_}});
  note_error("reload_failed", generation.error().message());
}

void ControlPlane::publish_weights() {
  plane_->publish_weights(traffic_->table());
  for (const gateway::TrafficControl::Change& change : traffic_->fresh()) {
    if (change.reason == "added" || change.reason == "removed") continue;
    log::info("traffic", {{"model", change.model},
                          {"deployment", change.deployment},
                          {"from", uint64_t{change.from}},
                          {"to", uint64_t{change.to}},
                          {"why", change.sentence}});
  }
}

// Judges what the workers sent since the last time, and asks them again: a worker that answers late
// is heard a second later.
void ControlPlane::judge_traffic() {
  if (traffic_->evaluate(loop_.now())) publish_weights();
  plane_->collect(loop_, [this](size_t worker, const std::vector<schedule::Sample>& samples) {
    traffic_->add(samples, worker);
  });
  for (const gateway::ProbeOrder& order : probes_.due(*snapshot_, *traffic_, loop_.now())) {
    plane_->probe(order);
  }
  traffic_timer_->arm(kTrafficInterval);
}

void ControlPlane::on_signal(int signal) {
  if (signal == SIGHUP) {
    log::reopen();
    reload_and_log("SIGHUP");
    return;
  }
  if (draining_) {
    log::warn("stopped_at_once", {{"why", "second signal"}});
    loop_.stop();
    return;
  }
  draining_ = true;
  log::info("draining", {{"limit_ms", config_.server.drain.count()}});
  plane_->drain(loop_, config_.server.drain, [this] { loop_.stop(); });
}

std::string ControlPlane::version() const {
  return version_line();
}

std::string ControlPlane::public_address() const {
  return fmt::format("{}://{}", config_.server.tls ? "https" : "http", plane_->address().to_text());
}

std::string ControlPlane::admin_address() const {
  return "http://" + admin_->address().to_text();
}

}  // namespace weir::app
