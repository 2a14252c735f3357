// OpenAI chat answers, whole and streamed: the servers' habits on the way in, what SDKs expect on
// the way out.
#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;
using Lines = std::vector<std::string>;

// Chunks of one choice: each entry is a delta, or a whole chunk where it has "choices" or "error".
std::string stream(std::initializer_list<std::string_view> chunks, bool done = true) {
  std::string bytes;
  for (const std::string_view chunk : chunks) {
    std::string json(chunk);
    const bool whole = at(json, "choices") != "" || at(json, "error") != "" ||
                       at(json, "usage") != "" || at(json, "object") != "";
    if (!whole) {
      const std::string reason = at(json, "finish_reason");
      json = R"({"id":"c","model":"m","created":5,"choices":[{"index":0,"delta":)" + json +
             R"(,"finish_reason":)" + (reason.empty() ? "null" : reason) + "}]}";
    }
    append_sse(bytes, {}, json);
  }
  if (done) append_sse(bytes, {}, "[DONE]");
  return bytes;
}

Lines events(std::string_view bytes) {
  return summary(read_stream(Dialect::openai_chat, bytes));
}

constexpr const char* kStop = R"({"finish_reason":"stop"})";
constexpr const char* kCalls = R"({"finish_reason":"tool_calls"})";

TEST(OpenAiChatStream, TextWithItsUsage) {
  EXPECT_EQ(events(stream({R"({"role":"assistant","content":""})", R"({"content":"a"})",
                           R"({"content":"b"})", kStop,
                           R"({"id":"c","choices":[],"usage":{"prompt_tokens":10,)"
                           R"("completion_tokens":4,"prompt_tokens_details":)"
                           R"({"cached_tokens":6}}})"})),
            (Lines{"start c", "part text", "text a", "text b", "usage 10 4", "part_end", "finish 1",
                   "end"}));
}

TEST(OpenAiChatStream, UsageWhereverItStands) {
  // On the last content chunk, on every chunk, on a chunk of its own without choices at all.
  EXPECT_EQ(events(stream({R"({"id":"c","choices":[{"index":0,"delta":{"content":"a"},)"
                           R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,)"
                           R"("completion_tokens":2}})"})),
            (Lines{"start c", "part text", "text a", "usage 1 2", "part_end", "finish 1", "end"}));
  EXPECT_EQ(events(stream({R"({"id":"c","choices":[{"delta":{"content":"a"}}],"usage":)"
                           R"({"prompt_tokens":1,"completion_tokens":1}})",
                           R"({"id":"c","choices":[{"delta":{"content":"b"}}],"usage":)"
                           R"({"prompt_tokens":1,"completion_tokens":2}})",
                           R"({"id":"c","choices":null,"usage":{"prompt_tokens":1,)"
                           R"("completion_tokens":2}})",
                           kStop})),
            (Lines{"start c", "part text", "text a", "usage 1 1", "text b", "usage 1 2", "part_end",
                   "finish 1", "end"}));
  // In the choice that ends (Moonshot).
  EXPECT_EQ(events(stream({R"({"id":"c","choices":[{"index":0,"delta":{"content":"a"},)"
                           R"("finish_reason":"stop","usage":{"prompt_tokens":1,)"
                           R"("completion_tokens":2}}]})"})),
            (Lines{"start c", "part text", "text a", "usage 1 2", "part_end", "finish 1", "end"}));
}

TEST(OpenAiChatStream, AzuresChunks) {
  EXPECT_EQ(events(stream({R"({"id":"","model":"","choices":[],"prompt_filter_results":[{}]})",
                           R"({"content":"a"})",
                           R"({"id":"c","choices":[{"index":0,"content_filter_results":{},)"
                           R"("content_filter_offsets":{}}]})",
                           R"({"finish_reason":"content_filter"})",
                           R"({"id":"","choices":[{"index":0,"finish_reason":null,)"
                           R"("content_filter_results":{}}]})"})),
            (Lines{"start c", "part text", "text a", "part_end", "finish 5", "end"}));
}

TEST(OpenAiChatStream, ParallelCallsInTurn) {
  EXPECT_EQ(
      events(stream(
          {R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]})",
           R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]})",
           R"({"tool_calls":[{"index":0,"function":{"arguments":"\"}\"}"}}]})",
           R"({"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]})",
           kCalls})),
      (Lines{"start c", "part tool_call a f", "args {\"x\":", "args \"}\"}", "part_end",
             "part tool_call b g", "args {}", "part_end", "finish 4", "end"}));
}

