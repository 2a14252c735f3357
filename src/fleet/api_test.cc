// The API of a fleet from outside: what a reporter, a reader and an operator see.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/log.h"
#include "fleet/batch.h"
#include "fleet/test_node.h"

namespace weir::fleet {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class Api : public NodeTest {
 protected:
  // The member at a path of names in the JSON body, as text.
  static std::string at(const Answer& answer, std::initializer_list<std::string_view> path) {
    json::Document document;
    if (!document.parse(answer.body)) return "not JSON: " + answer.body;
    json::Value value = document.root();
    for (const std::string_view name : path) value = value[name];
    if (!value) return "missing";
    return value.is_string() ? value.string_or("") : std::string(value.raw());
  }
};

TEST_F(Api, RegistersReportsCutsAndExplains) {
  const Answer put = ask("PUT", "/v1/fleet/services/search",
                         R"({"endpoints":[{"name":"e0","address":"10.0.0.1","port":80,"cold":false},
        {"name":"e1","address":"10.0.0.2","port":80,"cold":false},
        {"name":"e2","address":"10.0.0.3","port":80,"cold":false},
        {"name":"e3","address":"10.0.0.4","port":80,"cold":false},
        {"name":"e4","address":"10.0.0.5","port":80,"cold":false},
        {"name":"e5","address":"","port":80}]})");
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(at(put, {"endpoints", "added"}), "5");
  EXPECT_EQ(at(put, {"endpoints", "refused"}), "1");
  for (int t = 0; t < 20; ++t) live("search", 5, 2, 0);
  EXPECT_EQ(weight("search", "e2"), 1000);
  int seconds = 0;
  while (weight("search", "e2") == 1000 && seconds < 20) {
    live("search", 5, 2, 5);
    ++seconds;
  }
  EXPECT_LE(seconds, 8);  // two of them are the watermark
  const Answer told = get("/v1/fleet/services/search/endpoints/e2");
  EXPECT_EQ(at(told, {"phase"}), "cut");
  EXPECT_EQ(at(told, {"health"}), "degraded");
  EXPECT_EQ(at(told, {"cause"}), "errors");
  EXPECT_THAT(told.body, HasSubstr("requests failed"));
  const Answer verdicts = get("/v1/fleet/verdicts?service=search");
  EXPECT_THAT(verdicts.body, HasSubstr("\"endpoint\":\"e2\""));
  EXPECT_THAT(get("/v1/fleet/services/search/history").body, HasSubstr("\"reason\":\"cut\""));
  EXPECT_THAT(get("/v1/fleet/status").body, HasSubstr("\"cuts\":1"));
  EXPECT_THAT(get("/metrics").body, HasSubstr("weir_fleet_cuts_total 1"));
}

TEST_F(Api, ABadItemNeverSpoilsItsBatch) {
  add_service("s", 3);
  log::Capture log;
  const std::string body = fmt::format(
      R"({{"reporter":"r","samples":[
        {{"service":"s","endpoint":"e0","second":{0},"requests":5}},
        {{"service":"s","endpoint":"nobody","second":{0},"requests":5}},
        {{"service":"gone","endpoint":"e0","second":{0},"requests":5}},
        {{"service":"s","endpoint":"e1","second":{0},"requests":5,"errors":6}},
        {{"service":"s","endpoint":"e1","second":{1},"requests":5}},
        {{"service":"s","endpoint":"e1","second":{2},"requests":5}},
        {{"service":"s","endpoint":"e0","second":{0},"requests":5}},
        {{"service":"s","endpoint":"e1","second":{0},"requests":-1}},
        17,
        {{"service":"s","endpoint":"e2","second":{0},"requests":5,"latency_ms":3}}]}})",
      second(), second() - 60, second() + 60);
  const Answer answer = ask("POST", "/v1/fleet/samples", body);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(at(answer, {"accepted"}), "2");
  EXPECT_EQ(at(answer, {"refused", "unknown_endpoint"}), "2");
  EXPECT_EQ(at(answer, {"refused", "implausible"}), "1");
  EXPECT_EQ(at(answer, {"refused", "late"}), "1");
  EXPECT_EQ(at(answer, {"refused", "early"}), "1");
  EXPECT_EQ(at(answer, {"refused", "duplicate"}), "1");
  EXPECT_EQ(at(answer, {"refused", "unreadable"}), "2");
  EXPECT_EQ(log.count("fleet_samples_refused"), 6U);
  EXPECT_TRUE(log.contains("s/nobody"));
  (void)ask("POST", "/v1/fleet/samples", body);
  EXPECT_EQ(log.count("fleet_samples_refused"), 6U) << "once for each reason in ten seconds";
  EXPECT_THAT(get("/metrics").body, HasSubstr("weir_fleet_samples_total{intake=\"duplicate\"} 4"));
}

