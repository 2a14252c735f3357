// The journey of a request through the whole gateway, seen from both ends.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kReply =
    R"({"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-2024-11-20","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":400}},"x_unknown":{"a":1.10}})";

std::string chunk_json(std::string_view delta, std::string_view rest = "") {
  return fmt::format(
      R"({{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{},"finish_reason":null}}]{}}})",
      delta, rest);
}
const std::string kUsageChunk =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}})";
const std::string kStopChunk =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

TEST(Journey, SameDialectKeepsEveryByteButTheModel) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kReply));
  world.model("gpt", {"up/gpt-4o-2024-11-20"});
  const Answer answer = world.post(
      "/v1/chat/completions",
      R"({ "x_new": [1.10, 1e5, "\u00e9"],  "model" : "gpt", "messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kReply);
  EXPECT_EQ(
      world.last_body("up"),
      R"({ "x_new": [1.10, 1e5, "\u00e9"],  "model" : "gpt-4o-2024-11-20", "messages":[{"role":"user","content":"hi"}]})");
  EXPECT_THAT(world.requests("up")[0], HasSubstr("authorization: Bearer sk-provider-secret\r\n"));

  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.usage.input, 600);
  EXPECT_EQ(row.usage.cache_read, 400);
  EXPECT_EQ(row.usage.output, 10);
  EXPECT_EQ(row.cost_state, ledger::CostState::final);
  // gpt-4o: 2.50, 1.25 cached and 10.00 dollars a million tokens.
  EXPECT_EQ(row.cost.nano(), 600 * 2500 + 400 * 1250 + 10 * 10000);
  EXPECT_EQ(answer.header("x-weir-cost-usd"), "0.0021");
  EXPECT_EQ(row.outcome, ledger::Outcome::ok);
  EXPECT_EQ(answer.header("x-weir-request-id"), "req_" + row.id.to_text());
}

TEST(Journey, TheClientsKeyNeverReachesTheProvider) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kReply));
  world.model("gpt", {"up"});
  world.post("/v1/chat/completions?key=client-secret",
             R"({"model":"gpt","messages":[{"role":"user","content":"hi"}]})",
             "authorization: Bearer client-secret\r\nx-api-key: client-secret\r\n"
             "cookie: session=client-secret\r\n");
  EXPECT_THAT(world.requests("up")[0], Not(HasSubstr("client-secret")));
}

TEST(Journey, UsageIsAskedForAndTakenOutAgain) {
  for (const bool asked : {false, true}) {
    TestWorld world;
    world.account("up");
    world.script("up", sse_answer({chunk_json(R"({"role":"assistant","content":""})"),
                                   chunk_json(R"({"content":"Hi"})"), kStopChunk, kUsageChunk}));
    world.model("m", {"up"});
    const Answer answer = world.post(
        "/v1/chat/completions",
        fmt::format(
            R"({{"model":"m","stream":true{},"messages":[{{"role":"user","content":"x"}}]}})",
            asked ? R"(,"stream_options":{"include_usage":true})" : ""));
    EXPECT_THAT(world.last_body("up"), HasSubstr(R"("include_usage":true)"));
    EXPECT_EQ(answer.body.find("prompt_tokens") != std::string::npos, asked);
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
    const ledger::RequestRow row = world.last_row();
    EXPECT_EQ(row.usage.input, 7);
    EXPECT_EQ(row.usage.output, 3);
    EXPECT_TRUE(row.usage.reported);
  }
}

TEST(Journey, AnthropicClientOnOpenAiProvider) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kReply));
  world.model("claude", {"up/gpt-4o"});
  const Answer answer = world.post(
      "/v1/messages",
      R"({"model":"claude","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":"hi"}]})",
      "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n");
  EXPECT_EQ(answer.status, 200) << answer.body;
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body));
  const json::Value root = document.root();
  EXPECT_TRUE(root["type"].equals("message"));
  EXPECT_EQ(root["usage"]["input_tokens"].as_int64(), 600);
  EXPECT_EQ(root["usage"]["cache_read_input_tokens"].as_int64(), 400);
  EXPECT_THAT(world.requests("up")[0], HasSubstr("POST /v1/chat/completions "));
  EXPECT_THAT(world.last_body("up"), HasSubstr(R"("role":"system")"));
  EXPECT_FALSE(answer.header("request-id").empty());
}

