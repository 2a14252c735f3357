// OpenAI chat requests: what a client may send, and what other dialects' requests become.
#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;

Conversation read(std::string_view body) {
  const auto conversation = read_request_text(Dialect::openai_chat, body);
  EXPECT_TRUE(conversation) << body << ": " << conversation.error().message();
  return conversation ? *conversation : Conversation{};
}

std::string write(const Conversation& conversation, const Context& context = {},
                  Dropped* dropped = nullptr) {
  Dropped ignored;
  const auto body =
      write_request(Dialect::openai_chat, conversation, context, dropped ? *dropped : ignored);
  EXPECT_TRUE(body) << body.error().message();
  return body.value_or("");
}

// Members beside a message, read and written again.
std::string round_trip(std::string_view members, std::string_view model = "some-model") {
  const std::string body = R"({"model":")" + std::string(model) +
                           R"(","messages":[{"role":"user","content":"hi"}],)" +
                           std::string(members) + "}";
  return write(read(body));
}

TEST(OpenAiChatRequest, FieldsComeBack) {
  struct {
    const char* members;
    const char* path;
    const char* expected;
  } const table[] = {
      {R"("temperature":0.70)", "temperature", "0.70"},
      {R"("top_p":1)", "top_p", "1"},
      {R"("frequency_penalty":-0.5)", "frequency_penalty", "-0.5"},
      {R"("presence_penalty":2)", "presence_penalty", "2"},
      {R"("seed":9007199254740993)", "seed", "9007199254740993"},
      {R"("max_tokens":5)", "max_completion_tokens", "5"},
      {R"("max_completion_tokens":7)", "max_completion_tokens", "7"},
      {R"("max_tokens":5,"max_completion_tokens":7)", "max_completion_tokens", "7"},
      {R"("n":3)", "n", "3"},
      {R"("n":1)", "n", ""},
      {R"("stop":"END")", "stop", R"(["END"])"},
      {R"("stop":["a","b"])", "stop", R"(["a","b"])"},
      {R"("stop":null)", "stop", ""},
      {R"("logprobs":true,"top_logprobs":4)", "top_logprobs", "4"},
      {R"("user":"u1")", "user", R"("u1")"},
      {R"("safety_identifier":"u2")", "user", R"("u2")"},
      {R"("service_tier":"flex")", "service_tier", R"("flex")"},
      {R"("reasoning_effort":"high")", "reasoning_effort", R"("high")"},
      {R"("reasoning":{"effort":"low"})", "reasoning_effort", R"("low")"},
      {R"("reasoning":{"max_tokens":9000})", "reasoning_effort", R"("medium")"},
      {R"("thinking":{"type":"enabled","budget_tokens":1024})", "reasoning_effort", R"("minimal")"},
      {R"("stream":true)", "stream_options", R"({"include_usage":true})"},
      {R"("stream":false)", "stream", ""},
      {R"("response_format":{"type":"json_object"})", "response_format",
       R"({"type":"json_object"})"},
      {R"("response_format":{"type":"text"})", "response_format", R"({"type":"text"})"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d",)"
       R"("schema":{"type":"object","additionalProperties":false,"x":1.50},"strict":true}})",
       "response_format",
       R"({"json_schema":{"description":"d","name":"n","schema":{"additionalProperties":false,"type":"object","x":1.50},)"
       R"("strict":true},"type":"json_schema"})"},
      {R"("response_format":{"type":"json_schema","json_schema":{"schema":{}}})",
       "response_format.json_schema.name", R"("response")"},
      {R"("tools":[{"type":"function","function":{"name":"f","description":"d","parameters":)"
       R"({"type":"object"},"strict":false}}])",
       "tools.0",
       R"({"function":{"description":"d","name":"f","parameters":{"type":"object"},)"
       R"("strict":false},"type":"function"})"},
      {R"("functions":[{"name":"f"}],"function_call":{"name":"f"})", "tool_choice",
       R"({"function":{"name":"f"},"type":"function"})"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto")",
       "tool_choice", R"("auto")"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")",
       "tool_choice", R"("none")"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")",
       "tool_choice", R"("required")"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":)"
       R"({"type":"function","function":{"name":"f"}})",
       "tool_choice", R"({"function":{"name":"f"},"type":"function"})"},
      {R"("tools":[{"type":"function","function":{"name":"f"}},)"
       R"({"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"allowed_tools",)"
       R"("allowed_tools":{"mode":"required","tools":[{"type":"function","function":)"
       R"({"name":"g"}}]}})",
       "tools.0.function.name", R"("g")"},
      {R"("tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false)",
       "parallel_tool_calls", "false"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(at(round_trip(row.members), row.path), row.expected) << row.members;
  }
}

