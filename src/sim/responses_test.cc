#include "sim/responses.h"

#include <gtest/gtest.h>

#include "dialect/sse.h"

namespace weir::sim {
namespace {

using dialect::Part;
using dialect::PartKind;
using dialect::Reply;

Reply sample() {
  Reply reply;
  reply.id = "resp_1";
  reply.model = "gpt-x";
  reply.created = 7;
  dialect::Candidate& candidate = reply.candidates.emplace_back();
  candidate.parts.resize(2);
  candidate.parts[0].text = "Hello";
  candidate.parts[1].kind = PartKind::tool_call;
  candidate.parts[1].id = "call_1";
  candidate.parts[1].name = "f";
  candidate.parts[1].json = R"({"a":1})";
  candidate.stop = dialect::StopReason::tool_use;
  reply.usage.input = 3;
  reply.usage.output = 9;
  return reply;
}

TEST(Responses, StreamsEveryEventOfTheLadder) {
  auto writer = make_responses_stream_writer();
  std::string bytes;
  for (const dialect::StreamEvent& event : dialect::events_of(sample()))
    writer->write(event, bytes);
  std::vector<std::string> types;
  std::string last;
  dialect::SseReader reader;
  int64_t sequence = 0;
  const auto sink = [&](const dialect::SseEvent& event) {
    types.emplace_back(event.event);
    last = std::string(event.data);
    json::Document document;
    ASSERT_TRUE(document.parse(event.data));
    EXPECT_TRUE(document.root()["type"].equals(event.event));
    EXPECT_EQ(document.root()["sequence_number"].as_int64(), sequence++);
  };
  ASSERT_TRUE(reader.feed(bytes, sink));
  EXPECT_EQ(
      types,
      (std::vector<std::string>{
          "response.created", "response.in_progress", "response.output_item.added",
          "response.content_part.added", "response.output_text.delta", "response.output_text.done",
          "response.content_part.done", "response.output_item.done", "response.output_item.added",
          "response.function_call_arguments.delta", "response.function_call_arguments.done",
          "response.output_item.done", "response.completed"}));
  json::Document document;
  ASSERT_TRUE(document.parse(last));
  const json::Value response = document.root()["response"];
  EXPECT_EQ(response["output"].size(), 2U);
  EXPECT_EQ(response.raw(), write_responses_reply(sample()));
}

TEST(Responses, CustomToolsTakeText) {
  Reply reply = sample();
  Part& call = reply.candidates[0].parts[1];
  call.freeform = true;
  call.json.clear();
  call.text = "*** Begin \"Patch\"";
  auto writer = make_responses_stream_writer();
  std::string bytes;
  for (const dialect::StreamEvent& event : dialect::events_of(reply)) writer->write(event, bytes);
  EXPECT_NE(bytes.find("event: response.custom_tool_call_input.delta"), std::string::npos);
  EXPECT_NE(bytes.find("event: response.custom_tool_call_input.done"), std::string::npos);
  EXPECT_EQ(bytes.find("function_call_arguments"), std::string::npos);
  json::Document document;
  const std::string whole = write_responses_reply(reply);
  ASSERT_TRUE(document.parse(whole));
  json::Value item;
  for (const json::Value last : document.root()["output"].elements()) item = last;
  EXPECT_TRUE(item["type"].equals("custom_tool_call"));
  EXPECT_TRUE(item["input"].equals("*** Begin \"Patch\""));

  ASSERT_TRUE(document.parse(
      R"({"model":"m","input":[{"role":"user","content":"hi"},
          {"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"text"},
          {"type":"custom_tool_call_output","call_id":"c1","output":"done"}],
          "tools":[{"type":"custom","name":"apply_patch"}]})"));
  auto conversation = read_responses_request(document.root());
  ASSERT_TRUE(conversation);
  EXPECT_TRUE(conversation->tools.at(0).freeform);
  ASSERT_EQ(conversation->messages.size(), 3U);
  EXPECT_EQ(conversation->messages[1].parts[0].text, "text");
  EXPECT_EQ(conversation->messages[2].parts[0].children[0].text, "done");
}

TEST(Responses, ACutAnswerIsIncomplete) {
  Reply reply = sample();
  reply.candidates[0].stop = dialect::StopReason::max_tokens;
  json::Document document;
  const std::string text = write_responses_reply(reply);
  ASSERT_TRUE(document.parse(text));
  EXPECT_TRUE(document.root()["status"].equals("incomplete"));
  EXPECT_TRUE(document.root()["incomplete_details"]["reason"].equals("max_output_tokens"));
}

TEST(Responses, ReadsRequests) {
  json::Document document;
  ASSERT_TRUE(document.parse(
      R"({"model":"gpt-x","instructions":"be brief","stream":true,"max_output_tokens":9,
          "input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]},
                   {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                   {"type":"function_call_output","call_id":"c1","output":"done"}],
          "tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],
          "tool_choice":{"type":"function","name":"f"},"reasoning":{"effort":"low"},
          "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}})"));
  auto conversation = read_responses_request(document.root());
  ASSERT_TRUE(conversation) << conversation.error().message();
  EXPECT_EQ(conversation->system[0].text, "be brief");
  ASSERT_EQ(conversation->messages.size(), 3U);
  EXPECT_EQ(conversation->messages[2].parts[0].children[0].text, "done");
  EXPECT_EQ(conversation->tool_choice.name, "f");
  EXPECT_EQ(conversation->format.schema, R"({"type":"object"})");
  EXPECT_EQ(conversation->reasoning->effort, "low");
  EXPECT_TRUE(conversation->stream);

  ASSERT_TRUE(document.parse(
      R"({"model":"m","input":[{"role":"user","content":"hi"},
          {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
          {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
          {"type":"function_call_output","call_id":"c1","output":"one"},
          {"type":"function_call_output","call_id":"c2","output":"two"}]})"));
  conversation = read_responses_request(document.root());
  ASSERT_TRUE(conversation);
  ASSERT_EQ(conversation->messages.size(), 3U);
  EXPECT_EQ(conversation->messages[1].parts.size(), 2U);
  EXPECT_EQ(conversation->messages[2].parts[1].children[0].text, "two");

  ASSERT_TRUE(document.parse(R"({"model":"m","input":5})"));
  EXPECT_FALSE(read_responses_request(document.root()));
}

}  // namespace
}  // namespace weir::sim
