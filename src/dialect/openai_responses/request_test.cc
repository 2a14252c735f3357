#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"
#include "dialect/losses.h"

namespace weir::dialect {
namespace {

using namespace testing;

constexpr Dialect kOwn = Dialect::openai_responses;

Conversation read(std::string_view text) {
  auto got = read_request_text(kOwn, text);
  EXPECT_TRUE(got) << text << ": " << (got ? "" : got.error().message());
  return got ? std::move(*got) : Conversation{};
}

struct Written1 {
  std::string body;
  Dropped dropped;
};
Written1 write(Dialect target, const Conversation& conversation, std::string model = "gpt-5.2") {
  Written1 out;
  auto body = write_request(target, conversation, {.model = std::move(model)}, out.dropped);
  EXPECT_TRUE(body) << (body ? "" : body.error().message());
  if (body) out.body = *body;
  return out;
}

TEST(ResponsesRequest, InputIsATextOrItems) {
  const Conversation text = read(R"({"model":"m","input":"hello","instructions":"be brief"})");
  EXPECT_EQ(text.model, "m");
  ASSERT_EQ(text.system.size(), 1u);
  EXPECT_EQ(text.system[0].text, "be brief");
  ASSERT_EQ(text.messages.size(), 1u);
  EXPECT_EQ(text.messages[0].parts[0].text, "hello");
  EXPECT_EQ(read(R"({"model":"m","input":[{"role":"user","content":"hello"}]})").messages,
            text.messages);
  EXPECT_EQ(read(R"({"model":"m","input":[{"type":"message","role":"user",
              "content":[{"type":"input_text","text":"hello"}]}]})")
                .messages,
            text.messages);
}

TEST(ResponsesRequest, ItemsOfOneTurnAreOneMessage) {
  const Conversation got = read(R"({"model":"m","input":[
    {"role":"user","content":"weather?"},
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},
      {"type":"summary_text","text":"b"}],"encrypted_content":"gAAA"},
    {"type":"message","id":"msg_1","role":"assistant","status":"completed",
      "content":[{"type":"output_text","text":"I look.","annotations":[]}]},
    {"type":"function_call","id":"fc_1","call_id":"c1","name":"get","arguments":"{\"a\":1}"},
    {"type":"function_call","call_id":"c2","name":"get","arguments":""},
    {"type":"function_call_output","call_id":"c1","output":"sun"},
    {"type":"function_call_output","call_id":"c2","output":[
      {"type":"input_text","text":"see"},
      {"type":"input_image","image_url":"data:image/png;base64,aGk=","detail":"low"}]},
    {"role":"user","content":"thanks"}]})");
  ASSERT_EQ(got.messages.size(), 4u);
  const auto& turn = got.messages[1].parts;
  ASSERT_EQ(turn.size(), 4u);
  EXPECT_EQ(turn[0].kind, PartKind::thinking);
  EXPECT_EQ(turn[0].text, "a\n\nb");
  EXPECT_EQ(turn[0].signature, "gAAA");
  EXPECT_EQ(turn[0].id, "rs_1");
  EXPECT_EQ(turn[0].origin, kOwn);
  EXPECT_EQ(turn[1].text, "I look.");
  EXPECT_EQ(turn[2].id, "c1");
  EXPECT_EQ(turn[2].json, R"({"a":1})");
  EXPECT_EQ(turn[3].json, "{}");
  const auto& results = got.messages[2].parts;
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].name, "get");
  EXPECT_EQ(results[0].children[0].text, "sun");
  EXPECT_EQ(results[1].children[1].media_type, "image/png");
  EXPECT_EQ(results[1].children[1].detail, "low");
}

