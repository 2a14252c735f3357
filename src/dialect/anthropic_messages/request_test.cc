// Anthropic messages requests: what a client may send, and what other dialects' requests become.
#include <gtest/gtest.h>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;

Conversation read(std::string_view body) {
  const auto conversation = read_request_text(Dialect::anthropic_messages, body);
  EXPECT_TRUE(conversation) << body << ": " << conversation.error().message();
  return conversation ? *conversation : Conversation{};
}

Conversation read_openai(std::string_view body) {
  const auto conversation = read_request_text(Dialect::openai_chat, body);
  EXPECT_TRUE(conversation) << body << ": " << conversation.error().message();
  return conversation ? *conversation : Conversation{};
}

std::string write(const Conversation& conversation, const Context& context = {},
                  Dropped* dropped = nullptr) {
  Dropped ignored;
  const auto body = write_request(Dialect::anthropic_messages, conversation, context,
                                  dropped ? *dropped : ignored);
  EXPECT_TRUE(body) << body.error().message();
  return body.value_or("");
}

bool has(const Dropped& dropped, std::string_view path) {
  return std::find(dropped.begin(), dropped.end(), path) != dropped.end();
}

Conversation hello() {
  Conversation c;
  c.messages = {{.role = Role::user, .parts = {{.text = "hi"}}}};
  return c;
}

TEST(AnthropicRequest, FieldsComeBack) {
  struct {
    const char* members;
    const char* path;
    const char* expected;
  } const table[] = {
      {R"("max_tokens":7)", "max_tokens", "7"},
      {R"("max_tokens":7,"temperature":0.30)", "temperature", "0.30"},
      {R"("max_tokens":7,"top_p":0.9)", "top_p", "0.9"},
      {R"("max_tokens":7,"top_k":40)", "top_k", "40"},
      {R"("max_tokens":7,"stop_sequences":["a"," "])", "stop_sequences", R"(["a"])"},
      {R"("max_tokens":7,"metadata":{"user_id":"u"})", "metadata", R"({"user_id":"u"})"},
      {R"("max_tokens":7,"service_tier":"standard_only")", "service_tier", R"("standard_only")"},
      {R"("max_tokens":7,"service_tier":"auto")", "service_tier", R"("auto")"},
      {R"("max_tokens":7,"stream":true)", "stream", "true"},
      {R"("max_tokens":7,"system":"s")", "system", R"("s")"},
      {R"("max_tokens":7,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral",)"
       R"("ttl":"1h"}}])",
       "system", R"([{"cache_control":{"ttl":"1h","type":"ephemeral"},"text":"s","type":"text"}])"},
      {R"("max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":2048})", "thinking",
       R"({"budget_tokens":2048,"type":"enabled"})"},
      {R"("max_tokens":7,"thinking":{"type":"disabled"})", "thinking", ""},
      {R"("max_tokens":7,"tools":[{"name":"f","description":"d","input_schema":)"
       R"({"type":"object","properties":{}},"cache_control":{"type":"ephemeral"}}])",
       "tools",
       R"([{"cache_control":{"type":"ephemeral"},"description":"d","input_schema":)"
       R"({"properties":{},"type":"object"},"name":"f"}])"},
      {R"("max_tokens":7,"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"auto"})",
       "tool_choice", R"({"type":"auto"})"},
      {R"("max_tokens":7,"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any",)"
       R"("disable_parallel_tool_use":true})",
       "tool_choice", R"({"disable_parallel_tool_use":true,"type":"any"})"},
      {R"("max_tokens":7,"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool",)"
       R"("name":"f"})",
       "tool_choice", R"({"name":"f","type":"tool"})"},
      {R"("max_tokens":7,"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"none"})",
       "tool_choice", R"({"type":"none"})"},
      {R"("max_tokens":7,"tools":[{"name":"f","input_schema":{}}])", "tools.0.input_schema",
       R"({"type":"object"})"},
  };
  for (const auto& row : table) {
    const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" +
                             std::string(row.members) + "}";
    EXPECT_EQ(at(write(read(body)), row.path), row.expected) << row.members;
  }
}

