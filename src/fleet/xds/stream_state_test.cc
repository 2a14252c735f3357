#include "fleet/xds/stream_state.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "fleet/test_feed.h"
#include "fleet/xds/protobuf.h"
#include "net/timer.h"

namespace weir::fleet::xds {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

// A response, read back.
struct Response {
  std::string version, nonce;
  std::optional<Kind> kind;
  std::map<std::string, std::string> resources;  // name (of the message) and bytes
  std::map<std::string, std::string> versions;   // delta
  Names removed;

  Names names() const {
    Names out;
    for (const auto& [name, bytes] : resources) out.push_back(name);
    return out;
  }
};

std::string text_field(std::string_view message, uint32_t number) {
  Reader reader(message);
  while (const auto field = reader.next()) {
    if (field->is_bytes(number)) return std::string(field->bytes);
  }
  return "";
}

class StreamStateTest : public testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    feed_.set("a", {{.name = "a1"}, {.name = "a2"}});
    feed_.set("b", {{.name = "b1"}});
  }

  void open(Mode mode) {
    mode_ = mode;
    changes_ = Subscription();
    state_.emplace(catalog_, counters_, mode, "weir");
    changes_ = catalog_.subscribe([this](const Catalog::Change& c) { state_->changed(c); });
  }

  struct Ask {
    Names names{};  // or subscribe
    Names unsubscribe{};
    std::vector<std::pair<std::string, std::string>> known{};
    std::string nonce{};
    std::string error{};
  };

  Result<void> ask(Kind kind, const Ask& what) {
    const bool delta = mode_ == Mode::delta;
    std::string out;
    Writer writer(out);
    writer.message(delta ? 1 : 2, [&] {
      writer.text(1, "node-1");
      writer.text(6, agent_);
    });
    writer.text(delta ? 2 : 4, type_url(kind));
    for (const std::string& name : what.names) writer.bytes(3, name);
    for (const std::string& name : what.unsubscribe) writer.bytes(4, name);
    for (const auto& [name, version] : what.known) {
      writer.message(5, [&] {
        writer.text(1, name);
        writer.text(2, version);
      });
    }
    writer.text(delta ? 6 : 5, what.nonce);
    if (!what.error.empty()) {
      writer.message(delta ? 7 : 6, [&] {
        writer.number(1, 3);
        writer.text(2, what.error);
      });
    }
    return state_->take(out);
  }
  // The acknowledgment of a response, in state of the world with the names as they now are.
  void ack(Kind kind, const Response& response, const Names& names = {}) {
    const Names all = mode_ == Mode::delta ? Names{} : names;
    ASSERT_TRUE(ask(kind, {.names = all, .nonce = response.nonce}));
  }

  std::optional<Response> next() {
    const auto bytes = state_->next(now_);
    if (!bytes) return std::nullopt;
    Response out;
    const bool delta = mode_ == Mode::delta;
    Reader reader(*bytes);
    while (const auto field = reader.next()) {
      if (field->is_bytes(1)) out.version = field->bytes;
      if (field->is_bytes(4)) out.kind = kind_of(field->bytes);
      if (field->is_bytes(5)) out.nonce = field->bytes;
      if (field->is_bytes(6) && delta) out.removed.emplace_back(field->bytes);
      if (!field->is_bytes(2)) continue;
      const std::string any = delta ? text_field(field->bytes, 2) : std::string(field->bytes);
      const std::string value = text_field(any, 2);
      const std::string name = text_field(value, 1);
      out.resources[name] = value;
      if (delta) {
        EXPECT_EQ(text_field(field->bytes, 3), name);
        out.versions[name] = text_field(field->bytes, 1);
      }
    }
    EXPECT_FALSE(reader.failed());
    return out;
  }

  TestFeed feed_;
  Catalog catalog_{feed_};
  Counters counters_;
  Mode mode_ = Mode::state_of_the_world;
  std::string agent_ = "gRPC Node";
  std::optional<StreamState> state_;
  Subscription changes_;
  Nanoseconds now_ = 100s;
};

