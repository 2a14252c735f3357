#include "dialect/relay/meter.h"

#include <gtest/gtest.h>

#include "base/json/document.h"
#include "dialect/errors.h"
#include "dialect/relay/run.h"
#include "dialect/sse.h"

namespace weir::dialect {
namespace {

using relay::cut;
using relay::Outcome;
using relay::run;
using relay::run_whole;

constexpr std::string_view kChatStart =
    R"(data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})"
    "\n\n";
constexpr std::string_view kChatText =
    R"(data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null})"
    "\n\n";
constexpr std::string_view kChatStop =
    R"(data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})"
    "\n\n";
constexpr std::string_view kChatUsage =
    R"(data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}})"
    "\n\n";
constexpr std::string_view kDone = "data: [DONE]\n\n";

std::string cat(std::initializer_list<std::string_view> pieces) {
  std::string bytes;
  for (const std::string_view piece : pieces) bytes.append(piece);
  return bytes;
}

struct StreamCase {
  const char* what;
  Dialect dialect;
  std::string bytes;
  bool has_content = true;
  bool complete = true;
  bool error = false;
  StopReason stop = StopReason::end_turn;
  int64_t generated = 0;
  std::string out = {};  // where it is not the bytes themselves; "-" = nothing
};

void check(const StreamCase& expected) {
  SCOPED_TRACE(expected.what);
  const Outcome outcome = run_whole(expected.dialect, expected.bytes);
  const std::string nothing = expected.out == "-" ? "" : expected.out;
  EXPECT_EQ(outcome.out, expected.out.empty() ? expected.bytes : nothing);
  EXPECT_EQ(outcome.has_content, expected.has_content);
  EXPECT_EQ(outcome.complete, expected.complete);
  EXPECT_EQ(outcome.error, expected.error);
  EXPECT_EQ(outcome.stop, expected.stop);
  EXPECT_EQ(outcome.generated_bytes, expected.generated);
  for (size_t size = 1; size <= 3; ++size) {
    EXPECT_EQ(run(expected.dialect, cut(expected.bytes, size)), outcome);
  }
}

TEST(RelayMeter, OpenaiChat) {
  const std::string azure_first =
      R"(data: {"id":"","object":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]})"
      "\n\n";
  const std::string azure_filter =
      R"(data: {"id":"","object":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{},"content_filter_offsets":{"check_offset":0}}],"usage":null})"
      "\n\n";
  const std::string error =
      R"(data: {"error":{"message":"boom","type":"server_error","param":null,"code":null}})"
      "\n\n";
  const std::string args =
      R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":"}}]},"finish_reason":null}]})"
      "\n\n";
  const std::string null_choices = "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":3}}\n\n";
  const StreamCase cases[] = {
      {"plain", Dialect::openai_chat, cat({kChatStart, kChatText, kChatText, kChatStop, kDone}),
       true, true, false, StopReason::end_turn, 4},
      {"role only", Dialect::openai_chat, std::string(kChatStart), false, false, false,
       StopReason::unset, 0},
      {"keep-alive comments", Dialect::openai_chat,
       cat({": keepalive\n\n", kChatStart, ": x\n", kChatText, kChatStop, kDone}), true, true,
       false, StopReason::end_turn, 2},
      {"Azure filter chunks", Dialect::openai_chat,
       cat({azure_first, kChatStart, kChatText, kChatStop, azure_filter, kDone}), true, true, false,
       StopReason::end_turn, 2},
      {"closed without [DONE] behind the finish", Dialect::openai_chat, cat({kChatText, kChatStop}),
       true, true, false, StopReason::end_turn, 2},
      {"closed before the finish", Dialect::openai_chat, cat({kChatStart, kChatText}), true, false,
       false, StopReason::unset, 2},
      {"error mid-stream", Dialect::openai_chat, cat({kChatText, error}), true, false, true,
       StopReason::unset, 2},
      {"error and [DONE] all the same", Dialect::openai_chat, cat({kChatText, error, kDone}), true,
       false, true, StopReason::unset, 2, cat({kChatText, error})},
      {"error event that is no JSON", Dialect::openai_chat,
       cat({kChatText, "event: error\ndata: upstream died\n\n"}), true, false, true,
       StopReason::unset, 2},
      {"error as a string", Dialect::openai_chat, "data: {\"error\":\"busy\"}\n\n", false, false,
       true, StopReason::unset, 0},
      {"Groq's error", Dialect::openai_chat,
       cat({kChatText, "data: {\"choices\":[],\"x_groq\":{\"id\":\"r\",\"error\":\"busy\"}}\n\n"}),
       true, false, true, StopReason::unset, 2},
      {"error null is none", Dialect::openai_chat,
       cat({"data: {\"error\":null,\"choices\":[]}\n\n", kDone}), false, true, false,
       StopReason::unset, 0},
      {"garbage is relayed", Dialect::openai_chat, cat({"data: {nonsense\n\n", kChatText, kDone}),
       true, true, false, StopReason::unset, 2},
      {"choices null", Dialect::openai_chat, cat({kChatText, null_choices, kDone}), true, true,
       false, StopReason::unset, 2},
      {"tool call", Dialect::openai_chat, cat({args, kDone}), true, true, false, StopReason::unset,
       5},
      {"torn last event", Dialect::openai_chat, cat({kChatText, "data: {\"choices\":[{\"del"}),
       true, false, false, StopReason::unset, 2, std::string(kChatText)},
      {"last event without its blank line", Dialect::openai_chat, cat({kChatText, "data: [DONE]"}),
       true, true, false, StopReason::unset, 2},
      {"whole event without its blank line, no terminator", Dialect::openai_chat,
       std::string(kChatText.substr(0, kChatText.size() - 2)), true, false, false,
       StopReason::unset, 2, std::string(kChatText)},
      {"CR line ends", Dialect::openai_chat,
       "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\rdata: [DONE]\r\r", true, true,
       false, StopReason::unset, 1},
      {"byte order mark", Dialect::openai_chat, cat({"\xEF\xBB\xBF", kChatText, kDone}), true, true,
       false, StopReason::unset, 2},
      {"data in two lines", Dialect::openai_chat,
       "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"ab\"}}]}\n\ndata: [DONE]\n\n", true,
       true, false, StopReason::unset, 2},
      {"Mistral's content list", Dialect::openai_chat,
       "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{"
       "\"type\":\"text\",\"text\":\"ab\"}]},{\"type\":\"text\",\"text\":\"c\"}]}}]}\n\n",
       true, false, false, StopReason::unset, 3},
      {"empty", Dialect::openai_chat, "", false, false, false, StopReason::unset, 0},
  };
  for (const StreamCase& expected : cases) check(expected);
}

