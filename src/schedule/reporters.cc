#include "schedule/reporters.h"

namespace weir::schedule {
namespace {

constexpr uint32_t kExpectedFor = 10;  // seconds without a report until one is not missed
constexpr uint32_t kAsideFor = 60;
constexpr uint32_t kReportsToJudge = 8;  // about four endpoints, each second
constexpr uint64_t kOthersBadMost = 10;  // percent of the others' samples

}  // namespace

bool Reporters::know(uint32_t reporter) {
  if (reporter < all_.size()) return true;
  if (reporter >= limit_) return false;
  all_.resize(reporter + 1);
  return true;
}

std::vector<uint32_t> Reporters::aside(uint32_t second) const {
  std::vector<uint32_t> out;
  for (uint32_t r = 0; r < all_.size(); ++r)
    if (set_aside(r, second)) out.push_back(r);
  return out;
}

uint32_t Reporters::close(uint32_t second) {
  uint64_t reports = 0;
  uint64_t bad = 0;
  uint32_t expected = 0;
  uint32_t present = 0;
  for (const Reporter& r : all_) {
    reports += r.reports;
    bad += r.bad;
    if (!r.seen || r.last + kExpectedFor < second) continue;
    ++expected;
    if (r.last >= second) ++present;
  }
  coverage_ = expected == 0 ? 1.0F : static_cast<float>(present) / static_cast<float>(expected);
  uint32_t newly = 0;
  for (Reporter& r : all_) {
    if (r.reports >= kReportsToJudge && r.bad * 2 > r.reports) {
      const uint64_t others = reports - r.reports;
      const uint64_t others_bad = bad - r.bad;
      // Without enough other eyes nobody can say who is wrong.
      if (others >= r.reports && others_bad * 100 < others * kOthersBadMost) {
        r.aside_until = second + kAsideFor;
        ++newly;
      }
    }
    r.reports /= 2;
    r.bad /= 2;
  }
  return newly;
}

}  // namespace weir::schedule
