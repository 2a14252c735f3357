// Store: services, their groups and endpoints, and where each lies in the columns. A group is a set
// of peers: one version, zone and kind of machine. Ids are stable and handed out again only a while
// after their owner has gone, so a sample that comes late never finds a stranger. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/result.h"
#include "schedule/cells.h"
#include "schedule/columns.h"
#include "schedule/table.h"

namespace weir::schedule {

struct Saved;

using ServiceId = uint32_t;
using GroupId = uint32_t;
using EndpointId = uint32_t;
inline constexpr uint32_t kNone = 0xffff'ffff;

struct GroupOptions {
  uint16_t version = 0;
  uint16_t zone = 0;
  uint16_t hardware = 0;
  uint32_t expected = 8;  // endpoints; a hint
};

struct EndpointOptions {
  float base = 1;         // (0, kBaseMost]
  uint32_t host = kNone;  // what else runs on the same machine has the same number
  bool cold = false;      // slow start
  bool preheat = false;   // weight 0 until preheated(), then slow start
};

struct Group {
  ServiceId service = 0;
  uint32_t first = 0;
  uint32_t size = 0;
  uint32_t capacity = 0;
  GroupOptions options;
  // Learned.
  float pool = 0;  // error rate of its calm endpoints, from the sums of a minute
  float pool_requests = 0;
  float pool_errors = 0;
  float overdispersion = 1;
  float level = 0;     // usual ln(us) of its warm endpoints
  float evidence = 0;  // that the group as a whole fails
  SpanState span;      // that it is slow: its median against the other groups'
  uint16_t learned = 0;
  Course course;
  // Of the second under evaluation.
  uint32_t active = 0;
  uint64_t requests = 0;
  uint64_t errors = 0;
  uint32_t failing = 0;  // endpoints above the incident rate
  float rate_median = 0;
  std::array<float, kSpans> shift_median{};
  float utilization_sum = 0;
  uint32_t utilization_known = 0;
};

struct Service {
  ServiceOptions options;
  std::vector<GroupId> groups;
  Table table;
  uint32_t endpoints = 0;
  bool panic = false;
  uint32_t denied_since = 0;  // a wanted cut has been denied without a break since; 0 is none
  uint8_t gates = 0;          // of the second evaluated last
  float load = 0;             // utilization if all of it served; its highest of late
  // Of the second under evaluation.
  float utilization = 0;  // mean of its endpoints; 0 is unknown
  float rate_median = 0;
  std::array<float, kSpans> shift_median{};
  float group_rate_median = 0;  // over its groups
  float group_shift_median = 0;
  uint32_t active = 0;
  uint32_t expected = 0;  // endpoints busy enough to be heard of every second
  uint32_t expected_heard = 0;
  uint32_t unsteady = 0;        // endpoints and groups that are cut or coming back
  uint32_t warming = 0;         // endpoints in slow start
  uint32_t warming_before = 0;  // ... a second ago
  bool incident = false;
};

class Store {
 public:
  explicit Store(const Limits& limits);

  Result<ServiceId> add_service(const ServiceOptions& options, uint64_t epoch);
  Result<GroupId> add_group(ServiceId service, const GroupOptions& options);
  Result<EndpointId> add_endpoint(GroupId group, const EndpointOptions& options, uint32_t now);
  // True if there was one.
  bool remove_endpoint(EndpointId endpoint, uint32_t now);

  uint32_t slot(EndpointId endpoint) const {
    return endpoint < slots_.size() ? slots_[endpoint] : kNone;
  }
  GroupId group_of(EndpointId endpoint) const { return owners_[endpoint]; }
  uint32_t endpoints() const { return count_; }
  uint32_t host_size(uint32_t host) const { return host < hosts_.size() ? hosts_[host] : 0; }

  Columns columns;
  std::array<std::vector<Cell>, kOpenSeconds> cells;
  std::vector<Group> groups;
  std::vector<Service> services;

 private:
  friend struct Saved;
  void reserve_places(uint32_t places);
  void move_group(Group& group, uint32_t first, uint32_t capacity);
  void copy_slot(uint32_t from, uint32_t to);
  void reset_slot(uint32_t slot);
  void compact();

  Limits limits_;
  std::vector<uint32_t> slots_;  // by id
  std::vector<GroupId> owners_;  // by id
  std::vector<uint32_t> hosts_;  // endpoints by host
  struct Freed {
    EndpointId id;
    uint32_t at;
  };
  std::deque<Freed> freed_;
  uint32_t count_ = 0;
  uint32_t used_ = 0;    // slots handed to groups, in use or not
  uint32_t wasted_ = 0;  // slots that belong to no group any more
};

}  // namespace weir::schedule
