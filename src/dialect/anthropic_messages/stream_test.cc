// Anthropic answers, whole and streamed: what servers send, and the event ladder that SDKs accept.
#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;
using Lines = std::vector<std::string>;

std::string stream(std::initializer_list<std::string_view> events) {
  std::string bytes;
  for (const std::string_view data : events) {
    const std::string type = at(data, "type");
    append_sse(bytes, type.size() > 2 ? type.substr(1, type.size() - 2) : "", data);
  }
  return bytes;
}

Lines events(std::string_view bytes) {
  return summary(read_stream(Dialect::anthropic_messages, bytes));
}

constexpr const char* kStart =
    R"({"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":3}}})";
constexpr const char* kEndTurn =
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}})";
constexpr const char* kStop = R"({"type":"message_stop"})";

TEST(AnthropicStream, TextWithPingsAndUnknowns) {
  EXPECT_EQ(
      events(stream(
          {kStart, R"({"type":"ping"})",
           R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
           R"({"type":"event_of_2030"})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"delta_of_2030"}})",
           R"({"type":"content_block_stop","index":0})", kEndTurn, kStop})),
      (Lines{"start m", "usage 3 0", "ping", "part text", "text a", "part_end", "usage 3 4",
             "finish 1", "end"}));
}

TEST(AnthropicStream, BlocksOfEveryKind) {
  EXPECT_EQ(
      events(stream(
          {kStart,
           R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}})",
           R"({"type":"content_block_stop","index":0})",
           R"({"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"d"}})",
           R"({"type":"content_block_stop","index":1})",
           R"({"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"x","name":"web_search","input":{}}})",
           R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}})",
           R"({"type":"content_block_stop","index":2})",
           R"({"type":"content_block_start","index":3,"content_block":{"type":"web_search_tool_result","content":[]}})",
           R"({"type":"content_block_stop","index":3})",
           R"({"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}})",
           R"({"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}})",
           R"({"type":"content_block_stop","index":4})",
           R"({"type":"content_block_start","index":5,"content_block":{"type":"tool_use","id":"u","name":"g","input":{}}})",
           R"({"type":"content_block_delta","index":5,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}})",
           R"({"type":"content_block_delta","index":5,"delta":{"type":"input_json_delta","partial_json":"1}"}})",
           R"({"type":"content_block_stop","index":5})",
           R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})",
           kStop})),
      (Lines{"start m",
             "usage 3 0",
             "part thinking",
             "text hm",
             "signature s",
             "part_end",
             "part redacted_thinking",
             "data d",
             "part_end",
             "part native x server_tool_use",
             R"(args {"type":"server_tool_use","id":"x","name":"web_search","input":{}})",
             "part_end",
             "part native",
             R"(args {"type":"web_search_tool_result","content":[]})",
             "part_end",
             "part tool_call t f",
             "part_end",
             "part tool_call u g",
             "args {\"a\":",
             "args 1}",
             "part_end",
             "finish 4",
             "end"}));
}

TEST(AnthropicStream, CompatibleServers) {
  struct {
    const char* what;
    std::string bytes;
    Lines expected;
  } const table[] = {
      {"input and cache only in message_delta",
       stream(
           {R"({"type":"message_start","message":{"id":"m","usage":{"input_tokens":0}}})",
            R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}})",
            R"({"type":"content_block_stop","index":0})",
            R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":)"
            R"({"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":2}})",
            kStop}),
       {"start m", "usage 0 0", "part text", "text a", "part_end", "usage 12 2", "finish 1",
        "end"}},
      {"message_start twice",
       stream(
           {kStart, kStart,
            R"({"type":"content_block_start","index":0,"content_block":{"type":"text"}})",
            R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})",
            R"({"type":"content_block_stop","index":0})", kEndTurn, kStop}),
       {"start m", "usage 3 0", "part text", "text a", "part_end", "usage 3 4", "finish 1", "end"}},
      {"whole input at the start",
       stream(
           {kStart,
            R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}})",
            R"({"type":"content_block_stop","index":0})", kEndTurn, kStop}),
       {"start m", "usage 3 0", "part tool_call t f", "args {\"a\":1}", "part_end", "usage 3 4",
        "finish 1", "end"}},
      {"input at the start and again in deltas",
       stream(
           {kStart,
            R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}})",
            R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}})",
            R"({"type":"content_block_stop","index":0})", kEndTurn, kStop}),
       {"start m", "usage 3 0", "part tool_call t f", "args {\"a\":1}", "part_end", "usage 3 4",
        "finish 1", "end"}},
      {"no starts and stops of blocks",
       stream(
           {kStart,
            R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"t"}})",
            R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}})",
            kEndTurn, kStop}),
       {"start m", "usage 3 0", "part thinking", "text t", "part_end", "part text", "text a",
        "usage 3 4", "part_end", "finish 1", "end"}},
      {"no stop before the next start",
       stream(
           {kStart,
            R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}})",
            R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":"b"}})",
            kEndTurn, kStop}),
       {"start m", "usage 3 0", "part text", "text a", "part_end", "part text", "text b",
        "usage 3 4", "part_end", "finish 1", "end"}},
  };
  for (const auto& row : table) EXPECT_EQ(events(row.bytes), row.expected) << row.what;
}

