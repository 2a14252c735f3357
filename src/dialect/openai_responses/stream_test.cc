#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;

constexpr Dialect kOwn = Dialect::openai_responses;
using Lines = std::vector<std::string>;

StreamEvents chat_text(const std::string& text) {
  Reply reply{.id = "resp_1", .model = "m", .created = 7};
  reply.candidates.push_back({.parts = {{.text = text}}, .stop = StopReason::end_turn});
  reply.usage.input = 3;
  reply.usage.cache_read = 2;
  reply.usage.output = 4;
  reply.usage.reasoning = 1;
  reply.usage.reported = true;
  return events_of(reply);
}

StreamEvents events_of_parts(std::vector<Part> parts, StopReason stop = StopReason::end_turn) {
  Reply reply{.id = "resp_1", .model = "m", .created = 7};
  reply.candidates.push_back({.parts = std::move(parts), .stop = stop});
  return events_of(reply);
}

Lines types(const std::vector<Written>& events) {
  Lines out;
  for (const Written& event : events) {
    EXPECT_EQ(at(event.data, "type"), "\"" + event.event + "\"");
    EXPECT_EQ(at(event.data, "sequence_number"), std::to_string(out.size())) << event.data;
    out.push_back(event.event);
  }
  return out;
}

std::vector<Written> written(const StreamEvents& events, const Conversation* asked = nullptr) {
  return written_events(write_stream(kOwn, events, {.now_s = 9, .asked = asked}));
}

// --- the ladder ---

TEST(ResponsesStream, TheLadderOfAText) {
  const auto events = written(chat_text("hi"));
  EXPECT_EQ(types(events),
            (Lines{"response.created", "response.in_progress", "response.output_item.added",
                   "response.content_part.added", "response.output_text.delta",
                   "response.output_text.done", "response.content_part.done",
                   "response.output_item.done", "response.completed"}));
  EXPECT_EQ(at(events[0].data, "response.status"), R"("in_progress")");
  EXPECT_EQ(at(events[0].data, "response.usage"), "null");
  EXPECT_EQ(at(events[0].data, "response.output"), "[]");
  EXPECT_EQ(canonical(events[2].data),
            canonical(R"({"type":"response.output_item.added","sequence_number":2,
              "output_index":0,"item":{"id":"msg_1_0","type":"message",
              "status":"in_progress","content":[],"role":"assistant"}})"));
  EXPECT_EQ(canonical(events[4].data),
            canonical(R"({"type":"response.output_text.delta","sequence_number":4,
              "item_id":"msg_1_0","output_index":0,"content_index":0,"delta":"hi",
              "logprobs":[]})"));
  EXPECT_EQ(canonical(events[7].data),
            canonical(R"({"type":"response.output_item.done","sequence_number":7,
              "output_index":0,"item":{"id":"msg_1_0","type":"message",
              "status":"completed","role":"assistant","content":[{"type":"output_text",
              "text":"hi","annotations":[],"logprobs":[]}]}})"));
  const std::string& end = events[8].data;
  EXPECT_EQ(at(end, "response.output.0"), at(events[7].data, "item")) << "the whole output again";
  EXPECT_EQ(at(end, "response.status"), R"("completed")");
  EXPECT_EQ(at(end, "response.created_at"), "7");
  EXPECT_EQ(at(end, "response.usage"),
            canonical(R"({"input_tokens":5,"input_tokens_details":{"cached_tokens":2},
              "output_tokens":4,"output_tokens_details":{"reasoning_tokens":1},
              "total_tokens":9})"));
}

