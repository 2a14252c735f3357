#include "net/buffer_pool.h"

#include <algorithm>

namespace weir::net {

void Buffer::reset() {
  if (data_ != nullptr) std::exchange(pool_, nullptr)->give_back(std::move(data_));
}

Buffer BufferPool::take() {
  std::unique_ptr<char[]> data;
  if (idle_.empty()) {
    data = std::make_unique_for_overwrite<char[]>(Buffer::kSize);
    ++counters_.allocated;
  } else {
    data = std::move(idle_.back());
    idle_.pop_back();
    counters_.idle = idle_.size();
  }
  counters_.in_use_max = std::max(counters_.in_use_max, ++counters_.in_use);
  return {this, std::move(data)};
}

void BufferPool::give_back(std::unique_ptr<char[]> data) {
  --counters_.in_use;
  if (idle_.size() >= idle_max_) {
    ++counters_.freed;
    return;
  }
  idle_.push_back(std::move(data));
  counters_.idle = idle_.size();
}

}  // namespace weir::net
