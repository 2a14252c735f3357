#include "fleet/xds/server.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "fleet/test_feed.h"
#include "fleet/xds/protobuf.h"
#include "http/h2/server_session_fixture.h"

namespace weir::fleet::xds {
namespace {

using namespace std::chrono_literals;
namespace wire = http::h2::wire;

const std::string kAds = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

class XdsServerTest : public http::h2::H2ServerTest {
 protected:
  void start(Config config = {}) {
    xds_ = std::make_unique<Server>(loop_, feed_, config);
    serve([this](http::ServerExchange& exchange) { return xds_->serve(exchange); }, http_config());
  }
  void TearDown() override {
    server_.reset();
    xds_.reset();
  }

  static std::string begin(uint32_t stream, const std::string& path,
                           wire::Fields more = {{"content-type", "application/grpc"}}) {
    return wire::headers(stream, wire::request("POST", path, more));
  }
  static std::string frame(const std::string& message) {
    return frame_head(message.size()) + message;
  }
  static std::string ask(const std::string& service, const std::string& nonce = "") {
    std::string out;
    Writer writer(out);
    writer.message(2, [&] { writer.text(6, "gRPC test"); });
    writer.text(3, service);
    writer.text(4, type_url(Kind::load_assignment));
    writer.text(5, nonce);
    return frame(out);
  }

  static std::string end_of(const http::h2::Answered& answered) {
    for (const auto& [name, value] : answered.fields) {
      if (name == "grpc-status") return value;
    }
    return "";
  }
  // The messages that came on a stream.
  static size_t messages(const http::h2::Answered& answered) {
    FrameReader reader(size_t{1} << 24);
    reader.push(answered.body);
    size_t count = 0;
    while (reader.next("")) ++count;
    return count;
  }

