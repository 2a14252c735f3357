#include "dialect/relay_meter.h"

#include <gtest/gtest.h>

#include "dialect/recorded_replies.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

// What a meter let through and learned.
struct Outcome {
  std::string out;
  Usage usage;
  bool has_content = false;
  bool complete = false;
  bool complete_before_end = false;
  bool error = false;
  StopReason stop = StopReason::unset;
  int64_t generated_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome run(Dialect dialect, const std::vector<std::string_view>& pieces,
            const RelayMeterOptions& options = {}) {
  const auto meter = make_relay_meter(dialect, options);
  Outcome outcome;
  std::vector<std::string_view> views;
  for (const std::string_view piece : pieces) {
    // A copy per call, so that a view kept too long is a use after free under the sanitizer.
    const std::string owned(piece);
    views.clear();
    EXPECT_TRUE(meter->feed(owned, views));
    for (const std::string_view view : views) outcome.out.append(view);
  }
  outcome.complete_before_end = meter->complete();
  views.clear();
  meter->finish(views);
  for (const std::string_view view : views) outcome.out.append(view);
  outcome.usage = meter->usage();
  outcome.has_content = meter->has_content();
  outcome.complete = meter->complete();
  outcome.error = meter->error().has_value();
  outcome.stop = meter->stop();
  outcome.generated_bytes = meter->generated_bytes();
  return outcome;
}

Outcome run_whole(Dialect dialect, std::string_view bytes, const RelayMeterOptions& options = {}) {
  return run(dialect, {bytes}, options);
}

std::vector<std::string_view> cut(std::string_view bytes, size_t size) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
  return pieces;
}

std::string join(const std::vector<std::string>& events) {
  std::string bytes;
  for (const std::string& event : events) bytes += event;
  return bytes;
}

// The usage that a recording tells, by the plain rule of its dialect and without a meter.
Usage recorded_usage(const recorded::Reply& reply) {
  Usage usage;
  for (const std::string& line : reply.lines) {
    json::Document document;
    if (!document.parse(line, {.unique_keys_levels = 0})) continue;
    const json::Value root = document.root();
    switch (reply.dialect) {
      case Dialect::openai_chat:
      case Dialect::openai_completions:
        if (usage_of_openai_body(root).reported) usage = usage_of_openai_body(root);
        break;
      case Dialect::openai_responses:
        if (root["response"]["usage"].is_object())
          usage = usage_of_openai_response(root["response"]);
        break;
      case Dialect::anthropic_messages:
        merge_usage_of_anthropic(usage, root["message"]["usage"]);
        merge_usage_of_anthropic(usage, root["usage"]);
        break;
      case Dialect::gemini:
        if (root["usageMetadata"]["promptTokenCount"].exists()) {
          usage = usage_of_gemini(root["usageMetadata"]);
        }
        break;
      default:
        break;
    }
  }
  return usage;
}

bool tells_error(const recorded::Reply& reply) {
  for (const std::string& line : reply.lines) {
    json::Document document;
    if (!document.parse(line)) continue;
    const json::Value root = document.root();
    if (root["error"].is_object() || root["type"].equals("error") ||
        root["type"].equals("response.failed")) {
      return true;
    }
  }
  return false;
}

class RecordedStreams : public ::testing::Test {
 protected:
  void SetUp() override {
    streams_ = recorded::load(true);
    if (streams_.empty()) GTEST_SKIP() << "no recorded replies at " << recorded::folder();
  }
  std::vector<recorded::Reply> streams_;
};

TEST_F(RecordedStreams, PassUnchangedAndAreMetered) {
  for (const recorded::Reply& reply : streams_) {
    SCOPED_TRACE(reply.name);
    const std::string bytes = join(recorded::wire_events(reply));
    const Outcome outcome = run_whole(reply.dialect, bytes);
    EXPECT_EQ(outcome.out, bytes);
    EXPECT_EQ(outcome.usage, recorded_usage(reply));
    EXPECT_TRUE(outcome.has_content);
    EXPECT_EQ(outcome.error, tells_error(reply));
    EXPECT_EQ(outcome.complete, !outcome.error);
    if (reply.dialect == Dialect::passthrough) continue;
    EXPECT_NE(outcome.stop, StopReason::unset);
  }
}