TEST(OpenAiChatRequest, WrongTypesNameTheField) {
  struct {
    const char* body;
    const char* path;
  } const table[] = {
      {"[]", "the body"},
      {"{}", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":{}})", "messages"},
      {R"({"messages":[1]})", "messages[0]"},
      {R"({"messages":[{"role":"king","content":""}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":5}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":[5]}]})", "messages[0].content[0]"},
      {R"({"messages":[{"role":"user","content":[{"text":"x"}]}]})", "messages[0].content[0].type"},
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":7}]}]})",
       "messages[0].content[0].text"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
       "messages[0].content[0].image_url"},
      {R"({"messages":[{"role":"tool","content":"x"}]})", "messages[0].tool_call_id"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":""}}]}]})",
       "messages[0].tool_calls[0].function.name"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]})",
       "messages[0].tool_calls[0].id"},
      {R"({"messages":[{"role":"assistant","function_call":{}}]})",
       "messages[0].function_call.name"},
      {R"({"messages":[{"role":"assistant","tool_calls":{}}]})", "messages[0].tool_calls"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]})",
       "messages[0].tool_calls[0].function"},
      {R"({"messages":[{"role":"user","content":""}],"model":1})", "model"},
      {R"({"messages":[{"role":"user","content":""}],"stream":"yes"})", "stream"},
      {R"({"messages":[{"role":"user","content":""}],"max_tokens":"5"})", "max_tokens"},
      {R"({"messages":[{"role":"user","content":""}],"max_tokens":0})", "max_tokens"},
      {R"({"messages":[{"role":"user","content":""}],"max_tokens":1.5})", "max_tokens"},
      {R"({"messages":[{"role":"user","content":""}],"n":0})", "n"},
      {R"({"messages":[{"role":"user","content":""}],"temperature":"hot"})", "temperature"},
      {R"({"messages":[{"role":"user","content":""}],"tools":[{"type":"function"}]})",
       "tools[0].function"},
      {R"({"messages":[{"role":"user","content":""}],"tools":[{"type":"function",)"
       R"("function":{}}]})",
       "tools[0].function.name"},
      {R"({"messages":[{"role":"user","content":""}],"tool_choice":7})", "tool_choice"},
      {R"({"messages":[{"role":"user","content":""}],"stop":[1]})", "stop[0]"},
  };
  for (const auto& row : table) {
    const auto result = read_request_text(Dialect::openai_chat, row.body);
    ASSERT_FALSE(result) << row.body;
    EXPECT_EQ(result.error().code(), ErrorCode::invalid_argument) << row.body;
    EXPECT_TRUE(result.error().message().starts_with(std::string(row.path) + ":"))
        << row.body << " -> " << result.error().message();
  }
}

TEST(OpenAiChatRequest, ReadsMessages) {
  const Conversation c = read(R"({"model":"m","messages":[
    {"role":"developer","content":"Be brief."},
    {"role":"system","content":[{"type":"text","text":"And kind.","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
    {"role":"user","name":"ann","content":[
      {"type":"text","text":"look","cache_control":{"type":"ephemeral"}},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
      {"type":"image_url","image_url":{"url":"https://x/y.png"}},
      {"type":"input_audio","input_audio":{"data":"BBBB","format":"mp3"}},
      {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,CCCC"}},
      {"type":"video_url","video_url":{"url":"https://x"}}]},
    {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"f","arguments":""}},
      {"id":"c2","type":"function","function":{"name":"g","arguments":"{\"a\": 1}"},
       "extra_content":{"google":{"thought_signature":"sig"}}},
      {"id":"c3","type":"function","function":{"name":"h","arguments":"not json"}}]},
    {"role":"tool","tool_call_id":"c2","content":"two"},
    {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"one"}]},
    {"role":"system","content":"From now on in French."},
    {"role":"assistant","content":"oui","refusal":"non"}]})");
  ASSERT_EQ(c.system.size(), 3u);
  EXPECT_EQ(c.system[0].text, "Be brief.");
  EXPECT_EQ(c.system[1].cache, CacheControl{"1h"});
  EXPECT_EQ(c.system[2].text, "From now on in French.");
  ASSERT_EQ(c.messages.size(), 4u);

  const auto& user = c.messages[0];
  EXPECT_EQ(user.name, "ann");
  ASSERT_EQ(user.parts.size(), 5u);
  EXPECT_EQ(user.parts[0].cache, CacheControl{"5m"});
  EXPECT_EQ(user.parts[1].media_type, "image/png");
  EXPECT_EQ(user.parts[1].data, "AAAA");
  EXPECT_EQ(user.parts[1].detail, "low");
  EXPECT_EQ(user.parts[2].url, "https://x/y.png");
  EXPECT_EQ(user.parts[3].media_type, "audio/mpeg");
  EXPECT_EQ(user.parts[4].kind, PartKind::document);
  EXPECT_EQ(user.parts[4].name, "a.pdf");
  EXPECT_EQ(user.parts[4].data, "CCCC");

  const auto& assistant = c.messages[1];
  ASSERT_EQ(assistant.parts.size(), 4u);
  EXPECT_EQ(assistant.parts[0].kind, PartKind::thinking);
  EXPECT_EQ(assistant.parts[1].json, "{}");
  EXPECT_EQ(assistant.parts[2].json, R"({"a": 1})");
  EXPECT_EQ(assistant.parts[2].signature, "sig");
  EXPECT_EQ(assistant.parts[3].json, R"({"raw_arguments":"not json"})");

  const auto& results = c.messages[2];  // both in one turn, in their order, with their names
  ASSERT_EQ(results.parts.size(), 2u);
  EXPECT_EQ(results.parts[0].name, "g");
  EXPECT_EQ(results.parts[1].name, "f");
  EXPECT_EQ(results.parts[1].children.at(0).text, "one");

  EXPECT_EQ(c.messages[3].parts.at(1).kind, PartKind::refusal);
  EXPECT_EQ(c.dropped, (Dropped{"messages[2].content[5].video_url", "messages[6].position"}));
}

