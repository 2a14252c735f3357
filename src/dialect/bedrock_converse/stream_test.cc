// Converse answers, whole and streamed: blocks, the order of messageStop and metadata, usage and
// errors.
#include <gtest/gtest.h>

#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;

std::string event(std::string_view name, std::string_view data) {
  std::string out;
  append_sse(out, name, data);
  return out;
}

const std::string kStart = event("messageStart", R"({"role":"assistant","p":"abc"})");
const std::string kText =
    event("contentBlockDelta", R"({"contentBlockIndex":0,"delta":{"text":"Hi"}})");
const std::string kStop = event("messageStop", R"({"stopReason":"end_turn"})");
const std::string kMetadata = event(
    "metadata",
    R"({"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7},"metrics":{"latencyMs":9}})");

using Lines = std::vector<std::string>;

Lines read(const std::string& bytes) {
  return summary(read_stream(Dialect::bedrock_converse, bytes));
}

TEST(ConverseStream, TheEndIsBehindBothMessageStopAndMetadata) {
  const Lines whole = {"start ",   "part text", "text Hi", "part_end",
                       "finish 1", "usage 3 4", "end"};
  EXPECT_EQ(read(kStart + kText + kStop + kMetadata), whole);
  // Not before the usage has come.
  const auto reader = make_stream_reader(Dialect::bedrock_converse);
  StreamEvents events;
  SseReader sse;
  ASSERT_TRUE(
      sse.feed(kStart + kText + kStop, [&](const SseEvent& e) { reader->read(e, events); }));
  EXPECT_EQ(events.back().kind, EventKind::finish);
  // In the other order, and without it.
  EXPECT_EQ(read(kStart + kText + kMetadata + kStop),
            Lines({"start ", "part text", "text Hi", "usage 3 4", "part_end", "finish 1", "end"}));
  EXPECT_EQ(read(kStart + kText + kStop),
            Lines({"start ", "part text", "text Hi", "part_end", "finish 1", "end"}));
  // What comes behind the end is not read.
  EXPECT_EQ(read(kStart + kText + kStop + kMetadata + kText), whole);
}

TEST(ConverseStream, WithoutMessageStopItIsTruncated) {
  for (const std::string& bytes : {std::string(), kStart, kStart + kText, kText + kMetadata}) {
    const StreamEvents events = read_stream(Dialect::bedrock_converse, bytes);
    ASSERT_NE(error_of(events), nullptr);
    EXPECT_EQ(error_of(events)->code, "stream_truncated");
    EXPECT_EQ(events.back().kind, EventKind::error);
  }
}

TEST(ConverseStream, BlocksOfEveryKind) {
  const std::string bytes =
      kStart +
      event("contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}})") +
      event("contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"sig"}}})") +
      event("contentBlockStop", R"({"contentBlockIndex":0})") +
      event("contentBlockDelta",
            R"({"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"cmVk"}}})") +
      event("contentBlockStop", R"({"contentBlockIndex":1})") +
      event("contentBlockStart", R"({"contentBlockIndex":2,"start":{}})") +
      event("contentBlockDelta", R"({"contentBlockIndex":2,"delta":{"text":"a"}})") +
      event(
          "contentBlockDelta",
          R"({"contentBlockIndex":2,"delta":{"citation":{"title":"doc","location":{"documentChar":{"documentIndex":0,"start":1,"end":5}}}}})") +
      event("contentBlockStop", R"({"contentBlockIndex":2})") +
      event("contentBlockStart",
            R"({"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}})") +
      event("contentBlockDelta",
            R"({"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\":"}}})") +
      event("contentBlockDelta", R"({"contentBlockIndex":3,"delta":{"toolUse":{"input":"1}"}}})") +
      event("contentBlockStop", R"({"contentBlockIndex":3})") +
      event(
          "contentBlockStart",
          R"({"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"s1","name":"nova_grounding","type":"server_tool_use"}}})") +
      event("contentBlockDelta", R"({"contentBlockIndex":4,"delta":{"toolUse":{"input":"{}"}}})") +
      event("contentBlockStop", R"({"contentBlockIndex":4})") +
      event("contentBlockStart", R"({"contentBlockIndex":5,"start":{"image":{"format":"png"}}})") +
      event("contentBlockDelta",
            R"({"contentBlockIndex":5,"delta":{"image":{"source":{"bytes":"AAAA"}}}})") +
      event(
          "messageStop",
          R"({"stopReason":"tool_use","additionalModelResponseFields":{"delta":{"stop_sequence":"x"}}})") +
      kMetadata;
  const StreamEvents events = read_stream(Dialect::bedrock_converse, bytes);
  EXPECT_EQ(summary(events), Lines({"start ",
                                    "part thinking",
                                    "text hm",
                                    "signature sig",
                                    "part_end",
                                    "part redacted_thinking",
                                    "data cmVk",
                                    "part_end",
                                    "part text",
                                    "text a",
                                    "citation doc",
                                    "part_end",
                                    "part tool_call t1 f",
                                    "args {\"a\":",
                                    "args 1}",
                                    "part_end",
                                    "part image",
                                    "data AAAA",
                                    "part_end",
                                    "finish 4",
                                    "usage 3 4",
                                    "end"}));
  const Reply reply = build(events);
  EXPECT_EQ(reply.candidates[0].parts[0].origin, Dialect::bedrock_converse);
  EXPECT_EQ(reply.candidates[0].stop_sequence, "x");
  // The same again by the writer: nothing is lost but what the provider ran itself.
  const StreamEvents again =
      read_stream(Dialect::bedrock_converse, write_stream(Dialect::bedrock_converse, events));
  EXPECT_EQ(build(again), reply);
  const auto whole =
      read_reply_text(Dialect::bedrock_converse, write_reply(Dialect::bedrock_converse, reply, {}));
  ASSERT_TRUE(whole);
  EXPECT_EQ(*whole, reply);
}

