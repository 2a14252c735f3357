// `weir bench`: a Bench over the network until it is over or SIGINT, then its reports. Runs on the
// calling thread.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "sim/bench.h"

namespace weir::sim {

struct BenchCommandOptions {
  BenchOptions bench;
  std::string json_path;  // "-": to `out`, in place of the summary
  std::string html_path;
  std::optional<uint64_t> failures_max;  // more make the exit code 1; streams mode: none by default
};

// SIGINT and SIGTERM are blocked before any thread starts (net::block_signals). Gives the exit
// code: 1 when nothing succeeded or more failed than failures_max.
int run_bench(BenchCommandOptions options, std::ostream& out, std::ostream& err);

}  // namespace weir::sim
