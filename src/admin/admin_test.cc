// The admin API as a client sees it: every route over in-memory connections, with a real key store
// and ledger behind it, and a scripted process.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/routes.h"
#include "admin/test_admin.h"

namespace weir::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(AdminTest, EveryRouteAnswersAndStandsInTheDocument) {
  process_.write(process_.row(SystemClock().wall_ms()));
  const auto document = ask("GET", "/api/v1/openapi.json");
  ASSERT_EQ(document->status, 200);
  for (const Route& route : routes()) {
    EXPECT_TRUE(document->root()["paths"][route.path].is_object()) << route.path;
    if (route.path.find('{') != std::string_view::npos || route.method != "GET") continue;
    const auto answer = ask("GET", route.path);
    // Without a provider there is nowhere to go.
    const int expected = route.path.starts_with("/api/v1/oidc/") ? 404 : 200;
    EXPECT_EQ(answer->status, expected) << route.path << answer->body;
    EXPECT_THAT(answer->head, HasSubstr("x-content-type-options: nosniff"));
    EXPECT_THAT(answer->head, HasSubstr("cache-control: no-store"));
  }
  EXPECT_EQ(ask("DELETE", "/api/v1/status")->status, 405);
  EXPECT_EQ(ask("GET", "/api/v1/nothing")->status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/keys/a/b/rotate")->status, 404);
}

TEST_F(AdminTest, WithoutATokenOnlyThisMachineIsAnswered) {
  struct Case {
    const char* host;
    const char* origin;
    int status;
  };
  for (const auto& [host, origin, status] :
       {Case{"localhost:8081", "", 200}, Case{"127.0.0.1", "", 200}, Case{"[::1]:8081", "", 200},
        Case{"evil.example", "", 403}, Case{"localhost.evil.example:8081", "", 403},
        Case{"127.0.0.1.evil.example", "", 403}, Case{"[::1].evil", "", 403},
        Case{"localhost", "http://localhost:8081", 200},
        Case{"localhost", "http://evil.example", 403}, Case{"localhost", "null", 403},
        Case{"localhost", "http://localhost.evil.example", 403}}) {
    const auto answer =
        send(fmt::format("GET /api/v1/status HTTP/1.1\r\nhost: {}\r\n{}\r\n", host,
                         *origin == '\0' ? std::string() : fmt::format("origin: {}\r\n", origin)));
    EXPECT_EQ(answer->status, status) << host << " " << origin;
  }
}

TEST_F(AdminTest, WithATokenItIsAskedForEverywhereButTheFiles) {
  server_.set_token(Secret("the-token"));
  for (const char* path : {"/api/v1/status", "/api/v1/keys", "/api/v1/requests", "/metrics"}) {
    EXPECT_EQ(ask("GET", path)->status, 401) << path;
    EXPECT_EQ(ask("GET", path, {}, "authorization: Bearer the-toke\r\n")->status, 401) << path;
    EXPECT_EQ(ask("GET", path, {}, "authorization: Basic the-token\r\n")->status, 401) << path;
    EXPECT_EQ(ask("GET", path, {}, "authorization: Bearer the-token\r\n")->status, 200) << path;
  }
  EXPECT_EQ(ask("POST", "/api/v1/reload")->status, 401);
  EXPECT_EQ(process_.reloads, 0);
  EXPECT_EQ(ask("GET", "/healthz")->status, 200);
  const auto page = ask("GET", "/");
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->head, HasSubstr("content-security-policy: default-src '"));
  // The page holds no secret and runs nothing but its own file.
  EXPECT_THAT(page->body, Not(HasSubstr("the-token")));
  EXPECT_THAT(page->body, Not(HasSubstr("<script>")));
  EXPECT_THAT(ask("GET", "/console.js")->body, Not(HasSubstr("innerHTML")));
}

