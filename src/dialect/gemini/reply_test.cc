#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dialect/gemini/gemini.h"
#include "dialect/recorded_replies.h"
#include "dialect/signature.h"
#include "dialect/translate.h"

namespace weir::dialect {
namespace {

Result<Reply> read_body(std::string_view body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  return read_reply(Dialect::gemini, document.root());
}

StreamEvents read_stream(Dialect dialect, std::string_view bytes) {
  StreamEvents events;
  const auto reader = make_stream_reader(dialect);
  SseReader sse;
  const auto sink = [&](const SseEvent& event) { reader->read(event, events); };
  EXPECT_TRUE(sse.feed(bytes, sink));
  EXPECT_TRUE(sse.finish(sink));
  reader->finish(events);
  return events;
}

std::string frames(const std::vector<std::string>& lines) {
  std::string bytes;
  for (const std::string& line : lines) bytes += "data: " + line + "\r\n\r\n";
  return bytes;
}

Reply build(const StreamEvents& events) {
  ReplyBuilder builder;
  for (const StreamEvent& event : events) builder.add(event);
  return builder.take();
}

std::string write_stream(Dialect dialect, const StreamEvents& events, const Context& context = {}) {
  std::string out;
  const auto writer = make_stream_writer(dialect, context);
  for (const StreamEvent& event : events) writer->write(event, out);
  return out;
}

bool ends_well(const StreamEvents& events) {
  return !events.empty() && events.back().kind == EventKind::end;
}

TEST(GeminiReply, FinishReasons) {
  struct Case {
    const char* reason;
    StopReason stop;
  };
  const Case cases[] = {
      {"STOP", StopReason::end_turn},
      {"MAX_TOKENS", StopReason::max_tokens},
      {"SAFETY", StopReason::content_filter},
      {"RECITATION", StopReason::content_filter},
      {"LANGUAGE", StopReason::content_filter},
      {"BLOCKLIST", StopReason::content_filter},
      {"PROHIBITED_CONTENT", StopReason::content_filter},
      {"SPII", StopReason::content_filter},
      {"IMAGE_SAFETY", StopReason::content_filter},
      {"MODEL_ARMOR", StopReason::content_filter},
      {"MALFORMED_FUNCTION_CALL", StopReason::malformed_tool_call},
      {"UNEXPECTED_TOOL_CALL", StopReason::malformed_tool_call},
      {"OTHER", StopReason::other},
      {"SOMETHING_NEW", StopReason::other},
      {"", StopReason::unset},
      {"FINISH_REASON_UNSPECIFIED", StopReason::unset},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.reason);
    const auto reply = read_body(
        std::string(R"({"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":")") +
        expected.reason + "\"}]}");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->candidates[0].stop, expected.stop);
  }
}

TEST(GeminiReply, CallsAreTheReasonWhereTheWordIsNotKnown) {
  const auto stop = [](std::string_view word) {
    const auto reply = read_body(fmt::format(
        R"({{"candidates":[{{"content":{{"parts":[{{"functionCall":{{"name":"f"}}}}]}},)"
        R"("finishReason":"{}"}}]}})",
        word));
    return reply ? reply->candidates[0].stop : StopReason::unset;
  };
  EXPECT_EQ(stop("STOP"), StopReason::tool_use);
  EXPECT_EQ(stop("FUNCTION_CALL"), StopReason::tool_use);
  EXPECT_EQ(stop("MAX_TOKENS"), StopReason::max_tokens);
  EXPECT_EQ(stop("OTHER"), StopReason::other);
}