TEST(ResponsesStream, TheLadderOfACall) {
  const auto events = written(
      events_of_parts({{.kind = PartKind::tool_call, .id = "c1", .name = "f", .json = R"({"a":1})"},
                       {.kind = PartKind::tool_call, .id = "c2", .name = "f"}},
                      StopReason::tool_use));
  EXPECT_EQ(
      types(events),
      (Lines{"response.created", "response.in_progress", "response.output_item.added",
             "response.function_call_arguments.delta", "response.function_call_arguments.done",
             "response.output_item.done", "response.output_item.added",
             "response.function_call_arguments.delta", "response.function_call_arguments.done",
             "response.output_item.done", "response.completed"}));
  EXPECT_EQ(at(events[2].data, "item.arguments"), R"("")");
  EXPECT_EQ(at(events[2].data, "item.status"), R"("in_progress")");
  EXPECT_EQ(at(events[4].data, "name"), R"("f")");
  EXPECT_EQ(canonical(at(events[5].data, "item")),
            canonical(R"({"id":"fc_1_0","type":"function_call","status":"completed",
              "arguments":"{\"a\":1}","call_id":"c1","name":"f"})"));
  EXPECT_EQ(at(events[9].data, "item.arguments"), R"("{}")") << "nothing is no JSON";
  EXPECT_EQ(at(events[9].data, "output_index"), "1");
}

TEST(ResponsesStream, TheLadderOfReasoning) {
  Part thinking{.kind = PartKind::thinking, .text = "hm"};
  thinking.signature = "sig";
  thinking.origin = Dialect::anthropic_messages;
  const auto events = written(events_of_parts({thinking, {.text = "x"}}));
  EXPECT_EQ(Lines(types(events)).at(2), "response.output_item.added");
  const Lines ladder = types(events);
  EXPECT_EQ(Lines(ladder.begin() + 2, ladder.begin() + 8),
            (Lines{"response.output_item.added", "response.reasoning_summary_part.added",
                   "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
                   "response.reasoning_summary_part.done", "response.output_item.done"}));
  EXPECT_EQ(at(events[7].data, "item.summary.0.text"), R"("hm")");
  EXPECT_EQ(at(events[7].data, "item.encrypted_content"), R"("weir1.a.s..sig")")
      << "marked with its maker";
  // And back: the same part.
  const Reply back = build(read_stream(kOwn, write_stream(kOwn, events_of_parts({thinking}))));
  const Part& got = back.candidates[0].parts[0];
  EXPECT_EQ(got.text, "hm");
  EXPECT_EQ(got.signature, "sig");
  EXPECT_EQ(got.origin, Dialect::anthropic_messages);
}

TEST(ResponsesStream, ReasoningThatNobodySignedIsMarkedToo) {
  const Part thinking{.kind = PartKind::thinking, .text = "hm"};
  const std::string bytes = write_stream(kOwn, events_of_parts({thinking}));
  const auto events = written_events(bytes);
  EXPECT_EQ(at(events.back().data, "response.output.0.encrypted_content"), R"("weir1.c.s..-")");
  EXPECT_EQ(build(read_stream(kOwn, bytes)).candidates[0].parts[0].signature, "");
}

TEST(ResponsesStream, ARefusalAndWhatBacksAText) {
  Part text{.text = "héllo"};
  text.citations.push_back({.url = "https://a", .title = "A"});
  const auto events = written(events_of_parts({text, {.kind = PartKind::refusal, .text = "no"}}));
  const Lines ladder = types(events);
  EXPECT_EQ(
      Lines(ladder.begin() + 2, ladder.end()),
      (Lines{"response.output_item.added", "response.content_part.added",
             "response.output_text.delta", "response.output_text.annotation.added",
             "response.output_text.done", "response.content_part.done",
             "response.content_part.added", "response.refusal.delta", "response.refusal.done",
             "response.content_part.done", "response.output_item.done", "response.completed"}));
  EXPECT_EQ(canonical(at(events[5].data, "annotation")),
            canonical(R"({"type":"url_citation","url":"https://a","title":"A","start_index":0,
              "end_index":5})"))
      << "positions count characters";
  EXPECT_EQ(at(events[12].data, "item.content.1"), R"({"refusal":"no","type":"refusal"})");
}

// Anthropic cuts a text that it cites into blocks.
TEST(ResponsesStream, TextsThatFollowEachOtherAreOne) {
  const auto events = written(events_of_parts({{.text = "a"}, {.text = "b"}}));
  EXPECT_EQ(at(events.back().data, "response.output.0.content.0.text"), R"("ab")");
  EXPECT_EQ(at(events.back().data, "response.output.1"), "");
}

