// Amazon Bedrock as a provider: both of its APIs to clients of every dialect, its frames, its
// errors and its signature.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "dialect/event_stream.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kClaude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* kNova = "amazon.nova-pro-v1:0";
constexpr std::string_view kChat = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kChatStream =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kMessages =
    R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kMessagesStream =
    R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})";

std::string frame(std::string_view name, std::string_view payload) {
  std::string out;
  dialect::append_event_stream(
      out,
      {{":event-type", name}, {":content-type", "application/json"}, {":message-type", "event"}},
      payload);
  return out;
}

std::string exception(std::string_view name, std::string_view payload) {
  std::string out;
  dialect::append_event_stream(out, {{":exception-type", name}, {":message-type", "exception"}},
                               payload);
  return out;
}

std::string invoke_chunk(std::string_view event) {
  return frame("chunk", R"({"bytes":")" + base64_encode(event) + R"(","p":"abcdefgh"})");
}

Scripted frames(const std::vector<std::string>& pieces, bool ended = true) {
  Scripted out;
  out.pieces.push_back(
      "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
      "x-amzn-requestid: r-1\r\ntransfer-encoding: chunked\r\n\r\n");
  for (const std::string& piece : pieces) out.pieces.push_back(chunk(piece));
  if (ended) {
    out.pieces.emplace_back("0\r\n\r\n");
  } else {
    out.end = Scripted::End::reset;
  }
  return out;
}

const std::string kStart = frame("messageStart", R"({"role":"assistant"})");
const std::string kHello =
    frame("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"Hello"}})");
const std::string kStop = frame("messageStop", R"({"stopReason":"end_turn"})");
const std::string kMetadata = frame(
    "metadata",
    R"({"usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10},"metrics":{"latencyMs":1}})");

struct Bedrock {
  explicit Bedrock(const std::string& id) {
    provider::Account& account = world.account("aws", provider::Kind::bedrock);
    account.base_path = "";
    account.location = "us-east-1";
    account.api_key = {};
    account.auth = provider::AuthKind::aws_signature;
    account.aws = {.access_key_id = "AKIDEXAMPLE",
                   .secret_access_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")};
    world.model("m", {"aws/" + id});
  }
  TestWorld world;
};

TEST(BedrockGateway, ConverseForAnOpenAiClient) {
  Bedrock b(kNova);
  b.world.script(
      "aws",
      json_answer(
          200,
          R"({"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10},"metrics":{"latencyMs":1}})"));
  const Answer answer = b.world.post("/v1/chat/completions", kChat);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(answer.body, HasSubstr(R"("content":"Hello")"));
  const std::string& request = b.world.requests("aws")[0];
  EXPECT_THAT(request, HasSubstr("POST /model/amazon.nova-pro-v1%3A0/converse HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
  EXPECT_THAT(request, HasSubstr("/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;"
                                 "host;x-amz-date, Signature="));
  EXPECT_EQ(b.world.last_body("aws"),
            R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})");
  const ledger::RequestRow row = b.world.last_row();
  EXPECT_EQ(row.usage.input, 7);
  EXPECT_EQ(row.usage.output, 3);
  EXPECT_EQ(row.cost_state, ledger::CostState::final);
}

TEST(BedrockGateway, ConverseStreamWaitsForItsMetadata) {
  // One byte at a time, and in one piece.
  const std::string all = kStart + kHello + kStop + kMetadata;
  std::vector<std::string> bytes;
  for (const char c : all) bytes.emplace_back(1, c);
  for (const std::vector<std::string>& pieces : {bytes, std::vector<std::string>{all}}) {
    Bedrock b(kNova);
    b.world.script("aws", frames(pieces));
    const Answer answer = b.world.post("/v1/chat/completions", kChatStream);
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.header("content-type"), HasSubstr("text/event-stream"));
    EXPECT_THAT(answer.body, HasSubstr(R"("content":"Hello")"));
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n")) << answer.body;
    EXPECT_THAT(b.world.requests("aws")[0], HasSubstr("/converse-stream HTTP/1.1"));
    EXPECT_THAT(b.world.requests("aws")[0],
                HasSubstr("accept: application/vnd.amazon.eventstream\r\n"));
    const ledger::RequestRow row = b.world.last_row();
    EXPECT_EQ(row.usage.input, 7);
    EXPECT_TRUE(row.usage.reported);
    EXPECT_EQ(row.outcome, ledger::Outcome::ok);
  }
}