TEST(RelayMeter, TwoCandidatesEndWhenBothDo) {
  const auto chunk = [](int index, const char* finish) {
    return "data: {\"choices\":[{\"index\":" + std::to_string(index) +
           ",\"delta\":{\"content\":\"x\"},\"finish_reason\":" + finish + "}]}\n\n";
  };
  std::string bytes = chunk(0, "null") + chunk(1, "null") + chunk(0, "null") + chunk(1, "null") +
                      chunk(0, "\"stop\"");
  EXPECT_FALSE(run_whole(Dialect::openai_chat, bytes).complete);
  bytes += chunk(1, "\"length\"");
  const Outcome outcome = run_whole(Dialect::openai_chat, bytes);
  EXPECT_TRUE(outcome.complete);
  EXPECT_FALSE(outcome.complete_before_end);
  EXPECT_EQ(outcome.stop, StopReason::end_turn);
  EXPECT_EQ(outcome.generated_bytes, 6);
}

TEST(RelayMeter, StripsUsageChunkAndKeepsItsUsage) {
  const std::string bytes = cat({kChatStart, kChatText, kChatStop, kChatUsage, kDone});
  const Usage usage{.input = 10, .output = 2, .reported = true};
  const Outcome kept = run_whole(Dialect::openai_chat, bytes);
  EXPECT_EQ(kept.out, bytes);
  EXPECT_EQ(kept.usage, usage);
  const Outcome stripped = run_whole(Dialect::openai_chat, bytes, {.strip_usage_chunk = true});
  EXPECT_EQ(stripped.out, cat({kChatStart, kChatText, kChatStop, kDone}));
  EXPECT_EQ(stripped.usage, usage);
  EXPECT_TRUE(stripped.complete);
}

