// Record and Journal: why each weight changed. A record holds the evidence, the peers, the gates
// and what the classic detectors would have said; it renders as one sentence, and applying the
// records of a service in order to its first table gives its latest. The journal keeps the newest
// records up to a limit and counts what it let go; its owner copies them out before. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schedule/course.h"

namespace weir::schedule {

// What moved the weight.
enum class Reason : uint8_t {
  added,
  removed,
  cut,        // evidence against it, see cause
  deeper,     // evidence stands
  recovered,  // evidence for it
  warming,
  capacity,  // throttled, out of budget, or busier than its peers
  panic,
  panic_over,
  pinned,
  pin_over,
  preheated,
  base,  // the operator's weight changed
  mode,  // dry run was switched on or off
};

enum class Level : uint8_t { endpoint, host, zone, version, group, service };

// Gates that held a wanted cut back.
inline constexpr uint8_t kGateCoverage = 1;
inline constexpr uint8_t kGateIncident = 2;
inline constexpr uint8_t kGateHeadroom = 4;
inline constexpr uint8_t kGateMinimum = 8;
inline constexpr uint8_t kGateBreaker = 16;
inline constexpr uint8_t kGateDisputed = 32;
inline constexpr uint8_t kGatePanic = 64;

struct Record {
  uint64_t version = 0;  // of the service's table after it
  uint32_t second = 0;
  uint32_t service = 0;
  uint32_t endpoint = 0;
  uint16_t old_weight = 0;
  uint16_t new_weight = 0;
  Reason reason = Reason::added;
  Level level = Level::endpoint;
  Cause cause = Cause::none;
  uint8_t gates = 0;           // of the service in that second
  uint8_t counterfactual = 0;  // bit n: Detector n would cut
  bool dry_run = false;        // told, not done: the published weight stayed
  uint16_t peers = 0;
  uint8_t reporters = 0;
  uint8_t flags = 0;   // of the endpoint, see columns.h
  float requests = 0;  // of the last seconds
  float errors = 0;
  float peer_rate = 0;  // error rate of the peers
  float evidence = 0;
  float threshold = 0;
  float latency_ratio = 1;  // against its own past, without the group's movement
  float health = 1;
  float warm = 1;
  float capacity = 1;
  float zone = 1;
  uint8_t probes = 0;  // calls made only to see that spoke for it since it was cut

  bool operator==(const Record&) const = default;
};

// One sentence, e.g. "12 s: endpoint 7 goes from 1000 to 500: 31 of 60 requests failed, its 19
// peers fail 0.1 %; evidence 26.1 where 24.3 is asked. Three sigma would not have seen it."
std::string sentence(const Record& record, std::string_view endpoint_name);
// The same without the second in front.
std::string explanation(const Record& record, std::string_view endpoint_name);

// Names of the gates, with commas between; empty for none.
std::string gates_text(uint8_t gates);
std::string_view to_string(Reason reason);
std::string_view to_string(Level level);
std::string_view to_string(Cause cause);

class Journal {
 public:
  explicit Journal(uint32_t limit) : limit_(limit) {}
  void add(const Record& record);
  uint64_t written() const { return written_; }
  uint64_t let_go() const { return written_ - ring_.size(); }
  // Records from number `from` (0 is the first ever) on, as far as they are still kept.
  std::vector<Record> since(uint64_t from) const;

 private:
  uint32_t limit_;
  uint64_t written_ = 0;
  std::vector<Record> ring_;
};

}  // namespace weir::schedule
