#include "fleet/publishers.h"

#include <gtest/gtest.h>

#include <string>

#include "fleet/test_feed.h"
#include "net/tcp.h"

namespace weir::fleet {
namespace {

class PublishersTest : public testing::Test {
 protected:
  SystemClock clock_;
  net::Loop loop_{clock_};
  TestFeed feed_;
};

TEST_F(PublishersTest, NothingIsStartedThatIsNotAskedFor) {
  Publishers publishers(loop_, feed_);
  ASSERT_TRUE(publishers.start({}));
  EXPECT_FALSE(publishers.xds_address());
  EXPECT_FALSE(publishers.agent_address());
  EXPECT_TRUE(publishers.sinks().empty());
}

TEST_F(PublishersTest, EverythingAtOnceAndDrained) {
  const net::Address any = *net::Address::parse("127.0.0.1:0");
  const nacos::Address nacos = *nacos::parse_address("http://127.0.0.1:1");
  PublisherOptions options;
  options.xds.emplace(PublisherOptions::Xds{.listen = any, .config = {}, .tls = nullptr});
  options.haproxy_agent = any;
  options.haproxy = {{"edge", "unix:/nowhere/x.sock", {{"svc", "be"}}},
                     {"far", "127.0.0.1:1", {{"svc", "be"}}}};
  options.nacos = {{.name = "registry", .address = nacos, .services = {{"svc", "svc"}}}};
  options.dubbo = {{"center", nacos, {"web"}, {"svc"}}};
  feed_.set("svc", {{.name = "a"}});
  Publishers publishers(loop_, feed_);
  ASSERT_TRUE(publishers.start(options));
  EXPECT_NE(publishers.xds_address()->port(), 0);
  EXPECT_NE(publishers.agent_address()->port(), 0);
  ASSERT_EQ(publishers.sinks().size(), 4U);
  EXPECT_TRUE(loop_.run_until([&] {
    for (const auto& sink : publishers.sinks()) {
      if (sink->counters().failures == 0) return false;
    }
    return true;
  })) << "nobody is there";
  observe::Exposition text;
  write_metrics(publishers.figures(), text);
  for (const std::string_view line :
       {"weir_fleet_sink_up{sink=\"haproxy\",name=\"edge\"} 0\n",
        "weir_fleet_sink_up{sink=\"haproxy\",name=\"far\"} 0\n",
        "weir_fleet_sink_up{sink=\"nacos\",name=\"registry\"} 0\n",
        "weir_fleet_sink_up{sink=\"dubbo\",name=\"center\"} 0\n", "weir_fleet_xds_streams 0\n"}) {
    EXPECT_NE(text.text().find(line), std::string::npos) << line;
  }
  EXPECT_TRUE(net::run_task(loop_, publishers.drain(std::chrono::seconds(1))));
}

TEST_F(PublishersTest, WhatCannotBeIsSaid) {
  const auto busy = net::Listener::open(
      loop_, {.address = *net::Address::parse("127.0.0.1:0"), .reuse_port = false});
  ASSERT_TRUE(busy);
  {
    PublisherOptions options;
    options.haproxy_agent = (*busy)->address();
    Publishers publishers(loop_, feed_);
    EXPECT_FALSE(publishers.start(options));
  }
  for (const std::string& address : {"unix:", "nohost", "host:99999"}) {
    PublisherOptions options;
    options.haproxy = {{"edge", address, {}}};
    Publishers publishers(loop_, feed_);
    EXPECT_FALSE(publishers.start(options)) << address;
  }
}

TEST_F(PublishersTest, AStandbyWritesNothing) {
  ManualClock clock;
  net::Loop loop(clock);
  bool standby = true;
  PublisherOptions options;
  options.haproxy = {{"edge", "unix:/nowhere/x.sock", {{"svc", "be"}}}};
  feed_.set("svc", {{.name = "a"}});
  Publishers publishers(loop, feed_, [&standby] { return standby; });
  ASSERT_TRUE(publishers.start(options));
  loop.advance(std::chrono::minutes(1));
  EXPECT_EQ(publishers.sinks()[0]->counters().rounds, 0U);
  standby = false;
  loop.advance(std::chrono::seconds(11));
  EXPECT_GE(publishers.sinks()[0]->counters().rounds, 1U) << "it is the primary now";
}

}  // namespace
}  // namespace weir::fleet
