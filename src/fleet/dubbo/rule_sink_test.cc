#include "fleet/dubbo/rule_sink.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "fleet/dubbo/rule.h"
#include "fleet/shared_dialer.h"
#include "fleet/test_feed.h"
#include "fleet/test_nacos.h"

namespace weir::fleet::dubbo {
namespace {

using namespace std::chrono_literals;

Rule rule_of(const std::vector<TestEndpoint>& endpoints) {
  TestFeed feed;
  feed.set("svc", endpoints);
  return make_rule("web", {feed.view("svc")});
}

TEST(DubboRule, NamesProvidersByWeight) {
  const Rule rule = rule_of({{.name = "a", .address = "10.0.0.1", .port = 20'880},
                             {.name = "b", .weight = 50, .address = "10.0.0.2", .port = 20'880},
                             {.name = "c", .weight = 2000, .address = "10.0.0.3", .port = 20'880},
                             {.name = "d", .weight = 50, .address = "10.0.0.4", .port = 20'880},
                             {.name = "e", .weight = 1, .address = "::1", .port = 20'880},
                             {.name = "f", .weight = 0, .address = "10.0.0.6", .port = 20'880}});
  EXPECT_EQ(rule.text, R"(configVersion: v2.7
scope: application
key: "web"
enabled: true
configs:
- side: consumer
  addresses: ["0.0.0.0"]
  providerAddresses:
  - "10.0.0.6:20880"
  parameters:
    weight: 0
- side: consumer
  addresses: ["0.0.0.0"]
  providerAddresses:
  - "[::1]:20880"
  parameters:
    weight: 1
- side: consumer
  addresses: ["0.0.0.0"]
  providerAddresses:
  - "10.0.0.2:20880"
  - "10.0.0.4:20880"
  parameters:
    weight: 5
- side: consumer
  addresses: ["0.0.0.0"]
  providerAddresses:
  - "10.0.0.3:20880"
  parameters:
    weight: 200
)");
  EXPECT_EQ(rule.weights, 5U);
}

TEST(DubboRule, WithoutAnythingToSayItIsOff) {
  EXPECT_EQ(rule_of({{.name = "a"}}).text,
            "configVersion: v2.7\nscope: application\nkey: \"web\"\nenabled: false\nconfigs: []\n");
}

size_t items(const Rule& rule) {
  size_t count = 0;
  for (size_t at = 0; (at = rule.text.find("- side:", at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(DubboRule, ManyWeightsAreTenItems) {
  std::vector<TestEndpoint> endpoints = {{.name = "drained", .weight = 0}};
  for (int i = 0; i < 400; ++i) {
    endpoints.push_back({.name = std::to_string(i), .weight = static_cast<uint16_t>(10 + 10 * i)});
  }
  const Rule rule = rule_of(endpoints);
  EXPECT_EQ(items(rule), kItemsMax);
  EXPECT_NE(rule.text.find("weight: 0\n"), std::string::npos);
  EXPECT_NE(rule.text.find("weight: 1\n"), std::string::npos) << "the least are far apart";
}

TEST(DubboRule, WhatDoesNotFitIsTheMildest) {
  std::vector<TestEndpoint> endpoints;
  for (int i = 0; i < 10'000; ++i) {
    endpoints.push_back({.name = std::to_string(i),
                         .weight = static_cast<uint16_t>(i < 100 ? 10 : 900),
                         .address = "10.0.0.1",
                         .port = static_cast<uint16_t>(i + 1)});
  }
  const Rule rule = rule_of(endpoints);
  EXPECT_LE(rule.text.size(), kRuleBytes);
  EXPECT_GT(rule.left_out, 0U);
  EXPECT_EQ(rule.left_out + rule.weights, 10'000U);
  for (int i = 1; i <= 100; ++i) {
    EXPECT_NE(rule.text.find("\"10.0.0.1:" + std::to_string(i) + "\""), std::string::npos);
  }
}

TEST(DubboRuleSink, WritesOnceAMinuteUnlessItIsGross) {
  ManualClock clock;
  net::Loop loop(clock);
  net::MemoryNetwork network(loop);
  TestNacos nacos(loop, network);
  TestFeed feed;
  feed.set("svc", {{.name = "a"}, {.name = "b", .weight = 500}});
  RuleSink sink(loop, feed, std::make_unique<SharedDialer>(network),
                *nacos::parse_address("http://nacos:8848"), {"web", "mobile"},
                {.name = "center", .services = {"svc"}});
  sink.start();
  loop.run_until_idle();
  EXPECT_EQ(nacos.asked.size(), 2U);
  EXPECT_EQ(nacos.documents.at("dubbo/web.configurators"),
            make_rule("web", {feed.view("svc")}).text);
  EXPECT_TRUE(nacos.documents.contains("dubbo/mobile.configurators"));
  EXPECT_EQ(nacos.forms[0].at("type"), "yaml");
  for (const uint16_t weight : std::to_array<uint16_t>({450, 400, 350})) {
    feed.set("svc", {{.name = "a"}, {.name = "b", .weight = weight}});
    loop.advance(10s);
  }
  EXPECT_EQ(nacos.asked.size(), 2U);
  loop.advance(30s);
  EXPECT_EQ(nacos.asked.size(), 4U);
  EXPECT_NE(nacos.documents.at("dubbo/web.configurators").find("weight: 35\n"), std::string::npos);
  feed.set("svc", {{.name = "a"}, {.name = "b", .weight = 10}});
  loop.run_until_idle();
  EXPECT_EQ(nacos.asked.size(), 6U) << "gross";
  // Somebody removed the rule: it is written again.
  nacos.documents.clear();
  loop.advance(2min);
  EXPECT_EQ(nacos.documents.size(), 2U);
}

}  // namespace
}  // namespace weir::fleet::dubbo