TEST(Journey, EmbeddingsOfAGeminiAccountForAnOpenAiClient) {
  TestWorld world;
  auto& account = world.account("g", provider::Kind::gemini);
  account.auth = provider::AuthKind::api_key_header;
  account.base_path = "/v1beta";
  world.script("g", json_answer(200, R"({"embeddings":[{"values":[0.5,-1]},{"values":[2,3]}]})"));
  world.model("embed", {"g/gemini-embedding-001"});
  const Answer answer = world.post("/v1/embeddings", R"({"model":"embed","input":["a","b"]})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(world.requests("g")[0],
              HasSubstr("POST /v1beta/models/gemini-embedding-001:batchEmbedContents "));
  EXPECT_THAT(world.requests("g")[0], HasSubstr("x-goog-api-key: sk-provider-secret"));
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body));
  EXPECT_EQ(document.root()["data"].size(), 2U);
}

TEST(Journey, TokensAreEstimatedWhereNoProviderCounts) {
  TestWorld world;
  world.account("up", provider::Kind::openai_compatible);
  world.model("m", {"up"});
  const Answer answer = world.post(
      "/v1/messages/count_tokens",
      R"({"model":"m","messages":[{"role":"user","content":"some words to count here"}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("x-weir-estimated"), "true");
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body));
  EXPECT_GT(document.root()["input_tokens"].as_int64().value_or(0), 0);
}

TEST(Journey, AConversationKeptByAnthropicIsRefusedElsewhere) {
  // The SDK's tool runner sends its later turns without the earlier ones, and sends everything
  // again only when it reads this code.
  constexpr std::string_view kTurn =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"thread":{"type":"create"}})";
  TestWorld world;
  world.account("other");
  world.model("m", {"other"});
  const Answer refused = world.post("/v1/messages", kTurn);
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr(R"("details":{"error_code":"thread_unsupported_request"})"));
  EXPECT_TRUE(world.requests("other").empty());

  TestWorld native;
  native.account("anthropic", provider::Kind::anthropic);
  native.model("m", {"anthropic"});
  native.script("anthropic", json_answer(200, R"({"type":"message","content":[]})"));
  EXPECT_EQ(native.post("/v1/messages", kTurn).status, 200);
  EXPECT_THAT(native.last_body("anthropic"), HasSubstr(R"("thread":{"type":"create"})"));
}

TEST(Journey, AClientThatLeavesCancelsTheProviderAndIsBilledByEstimate) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_begin({chunk_json(R"({"role":"assistant","content":""})"),
                                chunk_json(R"({"content":"Hello there, this is text"})")},
                               Scripted::End::hang));
  world.model("m", {"up/gpt-4o-2024-11-20"});
  const std::string body =
      R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi there"}]})";
  auto client = world.connect();
  const std::string raw = fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\ncontent-length: {}\r\n\r\n{}",
      body.size(), body);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  EXPECT_THAT(world.read_all(*client), HasSubstr("Hello there"));
  EXPECT_EQ(world.deployment("m").state->in_flight.load(), 1U);
  client->close();
  world.loop().run_until_idle();
  EXPECT_EQ(world.deployment("m").state->in_flight.load(), 0U);
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.outcome, ledger::Outcome::aborted);
  EXPECT_EQ(row.cost_state, ledger::CostState::estimated);
  EXPECT_EQ(row.usage.output, 7);  // 25 bytes
  EXPECT_GT(row.cost.nano(), 0);
  EXPECT_TRUE(world.deployment("m").state->lease.is_open(world.loop().now()));
  EXPECT_EQ(world.failures("m"), 0U);
}

TEST(Journey, AClientThatLeavesBeforeTheAnswerIsBilledByEstimate) {
  TestWorld world;
  world.account("up");
  world.script("up", {.end = Scripted::End::hang});
  world.model("m", {"up/gpt-4o-2024-11-20"});
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi there"}]})";
  auto client = world.connect();
  const std::string raw = fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\ncontent-length: {}\r\n\r\n{}",
      body.size(), body);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  ASSERT_EQ(world.requests("up").size(), 1U);
  client->close();
  world.loop().run_until_idle();
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.outcome, ledger::Outcome::aborted);
  EXPECT_EQ(row.cost_state, ledger::CostState::estimated);
  EXPECT_GT(row.usage.input, 0) << "the provider had the request and will bill it";
  EXPECT_GT(row.cost.nano(), 0);
}

