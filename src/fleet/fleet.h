// Fleet: the scheduler with names. It holds the registry, takes samples in, closes seconds when its
// owner says so, and hands out views of the tables (Feed), changes between versions, and
// explanations. Whatever changes its state goes through the methods here in some order; the same
// calls give the same tables on any machine, which is what a standby and the state file rest on:
// each call that succeeded is told to the Observer.
//
// It has no clock and no I/O; the loop is there only to tell subscribers in a turn of their own.
// One thread, the fleet's loop. Limits: FleetLimits; a service keeps its latest changes for readers
// that are a little behind, between 64 and 4,096 of them by its size.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fleet/feed.h"
#include "fleet/registry.h"
#include "fleet/subscribers.h"
#include "net/loop.h"
#include "schedule/scheduler.h"

namespace weir::fleet {

struct FleetLimits {
  schedule::Limits schedule;
  RegistryLimits registry;
};

struct FleetOptions {
  schedule::Policy policy{};
  FleetLimits limits{};
  uint32_t lease_seconds = 600;
  uint32_t first_second = 1;
  uint64_t epoch = 1;       // grows with each start
  uint64_t numbers_id = 1;  // of the numbers that this fleet gives out; kept with its state
};

// One entry of a table that changed after some version.
struct Change {
  uint64_t version = 0;
  std::shared_ptr<const EndpointInfo> info;
  uint32_t number = 0;
  uint16_t weight = 0;
  bool removed = false;
  bool fresh = false;  // new, or its address changed: say everything about it
};

struct PinInfo {
  std::string service{};
  std::string endpoint{};
  float share = 0;
  uint32_t expiry = 0;  // second
  std::string reason{};
};

// Told of each call that changed something, after it. Bytes and views live for the call.
class Observer {
 public:
  virtual void service_put(const ServiceSpec& spec, bool declared) = 0;
  virtual void service_removed(std::string_view service) = 0;
  virtual void endpoint_put(std::string_view service, const EndpointSpec& spec) = 0;
  virtual void endpoint_removed(std::string_view service, std::string_view endpoint) = 0;
  virtual void preheated(std::string_view service, std::string_view endpoint) = 0;
  virtual void pinned(const PinInfo& pin) = 0;
  virtual void unpinned(std::string_view service, std::string_view endpoint) = 0;
  virtual void reporter_named(std::string_view name, uint32_t now) = 0;
  virtual void sample_taken(const schedule::Sample& sample) = 0;  // whatever became of it
  virtual void closed(uint32_t second) = 0;
  virtual void skipped_to(uint32_t second) = 0;

 protected:
  ~Observer() = default;
};

class Fleet final : public Feed {
 public:
  Fleet(net::Loop& loop, const FleetOptions& options);
  ~Fleet() override;

  // What changes. not_found, invalid_argument and limit_exceeded say what was wrong.
  Result<Put> put_service(const ServiceSpec& spec, bool declared = false);
  Result<void> remove_service(std::string_view service);
  Result<Put> put_endpoint(std::string_view service, const EndpointSpec& spec);
  Result<void> remove_endpoint(std::string_view service, std::string_view endpoint);
  Result<void> preheated(std::string_view service, std::string_view endpoint);
  Result<void> pin(const PinInfo& pin);
  Result<void> unpin(std::string_view service, std::string_view endpoint);
  Result<uint32_t> reporter(std::string_view name);
  // `sample.marks` holds the tag of the endpoint's number.
  schedule::Intake ingest(const schedule::Sample& sample);
  // Judges the next second.
  void close();
  // Forgets the seconds before that one.
  void skip_to(uint32_t second);
  uint32_t next_second() const { return scheduler_->next_second(); }

  // Feed.
  std::vector<std::string> services() const override;
  uint64_t services_version() const override { return services_version_; }
  std::shared_ptr<const ServiceView> view(std::string_view service) override;
  Subscription subscribe(std::function<void(const News&)> on_news) override {
    return subscribers_.add(std::move(on_news));
  }

  // The newest change of each endpoint that changed after `version`; nothing where that is too long
  // ago, or never was.
  std::optional<std::vector<Change>> changes(std::string_view service, uint64_t version);
  Health health(uint32_t number) const;

  // Sight.
  std::vector<PinInfo> pins() const;
  // The newest `limit` records, oldest first: of one endpoint, of one service, or of all (kNone).
  std::vector<schedule::Record> history(uint32_t service, uint32_t endpoint, size_t limit) const;
  std::string sentence(const schedule::Record& record) const;
  const Registry& registry() const { return *registry_; }
  const schedule::Scheduler& scheduler() const { return *scheduler_; }
  uint64_t numbers_id() const { return options_.numbers_id; }
  uint32_t lease_seconds() const { return options_.lease_seconds; }
  // Of all tables, in order of name: equal on every Weir that holds the same.
  uint64_t hash();

  void set_observer(Observer* observer) { observer_ = observer; }

  // Everything as bytes; `open_seconds`: with the samples of seconds not yet judged.
  void save(std::string& out, bool open_seconds) const;
  // Puts saved state in the place of all that is here. corrupt leaves that as it was.
  // `same_versions`: tables continue from exactly the saved versions, as a standby needs it.
  Result<void> load(std::string_view in, bool same_versions);

 private:
  struct Track {        // of a service, by its number
    uint64_t seen = 0;  // version up to which the ring is filled
    uint64_t oldest = 0;
    std::deque<Change> ring;
    std::vector<uint32_t> order;  // members by name, as of members_version
    uint64_t order_version = UINT64_MAX;
    std::shared_ptr<const ServiceView> view;
    bool dirty = false;
  };
  Result<uint32_t> service_number(std::string_view service) const;
  Result<uint32_t> number_of(std::string_view service, std::string_view endpoint) const;
  Track& track(uint32_t service);
  // Takes over what the scheduler changed in that table. `gone` is who was removed, if anybody;
  // `fresh` the number that is new.
  void follow(uint32_t service, const std::shared_ptr<const EndpointInfo>& gone = nullptr,
              uint32_t gone_number = schedule::kNone, uint32_t fresh = schedule::kNone);
  void mark(uint32_t service, bool services_changed = false);
  void tell();

  net::Loop& loop_;
  FleetOptions options_;
  std::unique_ptr<schedule::Scheduler> scheduler_;
  std::unique_ptr<Registry> registry_;
  Subscribers subscribers_;
  Observer* observer_ = nullptr;
  std::vector<Track> tracks_;
  std::vector<uint32_t> dirty_;
  std::vector<std::string> gone_;  // services that a load took away, not yet told
  bool services_dirty_ = false;
  bool telling_ = false;
  uint64_t services_version_ = 1;
  std::map<uint32_t, PinInfo> pins_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::fleet
