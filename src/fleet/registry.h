// Registry: names to numbers. Services, their endpoints and reporters are named by people and
// processes; the scheduler and the binary batches know numbers. The registry owns both directions,
// forms groups of peers (one version, zone and kind of hardware) and gives names of machines
// numbers. A number is given out again only a minute after its owner has gone, and with another
// tag, so that a reporter that did not notice never speaks for a stranger. One thread. Limits:
// RegistryLimits and the scheduler's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "fleet/feed.h"
#include "schedule/scheduler.h"

namespace weir::fleet {

struct RegistryLimits {
  size_t name_bytes = 200;
  uint32_t reporters = 1'048'576;
  uint32_t reporter_forgotten_after = 3'600;  // seconds of silence until its number may go
};

struct ServiceSpec {
  std::string name{};
  bool dry_run = false;
  schedule::Detector detector = schedule::Detector::sequential;

  bool operator==(const ServiceSpec&) const = default;
};

struct EndpointSpec {
  EndpointInfo info{};
  uint32_t weight = 100;  // percent of a standard machine, 1 to 6,400
  bool cold = false;      // slow start when it is new
  bool preheat = false;   // weight 0 until it says that its warm-up set has run
  std::string start{};    // of this process; another one means that it restarted
  bool declared = false;  // by the configuration file

  bool operator==(const EndpointSpec&) const = default;
};

struct Member {
  std::shared_ptr<const EndpointInfo> info;  // null: nobody has this number
  uint32_t service = 0;
  schedule::GroupId group = 0;
  uint32_t host = schedule::kNone;
  uint16_t weight = 100;
  uint8_t tag = 0;
  bool declared = false;
  uint64_t name_hash = 0;
  std::string start;
};

struct ServiceEntry {
  using Peers = std::tuple<std::string, std::string, std::string>;  // version, zone, hardware
  ServiceSpec spec;
  bool present = false;  // false: deregistered; its number and versions are kept for its return
  bool declared = false;
  std::map<Peers, schedule::GroupId> groups;
  std::unordered_map<std::string_view, uint32_t> by_name;  // views into the members' infos
  std::map<std::string, uint16_t> versions, zones, hardware;
  uint64_t members_version = 0;  // grows with each that comes, goes or changes
};

enum class Put : uint8_t { unchanged, added, changed, restarted };

class Registry {
 public:
  Registry(schedule::Scheduler& scheduler, const RegistryLimits& limits)
      : scheduler_(scheduler), limits_(limits) {}

  Result<Put> put_service(const ServiceSpec& spec, bool declared);
  // With its endpoints.
  Result<void> remove_service(uint32_t service);
  Result<Put> put_endpoint(uint32_t service, const EndpointSpec& spec);
  void remove_endpoint(uint32_t number);

  // nullopt where there is none of that name.
  std::optional<uint32_t> find_service(std::string_view name) const;
  std::optional<uint32_t> find(uint32_t service, std::string_view endpoint) const;
  const ServiceEntry& service(uint32_t number) const { return services_[number]; }
  std::span<const ServiceEntry> services() const { return services_; }
  // Its info is null where nobody has that number.
  const Member& member(uint32_t number) const;
  std::span<const Member> members() const { return members_; }
  EndpointSpec spec_of(uint32_t number) const;

  // The number of a reporter, a new one where the name is new.
  Result<uint32_t> reporter(std::string_view name, uint32_t now);
  std::string_view reporter_name(uint32_t number) const;
  bool knows_reporter(uint32_t number) const {
    return number < reporters_.size() && !reporters_[number].name.empty();
  }
  void heard_of(uint32_t reporter, uint32_t now) { reporters_[reporter].last = now; }
  uint32_t reporters() const { return static_cast<uint32_t>(reporter_numbers_.size()); }

  // All of it as bytes, and back: into an empty registry over a scheduler that was restored with
  // it. corrupt.
  void save(std::string& out) const;
  Result<void> load(std::string_view& in);

 private:
  Result<schedule::GroupId> group_for(uint32_t service, const EndpointInfo& info);
  Result<uint32_t> host_for(const std::string& name);
  void leave_host(const std::string& name);
  void forget_silent_reporters(uint32_t now);
  Result<void> check_name(std::string_view name, std::string_view what) const;
  Result<void> check(const EndpointSpec& spec) const;

  struct Host {
    uint32_t number = 0;
    uint32_t endpoints = 0;
  };
  struct Reporter {
    std::string name;  // empty: the number is free
    uint32_t last = 0;
  };
  schedule::Scheduler& scheduler_;
  RegistryLimits limits_;
  std::vector<ServiceEntry> services_;  // by ServiceId
  std::map<std::string, uint32_t, std::less<>> service_numbers_;
  std::vector<Member> members_;  // by EndpointId
  std::unordered_map<std::string, Host> hosts_;
  std::vector<uint32_t> free_hosts_;
  uint32_t next_host_ = 0;
  std::vector<Reporter> reporters_;
  std::unordered_map<std::string, uint32_t> reporter_numbers_;
  std::vector<uint32_t> free_reporters_;
  uint32_t swept_at_ = 0;
};

// Of a name, for hashes of tables.
uint64_t name_hash(std::string_view name);
std::optional<schedule::Detector> parse_detector(std::string_view name);

}  // namespace weir::fleet
