#include "schedule/cells.h"

#include <algorithm>

namespace weir::schedule {
namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

void Cell::add(const Sample& s) {
  if (s.view == View::client) {
    requests = saturating_add(requests, s.requests);
    errors = saturating_add(errors, s.errors);
    ln_latency = saturating_add(ln_latency, s.ln_latency);
  } else {
    server_requests = saturating_add(server_requests, s.requests);
    server_errors = saturating_add(server_errors, s.errors);
    server_ln = saturating_add(server_ln, s.ln_latency);
  }
  streams = saturating_add(streams, s.streams);
  ln_ttft = saturating_add(ln_ttft, s.ln_ttft);
  ln_itl = saturating_add(ln_itl, s.ln_itl);
  throttled = saturating_add16(throttled, std::min<uint32_t>(s.throttled, 0xffff));
  inflight = std::max(inflight, s.inflight);
  budget = std::min(budget, s.budget);
  budget_reset_s = std::max(
      budget_reset_s, static_cast<uint16_t>(std::min<uint32_t>(s.budget_reset_ms / 1000, 0xffff)));
  reporters = static_cast<uint8_t>(std::min(255, reporters + s.sources));
  marks |= s.marks;
  if (s.utilization != kUtilizationUnknown) {
    utilization =
        utilization == kUtilizationUnknown ? s.utilization : std::max(utilization, s.utilization);
  }
}

bool ReportSet::put(uint64_t key) {
  const size_t mask = table_.size() - 1;
  for (size_t at = mix(key) & mask;; at = (at + 1) & mask) {
    if (table_[at] == key) return false;
    if (table_[at] == 0) {
      table_[at] = key;
      ++used_;
      return true;
    }
  }
}

ReportSet::Insert ReportSet::insert(uint32_t endpoint, uint32_t reporter, uint32_t limit) {
  if (used_ * 2 >= table_.size()) {
    if (used_ >= limit) return Insert::full;
    std::vector<uint64_t> old(std::max<size_t>(256, table_.size() * 2));
    old.swap(table_);
    used_ = 0;
    for (const uint64_t key : old)
      if (key != 0) put(key);
  }
  const uint64_t key = (static_cast<uint64_t>(endpoint) << 32 | reporter) + 1;
  return put(key) ? Insert::added : Insert::present;
}

std::vector<uint64_t> ReportSet::keys() const {
  std::vector<uint64_t> out;
  for (const uint64_t key : table_)
    if (key != 0) out.push_back(key);
  std::sort(out.begin(), out.end());
  return out;
}

void ReportSet::clear() {
  if (used_ == 0) return;
  std::fill(table_.begin(), table_.end(), 0);
  used_ = 0;
}

}  // namespace weir::schedule