TEST(AnthropicStream, HourWritesAreNotCountedTwice) {
  const Reply reply = build(read_stream(
      Dialect::anthropic_messages,
      stream({R"({"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,)"
              R"("cache_creation_input_tokens":10,"cache_creation":)"
              R"({"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}}})",
              R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":)"
              R"({"input_tokens":1,"cache_creation_input_tokens":10,"output_tokens":2}})",
              kStop})));
  EXPECT_EQ(reply.usage.cache_write_5m, 4);
  EXPECT_EQ(reply.usage.cache_write_1h, 6);
  EXPECT_EQ(reply.usage.total_input(), 11);
}

TEST(AnthropicStream, TheJsonToolIsTheAnswer) {
  EXPECT_EQ(
      events(stream(
          {kStart,
           R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"weir_json_response","input":{}}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}})",
           R"({"type":"content_block_stop","index":0})",
           R"({"type":"message_delta","delta":{"stop_reason":"tool_use"}})", kStop})),
      (Lines{"start m", "usage 3 0", "part text", "text {\"a\":1}", "part_end", "finish 1",
             "end"}));
  const auto whole = read_reply_text(Dialect::anthropic_messages,
                                     R"({"id":"m","stop_reason":"tool_use","content":[
    {"type":"tool_use","id":"t","name":"weir_json_response","input":{"a": 1}}]})");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->candidates[0].parts.at(0), (Part{.text = R"({"a":1})"}));
  EXPECT_EQ(whole->candidates[0].stop, StopReason::end_turn);
}

TEST(AnthropicStream, EndsThatAreNone) {
  struct {
    const char* what;
    std::string bytes;
    const char* code;
  } const table[] = {
      {"nothing", "", "stream_truncated"},
      {"no message_stop", stream({kStart, kEndTurn}), "stream_truncated"},
      {"only message_stop", stream({kStop}), "stream_empty"},
      {"not JSON", "event: ping\ndata: oops\n\n", "malformed_event"},
      {"another message inside",
       stream({kStart, R"({"type":"message_start","message":{"id":"n"}})", kEndTurn, kStop}),
       "stream_spliced"},
  };
  for (const auto& row : table) {
    const StreamEvents read = read_stream(Dialect::anthropic_messages, row.bytes);
    ASSERT_FALSE(read.empty()) << row.what;
    EXPECT_EQ(read.back().kind, EventKind::error) << row.what;
    EXPECT_EQ(read.back().error.code, row.code) << row.what;
  }
}

TEST(AnthropicStream, ErrorsInside) {
  const StreamEvents read = read_stream(
      Dialect::anthropic_messages,
      stream({kStart,
              R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
              kEndTurn, kStop}));
  ASSERT_NE(error_of(read), nullptr);
  EXPECT_EQ(error_of(read)->type, ApiErrorType::overloaded);
  EXPECT_EQ(error_of(read)->message, "Overloaded");
  EXPECT_EQ(read.back().kind, EventKind::error);
}