// Usage on every chunk, and zeros where another chunk had the number.
TEST(RelayMeter, UsageIsCumulativeAndNeverAdded) {
  const auto chunk = [](const char* usage) {
    return std::string(
               "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],"
               "\"usage\":") +
           usage + "}\n\n";
  };
  const std::string bytes = chunk(R"({"prompt_tokens":9,"completion_tokens":1})") +
                            chunk(R"({"prompt_tokens":9,"completion_tokens":2})") +
                            chunk(R"({"prompt_tokens":0,"completion_tokens":3})") + chunk("null");
  EXPECT_EQ(run_whole(Dialect::openai_chat, bytes).usage,
            (Usage{.input = 9, .output = 3, .reported = true}));
}

TEST(RelayMeter, UsageOfGroqAndMoonshot) {
  const std::string groq =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
      "\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":5}}}\n\n";
  const std::string moonshot =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\","
      "\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":5}}]}\n\n";
  for (const std::string& bytes : {groq, moonshot}) {
    EXPECT_EQ(run_whole(Dialect::openai_chat, bytes).usage,
              (Usage{.input = 4, .output = 5, .reported = true}));
  }
}

TEST(RelayMeter, Anthropic) {
  const std::string start =
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
      "\"input_tokens\":5,\"cache_creation_input_tokens\":100,\"cache_read_input_tokens\":7,"
      "\"cache_creation\":{\"ephemeral_5m_input_tokens\":40,\"ephemeral_1h_input_tokens\":60},"
      "\"output_tokens\":1,\"service_tier\":\"priority\"}}}\n\n";
  const std::string block =
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
      "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
  const std::string text =
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
      "\"type\":\"text_delta\",\"text\":\"\\u00e9\\n\"}}\n\n";
  const std::string ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
  const std::string delta =
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
      "\"refusal\"},\"usage\":{\"cache_creation_input_tokens\":100,\"output_tokens\":9}}\n\n";
  const std::string stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  const std::string overloaded =
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
      "\"message\":\"Overloaded\"}}\n\n";
  const StreamCase cases[] = {
      {"plain", Dialect::anthropic_messages, start + ping + block + text + text + delta + stop,
       true, true, false, StopReason::refusal, 6},
      {"nothing yet", Dialect::anthropic_messages, start + ping + block, false, false, false,
       StopReason::unset, 0},
      {"no message_stop", Dialect::anthropic_messages, start + block + text + delta, true, false,
       false, StopReason::refusal, 3},
      {"overloaded", Dialect::anthropic_messages, start + block + text + overloaded, true, false,
       true, StopReason::unset, 3},
      {"no success behind an error", Dialect::anthropic_messages, start + overloaded + stop, false,
       false, true, StopReason::unset, 0, start + overloaded},
  };
  for (const StreamCase& expected : cases) check(expected);
  // message_delta repeats the cache writes without their split: they are not counted twice.
  EXPECT_EQ(run_whole(Dialect::anthropic_messages, cases[0].bytes).usage,
            (Usage{.input = 5,
                   .cache_read = 7,
                   .cache_write_5m = 40,
                   .cache_write_1h = 60,
                   .output = 9,
                   .service_tier = "priority",
                   .reported = true}));
}

