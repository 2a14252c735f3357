// The fault table: for each way in which a provider can fail, what the client sees, what the ledger
// says, and what the pool does. docs/failures.md tells the same to people.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using provider::FailureClass;
using provider::Lease;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAsk = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAskStream =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";
constexpr std::string_view kRole =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})";
constexpr std::string_view kText =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"fi"},"finish_reason":null}]})";
constexpr std::string_view kStop =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
constexpr std::string_view kErrorEvent =
    R"({"error":{"message":"boom","type":"server_error","code":null,"param":null}})";

std::string openai_error(std::string_view message, std::string_view code) {
  return R"({"error":{"message":")" + std::string(message) +
         R"(","type":"t","param":null,"code":")" + std::string(code) + R"("}})";
}

// What a fault looks like on the wire, and what follows from it.
struct Fault {
  std::string name;
  std::function<void(TestWorld&, const std::string& account)> cause;
  bool stream = false;
  FailureClass failure = FailureClass::none;
  int status = 0;                 // what a client sees when this was the only deployment
  std::string error_code;         // in the ledger
  bool fails_over = true;         // another deployment answers instead
  bool parks_deployment = false;  // after this one failure
  bool parks_credential = false;
  bool counts = false;  // as a failure in a row
};

Fault answered(std::string name, int status, std::string body, FailureClass failure, int seen,
               std::string code, std::string headers = {}) {
  Fault fault;
  fault.name = std::move(name);
  fault.cause = [status, body, headers](TestWorld& world, const std::string& account) {
    world.script(account, json_answer(status, body, headers));
  };
  fault.failure = failure;
  fault.status = seen;
  fault.error_code = std::move(code);
  return fault;
}

Fault scripted(std::string name, Scripted script, bool stream, FailureClass failure, int seen,
               std::string code) {
  Fault fault;
  fault.name = std::move(name);
  fault.cause = [script](TestWorld& world, const std::string& account) {
    world.script(account, script);
  };
  fault.stream = stream;
  fault.failure = failure;
  fault.status = seen;
  fault.error_code = std::move(code);
  fault.counts = true;
  return fault;
}

Fault refused(std::string name, ErrorCode code, FailureClass failure, std::string error_code) {
  Fault fault;
  fault.name = std::move(name);
  fault.cause = [code](TestWorld& world, const std::string& account) {
    world.refuse(account, {code, "scripted"});
  };
  fault.failure = failure;
  fault.status = 502;
  fault.error_code = std::move(error_code);
  fault.counts = true;
  return fault;
}

