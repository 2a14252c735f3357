// Ticker: closes the seconds of a fleet by its loop's clock, each `kWatermark` after its end, so
// that reports have time to come in. After a pause of more than ten seconds it does not judge what
// nobody could report, but skips it. A clock that is set back is waited for. One thread.
#pragma once

#include <cstdint>
#include <functional>

#include "fleet/fleet.h"
#include "net/loop.h"
#include "net/timer.h"

namespace weir::fleet {

struct TickerStats {
  uint64_t ticks = 0;
  Nanoseconds last{0};     // what closing a second took
  Nanoseconds longest{0};  // of the last 60 ticks or so
  int64_t lag_ms = 0;      // how late the newest second was closed
};

class Ticker {
 public:
  static constexpr uint32_t kWatermark = 2;  // seconds

  Ticker(net::Loop& loop, Fleet& fleet);
  // The second that is to be judged next when the clock says `wall_ms`.
  static uint32_t first_second(int64_t wall_ms) {
    return static_cast<uint32_t>(wall_ms / 1000) - kWatermark;
  }

  void start();
  // Paused, the owner closes seconds itself: a standby does it when its primary did.
  void pause(bool paused) { paused_ = paused; }
  bool paused() const { return paused_; }
  // Closes what is due now.
  void beat();
  // Called after each second that was closed.
  void on_tick(std::function<void()> function) { on_tick_ = std::move(function); }
  // A second was closed by the owner.
  void notify() {
    if (on_tick_) on_tick_();
  }
  const TickerStats& stats() const { return stats_; }

 private:
  net::Loop& loop_;
  Fleet& fleet_;
  net::Timer timer_;
  std::function<void()> on_tick_;
  TickerStats stats_;
  bool paused_ = false;
};

}  // namespace weir::fleet