TEST_F(AdminTest, AKeyLivesRotatesAndDies) {
  const std::string id = make(R"({"name":"a","team":"t","models":["m"],"limits":{"rpm":5},)"
                              R"("budget":{"usd":"1.5","per":"day"},"tags":{"env":"prod"}})");
  const std::string first = key_;
  EXPECT_TRUE(process_.accepts(first));
  const auto list = ask("GET", "/api/v1/keys");
  EXPECT_THAT(list->body, Not(HasSubstr(first))) << "a key is shown once";
  ASSERT_EQ(list->root()["keys"].size(), 2U);
  EXPECT_THAT(list->body, HasSubstr(R"("source":"file")"));
  EXPECT_THAT(list->body, HasSubstr(R"("budgets":[{"usd":"1.50","per":"day","hard":true}])"));

  const std::string rotate = "/api/v1/keys/" + id + "/rotate";
  const auto rotated = ask("POST", rotate, R"({"overlap_s":60})");
  ASSERT_EQ(rotated->status, 200) << rotated->body;
  const std::string second = rotated->root()["key"].string_or("");
  EXPECT_NE(second, first);
  EXPECT_TRUE(process_.accepts(first)) << "for the overlap";
  EXPECT_TRUE(process_.accepts(second));
  const auto at_once = ask("POST", rotate);
  EXPECT_FALSE(process_.accepts(second));
  const std::string third = at_once->root()["key"].string_or("");
  EXPECT_TRUE(process_.accepts(third));

  EXPECT_EQ(ask("DELETE", "/api/v1/keys/" + id)->status, 200);
  EXPECT_FALSE(process_.accepts(third));
  EXPECT_EQ(ask("POST", rotate)->status, 404) << "a revoked key does not come back";
  EXPECT_EQ(ask("DELETE", "/api/v1/keys/from-file")->status, 404) << "the file's keys are its own";
  EXPECT_EQ(ask("DELETE", "/api/v1/keys/nobody")->status, 404);
}

TEST_F(AdminTest, AKeyIsChangedMemberByMember) {
  const std::string id =
      make(R"({"name":"a","models":["m","n"],"limits":{"rpm":5,"tpm":9},"budget":{"usd":"2"},)"
           R"("addresses":["192.0.2.0/24"],"tags":{"env":"prod","x":"y"},)"
           R"("expires":"2099-01-01T00:00:00Z"})");
  const std::string path = "/api/v1/keys/" + id;
  const auto changed = ask("PATCH", path,
                           R"({"limits":{"rpm":7,"tpm":null},"user_limits":{"rpm":3},)"
                           R"("model_limits":[{"model":"gpt-*","tpm":100}],"priority":"low",)"
                           R"("owner":"ada","tags":{"env":"test","x":null},"addresses":null})");
  ASSERT_EQ(changed->status, 200) << changed->body;
  for (const char* part :
       {R"("limits":{"rpm":7,"tpm":null,"concurrency":null})",
        R"("model_limits":[{"model":"gpt-*","rpm":null,"tpm":100,"concurrency":null}])",
        R"("user_limits":{"rpm":3,"tpm":null,"concurrency":null})", R"("priority":"low")",
        R"("owner":"ada")", R"("tags":{"env":"test"})", R"("addresses":[])",
        R"("models":["m","n"])", R"("usd":"2.00")", R"("expires":"2099-01-01T00:00:00.000Z")"}) {
    EXPECT_THAT(changed->body, HasSubstr(part));
  }
  EXPECT_THAT(changed->body, Not(HasSubstr(key_))) << "the key itself is not told again";
  EXPECT_TRUE(process_.accepts(key_));
  // Nothing of a change that is not understood is made.
  for (const char* body :
       {"", "[]", R"({"name":""})", R"({"name":null})", R"({"limits":{"rpm":0}})",
        R"({"limits":{"rps":1}})", R"({"priority":"urgent"})", R"({"model_limits":[{"rpm":1}]})",
        R"({"model_limits":{"m":{"rpm":1}}})", R"({"user_limits":5})", R"({"owner":7})",
        R"({"rpm":5,"owner":"bob"})", R"({"owner":"bob","addresses":["nowhere"]})"}) {
    EXPECT_EQ(ask("PATCH", path, body)->status, 400) << body;
  }
  EXPECT_THAT(ask("PATCH", path, "{}")->body, HasSubstr(R"("owner":"ada")"));
  EXPECT_EQ(ask("PATCH", path, R"({"priority":null,"budgets":[],"name":"b"})")->status, 200);
  const auto last = ask("PATCH", path, "{}");
  EXPECT_THAT(last->body, HasSubstr(R"("priority":null)"));
  EXPECT_THAT(last->body, HasSubstr(R"("budgets":[])"));
  make(R"({"name":"a"})");
  EXPECT_EQ(ask("PATCH", path, R"({"name":"a"})")->status, 409);
  EXPECT_EQ(ask("PATCH", "/api/v1/keys/from-file", "{}")->status, 404);
  EXPECT_EQ(ask("DELETE", path)->status, 200);
  EXPECT_EQ(ask("PATCH", path, "{}")->status, 404) << "a revoked key does not come back";
}