std::vector<Fault> faults() {
  std::vector<Fault> all;
  all.push_back(refused("connect_refused", ErrorCode::connection_refused, FailureClass::connect,
                        "upstream_connect"));
  all.push_back(
      refused("dns_failure", ErrorCode::dns_failure, FailureClass::connect, "upstream_connect"));
  all.push_back(refused("tls_failure", ErrorCode::tls_failure, FailureClass::tls, "upstream_tls"));
  Fault local = refused("no_descriptor", ErrorCode::io_error, FailureClass::local, "no_connection");
  local.status = 503;
  local.counts = false;
  all.push_back(local);
  all.push_back({.name = "connect_timeout",
                 .cause = [](TestWorld& world, const std::string& a) { world.black_hole(a); },
                 .failure = FailureClass::timeout,
                 .status = 504,
                 .error_code = "upstream_timeout",
                 .counts = true});

  Fault f = answered("401", 401, openai_error("bad key sk-provider", "invalid_api_key"),
                     FailureClass::credential, 503, "upstream_credential");
  f.parks_credential = true;
  all.push_back(f);
  f.name = "403";
  f.cause = [](TestWorld& world, const std::string& a) {
    world.script(a, json_answer(403, openai_error("no", "forbidden")));
  };
  all.push_back(f);
  all.push_back(answered("404", 404, openai_error("no such model", "model_not_found"),
                         FailureClass::not_found, 404, "model_not_found"));
  f = answered("408", 408, openai_error("slow", "timeout"), FailureClass::timeout, 408, "timeout");
  f.counts = true;
  all.push_back(f);
  f = answered("429_with_retry_after", 429, openai_error("slow down", "rate_limit_exceeded"),
               FailureClass::throttled, 429, "rate_limit_exceeded", "retry-after: 7\r\n");
  f.parks_deployment = true;
  all.push_back(f);
  f = answered("429_without_retry_after", 429, openai_error("slow down", "rate_limit_exceeded"),
               FailureClass::throttled, 429, "rate_limit_exceeded");
  f.parks_deployment = true;
  all.push_back(f);
  f = answered(
      "429_quota", 429,
      R"({"error":{"message":"pay","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
      FailureClass::quota, 429, "insufficient_quota");
  f.parks_credential = true;
  all.push_back(f);
  for (const int status : {500, 503, 529}) {
    f = answered(std::to_string(status), status, openai_error("boom", "boom"), FailureClass::server,
                 status, "boom");
    f.counts = true;
    all.push_back(f);
  }
  f = answered("400", 400, openai_error("your fault", "bad_value"), FailureClass::invalid, 400,
               "bad_value");
  f.fails_over = false;
  all.push_back(f);
  f = answered("content_filter", 400, openai_error("filtered", "content_filter"),
               FailureClass::content_filter, 400, "content_filter");
  f.fails_over = false;
  all.push_back(f);

  all.push_back(scripted("stall_before_head", {.end = Scripted::End::hang}, false,
                         FailureClass::timeout, 504, "upstream_timeout"));
  all.push_back(scripted("stall_before_first_token",
                         sse_begin({std::string(kRole)}, Scripted::End::hang), true,
                         FailureClass::timeout, 504, "upstream_timeout"));
  all.push_back(scripted("close_without_answer", {.end = Scripted::End::close}, false,
                         FailureClass::truncated, 502, "upstream_truncated"));
  all.push_back(scripted("reset_before_first_token",
                         sse_begin({std::string(kRole)}, Scripted::End::reset), true,
                         FailureClass::reset, 502, "upstream_reset"));
  all.push_back(scripted("error_event_first", sse_answer({std::string(kErrorEvent)}, false), true,
                         FailureClass::server, 500, "server"));
  all.push_back(scripted("stream_of_nothing", sse_answer({}, false), true, FailureClass::truncated,
                         502, "upstream_truncated"));
  all.push_back(scripted("truncated_json", json_answer(200, kGood.substr(0, 60)), false,
                         FailureClass::truncated, 502, "upstream_truncated"));
  all.push_back(scripted("cut_body",
                         {.pieces = {"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                                     "content-length: 500\r\n\r\n{\"id\":"},
                          .end = Scripted::End::close},
                         false, FailureClass::truncated, 502, "upstream_truncated"));
  all.push_back(scripted("empty_body", json_answer(200, ""), false, FailureClass::truncated, 502,
                         "upstream_truncated"));
  all.push_back(
      scripted("oversized_head",
               {.pieces = {"HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'a') + "\r\n\r\n"}},
               false, FailureClass::protocol, 502, "upstream_protocol"));
  all.push_back(scripted(
      "garbage", {.pieces = {"\x16\x03\x01 not http at all\r\n\r\n"}, .end = Scripted::End::close},
      false, FailureClass::protocol, 502, "upstream_protocol"));
  all.push_back(scripted("redirect",
                         {.pieces = {"HTTP/1.1 302 Found\r\nlocation: http://evil/\r\n"
                                     "content-length: 0\r\n\r\n"}},
                         false, FailureClass::protocol, 502, "upstream_protocol"));
  return all;
}

class FaultTable : public testing::TestWithParam<Fault> {};

TEST_P(FaultTable, AloneTheClientIsToldTheTruth) {
  const Fault& fault = GetParam();
  TestWorld world;
  world.account("up");
  fault.cause(world, "up");
  world.model("m", {"up"}).retries.attempts = 1;
  const Answer answer = world.post("/v1/chat/completions", fault.stream ? kAskStream : kAsk);

  EXPECT_EQ(answer.status, fault.status) << answer.head << answer.body;
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.header("content-type"), "application/json");
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body)) << answer.body;
  EXPECT_TRUE(document.root()["error"]["message"].is_string()) << answer.body;
  // What the provider says of Weir's own credential stays here.
  if (fault.failure == FailureClass::credential) {
    EXPECT_THAT(answer.head, Not(HasSubstr("sk-provider-secret")));
  }

  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.outcome, ledger::Outcome::error);
  EXPECT_EQ(row.status, fault.status);
  EXPECT_EQ(row.error_code, fault.error_code);
  EXPECT_EQ(row.attempts, 1U);
  EXPECT_THAT(row.attempts_text, HasSubstr(std::string(to_string(fault.failure))));
  EXPECT_EQ(world.worker().counters.deployment(0).attempts[static_cast<size_t>(fault.failure)], 1U);

  const provider::Deployment& deployment = world.deployment("m");
  EXPECT_EQ(deployment.state->lease.is_open(world.loop().now()), !fault.parks_deployment);
  EXPECT_EQ(deployment.account->state->credential.is_open(world.loop().now()),
            !fault.parks_credential);
  EXPECT_EQ(world.failures("m"), fault.counts ? 1U : 0U);
  EXPECT_EQ(deployment.state->in_flight.load(), 0U);
}

