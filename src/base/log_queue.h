// The log's queue: many threads push lines, one pops them. Bounded in lines and bytes, without
// locks: a ring of cells whose sequence numbers say whose turn each is (Dmitry Vyukov, "Bounded
// MPMC queue", 2010).
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>

namespace weir::log {

class LineQueue {
 public:
  LineQueue(uint32_t lines_max, uint64_t bytes_max)
      : mask_(std::bit_ceil(lines_max < 2 ? 2U : lines_max) - 1),
        bytes_max_(bytes_max),
        cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (uint64_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  // False, and the line untouched, when there is no room.
  bool push(std::string& line) {
    const uint64_t size = line.size();
    if (bytes_.fetch_add(size, std::memory_order_relaxed) + size > bytes_max_) {
      bytes_.fetch_sub(size, std::memory_order_relaxed);
      return false;
    }
    uint64_t place = tail_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[place & mask_];
      // 1. acquire: a turn equal to ours means the reader is done with the cell's last line.
      const uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == place) {
        if (tail_.compare_exchange_weak(place, place + 1, std::memory_order_relaxed)) {
          cell.line = std::move(line);
          // 2. release: the reader that sees this turn sees the line.
          cell.turn.store(place + 1, std::memory_order_release);
          return true;
        }
      } else if (turn < place) {
        bytes_.fetch_sub(size, std::memory_order_relaxed);
        return false;  // a whole ring ahead of the reader
      } else {
        place = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // Only the one reader. False when there is nothing.
  bool pop(std::string& line) {
    Cell& cell = cells_[head_ & mask_];
    if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return false;  // pairs with 2
    line = std::move(cell.line);
    cell.line.clear();
    bytes_.fetch_sub(line.size(), std::memory_order_relaxed);
    cell.turn.store(head_ + mask_ + 1, std::memory_order_release);  // pairs with 1
    ++head_;
    return true;
  }

  // Only the one reader.
  bool empty() const {
    return cells_[head_ & mask_].turn.load(std::memory_order_acquire) != head_ + 1;
  }

 private:
  struct Cell {
    std::atomic<uint64_t> turn{0};
    std::string line;
  };
  const uint64_t mask_;
  const uint64_t bytes_max_;
  std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<uint64_t> tail_{0};
  alignas(64) std::atomic<uint64_t> bytes_{0};
  alignas(64) uint64_t head_ = 0;
};

}  // namespace weir::log
