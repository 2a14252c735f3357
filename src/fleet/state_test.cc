// What survives a restart, and what a standby holds.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/log.h"
#include "base/random.h"
#include "fleet/batch.h"
#include "fleet/test_node.h"
#include "http/client.h"
#include "store/temporary_directory.h"

namespace weir::fleet {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class State : public NodeTest {
 protected:
  // The node again, from what lies in the directory.
  void restart() {
    if (node_ != nullptr) node_->save_and_stop();
    node_ = nullptr;
    NodeOptions options;
    options.data_dir = folder_.path();
    auto node = Node::open(loop_, std::move(options));
    ASSERT_TRUE(node) << node.error().message();
    node_ = std::move(*node);
    node_->start();
  }
  // As if killed: nothing is saved on the way out.
  void kill() { node_ = nullptr; }

  store::TemporaryDirectory folder_;
};

TEST_F(State, WeightsDoNotJumpOverARestart) {
  node_ = nullptr;
  restart();
  add_service("s", 8);
  for (int t = 0; t < 20; ++t) live("s", 8, 2, 0);
  for (int t = 0; t < 8; ++t) live("s", 8, 2, 6);
  ASSERT_TRUE(node_->fleet().pin({.service = "s",
                                  .endpoint = "e7",
                                  .share = 0.5F,
                                  .expiry = node_->fleet().next_second() + 600,
                                  .reason = "half"}));
  const auto before = node_->fleet().view("s");
  const uint16_t sick = weight("s", "e2");
  EXPECT_LT(sick, 200);
  restart();
  const auto after = node_->fleet().view("s");
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(after->hash, before->hash);
  EXPECT_GT(after->version, before->version);
  EXPECT_EQ(weight("s", "e2"), sick);
  EXPECT_EQ(node_->fleet().pins().size(), 1U);
  EXPECT_EQ(node_->fleet().pins()[0].reason, "half");
  EXPECT_THAT(get("/v1/fleet/services/s/endpoints/e2").body, HasSubstr("requests failed"));
  // It comes back on evidence, as if nothing had happened.
  for (int t = 0; t < 90; ++t) live("s", 8, 2, 0);
  EXPECT_EQ(weight("s", "e2"), 1000);
}

TEST_F(State, ChangesOfTheRegistrySurviveAKill) {
  node_ = nullptr;
  restart();
  add_service("s", 2);
  pass(30s);  // a snapshot is written on the way
  EndpointSpec spec;
  spec.info = {.name = "late", .address = "10.0.0.9", .port = 81};
  ASSERT_TRUE(node_->fleet().put_endpoint("s", spec));
  ASSERT_TRUE(node_->fleet().remove_endpoint("s", "e0"));
  pass(2s);
  kill();
  restart();
  const auto view = node_->fleet().view("s");
  ASSERT_NE(view, nullptr);
  ASSERT_EQ(view->endpoints.size(), 2U);
  EXPECT_EQ(view->endpoints[0].info->name, "e1");
  EXPECT_EQ(view->endpoints[1].info->port, 81);
}

TEST_F(State, WhatTheFileDeclaresNoMoreGoes) {
  node_ = nullptr;
  restart();
  EndpointSpec a;
  a.info = {.name = "a", .address = "10.0.0.1", .port = 80};
  EndpointSpec b = a;
  b.info.name = "b";
  ASSERT_TRUE(node_->declare({{{.name = "s"}, {a, b}}, {{.name = "t"}, {a}}}));
  EndpointSpec own = a;
  own.info.name = "own";
  ASSERT_TRUE(node_->fleet().put_endpoint("s", own));
  restart();
  ASSERT_TRUE(node_->declare({{{.name = "s"}, {a}}}));
  EXPECT_EQ(node_->fleet().services(), std::vector<std::string>{"s"});
  EXPECT_EQ(node_->fleet().view("s")->endpoints.size(), 2U);
}

TEST_F(State, OneDirectoryHasOneFleet) {
  node_ = nullptr;
  restart();
  NodeOptions options;
  options.data_dir = folder_.path();
  const auto second = Node::open(loop_, std::move(options));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::already_exists);
}

// Dials a node in the same process.
class Wire final : public net::Dialer {
 public:
  explicit Wire(net::Loop& loop) : loop_(loop) {}
  net::Task<Result<std::unique_ptr<net::Stream>>> dial(net::Origin, net::Deadline) override {
    if (to == nullptr) co_return fail(ErrorCode::connection_refused);
    auto [ours, theirs] = net::memory_pair(loop_, {});
    to->server().serve_connection(std::move(theirs));
    co_return std::unique_ptr<net::Stream>(std::move(ours));
  }
  Node* to = nullptr;

 private:
  net::Loop& loop_;
};

