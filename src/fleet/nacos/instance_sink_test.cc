#include "fleet/nacos/instance_sink.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "fleet/shared_dialer.h"
#include "fleet/test_feed.h"
#include "fleet/test_nacos.h"

namespace weir::fleet::nacos {
namespace {

using namespace std::chrono_literals;

class InstanceSinkTest : public testing::Test {
 protected:
  void start(uint32_t writes_per_second = 50) {
    Address address = *parse_address("http://nacos:8848/");
    if (!nacos_.password.empty()) {
      address.user = "weir";
      address.password = Secret(password_);
    }
    sink_ = std::make_unique<InstanceSink>(loop_, feed_, std::make_unique<SharedDialer>(network_),
                                           std::move(address),
                                           std::vector<NamedService>{{"svc", "search", "g"}},
                                           writes_per_second, SinkOptions{.name = "registry"});
    sink_->start();
    loop_.run_until_idle();
  }
  std::vector<double> weights() {
    std::vector<double> out;
    for (const TestInstance& one : nacos_.instances["g/search"]) out.push_back(one.weight);
    return out;
  }

  ManualClock clock_;
  net::Loop loop_{clock_};
  net::MemoryNetwork network_{loop_};
  TestNacos nacos_{loop_, network_};
  TestFeed feed_;
  std::string password_ = "right";
  std::unique_ptr<InstanceSink> sink_;
};

TEST_F(InstanceSinkTest, WritesWhatDiffersFallsFirst) {
  nacos_.instances["g/search"] = {{"10.0.0.1", 80}, {"10.0.0.2", 80, 0.1}, {"10.0.0.3", 80}};
  feed_.set("svc", {{.name = "a", .address = "10.0.0.1"},
                    {.name = "b", .address = "10.0.0.2"},
                    {.name = "c", .weight = 50, .address = "10.0.0.3"},
                    {.name = "d", .weight = 50, .address = "10.0.0.4"}});
  start();
  EXPECT_EQ(weights(), (std::vector<double>{1, 1, 0.05}));
  ASSERT_EQ(nacos_.asked,
            (std::vector<std::string>{"PUT /nacos/v2/ns/instance", "PUT /nacos/v2/ns/instance"}));
  EXPECT_EQ(nacos_.forms[0], (std::map<std::string, std::string>{{"serviceName", "search"},
                                                                 {"groupName", "g"},
                                                                 {"clusterName", "DEFAULT"},
                                                                 {"ip", "10.0.0.3"},
                                                                 {"port", "80"},
                                                                 {"weight", "0.05"},
                                                                 {"enabled", "true"},
                                                                 {"ephemeral", "true"}}));
  EXPECT_EQ(nacos_.forms[1].at("ip"), "10.0.0.2");
  EXPECT_EQ(sink_->counters().changes, 2U);
  EXPECT_EQ(sink_->counters().unmatched, 1U);
  loop_.advance(1min);
  EXPECT_EQ(nacos_.asked.size(), 2U);
  // Drained is weight 0, and still enabled.
  feed_.set("svc", {{.name = "a", .weight = 0, .address = "10.0.0.1"}});
  loop_.advance(1s);
  EXPECT_EQ(nacos_.forms.back().at("weight"), "0");
  EXPECT_EQ(nacos_.forms.back().at("enabled"), "true");
}

TEST_F(InstanceSinkTest, WritesNoFasterThanAllowedAndAlwaysThePresent) {
  std::vector<TestEndpoint> endpoints;
  for (int i = 0; i < 200; ++i) {
    nacos_.instances["g/search"].push_back({"10.0.0.1", i + 1});
    endpoints.push_back({.name = std::to_string(1000 + i),
                         .weight = 500,
                         .address = "10.0.0.1",
                         .port = static_cast<uint16_t>(i + 1)});
  }
  feed_.set("svc", endpoints);
  start();
  EXPECT_EQ(nacos_.asked.size(), 50U);
  loop_.advance(1s);
  EXPECT_LE(nacos_.asked.size(), 101U);
  for (TestEndpoint& one : endpoints) one.weight = 1000;
  feed_.set("svc", endpoints);
  loop_.advance(10s);
  for (const double weight : weights()) EXPECT_EQ(weight, 1);
  EXPECT_LE(nacos_.asked.size(), 210U) << "those not yet written never were";
}

TEST_F(InstanceSinkTest, AnOutageIsOneLineAndCatchesUp) {
  const log::Capture capture;
  nacos_.instances["g/search"] = {{"127.0.0.1", 80}};
  feed_.set("svc", {{.name = "a", .weight = 500}});
  nacos_.down();
  start();
  loop_.advance(1min);
  EXPECT_EQ(capture.count("sink_down"), 1U);
  nacos_.up();
  nacos_.refuse_writes = true;
  loop_.advance(2min);
  EXPECT_EQ(capture.count("sink_down"), 1U) << "still the same outage";
  nacos_.refuse_writes = false;
  loop_.advance(2min);
  EXPECT_EQ(weights(), std::vector<double>{0.5});
  EXPECT_EQ(capture.count("sink_back"), 1U);
}

TEST_F(InstanceSinkTest, LogsInAndAgainWhenItsTokenIsRefused) {
  nacos_.password = "right";
  nacos_.instances["g/search"] = {{"127.0.0.1", 80}};
  feed_.set("svc", {{.name = "a", .weight = 500}});
  start();
  EXPECT_EQ(weights(), std::vector<double>{0.5});
  EXPECT_EQ(nacos_.logins, 1);
  nacos_.token = "token-2";
  feed_.set("svc", {{.name = "a", .weight = 250}});
  loop_.advance(1s);
  EXPECT_EQ(weights(), std::vector<double>{0.25});
  EXPECT_EQ(nacos_.logins, 2);
}

TEST_F(InstanceSinkTest, AWrongPasswordIsAnOutage) {
  const log::Capture capture;
  nacos_.password = "right";
  password_ = "wrong";
  feed_.set("svc", {{.name = "a"}});
  start();
  EXPECT_EQ(capture.count("sink_down"), 1U);
  for (const std::string& line : capture.lines()) EXPECT_EQ(line.find("wrong"), std::string::npos);
}

}  // namespace
}  // namespace weir::fleet::nacos
