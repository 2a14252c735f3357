#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

#include "base/check.h"
#include "net/os_error.h"

namespace weir::net {
namespace {

constexpr int kEventsPerTurn = 256;

int check_fd(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return fd;
}

}  // namespace

Loop::Loop(Clock& clock) : Loop(clock, nullptr) {}
Loop::Loop(ManualClock& clock) : Loop(clock, &clock) {}

Loop::Loop(Clock& clock, ManualClock* manual)
    : clock_(clock), manual_(manual), now_(clock.monotonic()), timers_(now_), tasks_(*this) {
  epoll_fd_ = check_fd(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  event_fd_ = check_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  if (!watch(event_fd_, EPOLLIN, post_handler_)) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

Loop::~Loop() {
  // Tasks and functions own streams and timers, which let go of the loop as they die.
  tasks_.destroy_all();
  while (!deferred_.empty()) std::exchange(deferred_, {}).clear();
  {
    std::vector<std::function<void()>> posted;
    {
      const std::lock_guard lock(post_mutex_);
      posted.swap(posted_);
    }
  }
  tasks_.destroy_all();
  ::close(event_fd_);
  ::close(epoll_fd_);
}

void Loop::run() {
  // A manual clock does not move while the kernel waits, so no timer would ever fire.
  WEIR_ASSERT(manual_ == nullptr);
  while (!stopped_.load(std::memory_order_acquire)) turn(kNoDeadline);
  stopped_.store(false, std::memory_order_release);
}

void Loop::stop() {
  stopped_.store(true, std::memory_order_release);
  wake_thread();
}

void Loop::post(std::function<void()> function) {
  bool first = false;
  {
    const std::lock_guard lock(post_mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(function));
  }
  if (first) wake_thread();
}

void Loop::wake_thread() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is being woken already.
  [[maybe_unused]] const ssize_t written = ::write(event_fd_, &one, sizeof one);
}

void Loop::PostHandler::on_fd_events(uint32_t) {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(loop_.event_fd_, &count, sizeof count);
  loop_.post_pending_ = true;
}

void Loop::defer(std::function<void()> function) {
  deferred_.push_back(std::move(function));
}

void Loop::refresh_now() {
  now_ = clock_.monotonic();
  timers_.set_now(now_);
}

bool Loop::turn(Nanoseconds wait) {
  const bool worked = work();
  return poll(wait) || worked;
}

bool Loop::work() {
  ++turns_;
  if (manual_ != nullptr) refresh_now();
  bool happened = timers_.fire(now_) > 0;
  happened |= run_posted();
  happened |= run_deferred();
  happened |= run_ready();
  return happened;
}

bool Loop::run_posted() {
  if (!post_pending_) return false;
  post_pending_ = false;
  std::vector<std::function<void()>> functions;
  {
    const std::lock_guard lock(post_mutex_);
    functions.swap(posted_);
  }
  for (auto& function : functions) std::exchange(function, nullptr)();
  return !functions.empty();
}

bool Loop::run_deferred() {
  if (deferred_.empty()) return false;
  std::vector<std::function<void()>> functions;
  functions.swap(deferred_);
  for (auto& function : functions) std::exchange(function, nullptr)();
  return true;
}

bool Loop::run_ready() {
  if (ready_.empty()) return false;
  WakeupList round;
  round.splice_back(ready_);
  while (!round.empty()) round.pop_front().run();
  return true;
}

Nanoseconds Loop::wait_limit(Nanoseconds wait) const {
  if (manual_ != nullptr || !ready_.empty() || !deferred_.empty() || post_pending_ ||
      wait <= Nanoseconds(0)) {
    return Nanoseconds(0);
  }
  const Deadline next = timers_.next();
  if (next == kNoDeadline) return wait;
  if (next <= now_) return Nanoseconds(0);
  // This turn's work took time that now() does not show.
  return std::clamp(next - clock_.monotonic(), Nanoseconds(0), wait);
}

bool Loop::poll(Nanoseconds wait) {
  wait = wait_limit(wait);
  epoll_event events[kEventsPerTurn];
  int count = -1;
  if (pwait2_ && wait > Nanoseconds(0)) {
    constexpr int64_t kBillion = 1'000'000'000;
    const timespec limit{.tv_sec = wait.count() / kBillion, .tv_nsec = wait.count() % kBillion};
    const bool forever = wait == kNoDeadline;
    count = ::epoll_pwait2(epoll_fd_, events, kEventsPerTurn, forever ? nullptr : &limit, nullptr);
    // ENOSYS before Linux 5.11; EPERM under container profiles that do not know the call.
    if (count < 0 && errno != EINTR) pwait2_ = false;
  }
  if (count < 0) {
    // Rounded up: a timer that is not due yet would make the loop spin until it is.
    const int64_t ms = wait == kNoDeadline ? -1 : (wait.count() + 999'999) / 1'000'000;
    const bool again = pwait2_ && wait > Nanoseconds(0);  // interrupted by a signal: look, go on
    count = ::epoll_wait(epoll_fd_, events, kEventsPerTurn,
                         again ? 0 : static_cast<int>(std::min<int64_t>(ms, 1 << 30)));
  }
  refresh_now();
  for (int i = 0; i < count; ++i) {
    const uint64_t name = events[i].data.u64;
    const Watch& watch = watches_[static_cast<uint32_t>(name)];
    if (watch.generation == static_cast<uint32_t>(name >> 32) && watch.handler != nullptr) {
      watch.handler->on_fd_events(events[i].events);
    }
  }
  return count > 0;
}

Result<uint32_t> Loop::watch(int fd, uint32_t events, FdHandler& handler) {
  uint32_t index = 0;
  if (free_watches_.empty()) {
    index = static_cast<uint32_t>(watches_.size());
    watches_.emplace_back();
  } else {
    index = free_watches_.back();
    free_watches_.pop_back();
  }
  Watch& watch = watches_[index];
  watch.handler = &handler;
  watch.fd = fd;
  epoll_event event{};
  event.events = events;
  event.data.u64 = (uint64_t{watch.generation} << 32) | index;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    const int number = errno;
    unwatch(index, true);
    return fail(os_error(number, "epoll_ctl"));
  }
  return index;
}

void Loop::change_watch(uint32_t index, uint32_t events) {
  const Watch& watch = watches_[index];
  epoll_event event{};
  event.events = events;
  event.data.u64 = (uint64_t{watch.generation} << 32) | index;
  WEIR_ASSERT(::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, watch.fd, &event) == 0);
}

void Loop::unwatch(uint32_t index, bool closing) {
  Watch& watch = watches_[index];
  if (!closing) ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, watch.fd, nullptr);
  watch.handler = nullptr;
  watch.fd = -1;
  ++watch.generation;
  free_watches_.push_back(index);
}