TEST_P(StreamStateTest, ASubscriptionIsAnsweredAtOnceAndThenOnlyWhenItChanges) {
  open(GetParam());
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  EXPECT_EQ(state_->due(), 0s);
  const auto first = next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->kind, Kind::load_assignment);
  EXPECT_EQ(first->names(), Names{"a"});
  EXPECT_EQ(next(), std::nullopt);
  ack(Kind::load_assignment, *first, {"a"});
  EXPECT_EQ(counters_.acks, 1U);
  now_ += 1h;
  EXPECT_EQ(next(), std::nullopt);
  EXPECT_EQ(state_->due(), net::kNoDeadline);
  feed_.set("a", {{.name = "a1", .weight = 500}, {.name = "a2"}});
  const auto second = next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->names(), Names{"a"});
  EXPECT_NE(second->nonce, first->nonce);
  EXPECT_NE(second->resources.at("a"), first->resources.at("a"));
  // Another service is none of its business.
  ack(Kind::load_assignment, *second, {"a"});
  feed_.set("b", {{.name = "b1", .weight = 1}});
  now_ += 1h;
  EXPECT_EQ(next(), std::nullopt);
}

TEST_P(StreamStateTest, ChangesAreGatheredForASecondButGrossOnesAreNot) {
  open(GetParam());
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  ack(Kind::load_assignment, *next(), {"a"});
  now_ += 300ms;
  for (const uint16_t weight : std::to_array<uint16_t>({900, 800, 700})) {
    feed_.set("a", {{.name = "a1", .weight = weight}, {.name = "a2"}});
    EXPECT_EQ(next(), std::nullopt);
  }
  EXPECT_EQ(state_->due(), 101s);
  now_ = 101s;
  const auto gathered = next();
  ASSERT_TRUE(gathered);
  ack(Kind::load_assignment, *gathered, {"a"});
  EXPECT_EQ(counters_.responses, 2U);
  now_ += 1ms;
  feed_.set("a", {{.name = "a1", .weight = 70}, {.name = "a2"}});
  EXPECT_EQ(state_->due(), 0s);
  ASSERT_TRUE(next()) << "a tenth of what it was";
  EXPECT_EQ(counters_.responses_urgent, 1U);
}

TEST_P(StreamStateTest, AClientThatDoesNotAcknowledgeGetsTheLatestWhenItDoes) {
  open(GetParam());
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  const auto first = next();
  for (uint16_t weight = 999; weight > 900; --weight) {
    feed_.set("a", {{.name = "a1", .weight = weight}, {.name = "a2"}});
    now_ += 1s;
    EXPECT_EQ(next(), std::nullopt);
  }
  EXPECT_EQ(state_->due(), net::kNoDeadline);
  ack(Kind::load_assignment, *first, {"a"});
  const auto latest = next();
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->resources.at("a"),
            *catalog_.find(Kind::load_assignment, "a", {Form::grpc, "node-1"})->value);
  ack(Kind::load_assignment, *latest, {"a"});
  now_ += 1h;
  EXPECT_EQ(next(), std::nullopt) << "one, not a hundred";
}

TEST_P(StreamStateTest, ARefusalIsLoggedOnceCountedAndDoesNotLoop) {
  open(GetParam());
  const log::Capture capture;
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  auto refused = next();
  const Names again = mode_ == Mode::delta ? Names{} : Names{"a"};
  ASSERT_TRUE(
      ask(Kind::load_assignment, {.names = again, .nonce = refused->nonce, .error = "bad weight"}));
  EXPECT_EQ(counters_.nacks, 1U);
  EXPECT_EQ(capture.count("xds_refused"), 1U);
  now_ += 1h;
  EXPECT_EQ(next(), std::nullopt) << "not sent again as long as it is the same";
  feed_.set("a", {{.name = "a1", .weight = 5}, {.name = "a2"}});
  refused = next();
  ASSERT_TRUE(refused) << "sent when it has changed";
  ASSERT_TRUE(
      ask(Kind::load_assignment, {.names = again, .nonce = refused->nonce, .error = "bad weight"}));
  EXPECT_EQ(counters_.nacks, 2U);
  EXPECT_EQ(capture.count("xds_refused"), 1U) << "a line for each would be a flood";
}

TEST_P(StreamStateTest, StaleAnswersAreLeftAlone) {
  open(GetParam());
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  const auto first = next();
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}, .nonce = "none of ours"}));
  EXPECT_EQ(counters_.requests_stale, 1U);
  EXPECT_EQ(counters_.acks, 0U);
  feed_.set("a", {{.name = "a1", .weight = 5}, {.name = "a2"}});
  if (mode_ == Mode::state_of_the_world) EXPECT_EQ(next(), std::nullopt) << "still unacknowledged";
}