TEST(OpenAiChatRequest, LegacyFunctionsMeetTheirCalls) {
  const Conversation c = read(R"({"messages":[
    {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
    {"role":"function","name":"f","content":"done"}]})");
  ASSERT_EQ(c.messages.size(), 2u);
  EXPECT_FALSE(c.messages[0].parts[0].id.empty());
  EXPECT_EQ(c.messages[1].parts[0].id, c.messages[0].parts[0].id);
  EXPECT_EQ(c.messages[1].parts[0].name, "f");
}

TEST(OpenAiChatRequest, UnknownFieldsAreNoted) {
  const Conversation c = read(R"({"messages":[{"role":"user","content":""}],"logit_bias":{},
    "moderation":"low","store":null,"tools":[{"type":"tool_of_2030"}]})");
  EXPECT_EQ(c.dropped, (Dropped{"tools[0].tool_of_2030", "logit_bias", "moderation"}));
  Dropped dropped;
  write(c, {}, &dropped);
  EXPECT_EQ(dropped, c.dropped);  // the door tells what the reader could not keep
}

TEST(OpenAiChatRequest, ThinkingInAllItsSpellings) {
  struct {
    const char* members;
    const char* text;
    const char* signature;
  } const table[] = {
      {R"("reasoning_content":"t")", "t", ""},
      {R"("reasoning":"t")", "t", ""},
      {R"("reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s"}])", "t", "s"},
      {R"("reasoning_content":"t","reasoning_details":[{"type":"reasoning.text",)"
       R"("signature":"s"}])",
       "t", "s"},
      {R"("thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}])", "t", "s"},
  };
  for (const auto& row : table) {
    const Conversation c = read(R"({"messages":[{"role":"assistant","content":"a",)" +
                                std::string(row.members) + "}]}");
    ASSERT_EQ(c.messages[0].parts.size(), 2u) << row.members;
    EXPECT_EQ(c.messages[0].parts[0].kind, PartKind::thinking) << row.members;
    EXPECT_EQ(c.messages[0].parts[0].text, row.text) << row.members;
    EXPECT_EQ(c.messages[0].parts[0].signature, row.signature) << row.members;
  }
}

Conversation of_anthropic(std::string_view body) {
  const auto c = read_request_text(Dialect::anthropic_messages, body);
  EXPECT_TRUE(c) << c.error().message();
  return c.value_or(Conversation{});
}