TEST_F(RecordedStreams, AnyCutGivesTheSame) {
  for (const recorded::Reply& reply : streams_) {
    SCOPED_TRACE(reply.name);
    const std::string bytes = join(recorded::wire_events(reply));
    const Outcome whole = run_whole(reply.dialect, bytes);
    EXPECT_EQ(run(reply.dialect, cut(bytes, 1)), whole);
    EXPECT_EQ(run(reply.dialect, cut(bytes, 7)), whole);
    EXPECT_EQ(run(reply.dialect, cut(bytes, 1000)), whole);
    EXPECT_EQ(run(reply.dialect, cut(bytes, 16384)), whole);
  }
}

TEST_F(RecordedStreams, CutOffAnywhereAreNotComplete) {
  for (const recorded::Reply& reply : streams_) {
    if (reply.dialect == Dialect::passthrough) continue;
    SCOPED_TRACE(reply.name);
    std::vector<std::string> events = recorded::wire_events(reply);
    // A stream whose last events are more than one answer's end is cut before its first.
    const Outcome whole = run_whole(reply.dialect, join(events));
    while (!events.empty()) {
      events.pop_back();
      const Outcome outcome = run_whole(reply.dialect, join(events));
      if (outcome.complete_before_end) break;  // recordings of several answers in one file
      const bool finished = outcome.stop != StopReason::unset;
      if (!finished) EXPECT_FALSE(outcome.complete) << events.size() << " events";
      if (reply.dialect != Dialect::openai_chat && reply.dialect != Dialect::openai_completions) {
        EXPECT_FALSE(outcome.complete) << events.size() << " events";
      }
      EXPECT_LE(outcome.generated_bytes, whole.generated_bytes);
    }
    EXPECT_FALSE(run_whole(reply.dialect, join(events)).complete && events.empty());
  }
}

TEST_F(RecordedStreams, UsageChunkIsStrippedOnlyWhereChoicesAreEmpty) {
  for (const recorded::Reply& reply : streams_) {
    if (reply.dialect != Dialect::openai_chat && reply.dialect != Dialect::openai_completions) {
      continue;
    }
    SCOPED_TRACE(reply.name);
    std::string expected;
    for (const std::string& event : recorded::wire_events(reply)) {
      json::Document document;
      const bool is_json = document.parse(std::string_view(event).substr(6)).has_value();
      const json::Value root = document.root();
      if (is_json && root["choices"].size() == 0 && root["usage"].is_object()) continue;
      expected += event;
    }
    const std::string bytes = join(recorded::wire_events(reply));
    const Outcome outcome = run_whole(reply.dialect, bytes, {.strip_usage_chunk = true});
    EXPECT_EQ(outcome.out, expected);
    EXPECT_EQ(outcome.usage, recorded_usage(reply));
    EXPECT_TRUE(outcome.complete);
    EXPECT_EQ(run(reply.dialect, cut(bytes, 1), {.strip_usage_chunk = true}), outcome);
  }
}