TEST(AnthropicRequest, WrongTypesNameTheField) {
  struct {
    const char* body;
    const char* path;
  } const table[] = {
      {"5", "the body"},
      {"{}", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":["x"]})", "messages[0]"},
      {R"({"messages":[{"role":"tool","content":""}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":["x"]}]})", "messages[0].content[0]"},
      {R"({"messages":[{"role":"user","content":[{}]}]})", "messages[0].content[0].type"},
      {R"({"messages":[{"role":"user","content":[{"type":"image","source":{"type":"x"}}]}]})",
       "messages[0].content[0].source.type"},
      {R"({"messages":[{"role":"user","content":[{"type":"tool_result","content":"x"}]}]})",
       "messages[0].content[0].tool_use_id"},
      {R"({"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a",)"
       R"("content":5}]}]})",
       "messages[0].content[0].content"},
      {R"({"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f",)"
       R"("input":"x"}]}]})",
       "messages[0].content[0].input"},
      {R"({"messages":[{"role":"user","content":"x"}],"system":5})", "system"},
      {R"({"messages":[{"role":"user","content":"x"}],"system":[{"type":"image"}]})",
       "system[0].type"},
      {R"({"messages":[{"role":"user","content":"x"}],"max_tokens":0})", "max_tokens"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[{}]})", "tools[0].name"},
      {R"({"messages":[{"role":"user","content":"x"}],"tools":[5]})", "tools[0]"},
      {R"({"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"some"}})",
       "tool_choice.type"},
      {R"({"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"tool"}})",
       "tool_choice.name"},
      {R"({"messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled"}})",
       "thinking.budget_tokens"},
      {R"({"messages":[{"role":"user","content":"x"}],"thinking":{"type":"deep"}})",
       "thinking.type"},
      {R"({"messages":[{"role":"user","content":"x"}],"stop_sequences":[7]})", "stop_sequences[0]"},
  };
  for (const auto& row : table) {
    const auto result = read_request_text(Dialect::anthropic_messages, row.body);
    ASSERT_FALSE(result) << row.body;
    EXPECT_EQ(result.error().code(), ErrorCode::invalid_argument) << row.body;
    EXPECT_TRUE(result.error().message().starts_with(std::string(row.path) + ":"))
        << row.body << " -> " << result.error().message();
  }
}

TEST(AnthropicRequest, BlocksComeBack) {
  constexpr std::string_view kMessages = R"([
    {"role":"user","content":[
      {"type":"text","text":"see","cache_control":{"type":"ephemeral"}},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},
      {"type":"image","source":{"type":"url","url":"https://x/y.png"}},
      {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BBBB"},"title":"t"},
      {"type":"document","source":{"type":"url","url":"https://x/y.pdf"}},
      {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}}]},
    {"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"sig"},
      {"type":"redacted_thinking","data":"opaque"},
      {"type":"text","text":"so"},
      {"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[1.50]}},
      {"type":"thinking","thinking":"and","signature":"sig2"},
      {"type":"tool_use","id":"toolu_2","name":"g","input":{}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"toolu_1","content":"r"},
      {"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[
        {"type":"text","text":"bad"},
        {"type":"image","source":{"type":"url","url":"https://x"}}]},
      {"type":"text","text":"go on"}]}])";
  const std::string body =
      R"({"model":"m","max_tokens":9,"messages":)" + std::string(kMessages) + "}";
  EXPECT_EQ(at(write(read(body)), "messages"), canonical(kMessages));
  EXPECT_TRUE(read(body).dropped.empty());
}