TEST(Journey, NeitherAnswerNorLogTellsTheAccountsCredential) {
  for (const int status : {400, 401, 403, 429, 500}) {
    log::Capture log;
    TestWorld world;
    provider::Account& account = world.account("up");
    account.headers.emplace_back("x-tenant", "tenant-secret-4711");
    world.script("up", json_answer(status, R"({"error":{"message":"no sk-provider-secret, )"
                                           R"(no tenant-secret-4711"}})"));
    world.model("m", {"up"}).retries.attempts = 1;
    for (const std::string_view path : {"/v1/chat/completions", "/v1/messages"}) {
      const Answer answer = world.post(
          path, R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
      EXPECT_GE(answer.status, 400);
      for (const std::string_view secret : {"sk-provider-secret", "tenant-secret-4711"}) {
        EXPECT_THAT(answer.body, Not(HasSubstr(std::string(secret)))) << status << path;
        EXPECT_FALSE(log.contains(secret)) << status << path;
      }
    }
  }
}

TEST(Journey, ThePromptThatAProviderQuotesIsNotLogged) {
  for (const int status : {400, 401, 403, 404, 408, 422, 429, 500, 503}) {
    log::Capture log;
    TestWorld world;
    world.account("up");
    world.script("up", json_answer(status, R"({"error":{"message":"cannot read: my diary"}})"));
    world.model("m", {"up"}).retries.attempts = 1;
    const Answer answer = world.post("/v1/chat/completions", R"({"model":"m","messages":[]})");
    EXPECT_TRUE(log.contains(fmt::to_string(status)));
    EXPECT_GE(answer.status, 400);
    EXPECT_EQ(log.count("attempt_failed"), 1U);
    EXPECT_FALSE(log.contains("diary")) << status;
  }
}

TEST(Journey, TheCountOfAStreamsBeginningIsNotTheBill) {
  // Anthropic tells the input and one token of output before the first word.
  TestWorld world;
  world.account("up", provider::Kind::anthropic);
  world.script(
      "up",
      sse_begin(
          {R"({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"c","usage":{"input_tokens":11,"output_tokens":1}}})",
           R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there, this is text"}})"},
          Scripted::End::hang));
  world.model("m", {"up/claude-sonnet-4-5"});
  const std::string body =
      R"({"model":"m","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
  auto client = world.connect();
  const std::string raw =
      fmt::format("POST /v1/messages HTTP/1.1\r\nhost: weir\r\ncontent-length: {}\r\n\r\n{}",
                  body.size(), body);
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  client->close();
  world.loop().run_until_idle();
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.outcome, ledger::Outcome::aborted);
  EXPECT_EQ(row.cost_state, ledger::CostState::estimated);
  EXPECT_EQ(row.usage.input, 11);
  EXPECT_EQ(row.usage.output, 7);  // 25 bytes
}

TEST(Journey, RetryAfterIsWaitedForWhenShortAndToldWhenLong) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(429, R"({"error":{"message":"slow"}})", "retry-after: 1\r\n"));
  world.script("up", json_answer(200, kReply));
  world.model("m", {"up"});
  const Answer waited = world.post("/v1/chat/completions", R"({"model":"m","messages":[]})");
  EXPECT_EQ(waited.status, 200) << waited.body;
  EXPECT_EQ(waited.header("x-weir-attempts"), "2");

  TestWorld other;
  other.account("up");
  other.script("up", json_answer(429, R"({"error":{"message":"slow"}})", "retry-after: 30\r\n"));
  other.model("m", {"up"});
  const Answer told = other.post("/v1/chat/completions", R"({"model":"m","messages":[]})");
  EXPECT_EQ(told.status, 429);
  EXPECT_EQ(told.header("retry-after"), "30");
  EXPECT_EQ(other.requests("up").size(), 1U);
}

TEST(Journey, AFallbackServesWhenTheModelCannot) {
  TestWorld world;
  world.account("up");
  world.account("other");
  world.script("up", json_answer(503, R"({"error":{"message":"down"}})"));
  world.script("other", json_answer(200, kReply));
  world.model("b", {"other"});
  Model& model = world.model("a", {"up"});
  model.fallbacks = {"b"};
  model.retries.attempts = 1;
  const Answer answer = world.post("/v1/chat/completions", R"({"model":"a","messages":[]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("x-weir-model"), "b");
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.model_asked, "a");
  EXPECT_EQ(row.model, "b");
}