TEST(BedrockGateway, ClaudeIsInvokedWithTheClientsOwnBytes) {
  Bedrock b(kClaude);
  const std::string reply =
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"x_new":1.10,"usage":{"input_tokens":3,"output_tokens":1}})";
  b.world.script("aws", json_answer(200, reply));
  const Answer answer = b.world.post(
      "/v1/messages",
      R"({ "model":"m", "max_tokens":9,  "x_new":[1.10],"service_tier":"auto","messages":[{"role":"user","content":"hi"}],"stream":false})",
      "anthropic-beta: context-1m-2025-08-07, claude-code-20250219,advanced-tool-use-2025-11-20\r\n"
      "anthropic-version: 2023-06-01\r\naccept: text/event-stream\r\n");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body, reply);
  const std::string& request = b.world.requests("aws")[0];
  EXPECT_THAT(request,
              HasSubstr("POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke "));
  EXPECT_THAT(request, HasSubstr("accept: application/json\r\n"));
  EXPECT_THAT(request, Not(HasSubstr("anthropic-beta:")));
  EXPECT_EQ(
      b.world.last_body("aws"),
      R"({ "max_tokens":9,  "x_new":[1.10],"messages":[{"role":"user","content":"hi"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07","tool-search-tool-2025-10-19"]})");
  EXPECT_EQ(b.world.last_row().usage.input, 3);
}

TEST(BedrockGateway, ClaudeCodesBillingBlockStaysHere) {
  struct Case {
    std::string_view system, sent;
  };
  constexpr std::string_view kBilling =
      R"({"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.0; cch=00000;"})";
  const Case cases[] = {
      {R"([{B}, {"type":"text", "text":"Be brief."},{"type":"text","text":"x"}])",
       R"("system":[{"type":"text", "text":"Be brief."},{"type":"text","text":"x"}],)"},
      {R"([{B}])", ""},
      {R"([ {"type":"text","text":"Be brief."} ])",
       R"("system":[ {"type":"text","text":"Be brief."} ],)"},
      {R"("Be brief.")", R"("system":"Be brief.",)"},
  };
  for (const Case& c : cases) {
    std::string system(c.system);
    if (const size_t at = system.find("{B}"); at != std::string::npos) {
      system.replace(at, 3, kBilling);
    }
    Bedrock b(kClaude);
    b.world.script("aws", json_answer(200, R"({"usage":{"input_tokens":3,"output_tokens":1}})"));
    b.world.post("/v1/messages", R"({"model":"m","max_tokens":9,"system":)" + system +
                                     R"(,"messages":[{"role":"user","content":"hi"}]})");
    EXPECT_EQ(b.world.last_body("aws"), R"({"max_tokens":9,)" + std::string(c.sent) +
                                            R"("messages":[{"role":"user","content":"hi"}],)"
                                            R"("anthropic_version":"bedrock-2023-05-31"})");
  }
}

TEST(BedrockGateway, TheStreamOfAnInvokedClaudeIsUnpackedExactly) {
  const std::vector<std::string> events = {
      R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}})",
      R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
      "\"h\xC3\xA9\"},\"x_new\":1.10}",
      R"({"type":"content_block_stop","index":0})",
      R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}})",
      R"({"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}})"};
  std::vector<std::string> pieces;
  std::string expected;
  for (const std::string& event : events) {
    pieces.push_back(invoke_chunk(event));
    const std::string type = event.substr(9, event.find('"', 9) - 9);
    expected += "event: " + type + "\ndata: " + event + "\n\n";
  }
  Bedrock b(kClaude);
  b.world.script("aws", frames(pieces));
  const Answer answer = b.world.post("/v1/messages", kMessagesStream);
  EXPECT_EQ(answer.body, expected);
  EXPECT_THAT(answer.header("content-type"), HasSubstr("text/event-stream"));
  EXPECT_THAT(b.world.requests("aws")[0], HasSubstr("/invoke-with-response-stream "));
  EXPECT_THAT(b.world.last_body("aws"), Not(HasSubstr("stream")));
  EXPECT_EQ(b.world.last_row().usage.output, 5);
  EXPECT_EQ(b.world.last_row().outcome, ledger::Outcome::ok);

  // To another client the same stream is translated.
  b.world.script("aws", frames(pieces));
  const Answer chat = b.world.post("/v1/chat/completions", kChatStream);
  EXPECT_THAT(chat.body, HasSubstr("h\xC3\xA9"));
  EXPECT_TRUE(chat.body.ends_with("data: [DONE]\n\n")) << chat.body;
}