TEST(OpenAiChatStream, InterleavedCallsAreToldOneAfterTheOther) {
  EXPECT_EQ(
      events(stream({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}},)"
                     R"({"index":1,"id":"b","function":{"name":"g"}}]})",
                     R"({"tool_calls":[{"index":1,"function":{"arguments":"{\"y\""}},)"
                     R"({"index":0,"function":{"arguments":"{\"x\""}}]})",
                     R"({"tool_calls":[{"index":1,"function":{"arguments":":2}"}}]})",
                     R"({"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]})", kCalls})),
      (Lines{"start c", "part tool_call a f", "args {\"x\"", "args :1}", "part_end",
             "part tool_call b g", "args {\"y\":2}", "part_end", "finish 4", "end"}));
}

TEST(OpenAiChatStream, CallsOfCompatibleServers) {
  struct {
    const char* what;
    std::string bytes;
    Lines expected;
  } const table[] = {
      {"no index, a new id begins a call",
       stream({R"({"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]})",
               R"({"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]})"}),
       {"start c", "part tool_call a f", "args {}", "part_end", "part tool_call b g", "args {}",
        "part_end", "finish 4", "end"}},
      {"index 0 for all",
       stream(
           {R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]})",
            R"({"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]})"}),
       {"start c", "part tool_call a f", "args {}", "part_end", "part tool_call b g", "args {}",
        "part_end", "finish 4", "end"}},
      {"the id on every fragment, then an empty one",
       stream({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]})",
               R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"","arguments":"}"}}]})",
               R"({"tool_calls":[{"index":0,"id":"","function":{"arguments":""}}]})"}),
       {"start c", "part tool_call a f", "args {", "args }", "part_end", "finish 4", "end"}},
      {"no id at all",
       stream({R"({"tool_calls":[{"index":0,"function":{"name":"f"}}]})"}),
       {"start c", "part tool_call call_c_0 f", "part_end", "finish 4", "end"}},
      {"the object itself as arguments",
       stream(
           {R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}]})"}),
       {"start c", "part tool_call a f", "args {\"x\":1}", "part_end", "finish 4", "end"}},
      {"finish stop with a call",
       stream({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]})",
               kStop}),
       {"start c", "part tool_call a f", "args {}", "part_end", "finish 4", "end"}},
      {"a call without arguments, then another",
       stream(
           {R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]})",
            R"({"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]})"}),
       {"start c", "part tool_call a f", "part_end", "part tool_call b g", "args {}", "part_end",
        "finish 4", "end"}},
      {"text amid a call comes behind it",
       stream({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]})",
               R"({"content":"hm"})",
               R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}}]})"}),
       {"start c", "part tool_call a f", "args {", "args }", "part_end", "part text", "text hm",
        "part_end", "finish 4", "end"}},
      {"the old function_call",
       stream({R"({"function_call":{"name":"f","arguments":""}})",
               R"({"function_call":{"arguments":"{}"}})", R"({"finish_reason":"function_call"})"}),
       {"start c", "part tool_call call_c_0 f", "args {}", "part_end", "finish 4", "end"}},
      {"Gemini's signature",
       stream({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"},)"
               R"("extra_content":{"google":{"thought_signature":"s"}}}]})"}),
       {"start c", "part tool_call a f", "signature s", "args {}", "part_end", "finish 4", "end"}},
  };
  for (const auto& row : table) EXPECT_EQ(events(row.bytes), row.expected) << row.what;
}

TEST(OpenAiChatStream, ThinkingInAllItsSpellings) {
  const Lines expected = {"start c",  "part thinking", "text hm",  "part_end", "part text",
                          "text yes", "part_end",      "finish 1", "end"};
  for (const char* delta :
       {R"({"reasoning_content":"hm"})", R"({"reasoning":"hm"})",
        R"({"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]})",
        R"({"reasoning_details":[{"type":"reasoning.text","text":"hm"}]})",
        R"({"reasoning_details":[{"type":"reasoning.summary","summary":"hm"}]})",
        R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]})"}) {
    EXPECT_EQ(events(stream({delta, R"({"content":"yes"})", kStop})), expected) << delta;
  }
  EXPECT_EQ(events(stream({R"({"reasoning_content":"h"})", R"({"reasoning_content":"m"})",
                           R"({"reasoning_details":[{"type":"reasoning.text","text":"hm",)"
                           R"("signature":"s","index":0}]})",
                           R"({"reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]})",
                           R"({"content":"yes"})", kStop})),
            (Lines{"start c", "part thinking", "text h", "text m", "signature s", "part_end",
                   "part redacted_thinking", "data d", "part_end", "part text", "text yes",
                   "part_end", "finish 1", "end"}));
}