TEST_F(Api, RefusesBodiesThatAreNoBatch) {
  for (const std::string_view body : {"", "[]", "{", "{\"samples\":[]}", "{\"reporter\":1}",
                                      "{\"reporter\":\"\",\"samples\":[]}"})
    EXPECT_EQ(ask("POST", "/v1/fleet/samples", body).status, 400) << body;
  EXPECT_EQ(
      ask("POST", "/v1/fleet/samples", "WFB1", "content-type: application/vnd.weir.samples\r\n")
          .status,
      400);
}

TEST_F(Api, TakesBinaryBatchesAfterAHandshake) {
  add_service("s", 3);
  const Answer resolved = ask("POST", "/v1/fleet/resolve",
                              R"({"reporter":"r","service":"s","endpoints":["e0","e2","x"]})");
  EXPECT_EQ(at(resolved, {"unknown"}), "1");
  EXPECT_EQ(at(resolved, {"endpoints", "e2"}), "[2,0]");
  const std::string type = fmt::format("content-type: {}\r\n", kBatchType);
  std::string bytes;
  BatchWriter writer(bytes, 0, node_->fleet().numbers_id(), second());
  EXPECT_TRUE(writer.add({.endpoint = 0, .second = second(), .requests = 7, .ln_latency = 9000}));
  EXPECT_TRUE(writer.add({.endpoint = 2, .second = second(), .requests = 7}));
  EXPECT_TRUE(writer.add({.endpoint = 99, .second = second(), .requests = 7}));
  writer.finish();
  const Answer taken = ask("POST", "/v1/fleet/samples", bytes, type);
  EXPECT_EQ(at(taken, {"accepted"}), "2") << taken.body;
  EXPECT_EQ(at(taken, {"refused", "unknown_endpoint"}), "1");

  std::string strange = bytes;
  strange[8] ^= 1;  // numbers of another fleet
  EXPECT_EQ(ask("POST", "/v1/fleet/samples", strange, type).status, 409);
  const Answer cut = ask("POST", "/v1/fleet/samples", bytes.substr(0, bytes.size() - 1), type);
  EXPECT_EQ(cut.status, 400);
  EXPECT_EQ(at(cut, {"refused", "duplicate"}), "2");
}

TEST_F(Api, ANumberNeverSpeaksForItsNextOwner) {
  add_service("s", 3);
  std::string bytes;
  BatchWriter writer(bytes, 0, node_->fleet().numbers_id(), second() + 90);
  (void)*node_->fleet().reporter("r");
  (void)writer.add({.endpoint = 1, .second = second() + 90, .requests = 7});
  writer.finish();
  ASSERT_TRUE(node_->fleet().remove_endpoint("s", "e1"));
  pass(90s);
  EndpointSpec spec;
  spec.info = {.name = "new", .address = "10.0.0.9", .port = 80};
  ASSERT_TRUE(node_->fleet().put_endpoint("s", spec));
  EXPECT_EQ(node_->fleet().registry().find(0, "new"), 1U) << "the number was to be reused";
  const Answer answer =
      ask("POST", "/v1/fleet/samples", bytes, fmt::format("content-type: {}\r\n", kBatchType));
  EXPECT_EQ(at(answer, {"refused", "unknown_endpoint"}), "1") << answer.body;
}

TEST_F(Api, ServesSnapshotsDeltasAndNothingNew) {
  add_service("s", 3);
  const Answer snapshot = get("/v1/fleet/services/s/weights");
  EXPECT_EQ(at(snapshot, {"kind"}), "snapshot");
  EXPECT_EQ(at(snapshot, {"lease_seconds"}), "600");
  const std::string version = at(snapshot, {"version"});
  EXPECT_EQ(get("/v1/fleet/services/s/weights?since=" + version).status, 304);
  EXPECT_EQ(get("/v1/fleet/services/s/weights",
                fmt::format("if-none-match: {}\r\n", snapshot.field("etag")))
                .status,
            304);
  ASSERT_TRUE(node_->fleet().pin({.service = "s",
                                  .endpoint = "e1",
                                  .share = 0,
                                  .expiry = node_->fleet().next_second() + 60,
                                  .reason = "test"}));
  ASSERT_TRUE(node_->fleet().remove_endpoint("s", "e2"));
  const Answer delta = get("/v1/fleet/services/s/weights?since=" + version);
  EXPECT_EQ(at(delta, {"kind"}), "delta");
  EXPECT_EQ(at(delta, {"endpoints"}), R"([{"name":"e1","weight":0,"health":"drained"}])");
  EXPECT_EQ(at(delta, {"removed"}), R"(["e2"])");
  EXPECT_EQ(at(get("/v1/fleet/services/s/weights?since=1"), {"kind"}), "snapshot");
  EXPECT_EQ(get("/v1/fleet/services/s/weights?since=x").status, 400);
  EXPECT_EQ(get("/v1/fleet/services/none/weights").status, 404);
}

