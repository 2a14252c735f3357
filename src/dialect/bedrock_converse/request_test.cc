// Converse requests: what other dialects' requests become, by model, and what comes back when the
// body is read again.
#include <gtest/gtest.h>

#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;

constexpr const char* kClaude37 = "us.anthropic.claude-3-7-sonnet-20250219-v1:0";
constexpr const char* kClaude45 = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* kClaude47 = "anthropic.claude-opus-4-7";
constexpr const char* kNova = "eu.amazon.nova-pro-v1:0";
constexpr const char* kNova2 = "us.amazon.nova-2-lite-v1:0";
constexpr const char* kLlama = "us.meta.llama3-3-70b-instruct-v1:0";
constexpr const char* kMistral = "mistral.mistral-large-2407-v1:0";
constexpr const char* kGptOss = "openai.gpt-oss-120b-1:0";

struct Written {
  std::string body;
  Dropped dropped;
};

Written write(const Conversation& conversation, std::string model = kClaude37) {
  Written out;
  const auto body = write_request(Dialect::bedrock_converse, conversation,
                                  {.model = std::move(model)}, out.dropped);
  EXPECT_TRUE(body) << body.error().message();
  out.body = body.value_or("");
  return out;
}

Conversation read(std::string_view body, Dialect dialect = Dialect::openai_chat) {
  const auto conversation = read_request_text(dialect, body);
  EXPECT_TRUE(conversation) << body << ": " << conversation.error().message();
  return conversation ? *conversation : Conversation{};
}

bool has(const Dropped& dropped, std::string_view path) {
  return std::find(dropped.begin(), dropped.end(), path) != dropped.end();
}

std::string chat(const char* members) {
  return std::string(R"({"model":"m","messages":[{"role":"user","content":"hi"}])") +
         (*members != '\0' ? "," : "") + members + "}";
}

TEST(ConverseRequest, FieldsByModel) {
  const char* tool =
      R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
  const std::string forced = std::string(tool) + R"(,"tool_choice":"required")";
  const std::string named =
      std::string(tool) + R"(,"tool_choice":{"type":"function","function":{"name":"f"}})";
  const std::string none = std::string(tool) + R"(,"tool_choice":"none")";
  const char* schema =
      R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}})";
  const struct {
    std::string members;
    const char* model;
    const char* path;
    const char* expected;
    const char* dropped;
  } table[] = {
      {R"("max_tokens":7)", kClaude37, "inferenceConfig", R"({"maxTokens":7})", ""},
      {R"("temperature":0.30,"top_p":0.9)", kNova, "inferenceConfig",
       R"({"temperature":0.30,"topP":0.9})", ""},
      {R"("temperature":1.5)", kNova, "inferenceConfig.temperature", "1", "temperature"},
      {R"("temperature":0.3,"top_p":0.9)", kClaude45, "inferenceConfig", R"({"temperature":0.3})",
       "top_p"},
      {R"("temperature":0.3)", kClaude47, "inferenceConfig", "", "temperature"},
      {R"("stop":["a"," "])", kNova, "inferenceConfig.stopSequences", R"(["a"])", "stop"},
      {R"("stop":"a")", kClaude37, "additionalModelResponseFieldPaths", R"(["/stop_sequence"])",
       ""},
      {R"("stop":"a")", kNova, "additionalModelResponseFieldPaths", "", ""},
      {tool, kLlama, "toolConfig",
       R"({"tools":[{"toolSpec":{"inputSchema":{"json":{"type":"object"}},"name":"f"}}]})", ""},
      {forced, kClaude37, "toolConfig.toolChoice", R"({"any":{}})", ""},
      {named, kClaude37, "toolConfig.toolChoice", R"({"tool":{"name":"f"}})", ""},
      {named, kMistral, "toolConfig.toolChoice", R"({"any":{}})", ""},
      {forced, kLlama, "toolConfig.toolChoice", "", "tool_choice"},
      {none, kClaude37, "toolConfig", "", ""},
      {R"("tool_choice":"auto")", kClaude37, "toolConfig", "", "tool_choice"},
      {schema, kClaude45, "outputConfig.textFormat.structure.jsonSchema.name", R"("n")", ""},
      {schema, kClaude45, "toolConfig", "", ""},
      {schema, kNova, "toolConfig.toolChoice", R"({"tool":{"name":"weir_json_response"}})", ""},
      {schema, kGptOss, "outputConfig.textFormat.structure.jsonSchema.schema",
       R"("{\"type\":\"object\"}")", ""},
      {schema, kLlama, "toolConfig.toolChoice", "", ""},
      {R"("response_format":{"type":"json_object"})", kNova, "system.0.text",
       R"("Answer with one JSON object and nothing else: no text around it and no code fence.")",
       ""},
      {R"("reasoning_effort":"low")", kClaude37, "additionalModelRequestFields",
       R"({"thinking":{"budget_tokens":2048,"type":"enabled"}})", ""},
      {R"("reasoning_effort":"low")", kClaude37, "inferenceConfig.maxTokens", "6144", ""},
      {R"("reasoning_effort":"low","max_tokens":3000)", kClaude37, "inferenceConfig.maxTokens",
       "3000", ""},
      {R"("reasoning_effort":"high","max_tokens":3000)", kClaude37,
       "additionalModelRequestFields.thinking.budget_tokens", "1500", ""},
      {R"("reasoning_effort":"low","max_tokens":1000)", kClaude37, "additionalModelRequestFields",
       "", "reasoning"},
      {R"("reasoning_effort":"xhigh")", kClaude47, "outputConfig.effort", R"("xhigh")", ""},
      {R"("reasoning_effort":"xhigh")", kClaude47, "additionalModelRequestFields.thinking.type",
       R"("adaptive")", ""},
      {R"("reasoning_effort":"low")", kNova2, "additionalModelRequestFields.reasoningConfig",
       R"({"maxReasoningEffort":"low","type":"enabled"})", ""},
      {R"("reasoning_effort":"high","max_tokens":9)", kNova2,
       "additionalModelRequestFields.reasoningConfig.maxReasoningEffort", R"("medium")",
       "reasoning"},
      {R"("reasoning_effort":"minimal")", kGptOss, "additionalModelRequestFields.reasoning_effort",
       R"("low")", ""},
      {R"("reasoning_effort":"low")", kNova, "additionalModelRequestFields", "", "reasoning"},
      {R"("reasoning_effort":"none")", kNova, "additionalModelRequestFields", "", ""},
      {R"("service_tier":"flex")", kNova, "serviceTier", R"({"type":"flex"})", ""},
      {R"("service_tier":"auto")", kNova, "serviceTier", "", ""},
      {R"("service_tier":"scale")", kNova, "serviceTier", "", "service_tier"},
      {R"("seed":1,"user":"u","n":2)", kNova, "seed", "", "seed"},
  };
  for (const auto& row : table) {
    const Written out = write(read(chat(row.members.c_str())), row.model);
    EXPECT_EQ(at(out.body, row.path), row.expected) << row.members << " " << row.model << "\n"
                                                    << out.body;
    if (*row.dropped != '\0') {
      EXPECT_TRUE(has(out.dropped, row.dropped)) << row.members << " " << row.model;
    } else {
      EXPECT_TRUE(out.dropped.empty())
          << row.members << " " << row.model << " " << out.dropped.front();
    }
  }
}