TEST_P(StreamStateTest, WildcardFollowsServicesThatComeAndGo) {
  agent_ = "envoy";
  open(GetParam());
  ASSERT_TRUE(ask(Kind::cluster, {}));
  auto got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), (Names{"a", "b"}));
  ack(Kind::cluster, *got);
  now_ += 1s;
  feed_.set("c", {{.name = "c1"}});
  got = next();
  ASSERT_TRUE(got);
  const bool delta = mode_ == Mode::delta;
  EXPECT_EQ(got->names(), delta ? Names{"c"} : (Names{"a", "b", "c"}));
  ack(Kind::cluster, *got);
  now_ += 1s;
  feed_.remove("a");
  got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), delta ? Names{} : (Names{"b", "c"}));
  EXPECT_EQ(got->removed, delta ? Names{"a"} : Names{});
  EXPECT_EQ(counters_.removals, 1U);
  ack(Kind::cluster, *got);
  now_ += 1h;
  EXPECT_EQ(next(), std::nullopt);
}

TEST_P(StreamStateTest, AnEnvoyWithWildcardHearsThatThereAreNoListeners) {
  agent_ = "envoy";
  open(GetParam());
  ASSERT_TRUE(ask(Kind::listener, {}));
  const auto got = next();
  ASSERT_TRUE(got) << "or it would wait for its initial fetch time-out";
  EXPECT_EQ(got->kind, Kind::listener);
  EXPECT_TRUE(got->resources.empty());
}

TEST_P(StreamStateTest, ServicesThatComeLaterAreTold) {
  open(GetParam());
  ASSERT_TRUE(ask(Kind::cluster, {.names = {"later"}}));
  const auto nothing = next();
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->resources.empty());
  EXPECT_EQ(nothing->removed, mode_ == Mode::delta ? Names{"later"} : Names{});
  ack(Kind::cluster, *nothing, {"later"});
  now_ += 1s;
  feed_.set("later", {{.name = "x"}});
  const auto got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), Names{"later"});
}

TEST_P(StreamStateTest, ClustersBeforeAssignmentsBeforeListenersBeforeRoutes) {
  open(GetParam());
  for (const Kind kind : {Kind::route, Kind::listener, Kind::load_assignment, Kind::cluster}) {
    ASSERT_TRUE(ask(kind, {.names = {"a"}}));
  }
  for (const Kind kind : kAllKinds) {
    const auto got = next();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->kind, kind);
    EXPECT_EQ(got->names(), Names{"a"});
  }
}

TEST_P(StreamStateTest, LongAnswersComeInParts) {
  std::vector<TestEndpoint> endpoints;
  for (int i = 0; i < 20'000; ++i) endpoints.push_back({.name = std::to_string(i)});
  Names names;
  for (const char c : {'p', 'q', 'r'}) {
    feed_.set(names.emplace_back(1, c), endpoints);
  }
  agent_ = "envoy";
  open(GetParam());
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = names}));
  std::set<std::string> got;
  int parts = 0;
  while (const auto part = next()) {
    ++parts;
    for (const auto& [name, bytes] : part->resources) got.insert(name);
    EXPECT_EQ(next(), std::nullopt) << "the next part follows the acknowledgment";
    ack(Kind::load_assignment, *part, names);
  }
  EXPECT_EQ(got, (std::set<std::string>{"p", "q", "r"}));
  EXPECT_GT(parts, 1);
}

TEST_P(StreamStateTest, WhatIsNotUnderstoodDoesNotEndTheStreamUnlessItIsNoMessage) {
  open(GetParam());
  std::string out;
  Writer writer(out);
  writer.text(mode_ == Mode::delta ? 2 : 4, "type.googleapis.com/envoy.service.runtime.v3.Runtime");
  EXPECT_TRUE(state_->take(out));
  EXPECT_EQ(counters_.types_unknown, 1U);
  EXPECT_EQ(next(), std::nullopt);
  const auto bad = state_->take("\x0a\x05hell");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::invalid_argument);
  Names too_many(kNamesMax + 1, "x");
  const auto much = ask(Kind::cluster, {.names = too_many});
  ASSERT_FALSE(much);
  EXPECT_EQ(much.error().code(), ErrorCode::limit_exceeded);
  EXPECT_EQ(counters_.requests_bad, 2U);
}

INSTANTIATE_TEST_SUITE_P(Modes, StreamStateTest,
                         testing::Values(Mode::state_of_the_world, Mode::delta),
                         [](const auto& info) {
                           return info.param == Mode::delta ? "Delta" : "StateOfTheWorld";
                         });

class WorldTest : public StreamStateTest {};