TEST(AnthropicStream, StopReasonsBothWays) {
  struct {
    const char* reason;
    StopReason stop;
  } const table[] = {
      {"end_turn", StopReason::end_turn},
      {"max_tokens", StopReason::max_tokens},
      {"stop_sequence", StopReason::stop_sequence},
      {"tool_use", StopReason::tool_use},
      {"pause_turn", StopReason::pause_turn},
      {"refusal", StopReason::refusal},
      {"model_context_window_exceeded", StopReason::context_window},
  };
  for (const auto& row : table) {
    const auto reply = read_reply_text(
        Dialect::anthropic_messages,
        R"({"id":"m","content":[{"type":"tool_use","id":"t","name":"f","input":{}}],"stop_reason":")" +
            std::string(row.reason) + R"("})");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->candidates[0].stop, row.stop) << row.reason;
    EXPECT_EQ(at(write_reply(Dialect::anthropic_messages, *reply, {}), "stop_reason"),
              "\"" + std::string(row.reason) + "\"");
  }
  struct {
    StopReason stop;
    const char* reason;
  } const writes[] = {{StopReason::content_filter, R"("refusal")"},
                      {StopReason::malformed_tool_call, R"("end_turn")"},
                      {StopReason::other, R"("end_turn")"},
                      {StopReason::unset, R"("end_turn")"}};
  for (const auto& row : writes) {
    Reply reply;
    reply.candidates.resize(1);
    reply.candidates[0].stop = row.stop;
    EXPECT_EQ(at(write_reply(Dialect::anthropic_messages, reply, {}), "stop_reason"), row.reason);
  }
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

StreamEvent signature(std::string_view text, Dialect origin) {
  StreamEvent out = event(EventKind::signature, text);
  out.origin = origin;
  return out;
}

TEST(AnthropicStream, WritesTheLadderOfTheSdks) {
  StreamEvent redacted = part(PartKind::redacted_thinking);
  redacted.origin = Dialect::anthropic_messages;
  StreamEvent start = event(EventKind::start);
  start.id = "chatcmpl-1";
  start.name = "gpt";
  StreamEvent usage = event(EventKind::usage);
  usage.usage.input = 3;
  usage.usage.cache_read = 4;
  usage.usage.output = 6;
  StreamEvent finish = event(EventKind::finish);
  finish.stop = StopReason::tool_use;
  const StreamEvents in = {
      start,
      part(PartKind::thinking),
      event(EventKind::text_delta, "hm"),
      signature("s", Dialect::anthropic_messages),
      event(EventKind::part_end),
      redacted,
      event(EventKind::data, "d"),
      event(EventKind::part_end),
      part(PartKind::text),
      event(EventKind::text_delta, "hi"),
      event(EventKind::ping),
      event(EventKind::part_end),
      part(PartKind::image),
      event(EventKind::data, "AAAA"),
      event(EventKind::part_end),
      part(PartKind::tool_call, "call_1", "f"),
      signature("c2ln", Dialect::gemini),
      event(EventKind::part_end),
      part(PartKind::tool_call, "call_2", "g"),
      event(EventKind::args_delta, "{\"a\":1}"),
      event(EventKind::part_end),
      finish,
      usage,
      event(EventKind::end),
  };
  const auto out = written_events(
      write_stream(Dialect::anthropic_messages, in, {.model = "claude", .request_id = "r"}));
  const std::vector<Written> expected = {
      {"message_start",
       R"({"message":{"content":[],"id":"chatcmpl-1","model":"claude","role":"assistant",)"
       R"("stop_reason":null,"stop_sequence":null,"type":"message","usage":{"cache_creation":)"
       R"({"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":0},)"
       R"("cache_creation_input_tokens":0,"cache_read_input_tokens":0,"input_tokens":0,)"
       R"("output_tokens":0}},"type":"message_start"})"},
      {"content_block_start",
       R"({"content_block":{"signature":"","thinking":"","type":"thinking"},"index":0,"type":"content_block_start"})"},
      {"content_block_delta",
       R"({"delta":{"thinking":"hm","type":"thinking_delta"},"index":0,"type":"content_block_delta"})"},
      {"content_block_delta",
       R"({"delta":{"signature":"s","type":"signature_delta"},"index":0,"type":"content_block_delta"})"},
      {"content_block_stop", R"({"index":0,"type":"content_block_stop"})"},
      {"content_block_start",
       R"({"content_block":{"data":"d","type":"redacted_thinking"},"index":1,"type":"content_block_start"})"},
      {"content_block_stop", R"({"index":1,"type":"content_block_stop"})"},
      {"content_block_start",
       R"({"content_block":{"text":"","type":"text"},"index":2,"type":"content_block_start"})"},
      {"content_block_delta",
       R"({"delta":{"text":"hi","type":"text_delta"},"index":2,"type":"content_block_delta"})"},
      {"ping", R"({"type":"ping"})"},
      {"content_block_stop", R"({"index":2,"type":"content_block_stop"})"},
      {"content_block_start",
       R"({"content_block":{"id":")" + call_id_with("call_1", Dialect::gemini, "c2ln") +
           R"(","input":{},"name":"f","type":"tool_use"},"index":3,"type":"content_block_start"})"},
      {"content_block_stop", R"({"index":3,"type":"content_block_stop"})"},
      {"content_block_start",
       R"({"content_block":{"id":"call_2","input":{},"name":"g","type":"tool_use"},"index":4,"type":"content_block_start"})"},
      {"content_block_delta",
       R"({"delta":{"partial_json":"{\"a\":1}","type":"input_json_delta"},"index":4,"type":"content_block_delta"})"},
      {"content_block_stop", R"({"index":4,"type":"content_block_stop"})"},
      {"message_delta",
       R"({"delta":{"stop_reason":"tool_use","stop_sequence":null},"type":"message_delta","usage":)"
       R"({"cache_creation":{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":0},)"
       R"("cache_creation_input_tokens":0,"cache_read_input_tokens":4,"input_tokens":3,)"
       R"("output_tokens":6}})"},
      {"message_stop", R"({"type":"message_stop"})"},
  };
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].event, expected[i].event) << i;
    EXPECT_EQ(canonical(out[i].data), expected[i].data) << i;
  }
}

