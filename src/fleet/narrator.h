// Narrator: what an operator should read in the log of what a fleet did: cuts and their causes,
// returns, panic, the breaker, reporters set aside. At most so many lines a second; the rest stands
// in the history. One thread.
#pragma once

#include <cstdint>

#include "fleet/fleet.h"

namespace weir::fleet {

class Narrator {
 public:
  static constexpr uint32_t kLinesMost = 20;  // of one second

  explicit Narrator(Fleet& fleet);
  // After a second was closed.
  void tell();

 private:
  Fleet& fleet_;
  uint64_t told_;  // records of the journal
  schedule::Counters before_;
};

}  // namespace weir::fleet
