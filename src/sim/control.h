// The simulator's own paths, /sim/v1/...: the script, the account of calls, totals and tokens.
// docs/simulator.md lists them. One thread.
#pragma once

#include <string>
#include <string_view>

#include "sim/simulator_impl.h"

namespace weir::sim {

struct ControlAnswer {
  int status = 200;
  std::string body;
};
// `path` is what stands behind /sim/v1/.
ControlAnswer answer_control(Simulator::Impl& sim, std::string_view method, std::string_view path,
                             std::string_view query, std::string_view body);

}  // namespace weir::sim