TEST_F(AdminTest, ASpecificationThatIsNotUnderstoodMakesNoKey) {
  for (const char* body : {"",
                           "[]",
                           "{",
                           R"({"name":""})",
                           R"({"name":5})",
                           R"({"nam":"a"})",
                           R"({"name":"a","limits":{"rpms":5}})",
                           R"({"name":"a","limits":{"rpm":0}})",
                           R"({"name":"a","limits":{"rpm":-1}})",
                           R"({"name":"a","limits":{"rpm":1.5}})",
                           R"({"name":"a","limits":{"rpm":99999999999999999999}})",
                           R"({"name":"a","limits":[]})",
                           R"({"name":"a","budget":{"usd":"much"}})",
                           R"({"name":"a","budget":{"usd":-1}})",
                           R"({"name":"a","budget":{"usd":"1e400"}})",
                           R"({"name":"a","budget":{}})",
                           R"({"name":"a","budget":{"usd":1,"per":"year"}})",
                           R"({"name":"a","expires":"soon"})",
                           R"({"name":"a","expires":5})",
                           R"({"name":"a","priority":"first"})",
                           R"({"name":"a","model_limits":[{"model":"m","limit":1}]})",
                           R"({"name":"a","models":"m"})",
                           R"({"name":"a","models":[5]})",
                           R"({"name":"a","tags":{"x":1}})",
                           R"({"name":"a","addresses":"192.0.2.0/24"})",
                           R"({"name":"a","addresses":["192.0.2.1/24"]})",
                           R"({"name":"a","addresses":[7]})",
                           R"({"name":"a","endpoints":["chat"]})",
                           R"({"name":"a","capture_refused":1})",
                           R"({"name":"a","capture":true,"capture_refused":true})",
                           R"({"name":"a","capture":"yes"})"}) {
    const auto answer = ask("POST", "/api/v1/keys", body);
    EXPECT_EQ(answer->status, 400) << body << answer->body;
    EXPECT_TRUE(answer->root()["error"]["message"].is_string()) << body;
  }
  const auto list = ask("GET", "/api/v1/keys");
  EXPECT_EQ(list->root()["keys"].size(), 1U);
  make(R"({"name":"a"})");
  EXPECT_EQ(ask("POST", "/api/v1/keys", R"({"name":"a"})")->status, 409);
  const std::string id = make(R"({"name":"b"})");
  for (const char* overlap : {"-1", "2592001", "\"1\"", "1.5", "9223372036854775807"}) {
    EXPECT_EQ(
        ask("POST", "/api/v1/keys/" + id + "/rotate", fmt::format(R"({{"overlap_s":{}}})", overlap))
            ->status,
        400)
        << overlap;
  }
}