TEST_F(WorldTest, NamesAreAllThatIsWanted) {
  open(Mode::state_of_the_world);
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  auto got = next();
  ack(Kind::load_assignment, *got, {"a", "b"});
  got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), Names{"b"}) << "only what is new";
  ack(Kind::load_assignment, *got, {"b"});
  EXPECT_EQ(next(), std::nullopt);
  now_ += 1s;
  feed_.set("a", {{.name = "a1", .weight = 5}, {.name = "a2"}});
  EXPECT_EQ(next(), std::nullopt) << "not asked for any more";
  ack(Kind::load_assignment, *got, {"a", "b"});
  got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), Names{"a"}) << "asked for again: told again";
}

TEST_F(WorldTest, ClustersAreToldWhole) {
  open(Mode::state_of_the_world);
  ASSERT_TRUE(ask(Kind::cluster, {.names = {"a"}}));
  const auto first = next();
  ack(Kind::cluster, *first, {"a", "b"});
  const auto both = next();
  ASSERT_TRUE(both);
  EXPECT_EQ(both->names(), (Names{"a", "b"}));
  EXPECT_NE(both->version, first->version);
}

TEST_F(WorldTest, EqualTablesHaveEqualVersions) {
  std::set<std::string> versions;
  for (int i = 0; i < 2; ++i) {
    open(Mode::state_of_the_world);
    ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a", "b"}}));
    versions.insert(next()->version);
  }
  EXPECT_EQ(versions.size(), 1U);
}

class DeltaTest : public StreamStateTest {};

TEST_F(DeltaTest, AReconnectSendsOnlyWhatIsDifferent) {
  open(Mode::delta);
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a", "b"}}));
  const auto first = next();
  ASSERT_TRUE(first);
  feed_.set("b", {{.name = "b1", .weight = 7}});
  open(Mode::delta);
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a", "b", "gone"},
                                          .known = {{"a", first->versions.at("a")},
                                                    {"b", first->versions.at("b")},
                                                    {"gone", "0000000000000001"}}}));
  const auto got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), Names{"b"});
  EXPECT_EQ(got->removed, Names{"gone"});
}

TEST_F(DeltaTest, AReconnectByWildcardHearsWhatWent) {
  agent_ = "envoy";
  open(Mode::delta);
  ASSERT_TRUE(ask(Kind::cluster, {}));
  const auto first = next();
  feed_.remove("b");
  open(Mode::delta);
  ASSERT_TRUE(ask(Kind::cluster,
                  {.known = {{"a", first->versions.at("a")}, {"b", first->versions.at("b")}}}));
  const auto got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), Names{});
  EXPECT_EQ(got->removed, Names{"b"});
}

TEST_F(DeltaTest, SubscribingAgainTellsAgainAndUnsubscribingEndsIt) {
  open(Mode::delta);
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  ack(Kind::load_assignment, *next());
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = {"a"}}));
  auto got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), Names{"a"});
  ack(Kind::load_assignment, *got);
  ASSERT_TRUE(ask(Kind::load_assignment, {.unsubscribe = {"a"}}));
  now_ += 1s;
  feed_.set("a", {{.name = "a1", .weight = 5}, {.name = "a2"}});
  EXPECT_EQ(next(), std::nullopt);
}

TEST_F(DeltaTest, NamesAndWildcardTogether) {
  agent_ = "envoy";
  open(Mode::delta);
  ASSERT_TRUE(ask(Kind::cluster, {.names = {"a", "*"}}));
  auto got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->names(), (Names{"a", "b"}));
  ack(Kind::cluster, *got);
  ASSERT_TRUE(ask(Kind::cluster, {.unsubscribe = {"*"}}));
  now_ += 1s;
  feed_.remove("b");
  EXPECT_EQ(next(), std::nullopt) << "b is not followed any more";
  feed_.remove("a");
  got = next();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->removed, Names{"a"});
}

TEST_F(DeltaTest, TooManyNamesOverAllRequests) {
  open(Mode::delta);
  Names names;
  for (size_t i = 0; i < kNamesMax; ++i) names.push_back("s" + std::to_string(i));
  ASSERT_TRUE(ask(Kind::load_assignment, {.names = names}));
  const auto much = ask(Kind::load_assignment, {.names = {"one-more"}});
  ASSERT_FALSE(much);
  EXPECT_EQ(much.error().code(), ErrorCode::limit_exceeded);
}

}  // namespace
}  // namespace weir::fleet::xds
