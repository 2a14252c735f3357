#include "schedule/picker.h"

#include <limits>

namespace weir::schedule {

Picker::Picker(std::span<const uint16_t> weights) : rows_(weights.empty() ? 1 : weights.size()) {
  uint64_t sum = 0;
  for (const uint16_t weight : weights) sum += weight;
  if (sum == 0) return;  // every row's alias is 0
  // Exact integers: a row holds `sum` parts, endpoint i owns weight * n of them.
  const uint64_t n = weights.size();
  std::vector<uint64_t> parts(n);
  std::vector<uint32_t> small;
  std::vector<uint32_t> large;
  for (uint32_t i = 0; i < n; ++i) {
    parts[i] = weights[i] * n;
    (parts[i] < sum ? small : large).push_back(i);
    rows_[i].per_weight =
        weights[i] == 0 ? std::numeric_limits<float>::max() : 1.0F / static_cast<float>(weights[i]);
    rows_[i].alias = i;
    rows_[i].threshold = std::numeric_limits<uint32_t>::max();
  }
  while (!small.empty() && !large.empty()) {
    const uint32_t poor = small.back();
    small.pop_back();
    const uint32_t rich = large.back();
    rows_[poor].alias = rich;
    rows_[poor].threshold = static_cast<uint32_t>(static_cast<long double>(parts[poor]) /
                                                  static_cast<long double>(sum) * 4294967296.0L);
    parts[rich] -= sum - parts[poor];
    if (parts[rich] < sum) {
      large.pop_back();
      small.push_back(rich);
    }
  }
}

}  // namespace weir::schedule