TEST(ResponsesRequest, ContentsOfMessages) {
  const Conversation got = read(R"({"model":"m","input":[{"role":"user","content":[
    {"type":"input_image","image_url":"https://a/b.png"},
    {"type":"input_image","file_id":"file_1","detail":"auto"},
    {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="},
    {"type":"input_file","file_url":"https://a/b.pdf"},
    {"type":"input_file","file_id":"file_2"},
    {"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}}]}]})");
  const auto& parts = got.messages[0].parts;
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_EQ(parts[0].url, "https://a/b.png");
  EXPECT_EQ(parts[1].id, "file_1");
  EXPECT_EQ(parts[2].media_type, "application/pdf");
  EXPECT_EQ(parts[2].name, "a.pdf");
  EXPECT_EQ(parts[3].url, "https://a/b.pdf");
  EXPECT_EQ(parts[4].id, "file_2");
  EXPECT_EQ(parts[5].media_type, "audio/mpeg");
}

TEST(ResponsesRequest, EveryKindOfTool) {
  const Conversation got = read(R"({"model":"m","input":"x","tools":[
    {"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},
    {"type":"custom","name":"patch","description":"p",
      "format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}},
    {"type":"local_shell"},
    {"type":"web_search","search_context_size":"low"},
    {"type":"shell","environment":{"type":"container_auto"}},
    {"type":"namespace","name":"mcp__files","description":"n","tools":[
      {"type":"function","name":"read","parameters":{"type":"object"},"strict":false}]}]})");
  ASSERT_EQ(got.tools.size(), 6u);
  EXPECT_EQ(got.tools[0].strict, true);
  EXPECT_EQ(got.tools[0].schema, R"({"type":"object"})");
  EXPECT_TRUE(got.tools[1].freeform);
  EXPECT_NE(got.tools[1].format.find("lark"), std::string::npos);
  EXPECT_EQ(got.tools[2].name, "local_shell");
  EXPECT_TRUE(got.tools[2].native.empty()) << "the client runs it";
  EXPECT_NE(got.tools[2].schema.find("command"), std::string::npos);
  EXPECT_EQ(got.tools[3].native, R"({"type":"web_search","search_context_size":"low"})");
  EXPECT_EQ(got.tools[3].origin, kOwn);
  EXPECT_FALSE(got.tools[4].native.empty()) << "a shell at the provider";
  EXPECT_EQ(got.tools[5].name, "mcp__files__read");
}

TEST(ResponsesRequest, ToolChoices) {
  const auto choice = [](const std::string& json) {
    return read(R"({"model":"m","input":"x","tools":[
      {"type":"function","name":"f","parameters":null,"strict":false},
      {"type":"custom","name":"c"},{"type":"local_shell"},{"type":"web_search"}],
      "tool_choice":)" +
                json + "}");
  };
  using Kind = ToolChoiceKind;
  EXPECT_EQ(choice(R"("auto")").tool_choice.kind, Kind::automatic);
  EXPECT_EQ(choice(R"("none")").tool_choice.kind, Kind::none);
  EXPECT_EQ(choice(R"("required")").tool_choice.kind, Kind::required);
  const ToolChoice named_f{Kind::named, "f"};
  EXPECT_EQ(choice(R"({"type":"function","name":"f"})").tool_choice, named_f);
  EXPECT_EQ(choice(R"({"type":"custom","name":"c"})").tool_choice.name, "c");
  EXPECT_EQ(choice(R"({"type":"local_shell"})").tool_choice.name, "local_shell");
  const Conversation hosted = choice(R"({"type":"web_search"})");
  EXPECT_EQ(hosted.tool_choice.kind, Kind::unset);
  EXPECT_EQ(hosted.dropped, Dropped{"tool_choice.web_search"});
  const Conversation allowed = choice(
      R"({"type":"allowed_tools","mode":"required","tools":[
          {"type":"function","name":"f"},{"type":"web_search"}]})");
  EXPECT_EQ(allowed.tool_choice.kind, Kind::required);
  ASSERT_EQ(allowed.tools.size(), 2u);
  EXPECT_EQ(allowed.tools[1].name, "web_search");
}