TEST(ConverseStream, TheAnswerToolIsText) {
  const std::string bytes =
      kStart +
      event(
          "contentBlockStart",
          R"({"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"weir_json_response"}}})") +
      event("contentBlockDelta",
            R"({"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"a\":1}"}}})") +
      event("contentBlockStop", R"({"contentBlockIndex":0})") +
      event("messageStop", R"({"stopReason":"tool_use"})");
  EXPECT_EQ(read(bytes),
            Lines({"start ", "part text", "text {\"a\":1}", "part_end", "finish 1", "end"}));
  const auto reply = read_reply_text(
      Dialect::bedrock_converse,
      R"({"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"weir_json_response","input":{"a":1}}}]}},"stopReason":"tool_use"})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->candidates[0].parts[0].text, R"({"a":1})");
  EXPECT_EQ(reply->candidates[0].stop, StopReason::end_turn);
}

TEST(ConverseStream, ErrorsEndIt) {
  const std::string error = event(
      "error", R"({"type":"error","error":{"type":"throttlingException","message":"slow down"}})");
  const StreamEvents events =
      read_stream(Dialect::bedrock_converse, kStart + kText + error + kStop + kMetadata);
  ASSERT_NE(error_of(events), nullptr);
  EXPECT_EQ(error_of(events)->type, ApiErrorType::rate_limit);
  EXPECT_EQ(events.back().kind, EventKind::error);
  const std::string out = write_stream(Dialect::bedrock_converse, events);
  EXPECT_EQ(out.find("messageStop"), std::string::npos);
  EXPECT_NE(out.find("throttlingException"), std::string::npos);
  const StreamEvents broken =
      read_stream(Dialect::bedrock_converse, kStart + event("messageStop", "not json"));
  ASSERT_NE(error_of(broken), nullptr);
  EXPECT_EQ(error_of(broken)->code, "malformed_event");
}

TEST(ConverseReply, StopReasons) {
  const struct {
    const char* word;
    StopReason stop;
    const char* back;
  } table[] = {
      {"end_turn", StopReason::end_turn, "end_turn"},
      {"max_tokens", StopReason::max_tokens, "max_tokens"},
      {"stop_sequence", StopReason::stop_sequence, "stop_sequence"},
      {"guardrail_intervened", StopReason::content_filter, "content_filtered"},
      {"content_filtered", StopReason::content_filter, "content_filtered"},
      {"malformed_model_output", StopReason::other, "end_turn"},
      {"malformed_tool_use", StopReason::malformed_tool_call, "malformed_tool_use"},
      {"model_context_window_exceeded", StopReason::context_window,
       "model_context_window_exceeded"},
      {"refusal", StopReason::refusal, "refusal"},
      {"new_word", StopReason::other, "end_turn"},
      {"", StopReason::unset, "end_turn"},
  };
  for (const auto& row : table) {
    const auto reply = read_reply_text(
        Dialect::bedrock_converse,
        std::string(R"({"output":{"message":{"content":[{"text":"x"}]}},"stopReason":")") +
            row.word + "\"}");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->candidates[0].stop, row.stop) << row.word;
    EXPECT_EQ(at(write_reply(Dialect::bedrock_converse, *reply, {}), "stopReason"),
              "\"" + std::string(row.back) + "\"");
  }
}

TEST(ConverseReply, Usage) {
  const auto reply = read_reply_text(Dialect::bedrock_converse, R"({
    "output":{"message":{"content":[{"text":"x"}]}},"stopReason":"end_turn",
    "usage":{"inputTokens":10,"outputTokens":5,"totalTokens":1215,"cacheReadInputTokens":1000,
             "cacheWriteInputTokens":200,"cacheDetails":[{"ttl":"1h","inputTokens":150},{"ttl":"5m","inputTokens":50}]},
    "serviceTier":{"type":"flex"},"trace":{"guardrail":{}}})");
  ASSERT_TRUE(reply);
  const Usage expected = {.input = 10,
                          .cache_read = 1000,
                          .cache_write_5m = 50,
                          .cache_write_1h = 150,
                          .output = 5,
                          .service_tier = "flex",
                          .reported = true};
  EXPECT_EQ(reply->usage, expected);
  const std::string body = write_reply(Dialect::bedrock_converse, *reply, {});
  EXPECT_EQ(at(body, "usage.totalTokens"), "1215");
  const auto again = read_reply_text(Dialect::bedrock_converse, body);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->usage, expected);
  const auto none = read_reply_text(Dialect::bedrock_converse, R"({"message":"x"})");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::protocol_error);
}

}  // namespace
}  // namespace weir::dialect
