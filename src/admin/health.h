// What the process knows of its own health beyond its counters: the disk below data_dir, and what
// went wrong lately. Values; control-plane thread.
#pragma once

#include <cstdint>
#include <string>

namespace weir::admin {

// Something that failed on the control plane, when it did last.
struct RecentError {
  std::string what;  // "reload_failed", as in the log
  std::string message;
  int64_t time_ms = 0;
  uint64_t times = 0;
};

}  // namespace weir::admin
