// Task<T>: a lazy, move-only coroutine that runs when awaited and hands its result over by value.
// The awaiting frame owns the Task, so destroying a suspended frame destroys everything it waits
// for, innermost last-started first; a destroyed frame is never resumed. Suspension hands over by
// symmetric transfer: a chain of awaits uses no stack. The data plane throws nothing: an exception
// that leaves a coroutine ends the process. Everything here belongs to one loop's thread.
//
// spawn() gives a Task to the loop, TaskGroup to an owner; both start it at once on the caller's
// stack, up to its first suspension. Lambdas that are coroutines must not capture: the captures
// live in the lambda object, not in the frame. Pass what they need as parameters, by value.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "net/frame_pool.h"
#include "net/timer.h"
#include "net/wakeup.h"

namespace weir::net {

class Loop;
template <class T>
class Task;

namespace detail {

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
    return done.promise().continuation;
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  static void* operator new(size_t bytes) { return frame_pool::take(bytes); }
  static void operator delete(void* frame, size_t bytes) { frame_pool::give_back(frame, bytes); }
  std::coroutine_handle<> continuation = std::noop_coroutine();
};

template <class T>
struct Promise : PromiseBase {
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
  std::optional<T> value;
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // Runs the task and gives its result. A task is awaited once; the Task object must live until
  // then (a temporary in the co_await expression does).
  auto operator co_await() && noexcept {
    struct Awaiter {
      Handle task;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        task.promise().continuation = awaiting;
        return task;
      }
      T await_resume() const { return task.promise().take(); }
    };
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

// A set/not-set flag that coroutines of one loop wait for. set() wakes every waiter and stays set
// until reset(). Waiters of a destroyed Event are not woken; whoever owns their frames frees them.
class Event {
 public:
  explicit Event(Loop& loop) : loop_(&loop) {}

  void set();
  void reset() { set_ = false; }
  bool is_set() const { return set_; }

  class [[nodiscard]] Wait : public CoroutineWakeup {
   public:
    explicit Wait(Event& event) : event_(&event) {}
    bool await_ready() const { return event_->set_; }
    void await_suspend(std::coroutine_handle<> handle) {
      handle_ = handle;
      event_->waiters_.push_back(*this);
    }
    void await_resume() const {}

   protected:
    friend class Event;
    Event* event_;
    bool woken_ = false;
  };
  Wait wait() { return Wait(*this); }

  class [[nodiscard]] TimedWait : public Wait {
   public:
    TimedWait(Event& event, Nanoseconds limit);
    void await_suspend(std::coroutine_handle<> handle);
    bool await_resume() const { return woken_ || !timed_out_; }

   private:
    Loop* loop_;
    Nanoseconds limit_;
    Timer timer_;
    bool timed_out_ = false;
  };
  // True once set, false when `limit` passes first.
  TimedWait wait_for(Nanoseconds limit) { return {*this, limit}; }

 private:
  Loop* loop_;
  WakeupList waiters_;
  bool set_ = false;
};

// Owns running tasks. Destroying the group destroys those that have not finished, at whatever point
// they are suspended; a task must not destroy the group it runs in.
class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop) : idle_(loop) { idle_.set(); }
  ~TaskGroup() { destroy_all(); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts the task here and now; it runs until it first suspends.
  void spawn(Task<void> task);
  // Waits until no task is left.
  Event::Wait wait() { return idle_.wait(); }
  size_t size() const { return size_; }
  void destroy_all();

  // A spawned task's place in its group's list; public only for the coroutine that wraps the task.
  struct Root;

 private:
  friend struct Root;
  Root* first_ = nullptr;
  size_t size_ = 0;
  Event idle_;
};

// Runs a task that nobody waits for. The loop owns it and destroys it at shutdown if it never ends.
void spawn(Loop& loop, Task<void> task);

}  // namespace weir::net

// WEIR_TRY and WEIR_CHECK_OK for coroutines: WEIR_CO_TRY(auto stream, co_await dialer.dial(...)).
#define WEIR_CO_TRY(declaration, expression)                                     \
  auto WEIR_CONCAT(weir_try_, __LINE__) = (expression);                          \
  if (!WEIR_CONCAT(weir_try_, __LINE__))                                         \
    co_return ::weir::fail(std::move(WEIR_CONCAT(weir_try_, __LINE__)).error()); \
  declaration = std::move(*WEIR_CONCAT(weir_try_, __LINE__))
#define WEIR_CO_CHECK_OK(expression)                                                      \
  do {                                                                                    \
    auto weir_check_result = (expression);                                                \
    if (!weir_check_result) co_return ::weir::fail(std::move(weir_check_result).error()); \
  } while (false)
