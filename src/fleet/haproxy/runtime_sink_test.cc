#include "fleet/haproxy/runtime_sink.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "fleet/haproxy/servers_state.h"
#include "fleet/shared_dialer.h"
#include "fleet/test_feed.h"
#include "net/memory_stream.h"

namespace weir::fleet::haproxy {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

// As HAProxy 2.6.12 writes it.
constexpr std::string_view kHead =
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";

struct FakeServer {
  std::string address = "127.0.0.1";
  int port = 80;
  int admin = 0;
  int weight = 100;
};

class RuntimeSinkTest : public testing::Test {
 protected:
  RuntimeSinkTest() { up(); }

  void up() {
    network_.listen("ha", 1, [this](std::unique_ptr<net::MemoryStream> stream) {
      loop_.spawn(answer(std::move(stream), *this));
    });
  }
  void down() { network_.refuse("ha", 1, ErrorCode::connection_refused); }

  static net::Task<void> answer(std::unique_ptr<net::MemoryStream> stream, RuntimeSinkTest& test) {
    std::string line;
    std::array<char, 4096> room;
    while (!line.ends_with('\n')) {
      const auto got = co_await stream->read(room);
      if (!got || *got == 0) co_return;
      line.append(room.data(), *got);
    }
    line.pop_back();
    const std::string said = test.say(line);
    static_cast<void>(co_await stream->write_all(said));
  }

  std::string say(const std::string& line) {
    if (line == "show servers state be") {
      ++shows_;
      std::string out(kHead);
      for (const auto& [name, server] : servers_) {
        out += "3 be 1 " + name + " " + server.address + " 2 " + std::to_string(server.admin) +
               " " + std::to_string(server.weight) + " 100 2 1 0 2 0 0 0 0 - " +
               std::to_string(server.port) + " - 0 0 - - 0\n";
      }
      return out + "\n";
    }
    if (line.starts_with("show servers state")) return "Can't find backend.\n\n";
    std::string out;
    for (const std::string_view command : split(line, ';')) {
      commands_.emplace_back(command);
      const auto words = split(command, ' ');
      if (words.size() != 5 || refuse_) {
        out += "No such server.\n\n";
        continue;
      }
      FakeServer& server = servers_.at(std::string(words[2].substr(3)));
      if (words[3] == "weight") server.weight = static_cast<int>(*parse_int64(words[4]));
      if (words[3] == "state") server.admin = words[4] == "drain" ? 8 : 0;
      out += "\n";
    }
    return out;
  }

  void start(std::string backend = "be") {
    sink_ = std::make_unique<RuntimeSink>(
        loop_, feed_, std::make_unique<SharedDialer>(network_), net::Origin{"ha", 1},
        std::vector<Backend>{{"svc", std::move(backend)}}, SinkOptions{.name = "edge"});
    sink_->start();
    loop_.run_until_idle();
  }
  Lines take() {
    loop_.run_until_idle();
    return std::exchange(commands_, {});
  }

