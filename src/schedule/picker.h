// Picker: a weighted choice in constant time. An alias table (Walker, Vose) over one version of the
// weights answers a draw with one multiplication and one or two loads; choosing between two draws
// by load per weight keeps a busy endpoint from getting busier. Immutable once built, so any number
// of threads may pick from it; whoever builds the next one swaps a pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::schedule {

class Picker {
 public:
  Picker() = default;
  // Weights by position; not all of them zero, or every pick gives position 0.
  explicit Picker(std::span<const uint16_t> weights);

  size_t size() const { return rows_.size(); }

  // One draw from 32 random bits.
  uint32_t draw(uint32_t random) const {
    const uint64_t scaled = static_cast<uint64_t>(random) * rows_.size();
    const auto at = static_cast<uint32_t>(scaled >> 32);
    const Row& row = rows_[at];
    return static_cast<uint32_t>(scaled) < row.threshold ? at : row.alias;
  }

  // Two draws from 64 random bits; the one with less load per weight. `load(position)` is whatever
  // is in flight there: requests, or the token-work of a model.
  template <class Load>
  uint32_t pick(uint64_t random, const Load& load) const {
    const uint32_t a = draw(static_cast<uint32_t>(random));
    const uint32_t b = draw(static_cast<uint32_t>(random >> 32));
    const float load_a = static_cast<float>(load(a)) * rows_[a].per_weight;
    const float load_b = static_cast<float>(load(b)) * rows_[b].per_weight;
    return load_b < load_a ? b : a;
  }

 private:
  struct Row {
    uint32_t threshold = 0;  // below it the row itself, else its alias
    uint32_t alias = 0;
    float per_weight = 0;
    uint32_t spare = 0;
  };
  std::vector<Row> rows_;
};

}  // namespace weir::schedule
