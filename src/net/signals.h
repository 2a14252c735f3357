// Signals as events of the loop, by signalfd. block_signals() runs in main before any thread
// starts, so that every thread inherits the mask and only the descriptor sees them. One Signals per
// process and signal. SIGPIPE is ignored as well, for libraries that write to sockets themselves,
// and SIGXFSZ, so that a file that may not grow is an error and not the end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "net/loop.h"

namespace weir::net {

// Blocks these in the calling thread and those it starts.
void block_signals(const std::vector<int>& signals);

class Signals final : private FdHandler {
 public:
  using OnSignal = std::function<void(int signal)>;
  // The callback runs on the loop's thread and may destroy this.
  static Result<std::unique_ptr<Signals>> open(Loop& loop, const std::vector<int>& signals,
                                               OnSignal on_signal);
  ~Signals();

 private:
  Signals(Loop& loop, int fd, OnSignal on_signal);
  void on_fd_events(uint32_t events) override;

  Loop& loop_;
  int fd_;
  uint32_t watch_ = 0;
  bool watching_ = false;
  std::shared_ptr<const OnSignal> on_signal_;  // shared with the call in progress
};

}  // namespace weir::net
