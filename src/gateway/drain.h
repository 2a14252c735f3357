// Drain: what becomes of a provider's stream when its client leaves. By default it is cancelled; an
// account with `on_abort: drain` has it read on, bytes thrown away, for the usage at its end. One
// per attempt, on the worker's thread. Limits: kTimeMax and kBytesMax after the client left, and
// Worker::kDrainsMax at once, beyond which the stream is cancelled. A worker that shuts down gives
// up its drains within kTick, so none holds up the end.
#pragma once

#include <cstddef>

#include "gateway/exchange.h"
#include "http/exchange.h"
#include "net/timer.h"

namespace weir::gateway {

class Drain {
 public:
  static constexpr Milliseconds kTimeMax{10'000};
  static constexpr size_t kBytesMax = size_t{1} << 20;
  static constexpr Milliseconds kTick{500};

  Drain(Exchange& x, const provider::Account& account, http::ClientExchange& upstream);
  ~Drain();
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  // The client has left. Whether the stream is read on; else it is to be cancelled. May be asked
  // again.
  bool begin();
  bool running() const { return running_; }
  // Bytes read since then; false once they are too many.
  bool take(size_t bytes);
  // All that matters was read: a client that leaves now is no reason to read on.
  void set_whole();
  // The provider broke off.
  void set_failed();

 private:
  void tick();
  void give_up();

  Exchange& x_;
  http::ClientExchange& upstream_;
  const bool wanted_;
  bool running_ = false;
  bool whole_ = false;
  bool given_up_ = false;
  size_t bytes_ = 0;
  Nanoseconds end_{0};
  net::Timer timer_;
};

}  // namespace weir::gateway
