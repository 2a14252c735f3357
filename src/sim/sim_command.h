// `weir sim`: a Simulator on a listener until SIGINT or SIGTERM. Runs on the calling thread.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sim/simulator.h"

namespace weir::sim {

struct SimCommandOptions {
  std::string listen = "127.0.0.1:8090";
  std::optional<Simulator::TlsFiles> tls;
  SimConfig config;         // file, then command line
  std::vector<Rule> rules;  // the same
  bool quiet = false;
};

// "429@5%", "stall@0.01", "reset": a fault on a share of all calls.
Result<Rule> parse_fault_option(std::string_view text);

// SIGINT and SIGTERM are blocked before any thread starts (net::block_signals). Gives the exit
// code.
int run_sim(SimCommandOptions options, std::ostream& out, std::ostream& err);

}  // namespace weir::sim