TEST(OpenAiChatStream, RefusalLogprobsAndSeveralChoices) {
  EXPECT_EQ(
      events(stream({R"({"refusal":"I "})", R"({"refusal":"won't","content":null})", kStop})),
      (Lines{"start c", "part refusal", "text I ", "text won't", "part_end", "finish 1", "end"}));
  const StreamEvents two = read_stream(
      Dialect::openai_chat,
      stream({R"({"id":"c","choices":[{"index":1,"delta":{"content":"b"}}]})",
              R"({"id":"c","choices":[{"index":0,"delta":{"content":"a"},"logprobs":)"
              R"({"content":[{"token":"a"}],"refusal":null}}]})",
              R"({"id":"c","choices":[{"index":0,"delta":{"content":"c"},"logprobs":)"
              R"({"content":[{"token":"c"}]}},{"index":1,"delta":{},"finish_reason":"length"}]})",
              R"({"id":"c","choices":[{"index":999999,"delta":{"content":"x"}},)"
              R"({"index":-1,"delta":{"content":"x"}}]})",
              kStop}));
  const Reply reply = build(two);
  ASSERT_EQ(reply.candidates.size(), 2u);
  EXPECT_EQ(reply.candidates[0].parts.at(0).text, "ac");
  EXPECT_EQ(reply.candidates[0].stop, StopReason::end_turn);
  EXPECT_EQ(canonical(reply.candidates[0].logprobs),
            canonical(R"({"content":[{"token":"a"},{"token":"c"}],"refusal":null})"));
  EXPECT_EQ(reply.candidates[1].parts.at(0).text, "b");
  EXPECT_EQ(reply.candidates[1].stop, StopReason::max_tokens);
}

TEST(OpenAiChatStream, EndsThatAreNone) {
  struct {
    const char* what;
    std::string bytes;
    const char* code;
  } const table[] = {
      {"nothing", "", "stream_truncated"},
      {"only DONE", stream({}), "stream_empty"},
      {"cut before the finish", stream({R"({"content":"a"})"}, false), "stream_truncated"},
      {"cut inside an event", stream({kStop}, false).substr(0, 60), "malformed_event"},
      {"not JSON", "data: upstream connect error\n\n", "malformed_event"},
      {"not an object", "data: [1]\n\n", "malformed_event"},
  };
  for (const auto& row : table) {
    const StreamEvents read = read_stream(Dialect::openai_chat, row.bytes);
    ASSERT_FALSE(read.empty()) << row.what;
    EXPECT_EQ(read.back().kind, EventKind::error) << row.what;
    EXPECT_EQ(read.back().error.code, row.code) << row.what;
    EXPECT_EQ(read.back().error.type, ApiErrorType::unavailable) << row.what;
  }
  // A finish without [DONE] is whole, and so is [DONE] without a finish.
  EXPECT_EQ(events(stream({R"({"content":"a"})", kStop}, false)).back(), "end");
  EXPECT_EQ(events(stream({R"({"content":"a"})"})).back(), "end");
}

TEST(OpenAiChatStream, ErrorsInside) {
  struct {
    const char* chunk;
    ApiErrorType type;
  } const table[] = {
      {R"({"error":{"message":"m","type":"server_error","code":null}})", ApiErrorType::server},
      {R"({"error":{"message":"m","code":429}})", ApiErrorType::rate_limit},
      {R"({"id":"c","choices":[],"error":{"message":"m","code":502}})", ApiErrorType::unavailable},
      {R"({"object":"error","message":"m","code":400})", ApiErrorType::invalid_request},
      {R"({"id":"c","choices":[],"x_groq":{"id":"r","error":"m"}})", ApiErrorType::server},
  };
  for (const auto& row : table) {
    const StreamEvents read =
        read_stream(Dialect::openai_chat, stream({R"({"content":"a"})", row.chunk, kStop}));
    ASSERT_NE(error_of(read), nullptr) << row.chunk;
    EXPECT_EQ(error_of(read)->type, row.type) << row.chunk;
    EXPECT_EQ(error_of(read)->message, "m") << row.chunk;
    EXPECT_EQ(read.back().kind, EventKind::error) << row.chunk;
  }
  for (const char* none : {"null", R"("")", "{}"}) {
    const std::string chunk = R"({"id":"c","choices":[{"delta":{"content":"a"}}],"error":)";
    EXPECT_EQ(events(stream({chunk + none + "}"})).back(), "end") << none;
  }
}

TEST(OpenAiChatStream, TooMuchHeldBackIsAnError) {
  std::string bytes =
      stream({R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]})"}, false);
  const std::string chunk =
      stream({R"({"content":")" + std::string(1 << 20, 'x') + R"("})"}, false);
  for (int i = 0; i < 17; ++i) bytes += chunk;
  EXPECT_EQ(events(bytes).back(), "error stream_overflow");
}

// --- writing ---

StreamEvent event(EventKind kind, std::string_view text = {}) {
  StreamEvent e;
  e.kind = kind;
  e.text = text;
  return e;
}
StreamEvent part(PartKind kind, std::string_view id = {}, std::string_view name = {}) {
  StreamEvent e = event(EventKind::part_start);
  e.part_kind = kind;
  e.id = id;
  e.name = name;
  return e;
}
StreamEvent finish(StopReason stop) {
  StreamEvent e = event(EventKind::finish);
  e.stop = stop;
  return e;
}

StreamEvent signature(std::string_view text, Dialect origin) {
  StreamEvent out = event(EventKind::signature, text);
  out.origin = origin;
  return out;
}

TEST(OpenAiChatStream, WritesTheLadderOfTheSdks) {
  StreamEvent start = event(EventKind::start);
  start.id = "msg_1";
  start.name = "claude";
  StreamEvent usage = event(EventKind::usage);
  usage.usage.input = 3;
  usage.usage.cache_read = 4;
  usage.usage.cache_write_5m = 5;
  usage.usage.output = 6;
  usage.usage.reported = true;
  const StreamEvents in = {
      start,
      usage,
      part(PartKind::thinking),
      event(EventKind::text_delta, "hm"),
      signature("sig", Dialect::openai_chat),
      event(EventKind::part_end),
      part(PartKind::text),
      event(EventKind::text_delta, "hi"),
      event(EventKind::part_end),
      part(PartKind::tool_call, "t1", "f"),
      event(EventKind::part_end),
      part(PartKind::tool_call, "t2", "g"),
      signature("s2", Dialect::gemini),
      event(EventKind::args_delta, "{\"a\":"),
      event(EventKind::args_delta, "1}"),
      event(EventKind::part_end),
      finish(StopReason::tool_use),
      event(EventKind::end),
  };
  const auto out = written_events(
      write_stream(Dialect::openai_chat, in, {.model = "gpt", .request_id = "r", .now_s = 9}));
  const std::vector<std::string> deltas = {
      R"({"content":"","role":"assistant"})",
      R"({"reasoning_content":"hm"})",
      R"({"reasoning_details":[{"index":0,"signature":"sig","text":"hm","type":"reasoning.text"}]})",
      R"({"content":"hi"})",
      R"({"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"t1","index":0,"type":"function"}]})",
      R"({"tool_calls":[{"function":{"arguments":"{}"},"index":0}]})",
      R"({"tool_calls":[{"extra_content":{"google":{"thought_signature":"s2"}},"function":)"
      R"({"arguments":"","name":"g"},"id":"t2","index":1,"type":"function"}]})",
      R"({"tool_calls":[{"function":{"arguments":"{\"a\":"},"index":1}]})",
      R"({"tool_calls":[{"function":{"arguments":"1}"},"index":1}]})",
      "{}",
  };
  ASSERT_EQ(out.size(), deltas.size() + 2);
  for (size_t i = 0; i < deltas.size(); ++i) {
    EXPECT_EQ(out[i].event, "") << i;
    EXPECT_EQ(at(out[i].data, "choices.0.delta"), deltas[i]) << i;
    EXPECT_EQ(at(out[i].data, "id"), R"("msg_1")") << i;
    EXPECT_EQ(at(out[i].data, "object"), R"("chat.completion.chunk")") << i;
    EXPECT_EQ(at(out[i].data, "model"), R"("gpt")") << i;
    EXPECT_EQ(at(out[i].data, "created"), "9") << i;
    EXPECT_EQ(at(out[i].data, "usage"), "null") << i;
    EXPECT_EQ(at(out[i].data, "choices.0.finish_reason"),
              i + 1 == deltas.size() ? R"("tool_calls")" : "null")
        << i;
  }
  EXPECT_EQ(at(out[deltas.size()].data, "choices"), "[]");
  EXPECT_EQ(at(out[deltas.size()].data, "usage.prompt_tokens"), "12");
  EXPECT_EQ(at(out[deltas.size()].data, "usage.prompt_tokens_details.cached_tokens"), "4");
  EXPECT_EQ(at(out[deltas.size()].data, "usage.total_tokens"), "18");
  EXPECT_EQ(out.back().data, "[DONE]");
}

