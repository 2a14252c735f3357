#include "fleet/ticker.h"

#include <algorithm>

#include "base/log.h"

namespace weir::fleet {
namespace {

constexpr uint32_t kCatchUpMost = 10;  // seconds judged late; more are skipped

}  // namespace

Ticker::Ticker(net::Loop& loop, Fleet& fleet)
    : loop_(loop), fleet_(fleet), timer_(loop, [this] {
        beat();
        start();
      }) {}

void Ticker::start() {
  const int64_t into = loop_.clock().wall_ms() % 1000;
  timer_.arm(Milliseconds(1000 - std::clamp<int64_t>(into, 0, 999)));
}

void Ticker::beat() {
  if (paused_) return;
  const int64_t wall_ms = loop_.clock().wall_ms();
  const uint32_t due = first_second(wall_ms) - 1;  // the newest second that is over for long enough
  if (due < fleet_.next_second()) return;
  if (due - fleet_.next_second() >= kCatchUpMost) {
    log::warn("fleet_seconds_skipped", {{"from", fleet_.next_second()}, {"to", due}});
    fleet_.skip_to(due);
  }
  while (fleet_.next_second() <= due) {
    const Nanoseconds before = loop_.clock().monotonic();
    fleet_.close();
    stats_.last = loop_.clock().monotonic() - before;
    stats_.longest = std::max(stats_.last, stats_.longest * 59 / 60);
    ++stats_.ticks;
    if (on_tick_) on_tick_();
  }
  stats_.lag_ms = wall_ms - (int64_t{due} + 1 + kWatermark) * 1000;
}

}  // namespace weir::fleet