TEST(AnthropicRequest, ProviderToolsAndTheirBlocksAreNative) {
  const Conversation c = read(R"({"model":"m","max_tokens":9,"container":"c",
    "tools":[{"type":"web_search_20250305","name":"web_search"},
             {"type":"custom","name":"f","input_schema":{"type":"object"}}],
    "messages":[
      {"role":"user","content":"news?"},
      {"role":"assistant","content":[
        {"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}},
        {"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]},
        {"type":"some_block_of_2030","x":{}},
        {"type":"text","text":"none","citations":[{"type":"web_search_result_location"}]}]},
      {"role":"user","content":[{"type":"container_upload","file_id":"f"},
        {"type":"search_result","title":"T","source":"S","content":[{"type":"text","text":"body"}]}]}]})");
  ASSERT_EQ(c.tools.size(), 2u);
  EXPECT_EQ(c.tools[0].name, "web_search_20250305");
  EXPECT_EQ(c.tools[0].native, R"({"type":"web_search_20250305","name":"web_search"})");
  ASSERT_EQ(c.messages[1].parts.size(), 4u);
  EXPECT_EQ(c.messages[1].parts[0].name, "server_tool_use");
  EXPECT_EQ(c.messages[1].parts[0].id, "srvtoolu_1");
  EXPECT_EQ(c.messages[1].parts[3].text, "none");
  EXPECT_EQ(c.messages[1].parts[3].citations.size(), 1u);
  EXPECT_EQ(c.messages[2].parts.at(1).text, "T (S)\nbody");
  EXPECT_EQ(c.dropped, Dropped{"container"});
  // Their own dialect has them back, another one does without.
  const std::string own = write(c);
  EXPECT_EQ(at(own, "tools.0.type"), R"("web_search_20250305")");
  EXPECT_EQ(at(own, "messages.1.content.0.input.query"), R"("q")");
  EXPECT_EQ(at(own, "messages.1.content.2.type"), R"("some_block_of_2030")");
  EXPECT_EQ(at(own, "messages.1.content.3.citations.0.type"), R"("web_search_result_location")");
  EXPECT_EQ(at(own, "messages.2.content.0.type"), R"("container_upload")");
  Dropped dropped;
  ASSERT_TRUE(write_request(Dialect::openai_chat, c, {}, dropped));
  for (const char* name :
       {"tools.provider_run.web_search_20250305", "native_blocks.server_tool_use",
        "native_blocks.web_search_tool_result", "native_blocks.some_block_of_2030",
        "native_blocks.container_upload", "citations"}) {
    EXPECT_TRUE(has(dropped, name)) << name;
  }
}

TEST(AnthropicRequest, InstructionsInTheConversation) {
  const Conversation c = read(R"({"model":"m","system":"a","messages":[
    {"role":"user","content":[{"type":"text","text":"hi"},
      {"type":"mid_conv_system","content":[{"type":"text","text":"b"}]}]},
    {"role":"system","content":"c"}]})");
  ASSERT_EQ(c.system.size(), 3u);
  EXPECT_EQ(c.system[2].text, "c");
  EXPECT_TRUE(has(c.dropped, "messages[1].position"));
}

TEST(AnthropicRequest, TheBillingLineOfClaudeCodeStaysOut) {
  const std::string_view line = "x-anthropic-billing-header: cc_version=2.1.1.abc; cch=1f2e3;";
  const std::string head =
      R"({"max_tokens":7,"messages":[{"role":"user","content":"hi"}],"system":)";
  const auto block = [](std::string_view text) {
    return R"({"type":"text","text":")" + std::string(text) + R"("})";
  };
  const std::string as_block = "[" + block(line) + "," + block("You are Claude.") + "]}";
  const std::string as_text = "\"" + std::string(line) + "\\nYou are Claude.\"}";
  for (const std::string& system : {as_block, as_text}) {
    const Conversation c = read(head + system);
    ASSERT_EQ(c.system.size(), 1U) << system;
    EXPECT_EQ(c.system[0].text, "You are Claude.");
    EXPECT_EQ(c.dropped.size(), 1U);
  }
  EXPECT_TRUE(read(head + "[" + block(line) + "]}").system.empty());
  const Conversation quoted =
      read(head + block("Not this: " + std::string(line)).insert(0, "[") + "]}");
  EXPECT_TRUE(quoted.dropped.empty());
}

