// Scraped: one endpoint's counters as it exposes them to Prometheus, and what happened between two
// scrapes, as a sample of the endpoint's own view. Latency is estimated from a histogram: each
// request counts as the geometric middle of its bucket. A counter that went down is a restart, and
// that scrape tells nothing. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "schedule/sample.h"

namespace weir::fleet {

// How the targets call what they count. An empty name is not looked for.
struct ScrapeNames {
  std::string requests = "http_requests_total";
  std::string status_label = "code";  // 5xx are errors, 429 throttled, other 4xx the callers'
  std::string latency = "http_request_duration_seconds";  // a histogram
  std::string inflight = "http_requests_in_flight";       // a gauge
  std::string utilization{};                              // a gauge, 1 is full
};

class Scraped {
 public:
  static constexpr size_t kBucketsMost = 256;

  // What happened since the last exposition; nullopt for the first, and after a restart.
  // Endpoint, second and reporter are the caller's to fill in. Counted in `broken` where the text
  // is none of the format.
  std::optional<schedule::Sample> take(std::string_view text, const ScrapeNames& names);
  uint64_t broken() const { return broken_; }

 private:
  struct Counts {
    double good = 0, errors = 0, throttled = 0, caller_faults = 0;
    std::map<double, double> buckets;  // by upper bound, cumulative, over all label sets
    double inflight = 0, utilization = -1;
    bool operator==(const Counts&) const = default;
  };
  bool read(std::string_view text, const ScrapeNames& names, Counts& out);

  std::optional<Counts> last_;
  uint64_t broken_ = 0;
};

}  // namespace weir::fleet
