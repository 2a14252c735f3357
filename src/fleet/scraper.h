// Scraper: asks endpoints for what they expose to Prometheus, once a second each, and turns it into
// samples of their own view. For services whose processes count already and report to nobody.
// Limits: kTargetsMost endpoints, kAtOnceMost questions at once, kBodyMost of an answer, a second
// for it; what is left out or fails is counted. A scrape that fails says nothing about its
// endpoint. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fleet/fleet.h"
#include "fleet/scraped.h"
#include "http/client.h"
#include "net/loop.h"

namespace weir::fleet {

struct ScrapeJob {
  std::string service;
  std::string path = "/metrics";
  ScrapeNames names{};
};

struct ScraperCounters {
  uint64_t scrapes = 0;   // answered and read
  uint64_t failures = 0;  // not answered in time, or with an error
  uint64_t broken = 0;    // answers that are no exposition
  uint64_t left_out = 0;  // questions not asked because of a limit
};

class Scraper {
 public:
  static constexpr size_t kTargetsMost = 4'096;
  static constexpr size_t kAtOnceMost = 512;
  static constexpr size_t kBodyMost = size_t{8} << 20;

  // All outlive the scraper.
  Scraper(net::Loop& loop, http::Client& client, Fleet& fleet, std::vector<ScrapeJob> jobs);

  // From the next scrape on; questions under way end as they began.
  void set_jobs(std::vector<ScrapeJob> jobs);
  // Asks everybody once: call it every second.
  void scrape();
  const ScraperCounters& counters() const { return counters_; }

 private:
  struct Target {
    Scraped scraped;
    bool asking = false;
    uint64_t round = 0;  // of the last scrape() that saw it
  };
  net::Task<void> ask(std::shared_ptr<const ScrapeJob> job, uint32_t number, uint8_t tag,
                      uint32_t second);
  net::Task<Result<std::string>> fetch(std::string host, uint16_t port, std::string path);

  net::Loop& loop_;
  http::Client& client_;
  Fleet& fleet_;
  std::vector<std::shared_ptr<const ScrapeJob>> jobs_;
  std::map<uint32_t, std::unique_ptr<Target>> targets_;  // by number and tag
  ScraperCounters counters_;
  uint64_t round_ = 0;
  size_t asking_ = 0;
  net::TaskGroup tasks_;
};

}  // namespace weir::fleet