TEST(RelayMeter, Responses) {
  const auto event = [](const std::string& type, const std::string& rest) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + rest + "}\n\n";
  };
  const std::string created = event("response.created", ",\"sequence_number\":0,\"response\":{}");
  const std::string delta1 =
      event("response.output_text.delta", ",\"sequence_number\":9,\"delta\":\"abc\"");
  const std::string delta2 =
      event("response.output_text.delta", ",\"sequence_number\":10,\"delta\":\"de\"");
  const std::string usage =
      "\"usage\":{\"input_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":1},"
      "\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":2}}";
  const std::string completed = event("response.completed",
                                      ",\"response\":{\"service_tier\":\"flex\",\"output\":[{"
                                      "\"type\":\"web_search_call\",\"action\""
                                      ":{\"type\":\"search\"}},{\"type\":\"function_call\"}]," +
                                          usage + "}");
  const std::string incomplete = event(
      "response.incomplete",
      ",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}," + usage + "}");
  const std::string failed = event(
      "response.failed",
      ",\"response\":{\"error\":{\"code\":\"server_error\",\"message\":\"x\"},\"usage\":null}");
  const std::string error =
      event("error", ",\"code\":\"rate_limit_exceeded\",\"message\":\"slow\"");
  const StreamCase cases[] = {
      {"plain", Dialect::openai_responses, created + delta1 + delta2 + completed, true, true, false,
       StopReason::tool_use, 5},
      {"announced only", Dialect::openai_responses, created, false, false, false, StopReason::unset,
       0},
      {"cut off", Dialect::openai_responses, created + delta1, true, false, false,
       StopReason::unset, 3},
      {"incomplete", Dialect::openai_responses, created + delta1 + incomplete, true, true, false,
       StopReason::max_tokens, 3},
      {"failed", Dialect::openai_responses, created + failed, true, false, true, StopReason::unset,
       0},
      {"error", Dialect::openai_responses, created + error, false, false, true, StopReason::unset,
       0},
      {"error, then failed", Dialect::openai_responses, created + error + failed, true, false, true,
       StopReason::unset, 0},
  };
  for (const StreamCase& expected : cases) check(expected);
  EXPECT_EQ(run_whole(Dialect::openai_responses, cases[0].bytes).usage,
            (Usage{.input = 2,
                   .cache_read = 1,
                   .output = 4,
                   .reasoning = 2,
                   .tool_calls = 1,
                   .service_tier = "flex",
                   .reported = true}));
  const auto meter = make_relay_meter(Dialect::openai_responses, {});
  std::vector<std::string_view> out;
  ASSERT_TRUE(meter->feed(error, out));
  ASSERT_TRUE(meter->error());
  EXPECT_EQ(meter->error()->type, ApiErrorType::rate_limit);
  EXPECT_EQ(meter->error()->message, "slow");
}

// Codex knows of no error but response.failed, the SDKs of none but `error`: both are told.
TEST(RelayMeter, ResponsesThatBreakOffFail) {
  std::string stream =
      R"(data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_7",)"
      R"("model":"gpt-x","created_at":5,"status":"in_progress"}})"
      "\n\n";
  for (int i = 1; i <= 4; ++i) {
    stream += R"(data: {"type":"response.output_text.delta","sequence_number":)" +
              std::to_string(i) + ",\"delta\":\"abc\"}\n\n";
  }
  const auto meter = make_relay_meter(Dialect::openai_responses, {});
  std::vector<std::string_view> out;
  const ApiError lost{.type = ApiErrorType::server, .message = "lost"};
  EXPECT_EQ(meter->broken_off(lost, Dialect::openai_responses, "r"),
            write_stream_error(Dialect::openai_responses, lost, "r"))
      << "nothing has begun";
  ASSERT_TRUE(meter->feed(stream, out));
  std::vector<std::string> events;
  const auto sink = [&](const SseEvent& event) {
    json::Document document;
    ASSERT_TRUE(document.parse(event.data)) << event.data;
    const json::Value root = document.root();
    EXPECT_TRUE(root["type"].equals(event.event));
    events.push_back(std::string(event.event) + " " + std::string(root["sequence_number"].raw()));
    if (event.event != "response.failed") return;
    const json::Value response = root["response"];
    EXPECT_TRUE(response["id"].equals("resp_7"));
    EXPECT_TRUE(response["model"].equals("gpt-x"));
    EXPECT_EQ(response["created_at"].as_int64(), 5);
    EXPECT_TRUE(response["status"].equals("failed"));
    EXPECT_TRUE(response["error"]["message"].equals("lost"));
  };
  SseReader reader;
  ASSERT_TRUE(reader.feed(meter->broken_off(lost, Dialect::openai_responses, "r"), sink));
  EXPECT_EQ(events, (std::vector<std::string>{"response.failed 5", "error 6"}));
}

