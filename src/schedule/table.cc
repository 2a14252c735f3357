#include "schedule/table.h"

namespace weir::schedule {
namespace {

// Sums of these do not depend on the order of the entries.
uint64_t entry_hash(uint32_t endpoint, uint16_t weight) {
  uint64_t x = (static_cast<uint64_t>(endpoint) << 16 | weight) + 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

void Table::put_silently(uint32_t endpoint, uint16_t weight) {
  hash_ += entry_hash(endpoint, weight);
}

void Table::put(uint32_t endpoint, std::optional<uint16_t> old, std::optional<uint16_t> weight) {
  if (old) hash_ -= entry_hash(endpoint, *old);
  if (weight) hash_ += entry_hash(endpoint, *weight);
  const WeightChange change{++version_, endpoint, weight.value_or(0), !weight};
  if (ring_.size() < kept_) {
    ring_.push_back(change);
    return;
  }
  oldest_ = ring_[next_].version;
  ring_[next_] = change;
  next_ = (next_ + 1) % ring_.size();
}

std::optional<std::vector<WeightChange>> Table::since(uint64_t version) const {
  if (version > version_ || version < oldest_) return std::nullopt;
  std::vector<WeightChange> out;
  const size_t count = version_ - version;
  out.reserve(count);
  for (size_t i = ring_.size() - count; i < ring_.size(); ++i)
    out.push_back(ring_[(next_ + i) % ring_.size()]);
  return out;
}

}  // namespace weir::schedule