TEST(ResponsesStream, CallsAreToldInTheWordsOfTheirTool) {
  const auto asked = read_request_text(kOwn, R"({"model":"m","input":"x","tools":[
    {"type":"custom","name":"apply"},{"type":"local_shell"},
    {"type":"namespace","name":"mcp__fs","description":"","tools":[
      {"type":"function","name":"read","parameters":null,"strict":false}]}]})");
  ASSERT_TRUE(asked);
  const auto call = [&](std::string name, std::string json) {
    return written(events_of_parts({{.kind = PartKind::tool_call,
                                     .id = "c1",
                                     .name = std::move(name),
                                     .json = std::move(json)}},
                                   StopReason::tool_use),
                   &*asked);
  };
  // The function that stood for a custom tool.
  const auto custom = call("apply", R"({"input":"*** Begin\n"})");
  const Lines ladder = types(custom);
  EXPECT_EQ(Lines(ladder.begin() + 2, ladder.end()),
            (Lines{"response.output_item.added", "response.custom_tool_call_input.delta",
                   "response.custom_tool_call_input.done", "response.output_item.done",
                   "response.completed"}));
  EXPECT_EQ(canonical(at(custom[5].data, "item")),
            canonical(R"({"id":"ctc_1_0","type":"custom_tool_call","status":"completed",
              "call_id":"c1","name":"apply","input":"*** Begin\n"})"));
  const auto shell = call("local_shell", R"({"command":["ls","-l"],"timeout_ms":5})");
  EXPECT_EQ(types(shell).at(3), "response.output_item.done");
  EXPECT_EQ(canonical(at(shell[3].data, "item")),
            canonical(R"({"id":"lsh_1_0","type":"local_shell_call","status":"completed",
              "call_id":"c1","action":{"type":"exec","command":["ls","-l"],"env":{},
              "timeout_ms":5}})"));
  const auto line = call("local_shell", R"({"command":"ls -l"})");
  EXPECT_EQ(at(line[3].data, "item.action.command"), R"(["bash","-lc","ls -l"])");
  const auto spaced = call("mcp__fs__read", "{}");
  EXPECT_EQ(at(spaced.back().data, "response.output.0.name"), R"("read")");
  EXPECT_EQ(at(spaced.back().data, "response.output.0.namespace"), R"("mcp__fs")");
}

TEST(ResponsesStream, SignaturesOfCallsTravelInTheirIds) {
  Part call{.kind = PartKind::tool_call, .id = "c1", .name = "f", .json = "{}"};
  call.signature = "c2ln";
  call.origin = Dialect::gemini;
  const std::string bytes = write_stream(kOwn, events_of_parts({call}, StopReason::tool_use));
  const auto events = written_events(bytes);
  EXPECT_EQ(at(events[2].data, "item.call_id"), at(events[5].data, "item.call_id"));
  const Part back = build(read_stream(kOwn, bytes)).candidates[0].parts[0];
  EXPECT_EQ(back.id, "c1");
  EXPECT_EQ(back.signature, "c2ln");
  EXPECT_EQ(back.origin, Dialect::gemini);
}

TEST(ResponsesStream, PicturesAndOwnBlocksComeWhole) {
  Part image{.kind = PartKind::image, .media_type = "image/webp", .data = "aGk="};
  Part own{.kind = PartKind::native, .id = "ws_1", .name = "web_search_call"};
  own.json = R"({"type": "web_search_call", "id": "ws_1"})";
  own.origin = kOwn;
  Part foreign = own;
  foreign.origin = Dialect::anthropic_messages;
  const auto events = written(events_of_parts({image, own, foreign, {.text = "x"}}));
  const std::string& end = events.back().data;
  EXPECT_EQ(at(end, "response.output.0.result"), R"("aGk=")");
  EXPECT_EQ(at(end, "response.output.0.output_format"), R"("webp")");
  EXPECT_EQ(at(end, "response.output.1"), R"({"id":"ws_1","type":"web_search_call"})");
  EXPECT_EQ(at(end, "response.output.2.type"), R"("message")") << "what others ran is left out";
  EXPECT_EQ(at(end, "response.output.3"), "");
}