TEST(ResponsesRequest, TheOtherMembers) {
  const Conversation got = read(R"({"model":"m","input":"x","stream":true,"store":false,
    "include":["reasoning.encrypted_content","message.output_text.logprobs"],"top_logprobs":3,
    "reasoning":{"effort":"high","summary":"detailed"},"max_output_tokens":99,"top_p":0.50,
    "temperature":1.0,"parallel_tool_calls":false,"metadata":{"k":"v"},"prompt_cache_key":"pk",
    "safety_identifier":"u1","service_tier":"flex","truncation":"disabled",
    "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","strict":true,
      "schema":{"type":"object"}}},"stream_options":{"include_obfuscation":false}})");
  EXPECT_TRUE(got.dropped.empty()) << got.dropped[0];
  EXPECT_TRUE(got.stream && got.encrypted_reasoning);
  EXPECT_EQ(got.store, false);
  EXPECT_EQ(got.logprobs, true);
  EXPECT_EQ(got.top_logprobs, 3);
  EXPECT_EQ(got.reasoning->effort, "high");
  EXPECT_EQ(got.reasoning->summary, "detailed");
  EXPECT_EQ(got.reasoning->include_thoughts, true);
  EXPECT_EQ(got.max_output_tokens, 99);
  EXPECT_EQ(got.top_p, "0.50");
  EXPECT_EQ(got.parallel_tool_calls, false);
  EXPECT_EQ(got.metadata, R"({"k":"v"})");
  EXPECT_EQ(got.prompt_cache_key, "pk");
  EXPECT_EQ(got.user, "u1");
  EXPECT_EQ(got.verbosity, "low");
  EXPECT_EQ(got.format.kind, FormatKind::json_schema);
  EXPECT_EQ(got.format.name, "n");
  const Conversation odd =
      read(R"({"model":"m","input":"x","max_tool_calls":3,"truncation":"auto","include":["a.b"]})");
  EXPECT_EQ(odd.dropped, (Dropped{"include.a.b", "truncation", "max_tool_calls"}));
}

TEST(ResponsesRequest, WhatIsWrongIsNamed) {
  struct Case {
    std::string body;
    std::string_view message;
  };
  const Case cases[] = {
      {R"({"model":"m"})", "input: expected a string or an array of items, got nothing"},
      {R"({"model":"m","input":[]})", "input: expected at least one item"},
      {R"({"model":"m","input":[5]})", "input[0]: expected an object, got a number"},
      {R"({"model":"m","input":[{"role":"robot","content":"x"}]})", "input[0].role: expected"},
      {R"({"model":"m","input":[{"role":"user","content":5}]})", "input[0].content: expected"},
      {R"({"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]})",
       "input[0].content[0].image_url: expected"},
      {R"({"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]})",
       "input[0].call_id: expected"},
      {R"({"model":"m","input":[{"type":"local_shell_call","action":{"type":"exec"}}]})",
       "input[0].call_id: expected"},
      {R"({"model":"m","input":[{"type":"function_call_output","output":"x"}]})",
       "input[0].call_id: expected"},
      {R"({"model":"m","input":"x","tools":[{"type":"function"}]})", "tools[0].name: expected"},
      {R"({"model":"m","input":"x","tool_choice":"some"})", "tool_choice: expected"},
      {R"({"model":"m","input":"x","max_output_tokens":0})", "max_output_tokens: expected"},
      {R"({"model":"m","input":"x","background":true})", "background: is not possible"},
      {R"({"model":"m","input":"x","conversation":"conv_1"})", "conversation: is kept by OpenAI"},
      {R"({"model":"m","prompt":{"id":"p"}})", "prompt: is kept by OpenAI"},
  };
  for (const Case& c : cases) {
    const auto got = read_request_text(kOwn, c.body);
    ASSERT_FALSE(got) << c.body;
    EXPECT_EQ(got.error().code(), ErrorCode::invalid_argument);
    EXPECT_TRUE(std::string(got.error().message()).starts_with(c.message))
        << c.body << ": " << got.error().message();
  }
}