TEST(GeminiReply, WholeAnswer) {
  const auto reply = read_body(R"({"candidates":[{"content":{"role":"model","parts":[
      {"text":"thinking","thought":true},{"text":"Hello "},{"text":"there"},
      {"functionCall":{"name":"f","args":{"a": [1, 2]}},"thoughtSignature":"c2ln"},
      {"functionCall":{"id":"own","name":"f"}},
      {"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"finishReason":"STOP"}],
    "usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":5,
      "thoughtsTokenCount":6,"totalTokenCount":21},
    "modelVersion":"gemini-3","responseId":"r1","createTime":"2026-05-04T20:01:02.264968Z"})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->id, "r1");
  EXPECT_EQ(reply->model, "gemini-3");
  EXPECT_EQ(reply->created, 1777924862);
  ASSERT_EQ(reply->candidates.size(), 1U);
  const Candidate& candidate = reply->candidates[0];
  EXPECT_EQ(candidate.stop, StopReason::tool_use);
  ASSERT_EQ(candidate.parts.size(), 5U);
  EXPECT_EQ(candidate.parts[0], (Part{.kind = PartKind::thinking, .text = "thinking"}));
  EXPECT_EQ(candidate.parts[1], (Part{.text = "Hello there"}));
  EXPECT_EQ(candidate.parts[2].json, R"({"a": [1, 2]})");
  EXPECT_EQ(candidate.parts[2].signature, "c2ln");
  EXPECT_TRUE(candidate.parts[2].id.starts_with("call_")) << candidate.parts[2].id;
  EXPECT_EQ(candidate.parts[3],
            (Part{.kind = PartKind::tool_call, .id = "own", .name = "f", .json = "{}"}));
  EXPECT_EQ(candidate.parts[4],
            (Part{.kind = PartKind::image, .media_type = "image/png", .data = "AAAA"}));
  EXPECT_EQ(reply->usage,
            (Usage{.input = 6, .cache_read = 4, .output = 11, .reasoning = 6, .reported = true}));
}

TEST(GeminiReply, IdsAreStableAndTellAnswersApart) {
  const auto id_of = [](const char* response_id) {
    const auto reply = read_body(
        std::string(R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}},)"
                    R"({"functionCall":{"name":"f"}}]}}],"responseId":")") +
        response_id + "\"}");
    return std::pair(reply->candidates[0].parts[0].id, reply->candidates[0].parts[1].id);
  };
  EXPECT_EQ(id_of("r1"), id_of("r1"));
  EXPECT_NE(id_of("r1").first, id_of("r1").second);
  EXPECT_NE(id_of("r1").first, id_of("r2").first);
  EXPECT_EQ(id_of("r1").first.size(), 29U);
}

TEST(GeminiReply, BlockedPrompt) {
  const std::string body =
      R"({"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3}})";
  const auto reply = read_body(body);
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->candidates.size(), 1U);
  EXPECT_EQ(reply->candidates[0].stop, StopReason::content_filter);
  EXPECT_EQ(reply->usage.input, 3);
  const StreamEvents events = read_stream(Dialect::gemini, frames({body}));
  EXPECT_TRUE(ends_well(events));
  EXPECT_EQ(build(events), *reply);
}

TEST(GeminiReply, EmptyAnswers) {
  const auto silent = read_body(R"({"usageMetadata":{"promptTokenCount":3},"responseId":"r"})");
  ASSERT_TRUE(silent);
  EXPECT_EQ(silent->candidates.size(), 1U);
  for (const char* body : {"{}", "3", "[]", R"("x")"}) {
    SCOPED_TRACE(body);
    const auto reply = read_body(body);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::protocol_error);
  }
}

TEST(GeminiReply, ArrayOfAStreamWithoutSse) {
  const auto reply = read_body(
      R"([{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"responseId":"r"},
          {"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}])");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->candidates[0].parts[0].text, "ab");
  EXPECT_EQ(reply->candidates[0].stop, StopReason::end_turn);
}

TEST(GeminiReply, LogprobsBothWays) {
  const auto reply = read_body(
      R"({"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP","logprobsResult":{
      "chosenCandidates":[{"token":"x","logProbability":-0.5}],
      "topCandidates":[{"candidates":[{"token":"x","logProbability":-0.5},{"token":"y","logProbability":-1.5}]}]}}]})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(
      reply->candidates[0].logprobs,
      R"({"content":[{"token":"x","logprob":-0.5,"bytes":null,"top_logprobs":[)"
      R"({"token":"x","logprob":-0.5,"bytes":null},{"token":"y","logprob":-1.5,"bytes":null}]}],)"
      R"("refusal":null})");
  const auto again = read_body(write_reply(Dialect::gemini, *reply, {}));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->candidates[0].logprobs, reply->candidates[0].logprobs);
}