TEST(BedrockGateway, ClaudeConversesWhereTheDeploymentSaysSo) {
  Bedrock b(kClaude);
  provider::Deployment& deployment = const_cast<provider::Deployment&>(b.world.deployment("m"));
  deployment.dialect = dialect::Dialect::bedrock_converse;
  b.world.script("aws", frames({kStart + kHello + kStop + kMetadata}));
  const Answer answer = b.world.post("/v1/messages", kMessagesStream);
  EXPECT_THAT(answer.body, HasSubstr("event: message_stop"));
  EXPECT_THAT(answer.body, HasSubstr(R"("text":"Hello")"));
  EXPECT_THAT(b.world.requests("aws")[0], HasSubstr("/converse-stream "));
}

TEST(BedrockGateway, TokensAreCountedByTheModelItself) {
  Bedrock b(kClaude);
  b.world.script("aws", json_answer(200, R"({"inputTokens":42})"));
  const Answer answer = b.world.post(
      "/v1/messages/count_tokens", R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"input_tokens":42})");
  EXPECT_THAT(b.world.requests("aws")[0],
              HasSubstr("POST /model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens "));
  json::Document document;
  const std::string body = b.world.last_body("aws");
  ASSERT_TRUE(document.parse(body));
  const auto inner = base64_decode(document.root()["input"]["invokeModel"]["body"].string_or(""));
  EXPECT_EQ(
      inner,
      R"({"messages":[{"role":"user","content":"hi"}],"anthropic_version":"bedrock-2023-05-31","max_tokens":1})");
}

TEST(BedrockGateway, ErrorsInFrontOfTheAnswer) {
  const struct {
    int status;
    const char* type;
    const char* message;
    provider::FailureClass failure;
    int told;
    const char* anthropic;
  } table[] = {
      {429, "ThrottlingException:http://internal.amazon.com/coral/", "Too many requests",
       provider::FailureClass::throttled, 429, "rate_limit_error"},
      // Seen labelled 400.
      {400, "ThrottlingException", "Too many tokens", provider::FailureClass::throttled, 429,
       "rate_limit_error"},
      {400, "ServiceQuotaExceededException", "quota", provider::FailureClass::throttled, 429,
       "rate_limit_error"},
      {400, "ValidationException", "The text field is blank", provider::FailureClass::invalid, 400,
       "invalid_request_error"},
      {403, "AccessDeniedException",
       "You don't have access to the model with the specified model ID.",
       provider::FailureClass::not_found, 404, "not_found_error"},
      {403, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized",
       provider::FailureClass::credential, 503, "api_error"},
      {403, "InvalidSignatureException", "Signature expired", provider::FailureClass::credential,
       503, "api_error"},
      {404, "ResourceNotFoundException", "no such model", provider::FailureClass::not_found, 404,
       "not_found_error"},
      {408, "ModelTimeoutException", "too long", provider::FailureClass::server, 408,
       "timeout_error"},
      {424, "ModelErrorException", "model failed", provider::FailureClass::server, 500,
       "api_error"},
      {429, "ModelNotReadyException", "wait", provider::FailureClass::server, 503, "api_error"},
      {500, "InternalServerException", "oops", provider::FailureClass::server, 500, "api_error"},
      {503, "ServiceUnavailableException", "busy", provider::FailureClass::server, 503,
       "api_error"},
  };
  for (const auto& row : table) {
    for (const bool claude : {false, true}) {
      Bedrock b(claude ? kClaude : kNova);
      b.world.script("aws",
                     json_answer(row.status, fmt::format(R"({{"message":"{}"}})", row.message),
                                 fmt::format("x-amzn-ErrorType: {}\r\n", row.type)));
      const Answer answer = b.world.post("/v1/messages", kMessages);
      const std::string what = fmt::format("{} {} {}", row.status, row.type, claude);
      EXPECT_EQ(answer.status, row.told) << what << answer.body;
      EXPECT_THAT(answer.body, HasSubstr(row.anthropic)) << what;
      EXPECT_THAT(answer.body, HasSubstr(R"("type":"error")")) << what;
      if (row.failure != provider::FailureClass::credential) {
        EXPECT_THAT(answer.body, HasSubstr(row.message)) << what;
      }
    }
  }
}