TEST(RelayMeter, Gemini) {
  const auto event = [](const std::string& data) { return "data: " + data + "\r\n\r\n"; };
  const std::string text =
      event(R"({"candidates":[{"content":{"parts":[{"text":"Hi"}]},"index":0}]})");
  const std::string odd =
      event(R"({"candidates":[{"content":{"parts":[{"text":"!"}]},"finishReason":"","index":0}]})");
  const std::string call = event(
      R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]},"index":0}]})");
  const std::string stop = event(
      R"({"candidates":[{"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":5,"thoughtsTokenCount":6,"toolUsePromptTokenCount":3,"totalTokenCount":24}})");
  const std::string blocked = event(
      R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":2}})");
  const std::string error =
      event(R"({"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}})");
  const StreamCase cases[] = {
      {"plain", Dialect::gemini, text + text + odd + stop, true, true, false, StopReason::end_turn,
       5},
      {"cut off", Dialect::gemini, text + odd, true, false, false, StopReason::unset, 3},
      {"calls end with STOP", Dialect::gemini, call + stop, true, true, false, StopReason::tool_use,
       2},
      {"blocked prompt", Dialect::gemini, blocked, true, true, false, StopReason::content_filter,
       0},
      {"error", Dialect::gemini, text + error, true, false, true, StopReason::unset, 2},
      {"closed behind the last line", Dialect::gemini, text + stop.substr(0, stop.size() - 4), true,
       true, false, StopReason::end_turn, 2},
      {"array", Dialect::gemini,
       "[" + text.substr(6, text.size() - 10) + "\n,\r\n" + stop.substr(6, stop.size() - 10) +
           "\n]\n",
       true, true, false, StopReason::end_turn, 2},
      {"white space before an event", Dialect::gemini, "\r\n\r\n" + text + stop, true, true, false,
       StopReason::end_turn, 2},
      {"white space before garbage", Dialect::gemini, "\t\"", false, false, false,
       StopReason::unset, 0, "-"},
      {"array, torn", Dialect::gemini,
       "[" + text.substr(6, text.size() - 10) + "\n,\r\n" + stop.substr(6, 20), true, false, false,
       StopReason::unset, 2, "[" + text.substr(6, text.size() - 10)},
      {"array, not closed", Dialect::gemini, "[" + stop.substr(6, stop.size() - 10), true, false,
       false, StopReason::end_turn, 0},
  };
  for (const StreamCase& expected : cases) check(expected);
  EXPECT_EQ(run_whole(Dialect::gemini, cases[0].bytes).usage,
            (Usage{.input = 9, .cache_read = 4, .output = 11, .reasoning = 6, .reported = true}));
}

TEST(RelayMeter, PassthroughEndsWithItsBytes) {
  const Outcome outcome = run_whole(Dialect::passthrough, "\x01\x02 anything");
  EXPECT_EQ(outcome.out, "\x01\x02 anything");
  EXPECT_TRUE(outcome.complete);
  EXPECT_FALSE(outcome.complete_before_end);
  EXPECT_FALSE(outcome.usage.reported);
}

TEST(RelayMeter, OneEventIsLimited) {
  const auto meter = make_relay_meter(Dialect::openai_chat, {});
  std::vector<std::string_view> out;
  const std::string piece(1024 * 1024, 'a');
  Result<void> result = meter->feed("data: ", out);
  for (int i = 0; i < 17 && result; ++i) result = meter->feed(piece, out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::limit_exceeded);
}

// Nothing is copied where events lie whole in what was fed.
TEST(RelayMeter, WholeEventsAreViews) {
  const std::string bytes = cat({kChatStart, kChatText, kChatText, kChatText, kChatStop});
  const auto meter = make_relay_meter(Dialect::openai_chat, {});
  std::vector<std::string_view> out;
  ASSERT_TRUE(meter->feed(bytes, out));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].data(), bytes.data());
  EXPECT_EQ(out[0].size(), bytes.size());
}

}  // namespace
}  // namespace weir::dialect
