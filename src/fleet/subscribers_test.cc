#include "fleet/subscribers.h"

#include <gtest/gtest.h>

#include <optional>

#include "fleet/test_feed.h"

namespace weir::fleet {
namespace {

TEST(Subscribers, ASubscriptionEndsWithItsHandle) {
  Subscribers subscribers;
  int told = 0;
  {
    const Subscription held = subscribers.add([&](const News&) { ++told; });
    subscribers.tell({});
  }
  subscribers.tell({});
  EXPECT_EQ(told, 1);
  EXPECT_EQ(subscribers.size(), 0U);
}

TEST(Subscribers, ACallbackMaySubscribeAndUnsubscribe) {
  Subscribers subscribers;
  int late = 0;
  std::optional<Subscription> first;
  Subscription second;
  first = subscribers.add([&](const News&) {
    second = subscribers.add([&](const News&) { ++late; });
    first.reset();
  });
  subscribers.tell({});
  EXPECT_EQ(late, 0);
  subscribers.tell({});
  EXPECT_EQ(late, 1);
}

TEST(TestFeed, TellsWhatChanged) {
  TestFeed feed;
  std::vector<std::string> told;
  bool services = false;
  const Subscription held = feed.subscribe([&](const News& news) {
    told.assign(news.changed.begin(), news.changed.end());
    services = news.services;
  });
  feed.set("a", {{.name = "two"}, {.name = "one", .weight = 10}});
  EXPECT_EQ(told, std::vector<std::string>{"a"});
  EXPECT_TRUE(services);
  const auto before = feed.view("a");
  EXPECT_EQ(before->endpoints[0].info->name, "one");
  feed.set("a", {{.name = "one", .weight = 11}});
  EXPECT_FALSE(services);
  EXPECT_GT(feed.view("a")->version, before->version);
  EXPECT_EQ(before->endpoints[0].weight, 10);
  feed.remove("a");
  EXPECT_TRUE(services);
  EXPECT_EQ(feed.view("a"), nullptr);
}

}  // namespace
}  // namespace weir::fleet
