// One attempt and the next: who is blamed for what, when a deployment is asked again, and what a
// slow or wrong client does to the deployment it talks to (nothing).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using provider::Lease;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAsk = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";
constexpr std::string_view kBad = R"({"error":{"message":"boom","type":"server_error"}})";

std::string text_chunk(size_t bytes) {
  return fmt::format(
      R"({{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{{"content":"{}"}},"finish_reason":null}}]}})",
      std::string(bytes, 'a'));
}
const std::string kStopChunk =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

std::string raw_post(std::string_view path, std::string_view body) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nhost: w\r\ncontent-type: application/json\r\ncontent-length: "
      "{}\r\n\r\n{}",
      path, body.size(), body);
}

TEST(SlowClient, ThatReadsSlowlyIsNotTheProvidersFault) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_answer({text_chunk(400'000), text_chunk(200'000), kStopChunk}));
  world.model("m", {"up"}).timeouts.idle = seconds(5);
  auto client = world.connect();
  const std::string raw =
      raw_post("/v1/chat/completions", R"({"model":"m","stream":true,"messages":[]})");
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  // Nothing is read for longer than the provider may be silent; then everything.
  world.advance(seconds(20));
  std::string seen;
  for (int i = 0; i < 100; ++i) {
    seen += world.read_all(*client);
    world.loop().run_until_idle();
  }
  EXPECT_THAT(seen, HasSubstr("[DONE]"));
  EXPECT_THAT(seen, Not(HasSubstr("\"error\"")));
  EXPECT_EQ(world.failures("m"), 0U);
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::ok);
}

TEST(SlowClient, ThatUsesUpTheTotalTimeIsNotTheProvidersFault) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_answer({text_chunk(400'000), text_chunk(200'000), kStopChunk}));
  world.model("m", {"up"}).timeouts.total = seconds(20);
  auto client = world.connect();
  const std::string raw =
      raw_post("/v1/chat/completions", R"({"model":"m","stream":true,"messages":[]})");
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  world.advance(seconds(25));
  for (int i = 0; i < 100; ++i) {
    world.read_all(*client);
    world.loop().run_until_idle();
  }
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::truncated) << world.last_row().attempts_text;
  EXPECT_EQ(world.failures("m"), 0U);
}

TEST(KeptConnection, ThatIsLostBeforeTheAnswerIsAnAttemptOfItsOwn) {
  for (const auto end : {Scripted::End::reset, Scripted::End::close}) {
    TestWorld world;
    world.account("up");
    world.model("m", {"up"}).retries.attempts = 1;
    world.script("up", json_answer(200, kGood));
    world.script("up", {.pieces = {}, .end = end});
    world.script("up", json_answer(200, kGood));
    EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 200);
    EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 200);
    EXPECT_EQ(world.requests("up").size(), 3U);
    const auto row = world.last_row();
    EXPECT_EQ(row.attempts, 2U) << "what may have arrived twice is told twice";
    EXPECT_THAT(row.attempts_text,
                HasSubstr(R"("stale":true},{"d":"up/m","why":"weighted","s":200,)"));
    EXPECT_EQ(world.failures("m"), 0U) << "the deployment is not to blame";
    // Once only: what happens on a new connection is a failure.
    world.clear("up");
    world.script("up", {.pieces = {}, .end = end});
    EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 502);
    EXPECT_EQ(world.last_row().attempts, 2U);
    EXPECT_EQ(world.failures("m"), 1U);
  }
}

std::string upload_head(std::string_view framing) {
  return fmt::format(
      "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: w\r\n"
      "content-type: multipart/form-data; boundary=B\r\n{}\r\n\r\n",
      framing);
}
constexpr std::string_view kUploadStart =
    "--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
    "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
constexpr std::string_view kUploadEnd = "\r\n--B--\r\n";

TEST(SlowClient, ThatSendsSlowlyIsNotTheProvidersFault) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, R"({"text":"hello"})"));
  world.model("m", {"up"}).timeouts.idle = seconds(5);
  auto client = world.connect();
  const std::string piece(2000, 'x');
  const size_t size = kUploadStart.size() + 4 * piece.size() + kUploadEnd.size();
  std::string raw = upload_head(fmt::format("content-length: {}", size));
  raw += kUploadStart;
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  for (int i = 0; i < 4; ++i) {
    world.advance(seconds(10));
    ASSERT_EQ(client->try_write(piece).bytes, piece.size());
  }
  ASSERT_EQ(client->try_write(kUploadEnd).bytes, kUploadEnd.size());
  world.loop().run_until_idle();
  EXPECT_THAT(world.read_all(*client), HasSubstr("200 OK"));
  EXPECT_EQ(world.failures("m"), 0U);
}