TEST(ResponsesRequest, CallsOfTheClientsOwnTools) {
  const Conversation got = read(R"({"model":"m","input":[{"role":"user","content":"ls"},
    {"type":"local_shell_call","id":"lsh_1","call_id":"c1","status":"completed",
      "action":{"type":"exec","command":["ls"],"env":{}}},
    {"type":"local_shell_call_output","id":"lsh_1","output":"a.txt"},
    {"type":"apply_patch_call","id":"apc_1","call_id":"c2","status":"completed",
      "operation":{"type":"delete_file","path":"a.txt"}},
    {"type":"apply_patch_call_output","call_id":"c2","status":"failed","output":"no such file"},
    {"type":"shell_call","id":"sh_1","call_id":"c3","status":"completed",
      "action":{"commands":["pwd"]}},
    {"type":"shell_call_output","call_id":"c3","output":[{"stdout":"/","stderr":"",
      "outcome":{"type":"exit","exit_code":0}}]}]})");
  ASSERT_EQ(got.messages.size(), 7u);
  const Part& call = got.messages[1].parts[0];
  EXPECT_EQ(call.kind, PartKind::tool_call);
  EXPECT_EQ(call.id, "c1");
  EXPECT_EQ(call.name, "local_shell");
  EXPECT_EQ(at(call.json, "command"), R"(["ls"])");
  EXPECT_EQ(got.messages[2].parts[0].id, "c1") << "answered by the item's id";
  EXPECT_EQ(got.messages[2].parts[0].name, "local_shell");
  EXPECT_EQ(at(got.messages[3].parts[0].json, "path"), R"("a.txt")");
  EXPECT_TRUE(got.messages[4].parts[0].is_error);
  EXPECT_EQ(at(got.messages[5].parts[0].json, "commands"), R"(["pwd"])");
  EXPECT_NE(got.messages[6].parts[0].children[0].text.find("exit_code"), std::string::npos);
}

TEST(ResponsesRequest, WhatOnlyOpenAiHasStaysAsItIs) {
  const Conversation got = read(R"({"model":"m","input":[{"role":"user","content":"x"},
    {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search"}},
    {"type":"item_reference","id":"msg_7"}]})");
  ASSERT_EQ(got.messages.size(), 2u);
  ASSERT_EQ(got.messages[1].parts.size(), 2u);
  EXPECT_EQ(got.messages[1].parts[0].kind, PartKind::native);
  EXPECT_EQ(got.messages[1].parts[0].name, "web_search_call");
  EXPECT_EQ(got.messages[1].parts[1].name, "item_reference");
  const Written1 back = write(kOwn, got);
  EXPECT_EQ(at(back.body, "input.1.action.type"), R"("search")");
  EXPECT_EQ(at(back.body, "input.2"), R"({"id":"msg_7","type":"item_reference"})");
}

// Responses -> Conversation -> Responses: what the API can say comes back.
TEST(ResponsesRequest, ThereAndBack) {
  const std::string body = R"({"model":"gpt-5.2","instructions":"be brief","input":[
    {"type":"message","role":"developer","content":[{"type":"input_text","text":"d"}]},
    {"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},
      {"type":"input_image","detail":"low","image_url":"data:image/png;base64,aGk="},
      {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="}]},
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"t"}],
      "encrypted_content":"gAAA"},
    {"type":"message","role":"assistant","content":[
      {"type":"output_text","text":"yes","annotations":[{"type":"url_citation","url":"https://a",
        "title":"A","start_index":0,"end_index":3}]}]},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
    {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** Begin"},
    {"type":"function_call_output","call_id":"c1","output":"1"},
    {"type":"custom_tool_call_output","call_id":"c2","output":[
      {"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]}],
   "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},
     "strict":true},
     {"type":"custom","name":"patch","description":"p","format":{"type":"text"}},
     {"type":"web_search"},
     {"type":"namespace","name":"ns","description":"n","tools":[{"type":"function","name":"g",
       "description":null,"parameters":null,"strict":false}]}],
   "tool_choice":{"type":"custom","name":"patch"},"parallel_tool_calls":false,
   "max_output_tokens":99,
   "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},
     "verbosity":"low"},
   "reasoning":{"effort":"high","summary":"auto"},"include":["reasoning.encrypted_content"],
   "store":false,"metadata":{"k":"v"},"prompt_cache_key":"pk","user":"u","service_tier":"flex",
   "stream":true})";
  const Conversation conversation = read(body);
  const Written1 back = write(kOwn, conversation);
  EXPECT_TRUE(back.dropped.empty()) << back.dropped[0];
  EXPECT_EQ(canonical(back.body), canonical(body));
  EXPECT_EQ(read(back.body), conversation);
}

