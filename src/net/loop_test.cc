#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include "net/signals.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

TEST(LoopPost, RunsOnTheLoopsThreadInOrderFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  SystemClock clock;
  Loop loop(clock);
  std::vector<std::vector<int>> seen(kThreads);  // touched by the loop's thread alone
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, t, i] {
          seen[static_cast<size_t>(t)].push_back(i);
          if (++total == kThreads * kEach) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  for (const auto& numbers : seen) {
    ASSERT_EQ(numbers.size(), static_cast<size_t>(kEach));
    for (int i = 0; i < kEach; ++i) ASSERT_EQ(numbers[static_cast<size_t>(i)], i);
  }
}

TEST(LoopPost, WakesALoopThatWaits) {
  SystemClock clock;
  Loop loop(clock);
  bool ran = false;
  std::thread other([&] {
    loop.post([&] {
      ran = true;
      loop.stop();
    });
  });
  loop.run();
  other.join();
  EXPECT_TRUE(ran);
}

TEST(LoopStop, FromAnotherThreadAndBeforeRun) {
  SystemClock clock;
  Loop loop(clock);
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
  loop.stop();
  loop.run();
}

TEST(LoopDefer, RunsInTheNextTurnAfterTheCaller) {
  ManualClock clock;
  Loop loop(clock);
  std::vector<int> order;
  loop.defer([&] {
    order.push_back(1);
    loop.defer([&] { order.push_back(3); });
    order.push_back(2);
  });
  EXPECT_TRUE(order.empty());
  loop.run_until_idle();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(LoopShutdown, FunctionsNeverRunAreFreed) {
  const auto payload = std::make_shared<int>(1);
  {
    ManualClock clock;
    Loop loop(clock);
    loop.post([payload] {});
    loop.defer([payload] {});
    EXPECT_EQ(payload.use_count(), 3);
  }
  EXPECT_EQ(payload.use_count(), 1);
}

// Two descriptors are ready in the same turn; the handler of either destroys the other, and a new
// handler may even take its place at once.
TEST(LoopWatch, AnEventFetchedForARemovedWatchIsNotDelivered) {
  struct Counter final : FdHandler {
    void on_fd_events(uint32_t) override { ++calls; }
    int calls = 0;
  };
  struct Handler final : FdHandler {
    Handler(Loop& on, int fd) : loop(on), watch(*on.watch(fd, EPOLLIN | EPOLLET, *this)) {}
    void on_fd_events(uint32_t) override {
      ++*calls;
      loop.unwatch((*other)->watch, false);
      other->reset();
      if (successor != nullptr) (void)loop.watch(quiet_fd, EPOLLIN | EPOLLET, *successor);
    }
    Loop& loop;
    uint32_t watch;
    int* calls = nullptr;
    std::unique_ptr<Handler>* other = nullptr;
    Counter* successor = nullptr;
    int quiet_fd = -1;
  };
  for (const bool replaced : {false, true}) {
    SCOPED_TRACE(replaced);
    SystemClock clock;
    Loop loop(clock);
    int calls = 0;
    Counter successor;
    const int fd_a = ::eventfd(1, EFD_CLOEXEC);
    const int fd_b = ::eventfd(1, EFD_CLOEXEC);
    const int quiet_fd = ::eventfd(0, EFD_CLOEXEC);
    auto a = std::make_unique<Handler>(loop, fd_a);
    auto b = std::make_unique<Handler>(loop, fd_b);
    a->other = &b;
    b->other = &a;
    for (Handler* handler : {a.get(), b.get()}) {
      handler->calls = &calls;
      handler->quiet_fd = quiet_fd;
      if (replaced) handler->successor = &successor;
    }
    loop.turn(1s);
    loop.turn(0ns);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(successor.calls, 0);
    ::close(fd_a);
    ::close(fd_b);
    ::close(quiet_fd);
  }
}

TEST(SignalsTest, ArriveAsEvents) {
  SystemClock clock;
  Loop loop(clock);
  block_signals({SIGUSR1, SIGHUP});
  std::vector<int> seen;
  auto signals =
      Signals::open(loop, {SIGUSR1, SIGHUP}, [&](int signal) { seen.push_back(signal); });
  ASSERT_TRUE(signals.has_value());
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  EXPECT_TRUE(loop.run_until([&] { return seen.size() == 1; }));
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  EXPECT_TRUE(loop.run_until([&] { return seen.size() == 2; }));
  EXPECT_EQ(seen, (std::vector<int>{SIGUSR1, SIGHUP}));
}

TEST(SignalsTest, TheCallbackMayDestroyTheReceiver) {
  SystemClock clock;
  Loop loop(clock);
  block_signals({SIGUSR2});
  std::unique_ptr<Signals> signals;
  bool called = false;
  signals = *Signals::open(loop, {SIGUSR2}, [&](int) {
    signals.reset();
    called = true;
  });
  ASSERT_EQ(::kill(::getpid(), SIGUSR2), 0);
  EXPECT_TRUE(loop.run_until([&] { return called; }));
}

TEST(BufferPoolTest, KeepsAFewAndCounts) {
  BufferPool pool(2);
  {
    std::vector<Buffer> taken;
    for (int i = 0; i < 5; ++i) taken.push_back(pool.take());
    EXPECT_EQ(pool.counters().in_use, 5U);
    Buffer moved = std::move(taken.back());
    taken.pop_back();
    EXPECT_EQ(moved.size(), Buffer::kSize);
    EXPECT_EQ(pool.counters().in_use, 5U);
  }
  EXPECT_EQ(pool.counters().in_use, 0U);
  EXPECT_EQ(pool.counters().in_use_max, 5U);
  EXPECT_EQ(pool.counters().idle, 2U);
  EXPECT_EQ(pool.counters().freed, 3U);
  EXPECT_EQ(pool.counters().allocated, 5U);
  const Buffer again = pool.take();
  EXPECT_EQ(pool.counters().allocated, 5U);
  EXPECT_EQ(Buffer().size(), 0U);
}

}  // namespace
}  // namespace weir::net