// Numbers written down by hand from the recordings, so that the reader of usage objects is not
// checked against itself alone.
TEST_F(RecordedStreams, UsageByHand) {
  struct Case {
    const char* name;
    Usage usage;
  };
  const Case cases[] = {
      // 290 of 291 prompt tokens cached; total 513 says that 196 reasoning tokens come on top.
      {"xai/xai-tool-call.chunks.txt",
       {.input = 1, .cache_read = 290, .output = 222, .reasoning = 196, .reported = true}},
      {"deepseek-chat/deepseek-tool-call.chunks.txt",
       {.input = 19, .cache_read = 320, .output = 83, .reasoning = 39, .reported = true}},
      {"mistral/mistral-incremental-tool-call.chunks.txt",
       {.input = 43, .cache_read = 128, .output = 14, .reported = true}},
      {"groq/groq-tool-call.chunks.txt", {.input = 210, .output = 15, .reported = true}},
      {"openai-completion/openai-completion-text.chunks.txt",
       {.input = 14, .output = 16, .reported = true}},
      // The compaction iteration (60385 in, 522 out) is not in the top-level numbers.
      {"anthropic/anthropic-compaction.1.chunks.txt",
       {.input = 60997, .output = 3341, .service_tier = "default", .reported = true}},
      {"anthropic/anthropic-web-search-tool.1.chunks.txt",
       {.input = 15665,
        .output = 795,
        .tool_calls = 1,
        .service_tier = "default",
        .reported = true}},
      {"anthropic/anthropic-message-delta-input-tokens.chunks.txt",
       {.input = 61, .output = 2, .reported = true}},
      {"anthropic/duplicate-message-start.chunks.txt",
       {.input = 17, .output = 227, .reported = true}},
      {"google/google-text.chunks.txt",
       {.input = 9, .output = 208, .reasoning = 185, .reported = true}},
      {"google/google-stream-tool-call-arguments.chunks.txt",
       {.input = 26, .output = 155, .reasoning = 132, .service_tier = "default", .reported = true}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.name);
    for (const recorded::Reply& reply : streams_) {
      if (reply.name != expected.name) continue;
      const std::string bytes = join(recorded::wire_events(reply));
      EXPECT_EQ(run_whole(reply.dialect, bytes).usage, expected.usage);
    }
  }
}

TEST(RecordedBodies, UsageOfWholeAnswers) {
  const std::vector<recorded::Reply> bodies = recorded::load(false);
  if (bodies.empty()) GTEST_SKIP() << "no recorded replies at " << recorded::folder();
  for (const recorded::Reply& reply : bodies) {
    SCOPED_TRACE(reply.name);
    const Usage usage = read_usage(reply.dialect, reply.body);
    if (reply.dialect == Dialect::passthrough) {
      EXPECT_FALSE(usage.reported);
      continue;
    }
    json::Document document;
    ASSERT_TRUE(document.parse(reply.body, {.unique_keys_levels = 0}));
    const json::Value root = document.root();
    const json::Value told =
        reply.dialect == Dialect::gemini ? root["usageMetadata"] : root["usage"];
    if (!told.exists()) continue;
    EXPECT_TRUE(usage.reported);
    const auto number = [&](const char* name) { return told[name].as_int64().value_or(0); };
    if (reply.dialect == Dialect::gemini) {
      EXPECT_EQ(usage.total_input() + usage.total_output(), number("totalTokenCount"));
    } else if (reply.dialect == Dialect::anthropic_messages) {
      if (told["iterations"].exists()) continue;
      EXPECT_EQ(usage.total_input(), number("input_tokens") + number("cache_read_input_tokens") +
                                         number("cache_creation_input_tokens"));
      EXPECT_EQ(usage.total_output(), number("output_tokens"));
    } else {
      EXPECT_EQ(usage.total_input() + usage.total_output(), number("total_tokens"));
      EXPECT_EQ(usage.total_input(), number("prompt_tokens") + number("input_tokens"));
    }
  }
}

// ---- tables -------------------------------------------------------------------------------------

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
  std::string out = {};  // where it is not the bytes themselves
};

void check(const StreamCase& expected) {
  SCOPED_TRACE(expected.what);
  const Outcome outcome = run_whole(expected.dialect, expected.bytes);
  EXPECT_EQ(outcome.out, expected.out.empty() ? expected.bytes : expected.out);
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

TEST(RelayMeter, GroqUsage) {
  const std::string bytes =
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
      "\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":5}}}\n\n";
  EXPECT_EQ(run_whole(Dialect::openai_chat, bytes).usage,
            (Usage{.input = 4, .output = 5, .reported = true}));
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