TEST(Upload, OverTheLimitIsToldAs413AlsoWhenItIsStreamed) {
  TestWorld world;
  world.snapshot().body_bytes_max = 10'000;
  world.account("up");
  world.script("up", json_answer(200, R"({"text":"hello"})"));
  world.model("m", {"up"});
  auto client = world.connect();
  std::string raw = upload_head("transfer-encoding: chunked");
  raw += chunk(kUploadStart);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  for (int i = 0; i < 12; ++i) {
    world.loop().run_until_idle();
    const std::string piece = chunk(std::string(1000, 'x'));
    ASSERT_EQ(client->try_write(piece).bytes, piece.size());
  }
  world.loop().run_until_idle();
  const std::string seen = world.read_all(*client);
  EXPECT_THAT(seen, HasSubstr("HTTP/1.1 413 "));
  EXPECT_THAT(seen, HasSubstr("10000 bytes"));
  EXPECT_EQ(world.last_row().error_code, "request_too_large");
  EXPECT_EQ(world.last_row().attempts, 1U) << "the provider was being asked already";
  EXPECT_EQ(world.failures("m"), 0U);
}

TEST(Upload, FailsOverWhileNothingOfItIsSpent) {
  TestWorld world;
  world.account("bad");
  world.account("good");
  world.refuse("bad", {ErrorCode::connection_refused, "scripted"});
  world.script("good", json_answer(200, R"({"text":"hello"})"));
  world.model("m", {"bad", "good"});
  std::string body(kUploadStart);
  body += std::string(50'000, 'x');
  body += kUploadEnd;
  const std::string raw = upload_head(fmt::format("content-length: {}", body.size())) + body;
  for (int i = 0; i < 20; ++i) {
    const Answer answer = world.send(raw);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(world.last_body("good"), body);
    if (answer.header("x-weir-attempts") == "2") return;
  }
  FAIL() << "the bad deployment was never tried first";
}

TEST(Retry, ADeploymentIsNotAskedBeforeItsOwnRetryAfter) {
  TestWorld world;
  world.account("slow");
  world.account("broken");
  world.script("slow", json_answer(429, kBad, "retry-after: 1\r\n"));
  world.script("slow", json_answer(200, kGood));
  world.script("broken", json_answer(404, kBad));  // which is not worth asking again
  world.model("m", {"slow", "broken"}).retries.attempts = 4;
  const Nanoseconds before = world.loop().now();
  const Answer answer = world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_GE(world.loop().now() - before, seconds(1));
}

TEST(Retry, AnothersRetryAfterDoesNotEndTheRequest) {
  TestWorld world;
  world.account("a");
  world.account("b");
  // Whichever is asked first fails plainly, and well the second time; the other one is throttled.
  for (const char* name : {"a", "b"}) world.script(name, json_answer(500, kBad));
  world.model("m", {"a", "b"});
  world.post("/v1/chat/completions", kAsk);
  TestWorld fresh;
  fresh.account("plain");
  fresh.account("throttled");
  fresh.script("plain", json_answer(500, kBad));
  fresh.script("plain", json_answer(200, kGood));
  fresh.script("throttled", json_answer(429, kBad, "retry-after: 30\r\n"));
  fresh.model("m", {"plain", "throttled"});
  EXPECT_EQ(fresh.post("/v1/chat/completions", kAsk).status, 200);
}

TEST(Trial, OfTheCredentialIsGivenBackWhenTheConnectionFails) {
  TestWorld world;
  world.account("up");
  world.refuse("up", {ErrorCode::connection_refused, "scripted"});
  world.model("m", {"up"}).retries.attempts = 1;
  const provider::Deployment& deployment = world.deployment("m");
  Lease& credential = deployment.account->state->credential;
  credential.park_until(world.loop().now(), world.loop().now() + seconds(1));
  world.advance(seconds(2));
  EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 502);
  EXPECT_EQ(credential.ask(world.loop().now()), Lease::Gate::trial) << "the next may try";
}

TEST(Trial, OfTheDeploymentIsGivenBackWhenTheCredentialFails) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(401, kBad));
  world.model("m", {"up"}).retries.attempts = 1;
  Lease& health = world.deployment("m").state->lease;
  health.park_until(world.loop().now(), world.loop().now() + seconds(1));
  world.advance(seconds(2));
  EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 503);
  EXPECT_EQ(health.ask(world.loop().now()), Lease::Gate::trial);
}