TEST(ResponsesStream, LogprobsStandOnTheirDelta) {
  Conversation asked;
  asked.logprobs = true;
  StreamEvents in;
  const auto add = [&](EventKind kind, std::string text = {}) {
    in.emplace_back().kind = kind;
    in.back().text = std::move(text);
  };
  add(EventKind::start);
  add(EventKind::part_start);
  add(EventKind::text_delta, "a");
  add(EventKind::logprobs, R"({"content":[{"token":"a","logprob":-1}],"refusal":null})");
  add(EventKind::text_delta, "b");
  add(EventKind::part_end);
  add(EventKind::end);
  const auto events = written(in, &asked);
  EXPECT_EQ(at(events[4].data, "logprobs.0.token"), R"("a")");
  EXPECT_EQ(at(events[5].data, "delta"), R"("b")");
  EXPECT_EQ(at(events[5].data, "logprobs"), "[]");
  EXPECT_EQ(at(events[6].data, "logprobs.0.token"), R"("a")");
}

TEST(ResponsesStream, HowAnAnswerEnds) {
  struct Case {
    StopReason stop;
    std::string_view type;
    std::string_view reason;
  };
  const Case cases[] = {
      {StopReason::end_turn, "response.completed", "null"},
      {StopReason::stop_sequence, "response.completed", "null"},
      {StopReason::tool_use, "response.completed", "null"},
      {StopReason::max_tokens, "response.incomplete", R"({"reason":"max_output_tokens"})"},
      {StopReason::context_window, "response.incomplete", R"({"reason":"max_output_tokens"})"},
      {StopReason::content_filter, "response.incomplete", R"({"reason":"content_filter"})"},
      {StopReason::refusal, "response.incomplete", R"({"reason":"content_filter"})"},
  };
  for (const Case& c : cases) {
    const auto events = written(events_of_parts({{.text = "x"}}, c.stop));
    EXPECT_EQ(events.back().event, c.type);
    EXPECT_EQ(at(events.back().data, "response.incomplete_details"), c.reason);
    const bool whole = c.reason == "null";
    EXPECT_EQ(at(events.back().data, "response.output.0.status"),
              whole ? R"("completed")" : R"("incomplete")");
  }
}

TEST(ResponsesStream, ItsIdIsWeirsOwn) {
  const std::string bytes = write_stream(kOwn, chat_text("x"), {.request_id = "req7"});
  EXPECT_EQ(at(written_events(bytes)[0].data, "response.id"), R"("resp_req7")");
}

TEST(ResponsesStream, AnErrorIsToldTwiceAndNothingBehind) {
  StreamEvents events = chat_text("hi");
  events.resize(3);
  events.emplace_back().kind = EventKind::error;
  events.back().error = {.type = ApiErrorType::rate_limit, .status = 429, .message = "slow"};
  events.emplace_back().kind = EventKind::end;
  const auto told = written(events);
  ASSERT_GE(told.size(), 2u);
  const auto& failed = told[told.size() - 2];
  EXPECT_EQ(failed.event, "response.failed");
  EXPECT_EQ(at(failed.data, "response.status"), R"("failed")");
  EXPECT_EQ(at(failed.data, "response.error.code"), R"("rate_limit_exceeded")");
  EXPECT_EQ(told.back().event, "error");
  EXPECT_EQ(at(told.back().data, "error.message"), R"("slow")");
  EXPECT_EQ(at(told.back().data, "sequence_number"), std::to_string(told.size() - 1));
}