TEST(ReadUsage, Bodies) {
  struct Case {
    const char* what;
    Dialect dialect;
    const char* body;
    Usage usage;
  };
  const Case cases[] = {
      {"none", Dialect::openai_chat, R"({"choices":[]})", {}},
      {"no JSON", Dialect::openai_chat, "<html>", {}},
      {"ill-typed",
       Dialect::openai_chat,
       R"({"usage":{"prompt_tokens":"9","completion_tokens":-4,"total_tokens":1e300}})",
       {}},
      {"cached more than there is",
       Dialect::openai_chat,
       R"({"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":9}}})",
       {.cache_read = 5, .reported = true}},
      {"audio",
       Dialect::openai_chat,
       R"({"service_tier":"default","usage":{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":30,"cached_tokens":20},"completion_tokens_details":{"audio_tokens":40,"reasoning_tokens":0}}})",
       {.input = 50,
        .cache_read = 20,
        .input_audio = 30,
        .output = 10,
        .output_audio = 40,
        .service_tier = "default",
        .reported = true}},
      {"embeddings",
       Dialect::openai_embeddings,
       R"({"object":"list","data":[{"embedding":[0.1,0.2]}],"model":"m","usage":{"prompt_tokens":12,"total_tokens":12}})",
       {.input = 12, .reported = true}},
      {"embeddings, usage first",
       Dialect::openai_embeddings,
       R"({"usage":{"total_tokens":7},"data":[]})",
       {.input = 7, .reported = true}},
      {"embeddings, nested usage",
       Dialect::openai_embeddings,
       R"({"data":[],"usage":{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}})",
       {.input = 5, .cache_read = 2, .reported = true}},
      {"Alibaba's explicit cache",
       Dialect::openai_chat,
       R"({"usage":{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2,"cache_creation_input_tokens":3}}})",
       {.input = 5, .cache_read = 2, .cache_write_5m = 3, .output = 1, .reported = true}},
      {"Anthropic without a split",
       Dialect::anthropic_messages,
       R"({"usage":{"input_tokens":1,"cache_creation_input_tokens":50,"output_tokens":2}})",
       {.input = 1, .cache_write_5m = 50, .output = 2, .reported = true}},
      {"Gemini image",
       Dialect::gemini,
       R"({"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1300,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":4}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}})",
       {.input = 6, .input_audio = 4, .output = 10, .output_image = 1290, .reported = true}},
      {"Vertex predictions",
       Dialect::gemini,
       R"({"predictions":[{"embeddings":{"statistics":{"token_count":4}}},{"embeddings":{"statistics":{"token_count":5}}}]})",
       {.input = 9, .reported = true}},
      {"responses",
       Dialect::openai_responses,
       R"({"object":"response","usage":{"input_tokens":11,"output_tokens":12,"total_tokens":23}})",
       {.input = 11, .output = 12, .reported = true}},
      {"passthrough", Dialect::passthrough, R"({"usage":{"prompt_tokens":1}})", {}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    EXPECT_EQ(read_usage(expected.dialect, expected.body), expected.usage);
  }
}

TEST(EstimateTokens, CountsTextAndImages) {
  EXPECT_EQ(estimate_tokens(""), 0);
  EXPECT_EQ(estimate_tokens("   "), 0);
  EXPECT_EQ(estimate_tokens("12345678"), 2);
  EXPECT_EQ(estimate_tokens("123456789"), 3);
  // "messages" + "role" + "user" + "content" + 40 characters = 63 bytes.
  const std::string body =
      R"({"messages":[{"role":"user","content":")" + std::string(40, 'x') + "\"}],\"n\":12345}";
  EXPECT_EQ(estimate_tokens(body), (8 + 4 + 4 + 7 + 40 + 1 + 3) / 4);
  const std::string image =
      R"({"image_url":{"url":"data:image/png;base64,)" + std::string(100'000, 'A') + "\"}}";
  EXPECT_LT(estimate_tokens(image), 1100);
  EXPECT_GT(estimate_tokens(image), 900);
  EXPECT_GT(estimate_tokens("{\"torn\":\"" + std::string(400, ' ')), 100);
}

}  // namespace
}  // namespace weir::dialect
