// Reporters: who sends samples, whether enough of them still do (coverage), and which of them
// accuse nearly every endpoint they see while the others see nothing. Such a reporter is itself
// what is broken, so its samples are set aside for a minute. Tables indexed by reporter number, up
// to a limit. One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace weir::schedule {

struct Saved;

class Reporters {
 public:
  explicit Reporters(uint32_t limit) : limit_(limit) {}

  // False beyond the limit.
  bool know(uint32_t reporter);
  bool set_aside(uint32_t reporter, uint32_t second) const {
    return all_[reporter].aside_until > second;
  }
  // One sample that counted: of a whole endpoint, and whether it was bad.
  void saw(uint32_t reporter, uint32_t second, bool bad) {
    Reporter& r = all_[reporter];
    if (second > r.last) r.last = second;
    ++r.reports;
    if (bad) ++r.bad;
    r.seen = true;
  }
  // A sample of a reporter that is set aside keeps it alive for coverage only.
  void heard(uint32_t reporter, uint32_t second) {
    if (second > all_[reporter].last) all_[reporter].last = second;
  }

  std::vector<uint32_t> aside(uint32_t second) const;

  // Closes a second: finds coverage and whom to set aside. Returns how many were newly set aside.
  uint32_t close(uint32_t second);
  // Share of the reporters of the last ten seconds that reported in the second closed last.
  float coverage() const { return coverage_; }

 private:
  friend struct Saved;
  struct Reporter {
    uint32_t last = 0;
    uint32_t aside_until = 0;
    uint32_t reports = 0;  // halves each second
    uint32_t bad = 0;
    bool seen = false;
  };
  std::vector<Reporter> all_;
  uint32_t limit_;
  float coverage_ = 1;
};

}  // namespace weir::schedule