TEST(Journey, AStoredResponseIsBilledOnce) {
  TestWorld world;
  world.account("up");
  world.model("m", {"up/gpt-4o-2024-11-20"});
  world.script("up", json_answer(200, R"({"id":"resp_1","object":"response","output":[],)"
                                      R"("usage":{"input_tokens":5,"output_tokens":7}})"));
  EXPECT_EQ(world.post("/v1/responses", R"({"model":"m","input":"hi"})").status, 200);
  EXPECT_EQ(world.last_row().usage.output, 7);
  EXPECT_GT(world.last_row().cost.nano(), 0);
  EXPECT_EQ(world.send("GET /v1/responses/resp_1 HTTP/1.1\r\nhost: weir\r\n\r\n").status, 200);
  EXPECT_EQ(world.post("/v1/responses/resp_1/cancel", "").status, 200);
  const auto rows = world.rows();
  ASSERT_EQ(rows.size(), 3U);
  for (size_t i = 0; i < 2; ++i) {  // newest first
    EXPECT_EQ(rows[i].usage.output, 0) << i;
    EXPECT_EQ(rows[i].cost.nano(), 0) << i;
    EXPECT_EQ(rows[i].cost_state, ledger::CostState::final) << i;
  }
}

TEST(Journey, TheOnlyDeploymentIsNeverRefusedForItsFailures) {
  TestWorld world;
  world.account("up");
  for (int i = 0; i < 12; ++i) {
    world.script("up", json_answer(500, R"({"error":{"message":"down"}})"));
  }
  world.script("up", json_answer(200, kReply));
  world.model("m", {"up"}).retries.attempts = 1;
  const auto ask = [&] {
    return world.post("/v1/chat/completions", R"({"model":"m","messages":[]})").status;
  };
  for (int i = 0; i < 12; ++i) EXPECT_EQ(ask(), 500) << i;
  EXPECT_TRUE(world.deployment("m").state->lease.is_open(world.loop().now()));
  EXPECT_EQ(ask(), 200);
  EXPECT_EQ(world.failures("m"), 12U);
}

TEST(Journey, UnknownPathsAndModelsSayWhatToDo) {
  TestWorld world;
  world.account("up");
  world.model("gpt-4o", {"up"});
  EXPECT_EQ(world.post("/v2/chat", "{}").status, 404);
  EXPECT_EQ(world.send("GET /v1/chat/completions HTTP/1.1\r\nhost: w\r\n\r\n").status, 405);
  const Answer unknown = world.post("/v1/chat/completions", R"({"model":"gpt-4","messages":[]})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr(R"(Did you mean \"gpt-4o\"?)"));
  EXPECT_THAT(unknown.body, HasSubstr("model_not_found"));
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::denied);
}

TEST(Journey, ModelsAreListedInTheClientsShape) {
  TestWorld world;
  world.account("up");
  world.model("a", {"up"});
  world.model("b", {"up"});
  const Answer openai = world.send("GET /v1/models HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_THAT(openai.body, HasSubstr(R"("object":"list")"));
  const Answer anthropic =
      world.send("GET /v1/models HTTP/1.1\r\nhost: w\r\nanthropic-version: 2023-06-01\r\n\r\n");
  EXPECT_THAT(anthropic.body, HasSubstr(R"("has_more":false)"));
  const Answer gemini = world.send("GET /v1beta/models HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_THAT(gemini.body, HasSubstr(R"("name":"models/a")"));
  EXPECT_EQ(world.send("GET /v1/models/b HTTP/1.1\r\nhost: w\r\n\r\n").status, 200);
  EXPECT_EQ(world.send("GET /v1/models/c HTTP/1.1\r\nhost: w\r\n\r\n").status, 404);
}

TEST(Journey, AnUploadIsStreamedWithItsModelRenamed) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, R"({"text":"hello"})"));
  world.model("whisper", {"up/whisper-1"});
  std::string body =
      "--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n"
      "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
  body += std::string(600'000, '\x01');
  body += "\r\n--B--\r\n";
  const Answer answer = world.send(
      fmt::format("POST /v1/audio/transcriptions HTTP/1.1\r\nhost: w\r\n"
                  "content-type: multipart/form-data; boundary=B\r\ncontent-length: {}\r\n\r\n{}",
                  body.size(), body));
  EXPECT_EQ(answer.status, 200) << answer.body;
  const std::string sent = world.last_body("up");
  EXPECT_THAT(sent.substr(0, 200), HasSubstr("\r\n\r\nwhisper-1\r\n"));
  EXPECT_EQ(sent.size(), body.size() + 2);
  EXPECT_THAT(world.requests("up")[0], HasSubstr(fmt::format("content-length: {}", sent.size())));
}