void Loop::run_until_idle() {
  while (turn(Nanoseconds(0))) {
  }
}

void Loop::advance(Nanoseconds by) {
  WEIR_ASSERT(manual_ != nullptr);
  const Nanoseconds target = manual_->monotonic() + by;
  run_until_idle();
  for (Deadline next = timers_.next(); next <= target; next = timers_.next()) {
    if (next > manual_->monotonic()) manual_->advance(next - manual_->monotonic());
    run_until_idle();
  }
  if (target > manual_->monotonic()) manual_->advance(target - manual_->monotonic());
  run_until_idle();
}

bool Loop::run_until(const std::function<bool()>& done, Nanoseconds limit) {
  const SystemClock real;
  const Nanoseconds end = real.monotonic() + limit;
  while (!done()) {
    const bool worked = work();
    const Nanoseconds left = end - real.monotonic();
    if (done()) return true;
    if (left <= Nanoseconds(0)) return false;
    if (poll(left) || worked || manual_ == nullptr) continue;
    const Deadline next = timers_.next();
    if (next == kNoDeadline) return false;
    if (next > now_) manual_->advance(next - now_);
  }
  return true;
}

bool run_task(Loop& loop, Task<void> task, Nanoseconds limit) {
  const auto finished = [](Task<void> inner) -> Task<bool> {
    co_await std::move(inner);
    co_return true;
  };
  return run_task(loop, finished(std::move(task)), limit).has_value();
}

}  // namespace weir::net