TEST(ResponsesReply, RepeatsTheRequest) {
  const auto asked = read_request_text(kOwn, R"({"model":"m","input":"x","instructions":"i",
    "tools":[{"type":"web_search"}],"tool_choice":"required","temperature":0.5,"store":false,
    "metadata":{"k":"v"},"reasoning":{"effort":"low"},"max_output_tokens":9,
    "parallel_tool_calls":false,"text":{"format":{"type":"json_object"}},
    "previous_response_id":"resp_0","safety_identifier":"u"})");
  ASSERT_TRUE(asked);
  Reply reply{.id = "resp_1", .model = "m"};
  reply.candidates.push_back({.parts = {{.text = "{}"}}, .stop = StopReason::end_turn});
  const std::string body = write_reply(kOwn, reply, {.now_s = 5, .asked = &*asked});
  EXPECT_EQ(at(body, "object"), R"("response")");
  EXPECT_EQ(at(body, "created_at"), "5");
  EXPECT_EQ(at(body, "instructions"), R"("i")");
  EXPECT_EQ(at(body, "tools"), R"([{"type":"web_search"}])");
  EXPECT_EQ(at(body, "tool_choice"), R"("required")");
  EXPECT_EQ(at(body, "temperature"), "0.5");
  EXPECT_EQ(at(body, "top_p"), "null");
  EXPECT_EQ(at(body, "store"), "false");
  EXPECT_EQ(at(body, "metadata"), R"({"k":"v"})");
  EXPECT_EQ(at(body, "reasoning"), R"({"effort":"low","summary":null})");
  EXPECT_EQ(at(body, "max_output_tokens"), "9");
  EXPECT_EQ(at(body, "parallel_tool_calls"), "false");
  EXPECT_EQ(at(body, "text"), R"({"format":{"type":"json_object"}})");
  EXPECT_EQ(at(body, "previous_response_id"), R"("resp_0")");
  EXPECT_EQ(at(body, "safety_identifier"), R"("u")");
  // Without a request: the API's own defaults, and every member that SDKs declare.
  const std::string bare = write_reply(kOwn, reply, {});
  for (const char* name : {"error", "incomplete_details", "instructions", "metadata",
                           "parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p",
                           "usage", "reasoning", "text", "truncation", "user", "service_tier"}) {
    EXPECT_NE(at(bare, name), "") << name;
  }
}

TEST(ResponsesReply, WhatIsNoAnswerIsAnError) {
  EXPECT_FALSE(read_reply_text(kOwn, R"({"id":"x"})"));
  const auto failed = read_reply_text(
      kOwn, R"({"output":[],"status":"failed","error":{"code":"x","message":"boom"}})");
  ASSERT_FALSE(failed);
  EXPECT_NE(std::string(failed.error().message()).find("boom"), std::string::npos);
}

// --- reading ---

std::string event(std::string_view type, std::string_view rest) {
  return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"" +
         (rest.empty() ? "" : "," + std::string(rest)) + "}\n\n";
}
const std::string kCreated =
    event("response.created", R"("response":{"id":"resp_1","model":"m","created_at":5})");
std::string completed(std::string_view output = "[]") {
  return event("response.completed", R"("response":{"id":"resp_1","status":"completed","output":)" +
                                         std::string(output) +
                                         R"(,"usage":{"input_tokens":1,"output_tokens":2}})");
}

TEST(ResponsesStreamRead, DonesSayWhatDeltasDidNot) {
  const Lines expected = {
      "start resp_1",   "part text msg_1 ", "text ab",  "part_end",  "part tool_call c1 f",
      "args {\"a\":1}", "part_end",         "finish 4", "usage 1 2", "end"};
  const std::string message =
      R"({"type":"message","id":"msg_1","content":[{"type":"output_text","text":"ab"}]})";
  const std::string call =
      R"({"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"})";
  // Only the last event has the items; only the items' own ends; the ends of their contents.
  EXPECT_EQ(summary(read_stream(kOwn, kCreated + completed("[" + message + "," + call + "]"))),
            expected);
  EXPECT_EQ(
      summary(read_stream(
          kOwn, kCreated +
                    event("response.output_item.done", R"("output_index":0,"item":)" + message) +
                    event("response.output_item.done", R"("output_index":1,"item":)" + call) +
                    completed("[" + message + "," + call + "]"))),
      expected);
  EXPECT_EQ(
      summary(read_stream(
          kOwn,
          kCreated +
              event("response.output_item.added",
                    R"("output_index":0,"item":{"type":"message","id":"msg_1","content":[]})") +
              event("response.output_text.done",
                    R"("output_index":0,"content_index":0,"text":"ab")") +
              event("response.output_item.done", R"("output_index":0,"item":)" + message) +
              event(
                  "response.output_item.added",
                  R"("output_index":1,"item":{"type":"function_call","call_id":"c1","name":"f"})") +
              event("response.function_call_arguments.done",
                    R"("output_index":1,"arguments":"{\"a\":1}")") +
              completed())),
      expected);
}

std::string item_done(int index, std::string_view item) {
  return event("response.output_item.done",
               R"("output_index":)" + std::to_string(index) + R"(,"item":)" + std::string(item));
}
std::string message_item(std::string_view id, std::string_view text) {
  return R"({"type":"message","id":")" + std::string(id) +
         R"(","content":[{"type":"output_text","text":")" + std::string(text) + R"("}]})";
}