constexpr std::string_view kAnthropic = R"({"model":"m","max_tokens":10,
  "system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],
  "messages":[
    {"role":"user","content":"hi"},
    {"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"text","text":"I will"},
      {"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}]},
    {"role":"user","content":[
      {"type":"text","text":"and this"},
      {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[
        {"type":"text","text":"42"},
        {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}]})";

TEST(OpenAiChatRequest, FromAnthropic) {
  Dropped dropped;
  const std::string body = write(of_anthropic(kAnthropic), {.model = "gpt-4o"}, &dropped);
  EXPECT_EQ(at(body, "model"), R"("gpt-4o")");
  EXPECT_EQ(at(body, "messages"), canonical(R"([
    {"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
    {"role":"user","content":"hi"},
    {"role":"assistant","content":"I will","tool_calls":[
      {"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
    {"role":"tool","tool_call_id":"toolu_1","content":"42"},
    {"role":"user","content":[
      {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},
      {"type":"text","text":"and this"}]}])"));
  EXPECT_EQ(dropped, (Dropped{"cache_control", "thinking", "tool_result.is_error"}));
}

TEST(OpenAiChatRequest, ServersThatWantReasoningBackGetIt) {
  const std::string body = write(of_anthropic(kAnthropic), {.replay_reasoning = true});
  EXPECT_EQ(at(body, "messages.2.reasoning_content"), R"("hm")");
}

TEST(OpenAiChatRequest, GeminisSignatureIsOnlyForWhoKnowsIt) {
  Conversation c;
  c.messages = {{.role = Role::assistant,
                 .parts = {{.kind = PartKind::tool_call,
                            .id = "c",
                            .name = "f",
                            .json = "{}",
                            .signature = "sig",
                            .origin = Dialect::gemini}}}};
  const char* path = "messages.0.tool_calls.0.extra_content";
  EXPECT_EQ(at(write(c), path), "");
  EXPECT_EQ(at(write(c, {.replay_reasoning = true}), path),
            R"({"google":{"thought_signature":"sig"}})");
}

TEST(OpenAiChatRequest, WhatTheModelRefusesIsLeftOut) {
  Conversation c;
  c.messages = {{.role = Role::user, .parts = {{.text = "hi"}}}};
  c.temperature = "0.5";
  c.top_p = "0.5";
  c.top_k = "5";
  c.stop = {"x"};
  c.reasoning = Reasoning{.effort = "", .budget_tokens = 2000, .include_thoughts = {}};
  struct {
    const char* model;
    const char* base_model;
    bool sampling;
    const char* effort;
  } const table[] = {
      {"gpt-4o", "", true, ""},
      {"gpt-4o-2024-11-20", "", true, ""},
      {"gpt-4.1-mini", "", true, ""},
      {"gpt-5-chat-latest", "", true, ""},
      {"gpt-5", "", false, R"("low")"},
      {"gpt-5.1-codex", "", false, R"("low")"},
      {"o3-mini", "", false, R"("low")"},
      {"openai/o4-mini", "", false, R"("low")"},
      {"my-deployment", "gpt-5-mini", false, R"("low")"},
      {"deepseek-reasoner", "", true, R"("low")"},
  };
  for (const auto& row : table) {
    Dropped dropped;
    const std::string body = write(c, {.model = row.model, .base_model = row.base_model}, &dropped);
    EXPECT_EQ(at(body, "temperature"), row.sampling ? "0.5" : "") << row.model;
    EXPECT_EQ(at(body, "stop"), row.sampling ? R"(["x"])" : "") << row.model;
    EXPECT_EQ(at(body, "reasoning_effort"), row.effort) << row.model;
    EXPECT_EQ(at(body, "top_k"), "") << row.model;
    EXPECT_NE(std::find(dropped.begin(), dropped.end(), "top_k"), dropped.end()) << row.model;
  }
}

TEST(OpenAiChatRequest, LimitsOfTheApi) {
  Conversation c;
  EXPECT_FALSE(write_request(Dialect::openai_chat, c, {}, c.dropped));
  c.messages = {{.role = Role::user, .parts = {{.text = "hi"}}}};
  c.max_output_tokens = 9;
  EXPECT_EQ(at(write(c, {.max_completion_tokens = false}), "max_tokens"), "9");
  c.user = std::string(65, 'u');
  EXPECT_EQ(at(write(c), "user"), "");
  c.stop = {"1", "2", "3", "4", "5"};
  EXPECT_EQ(at(write(c), "stop"), R"(["1","2","3","4"])");
  c.stream = true;
  EXPECT_EQ(at(write(c, {.stream_options = false}), "stream_options"), "");
  for (const char* name : {"", "a.b", "ü"}) {
    c.tools = {{.name = name}};
    Dropped dropped;
    const auto result = write_request(Dialect::openai_chat, c, {}, dropped);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code(), ErrorCode::invalid_argument);
  }
  c.tools = {{.name = std::string(65, 'a')}};
  EXPECT_FALSE(write_request(Dialect::openai_chat, c, {}, c.dropped));
  c.tools = {{.name = std::string(64, 'a')}};
  EXPECT_TRUE(write_request(Dialect::openai_chat, c, {}, c.dropped));
}

}  // namespace
}  // namespace weir::dialect