TEST(AnthropicStream, MessageStartTellsUsageThatCameAtOnce) {
  StreamEvent usage = event(EventKind::usage);
  usage.usage.input = 9;
  const auto out = written_events(
      write_stream(Dialect::anthropic_messages,
                   {event(EventKind::start), usage, part(PartKind::text), event(EventKind::end)},
                   {.request_id = "r"}));
  EXPECT_EQ(at(out[0].data, "message.usage.input_tokens"), "9");
  EXPECT_EQ(at(out[0].data, "message.id"), R"("msg_r")");
  EXPECT_EQ(out.back().event, "message_stop");
}

TEST(AnthropicStream, NothingFollowsAnError) {
  StreamEvent error = event(EventKind::error);
  error.error.type = ApiErrorType::overloaded;
  error.error.message = "broke";
  for (const bool early : {true, false}) {
    StreamEvents in = {event(EventKind::start)};
    if (!early) in.push_back(part(PartKind::text));
    in.insert(in.end(), {error, event(EventKind::part_end), event(EventKind::end)});
    const auto out = written_events(write_stream(Dialect::anthropic_messages, in));
    EXPECT_EQ(out.back().event, "error") << early;
    EXPECT_EQ(at(out.back().data, "error.type"), R"("overloaded_error")") << early;
  }
}

TEST(AnthropicReply, ReadsAndWritesTheWholeAnswer) {
  constexpr std::string_view kBody = R"({"id":"m","type":"message","role":"assistant","model":"c",
    "content":[{"type":"thinking","thinking":"t","signature":"s"},
      {"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"},
      {"type":"tool_use","id":"toolu_1","name":"f","input":{"x":1.50}}],
    "stop_reason":"tool_use","stop_sequence":null,
    "usage":{"input_tokens":1,"cache_creation_input_tokens":5,"cache_read_input_tokens":3,
      "cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3},
      "output_tokens":7,"output_tokens_details":{"thinking_tokens":2},
      "server_tool_use":{"web_search_requests":1},"service_tier":"priority"}})";
  const auto reply = read_reply_text(Dialect::anthropic_messages, kBody);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->usage.reasoning, 2);
  EXPECT_EQ(reply->usage.total_input(), 9);
  EXPECT_EQ(canonical(write_reply(Dialect::anthropic_messages, *reply, {})), canonical(kBody));
}

TEST(AnthropicReply, AnAnswerWithoutContentIsNone) {
  for (const char* body : {"{}", R"({"content":"x"})", "[]"}) {
    const auto reply = read_reply_text(Dialect::anthropic_messages, body);
    ASSERT_FALSE(reply) << body;
    EXPECT_EQ(reply.error().code(), ErrorCode::protocol_error) << body;
  }
  // A refusal before the first word is an answer.
  EXPECT_TRUE(
      read_reply_text(Dialect::anthropic_messages, R"({"content":[],"stop_reason":"refusal"})"));
}

}  // namespace
}  // namespace weir::dialect