TEST(ResponsesStreamRead, TheFinalOutputIsNotToldAgain) {
  const std::string first = message_item("msg_1", "a");
  const std::string second = message_item("msg_2", "b");
  const auto text_of = [](const std::string& bytes) {
    std::string text;
    const Reply reply = build(read_stream(kOwn, bytes));
    for (const Part& part : reply.candidates.at(0).parts) {
      text += part.text;
    }
    return text;
  };
  // Places that are left out (OpenAI, of tools it does not show).
  EXPECT_EQ(text_of(kCreated + item_done(0, first) + item_done(2, second) +
                    completed("[" + first + "," + second + "]")),
            "ab");
  // Ids that are others in every event (GitHub Copilot).
  EXPECT_EQ(text_of(kCreated + item_done(0, message_item("x1", "a")) +
                    item_done(1, message_item("x2", "b")) +
                    completed("[" + message_item("y1", "a") + "," + message_item("y2", "b") + "]")),
            "ab");
}

TEST(ResponsesStreamRead, WhatWasToldStands) {
  const auto delta = [](std::string_view text) {
    return event("response.output_text.delta",
                 R"("output_index":0,"content_index":0,"delta":")" + std::string(text) + "\"");
  };
  const auto text_of = [&](std::string_view told, std::string_view whole) {
    const auto events = read_stream(
        kOwn, kCreated + delta(told) + item_done(0, message_item("msg_1", whole)) + completed());
    return build(events).candidates.at(0).parts.at(0).text;
  };
  EXPECT_EQ(text_of("ab", "abcd"), "abcd") << "the rest";
  EXPECT_EQ(text_of("ab", "xycd"), "ab") << "something else";
  EXPECT_EQ(text_of("ab", "a"), "ab");
}

TEST(ResponsesStreamRead, SearchesThatXaiRunsAreNoCallsOfTheClient) {
  const std::string search =
      R"({"type":"custom_tool_call","id":"ctc_1","call_id":"xs_call_1","name":"x_keyword_search",)"
      R"("input":"{}"})";
  const std::string added =
      event("response.output_item.added", R"("output_index":0,"item":)" + search);
  EXPECT_EQ(
      summary(read_stream(kOwn, kCreated + added + item_done(0, search) +
                                    item_done(1, message_item("msg_1", "a")) + completed())),
      (Lines{"start resp_1", "part native ctc_1 custom_tool_call", "args " + search, "part_end",
             "part text msg_1 ", "text a", "part_end", "finish 1", "usage 1 2", "end"}));
}

TEST(ResponsesStreamRead, InterleavedCallsAreToldOneAfterTheOther) {
  const auto added = [](int index, std::string_view id) {
    return event("response.output_item.added",
                 R"("output_index":)" + std::to_string(index) +
                     R"(,"item":{"type":"function_call","name":"f","call_id":")" + std::string(id) +
                     R"("})");
  };
  const auto delta = [](int index, std::string_view text) {
    return event(
        "response.function_call_arguments.delta",
        R"("output_index":)" + std::to_string(index) + R"(,"delta":)" + json::quoted(text));
  };
  const auto done = [](int index, std::string_view id, std::string_view arguments) {
    return event("response.output_item.done",
                 R"("output_index":)" + std::to_string(index) +
                     R"(,"item":{"type":"function_call","name":"f","call_id":")" + std::string(id) +
                     R"(","arguments":)" + json::quoted(arguments) + "}");
  };
  const std::string bytes = kCreated + added(0, "c1") + added(1, "c2") + delta(1, "{\"b\"") +
                            delta(0, "{\"a\"") + delta(1, ":2}") + done(1, "c2", "{\"b\":2}") +
                            delta(0, ":1}") + done(0, "c1", "{\"a\":1}") + completed();
  EXPECT_EQ(summary(read_stream(kOwn, bytes)),
            (Lines{"start resp_1", "part tool_call c1 f", "args {\"a\"", "args :1}", "part_end",
                   "part tool_call c2 f", "args {\"b\"", "args :2}", "part_end", "finish 4",
                   "usage 1 2", "end"}));
}