TEST_F(AdminTest, AccountsAreMadeChangedAndRemoved) {
  const auto listed = ask("GET", "/api/v1/accounts");
  EXPECT_TRUE((*listed->root()["accounts"].elements().begin())["source"].equals("file"))
      << listed->body;
  const auto made = ask("POST", "/api/v1/accounts", R"({"name":"a","api_key":"sk-secret"})");
  EXPECT_EQ(made->status, 201);
  EXPECT_TRUE(made->root()["source"].equals("console"));
  EXPECT_THAT(made->body, Not(HasSubstr("sk-secret")));
  EXPECT_EQ(ask("POST", "/api/v1/accounts", R"({"name":"a"})")->status, 409);
  EXPECT_EQ(ask("POST", "/api/v1/accounts", "[]")->status, 400);
  EXPECT_EQ(ask("PATCH", "/api/v1/accounts/a", R"({"endpoint":null})")->status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/accounts/b", "{}")->status, 404);
  EXPECT_EQ(ask("PATCH", "/api/v1/accounts/a", "[]")->status, 400);
  const auto tested = ask("POST", "/api/v1/accounts/a/test");
  EXPECT_TRUE(*tested->root()["ok"].as_bool());
  EXPECT_TRUE((*tested->root()["models"].elements().begin()).equals("gpt-4o"));
  EXPECT_EQ(ask("POST", "/api/v1/accounts/b/test")->status, 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/accounts/a")->status, 200);
  EXPECT_EQ(ask("DELETE", "/api/v1/accounts/a")->status, 404);
}

TEST_F(AdminTest, RowsComeInPagesNewestFirst) {
  const int64_t now = SystemClock().wall_ms();
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    auto row = process_.row(now - 10'000 + i);
    ids.push_back("req_" + row.id.to_text());
    row.status = i == 0 ? 500 : 200;
    row.key_id = i < 2 ? "k1" : "k2";
    process_.write(std::move(row));
  }
  std::vector<std::string> seen;
  std::string before;
  for (int page = 0; page < 5; ++page) {
    const auto answer = ask("GET", "/api/v1/requests?limit=2" + before);
    ASSERT_EQ(answer->status, 200) << answer->body;
    for (const json::Value row : answer->root()["requests"].elements()) {
      seen.push_back(row["id"].string_or(""));
      EXPECT_TRUE(row["model_asked"].equals("<script>alert(1)</script>\"\n"));
    }
    if (answer->root()["next"].is_null()) break;
    before = "&before=" + answer->root()["next"].string_or("");
  }
  EXPECT_EQ(seen, std::vector<std::string>(ids.rbegin(), ids.rend()));
  EXPECT_EQ(ask("GET", "/api/v1/requests?key=k1")->root()["requests"].size(), 2U);
  EXPECT_EQ(ask("GET", "/api/v1/requests?status_class=5")->root()["requests"].size(), 1U);
  EXPECT_EQ(
      ask("GET", fmt::format("/api/v1/requests?since={}", now - 9'998))->root()["requests"].size(),
      3U);
  const auto one = ask("GET", "/api/v1/requests/" + ids[3]);
  EXPECT_EQ(one->status, 200);
  EXPECT_TRUE(one->root()["id"].equals(ids[3]));
  EXPECT_EQ(ask("GET", "/api/v1/requests/req_nothing")->status, 404);
}

TEST_F(AdminTest, ParametersThatMakeNoSenseAreNamed) {
  for (const char* query :
       {"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=99999999999999999999",
        "status_class=9", "since=-1", "until=9223372036854775807", "since=1e3", "before=%20"}) {
    const auto answer = ask("GET", std::string("/api/v1/requests?") + query);
    EXPECT_EQ(answer->status, 400) << query;
    EXPECT_THAT(answer->body,
                HasSubstr(std::string(query).substr(0, std::string(query).find('='))));
  }
  for (const char* query :
       {"until=9223372036854775807", "since=9223372036854775807", "by=nothing", "then_by=secret"}) {
    EXPECT_EQ(ask("GET", std::string("/api/v1/usage?") + query)->status, 400) << query;
  }
  EXPECT_EQ(ask("GET", "/api/v1/usage?until=253402300799999&by=day&then_by=model")->status, 200);
}

TEST_F(AdminTest, AReloadTellsTheGenerationOrEveryProblem) {
  const auto good = ask("POST", "/api/v1/reload");
  EXPECT_EQ(good->status, 200);
  EXPECT_EQ(good->root()["config_generation"].as_int64(),
            static_cast<int64_t>(process_.generation));
  process_.problem = "weir.yaml:3:1: models: expected a list";
  const auto bad = ask("POST", "/api/v1/reload");
  EXPECT_EQ(bad->status, 400);
  EXPECT_THAT(bad->body, HasSubstr("weir.yaml:3:1"));
}

TEST_F(AdminTest, MetricsSumTheWorkersUnderTheirSlotsNames) {
  process_.samples.resize(2);
  for (auto& sample : process_.samples) {
    sample.gateway.model(0).requests[0] = 3;
    sample.gateway.deployment(0).attempts[0] = 4;
    sample.gateway.model(7).requests[0] = 9;  // a slot nobody has a name for yet
    sample.gateway.requests_running = 1;
    sample.gateway.aborts[static_cast<size_t>(gateway::AbortHandling::drained)] = 5;
  }
  const auto metrics = ask("GET", "/metrics");
  EXPECT_THAT(metrics->head, HasSubstr("content-type: text/plain; version=0.0.4"));
  EXPECT_THAT(metrics->body, HasSubstr("weir_requests_total{model=\"m\",outcome=\"ok\"} 6\n"));
  EXPECT_THAT(metrics->body, HasSubstr("weir_requests_running 2\n"));
  EXPECT_THAT(metrics->body, HasSubstr("weir_aborted_requests_total{handling=\"drained\"} 10\n"));
}

TEST_F(AdminTest, AnOperatorPinsDrainsAndUndoes) {
  const auto weight = [&](size_t index) {
    const auto traffic = ask("GET", "/api/v1/traffic");
    EXPECT_EQ(traffic->status, 200);
    return element(first_model(*traffic)["deployments"], index)["weight"].as_int64().value_or(-1);
  };
  const auto post = [&](const char* what, const char* body) {
    return ask("POST", std::string("/api/v1/traffic/") + what, body);
  };
  EXPECT_EQ(weight(0), 1000);
  EXPECT_EQ(post("pin", R"({"model":"m","deployment":"up/m","share":0.25,"for_s":60})")->status,
            200);
  EXPECT_EQ(weight(0), 215) << "the nearest of the sixteen levels";
  EXPECT_EQ(process_.weights_published, 1) << "the workers are told at once";
  const auto pinned = ask("GET", "/api/v1/traffic");
  const json::Value first = element(first_model(*pinned)["deployments"], 0);
  EXPECT_EQ(first["pinned"]["share"].as_double(), 0.25);
  EXPECT_TRUE(first["pinned"]["until"].is_string());

  EXPECT_EQ(post("drain", R"({"model":"m","deployment":"up/m","for_s":60})")->status, 200);
  EXPECT_EQ(weight(0), 0);
  const auto last = post("drain", R"({"model":"m","deployment":"down/m","for_s":60})");
  EXPECT_EQ(last->status, 409) << last->body;
  EXPECT_THAT(last->body, HasSubstr("force"));
  EXPECT_EQ(weight(1), 1000);
  EXPECT_EQ(post("pin", R"({"model":"m","deployment":"down/m","share":0,"for_s":60})")->status,
            409);
  EXPECT_EQ(
      post("drain", R"({"model":"m","deployment":"down/m","for_s":60,"force":false})")->status,
      409);
  EXPECT_EQ(post("drain", R"({"model":"m","deployment":"down/m","for_s":60,"force":true})")->status,
            200);
  EXPECT_EQ(weight(1), 0);

  const char* undo = R"({"model":"m","deployment":"up/m"})";
  EXPECT_EQ(post("unpin", undo)->status, 200);
  EXPECT_EQ(weight(0), 1000);
  EXPECT_EQ(post("unpin", undo)->status, 404) << "there is none any more";
  const auto history = ask("GET", "/api/v1/traffic/history?model=m");
  const json::Value changes = history->root()["changes"];
  const json::Value latest = element(changes, changes.size() - 1);
  EXPECT_TRUE(latest["deployment"].equals("up/m"));
  EXPECT_TRUE(latest["reason"].equals("pin_over"));
  EXPECT_EQ(process_.weights_published, 4);
}

TEST_F(AdminTest, ADryRunIsSwitchedForOneModel) {
  const auto is_dry = [&] {
    return first_model(*ask("GET", "/api/v1/traffic"))["dry_run"].as_bool();
  };
  EXPECT_EQ(is_dry(), false);
  EXPECT_EQ(ask("POST", "/api/v1/traffic/dry_run", R"({"model":"m","on":true})")->status, 200);
  EXPECT_EQ(is_dry(), true);
  EXPECT_EQ(ask("POST", "/api/v1/traffic/dry_run", R"({"model":"m","on":false})")->status, 200);
  EXPECT_EQ(is_dry(), false);
  EXPECT_EQ(process_.weights_published, 2);
}

TEST_F(AdminTest, AnOperatorsWordThatMakesNoSenseChangesNothing) {
  struct Case {
    const char* what;
    const char* body;
    int status;
    const char* named;
  };
  for (const auto& [what, body, status, named] : {
           Case{"pin", R"({"deployment":"up/m","share":1,"for_s":60})", 400, "model"},
           Case{"pin", R"({"model":"m","share":1,"for_s":60})", 400, "deployment"},
           Case{"pin", R"({"model":"m","deployment":"up/m","for_s":60})", 400, "share"},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":"1","for_s":60})", 400, "share"},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":1.5,"for_s":60})", 400, ""},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":1})", 400, "for_s"},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":1,"for_s":0})", 400, "for_s"},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":1,"for_s":604801})", 400,
                "for_s"},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":1,"for_s":1.5})", 400, "for_s"},
           Case{"pin", R"({"model":"m","deployment":"no/m","share":1,"for_s":60})", 404, ""},
           Case{"pin", R"({"model":"m","deployment":"up/m","share":1,"for_s":60,"x":1})", 400, "x"},
           Case{"drain", R"({"model":"m","deployment":"up/m"})", 400, "for_s"},
           Case{"drain", R"({"model":"m","deployment":"up/m","share":0,"for_s":60})", 400, "share"},
           Case{"drain", R"({"model":"m","deployment":"up/m","for_s":60,"force":"yes"})", 400,
                "force"},
           Case{"drain", R"({"model":"x","deployment":"up/m","for_s":60})", 404, ""},
           Case{"drain", R"([])", 400, "object"},
           Case{"unpin", R"({"model":"m"})", 400, "deployment"},
           Case{"unpin", R"({"model":"m","deployment":"up/m"})", 404, ""},
           Case{"dry_run", R"({"model":"m"})", 400, "on"},
           Case{"dry_run", R"({"model":"m","on":1})", 400, "on"},
           Case{"dry_run", R"({"model":"x","on":true})", 404, ""},
       }) {
    const auto answer = ask("POST", std::string("/api/v1/traffic/") + what, body);
    EXPECT_EQ(answer->status, status) << what << body << answer->body;
    EXPECT_THAT(answer->body, HasSubstr(named)) << what << body;
  }
  EXPECT_EQ(process_.weights_published, 0);
  const auto traffic = ask("GET", "/api/v1/traffic");
  EXPECT_EQ(element(first_model(*traffic)["deployments"], 0)["weight"].as_int64(), 1000);
}

