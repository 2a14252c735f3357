#include "net/task.h"

#include "net/loop.h"

namespace weir::net {

void Event::set() {
  set_ = true;
  while (!waiters_.empty()) {
    Wakeup& waiter = waiters_.pop_front();
    static_cast<Wait&>(waiter).woken_ = true;
    loop_->wake(waiter);
  }
}

Event::TimedWait::TimedWait(Event& event, Nanoseconds limit)
    : Wait(event), loop_(event.loop_), limit_(limit), timer_(*loop_, [this] {
        if (woken_) return;
        timed_out_ = true;
        unlink();
        loop_->wake(*this);
      }) {}

void Event::TimedWait::await_suspend(std::coroutine_handle<> handle) {
  timer_.arm(limit_);
  Wait::await_suspend(handle);
}

struct TaskGroup::Root {
  explicit Root(TaskGroup& owner) : group(&owner), next(owner.first_) {
    if (next != nullptr) next->prev = this;
    owner.first_ = this;
    ++owner.size_;
    owner.idle_.reset();
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() {
    (prev != nullptr ? prev->next : group->first_) = next;
    if (next != nullptr) next->prev = prev;
    if (--group->size_ == 0) group->idle_.set();
  }

  TaskGroup* group;
  Root* prev = nullptr;
  Root* next;
  std::coroutine_handle<> handle;
};

namespace {

// The outermost frame: starts at once, frees itself at the end.
struct RootTask {
  struct promise_type : TaskGroup::Root {
    promise_type(TaskGroup& group, Task<void>&) : Root(group) {
      handle = std::coroutine_handle<promise_type>::from_promise(*this);
    }
    RootTask get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

RootTask run_root(TaskGroup&, Task<void> task) {
  co_await std::move(task);
}

}  // namespace

void TaskGroup::spawn(Task<void> task) {
  run_root(*this, std::move(task));
}

void TaskGroup::destroy_all() {
  while (first_ != nullptr) first_->handle.destroy();
}

void spawn(Loop& loop, Task<void> task) {
  loop.spawn(std::move(task));
}

}  // namespace weir::net