TEST(GeminiReply, WriteReadRoundTrip) {
  Reply reply;
  reply.id = "r";
  reply.model = "m";
  reply.usage = {.input = 5, .cache_read = 2, .output = 9, .reasoning = 3, .reported = true};
  Candidate& first = reply.candidates.emplace_back();
  first.parts = {
      {.kind = PartKind::thinking, .text = "hm", .signature = "c2ln", .origin = Dialect::gemini},
      {.text = "a \"quoted\" \n é"},
      {.kind = PartKind::tool_call,
       .id = "i",
       .name = "f",
       .json = R"({"a":1})",
       .signature = "s",
       .origin = Dialect::gemini},
      {.kind = PartKind::image, .media_type = "image/png", .data = "AAAA"}};
  first.stop = StopReason::tool_use;
  Candidate& second = reply.candidates.emplace_back();
  second.parts = {{.text = "other"}};
  second.stop = StopReason::max_tokens;
  const auto again = read_body(write_reply(Dialect::gemini, reply, {}));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, reply);
  // And in pieces.
  const StreamEvents events =
      read_stream(Dialect::gemini, write_stream(Dialect::gemini, events_of(reply)));
  EXPECT_TRUE(ends_well(events));
  EXPECT_EQ(build(events), reply);
}

TEST(GeminiStream, FramesAsGoogleDoes) {
  Reply reply;
  reply.id = "r";
  reply.candidates.emplace_back().parts = {{.text = "Hi"}};
  reply.candidates[0].stop = StopReason::end_turn;
  reply.usage = {.input = 3, .output = 1, .reported = true};
  Context context;
  context.model = "shown";
  EXPECT_EQ(
      write_stream(Dialect::gemini, events_of(reply), context),
      R"(data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"modelVersion":"shown","responseId":"r"})"
      "\r\n\r\n"
      R"(data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1,"totalTokenCount":4},"modelVersion":"shown","responseId":"r"})"
      "\r\n\r\n");
}

TEST(GeminiStream, NothingFollowsAnError) {
  StreamEvents events(3);
  events[0].kind = EventKind::start;
  events[1].kind = EventKind::error;
  events[1].error = {.type = ApiErrorType::overloaded, .status = 529, .message = "busy"};
  events[2].kind = EventKind::end;
  EXPECT_EQ(write_stream(Dialect::gemini, events),
            "data: {\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}"
            "\r\n\r\n");
}

TEST(GeminiStream, ErrorsEndIt) {
  const std::string text = R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}]})";
  struct Case {
    const char* what;
    std::string bytes;
    ApiErrorType type;
  };
  const Case cases[] = {
      {"told",
       frames(
           {text, R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}})", text}),
       ApiErrorType::rate_limit},
      {"garbage", frames({text, "{oops", text}), ApiErrorType::server},
      {"cut off", frames({text}), ApiErrorType::unavailable},
      {"nothing", "", ApiErrorType::unavailable},
      {"torn event", frames({text}) + R"(data: {"candidates":[{"fini)", ApiErrorType::server},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    const StreamEvents events = read_stream(Dialect::gemini, expected.bytes);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back().kind, EventKind::error);
    EXPECT_EQ(events.back().error.type, expected.type);
    for (const StreamEvent& event : events) EXPECT_NE(event.kind, EventKind::finish);
  }
}

TEST(GeminiStream, UsageIsTheLatest) {
  const auto chunk = [](int prompt, int cached, int out) {
    return R"({"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":)" +
           std::to_string(prompt) + ",\"cachedContentTokenCount\":" + std::to_string(cached) +
           ",\"candidatesTokenCount\":" + std::to_string(out) + "}}";
  };
  const StreamEvents events =
      read_stream(Dialect::gemini, frames({chunk(10, 4, 1), chunk(10, 4, 9)}));
  EXPECT_EQ(build(events).usage,
            (Usage{.input = 6, .cache_read = 4, .output = 9, .reported = true}));
}

