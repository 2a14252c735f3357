// The queue: where requests of one worker wait while every account that could serve them, or the
// model's own limit, is full. The more important first, then in the order in which they came; of
// each model only the first in line looks for room, so that nobody behind it is faster. Each counts
// in the gates (ledger/priority.h) of what it waits for, which all workers see: whoever comes later
// and is not more important joins the queue of its own worker, and less important ones that wait
// elsewhere stay back. No worker waits for another: room that another one made is found by looking,
// every kLook while anybody waits.
//
// Limits: `size` requests (snapshot), the rest are refused; a full queue gives the place of the
// last of a less important class to who is more important. Every wait ends by its deadline. On the
// worker's thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "ledger/priority.h"
#include "net/task.h"
#include "net/timer.h"

namespace weir::gateway {

struct Exchange;

struct QueueCounters {        // of one class
  uint64_t waiting = 0;       // gauge
  uint64_t waits = 0;         // requests that began to wait
  uint64_t served = 0;        // ... and got what they waited for
  uint64_t expired = 0;       // ... and were refused when their time was over
  uint64_t pushed_out = 0;    // ... and gave their place to a more important one
  uint64_t left = 0;          // ... and whose client went away, or that another limit refused
  uint64_t refused_full = 0;  // found the queue full, or the worker draining
  uint64_t waited_us = 0;     // of all waits that ended
};

class WaitQueue {
 public:
  static constexpr Nanoseconds kLook{5'000'000};

  // How a turn in the queue ends: there may be room, or the wait is over.
  enum class Turn : uint8_t { look, expired, pushed_out, gone };

  class Place {
   public:
    // Takes a place, or none where the queue is full: has().
    Place(WaitQueue& queue, size_t size_max, ledger::Priority priority, uint32_t model,
          Nanoseconds until);
    ~Place() { leave(Turn::gone); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    bool has() const { return queued_; }
    // Counts among those who wait for what is behind the gate, until it leaves. The gate must
    // outlive the place.
    void stand_at(ledger::Gate& gate);
    // Until there may be room, or the wait is over; then the place is gone.
    net::Task<Turn> turn();
    // It has what it waited for.
    void took();
    // The client is gone.
    void cancel() { leave(Turn::gone); }

   private:
    friend class WaitQueue;
    void leave(Turn how);

    WaitQueue& queue_;
    ledger::Priority priority_;
    uint32_t model_;
    Nanoseconds since_;
    Nanoseconds until_;
    uint64_t number_ = 0;
    bool queued_ = false;
    Turn end_ = Turn::look;
    net::Event event_;
    std::vector<ledger::Gate*> gates_;
  };

  explicit WaitQueue(net::Loop& loop);

  // Something was given back: the first in line look at once.
  void nudge() {
    if (!places_.empty()) timer_.arm(Nanoseconds{0});
  }
  size_t size() const { return places_.size(); }
  const std::array<QueueCounters, ledger::kPriorities>& counters() const { return counters_; }
  void count_refused(ledger::Priority priority) { ++of(priority).refused_full; }

 private:
  // By class, then by arrival.
  using Order = std::pair<ledger::Priority, uint64_t>;

  void look();
  void arm();
  QueueCounters& of(ledger::Priority priority) { return counters_[static_cast<size_t>(priority)]; }

  net::Loop& loop_;
  net::Timer timer_;
  std::map<Order, Place*> places_;
  uint64_t next_ = 0;
  std::array<QueueCounters, ledger::kPriorities> counters_{};
};

// The class of a request: its key's, or a lower one that its x-weir-priority asks for.
ledger::Priority priority_of(const Exchange& x);

// Whether others go first: more important ones, and for a request that does not wait yet also its
// equals.
bool goes_behind(const Exchange& x, const ledger::Gate& gate);

// After admit() refused for the model's own limits: waits and tries again. False: refused, as `x`
// says, or the client is gone.
net::Task<bool> wait_for_model(Exchange& x);

// When plan_next() found nothing: waits until one of the accounts may have room. False: they are
// not full, or the wait is over.
net::Task<bool> wait_for_account(Exchange& x, std::unique_ptr<WaitQueue::Place>& place);

}  // namespace weir::gateway
