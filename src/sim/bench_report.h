// A load's report in three forms: a few lines for the terminal, JSON for programs, and one HTML
// file that needs nothing beside itself. Pure; any thread.
#pragma once

#include <string>

#include "sim/bench.h"

namespace weir::sim {

std::string bench_summary(const BenchOptions& options, const BenchReport& report);
std::string bench_json(const BenchOptions& options, const BenchReport& report);
std::string bench_html(const BenchOptions& options, const BenchReport& report);

// Calls per second, over the time that the load ran.
double per_second(const BenchReport& report, uint64_t count);

}  // namespace weir::sim