TEST(Trial, AnEarlierStreamThatEndsWellDoesNotEndAThrottle) {
  TestWorld world;
  world.account("up");
  Scripted slow = sse_answer({text_chunk(10), kStopChunk});
  slow.between = seconds(3);
  world.script("up", slow);
  world.script("up", json_answer(429, kBad, "retry-after: 60\r\n"));
  world.model("m", {"up"});
  auto client = world.connect();
  const std::string raw =
      raw_post("/v1/chat/completions", R"({"model":"m","stream":true,"messages":[]})");
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.advance(seconds(4));
  auto other = world.connect();
  const std::string second = raw_post("/v1/chat/completions", kAsk);
  ASSERT_EQ(other->try_write(second).bytes, second.size());
  world.loop().run_until_idle();
  EXPECT_THAT(world.read_all(*other), HasSubstr("429"));
  world.advance(seconds(20));
  EXPECT_THAT(world.read_all(*client), HasSubstr("[DONE]"));
  EXPECT_FALSE(world.deployment("m").state->lease.is_open(world.loop().now()));
}

TEST(Refusal, OfOneDeploymentLeavesTheOthers) {
  // Only Anthropic keeps conversations: the pool's other deployment is passed over, whichever is
  // drawn first, and is not called well for it.
  for (int i = 0; i < 8; ++i) {
    TestWorld world;
    world.account("other");
    world.account("anthropic", provider::Kind::anthropic);
    world.script("anthropic", json_answer(200, R"({"type":"message","content":[]})"));
    world.model("m", {"other", "anthropic"});
    for (int n = 0; n < i; ++n) world.worker().random.next();
    const Answer answer = world.post(
        "/v1/messages",
        R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"thread":{"type":"create"}})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(world.worker().traffic.sample(world.deployment("m").state->index).requests, 0U);
  }
}

struct Leak {
  std::string name;
  Scripted answer;
  bool stream = false;
};

class SecretsTold : public testing::TestWithParam<Leak> {};

TEST_P(SecretsTold, AreTheProvidersAndStayHere) {
  const Leak& leak = GetParam();
  for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
    TestWorld world;
    world.account("up");
    world.script("up", leak.answer);
    world.model("m", {"up"}).retries.attempts = 1;
    const Answer answer = world.post(
        path,
        fmt::format(
            R"({{"model":"m","max_tokens":5,"stream":{},"messages":[{{"role":"user","content":"x"}}]}})",
            leak.stream));
    EXPECT_GE(answer.status, 400);
    EXPECT_NE(answer.status, 401) << "the client's own key was good";
    EXPECT_THAT(answer.head, Not(HasSubstr("sk-prov")));
    EXPECT_THAT(answer.body, Not(HasSubstr("sk-prov")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, SecretsTold,
    testing::Values(
        Leak{"key_fragment_in_401",
             json_answer(401, R"({"error":{"message":"Incorrect API key provided: sk-prov***et.",)"
                              R"("type":"invalid_request_error","code":"invalid_api_key"}})")},
        Leak{"whole_key_in_400",
             json_answer(400, R"({"error":{"message":"bad header sk-provider-secret"}})")},
        Leak{"whole_key_in_500", json_answer(500, "proxy error: Bearer sk-provider-secret")},
        Leak{"geminis_400",
             json_answer(400, R"({"error":{"code":400,"message":"API key not valid: sk-prov"}})")},
        Leak{"with_status_200",
             json_answer(200, R"({"error":{"message":"Incorrect key sk-prov***",)"
                              R"("code":"invalid_api_key"}})")},
        Leak{"in_a_stream",
             sse_answer({R"({"error":{"message":"bad key sk-prov***","code":"invalid_api_key"}})"},
                        false),
             true}),
    [](const auto& info) { return info.param.name; });

TEST(Failures, GeminisRefusalOfAKeyFailsOver) {
  for (int i = 0; i < 8; ++i) {
    TestWorld world;
    world.account("wrong", provider::Kind::gemini);
    world.account("good");
    world.script("wrong", json_answer(400, R"({"error":{"code":400,"message":"API key not valid.",)"
                                           R"("status":"INVALID_ARGUMENT"}})"));
    world.script("good", json_answer(200, kGood));
    world.model("m", {"wrong", "good"});
    for (int n = 0; n < i; ++n) world.worker().random.next();
    const Answer answer = world.post("/v1/chat/completions", kAsk);
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (world.requests("wrong").empty()) continue;
    EXPECT_FALSE(world.deployment("m").account->state->credential.is_open(world.loop().now()));
  }
}

}  // namespace
}  // namespace weir::gateway
