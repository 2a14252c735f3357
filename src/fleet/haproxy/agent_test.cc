#include "fleet/haproxy/agent.h"

#include <gtest/gtest.h>

#include <string>

#include "fleet/test_feed.h"
#include "net/memory_stream.h"

namespace weir::fleet::haproxy {
namespace {

using namespace std::chrono_literals;

class AgentTest : public testing::Test {
 protected:
  // What a check that sends these bytes is told.
  std::string check(std::string_view bytes, bool end = false) {
    auto [ours, theirs] = net::memory_pair(loop_);
    agent_.serve(std::move(theirs));
    static_cast<void>(ours->try_write(bytes));
    if (end) ours->shutdown_write();
    loop_.run_until_idle();
    std::string room(100, '\0');
    const net::IoResult got = ours->try_read(room);
    const std::string answer = got.status == net::IoStatus::ok ? room.substr(0, got.bytes) : "";
    ours->close();
    loop_.run_until_idle();
    return answer;
  }

  ManualClock clock_;
  net::Loop loop_{clock_};
  TestFeed feed_;
  Agent agent_{loop_, feed_, 2};
};

TEST_F(AgentTest, TellsTheShareOfAWeight) {
  feed_.set("svc", {{.name = "a"},
                    {.name = "b", .weight = 350},
                    {.name = "c", .weight = 1},
                    {.name = "d", .weight = 0}});
  EXPECT_EQ(check("svc/a\n"), "up ready 100%\n");
  EXPECT_EQ(check("svc/b\r\n"), "up ready 35%\n");
  EXPECT_EQ(check("svc/c\n"), "up ready 1%\n") << "never 0, which would be a drain";
  EXPECT_EQ(check("svc/d\n"), "drain\n");
  EXPECT_EQ(check("svc/a", true), "up ready 100%\n") << "without a line feed, the end is the end";
  EXPECT_EQ(agent_.counters().checks, 5U);
  EXPECT_EQ(agent_.counters().unknown, 0U);
}

TEST_F(AgentTest, AnUnknownNameChangesNothing) {
  feed_.set("svc", {{.name = "a"}});
  for (const std::string_view name : {"svc/z\n", "none/a\n", "svc\n", "\n", "/\n"}) {
    EXPECT_EQ(check(name), "\n") << name;
  }
  EXPECT_EQ(agent_.counters().unknown, 5U);
}

TEST_F(AgentTest, ChecksThatAreNoneAreCutAndMoreThanAllowedRefused) {
  EXPECT_EQ(check(std::string(kNameBytes + 1, 'x')), "");
  EXPECT_EQ(check("", true), "");
  EXPECT_EQ(agent_.counters().broken, 2U);
  auto [first, a] = net::memory_pair(loop_);
  auto [second, b] = net::memory_pair(loop_);
  agent_.serve(std::move(a));
  agent_.serve(std::move(b));
  EXPECT_EQ(check("svc/a\n"), "");
  loop_.advance(kCheckTime + 1ms);
  EXPECT_EQ(agent_.counters().broken, 4U) << "they said nothing in time";
  EXPECT_EQ(check("svc/a\n"), "\n");
}

}  // namespace
}  // namespace weir::fleet::haproxy