  ManualClock clock_;
  net::Loop loop_{clock_};
  net::MemoryNetwork network_{loop_};
  TestFeed feed_;
  std::map<std::string, FakeServer> servers_ = {{"a", {}}, {"b", {}}, {"other", {.port = 83}}};
  Lines commands_;
  int shows_ = 0;
  bool refuse_ = false;
  std::unique_ptr<RuntimeSink> sink_;
};

TEST_F(RuntimeSinkTest, SetsWhatDiffersAndNothingElse) {
  feed_.set("svc", {{.name = "a"}, {.name = "b", .weight = 500}});
  start();
  EXPECT_EQ(take(), (Lines{"set server be/a weight 256", "set server be/b weight 128"}));
  EXPECT_EQ(sink_->counters().changes, 2U);
  loop_.advance(1min);
  EXPECT_EQ(take(), Lines{}) << "looked at again, and left alone";
  EXPECT_GE(shows_, 6);
  EXPECT_TRUE(sink_->counters().up);
}

TEST_F(RuntimeSinkTest, AServerIsFoundByNameOrAddress) {
  feed_.set("svc", {{.name = "a"}, {.name = "mine", .port = 83}, {.name = "none", .port = 9}});
  start();
  EXPECT_EQ(take(), (Lines{"set server be/a weight 256", "set server be/other weight 256"}));
  EXPECT_EQ(sink_->counters().unmatched, 1U);
}

TEST_F(RuntimeSinkTest, TheLeastWeightIsOneAndDrainedIsDrained) {
  feed_.set("svc", {{.name = "a", .weight = 1}, {.name = "b", .weight = 0}});
  start();
  EXPECT_EQ(take(), (Lines{"set server be/a weight 1", "set server be/b state drain",
                           "set server be/b weight 0"}));
  feed_.set("svc", {{.name = "a", .weight = 1}, {.name = "b", .weight = 1000}});
  loop_.advance(1s);
  EXPECT_EQ(take(), (Lines{"set server be/b weight 256", "set server be/b state ready"}));
}

TEST_F(RuntimeSinkTest, WhatAnOperatorDrainedStaysDrained) {
  servers_["a"] = {.admin = 8, .weight = 100};
  servers_["b"] = {.admin = 1, .weight = 256};  // maintenance
  feed_.set("svc", {{.name = "a"}, {.name = "b"}});
  start();
  EXPECT_EQ(take(), Lines{"set server be/a weight 256"});
}

TEST_F(RuntimeSinkTest, ChangesAreGatheredForASecondButGrossOnesAreNot) {
  feed_.set("svc", {{.name = "a"}, {.name = "b"}});
  start();
  take();
  loop_.advance(10ms);
  for (const uint16_t weight : std::to_array<uint16_t>({900, 800, 500})) {
    feed_.set("svc", {{.name = "a"}, {.name = "b", .weight = weight}});
    EXPECT_EQ(take(), Lines{});
  }
  loop_.advance(1s);
  EXPECT_EQ(take(), Lines{"set server be/b weight 128"});
  feed_.set("svc", {{.name = "a"}, {.name = "b", .weight = 10}});
  EXPECT_EQ(take(), Lines{"set server be/b weight 3"});
}

TEST_F(RuntimeSinkTest, AfterARestartOfHaproxyTheWeightsAreSetAgain) {
  feed_.set("svc", {{.name = "a", .weight = 500}, {.name = "b"}});
  start();
  take();
  servers_["a"].weight = servers_["b"].weight = 100;
  loop_.advance(11s);
  EXPECT_EQ(take(), (Lines{"set server be/a weight 128", "set server be/b weight 256"}));
}

TEST_F(RuntimeSinkTest, AnOutageIsOneLineAndCatchesUpWithThePresent) {
  const log::Capture capture;
  feed_.set("svc", {{.name = "a"}, {.name = "b"}});
  down();
  start();
  for (uint16_t weight = 999; weight > 900; --weight) {
    feed_.set("svc", {{.name = "a"}, {.name = "b", .weight = weight}});
    loop_.advance(1s);
  }
  EXPECT_EQ(capture.count("sink_down"), 1U);
  EXPECT_FALSE(sink_->counters().up);
  EXPECT_GE(sink_->counters().failures, 5U);
  EXPECT_LE(sink_->counters().failures, 9U) << "further and further apart";
  feed_.set("svc", {{.name = "a"}, {.name = "b", .weight = 500}});
  up();
  loop_.advance(1min);
  EXPECT_EQ(take(), (Lines{"set server be/a weight 256", "set server be/b weight 128"}));
  EXPECT_TRUE(sink_->counters().up);
  EXPECT_EQ(capture.count("sink_back"), 1U);
}

TEST_F(RuntimeSinkTest, WhatHaproxyDoesNotTakeIsCounted) {
  const log::Capture capture;
  refuse_ = true;
  feed_.set("svc", {{.name = "a"}, {.name = "b"}});
  start();
  loop_.advance(1min);
  EXPECT_GE(sink_->counters().refused, 4U);
  EXPECT_EQ(capture.count("haproxy_refused"), 1U);
  EXPECT_TRUE(sink_->counters().up);
}

TEST_F(RuntimeSinkTest, AServiceThatNobodyRegisteredIsSaidOnce) {
  const log::Capture capture;
  start();
  loop_.advance(1min);
  EXPECT_EQ(capture.count("sink_services_unknown"), 1U);
  EXPECT_TRUE(sink_->counters().up);
  feed_.set("svc", {{.name = "a"}});
  loop_.advance(1s);
  EXPECT_EQ(take(), Lines{"set server be/a weight 256"}) << "it may come later";
}

TEST_F(RuntimeSinkTest, AnUnknownBackendIsAFailure) {
  const log::Capture capture;
  feed_.set("svc", {{.name = "a"}});
  start("wrong");
  EXPECT_EQ(sink_->counters().failures, 1U);
  EXPECT_EQ(capture.count("sink_down"), 1U);
}

TEST_F(RuntimeSinkTest, ManyCommandsGoInSeveralLines) {
  std::vector<TestEndpoint> endpoints;
  for (int i = 0; i < 250; ++i) {
    servers_["s" + std::to_string(i)] = {};
    endpoints.push_back({.name = "s" + std::to_string(i)});
  }
  feed_.set("svc", endpoints);
  start();
  EXPECT_EQ(take().size(), 250U);
}

TEST(HaproxyServersState, WhatIsNoStateIsAnError) {
  for (const std::string_view bad :
       {"", "\n", "Can't find backend.\n", "1\n", "Permission denied\n", "1\n# be_id be_name\n"}) {
    EXPECT_FALSE(read_servers_state(bad)) << bad;
  }
  const auto some = read_servers_state(std::string(kHead) + "3 be\n3 be 1 s1 ::1 2 x 1\n");
  ASSERT_TRUE(some);
  EXPECT_TRUE(some->empty()) << "lines that are cut short are left out";
}

}  // namespace
}  // namespace weir::fleet::haproxy
