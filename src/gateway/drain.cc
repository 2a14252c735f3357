#include "gateway/drain.h"

#include <algorithm>

namespace weir::gateway {

std::string_view to_string(AbortHandling handling) {
  switch (handling) {
    case AbortHandling::none:
      return "none";
    case AbortHandling::cancelled:
      return "cancelled";
    case AbortHandling::drained:
      return "drained";
    case AbortHandling::drain_capped:
      return "drain_capped";
    case AbortHandling::drain_failed:
      return "drain_failed";
  }
  return "none";
}

Drain::Drain(Exchange& x, const provider::Account& account, http::ClientExchange& upstream)
    : x_(x),
      upstream_(upstream),
      wanted_(account.on_abort == provider::OnAbort::drain),
      timer_(x.worker.loop, [this] { tick(); }) {
  x_.drain = this;
}

Drain::~Drain() {
  x_.drain = nullptr;
  if (running_) --x_.worker.counters.drains_running;
}

bool Drain::begin() {
  if (running_) return !given_up_;
  if (!wanted_ || whole_ || x_.worker.draining) return false;
  Counters& counters = x_.worker.counters;
  if (counters.drains_running >= Worker::kDrainsMax) {
    ++counters.drains_refused;
    return false;
  }
  ++counters.drains_running;
  running_ = true;
  // Whatever ends it but the stream's own end: a limit, Weir's end.
  x_.abort_handling = AbortHandling::drain_capped;
  end_ = x_.now() + kTimeMax;
  timer_.arm(kTick);
  return true;
}

bool Drain::take(size_t bytes) {
  bytes_ += bytes;
  if (bytes_ > kBytesMax) give_up();
  return !given_up_;
}

void Drain::set_whole() {
  whole_ = true;
  x_.abort_handling = running_ ? AbortHandling::drained : AbortHandling::none;
}

void Drain::set_failed() {
  if (running_ && !given_up_ && !whole_) x_.abort_handling = AbortHandling::drain_failed;
}

void Drain::tick() {
  if (x_.now() >= end_ || x_.worker.draining) {
    give_up();
  } else {
    timer_.arm(std::min<Nanoseconds>(kTick, end_ - x_.now()));
  }
}

void Drain::give_up() {
  given_up_ = true;
  timer_.cancel();
  upstream_.cancel({ErrorCode::cancelled, "the client is gone"});
}

}  // namespace weir::gateway