class Standby : public NodeTest {
 protected:
  Standby() : wire_(loop_), client_(loop_, wire_) {
    NodeOptions standby;
    standby.api.standby = true;
    standby_ = std::make_unique<Node>(loop_, std::move(standby));
    standby_->start();
    wire_.to = standby_.get();
    NodeOptions primary;
    primary.mirrors.push_back(
        {.origin = {.host = "localhost", .port = 80}, .prefix = {}, .token = {}});
    make(std::move(primary));
    node_->reach_out(client_);
  }
  ~Standby() override { node_ = nullptr; }

  Wire wire_;
  http::Client client_;
  std::unique_ptr<Node> standby_;
};

TEST_F(Standby, HoldsTheSameTablesThroughAStreamOfFaults) {
  add_service("s", 12);
  add_service("other", 3);
  Random random(5);
  for (int t = 0; t < 120; ++t) {
    // Faults, bad samples, and changes of the registry.
    report("s", 12, t > 40 && t < 80 ? 3 : 99, 5, "r1");
    if (t % 7 == 0) report("s", 12, 99, 0, "r1");  // all duplicates
    report("s", 12, t > 50 ? 6 : 99, 0, "r2", 150);
    (void)ask("POST", "/v1/fleet/samples",
              fmt::format(R"({{"reporter":"r3","samples":[{{"service":"s","endpoint":"e{}",)"
                          R"("second":{},"requests":{},"errors":{}}}]}})",
                          random.below(14), second() - 5 + random.below(8), random.below(40),
                          random.below(60)));
    if (t == 30) ASSERT_TRUE(node_->fleet().remove_endpoint("other", "e1"));
    if (t == 60)
      ASSERT_TRUE(node_->fleet().pin({.service = "s",
                                      .endpoint = "e9",
                                      .share = 0.25F,
                                      .expiry = second() + 20,
                                      .reason = {}}));
    pass(1s);
    ASSERT_EQ(standby_->fleet().hash(), node_->fleet().hash()) << t;
    ASSERT_EQ(standby_->fleet().view("s")->version, node_->fleet().view("s")->version);
  }
  std::string ours;
  std::string theirs;
  node_->fleet().save(ours, true);
  standby_->fleet().save(theirs, true);
  EXPECT_EQ(ours, theirs);
  EXPECT_GT(node_->fleet().scheduler().counters().cuts, 0U);
  EXPECT_EQ(standby_->api().standby.snapshots, 1U) << "all else came as changes";
}

TEST_F(Standby, CatchesUpAfterItWasAway) {
  add_service("s", 6);
  for (int t = 0; t < 15; ++t) live("s", 6, 99, 0);
  wire_.to = nullptr;
  client_.close_idle();
  for (int t = 0; t < 5; ++t) live("s", 6, 2, 6);
  EXPECT_NE(standby_->fleet().hash(), 0U);
  wire_.to = standby_.get();
  for (int t = 0; t < 5; ++t) live("s", 6, 2, 6);
  EXPECT_EQ(standby_->fleet().hash(), node_->fleet().hash());
  EXPECT_LT(node_->fleet().view("s")->endpoints[2].weight, 1000);
}

TEST_F(Standby, TakesOverAndServesWhenThePrimaryFallsSilent) {
  add_service("s", 3);
  live("s", 3, 99, 0);
  live("s", 3, 99, 0);
  EXPECT_TRUE(standby_->ticker().paused());
  std::swap(node_, standby_);  // ask() goes to the standby
  EXPECT_EQ(ask("POST", "/v1/fleet/samples", "{}").status, 503);
  EXPECT_EQ(get("/v1/fleet/services/s/weights").status, 200);
  std::swap(node_, standby_);
  const uint64_t hash = node_->fleet().hash();
  node_ = nullptr;
  pass(12s);
  EXPECT_FALSE(standby_->ticker().paused());
  EXPECT_EQ(standby_->fleet().hash(), hash);
  std::swap(node_, standby_);
  report("s", 3, 99, 0);
}

TEST_F(Standby, OnlyAStandbyTakesAMirror) {
  EXPECT_EQ(ask("PUT", "/v1/fleet/mirror", "WFO1").status, 403);
  std::swap(node_, standby_);
  EXPECT_EQ(ask("PUT", "/v1/fleet/mirror", "WFO1").status, 400);
  EXPECT_EQ(ask("PUT", "/v1/fleet/mirror", "WFO1" + std::string(16, '\0') + "junk").status, 500);
  EXPECT_EQ(ask("POST", "/v1/fleet/mirror", "WFO1" + std::string(16, '\0') + "junk").status, 409);
  std::swap(node_, standby_);
}

}  // namespace
}  // namespace weir::fleet
