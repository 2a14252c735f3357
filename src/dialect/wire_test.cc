#include "dialect/wire.h"

#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"
#include "dialect/reasoning.h"
#include "dialect/stream_event.h"

namespace weir::dialect {
namespace {

using namespace testing;

TEST(Wire, DataUrls) {
  struct {
    const char* url;
    const char* media_type;
    const char* data;
  } const table[] = {
      {"data:image/png;base64,AAAA", "image/png", "AAAA"},
      {"DATA:image/png;base64,", "image/png", ""},
      {"data:text/plain;charset=utf-8;base64,AA", "text/plain", "AA"},
      {"data:;base64,AA", "", "AA"},
  };
  for (const auto& row : table) {
    const auto url = parse_data_url(row.url);
    ASSERT_TRUE(url) << row.url;
    EXPECT_EQ(url->media_type, row.media_type) << row.url;
    EXPECT_EQ(url->data, row.data) << row.url;
  }
  for (const char* url : {"", "data:", "data", "data:image/png,x", "data:image/png;base64",
                          "https://x/data:image/png;base64,AA"}) {
    EXPECT_FALSE(parse_data_url(url)) << url;
  }
  EXPECT_EQ(data_url("image/png", "AA"), "data:image/png;base64,AA");
}

TEST(Wire, ArgumentsAreAlwaysAnObject) {
  struct {
    const char* in;
    const char* out;
  } const table[] = {
      {"", "{}"},
      {" \n", "{}"},
      {"{\"a\": 1} ", "{\"a\": 1}"},
      {"[1]", R"({"raw_arguments":"[1]"})"},
      {"{", R"({"raw_arguments":"{"})"},
      {"null", R"({"raw_arguments":"null"})"},
      {"\"", R"({"raw_arguments":"\""})"},
  };
  for (const auto& row : table) EXPECT_EQ(object_text(row.in), row.out) << row.in;
}

TEST(Wire, CompactJsonLeavesStringsAlone) {
  EXPECT_EQ(compact_json("{ \"a b\" :\n [ 1 , \"x \\\" y\" ] }"), "{\"a b\":[1,\"x \\\" y\"]}");
}

TEST(Wire, PlainIdsAndNames) {
  EXPECT_EQ(plain_id("toolu_01-A"), "toolu_01-A");
  EXPECT_EQ(plain_id("functions.f:0"), "functions_f_0");
  EXPECT_TRUE(is_plain_name("a", 1));
  EXPECT_FALSE(is_plain_name("ab", 1));
  EXPECT_FALSE(is_plain_name("", 1));
  EXPECT_FALSE(is_plain_name("a b", 9));
}

TEST(Wire, NotesAreSaidOnce) {
  Dropped dropped;
  note(dropped, "a");
  note(dropped, "b");
  note(dropped, "a");
  EXPECT_EQ(dropped, (Dropped{"a", "b"}));
}

TEST(Reasoning, EffortsAndBudgets) {
  struct {
    const char* effort;
    int64_t budget;
  } const table[] = {{"none", 0},      {"minimal", 1024}, {"low", 2048},
                     {"medium", 8192}, {"high", 16384},   {"xhigh", 32768}};
  for (const auto& row : table) {
    EXPECT_EQ(budget_of_effort(row.effort), row.budget);
    EXPECT_EQ(effort_of_budget(row.budget), row.effort);  // there and back
  }
  EXPECT_EQ(budget_of_effort("max"), 32768);
  EXPECT_FALSE(budget_of_effort("much"));
  EXPECT_EQ(effort_of_budget(-1), "");
  EXPECT_EQ(effort_of_budget(1025), "low");
  EXPECT_EQ(effort_of_budget(1'000'000), "xhigh");
  EXPECT_EQ(wanted_budget({.effort = "low", .budget_tokens = 7}), 7);
  EXPECT_EQ(wanted_effort({.budget_tokens = 5000}), "medium");
  EXPECT_EQ(wanted_effort({}), "");
}

Reply full_reply() {
  Reply reply;
  reply.id = "i";
  reply.model = "m";
  reply.created = 5;
  reply.candidates.resize(2);
  reply.candidates[0].parts = {
      {.kind = PartKind::thinking,
       .text = "t",
       .signature = "s",
       .origin = Dialect::anthropic_messages},
      {.kind = PartKind::redacted_thinking, .data = "d", .origin = Dialect::anthropic_messages},
      {.text = "a"},
      {.kind = PartKind::refusal, .text = "r"},
      {.kind = PartKind::image, .media_type = "image/png", .data = "AA"},
      {.kind = PartKind::tool_call,
       .id = "c",
       .name = "f",
       .json = "{}",
       .signature = "g",
       .origin = Dialect::gemini}};
  reply.candidates[0].stop = StopReason::stop_sequence;
  reply.candidates[0].stop_sequence = "END";
  reply.candidates[0].logprobs = R"({"content":[{"token":"a"}],"refusal":null})";
  reply.candidates[1].parts = {{.text = "b"}};
  reply.candidates[1].stop = StopReason::max_tokens;
  reply.usage.input = 3;
  reply.usage.output = 4;
  reply.usage.reported = true;
  return reply;
}

TEST(ReplyBuilder, IsTheInverseOfEventsOf) {
  EXPECT_EQ(build(events_of(full_reply())), full_reply());
  EXPECT_EQ(build(events_of({})), Reply{});
}

TEST(ReplyBuilder, AnEmptyCallHasNoArguments) {
  StreamEvent start;
  start.kind = EventKind::part_start;
  start.part_kind = PartKind::tool_call;
  StreamEvent end;
  end.kind = EventKind::part_end;
  EXPECT_EQ(build({start, end}).candidates.at(0).parts.at(0).json, "{}");
}

TEST(ReplyBuilder, StrayEventsAreHarmless) {
  StreamEvent delta;
  delta.kind = EventKind::text_delta;
  delta.text = "lost";
  EXPECT_TRUE(build({delta}).candidates.at(0).parts.empty());
  delta.candidate = UINT32_MAX;
  EXPECT_TRUE(build({delta}).candidates.empty());
}

// What a dialect can say of the full answer comes back through its own stream.
TEST(Translate, OwnStreamsLoseOnlyWhatTheFormatLacks) {
  Reply reply = full_reply();
  Reply openai = build(
      read_stream(Dialect::openai_chat, write_stream(Dialect::openai_chat, events_of(reply))));
  openai.candidates[0].stop = StopReason::stop_sequence;  // "stop" is all that it says
  openai.candidates[0].stop_sequence = "END";
  EXPECT_EQ(openai.candidates[0].logprobs, reply.candidates[0].logprobs);
  EXPECT_EQ(openai.candidates[0].parts, reply.candidates[0].parts);
  EXPECT_EQ(openai.candidates[1], reply.candidates[1]);

  const Reply anthropic =
      as_sent_back(build(read_stream(Dialect::anthropic_messages,
                                     write_stream(Dialect::anthropic_messages, events_of(reply)))),
                   Dialect::anthropic_messages);
  std::erase_if(reply.candidates[0].parts,
                [](const Part& part) { return part.kind == PartKind::image; });
  reply.candidates[0].parts[3].kind = PartKind::text;  // a refusal is text there
  EXPECT_EQ(anthropic.candidates.at(0).parts, reply.candidates[0].parts);
  EXPECT_EQ(anthropic.candidates[0].stop_sequence, "END");
  EXPECT_EQ(anthropic.candidates.size(), 1u);
}

TEST(Translate, DialectsWithoutACodecSaySo) {
  for (const Dialect dialect : {Dialect::passthrough, Dialect::openai_embeddings}) {
    EXPECT_FALSE(can_translate(dialect, Dialect::openai_chat));
    EXPECT_FALSE(can_translate(Dialect::openai_chat, dialect));
    EXPECT_FALSE(read_request(dialect, {}, {}));
    Dropped dropped;
    EXPECT_FALSE(write_request(dialect, {}, {}, dropped));
    EXPECT_FALSE(read_reply(dialect, {}));
    EXPECT_EQ(make_stream_reader(dialect), nullptr);
  }
  EXPECT_TRUE(can_translate(Dialect::openai_chat, Dialect::anthropic_messages));
  EXPECT_TRUE(can_translate(Dialect::anthropic_messages, Dialect::openai_chat));
}

}  // namespace
}  // namespace weir::dialect