TEST(OpenAiChatStream, UsageOnlyForWhoAsked) {
  const StreamEvents in = {event(EventKind::start),           part(PartKind::text),
                           event(EventKind::text_delta, "a"), event(EventKind::part_end),
                           finish(StopReason::max_tokens),    event(EventKind::end)};
  const std::string out =
      write_stream(Dialect::openai_chat, in, {.request_id = "r", .include_usage = false});
  EXPECT_EQ(out.find("usage"), std::string::npos);
  const auto written = written_events(out);
  EXPECT_EQ(at(written.front().data, "id"), R"("chatcmpl-r")");
  EXPECT_EQ(at(written[written.size() - 2].data, "choices.0.finish_reason"), R"("length")");
  EXPECT_EQ(written.back().data, "[DONE]");
}

TEST(OpenAiChatStream, ACallAloneHasNoContent) {
  const auto out = written_events(write_stream(
      Dialect::openai_chat, {event(EventKind::start), part(PartKind::tool_call, "a", "f"),
                             event(EventKind::part_end), event(EventKind::end)}));
  EXPECT_EQ(at(out[0].data, "choices.0.delta"), R"({"content":null,"role":"assistant"})");
  EXPECT_EQ(at(out[3].data, "choices.0.finish_reason"), R"("tool_calls")");
}