TEST_F(Api, ALongPollWaitsForAChange) {
  add_service("s", 2);
  const std::string version = at(get("/v1/fleet/services/s/weights"), {"version"});
  Open poll = begin("/v1/fleet/services/s/weights?wait=30s&since=" + version);
  receive(poll);
  EXPECT_EQ(poll.received, "");
  EXPECT_EQ(node_->api().watchers, 1U);
  ASSERT_TRUE(node_->fleet().put_endpoint(
      "s", {.info = {.name = "e1", .address = "10.0.0.2", .port = 81, .zone = "z1"}}));
  receive(poll);
  EXPECT_THAT(poll.received, HasSubstr("\"port\":81"));
  EXPECT_EQ(node_->api().watchers, 0U);

  const std::string now = at(get("/v1/fleet/services/s/weights"), {"version"});
  Open idle = begin("/v1/fleet/services/s/weights?wait=30s&since=" + now);
  pass(29s);
  receive(idle);
  EXPECT_EQ(idle.received, "");
  pass(2s);
  receive(idle);
  EXPECT_THAT(idle.received, HasSubstr("304 Not Modified"));

  Open gone = begin("/v1/fleet/services/s/weights?wait=30s&since=" + now);
  gone.stream = nullptr;
  loop_.run_until_idle();
  EXPECT_EQ(node_->api().watchers, 0U);
}

TEST_F(Api, AnEventStreamFollowsATable) {
  add_service("s", 2);
  Open watch = begin("/v1/fleet/services/s/weights", "accept: text/event-stream\r\n");
  receive(watch);
  EXPECT_THAT(watch.received, HasSubstr("event: snapshot\ndata: {"));
  const std::string version = at(get("/v1/fleet/services/s/weights"), {"version"});
  EXPECT_THAT(watch.received, HasSubstr("id: " + version));
  watch.received.clear();
  pass(16s);
  receive(watch);
  EXPECT_THAT(watch.received, HasSubstr(": still here"));
  watch.received.clear();
  ASSERT_TRUE(node_->fleet().remove_endpoint("s", "e0"));
  receive(watch);
  EXPECT_THAT(watch.received, HasSubstr("event: delta\n"));
  EXPECT_THAT(watch.received, HasSubstr("\"removed\":[\"e0\"]"));

  Open resumed = begin("/v1/fleet/services/s/weights",
                       fmt::format("accept: text/event-stream\r\nlast-event-id: {}\r\n", version));
  receive(resumed);
  EXPECT_THAT(resumed.received, HasSubstr("event: delta\n"));
  ASSERT_TRUE(node_->fleet().remove_service("s"));
  receive(watch);
  EXPECT_THAT(watch.received, HasSubstr("event: gone"));
}

TEST_F(Api, WatchersAreLimited) {
  make({.api = {.watchers_max = 1}});
  add_service("s", 1);
  Open first = begin("/v1/fleet/services/s/weights", "accept: text/event-stream\r\n");
  EXPECT_EQ(get("/v1/fleet/services/s/weights", "accept: text/event-stream\r\n").status, 503);
  EXPECT_EQ(get("/v1/fleet/services/s/weights").status, 200) << "a plain read needs no place";
  EXPECT_EQ(node_->api().counters.watchers_refused, 1U);
}

TEST_F(Api, AWriteNeedsTheToken) {
  make({.api = {.token = Secret("swordfish")}});
  EXPECT_EQ(ask("PUT", "/v1/fleet/services/s", "{}").status, 401);
  EXPECT_EQ(ask("PUT", "/v1/fleet/services/s", "{}", "authorization: Bearer tuna\r\n").status, 401);
  EXPECT_EQ(ask("PUT", "/v1/fleet/services/s", "{}", "authorization: Bearer swordfish\r\n").status,
            201);
  EXPECT_EQ(get("/v1/fleet/services").status, 200);
  EXPECT_EQ(ask("POST", "/v1/fleet/services/s", "{}").status, 405);
  EXPECT_EQ(get("/v1/fleet/nothing").status, 404);
}