TEST(AnthropicRequest, FromOpenAi) {
  Dropped dropped;
  const std::string body = write(read_openai(R"({"model":"m","max_completion_tokens":99,
    "frequency_penalty":1,"presence_penalty":1,"seed":4,"logprobs":true,"n":2,
    "messages":[
    {"role":"system","content":"a"},
    {"role":"user","content":"hi"},
    {"role":"user","content":"  "},
    {"role":"user","name":"bob","content":[{"type":"text","text":"there"},
       {"type":"input_audio","input_audio":{"data":"A","format":"wav"}}]},
    {"role":"assistant","content":"","tool_calls":[
      {"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}},
      {"id":"functions.g:1","type":"function","function":{"name":"g","arguments":"[1"}}]},
    {"role":"tool","tool_call_id":"call_1","content":"one"},
    {"role":"tool","tool_call_id":"functions.g:1","content":""},
    {"role":"user","content":"and?"},
    {"role":"assistant","content":"well "},
    {"role":"assistant","content":"then  \n"}]})"),
                                 {.model = "claude-x"}, &dropped);
  EXPECT_EQ(at(body, "model"), R"("claude-x")");
  EXPECT_EQ(at(body, "max_tokens"), "99");
  EXPECT_EQ(at(body, "system"), R"("a")");
  EXPECT_EQ(at(body, "messages"), canonical(R"([
    {"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":"there"}]},
    {"role":"assistant","content":[
      {"type":"tool_use","id":"call_1","name":"f","input":{}},
      {"type":"tool_use","id":"functions_g_1","name":"g","input":{"raw_arguments":"[1"}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"call_1","content":"one"},
      {"type":"tool_result","tool_use_id":"functions_g_1"},
      {"type":"text","text":"and?"}]},
    {"role":"assistant","content":[
      {"type":"text","text":"well "},{"type":"text","text":"then"}]}])"));
  for (const char* path : {"audio", "messages.name", "frequency_penalty", "presence_penalty",
                           "seed", "logprobs", "n"}) {
    EXPECT_TRUE(has(dropped, path)) << path;
  }
}

TEST(AnthropicRequest, ResultsStandBeforeText) {
  const std::string body = write(read_openai(R"({"messages":[
    {"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
    {"role":"user","content":"text first"},
    {"role":"tool","tool_call_id":"c","content":"r"}]})"));
  EXPECT_EQ(at(body, "messages.2.content.0.type"), R"("tool_result")");
  EXPECT_EQ(at(body, "messages.2.content.1.text"), R"("text first")");
  EXPECT_EQ(at(body, "messages.3"), "");
}

TEST(AnthropicRequest, TurnsThatTheApiDemands) {
  // An assistant turn first, instructions only, nothing at all.
  std::string body = write(read_openai(R"({"messages":[{"role":"assistant","content":"a"}]})"));
  EXPECT_EQ(at(body, "messages.0.role"), R"("user")");
  EXPECT_EQ(at(body, "messages.1.role"), R"("assistant")");
  body = write(read_openai(R"({"messages":[{"role":"system","content":"do it"}]})"));
  EXPECT_EQ(at(body, "system"), "");
  EXPECT_EQ(at(body, "messages.0.content.0.text"), R"("do it")");
  Dropped dropped;
  const auto nothing =
      write_request(Dialect::anthropic_messages,
                    read_openai(R"({"messages":[{"role":"user","content":""}]})"), {}, dropped);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), ErrorCode::invalid_argument);
}

TEST(AnthropicRequest, ThinkingComesFirstAndOnlySigned) {
  Conversation c = hello();
  c.messages.push_back(
      {.role = Role::assistant,
       .parts = {
           {.text = "so"},
           {.kind = PartKind::thinking, .text = "u"},
           {.kind = PartKind::thinking, .text = "g", .signature = "s", .origin = Dialect::gemini},
           {.kind = PartKind::thinking,
            .text = "t",
            .signature = "s",
            .origin = Dialect::anthropic_messages},
           {.kind = PartKind::redacted_thinking,
            .data = "d",
            .origin = Dialect::anthropic_messages}}});
  Dropped dropped;
  const std::string body = write(c, {}, &dropped);
  EXPECT_EQ(at(body, "messages.1.content"), canonical(R"([
    {"type":"thinking","thinking":"t","signature":"s"},
    {"type":"redacted_thinking","data":"d"},{"type":"text","text":"so"}])"));
  EXPECT_EQ(dropped, Dropped{"thinking"});
}

TEST(AnthropicRequest, AtMostFourBreakpoints) {
  Conversation c = hello();
  const CacheControl five{"5m"};
  c.system = {{.text = "s", .cache = five}};
  c.tools = {{.name = "f", .cache = five}};
  c.messages[0].parts = {{.text = "1", .cache = five},
                         {.text = "2", .cache = five},
                         {.text = "3", .cache = CacheControl{"1h"}},
                         {.text = "4", .cache = five}};
  Dropped dropped;
  const std::string body = write(c, {}, &dropped);
  size_t count = 0;
  for (size_t p = body.find("cache_control"); p != std::string::npos;
       p = body.find("cache_control", p + 1)) {
    ++count;
  }
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(at(body, "tools.0.cache_control"), "");
  EXPECT_EQ(at(body, "messages.0.content.2.cache_control"), R"({"ttl":"1h","type":"ephemeral"})");
  EXPECT_EQ(dropped, Dropped{"cache_control"});
}