TEST_P(FaultTable, AnotherDeploymentAnswersWhereThatCanHelp) {
  const Fault& fault = GetParam();
  TestWorld world;
  world.account("bad");
  world.account("good");
  fault.cause(world, "bad");
  world.script("good", fault.stream ? sse_answer({std::string(kRole), std::string(kText),
                                                  std::string(kStop)})
                                    : json_answer(200, kGood));
  world.model("m", {"bad", "good"});
  // The pick is random: ask until the bad one was tried first.
  for (int i = 0; i < 50; ++i) {
    const Answer answer = world.post("/v1/chat/completions", fault.stream ? kAskStream : kAsk);
    if (!fault.fails_over) {
      // The request's own fault: asking another deployment would only repeat it.
      EXPECT_EQ(answer.header("x-weir-attempts"), "1");
      if (answer.header("x-weir-deployment") != "bad/m") continue;
      EXPECT_EQ(answer.status, fault.status);
      return;
    }
    ASSERT_EQ(answer.status, 200) << answer.body;
    ASSERT_TRUE(answer.whole);
    EXPECT_THAT(answer.body, Not(HasSubstr("error")));
    if (answer.header("x-weir-attempts") == "2") {
      EXPECT_EQ(answer.header("x-weir-deployment"), "good/m");
      const ledger::RequestRow row = world.last_row();
      EXPECT_EQ(row.outcome, ledger::Outcome::ok);
      EXPECT_EQ(row.attempts, 2U);
      EXPECT_EQ(row.deployment, "good/m");
      return;
    }
  }
  FAIL() << "the bad deployment was never tried";
}

std::string fault_name(const testing::TestParamInfo<Fault>& info) {
  return "fault_" + info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Table, FaultTable, testing::ValuesIn(faults()), fault_name);

// After the first byte no failover is possible: the error is told inside the stream, and no
// terminator of success follows.
struct MidStream {
  std::string name;
  Scripted::End end;
  std::vector<std::string> events;
  FailureClass failure;
  ledger::Outcome outcome;
};

class MidStreamTable : public testing::TestWithParam<std::tuple<MidStream, std::string>> {};

TEST_P(MidStreamTable, TheErrorIsToldInTheClientsDialect) {
  const auto& [fault, path] = GetParam();
  TestWorld world;
  world.account("up");
  world.script("up", fault.end == Scripted::End::keep ? sse_answer(fault.events, false)
                                                      : sse_begin(fault.events, fault.end));
  world.model("m", {"up"});
  const std::string ask =
      path.find("streamGenerate") != std::string::npos
          ? R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})"
          : R"({"model":"m","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
  const Answer answer = world.post(path, ask);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.whole) << "the error event is the stream's regular end";
  EXPECT_THAT(answer.body, HasSubstr("fi"));
  EXPECT_THAT(answer.body, HasSubstr("\"error\""));
  EXPECT_THAT(answer.body, Not(HasSubstr("[DONE]")));
  EXPECT_THAT(answer.body, Not(HasSubstr("message_stop")));
  EXPECT_THAT(answer.body, Not(HasSubstr("finishReason")));
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.outcome, fault.outcome);
  EXPECT_EQ(row.status, 200);
  EXPECT_EQ(row.attempts, 1U);
  EXPECT_THAT(row.attempts_text, HasSubstr(std::string(to_string(fault.failure))));
  // What was generated is billed, as an estimate.
  EXPECT_FALSE(row.usage.reported);
  EXPECT_GT(row.usage.output, 0);
  EXPECT_GT(row.usage.input, 0);
  EXPECT_EQ(world.failures("m"), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, MidStreamTable,
    testing::Combine(testing::Values(MidStream{"reset",
                                               Scripted::End::reset,
                                               {std::string(kRole), std::string(kText)},
                                               FailureClass::reset,
                                               ledger::Outcome::truncated},
                                     MidStream{"stall",
                                               Scripted::End::hang,
                                               {std::string(kRole), std::string(kText)},
                                               FailureClass::timeout,
                                               ledger::Outcome::truncated},
                                     MidStream{"close",
                                               Scripted::End::close,
                                               {std::string(kRole), std::string(kText)},
                                               FailureClass::truncated,
                                               ledger::Outcome::truncated},
                                     // HTTP's own end, and no terminator of the dialect.
                                     MidStream{"orderly",
                                               Scripted::End::keep,
                                               {std::string(kRole), std::string(kText)},
                                               FailureClass::truncated,
                                               ledger::Outcome::truncated},
                                     MidStream{"error_event",
                                               Scripted::End::hang,
                                               {std::string(kRole), std::string(kText),
                                                std::string(kErrorEvent)},
                                               FailureClass::server,
                                               ledger::Outcome::error}),
                     testing::Values("/v1/chat/completions", "/v1/messages",
                                     "/v1beta/models/m:streamGenerateContent?alt=sse")),
    [](const auto& info) {
      const std::string& path = std::get<1>(info.param);
      return std::get<0>(info.param).name + (path == "/v1/messages"           ? "_messages"
                                             : path == "/v1/chat/completions" ? "_chat"
                                                                              : "_gemini");
    });

}  // namespace
}  // namespace weir::gateway