TEST_F(AdminTest, ABodyOverTheLimitIsRefused) {
  const std::string body(AdminServer::kBodyBytesMax + 1, ' ');
  EXPECT_EQ(ask("POST", "/api/v1/keys", body)->status, 413);
}

// A page that listens for events.
class Listener {
 public:
  Listener(net::Loop& loop, AdminServer& server) : loop_(loop) {
    auto [ours, theirs] = net::memory_pair(loop);
    server.server().serve_connection(std::move(theirs));
    stream_ = std::move(ours);
    const std::string_view ask =
        "GET /api/v1/events HTTP/1.1\r\nhost: localhost:8081\r\ncontent-length: 0\r\n\r\n";
    EXPECT_EQ(stream_->try_write(ask).bytes, ask.size());
  }
  // What came meanwhile.
  std::string heard() {
    loop_.run_until_idle();
    std::string received;
    std::string room(64 * 1024, '\0');
    for (auto got = stream_->try_read(room); got.bytes > 0; got = stream_->try_read(room)) {
      received.append(room, 0, got.bytes);
    }
    return received;
  }

 private:
  net::Loop& loop_;
  std::unique_ptr<net::Stream> stream_;
};

TEST_F(AdminTest, EventsTellWhatMovedAndNothingElse) {
  auto page = std::make_unique<Listener>(loop_, server_);
  const std::string first = page->heard();
  EXPECT_THAT(first, HasSubstr("content-type: text/event-stream"));
  EXPECT_THAT(first, HasSubstr("event: changed\ndata: {\"rows\":0,"));
  loop_.advance(5 * Events::kPause);
  EXPECT_EQ(page->heard(), "");
  process_.write(process_.row(SystemClock().wall_ms()));
  loop_.advance(Events::kPause);
  EXPECT_THAT(page->heard(), HasSubstr("\"rows\":1,"));
  EXPECT_TRUE(process_.keys_changed());
  loop_.advance(Events::kPause);
  EXPECT_THAT(page->heard(),
              HasSubstr(fmt::format("\"config_generation\":{}", process_.generation)));
  loop_.advance(Events::kPausesPerComment * Events::kPause);
  EXPECT_THAT(page->heard(), HasSubstr(": here\n\n"));

  std::vector<std::unique_ptr<Listener>> more;
  for (uint32_t i = 0; i < Events::kStreamsMax; ++i) {
    more.push_back(std::make_unique<Listener>(loop_, server_));
    const std::string answer = more.back()->heard();
    EXPECT_THAT(answer, HasSubstr(i + 1 < Events::kStreamsMax ? "200" : "503")) << i;
  }
  // Whoever leaves makes room.
  more.clear();
  page.reset();
  loop_.run_until_idle();
  loop_.advance(2 * Events::kPause);
  EXPECT_THAT(Listener(loop_, server_).heard(), HasSubstr("200 OK"));
}

}  // namespace
}  // namespace weir::admin