TEST(GeminiStream, ArgumentsInPieces) {
  const auto part = [](const std::string& call) {
    return R"({"candidates":[{"content":{"parts":[{"functionCall":)" + call + "}]}}]}";
  };
  struct Case {
    const char* what;
    std::vector<std::string> calls;
    std::vector<std::string> args;
  };
  const Case cases[] = {
      {"strings in pieces, all kinds of values",
       {R"({"name":"f","willContinue":true})",
        R"({"partialArgs":[{"jsonPath":"$.a","stringValue":"x\"","willContinue":true}],"willContinue":true})",
        R"({"partialArgs":[{"jsonPath":"$.a","stringValue":"y"}],"willContinue":true})",
        R"({"partialArgs":[{"jsonPath":"$['b c'][1].d","numberValue":1.50},{"jsonPath":"$.e","boolValue":true},{"jsonPath":"$.n","nullValue":"NULL_VALUE"}],"willContinue":true})",
        "{}"},
       {R"({"a":"x\"y","b c":[null,{"d":1.50}],"e":true,"n":null})"}},
      {"no end marker before the next call",
       {R"({"name":"f","willContinue":true})",
        R"({"partialArgs":[{"jsonPath":"$.a","numberValue":1}]})", R"({"name":"g"})"},
       {R"({"a":1})", "{}"}},
      {"no end marker at all",
       {R"({"name":"f","willContinue":true})",
        R"({"partialArgs":[{"jsonPath":"$.a","numberValue":1}],"willContinue":true})"},
       {R"({"a":1})"}},
      {"hostile paths",
       {R"({"name":"f","willContinue":true})",
        R"({"partialArgs":[{"jsonPath":"$","stringValue":"x"},{"jsonPath":"","stringValue":"x"},{"jsonPath":"$[","numberValue":1},{"jsonPath":"$.a[999999999]","numberValue":1},{"jsonPath":"$.ok","numberValue":2},{"jsonPath":"$.ok.deeper","numberValue":3}]})"},
       {R"({"a":[],"ok":2})"}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    std::vector<std::string> lines;
    for (const std::string& call : expected.calls) lines.push_back(part(call));
    lines.emplace_back(R"({"candidates":[{"finishReason":"STOP"}]})");
    const StreamEvents events = read_stream(Dialect::gemini, frames(lines));
    EXPECT_TRUE(ends_well(events));
    const Reply reply = build(events);
    ASSERT_EQ(reply.candidates.size(), 1U);
    EXPECT_EQ(reply.candidates[0].stop, StopReason::tool_use);
    ASSERT_EQ(reply.candidates[0].parts.size(), expected.args.size());
    for (size_t i = 0; i < expected.args.size(); ++i) {
      EXPECT_EQ(reply.candidates[0].parts[i].json, expected.args[i]);
    }
  }
}