TEST(AnthropicRequest, ThinkingByModel) {
  struct {
    const char* model;
    Reasoning reasoning;
    const char* thinking;
    const char* config;
  } const table[] = {
      {"claude-sonnet-4-5", {.effort = "low"}, R"({"budget_tokens":2048,"type":"enabled"})", ""},
      {"claude-3-7-sonnet-20250219",
       {.effort = "minimal"},
       R"({"budget_tokens":1024,"type":"enabled"})",
       ""},
      {"claude-opus-4-5@20251101",
       {.budget_tokens = 5000},
       R"({"budget_tokens":5000,"type":"enabled"})",
       ""},
      {"claude-opus-4-5", {.budget_tokens = 100}, R"({"budget_tokens":1024,"type":"enabled"})", ""},
      {"claude-opus-4-5", {.budget_tokens = -1}, R"({"budget_tokens":8192,"type":"enabled"})", ""},
      {"claude-opus-4-5", {.effort = "none"}, "", ""},
      {"claude-opus-4-5", {.effort = "unheard"}, R"({"budget_tokens":8192,"type":"enabled"})", ""},
      {"kimi-k3", {.effort = "high"}, R"({"budget_tokens":16384,"type":"enabled"})", ""},
      {"claude-opus-4-6", {.effort = "high"}, R"({"type":"adaptive"})", R"({"effort":"high"})"},
      {"claude-opus-4-6", {.effort = "xhigh"}, R"({"type":"adaptive"})", R"({"effort":"max"})"},
      {"us.anthropic.claude-opus-4-7-v1:0",
       {.effort = "xhigh"},
       R"({"display":"summarized","type":"adaptive"})",
       R"({"effort":"xhigh"})"},
      {"anthropic/claude-sonnet-5",
       {.effort = "minimal", .include_thoughts = false},
       R"({"type":"adaptive"})",
       R"({"effort":"low"})"},
      {"claude-sonnet-5",
       {.budget_tokens = -1},
       R"({"display":"summarized","type":"adaptive"})",
       ""},
      {"claude-sonnet-5", {.effort = "none"}, R"({"type":"disabled"})", ""},
      {"claude-sonnet-5-5", {.effort = "none"}, R"({"type":"between_tools"})", ""},
      {"claude-opus-5-5", {.effort = "none"}, "", R"({"effort":"low"})"},
      {"claude-fable-5", {.effort = "none"}, "", R"({"effort":"low"})"},
  };
  for (const auto& row : table) {
    Conversation c = hello();
    c.reasoning = row.reasoning;
    const std::string body = write(c, {.model = row.model});
    EXPECT_EQ(at(body, "thinking"), row.thinking) << row.model << " " << row.reasoning.effort;
    EXPECT_EQ(at(body, "output_config"), row.config) << row.model << " " << row.reasoning.effort;
  }
}

