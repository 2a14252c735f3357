// Priorities: whose request goes first where capacity is short. `Gate` counts the requests of each
// class that wait for something scarce (an account, a model), over all workers: who comes later and
// is not more important waits, too. Atomics only; nobody waits for a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::ledger {

// The most important first.
enum class Priority : uint8_t { high, normal, low };
inline constexpr size_t kPriorities = 3;

constexpr std::string_view to_string(Priority priority) {
  constexpr std::string_view kNames[kPriorities] = {"high", "normal", "low"};
  return kNames[static_cast<size_t>(priority)];
}

constexpr std::optional<Priority> priority_of(std::string_view name) {
  for (size_t i = 0; i < kPriorities; ++i) {
    if (to_string(static_cast<Priority>(i)) == name) return static_cast<Priority>(i);
  }
  return std::nullopt;
}

// Three counts of 21 bits in one word, the most important in the low bits.
class Gate {
 public:
  void join(Priority priority) { word_.fetch_add(one(priority), std::memory_order_relaxed); }
  void leave(Priority priority) { word_.fetch_sub(one(priority), std::memory_order_relaxed); }
  bool nobody() const { return word_.load(std::memory_order_relaxed) == 0; }
  // Whether one of that class has to let others go first: those of higher classes, and for one that
  // has just come (`joins`) also those of its own.
  bool closed_to(Priority priority, bool joins) const {
    const unsigned classes = static_cast<unsigned>(priority) + (joins ? 1 : 0);
    const uint64_t before = (uint64_t{1} << (kBits * classes)) - 1;
    return (word_.load(std::memory_order_relaxed) & before) != 0;
  }

 private:
  static constexpr unsigned kBits = 21;
  static constexpr uint64_t one(Priority priority) {
    return uint64_t{1} << (kBits * static_cast<unsigned>(priority));
  }
  std::atomic<uint64_t> word_{0};
};

}  // namespace weir::ledger