TEST(BedrockGateway, ExceptionsInsideTheStream) {
  for (const bool claude : {false, true}) {
    const std::string begin =
        claude
            ? invoke_chunk(
                  R"({"type":"message_start","message":{"id":"x","usage":{"input_tokens":1}}})") +
                  invoke_chunk(
                      R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}})")
            : kStart + kHello;
    {
      Bedrock b(claude ? kClaude : kNova);
      b.world.script("aws",
                     frames({begin, exception("modelStreamErrorException",
                                              R"({"message":"broke","originalStatusCode":500})")}));
      const Answer answer = b.world.post("/v1/messages", kMessagesStream);
      EXPECT_EQ(answer.status, 200);
      EXPECT_THAT(answer.body, HasSubstr("event: error\n"));
      EXPECT_THAT(answer.body, HasSubstr("broke"));
      EXPECT_THAT(answer.body, HasSubstr(R"("type":"api_error")"));
      EXPECT_THAT(answer.body, Not(HasSubstr("message_stop")));
    }
    {
      // Before any content the status is still to be told.
      Bedrock b(claude ? kClaude : kNova);
      b.world.script("aws", frames({exception("throttlingException", R"({"message":"slow"})")}));
      const Answer answer = b.world.post("/v1/messages", kMessagesStream);
      EXPECT_EQ(answer.status, 429) << answer.body;
      EXPECT_THAT(answer.body, HasSubstr("rate_limit_error"));
    }
    {
      // Cut, or damaged: never a success.
      for (const bool damaged : {false, true}) {
        std::string rest = claude ? invoke_chunk(R"({"type":"message_stop"})") : kStop + kMetadata;
        if (damaged) {
          rest[20] = static_cast<char>(rest[20] ^ 1);
        } else {
          rest.resize(rest.size() / 3);
        }
        Bedrock b(claude ? kClaude : kNova);
        b.world.script("aws", frames({begin, rest}));
        const Answer answer = b.world.post("/v1/messages", kMessagesStream);
        EXPECT_EQ(answer.status, 200);
        EXPECT_THAT(answer.body, HasSubstr("event: error\n")) << damaged;
        EXPECT_THAT(answer.body, Not(HasSubstr("message_stop"))) << damaged;
      }
    }
  }
}

TEST(BedrockGateway, AThrottledRegionHandsOverToTheNext) {
  TestWorld world;
  for (const char* name : {"east", "west"}) {
    provider::Account& account = world.account(name, provider::Kind::bedrock);
    account.base_path = "";
    account.auth = provider::AuthKind::bearer;
  }
  world.script("east", frames({exception("throttlingException", R"({"message":"slow"})")}));
  world.script("west", frames({kStart + kHello + kStop + kMetadata}));
  world.model("m", {std::string("east/") + kNova, std::string("west/") + kNova});
  for (int i = 0; i < 4; ++i) {
    const Answer answer = world.post("/v1/chat/completions", kChatStream);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
  }
  EXPECT_THAT(world.requests("west")[0], HasSubstr("authorization: Bearer sk-provider-secret\r\n"));
}

}  // namespace
}  // namespace weir::gateway