TEST(OpenAiChatStream, NothingFollowsAnError) {
  StreamEvent error = event(EventKind::error);
  error.error.message = "broke";
  const StreamEvents in = {event(EventKind::start),
                           part(PartKind::text),
                           event(EventKind::text_delta, "a"),
                           error,
                           event(EventKind::part_end),
                           finish(StopReason::end_turn),
                           event(EventKind::end)};
  const auto out = written_events(write_stream(Dialect::openai_chat, in));
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(at(out.back().data, "error.message"), R"("broke")");
}

TEST(OpenAiChatStream, PingsAreComments) {
  EXPECT_EQ(write_stream(Dialect::openai_chat, {event(EventKind::ping)}), ": ping\n\n");
}

// --- whole answers ---

TEST(OpenAiChatReply, ReadsWhatServersSend) {
  const auto reply = read_reply_text(Dialect::openai_chat, R"({"id":"c","model":"m","created":7,
    "choices":[
      {"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"a",
        "reasoning_content":"t","refusal":null,
        "tool_calls":[{"function":{"name":"f","arguments":""}}]}},
      {"index":1,"finish_reason":"stop","stop_reason":"END","message":{"content":[
        {"type":"thinking","thinking":[{"type":"text","text":"t2"}]},{"type":"text","text":"b"}]}},
      {"index":2,"finish_reason":"content_filter","message":{"content":null,"refusal":"no"}},
      {"index":3,"finish_reason":"odd","message":{"content":"x","audio":{"data":"AA","transcript":"said"},
        "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,BB"}}]}},
      {"index":4,"finish_reason":null,"message":{"function_call":{"name":"g","arguments":"{}"}}}],
    "usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,
      "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}},
    "service_tier":"priority"})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->created, 7);
  ASSERT_EQ(reply->candidates.size(), 5u);
  const auto& first = reply->candidates[0];
  ASSERT_EQ(first.parts.size(), 3u);
  EXPECT_EQ(first.parts[0].kind, PartKind::thinking);
  EXPECT_EQ(first.parts[2].json, "{}");
  EXPECT_FALSE(first.parts[2].id.empty());
  EXPECT_EQ(first.stop, StopReason::tool_use);
  EXPECT_EQ(reply->candidates[1].parts.at(0).text, "t2");
  EXPECT_EQ(reply->candidates[1].stop, StopReason::stop_sequence);
  EXPECT_EQ(reply->candidates[1].stop_sequence, "END");
  EXPECT_EQ(reply->candidates[2].parts.at(0).kind, PartKind::refusal);
  EXPECT_EQ(reply->candidates[2].stop, StopReason::content_filter);
  EXPECT_EQ(reply->candidates[3].parts.at(1).data, "BB");
  EXPECT_EQ(reply->candidates[3].parts.at(2).text, "said");
  EXPECT_EQ(reply->candidates[3].stop, StopReason::other);
  EXPECT_EQ(reply->candidates[4].stop, StopReason::tool_use);
  EXPECT_EQ(reply->usage.input, 6);
  EXPECT_EQ(reply->usage.cache_read, 4);
  EXPECT_EQ(reply->usage.output, 20);
  EXPECT_EQ(reply->usage.reasoning, 5);
  EXPECT_EQ(reply->usage.service_tier, "priority");
}

