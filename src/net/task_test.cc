#include "net/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

class TaskTest : public testing::Test {
 protected:
  ManualClock clock_;
  Loop loop_{clock_};
};

// Says when it dies.
struct Witness {
  explicit Witness(int& counter) : count(&counter) { ++counter; }
  Witness(const Witness& other) : count(other.count) { ++*count; }
  Witness& operator=(const Witness&) = delete;
  ~Witness() { --*count; }
  int* count;
};

Task<int> answer() {
  co_return 42;
}
Task<std::unique_ptr<std::string>> move_only() {
  co_return std::make_unique<std::string>("moved");
}
Task<int> add(Task<int> a, Task<int> b) {
  co_return co_await std::move(a) + co_await std::move(b);
}

TEST_F(TaskTest, ResultsComeByValueThroughNestedAwaits) {
  EXPECT_EQ(run_task(loop_, add(answer(), add(answer(), answer()))), 126);
  EXPECT_EQ(**run_task(loop_, move_only()), "moved");
}

TEST_F(TaskTest, IsLazy) {
  bool ran = false;
  {
    const Task<void> task = [](bool* flag) -> Task<void> {
      *flag = true;
      co_return;
    }(&ran);
    loop_.run_until_idle();
  }
  EXPECT_FALSE(ran);
}

TEST_F(TaskTest, ParametersOfATaskNeverRunAreFreed) {
  int alive = 0;
  {
    const Task<void> task = [](Witness) -> Task<void> { co_return; }(Witness(alive));
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST_F(TaskTest, AMillionAwaitsUseNoStack) {
  const auto count = []() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < 1'000'000; ++i) sum += co_await answer() - 41;
    co_return sum;
  };
  EXPECT_EQ(run_task(loop_, count()), 1'000'000);
}

Task<void> hold(Event* event, Witness witness) {
  const Witness local = witness;
  co_await event->wait();
}
Task<void> hold_nested(Event* event, Witness witness) {
  co_await hold(event, witness);
}

TEST_F(TaskTest, DestroyingAGroupDestroysWholeChainsAndNothingIsResumed) {
  int alive = 0;
  Event event(loop_);
  {
    TaskGroup group(loop_);
    for (int i = 0; i < 3; ++i) group.spawn(hold_nested(&event, Witness(alive)));
    EXPECT_GT(alive, 3);
    EXPECT_EQ(group.size(), 3U);
  }
  EXPECT_EQ(alive, 0);
  event.set();
  loop_.run_until_idle();
}

TEST_F(TaskTest, ATaskAlreadyWokenMayBeDestroyedBeforeItRuns) {
  int alive = 0;
  Event event(loop_);
  auto group = std::make_unique<TaskGroup>(loop_);
  group->spawn(hold(&event, Witness(alive)));
  event.set();  // queued on the loop's ready list
  group.reset();
  EXPECT_EQ(alive, 0);
  loop_.run_until_idle();
}

TEST_F(TaskTest, AWokenTaskMayDestroyTheNextOneInTheSameTurn) {
  int alive = 0;
  Event event(loop_);
  auto second = std::make_unique<TaskGroup>(loop_);
  spawn(loop_, [](Event* gate, std::unique_ptr<TaskGroup>* victim) -> Task<void> {
    co_await gate->wait();
    victim->reset();
  }(&event, &second));
  second->spawn(hold(&event, Witness(alive)));
  event.set();
  loop_.run_until_idle();
  EXPECT_EQ(second, nullptr);
  EXPECT_EQ(alive, 0);
}

TEST_F(TaskTest, TheLoopDestroysWhatNeverEnds) {
  int alive = 0;
  {
    ManualClock clock;
    Loop loop(clock);
    // The event lives in the frame that waits for it.
    spawn(loop, [](Loop* on, Witness) -> Task<void> {
      Event never(*on);
      co_await never.wait();
    }(&loop, Witness(alive)));
    spawn(loop,
          [](Loop* on, Witness) -> Task<void> { co_await sleep(*on, 1h); }(&loop, Witness(alive)));
    loop.run_until_idle();
    EXPECT_EQ(alive, 2);
    EXPECT_EQ(loop.tasks(), 2U);
  }
  EXPECT_EQ(alive, 0);
}

TEST_F(TaskTest, SpawnRunsToTheFirstSuspensionAtOnce) {
  std::vector<std::string> seen;
  Event event(loop_);
  spawn(loop_, [](std::vector<std::string>* log, Event* gate) -> Task<void> {
    log->push_back("start");
    co_await gate->wait();
    log->push_back("end");
  }(&seen, &event));
  seen.push_back("spawned");
  event.set();
  seen.push_back("set");  // the waiter is queued, not resumed here
  loop_.run_until_idle();
  EXPECT_EQ(seen, (std::vector<std::string>{"start", "spawned", "set", "end"}));
  EXPECT_EQ(loop_.tasks(), 0U);
}

TEST_F(TaskTest, GroupWaitsForAllItsTasks) {
  TaskGroup group(loop_);
  bool all_done = false;
  for (int i = 1; i <= 3; ++i) {
    group.spawn(
        [](Loop* loop, int n) -> Task<void> { co_await sleep(*loop, n * 10ms); }(&loop_, i));
  }
  spawn(loop_, [](TaskGroup* tasks, bool* done) -> Task<void> {
    co_await tasks->wait();
    *done = true;
  }(&group, &all_done));
  loop_.advance(20ms);
  EXPECT_FALSE(all_done);
  EXPECT_EQ(group.size(), 1U);
  loop_.advance(10ms);
  EXPECT_TRUE(all_done);
}

TEST_F(TaskTest, EventWaitForTellsSetFromTimeout) {
  struct Case {
    const char* name;
    Nanoseconds set_after;
    bool expected;
  };
  const Case cases[] = {
      {"set in time", 5ms, true}, {"set too late", 15ms, false}, {"set at once", 0ms, true}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Event event(loop_);
    Timer setter(loop_, [&] { event.set(); });
    if (c.set_after == 0ms) {
      event.set();
    } else {
      setter.arm(c.set_after);
    }
    const auto wait = [](Event* e) -> Task<bool> { co_return co_await e->wait_for(10ms); };
    EXPECT_EQ(run_task(loop_, wait(&event)), c.expected);
  }
}

TEST_F(TaskTest, APulseBeforeTheTimeoutCounts) {
  Event event(loop_);
  // Set and reset in the very turn in which the timeout is due: the wait was over before.
  Timer pulse(loop_, [&] {
    event.set();
    event.reset();
  });
  pulse.arm(10ms);
  const auto wait = [](Event* e) -> Task<bool> { co_return co_await e->wait_for(10ms); };
  EXPECT_EQ(run_task(loop_, wait(&event)), true);
}

TEST_F(TaskTest, RunTaskGivesUpWhenNothingCanWakeTheTask) {
  Event never(loop_);
  const auto wait = [](Event* e) -> Task<int> {
    co_await e->wait();
    co_return 1;
  };
  EXPECT_EQ(run_task(loop_, wait(&never)), std::nullopt);
}

}  // namespace
}  // namespace weir::net