TEST(ConverseRequest, MetadataAsFarAsItFits) {
  Conversation c = read(chat(""));
  c.metadata = R"({"team":"a b","bad\"key":"x","n":7,"":"y"})";
  const Written out = write(c, kNova);
  EXPECT_EQ(at(out.body, "requestMetadata"), R"({"n":"7","team":"a b"})");
  EXPECT_EQ(out.dropped, Dropped({"metadata"}));
}

TEST(ConverseRequest, TopKByModel) {
  const struct {
    const char* model;
    const char* expected;
  } table[] = {
      {kClaude37, R"({"top_k":5})"},
      {kMistral, R"({"top_k":5})"},
      {kNova, R"({"inferenceConfig":{"topK":5}})"},
      {"cohere.command-r-v1:0", R"({"k":5})"},
      {kLlama, ""},
  };
  for (const auto& row : table) {
    const Written out =
        write(read(R"({"max_tokens":9,"top_k":5,"messages":[{"role":"user","content":"hi"}]})",
                   Dialect::anthropic_messages),
              row.model);
    EXPECT_EQ(at(out.body, "additionalModelRequestFields"), row.expected) << row.model;
    EXPECT_EQ(has(out.dropped, "top_k"), *row.expected == '\0') << row.model;
  }
}

TEST(ConverseRequest, TurnsAreInTheOrderThatTheApiWants) {
  const Conversation c = read(R"({"model":"m","messages":[
    {"role":"system","content":"be brief"},
    {"role":"assistant","content":"hello"},
    {"role":"user","content":"a"},{"role":"user","content":" "},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":""}}]},
    {"role":"user","content":"and this"},
    {"role":"tool","tool_call_id":"c1","content":"42"}]})");
  const Written out = write(c);
  EXPECT_EQ(at(out.body, "system"), R"([{"text":"be brief"}])");
  EXPECT_EQ(at(out.body, "messages"), canonical(R"([
    {"role":"user","content":[{"text":"Continue."}]},
    {"role":"assistant","content":[{"text":"hello"}]},
    {"role":"user","content":[{"text":"a"}]},
    {"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"f","input":{}}}]},
    {"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"42"}]}},{"text":"and this"}]}])"));
  // A history with calls needs the tools, which the client has left out.
  EXPECT_EQ(at(out.body, "toolConfig.tools.0.toolSpec.name"), R"("f")");
}

TEST(ConverseRequest, BlocksOfMessages) {
  const Conversation c = read(
      R"({"max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
    "tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","ttl":"1h"}}],
    "messages":[
    {"role":"user","content":[
      {"type":"image","source":{"type":"base64","media_type":"image/webp","data":"AAAA"}},
      {"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
      {"type":"document","title":"Q1 report.v2.pdf","source":{"type":"base64","media_type":"application/pdf","data":"BBBB"}},
      {"type":"document","title":"Q1_report.v2","source":{"type":"text","media_type":"text/plain","data":"plain"},"cache_control":{"type":"ephemeral"}}]},
    {"role":"assistant","content":[
      {"type":"thinking","thinking":"t","signature":"sig"},
      {"type":"redacted_thinking","data":"cmVk"},
      {"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[
        {"type":"text","text":"no"},
        {"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"CCCC"}}]},
      {"type":"tool_result","tool_use_id":"toolu_2"}]}]})",
      Dialect::anthropic_messages);
  const Written out = write(c);
  EXPECT_EQ(canonical(out.body), canonical(R"json({
    "toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default","ttl":"1h"}}]},
    "system":[{"text":"s"},{"cachePoint":{"type":"default"}}],
    "messages":[
      {"role":"user","content":[
        {"image":{"format":"webp","source":{"bytes":"AAAA"}}},
        {"document":{"format":"pdf","name":"Q1 report v2","source":{"bytes":"BBBB"}}},
        {"document":{"format":"txt","name":"Q1 report","source":{"bytes":"cGxhaW4="}}},
        {"cachePoint":{"type":"default"}},
        {"text":"See the document."}]},
      {"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"t","signature":"sig"}}},
        {"reasoningContent":{"redactedContent":"cmVk"}},
        {"toolUse":{"toolUseId":"toolu_1","name":"f","input":{"a":1}}}]},
      {"role":"user","content":[
        {"toolResult":{"toolUseId":"toolu_1","status":"error","content":[{"text":"no"},{"image":{"format":"jpeg","source":{"bytes":"CCCC"}}}]}},
        {"toolResult":{"toolUseId":"toolu_2","content":[{"text":"(no output)"}]}}]}],
    "inferenceConfig":{"maxTokens":9}})json"));
  EXPECT_EQ(out.dropped, Dropped({"image"}));
  // Elsewhere neither status nor breakpoints are known.
  const Written llama = write(c, kLlama);
  EXPECT_EQ(llama.body.find("cachePoint"), std::string::npos);
  EXPECT_EQ(llama.body.find("status"), std::string::npos);
  EXPECT_TRUE(has(llama.dropped, "cache_control"));
  EXPECT_TRUE(has(llama.dropped, "tool_result.is_error"));
  // Nova has none behind its tools.
  const Written nova = write(c, kNova);
  EXPECT_EQ(at(nova.body, "toolConfig.tools.1"), "");
  EXPECT_EQ(at(nova.body, "system.1"), R"({"cachePoint":{"type":"default"}})");
}