TEST(OpenAiChatReply, AnAnswerWithoutChoicesIsNone) {
  for (const char* body : {"{}", R"({"choices":null})", R"({"choices":[]})", "[]", "3"}) {
    const auto reply = read_reply_text(Dialect::openai_chat, body);
    ASSERT_FALSE(reply) << body;
    EXPECT_EQ(reply.error().code(), ErrorCode::protocol_error) << body;
  }
}

TEST(OpenAiChatReply, WritesTheWholeAnswer) {
  Reply reply;
  reply.model = "claude";
  reply.candidates.resize(1);
  reply.candidates[0].parts = {
      {.kind = PartKind::thinking, .text = "t", .signature = "s", .origin = Dialect::openai_chat},
      {.kind = PartKind::redacted_thinking, .data = "d", .origin = Dialect::anthropic_messages},
      {.text = "a"},
      {.text = "b"},
      {.kind = PartKind::tool_call,
       .id = "i",
       .name = "f",
       .json = "",
       .signature = "g",
       .origin = Dialect::gemini}};
  reply.candidates[0].stop = StopReason::tool_use;
  reply.usage.output = 3;
  const std::string out =
      write_reply(Dialect::openai_chat, reply, {.model = "gpt", .request_id = "r", .now_s = 9});
  EXPECT_EQ(at(out, "id"), R"("chatcmpl-r")");
  EXPECT_EQ(at(out, "model"), R"("gpt")");
  EXPECT_EQ(at(out, "created"), "9");
  EXPECT_EQ(at(out, "choices"), canonical(R"([{"index":0,"logprobs":null,
    "finish_reason":"tool_calls","message":{"role":"assistant","content":"ab","refusal":null,
    "reasoning_content":"t","reasoning_details":[
      {"type":"reasoning.text","text":"t","signature":"s","index":0},
      {"type":"reasoning.encrypted","data":"weir1.a.d..d","index":1}],
    "tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{}"},
      "extra_content":{"google":{"thought_signature":"g"}}}]}}])"));
  EXPECT_EQ(at(out, "usage.completion_tokens"), "3");
}

TEST(OpenAiChatReply, FinishReasons) {
  struct {
    StopReason stop;
    const char* reason;
  } const table[] = {
      {StopReason::unset, "stop"},
      {StopReason::end_turn, "stop"},
      {StopReason::max_tokens, "length"},
      {StopReason::stop_sequence, "stop"},
      {StopReason::tool_use, "tool_calls"},
      {StopReason::content_filter, "content_filter"},
      {StopReason::refusal, "content_filter"},
      {StopReason::pause_turn, "stop"},
      {StopReason::context_window, "length"},
      {StopReason::malformed_tool_call, "stop"},
      {StopReason::other, "stop"},
  };
  for (const auto& row : table) {
    Reply reply;
    reply.candidates.resize(1);
    reply.candidates[0].stop = row.stop;
    EXPECT_EQ(at(write_reply(Dialect::openai_chat, reply, {}), "choices.0.finish_reason"),
              "\"" + std::string(row.reason) + "\"");
  }
}

}  // namespace
}  // namespace weir::dialect
