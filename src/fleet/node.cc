#include "fleet/node.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/log.h"
#include "net/tcp.h"

namespace weir::fleet {
namespace {

constexpr uint32_t kSaveEvery = 10;  // seconds

http::ServerConfig server_config(const NodeOptions& options) {
  http::ServerConfig config;
  config.body_bytes_max = options.api.body_bytes_max;
  config.connections_max = options.connections_max;
  return config;
}

}  // namespace

Node::Node(net::Loop& loop, NodeOptions options) : loop_(loop), options_(std::move(options)) {
  options_.fleet.first_second = Ticker::first_second(loop.clock().wall_ms());
  fleet_ = std::make_unique<Fleet>(loop, options_.fleet);
  ticker_ = std::make_unique<Ticker>(loop, *fleet_);
  api_ = std::make_unique<Api>(loop, *fleet_, *ticker_, options_.api);
  narrator_ = std::make_unique<Narrator>(*fleet_);
  ticker_->on_tick([this] { after_tick(); });
  api_->more_metrics.emplace_back([this](observe::Exposition& e) { write_metrics(e); });
  server_ = std::make_unique<http::Server>(
      loop, server_config(options_),
      [this](http::ServerExchange& exchange) { return serve_api(*api_, exchange); });
}

Result<std::unique_ptr<Node>> Node::open(net::Loop& loop, NodeOptions options) {
  if (options.data_dir.empty()) return std::make_unique<Node>(loop, std::move(options));
  WEIR_TRY(auto keeper, Keeper::open(options.data_dir));
  options.fleet.epoch = keeper->epoch();
  auto node = std::make_unique<Node>(loop, std::move(options));
  node->keeper_ = std::move(keeper);
  WEIR_CHECK_OK(node->load());
  node->observers_.add(&node->kept_);
  node->fleet_->set_observer(&node->observers_);
  node->keeper_->start();
  return node;
}

Result<void> Node::load() {
  auto found = keeper_->find();
  if (!found) {
    log::error("fleet_state_unreadable", {{"error", found.error().message()}});
    return {};
  }
  if (!found->snapshot.empty()) {
    if (const auto loaded = fleet_->load(found->snapshot, false); !loaded) {
      log::error("fleet_state_unreadable", {{"error", loaded.error().message()}});
      return {};
    }
  }
  const auto applied = apply_ops(found->ops, *fleet_);
  if (!applied) log::error("fleet_state_unreadable", {{"error", applied.error().message()}});
  fleet_->skip_to(options_.fleet.first_second);
  log::info("fleet_state_loaded", {{"services", fleet_->services().size()},
                                   {"endpoints", fleet_->scheduler().endpoints()},
                                   {"changes", applied.value_or(0)},
                                   {"epoch", keeper_->epoch()}});
  return {};
}

Result<void> Node::declare(const std::vector<Declared>& all) {
  std::set<std::string> services;
  std::set<std::pair<std::string, std::string>> endpoints;
  for (const Declared& one : all) {
    services.insert(one.service.name);
    WEIR_TRY(const Put put, fleet_->put_service(one.service, true));
    (void)put;
    for (EndpointSpec spec : one.endpoints) {
      spec.declared = true;
      endpoints.emplace(one.service.name, spec.info.name);
      auto added = fleet_->put_endpoint(one.service.name, spec);
      if (!added)
        return fail(added.error().code(), fmt::format("{}/{}: {}", one.service.name, spec.info.name,
                                                      added.error().message()));
    }
  }
  std::vector<std::pair<std::string, std::string>> gone;
  for (const Member& m : fleet_->registry().members()) {
    if (m.info == nullptr || !m.declared) continue;
    std::pair<std::string, std::string> who(fleet_->registry().service(m.service).spec.name,
                                            m.info->name);
    if (!endpoints.contains(who)) gone.push_back(std::move(who));
  }
  for (const auto& [service, endpoint] : gone)
    WEIR_CHECK_OK(fleet_->remove_endpoint(service, endpoint));
  for (const std::string& name : fleet_->services()) {
    const ServiceEntry& entry = fleet_->registry().service(*fleet_->registry().find_service(name));
    if (entry.declared && !services.contains(name) && entry.by_name.empty())
      WEIR_CHECK_OK(fleet_->remove_service(name));
  }
  return {};
}

void Node::scrape(std::vector<ScrapeJob> jobs) {
  if (scraper_ != nullptr) scraper_->set_jobs(std::move(jobs));
}

void Node::reach_out(http::Client& client) {
  scraper_ = std::make_unique<Scraper>(loop_, client, *fleet_, options_.scrapes);
  for (const MirrorOptions& to : options_.mirrors) {
    const uint64_t stream = options_.fleet.numbers_id ^ (options_.fleet.epoch << 40) ^
                            static_cast<uint64_t>(loop_.clock().wall_ms());
    mirrors_.push_back(std::make_unique<Mirror>(loop_, client, *fleet_, to, stream));
    observers_.add(&mirrors_.back()->observer());
    mirrors_.back()->start();
  }
  fleet_->set_observer(&observers_);
}

void Node::after_tick() {
  narrator_->tell();
  if (scraper_ != nullptr && !ticker_->paused()) scraper_->scrape();
  for (const auto& mirror : mirrors_) mirror->flush();
  if (keeper_ == nullptr) return;
  if (std::exchange(snapshots_seen_, api_->standby.snapshots) != api_->standby.snapshots)
    next_save_ = 0;  // what is on disk is another fleet's
  if (kept_.size() > 0) keeper_->keep_ops(kept_.take());
  if (fleet_->next_second() >= next_save_ && !keeper_->busy()) save();
}

void Node::save() {
  const Nanoseconds before = loop_.clock().monotonic();
  std::string state;
  fleet_->save(state, false);
  (void)kept_.take();  // it is in the snapshot
  keeper_->keep_snapshot(std::move(state));
  // A large fleet is saved less often: at most a 200th of the loop's time goes there.
  const auto took =
      std::chrono::duration_cast<std::chrono::seconds>(200 * (loop_.clock().monotonic() - before));
  next_save_ = fleet_->next_second() + kSaveEvery + static_cast<uint32_t>(took.count());
}

void Node::save_and_stop() {
  mirrors_.clear();
  scraper_ = nullptr;
  if (keeper_ == nullptr) return;
  save();
  keeper_->stop();
}

void Node::write_metrics(observe::Exposition& e) {
  const Keeper::Stats kept = keeper_ != nullptr ? keeper_->stats() : Keeper::Stats{};
  const auto counter = [&e](std::string_view name, std::string_view help, uint64_t value) {
    e.family(name, "counter", help);
    e.sample(name, {}, value);
  };
  counter("weir_fleet_state_snapshots_total", "Snapshots of the state written.", kept.snapshots);
  e.family("weir_fleet_state_snapshot_bytes", "gauge", "Size of the newest, compressed.");
  e.sample("weir_fleet_state_snapshot_bytes", {}, kept.snapshot_bytes);
  counter("weir_fleet_state_failures_total", "Writes of the state that the disk refused.",
          kept.failures);
  counter("weir_fleet_state_changes_lost_bytes_total",
          "Changes of the registry that found no room on their way to the disk.",
          kept.changes_lost);
  MirrorStats sum;
  uint64_t in_step = 0;
  for (const auto& mirror : mirrors_) {
    const MirrorStats& one = mirror->stats();
    sum.sent_bytes += one.sent_bytes;
    sum.failures += one.failures;
    sum.snapshots += one.snapshots;
    sum.dropped_bytes += one.dropped_bytes;
    in_step += one.in_step ? 1 : 0;
  }
  const ScraperCounters scrapes = scraper_ != nullptr ? scraper_->counters() : ScraperCounters{};
  e.family("weir_fleet_scrapes_total", "counter", "Scrapes of endpoints, by how they ended.");
  e.sample("weir_fleet_scrapes_total", {{"ended", "read"}}, scrapes.scrapes);
  e.sample("weir_fleet_scrapes_total", {{"ended", "failed"}}, scrapes.failures);
  e.sample("weir_fleet_scrapes_total", {{"ended", "broken"}}, scrapes.broken);
  e.sample("weir_fleet_scrapes_total", {{"ended", "left_out"}}, scrapes.left_out);
  e.family("weir_fleet_mirrors_in_step", "gauge", "Standbys that hold what this fleet holds.");
  e.sample("weir_fleet_mirrors_in_step", {}, in_step);
  counter("weir_fleet_mirror_bytes_total", "Bytes that standbys took.", sum.sent_bytes);
  counter("weir_fleet_mirror_failures_total", "Posts that no standby took.", sum.failures);
  counter("weir_fleet_mirror_snapshots_total", "Whole states sent to standbys.", sum.snapshots);
  counter("weir_fleet_mirror_dropped_bytes_total",
          "Bytes that a slow standby did not get, and got a snapshot for.", sum.dropped_bytes);
}

Node::~Node() = default;

Result<net::Address> Node::listen(const net::Address& address,
                                  std::shared_ptr<const net::TlsServerContext> tls) {
  net::ListenOptions options;
  options.address = address;
  options.reuse_port = false;
  WEIR_TRY(auto listener, net::Listener::open(loop_, options));
  const net::Address bound = listener->address();
  server_->listen(std::move(listener), std::move(tls));
  return bound;
}

void Node::start() {
  ticker_->start();
}

net::Task<void> Node::drain(Nanoseconds limit) {
  co_await server_->drain(limit);
}

}  // namespace weir::fleet