  TestFeed feed_;
  std::unique_ptr<Server> xds_;
};

TEST_F(XdsServerTest, AStreamFromSubscriptionToItsEnd) {
  feed_.set("svc", {{.name = "a"}, {.name = "b"}});
  start();
  const auto peer = open();
  say(*peer, begin(1, kAds + "StreamAggregatedResources"));
  EXPECT_EQ(peer->streams[1].status, "200");
  EXPECT_FALSE(peer->streams[1].ended);
  say(*peer, wire::data(1, ask("svc")));
  EXPECT_EQ(messages(peer->streams[1]), 1U);
  say(*peer, wire::data(1, ask("svc", "1")));
  EXPECT_EQ(xds_->counters().acks, 1U);
  loop_.advance(1h);
  feed_.set("svc", {{.name = "a", .weight = 500}, {.name = "b"}});
  read(*peer);
  EXPECT_EQ(messages(peer->streams[1]), 2U) << "pushed";
  EXPECT_EQ(xds_->counters().streams_open, 1U);
  say(*peer, wire::data(1, "", true));
  EXPECT_TRUE(peer->streams[1].ended);
  EXPECT_EQ(end_of(peer->streams[1]), "0");
  EXPECT_EQ(xds_->counters().streams_open, 0U);
}

TEST_F(XdsServerTest, ChangesWithinASecondComeAfterIt) {
  feed_.set("svc", {{.name = "a"}, {.name = "b"}});
  start();
  const auto peer = open();
  say(*peer, begin(1, kAds + "StreamAggregatedResources") + wire::data(1, ask("svc")));
  say(*peer, wire::data(1, ask("svc", "1")));
  for (const uint16_t weight : std::to_array<uint16_t>({900, 800, 700})) {
    feed_.set("svc", {{.name = "a", .weight = weight}, {.name = "b"}});
    loop_.advance(10ms);
  }
  read(*peer);
  EXPECT_EQ(messages(peer->streams[1]), 1U);
  loop_.advance(1s);
  read(*peer);
  EXPECT_EQ(messages(peer->streams[1]), 2U);
}

TEST_F(XdsServerTest, SeveralClientsAndStreams) {
  feed_.set("svc", {{.name = "a"}});
  start();
  const auto first = open();
  const auto second = open();
  for (auto* peer : {first.get(), second.get()}) {
    for (const uint32_t id : {1U, 3U}) {
      say(*peer, begin(id, kAds + "StreamAggregatedResources") + wire::data(id, ask("svc")));
      say(*peer, wire::data(id, ask("svc", "1")));
    }
  }
  EXPECT_EQ(xds_->counters().streams_open, 4U);
  first->raw.stream->abort();
  loop_.run_until_idle();
  EXPECT_EQ(xds_->counters().streams_open, 2U);
  feed_.set("svc", {{.name = "a", .weight = 1}});
  read(*second);
  EXPECT_EQ(messages(second->streams[1]), 2U);
  EXPECT_EQ(messages(second->streams[3]), 2U);
}

TEST_F(XdsServerTest, EachWayToEnd) {
  struct Case {
    std::string what;
    std::string path = kAds + "StreamAggregatedResources";
    wire::Fields fields = {{"content-type", "application/grpc"}};
    std::string body;
    bool end = false;
    std::string status;
  };
  const std::vector<Case> cases = {
      {.what = "no such method", .path = kAds + "FetchAggregatedResources", .status = "12"},
      {.what = "no such service", .path = "/envoy.service.runtime.v3.Rtds/Stream", .status = "12"},
      {.what = "a time-out that is none",
       .fields = {{"content-type", "application/grpc"}, {"grpc-timeout", "soon"}},
       .status = "13"},
      {.what = "compressed",
       .fields = {{"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}},
       .body = std::string("\1\0\0\0\1x", 6),
       .status = "12"},
      {.what = "too long", .body = frame_head(1001), .status = "8"},
      {.what = "no message", .body = frame("\x0a\x05hell"), .status = "3"},
      {.what = "ends within a message", .body = "\1", .end = true, .status = "13"},
      {.what = "ends before the first", .end = true, .status = "0"},
  };
  start({.request_bytes_max = 1000});
  for (const Case& c : cases) {
    const auto peer = open();
    say(*peer, begin(1, c.path, c.fields));
    if (!c.body.empty() || c.end) say(*peer, wire::data(1, c.body, c.end));
    EXPECT_EQ(end_of(peer->streams[1]), c.status) << c.what;
    EXPECT_TRUE(peer->streams[1].ended) << c.what;
  }
  const auto peer = open();
  say(*peer, begin(1, kAds + "StreamAggregatedResources", {{"content-type", "text/plain"}}));
  EXPECT_EQ(peer->streams[1].status, "415");
  EXPECT_EQ(xds_->counters().streams_open, 0U);
}

TEST_F(XdsServerTest, ACallsTimeIsKept) {
  start();
  const auto peer = open();
  say(*peer, begin(1, kAds + "DeltaAggregatedResources",
                   {{"content-type", "application/grpc"}, {"grpc-timeout", "5S"}}));
  loop_.advance(4s);
  read(*peer);
  EXPECT_FALSE(peer->streams[1].ended);
  loop_.advance(2s);
  read(*peer);
  EXPECT_EQ(end_of(peer->streams[1]), "4");
}

TEST_F(XdsServerTest, MoreStreamsThanAllowedAreRefusedAndStoppingEndsAll) {
  start({.streams_max = 2});
  const auto peer = open();
  for (const uint32_t id : {1U, 3U, 5U}) say(*peer, begin(id, kAds + "StreamAggregatedResources"));
  EXPECT_FALSE(peer->streams[3].ended);
  EXPECT_EQ(end_of(peer->streams[5]), "8");
  EXPECT_EQ(xds_->counters().streams_refused, 1U);
  xds_->stop();
  read(*peer);
  EXPECT_EQ(end_of(peer->streams[1]), "14");
  EXPECT_EQ(end_of(peer->streams[3]), "14");
  say(*peer, begin(7, kAds + "StreamAggregatedResources"));
  EXPECT_EQ(end_of(peer->streams[7]), "14");
}

TEST_F(XdsServerTest, AStreamOfOneKindNeedsNoType) {
  feed_.set("svc", {{.name = "a"}});
  start();
  const auto peer = open();
  std::string message;
  Writer writer(message);
  writer.text(3, "svc");
  say(*peer, begin(1, "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints") +
                 wire::data(1, frame(message)));
  EXPECT_EQ(messages(peer->streams[1]), 1U);
  say(*peer, begin(3, "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters") +
                 wire::data(3, frame("")));
  EXPECT_EQ(messages(peer->streams[3]), 1U);
}

TEST_F(XdsServerTest, AClientThatDoesNotReadHoldsOneResponse) {
  std::vector<TestEndpoint> endpoints;
  for (int i = 0; i < 150; ++i) endpoints.push_back({.name = std::to_string(1000 + i)});
  feed_.set("svc", endpoints);
  start();
  const auto peer = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}}));
  say(*peer, begin(1, kAds + "StreamAggregatedResources") + wire::data(1, ask("svc")));
  for (uint16_t weight = 999; weight > 900; --weight) {
    endpoints[0].weight = weight;
    feed_.set("svc", endpoints);
    loop_.advance(100ms);
  }
  EXPECT_EQ(xds_->counters().responses, 1U);
  say(*peer, wire::window_update(1, 1'000'000));
  say(*peer, wire::data(1, ask("svc", "1")));
  loop_.advance(1s);
  read(*peer);
  EXPECT_EQ(xds_->counters().responses, 2U) << "the latest";
  // One that takes nothing at all is cut in the end.
  const auto stuck = open({}, wire::settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}}));
  say(*stuck, begin(1, kAds + "StreamAggregatedResources") + wire::data(1, ask("svc")));
  EXPECT_EQ(xds_->counters().streams_open, 2U);
  loop_.advance(2min);
  EXPECT_EQ(xds_->counters().streams_open, 1U);
}

}  // namespace
}  // namespace weir::fleet::xds
