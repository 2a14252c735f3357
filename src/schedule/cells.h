// Cell and Cells: the seconds that are still open. Samples are summed into a cell of their endpoint
// and second as they arrive; an evaluation closes the oldest second. A ring of kOpenSeconds keeps
// memory fixed however late or early reporters are. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "schedule/sample.h"

namespace weir::schedule {

inline constexpr uint32_t kOpenSeconds = 4;
inline constexpr uint32_t kNobody = 0xffff'ffff;
inline constexpr uint32_t kSeveral = 0xffff'fffe;

struct Cell {
  uint32_t requests = 0;  // the callers' view
  uint32_t errors = 0;
  uint32_t ln_latency = 0;
  uint32_t server_requests = 0;  // the endpoint's own
  uint32_t server_errors = 0;
  uint32_t server_ln = 0;
  uint32_t streams = 0;  // either view
  uint32_t ln_ttft = 0;
  uint32_t ln_itl = 0;
  uint32_t accuser = kNobody;  // whose samples were bad: one reporter, or kSeveral
  uint32_t first = kNobody;    // key of the first reporter, so that most need no set
  uint16_t throttled = 0;
  uint16_t inflight = 0;
  uint16_t budget = kBudgetUnknown;
  uint16_t budget_reset_s = 0;
  uint8_t reporters = 0;
  uint8_t utilization = kUtilizationUnknown;
  uint8_t marks = 0;
  uint8_t spare = 0;

  bool empty() const { return reporters == 0; }
  void add(const Sample& sample);
};
static_assert(sizeof(Cell) == 56);

// Reporters that told of an endpoint and second beyond the first: an open-addressing set of exact
// keys, emptied when the second closes. Grows by doubling up to its limit, then refuses.
class ReportSet {
 public:
  enum class Insert : uint8_t { added, present, full };
  Insert insert(uint32_t endpoint, uint32_t reporter_key, uint32_t limit);
  void clear();
  // What insert() was given, as saved and handed back.
  std::vector<uint64_t> keys() const;

 private:
  bool put(uint64_t key);
  std::vector<uint64_t> table_;  // key + 1; 0 is a free place
  size_t used_ = 0;
};

// The key of a reporter within an endpoint and second: two views of one reporter are two reports.
inline uint32_t reporter_key(const Sample& sample) {
  return sample.reporter << 1 | static_cast<uint32_t>(sample.view);
}

}  // namespace weir::schedule