TEST(ConverseRequest, TheLastFourBreakpointsStay) {
  Conversation c;
  Message& turn = c.messages.emplace_back();
  for (int i = 0; i < 6; ++i) {
    turn.parts.push_back({.text = "x", .cache = CacheControl{"5m"}});
  }
  const Written out = write(c);
  EXPECT_EQ(at(out.body, "messages.0.content.0"), R"({"text":"x"})");
  EXPECT_EQ(at(out.body, "messages.0.content.1"), R"({"text":"x"})");
  EXPECT_EQ(at(out.body, "messages.0.content.2"), R"({"text":"x"})");
  EXPECT_EQ(at(out.body, "messages.0.content.3"), R"({"cachePoint":{"type":"default"}})");
  EXPECT_EQ(at(out.body, "messages.0.content.9"), R"({"cachePoint":{"type":"default"}})");
  EXPECT_EQ(out.dropped, Dropped({"cache_control"}));
}

TEST(ConverseRequest, NamesAndIds) {
  using bedrock_converse::document_name;
  using bedrock_converse::tool_use_id;
  EXPECT_EQ(document_name("a/b__c.pdf"), "a b c");
  EXPECT_EQ(document_name("r\xC3\xA9sum\xC3\xA9 (1) [x]-y.docx"), "r sum (1) [x]-y");
  EXPECT_EQ(document_name(""), "document");
  EXPECT_EQ(document_name("..."), "document");
  EXPECT_LE(document_name(std::string(900, 'a')).size(), 190u);
  EXPECT_EQ(tool_use_id("call_1.a:b-c"), "call_1.a:b-c");
  EXPECT_EQ(tool_use_id("a b/c"), "a_b_c");
  EXPECT_EQ(tool_use_id(""), "call");
  const std::string longest(200, 'x');
  EXPECT_LE(tool_use_id(longest).size(), 64u);
  EXPECT_EQ(tool_use_id(longest), tool_use_id(longest));
  EXPECT_NE(tool_use_id(longest), tool_use_id(longest + "y"));

  Conversation c;
  c.messages = {{.role = Role::user, .parts = {{.text = "hi"}}}};
  c.tools = {{.name = "has space"}};
  Dropped dropped;
  const auto body = write_request(Dialect::bedrock_converse, c, {.model = kNova}, dropped);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code(), ErrorCode::invalid_argument);
}