TEST(GeminiStream, Recorded) {
  size_t seen = 0;
  for (const recorded::Reply& recording : recorded::load(true)) {
    if (recording.dialect != Dialect::gemini) continue;
    SCOPED_TRACE(recording.name);
    ++seen;
    // Recordings of failures are for the relay meter.
    if (recording.lines.back().find("finishReason") == std::string::npos) continue;
    const StreamEvents events = read_stream(Dialect::gemini, frames(recording.lines));
    ASSERT_TRUE(ends_well(events));
    const Reply reply = build(events);
    ASSERT_FALSE(reply.candidates.empty());
    EXPECT_NE(reply.candidates[0].stop, StopReason::unset);
    EXPECT_TRUE(reply.usage.reported);
    for (const Part& part : reply.candidates[0].parts) {
      if (part.kind != PartKind::tool_call) continue;
      json::Document document;
      EXPECT_TRUE(document.parse(part.json)) << part.json;
      EXPECT_FALSE(part.id.empty());
    }
    // Cut off behind any event but the last, it is no answer.
    std::vector<std::string> lines = recording.lines;
    while (!lines.empty() && lines.back().find("finishReason") != std::string::npos) {
      lines.pop_back();
    }
    EXPECT_FALSE(ends_well(read_stream(Dialect::gemini, frames(lines))));
    // gemini -> gemini, in pieces and whole.
    const StreamEvents again =
        read_stream(Dialect::gemini, write_stream(Dialect::gemini, events_of(reply)));
    EXPECT_EQ(build(again).candidates, reply.candidates);
    const auto whole = read_body(write_reply(Dialect::gemini, reply, {}));
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->candidates, reply.candidates);
    EXPECT_EQ(whole->usage.total_output(), reply.usage.total_output());
    // Through the other dialects and back: what a client saw is what it would have seen.
    for (const Dialect other : {Dialect::openai_chat, Dialect::anthropic_messages}) {
      if (make_stream_writer(other, {}) == nullptr) continue;
      SCOPED_TRACE(to_string(other));
      const Reply there = build(read_stream(other, write_stream(other, events)));
      ASSERT_EQ(there.candidates.size(), reply.candidates.size());
      const auto& got = there.candidates[0];
      const StopReason stop = reply.candidates[0].stop;
      if (stop == StopReason::end_turn || stop == StopReason::max_tokens ||
          stop == StopReason::tool_use) {
        EXPECT_EQ(got.stop, stop);
      }
      EXPECT_EQ(there.usage.total_input(), reply.usage.total_input());
      EXPECT_EQ(there.usage.total_output(), reply.usage.total_output());
      std::vector<Part> calls, got_calls;
      std::string text, got_text;
      for (const Part& part : reply.candidates[0].parts) {
        if (part.kind == PartKind::tool_call) calls.push_back(part);
        if (part.kind == PartKind::text) text += part.text;
      }
      for (const Part& part : got.parts) {
        if (part.kind == PartKind::tool_call) got_calls.push_back(part);
        if (part.kind == PartKind::text) got_text += part.text;
      }
      EXPECT_EQ(got_text, text);
      ASSERT_EQ(got_calls.size(), calls.size());
      for (size_t i = 0; i < calls.size(); ++i) {
        EXPECT_EQ(read_call_id(got_calls[i].id).id, calls[i].id);
        EXPECT_EQ(got_calls[i].name, calls[i].name);
        EXPECT_EQ(got_calls[i].json, calls[i].json);
      }
    }
  }
  if (seen == 0) GTEST_SKIP() << "no recorded replies at " << recorded::folder();
}

TEST(GeminiStream, RecordedCallsByHand) {
  for (const recorded::Reply& recording : recorded::load(true)) {
    if (recording.name !=
            "google/google-stream-tool-call-array-arguments-missing-terminal-"
            "function-call.chunks.txt" &&
        recording.name != "google/google-stream-no-args-tool-call.chunks.txt") {
      continue;
    }
    SCOPED_TRACE(recording.name);
    const Reply reply = build(read_stream(Dialect::gemini, frames(recording.lines)));
    std::vector<std::string> calls;
    for (const Part& part : reply.candidates[0].parts) {
      if (part.kind == PartKind::tool_call) calls.push_back(part.name + part.json);
    }
    if (recording.name.find("no-args") != std::string::npos) {
      EXPECT_EQ(calls,
                (std::vector<std::string>{"read_theme{}", R"(read_screen{"id":"A"})",
                                          R"(read_screen{"id":"B"})", R"(read_screen{"id":"C"})"}));
    } else {
      EXPECT_EQ(
          calls,
          (std::vector<std::string>{
              R"(writeItems{"operations":[{"action":"add","description":"Fresh red apple","itemid":"apple_001","price":0.5},)"
              R"({"action":"add","description":"Ripe yellow banana","itemid":"banana_001","price":0.3}]})"}));
    }
  }
}

}  // namespace
}  // namespace weir::dialect
