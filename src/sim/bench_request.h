// The requests of a load: paths, headers and bodies of each dialect. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "sim/bench.h"

namespace weir::sim {

// `prefix` is the path of the base URL ("", "/v1", "/openai/v1").
std::string bench_path(const BenchOptions& options, std::string_view prefix);
// The request's line and fields, for http::ClientRequest::head.
std::string bench_head(const BenchOptions& options, std::string_view prefix, std::string_view host);
// Words enough for the prompt, and a limit for the output.
std::string bench_body(const BenchOptions& options, const Arrival& arrival, Random& random);

}  // namespace weir::sim
