// Loop: one thread's event loop over epoll. It owns the ready list, the timing wheel, the spawned
// tasks and a pool of 16 KiB buffers. Everything runs on the thread that calls run(), one thing at
// a time; only post() and stop() may be called from others. A turn is: fire timers, run posted and
// deferred functions and what was ready when the turn began, then wait for the kernel; what becomes
// ready during a turn runs in the next, so nothing starves the sockets.
//
// Give it a ManualClock and it never waits: run_until_idle() and advance() make a test exact.
// The loop is destroyed after everything that refers to it, except spawned tasks, which it destroys
// first of all; call destroy_tasks() earlier when tasks refer to objects that go before the loop.
// Limits: 256 events per turn; the post queue is bounded by its users.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/buffer_pool.h"
#include "net/task.h"
#include "net/timer.h"
#include "net/wakeup.h"

namespace weir::net {

// What is told about a watched descriptor's events (EPOLLIN, ...). Called from the loop; may
// destroy itself and any other handler.
class FdHandler {
 public:
  virtual void on_fd_events(uint32_t events) = 0;

 protected:
  ~FdHandler() = default;
};

class Loop {
 public:
  // The clock outlives the loop. Throws std::system_error when the kernel gives no descriptors.
  explicit Loop(Clock& clock);
  explicit Loop(ManualClock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Turns until stop(). A stop() that came before run() ends it at once.
  void run();
  // Any thread. run() returns after the turn it is in.
  void stop();
  // Any thread. Runs the function on the loop's thread, in order.
  void post(std::function<void()> function);
  // Loop's thread. Runs the function in the next turn.
  void defer(std::function<void()> function);

  // One turn, waiting for the kernel at most `wait`. Returns whether anything happened.
  bool turn(Nanoseconds wait);
  // Turns without waiting until nothing is left to do now.
  void run_until_idle();
  // ManualClock only: moves time on by that much, stopping at every timer on the way.
  void advance(Nanoseconds by);
  // Turns until done() is true, `limit` of real time at most; returns done(). With a ManualClock it
  // jumps to the next timer whenever idle, and gives up when there is none.
  bool run_until(const std::function<bool()>& done, Nanoseconds limit = std::chrono::seconds(30));

  Clock& clock() const { return clock_; }
  // The monotonic time at which this turn's events arrived.
  Nanoseconds now() const { return now_; }
  // A deadline that far from now(); saturates at kNoDeadline.
  Deadline deadline_in(Nanoseconds after) const {
    return after >= kNoDeadline - now_ ? kNoDeadline : now_ + after;
  }
  // Counts turns: lets a stream limit what it takes in one.
  uint64_t turns() const { return turns_; }
  BufferPool& buffers() { return buffers_; }
  TimerWheel& timers() { return timers_; }

  // Queues the node for the next turn; does nothing when it is queued already.
  void wake(Wakeup& node) {
    if (!node.queued()) ready_.push_back(node);
  }
  void spawn(Task<void> task) { tasks_.spawn(std::move(task)); }
  size_t tasks() const { return tasks_.size(); }
  void destroy_tasks() { tasks_.destroy_all(); }

  // Watches a descriptor for `events` (with or without EPOLLET); the answer names the watch. Events
  // that were already fetched for a removed watch are not delivered.
  Result<uint32_t> watch(int fd, uint32_t events, FdHandler& handler);
  void change_watch(uint32_t watch, uint32_t events);
  // Before the descriptor is closed. `closing`: the caller closes it next and nobody else holds it,
  // which removes it from epoll without a call.
  void unwatch(uint32_t watch, bool closing);

 private:
  // Drains the descriptor by which other threads wake this one.
  class PostHandler final : public FdHandler {
   public:
    explicit PostHandler(Loop& loop) : loop_(loop) {}
    void on_fd_events(uint32_t events) override;

   private:
    Loop& loop_;
  };
  struct Watch {
    FdHandler* handler = nullptr;
    int fd = -1;
    uint32_t generation = 0;
  };

  Loop(Clock& clock, ManualClock* manual);
  bool work();
  void refresh_now();
  void wake_thread();
  bool run_posted();
  bool run_deferred();
  bool run_ready();
  bool poll(Nanoseconds wait);
  Nanoseconds wait_limit(Nanoseconds wait) const;

  Clock& clock_;
  ManualClock* manual_;
  int epoll_fd_ = -1;
  int event_fd_ = -1;
  Nanoseconds now_;
  uint64_t turns_ = 0;
  bool pwait2_ = true;  // the kernel has epoll_pwait2 (5.11)
  bool post_pending_ = false;
  PostHandler post_handler_{*this};

  std::atomic<bool> stopped_{false};
  std::mutex post_mutex_;
  std::vector<std::function<void()>> posted_;  // under post_mutex_
  std::vector<std::function<void()>> deferred_;

  std::vector<Watch> watches_;
  std::vector<uint32_t> free_watches_;

  BufferPool buffers_;
  TimerWheel timers_;
  WakeupList ready_;
  TaskGroup tasks_;  // last: its frames refer to all of the above
};

// Drives the loop until the task is done and gives its result: for tests, tools and start-up.
// nullopt when run_until() gave up. The task is destroyed on return.
template <class T>
std::optional<T> run_task(Loop& loop, Task<T> task, Nanoseconds limit = std::chrono::seconds(30)) {
  std::optional<T> result;
  TaskGroup group(loop);
  group.spawn([](Task<T> inner, std::optional<T>* out) -> Task<void> {
    out->emplace(co_await std::move(inner));
  }(std::move(task), &result));
  loop.run_until([&] { return result.has_value(); }, limit);
  return result;
}
// Returns whether the task finished.
bool run_task(Loop& loop, Task<void> task, Nanoseconds limit = std::chrono::seconds(30));

}  // namespace weir::net
