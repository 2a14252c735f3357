#include "app/commands/publish_config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "app/commands/fleet_config.h"

namespace weir::app {
namespace {

TEST(PublishConfig, EverythingThatCanBePublishedTo) {
  const LoadedFleet loaded = load_fleet(R"(
publish:
  xds: {listen: "127.0.0.1:9001", streams: 7}
  haproxy_agent: {listen: "127.0.0.1:9002"}
  haproxy:
    - address: unix:/run/haproxy.sock
      backends: [{service: search, backend: be_search}]
  nacos:
    - name: registry
      server: {url: "http://nacos:8848/n", namespace: prod, user: weir, password: secret}
      writes_per_second: 9
      services: [{service: search}, {service: pay, name: pay-provider, group: money}]
  dubbo:
    - server: {url: "http://nacos:8848"}
      applications: [web, mobile]
      services: [search]
)",
                                        Surroundings::empty());
  ASSERT_TRUE(loaded.config);
  const auto options = publisher_options(loaded.config->publish);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->xds->listen.to_text(), "127.0.0.1:9001");
  EXPECT_EQ(options->xds->config.streams_max, 7U);
  EXPECT_EQ(options->haproxy_agent->to_text(), "127.0.0.1:9002");
  ASSERT_EQ(options->haproxy.size(), 1U);
  EXPECT_EQ(options->haproxy[0].name, "unix:/run/haproxy.sock");
  EXPECT_EQ(options->haproxy[0].backends[0].backend, "be_search");
  ASSERT_EQ(options->nacos.size(), 1U);
  EXPECT_EQ(options->nacos[0].address.prefix, "/n");
  EXPECT_EQ(options->nacos[0].address.space, "prod");
  EXPECT_EQ(options->nacos[0].address.user, "weir");
  EXPECT_EQ(options->nacos[0].writes_per_second, 9U);
  EXPECT_EQ(options->nacos[0].services[0].name, "search");
  EXPECT_EQ(options->nacos[0].services[0].group, "DEFAULT_GROUP");
  EXPECT_EQ(options->nacos[0].services[1].name, "pay-provider");
  ASSERT_EQ(options->dubbo.size(), 1U);
  EXPECT_EQ(options->dubbo[0].address.prefix, "/nacos");
  EXPECT_EQ(options->dubbo[0].applications, (std::vector<std::string>{"web", "mobile"}));
}

TEST(PublishConfig, NothingIsPublishedUnlessAsked) {
  const LoadedFleet loaded = load_fleet("", Surroundings::empty());
  ASSERT_TRUE(loaded.config);
  const auto options = publisher_options(loaded.config->publish);
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->xds || options->haproxy_agent);
  EXPECT_TRUE(options->haproxy.empty() && options->nacos.empty() && options->dubbo.empty());
}

TEST(PublishConfig, AnOpenPortBesideReadsThatNeedTheTokenIsAWarning) {
  const std::string_view open = "publish: {xds: {listen: \"0.0.0.0:1\"}}\ntoken: t\n";
  EXPECT_TRUE(load_fleet(open, Surroundings::empty()).problems.empty());
  const LoadedFleet loaded =
      load_fleet(std::string(open) + "reads_need_token: true\n", Surroundings::empty());
  EXPECT_TRUE(loaded.config);
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].severity, Severity::warning);
  EXPECT_EQ(loaded.problems[0].path, "publish.xds.listen");
}

TEST(PublishConfig, WhatIsMissingOrWrongIsSaid) {
  for (const std::string_view bad : {
           "publish: {haproxy: [{address: \"unix:/x\"}]}",
           "publish: {haproxy: [{backends: [{service: a, backend: b}]}]}",
           "publish: {nacos: [{services: [{service: a}]}]}",
           "publish: {dubbo: [{server: {url: \"http://n\"}, services: [a]}]}",
           "publish: {xds: {streams: 0}}",
           "publish: {xdss: {}}",
       }) {
    EXPECT_FALSE(load_fleet(bad, Surroundings::empty()).config) << bad;
  }
  PublishConfig config;
  config.nacos.emplace_back().server.url = "not a url";
  EXPECT_FALSE(publisher_options(config));
  config = {};
  config.xds.emplace().tls = ServerTls{"/nowhere.pem", "/nowhere.key"};
  EXPECT_FALSE(publisher_options(config));
}

}  // namespace
}  // namespace weir::app