TEST(ResponsesStreamRead, Reasoning) {
  const std::string added =
      event("response.output_item.added",
            R"("output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]})");
  const auto summary_delta = [](int index, std::string_view text) {
    return event("response.reasoning_summary_text.delta",
                 R"("output_index":0,"summary_index":)" + std::to_string(index) + R"(,"delta":")" +
                     std::string(text) + "\"");
  };
  const std::string done =
      event("response.output_item.done",
            R"("output_index":0,"item":{"type":"reasoning","id":"rs_1","encrypted_content":"gA"})");
  EXPECT_EQ(
      summary(read_stream(kOwn, kCreated + added + summary_delta(0, "a") + summary_delta(0, "b") +
                                    summary_delta(1, "c") + done + completed())),
      (Lines{"start resp_1", "part thinking rs_1 ", "text a", "text b", "text \n\n", "text c",
             "signature gA", "part_end", "finish 1", "usage 1 2", "end"}));
  const std::string own =
      event("response.reasoning_text.delta", R"("output_index":0,"content_index":0,"delta":"raw")");
  EXPECT_EQ(summary(read_stream(
                kOwn, kCreated + added + own + summary_delta(0, "x") + done + completed())),
            (Lines{"start resp_1", "part thinking rs_1 ", "text raw", "signature gA", "part_end",
                   "finish 1", "usage 1 2", "end"}))
      << "one of the two is enough";
}

TEST(ResponsesStreamRead, HowStreamsFail) {
  struct Case {
    std::string bytes;
    ApiErrorType type;
  };
  const Case cases[] = {
      {kCreated + event("error", R"("code":"rate_limit_exceeded","message":"slow")"),
       ApiErrorType::rate_limit},
      {kCreated + event("response.failed",
                        R"("response":{"error":{"code":"server_error","message":"boom"}})"),
       ApiErrorType::server},
      {kCreated, ApiErrorType::unavailable},
      {kCreated + "data: nonsense\n\n", ApiErrorType::unavailable},
  };
  for (const Case& c : cases) {
    const StreamEvents events = read_stream(kOwn, c.bytes);
    ASSERT_NE(error_of(events), nullptr) << c.bytes;
    EXPECT_EQ(error_of(events)->type, c.type) << c.bytes;
    EXPECT_EQ(events.back().kind, EventKind::error);
  }
}

TEST(ResponsesStreamRead, WhyItIsIncomplete) {
  const auto stop = [](std::string_view reason) {
    const auto events = read_stream(
        kOwn,
        kCreated + event("response.incomplete", R"("response":{"incomplete_details":{"reason":")" +
                                                    std::string(reason) + R"("},"output":[]})"));
    return build(events).candidates.at(0).stop;
  };
  EXPECT_EQ(stop("max_output_tokens"), StopReason::max_tokens);
  EXPECT_EQ(stop("content_filter"), StopReason::content_filter);
  EXPECT_EQ(stop("x"), StopReason::other);
}

// What the writer tells, the reader understands, wherever it is cut.
TEST(ResponsesStreamRead, EveryCutOfAWrittenStream) {
  Part thinking{.kind = PartKind::thinking, .text = "hm", .id = "rs_1"};
  thinking.signature = "gA";
  thinking.origin = kOwn;
  Part custom{.kind = PartKind::tool_call, .text = "süß", .id = "c2", .name = "g"};
  custom.freeform = true;
  const std::vector<Part> parts = {
      thinking,
      {.text = "héllo", .id = "msg_1"},
      {.kind = PartKind::tool_call, .id = "c1", .name = "f", .json = R"({"a":1})"},
      custom};
  const std::string bytes = write_stream(kOwn, events_of_parts(parts, StopReason::tool_use));
  const StreamEvents whole = read_stream(kOwn, bytes);
  EXPECT_EQ(build(whole).candidates.at(0).parts, parts);
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    ASSERT_EQ(read_stream(kOwn, bytes, {cut}), whole) << cut;
  }
}

}  // namespace
}  // namespace weir::dialect