TEST(AnthropicRequest, ThinkingFitsTheOtherFields) {
  const Context context{.model = "claude-sonnet-4-5", .default_max_tokens = 4096};
  Conversation c = hello();
  c.reasoning = Reasoning{.effort = "medium", .budget_tokens = {}, .include_thoughts = {}};

  EXPECT_EQ(at(write(c, context), "max_tokens"), "12288");  // the default and the budget
  c.max_output_tokens = 6000;
  EXPECT_EQ(at(write(c, context), "max_tokens"), "6000");
  EXPECT_EQ(at(write(c, context), "thinking.budget_tokens"), "3000");
  c.max_output_tokens = 1500;
  EXPECT_EQ(at(write(c, context), "thinking.budget_tokens"), "1024");
  c.max_output_tokens = 1024;
  EXPECT_EQ(at(write(c, context), "thinking"), "");
  c.max_output_tokens.reset();

  // Sampling is not for thinkers.
  c.temperature = "0.2";
  c.top_k = "3";
  Dropped dropped;
  EXPECT_EQ(at(write(c, context, &dropped), "temperature"), "");
  EXPECT_EQ(dropped, (Dropped{"temperature", "top_k"}));
  c.temperature = "1";
  dropped.clear();
  write(c, context, &dropped);
  EXPECT_EQ(dropped, Dropped{"top_k"});
  c.temperature.clear();
  c.top_k.clear();

  // A forced tool excludes thinking.
  c.tools = {{.name = "f"}};
  c.tool_choice.kind = ToolChoiceKind::required;
  dropped.clear();
  EXPECT_EQ(at(write(c, context, &dropped), "thinking"), "");
  EXPECT_EQ(dropped, Dropped{"reasoning"});
  c.tool_choice.kind = ToolChoiceKind::unset;

  // A tool loop whose thinking the client has not kept.
  c.messages.push_back(
      {.role = Role::assistant,
       .parts = {{.kind = PartKind::tool_call, .id = "c", .name = "f", .json = "{}"}}});
  c.messages.push_back({.role = Role::user, .parts = {{.kind = PartKind::tool_result, .id = "c"}}});
  EXPECT_EQ(at(write(c, context), "thinking"), "");
  EXPECT_NE(at(write(c, {.model = "claude-opus-4-6"}), "thinking"), "");
  c.messages[1].parts.insert(c.messages[1].parts.begin(), {.kind = PartKind::thinking,
                                                           .text = "t",
                                                           .signature = "s",
                                                           .origin = Dialect::anthropic_messages});
  EXPECT_NE(at(write(c, context), "thinking"), "");
}

TEST(AnthropicRequest, SamplingByModel) {
  struct {
    const char* model;
    const char* temperature;
    const char* top_p;
    const char* written_temperature;
    const char* written_top_p;
  } const table[] = {
      {"claude-3-5-haiku-latest", "0.5", "0.5", "0.5", "0.5"},
      {"claude-3-5-haiku-latest", "1.7", "", "1", ""},
      {"claude-sonnet-4-5", "0.5", "0.5", "0.5", ""},
      {"claude-sonnet-4-5", "", "0.5", "", "0.5"},
      {"claude-opus-4-1-20250805", "0.5", "0.5", "0.5", ""},
      {"claude-opus-4-7", "0.5", "0.5", "", ""},
      {"claude-sonnet-5", "1", "", "", ""},
      {"claude-haiku-5-5", "0", "", "", ""},
      {"deepseek-chat", "2", "0.5", "1", "0.5"},
  };
  for (const auto& row : table) {
    Conversation c = hello();
    c.temperature = row.temperature;
    c.top_p = row.top_p;
    const std::string body = write(c, {.model = row.model});
    EXPECT_EQ(at(body, "temperature"), row.written_temperature) << row.model;
    EXPECT_EQ(at(body, "top_p"), row.written_top_p) << row.model;
  }
}

TEST(AnthropicRequest, StructuredOutput) {
  Conversation c = hello();
  c.format = {.kind = FormatKind::json_schema,
              .name = "n",
              .description = "",
              .schema = R"({"type":"object","properties":{"minimum":{"type":"integer","minimum":1},
                "list":{"type":"array","minItems":3,"items":{"type":"object","properties":{}}},
                "when":{"type":"string","format":"date-time","maxLength":9},
                "odd":{"oneOf":[{"type":"string","format":"color"},{"$ref":"#/$defs/d"}]}},
                "required":["minimum"],"additionalProperties":{"type":"string"},
                "$defs":{"d":{"type":["object","null"]}}})",
              .strict = true};
  Dropped dropped;
  std::string body = write(c, {.model = "claude-sonnet-4-5"}, &dropped);
  EXPECT_EQ(at(body, "output_config.format"), canonical(R"({"type":"json_schema","schema":
    {"type":"object","properties":{"minimum":{"type":"integer"},
      "list":{"type":"array","items":{"type":"object","properties":{},"additionalProperties":false}},
      "when":{"type":"string","format":"date-time"},
      "odd":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/d"}]}},
      "required":["minimum"],"additionalProperties":false,
      "$defs":{"d":{"type":["object","null"],"additionalProperties":false}}}})"));
  EXPECT_EQ(at(body, "tools"), "");
  for (const char* key : {"minimum", "minItems", "maxLength", "format", "additionalProperties"}) {
    EXPECT_TRUE(has(dropped, std::string("response_format.schema.") + key)) << key;
  }

  // Before structured output: a tool whose input is the answer, and an answer that is its input.
  body = write(c, {.model = "claude-3-5-sonnet-20241022"});
  EXPECT_EQ(at(body, "output_config"), "");
  EXPECT_EQ(at(body, "tool_choice"), R"({"name":"weir_json_response","type":"tool"})");
  EXPECT_EQ(at(body, "tools.0.input_schema"), canonical(c.format.schema));
  c.tools = {{.name = "f"}};
  EXPECT_EQ(at(write(c, {.model = "claude-3-5-sonnet-20241022"}), "tool_choice"),
            R"({"type":"any"})");

  c.format = {.kind = FormatKind::json_object};
  c.system = {{.text = "s"}};
  body = write(c, {.model = "claude-sonnet-4-5"});
  EXPECT_EQ(at(body, "system.0.text"), R"("s")");
  EXPECT_NE(at(body, "system.1.text").find("JSON object"), std::string::npos);
}