TEST(Journey, AWebSocketIsRelayedBothWays) {
  TestWorld world;
  world.account("up");
  world.script("up", {.pieces = {"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                                 "connection: upgrade\r\nsec-websocket-accept: abc\r\n\r\n",
                                 "server frame"},
                      .end = Scripted::End::hang});
  world.model("rt", {"up/gpt-realtime"});
  auto client = world.connect();
  const std::string_view raw =
      "GET /v1/realtime?model=rt HTTP/1.1\r\nhost: w\r\nconnection: Upgrade\r\n"
      "upgrade: websocket\r\nsec-websocket-key: k\r\nsec-websocket-version: 13\r\n\r\n";
  ASSERT_EQ(client->try_write(raw).bytes, raw.size());
  world.loop().run_until_idle();
  const std::string seen = world.read_all(*client);
  EXPECT_THAT(seen, HasSubstr("HTTP/1.1 101 "));
  EXPECT_THAT(seen, HasSubstr("sec-websocket-accept: abc\r\n"));
  EXPECT_TRUE(seen.ends_with("\r\n\r\nserver frame")) << seen;
  EXPECT_THAT(world.requests("up")[0], HasSubstr("GET /v1/realtime?model=gpt-realtime HTTP/1.1"));
  EXPECT_THAT(world.requests("up")[0], HasSubstr("sec-websocket-key: k\r\n"));
  client->close();
  world.advance(Milliseconds(6'000));
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.status, 101);
  EXPECT_EQ(row.bytes_out, 12);
  EXPECT_EQ(world.deployment("rt").state->in_flight.load(), 0U);
}

TEST(Journey, AzureFormsReachAzureForms) {
  TestWorld world;
  auto& account = world.account("az", provider::Kind::azure_openai);
  account.auth = provider::AuthKind::api_key_header;
  account.base_path = "";
  account.api_version = "2024-10-21";
  world.script("az", json_answer(200, kReply));
  world.model("gpt", {"az/my-deployment"});
  const Answer answer =
      world.post("/openai/deployments/gpt/chat/completions?api-version=2023-05-15",
                 R"({"messages":[{"role":"user","content":"hi"}]})", "api-key: k\r\n");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(world.requests("az")[0],
              HasSubstr("POST /openai/deployments/my-deployment/chat/completions"
                        "?api-version=2024-10-21 HTTP/1.1"));
  EXPECT_THAT(world.requests("az")[0], HasSubstr("api-key: sk-provider-secret"));
}

TEST(Journey, ClaudeOnVertexTakesItsModelFromThePath) {
  TestWorld world;
  auto& account = world.account("v", provider::Kind::vertex_ai);
  account.base_path = "";
  account.project = "p";
  account.location = "global";
  account.auth = provider::AuthKind::access_token;
  account.state->token.publish(Secret("ya29.token"), 0);
  world.script(
      "v",
      json_answer(
          200,
          R"({"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}})"));
  world.model("claude", {"v/claude-sonnet-4-5"});
  const Answer answer = world.post(
      "/v1/messages",
      R"({"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(world.requests("v")[0],
              HasSubstr("POST /v1/projects/p/locations/global/publishers/anthropic/models/"
                        "claude-sonnet-4-5:rawPredict "));
  EXPECT_THAT(world.requests("v")[0], HasSubstr("authorization: Bearer ya29.token"));
  EXPECT_THAT(world.last_body("v"), HasSubstr(R"("anthropic_version":"vertex-2023-10-16")"));
  EXPECT_THAT(world.last_body("v"), Not(HasSubstr(R"("model")")));

  world.script("v", json_answer(200, R"({"input_tokens":7})"));
  const Answer count =
      world.post("/v1/messages/count_tokens",
                 R"({"model":"claude","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(count.status, 200) << count.body;
  EXPECT_THAT(world.requests("v")[1], HasSubstr("/models/count-tokens:rawPredict "));
  EXPECT_THAT(world.last_body("v"), HasSubstr(R"("anthropic_version":"vertex-2023-10-16")"));
  EXPECT_THAT(world.last_body("v"), HasSubstr(R"("model":"claude-sonnet-4-5")"));
}

TEST(Journey, WithoutAnAccessTokenAnotherDeploymentIsUsed) {
  TestWorld world;
  world.account("v").auth = provider::AuthKind::access_token;
  world.account("up");
  world.script("up", json_answer(200, kReply));
  world.model("m", {"v", "up"});
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(world.post("/v1/chat/completions", R"({"model":"m","messages":[]})").status, 200);
  }
  EXPECT_TRUE(world.requests("v").empty());
}

}  // namespace
}  // namespace weir::gateway