TEST(ConverseRequest, ForeignThoughtsAndBlocksStayBehind) {
  Conversation c;
  c.messages = {
      {.role = Role::user, .parts = {{.text = "hi"}}},
      {.role = Role::assistant,
       .parts =
           {{.kind = PartKind::thinking, .text = "x", .signature = "g", .origin = Dialect::gemini},
            {.kind = PartKind::thinking, .text = "unsigned"},
            {.kind = PartKind::native,
             .name = "web_search",
             .json = "{}",
             .origin = Dialect::openai_responses},
            {.kind = PartKind::native,
             .name = "guardContent",
             .json = R"({"guardContent":{"text":{"text":"g"}}})",
             .origin = Dialect::bedrock_converse}}},
  };
  const Written out = write(c);
  EXPECT_EQ(at(out.body, "messages.1.content"), R"([{"guardContent":{"text":{"text":"g"}}}])");
  EXPECT_TRUE(has(out.dropped, "thinking"));
  EXPECT_TRUE(has(out.dropped, "native_blocks.web_search"));
}

// What is written reads back as what was meant, and is written the same way again.
TEST(ConverseRequest, WrittenBodiesReadBack) {
  const char* body = R"({
    "toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object"}},"strict":true}},
        {"cachePoint":{"type":"default"}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"tool":{"name":"f"}}},
    "system":[{"text":"s"},{"guardContent":{"text":{"text":"g"}}},{"cachePoint":{"type":"default","ttl":"1h"}}],
    "messages":[{"role":"user","content":[{"text":"hi"},{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k"}}}},
        {"audio":{"format":"mp3","source":{"bytes":"AAAA"}}},{"video":{"format":"mp4","source":{"bytes":"AAAA"}}}]},
      {"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"t","signature":"s"}}},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":[1,2.50]}}}]},
      {"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"{\"x\":1}"}],"status":"error"}}]}],
    "inferenceConfig":{"maxTokens":10,"temperature":0.5,"stopSequences":["x"]},
    "additionalModelRequestFields":{"top_k":5},
    "outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"additionalProperties\":false}","name":"n"}}}},
    "additionalModelResponseFieldPaths":["/stop_sequence"],
    "requestMetadata":{"a":"b"},"serviceTier":{"type":"flex"}})";
  const auto conversation =
      read_request_text(Dialect::bedrock_converse, body, {.model = kClaude45});
  ASSERT_TRUE(conversation) << conversation.error().message();
  EXPECT_EQ(conversation->model, kClaude45);
  EXPECT_TRUE(conversation->dropped.empty()) << conversation->dropped.front();
  const Written out = write(*conversation, kClaude45);
  EXPECT_EQ(canonical(out.body), canonical(body));
}

TEST(ConverseRequest, RefusalsNameTheField) {
  const struct {
    const char* body;
    const char* path;
  } table[] = {
      {R"([])", "the body"},
      {R"({})", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":[{"role":"tool","content":[]}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user","content":"x"}]})", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":[{}]}]})", "messages[0].content[0]"},
      {R"({"messages":[{"role":"user","content":[{"image":{"format":"png"}}]}]})",
       "messages[0].content[0].image.source"},
      {R"({"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"t"}}]}]})",
       "messages[0].content[0].toolUse.name"},
      {R"({"messages":[{"role":"assistant","content":[{"toolUse":{"name":"f"}}]}]})",
       "messages[0].content[0].toolUse.toolUseId"},
      {R"({"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":0}})",
       "inferenceConfig.maxTokens"},
      {R"({"messages":[{"role":"user","content":[{"text":"x"}]}],"toolConfig":{"tools":[{"toolSpec":{}}]}})",
       "toolConfig.tools[0].toolSpec.name"},
  };
  for (const auto& row : table) {
    const auto conversation = read_request_text(Dialect::bedrock_converse, row.body);
    ASSERT_FALSE(conversation) << row.body;
    EXPECT_EQ(conversation.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(conversation.error().message().substr(0, std::string_view(row.path).size()), row.path)
        << row.body;
  }
}

}  // namespace
}  // namespace weir::dialect