TEST(AnthropicRequest, StructuredOutputIsRead) {
  for (const char* member :
       {R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}})",
        R"("output_format":{"type":"json_schema","schema":{"type":"object"}})"}) {
    const Conversation c = read(R"({"model":"m","messages":[{"role":"user","content":"x"}],)" +
                                std::string(member) + "}");
    EXPECT_EQ(c.format.kind, FormatKind::json_schema) << member;
    EXPECT_EQ(c.format.schema, R"({"type":"object"})") << member;
    EXPECT_TRUE(c.dropped.empty()) << member;
  }
}

TEST(AnthropicRequest, ToolChoice) {
  Conversation c = hello();
  c.tools = {{.name = "f"}};
  EXPECT_EQ(at(write(c), "tool_choice"), "");
  c.parallel_tool_calls = false;
  EXPECT_EQ(at(write(c), "tool_choice"), R"({"disable_parallel_tool_use":true,"type":"auto"})");
  c.parallel_tool_calls = true;
  EXPECT_EQ(at(write(c), "tool_choice"), "");
  c.tool_choice = {ToolChoiceKind::named, "f"};
  Dropped dropped;
  EXPECT_EQ(at(write(c, {.model = "claude-sonnet-5-5"}, &dropped), "tool_choice.type"),
            R"("auto")");
  EXPECT_TRUE(has(dropped, "tool_choice"));
  c.tools.clear();
  EXPECT_EQ(at(write(c), "tool_choice"), "");
  c.tools = {{.name = "a.b"}};
  EXPECT_FALSE(write_request(Dialect::anthropic_messages, c, {}, dropped));
  c.tools = {{.name = std::string(128, 'a')}};
  EXPECT_TRUE(write_request(Dialect::anthropic_messages, c, {}, dropped));
  c.tools = {{.name = std::string(129, 'a')}};
  EXPECT_FALSE(write_request(Dialect::anthropic_messages, c, {}, dropped));
}

TEST(AnthropicRequest, ModelNames) {
  using anthropic_messages::ModelTraits;
  using anthropic_messages::traits_of;
  EXPECT_FALSE(traits_of("claude-3-opus-20240229").structured_output);
  EXPECT_FALSE(traits_of("claude-sonnet-4-20250514").structured_output);
  EXPECT_TRUE(traits_of("claude-opus-4-1-20250805").structured_output);
  EXPECT_TRUE(traits_of("claude-haiku-4-5@20251001").structured_output);
  EXPECT_FALSE(traits_of("claude-haiku-4-5").adaptive_thinking);
  EXPECT_TRUE(traits_of("claude-sonnet-4.6").adaptive_thinking);
  EXPECT_TRUE(traits_of("claude-mythos-preview").adaptive_thinking);
  EXPECT_FALSE(traits_of("my-claude").adaptive_thinking);
  EXPECT_FALSE(traits_of("claude-").adaptive_thinking);
  EXPECT_FALSE(traits_of("").adaptive_thinking);
}

}  // namespace
}  // namespace weir::dialect