TEST_F(Api, WithoutATokenOnlyThisMachineIsAnswered) {
  auto [ours, theirs] = net::memory_pair(loop_, {});
  node_->server().serve_connection(std::move(theirs));
  Open open{std::move(ours), {}};
  (void)open.stream->try_write("GET /v1/fleet/status HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  receive(open);
  EXPECT_THAT(open.received, HasSubstr("403"));
}

TEST_F(Api, PinsMustExpireAndDo) {
  add_service("s", 2);
  const std::string path = "/v1/fleet/services/s/endpoints/e0/pin";
  EXPECT_EQ(ask("PUT", path, R"({"share":0})").status, 400);
  EXPECT_EQ(ask("PUT", path, R"({"share":2,"for":"30s"})").status, 400);
  EXPECT_EQ(ask("PUT", path, R"({"share":0,"for":"8d"})").status, 400);
  EXPECT_EQ(ask("PUT", path, R"({"share":0,"for":"30s","reason":"disk"})").status, 200);
  EXPECT_EQ(weight("s", "e0"), 0);
  EXPECT_THAT(get("/v1/fleet/pins").body, HasSubstr("\"reason\":\"disk\""));
  pass(40s);
  EXPECT_EQ(weight("s", "e0"), 1000);
  EXPECT_THAT(get("/v1/fleet/pins").body, HasSubstr("\"pins\":[]"));
  EXPECT_EQ(ask("PUT", path, R"({"share":0.5,"for":"30s"})").status, 200);
  EXPECT_LT(weight("s", "e0"), 1000);
  EXPECT_EQ(ask("DELETE", path).status, 200);
  EXPECT_EQ(weight("s", "e0"), 1000);
  EXPECT_EQ(ask("DELETE", path).status, 404);
}

TEST_F(Api, ADryRunExplainsAndLeavesWeightsAlone) {
  add_service("s", 6);
  EXPECT_EQ(ask("PUT", "/v1/fleet/services/s", R"({"dry_run":true})").status, 200);
  for (int t = 0; t < 20; ++t) live("s", 6, 2, 0);
  for (int t = 0; t < 10; ++t) live("s", 6, 2, 6);
  EXPECT_EQ(weight("s", "e2"), 1000);
  EXPECT_THAT(get("/v1/fleet/services/s/history").body, HasSubstr("would go"));
  EXPECT_EQ(ask("PUT", "/v1/fleet/services/s", R"({"dry_run":false})").status, 200);
  EXPECT_LT(weight("s", "e2"), 1000);
}

TEST_F(Api, ARestartMeansSlowStart) {
  add_service("s", 4);
  const std::string path = "/v1/fleet/services/s/endpoints/e1";
  const auto body = [](std::string_view start) {
    return fmt::format(R"({{"address":"10.0.0.2","port":80,"zone":"z1","start":"{}"}})", start);
  };
  EXPECT_EQ(at(ask("PUT", path, body("a")), {"endpoint"}), "unchanged");
  EXPECT_EQ(weight("s", "e1"), 1000);
  EXPECT_EQ(at(ask("PUT", path, body("b")), {"endpoint"}), "restarted");
  EXPECT_LT(weight("s", "e1"), 500);
  EXPECT_EQ(at(get(path), {"health"}), "warming");
}

TEST_F(Api, ALyingReporterCutsNobody) {
  add_service("s", 8);
  for (int t = 0; t < 20; ++t) {
    for (const char* honest : {"r1", "r2"}) report("s", 8, 99, 0, honest);
    pass(1s);
  }
  // From now on a third accuses everybody.
  for (int t = 0; t < 30; ++t) {
    std::string lies = R"({"reporter":"liar","samples":[)";
    for (int e = 0; e < 8; ++e)
      lies += fmt::format(
          R"({}{{"service":"s","endpoint":"e{}","second":{},"requests":20,"errors":20}})",
          e == 0 ? "" : ",", e, second());
    (void)ask("POST", "/v1/fleet/samples", lies + "]}");
    for (const char* honest : {"r1", "r2"}) report("s", 8, 99, 0, honest);
    pass(1s);
  }
  for (int e = 0; e < 8; ++e) EXPECT_EQ(weight("s", fmt::format("e{}", e)), 1000);
  EXPECT_THAT(get("/v1/fleet/status").body, HasSubstr("\"reporters_set_aside\":[\"liar\"]"));
}

}  // namespace
}  // namespace weir::fleet