TEST(ResponsesRequest, FromOtherDialects) {
  auto chat = read_request_text(Dialect::openai_chat, R"({"model":"m","messages":[
    {"role":"system","content":"s"},{"role":"user","content":"hi"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
      "function":{"name":"f","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"1"}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
    "tool_choice":{"type":"function","function":{"name":"f"}},"max_tokens":5,"stop":["x"],
    "temperature":0.5,"reasoning_effort":"low","seed":1,"n":2,
    "response_format":{"type":"json_object"}})");
  ASSERT_TRUE(chat);
  const Written1 out = write(kOwn, *chat, "gpt-5.2");
  EXPECT_EQ(canonical(out.body), canonical(R"({"model":"gpt-5.2","instructions":"s","input":[
    {"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"c1","output":"1"}],
    "tools":[{"type":"function","name":"f","description":null,"parameters":{"type":"object"},
      "strict":false}],"tool_choice":{"type":"function","name":"f"},
    "max_output_tokens":16,"text":{"format":{"type":"json_object"}},
    "reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"],"store":false})"));
  for (const std::string& dropped : out.dropped)
    EXPECT_TRUE(is_known_loss(dropped, kOwn)) << dropped;
  EXPECT_EQ(out.dropped, (Dropped{"temperature", "seed", "stop", "n", "max_tokens"}));
  // A model that does not reason takes what the others refuse, and the other way round.
  const Written1 old = write(kOwn, *chat, "gpt-4o");
  EXPECT_EQ(at(old.body, "temperature"), "0.5");
  EXPECT_EQ(at(old.body, "reasoning"), "");
  EXPECT_EQ(at(old.body, "include"), "");
}

TEST(ResponsesRequest, ThinkingGoesToItsMakerOnly) {
  Conversation in;
  in.model = "m";
  Part foreign{.kind = PartKind::thinking, .text = "t"};
  foreign.signature = "sig";
  foreign.origin = Dialect::anthropic_messages;
  Part own = foreign;
  own.origin = kOwn;
  in.messages = {{.role = Role::user, .parts = {{.text = "x"}}},
                 {.role = Role::assistant, .parts = {foreign, own, {.text = "y"}}}};
  const Written1 out = write(kOwn, in);
  EXPECT_EQ(at(out.body, "input.1.encrypted_content"), R"("sig")");
  EXPECT_EQ(at(out.body, "input.2.type"), R"("message")");
  EXPECT_EQ(out.dropped, Dropped{"thinking"});
}

TEST(ResponsesRequest, NothingToSendIsAnError) {
  Dropped dropped;
  Conversation in;
  in.system.push_back({.text = "s"});
  EXPECT_EQ(write_request(kOwn, in, {}, dropped).error().code(), ErrorCode::invalid_argument);
  in.previous_response_id = "resp_1";
  EXPECT_TRUE(write_request(kOwn, in, {}, dropped));
  in.tools.push_back({.name = "not a name"});
  EXPECT_FALSE(write_request(kOwn, in, {}, dropped));
}

}  // namespace
}  // namespace weir::dialect
