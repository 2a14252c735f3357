#include "schedule/course.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace weir::schedule {
namespace {

constexpr float kStages[] = {0.05F, 0.10F, 0.25F, 0.50F, 1.0F};
constexpr uint8_t kRelapsesMost = 6;

}  // namespace

void Course::cut(const Finding& finding, uint32_t now, uint32_t jitter, const Policy& policy) {
  if (phase == Phase::recovering && relapses < kRelapsesMost) ++relapses;
  if (phase == Phase::steady) full_rate = std::max(finding.rate, 1e-3F);
  if (phase != Phase::cut) {
    phase = Phase::cut;
    since = now;
    bad_rate = 0;
    probes = 0;
  }
  cause = std::max(cause, finding.cause);
  const bool dead = cause == Cause::gross || cause == Cause::vanished;
  const float trickle = (dead ? policy.floor_rate_dead : policy.floor_rate) / full_rate;
  floor = std::clamp(trickle, policy.floor, policy.floor_most);
  bad_rate = std::max(bad_rate, finding.bad_rate);
  health = dead ? floor : std::max(floor, std::min(health, 1.0F) * policy.decrease);
  good = 0;
  const uint32_t hold = std::min(policy.hold_most, policy.hold_seconds << relapses);
  // Cut together, they must not return together.
  hold_until = now + hold + jitter % (hold / 4 + 1);
}

bool Course::recover(float evidence, bool fine, uint32_t now, const Policy& policy) {
  if (phase == Phase::steady) {
    if (relapses > 0 && now - since >= policy.relapse_seconds) {
      relapses /= 2;
      since = now;
    }
    return false;
  }
  if (now < hold_until) return false;
  good = std::max(0.0F, good + evidence);
  const auto* stage = std::upper_bound(std::begin(kStages), std::end(kStages), health + 1e-4F);
  const float next = stage == std::end(kStages) ? 1.0F : *stage;
  const float asked = phase == Phase::cut
                          ? policy.recovery_evidence
                          : std::log(next / health) * static_cast<float>(1 + relapses);
  if (good < asked || !fine) return false;
  good = 0;
  health = next;
  hold_until = now + policy.stage_seconds;
  if (health >= 1) {
    phase = Phase::steady;
    cause = Cause::none;
    since = now;
  } else if (phase == Phase::cut) {
    phase = Phase::recovering;
    since = now;
  }
  return true;
}

}  // namespace weir::schedule
