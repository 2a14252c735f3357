// Every recorded stream and body through the relay meter and read_usage().

#include <gtest/gtest.h>

#include "dialect/recorded_replies.h"
#include "dialect/relay/meter.h"
#include "dialect/relay/run.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

using relay::cut;
using relay::join;
using relay::Outcome;
using relay::run;
using relay::run_whole;

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

// What the lines of a recording say, read one by one.
struct Told {
  bool error = false;
  bool terminator = false;
  bool finish = false;
};

Told told_by(const recorded::Reply& reply) {
  Told told;
  const bool chat =
      reply.dialect == Dialect::openai_chat || reply.dialect == Dialect::openai_completions;
  told.terminator = chat;  // wire_events() adds [DONE]
  for (const std::string& line : reply.lines) {
    json::Document document;
    if (!document.parse(line, {.unique_keys_levels = 0})) continue;
    const json::Value root = document.root();
    const std::string type = root["type"].string_or("");
    told.error =
        told.error || root["error"].is_object() || type == "error" || type == "response.failed";
    for (const json::Value choice : root["choices"].elements()) {
      told.finish = told.finish || choice["finish_reason"].is_string();
    }
    for (const json::Value candidate : root["candidates"].elements()) {
      told.finish = told.finish || candidate["finishReason"].is_string();
    }
    told.finish = told.finish || root["delta"]["stop_reason"].is_string();
    const bool completed = type == "response.completed" || type == "response.incomplete";
    told.finish = told.finish || completed;
    told.terminator = told.terminator || completed || type == "message_stop" ||
                      (reply.dialect == Dialect::gemini && told.finish);
  }
  if (reply.dialect == Dialect::passthrough) told = {.terminator = true};
  return told;
}

class RecordedStreams : public ::testing::Test {
 protected:
  void SetUp() override {
    streams_ = recorded::load(true);
    if (streams_.empty()) GTEST_SKIP() << "no recorded replies at " << recorded::folder();
    // No client speaks Converse: it is never relayed.
    std::erase_if(streams_, [](const recorded::Reply& reply) {
      return reply.dialect == Dialect::bedrock_converse;
    });
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
    const Told told = told_by(reply);
    EXPECT_EQ(outcome.error, told.error);
    EXPECT_EQ(outcome.complete, told.terminator && !told.error);
    EXPECT_EQ(outcome.stop != StopReason::unset, told.finish);
    if (!told.error) EXPECT_TRUE(outcome.has_content);
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
    if (!told.is_object()) continue;
    EXPECT_TRUE(usage.reported);
    const auto number = [&](const char* name) { return told[name].as_int64().value_or(0); };
    if (reply.dialect == Dialect::gemini) {
      EXPECT_EQ(usage.total_input() + usage.total_output(), number("totalTokenCount"));
    } else if (reply.dialect == Dialect::anthropic_messages) {
      if (told["iterations"].exists()) continue;
      EXPECT_EQ(usage.total_input(), number("input_tokens") + number("cache_read_input_tokens") +
                                         number("cache_creation_input_tokens"));
      EXPECT_EQ(usage.total_output(), number("output_tokens"));
    } else if (reply.dialect == Dialect::bedrock_converse) {
      EXPECT_EQ(usage.total_input() + usage.total_output(), number("totalTokens"));
    } else {
      if (told["total_tokens"].is_number()) {
        EXPECT_EQ(usage.total_input() + usage.total_output(), number("total_tokens"));
      }
      EXPECT_EQ(usage.total_input(), number("prompt_tokens") + number("input_tokens"));
    }
  }
}

}  // namespace
}  // namespace weir::dialect
