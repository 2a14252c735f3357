#include <gtest/gtest.h>

#include "dialect/gemini/gemini.h"
#include "dialect/translate.h"

namespace weir::dialect {
namespace {

Result<Conversation> read(std::string_view body, const Context& context = {}) {
  json::Document document;
  const Result<void> parsed = document.parse(body);
  EXPECT_TRUE(parsed) << body;
  return read_request(Dialect::gemini, document.root(), context);
}

Conversation read_ok(std::string_view body, const Context& context = {}) {
  Result<Conversation> conversation = read(body, context);
  EXPECT_TRUE(conversation) << (conversation ? "" : conversation.error().message());
  return conversation ? std::move(*conversation) : Conversation();
}

std::string write(const Conversation& conversation, const Context& context = {},
                  Dropped* dropped = nullptr) {
  Dropped ignored;
  Result<std::string> body = write_request(Dialect::gemini, conversation, context,
                                           dropped == nullptr ? ignored : *dropped);
  EXPECT_TRUE(body) << (body ? "" : body.error().message());
  if (!body) return {};
  json::Document document;
  EXPECT_TRUE(document.parse(*body)) << *body;
  return std::move(*body);
}

Conversation hello() {
  Conversation conversation;
  conversation.messages.push_back({.role = Role::user, .parts = {{.text = "Hi"}}});
  return conversation;
}

Context for_model(const char* model) {
  Context context;
  context.model = model;
  return context;
}

constexpr std::string_view kHello = R"("contents":[{"role":"user","parts":[{"text":"Hi"}]}])";

TEST(GeminiRequest, ReadsEverything) {
  const Conversation c = read_ok(R"({
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
      {"parts": [{"text": "What is it?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                 {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x/y.pdf"}}]},
      {"role": "model", "parts": [{"text": "hm", "thought": true},
          {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
          {"functionCall": {"name": "f", "args": {}}}]},
      {"role": "function", "parts": [{"functionResponse": {"name": "f", "response": {"output": "one"}}},
          {"functionResponse": {"name": "f", "response": {"error": "two"}}}]}],
    "tools": [{"functionDeclarations": [
        {"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": true}}, "propertyOrdering": ["a"]}},
        {"name": "g", "parametersJsonSchema": {"type": "object", "additionalProperties": false}}]},
        {"googleSearch": {}}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "safetySettings": [{"category": "X", "threshold": "Y"}],
    "generationConfig": {"temperature": 0.70, "topP": 0.9, "topK": 40, "maxOutputTokens": 100,
       "stopSequences": ["END"], "candidateCount": 2, "seed": 7, "presencePenalty": 0.1,
       "responseLogprobs": true, "logprobs": 3, "responseMimeType": "application/json",
       "responseJsonSchema": {"type": "object"}, "speechConfig": {},
       "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true}}})",
                                 {.model = "gemini-2.5-pro", .stream = true});
  EXPECT_EQ(c.model, "gemini-2.5-pro");
  EXPECT_TRUE(c.stream);
  ASSERT_EQ(c.system.size(), 1U);
  EXPECT_EQ(c.system[0].text, "Be brief.");
  ASSERT_EQ(c.messages.size(), 3U);
  ASSERT_EQ(c.messages[0].parts.size(), 3U);
  EXPECT_EQ(c.messages[0].parts[1],
            (Part{.kind = PartKind::image, .media_type = "image/png", .data = "AAAA"}));
  EXPECT_EQ(c.messages[0].parts[2], (Part{.kind = PartKind::document,
                                          .media_type = "application/pdf",
                                          .url = "https://x/y.pdf"}));
  EXPECT_EQ(c.messages[1].role, Role::assistant);
  EXPECT_EQ(c.messages[1].parts[0], (Part{.kind = PartKind::thinking, .text = "hm"}));
  EXPECT_EQ(c.messages[1].parts[1], (Part{.kind = PartKind::tool_call,
                                          .id = "call_0",
                                          .name = "f",
                                          .json = R"({"a":1})",
                                          .signature = "c2ln",
                                          .origin = Dialect::gemini}));
  EXPECT_EQ(c.messages[1].parts[2].id, "call_1");
  // Two calls of one name: answered in their order.
  EXPECT_EQ(c.messages[2].role, Role::user);
  EXPECT_EQ(c.messages[2].parts[0], (Part{.kind = PartKind::tool_result,
                                          .id = "call_0",
                                          .name = "f",
                                          .children = {{.text = "one"}}}));
  EXPECT_EQ(c.messages[2].parts[1], (Part{.kind = PartKind::tool_result,
                                          .id = "call_1",
                                          .name = "f",
                                          .is_error = true,
                                          .children = {{.text = "two"}}}));
  ASSERT_EQ(c.tools.size(), 3U);
  EXPECT_EQ(c.tools[2].native, R"({"googleSearch":{}})");
  EXPECT_EQ(c.tools[0].schema,
            R"({"type":"object","properties":{"a":{"type":["integer","null"]}}})");
  EXPECT_EQ(c.tools[1].schema, R"({"type":"object","additionalProperties":false})");
  EXPECT_EQ(c.tool_choice, (ToolChoice{ToolChoiceKind::named, "f"}));
  EXPECT_EQ(c.temperature, "0.70");  // the client's digits
  EXPECT_EQ(c.top_p, "0.9");
  EXPECT_EQ(c.top_k, "40");
  EXPECT_EQ(c.seed, "7");
  EXPECT_EQ(c.presence_penalty, "0.1");
  EXPECT_EQ(c.max_output_tokens, 100);
  EXPECT_EQ(c.candidates, 2);
  EXPECT_EQ(c.stop, std::vector<std::string>{"END"});
  EXPECT_EQ(c.logprobs, true);
  EXPECT_EQ(c.top_logprobs, 3);
  EXPECT_EQ(c.format.kind, FormatKind::json_schema);
  EXPECT_EQ(c.format.schema, R"({"type":"object"})");
  ASSERT_TRUE(c.reasoning);
  EXPECT_EQ(c.reasoning->budget_tokens, 1024);
  EXPECT_EQ(c.reasoning->include_thoughts, true);
  EXPECT_EQ(c.dropped, (Dropped{"generationConfig.speechConfig", "safetySettings"}));
}

TEST(GeminiRequest, SnakeCaseMeansTheSame) {
  const Conversation camel = read_ok(R"({"systemInstruction":{"parts":[{"text":"s"}]},
    "contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"fileData":{"fileUri":"gs://b/a.mp4","mimeType":"video/mp4"}}]},
      {"role":"model","parts":[{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"s"}]},
      {"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"output":"o"}}}]}],
    "tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],
    "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},
    "generationConfig":{"topP":1,"topK":2,"maxOutputTokens":3,"stopSequences":["x"],"candidateCount":1,
      "responseMimeType":"application/json","responseSchema":{"type":"ARRAY","minItems":"2","items":{"anyOf":[{"type":"STRING"}]}},
      "thinkingConfig":{"thinkingLevel":"HIGH","includeThoughts":true}}})");
  const Conversation snake = read_ok(R"({"system_instruction":{"parts":[{"text":"s"}]},
    "contents":[{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"AA=="}},{"file_data":{"file_uri":"gs://b/a.mp4","mime_type":"video/mp4"}}]},
      {"role":"model","parts":[{"function_call":{"id":"i","name":"f","args":{}},"thought_signature":"s"}]},
      {"role":"user","parts":[{"function_response":{"id":"i","name":"f","response":{"output":"o"}}}]}],
    "tools":[{"function_declarations":[{"name":"f","parameters_json_schema":{"type":"object"}}]}],
    "tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}},
    "generation_config":{"top_p":1,"top_k":2,"max_output_tokens":3,"stop_sequences":["x"],"candidate_count":1,
      "response_mime_type":"application/json","response_schema":{"type":"ARRAY","min_items":"2","items":{"any_of":[{"type":"STRING"}]}},
      "thinking_config":{"thinking_level":"HIGH","include_thoughts":true}}})");
  EXPECT_EQ(camel, snake);
  EXPECT_EQ(camel.format.schema,
            R"({"type":"array","minItems":2,"items":{"anyOf":[{"type":"string"}]}})");
  EXPECT_EQ(camel.reasoning->effort, "high");
  EXPECT_TRUE(camel.dropped.empty());
}

TEST(GeminiRequest, RefusesWithThePath) {
  struct Case {
    const char* body;
    const char* path;
  };
  const Case cases[] = {
      {"[]", "the body"},
      {"{}", "contents"},
      {R"({"contents":[]})", "contents"},
      {R"({"contents":"hi"})", "contents"},
      {R"({"contents":["hi"]})", "contents[0]"},
      {R"({"contents":[{"role":"system","parts":[]}]})", "contents[0].role"},
      {R"({"contents":[{"parts":["x"]}]})", "contents[0].parts[0]"},
      {R"({"contents":[{"parts":[{"functionCall":{"name":1}}]}]})",
       "contents[0].parts[0].functionCall.name"},
      {R"({"systemInstruction":4,"contents":[{"parts":[{"text":"a"}]}]})", "systemInstruction"},
      {R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"temperature":"hot"}})",
       "generationConfig.temperature"},
      {R"({"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"max_output_tokens":1.5}})",
       "generationConfig.max_output_tokens"},
      {R"({"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{}]}]})",
       "tools[0].functionDeclarations[0].name"},
      {R"({"contents":[{"parts":[{"text":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}})",
       "toolConfig.functionCallingConfig.mode"},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.body);
    const Result<Conversation> result = read(expected.body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::invalid_argument);
    EXPECT_TRUE(result.error().message().starts_with(std::string(expected.path) + ":"))
        << result.error().message();
  }
}

TEST(GeminiRequest, SeveralAllowedFunctionsAreTheOnlyOnesOffered) {
  const Conversation c =
      read_ok("{" + std::string(kHello) +
              R"(,"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"},{"name":"c"}]}],
      "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["a","c"]}}})");
  EXPECT_EQ(c.tool_choice.kind, ToolChoiceKind::required);
  ASSERT_EQ(c.tools.size(), 2U);
  EXPECT_EQ(c.tools[1].name, "c");
}

TEST(GeminiRequest, WritesTheMinimum) {
  EXPECT_EQ(write(hello(), for_model("gemini-2.5-flash")), "{" + std::string(kHello) + "}");
}

TEST(GeminiRequest, WritesEverything) {
  Conversation c = hello();
  c.system = {{.text = "Be brief."}};
  c.messages[0].parts.push_back(
      {.kind = PartKind::image, .media_type = "image/png", .data = "AAAA"});
  c.messages[0].parts.push_back({.kind = PartKind::image, .url = "https://x/cat.webp?size=1"});
  c.messages.push_back(
      {.role = Role::assistant,
       .parts = {{.kind = PartKind::thinking, .text = "hm", .signature = "claude"},
                 {.text = "Calling."},
                 {.kind = PartKind::tool_call, .id = "t1", .name = "f", .json = R"({ "a": 1 })"},
                 {.kind = PartKind::tool_call, .id = "t2", .name = "g", .json = ""}}});
  // Answers in another order than the calls, with a picture and more to say.
  c.messages.push_back(
      {.role = Role::user,
       .parts = {{.kind = PartKind::tool_result,
                  .id = "t2",
                  .children = {{.text = "[1]"},
                               {.kind = PartKind::image, .media_type = "image/gif", .data = "GG"}}},
                 {.kind = PartKind::tool_result, .id = "t1", .children = {{.text = R"({"x": 2})"}}},
                 {.text = "And?"}}});
  c.tools = {{.name = "f", .description = "d", .schema = R"({"type": "object"})"}, {.name = "g"}};
  c.tool_choice.kind = ToolChoiceKind::required;
  c.temperature = "0.70";
  c.stop = {"1", "2", "3", "4", "5", "6"};
  c.max_output_tokens = 64;
  c.parallel_tool_calls = false;
  c.user = "u";
  Dropped dropped;
  const std::string body = write(c, for_model("gemini-3-pro-preview"), &dropped);
  EXPECT_EQ(
      body,
      R"({"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[)"
      R"({"role":"user","parts":[{"text":"Hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},)"
      R"({"fileData":{"fileUri":"https://x/cat.webp?size=1","mimeType":"image/webp"}}]},)"
      R"({"role":"model","parts":[{"text":"Calling."},)"
      R"({"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"skip_thought_signature_validator"},)"
      R"({"functionCall":{"name":"g","args":{}}}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"name":"f","response":{"x":2}}},)"
      R"({"functionResponse":{"name":"g","response":{"output":"[1]"}}}]},)"
      R"({"role":"user","parts":[{"inlineData":{"mimeType":"image/gif","data":"GG"}},{"text":"And?"}]}],)"
      R"("tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}},{"name":"g"}]}],)"
      R"("toolConfig":{"functionCallingConfig":{"mode":"ANY"}},)"
      R"("generationConfig":{"temperature":0.70,"maxOutputTokens":64,"stopSequences":["1","2","3","4","5"]}})");
  EXPECT_EQ(dropped, (Dropped{"thinking", "stop", "parallel_tool_calls", "user"}));
}

TEST(GeminiRequest, SignaturesOfCallsAreEchoed) {
  Conversation c = hello();
  Part call{.kind = PartKind::tool_call, .id = "a", .name = "f", .json = "{}"};
  c.messages.push_back({.role = Role::assistant, .parts = {call, call}});
  c.messages[1].parts[0].signature = "c2ln";
  c.messages[1].parts[0].origin = Dialect::gemini;
  const auto signed_body = write(c, for_model("gemini-3-flash"));
  EXPECT_NE(signed_body.find(R"("thoughtSignature":"c2ln")"), std::string::npos);
  EXPECT_EQ(signed_body.find(gemini::kForeignSignature), std::string::npos);
  c.messages[1].parts[0].signature.clear();
  const auto count = [&](const char* model) {
    const std::string body = write(c, for_model(model));
    size_t found = 0;
    for (size_t at = body.find(gemini::kForeignSignature); at != std::string::npos;
         at = body.find(gemini::kForeignSignature, at + 1)) {
      ++found;
    }
    return found;
  };
  EXPECT_EQ(count("gemini-3-flash"), 1U);  // the first call of the turn only
  EXPECT_EQ(count("gemini-flash-latest"), 1U);
  EXPECT_EQ(count("gemini-2.5-pro"), 0U);
}

TEST(GeminiRequest, ThinkingByGeneration) {
  struct Case {
    const char* model;
    Reasoning reasoning;
    const char* config;  // nullptr: no thinkingConfig
  };
  const Case cases[] = {
      {"gemini-3-pro-preview",
       {.effort = "high"},
       R"({"thinkingLevel":"high","includeThoughts":true})"},
      {"gemini-3-pro-preview",
       {.effort = "medium"},
       R"({"thinkingLevel":"high","includeThoughts":true})"},
      {"gemini-3.1-pro-preview",
       {.effort = "medium"},
       R"({"thinkingLevel":"medium","includeThoughts":true})"},
      {"gemini-3-pro-preview", {.effort = "none"}, R"({"thinkingLevel":"low"})"},
      {"gemini-3-flash",
       {.effort = "minimal"},
       R"({"thinkingLevel":"minimal","includeThoughts":true})"},
      {"gemini-3-flash",
       {.budget_tokens = 2000},
       R"({"thinkingLevel":"low","includeThoughts":true})"},
      {"gemini-3-flash", {.budget_tokens = -1}, nullptr},
      {"gemini-2.5-pro", {.effort = "none"}, R"({"thinkingBudget":128})"},
      {"gemini-2.5-flash", {.effort = "none"}, R"({"thinkingBudget":0})"},
      {"gemini-2.5-flash",
       {.budget_tokens = 99999},
       R"({"thinkingBudget":24576,"includeThoughts":true})"},
      {"gemini-2.5-flash-lite",
       {.budget_tokens = 5},
       R"({"thinkingBudget":512,"includeThoughts":true})"},
      {"gemini-2.5-pro", {.budget_tokens = -1}, R"({"thinkingBudget":-1,"includeThoughts":true})"},
      {"models/gemini-2.5-pro",
       {.effort = "low", .include_thoughts = true},
       R"({"thinkingBudget":2048,"includeThoughts":true})"},
      {"gemini-2.0-flash", {.effort = "high"}, nullptr},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(std::string(expected.model) + " " + expected.reasoning.effort);
    Conversation c = hello();
    c.reasoning = expected.reasoning;
    const std::string body = write(c, for_model(expected.model));
    json::Document document;
    ASSERT_TRUE(document.parse(body));
    const json::Value config = document.root()["generationConfig"]["thinkingConfig"];
    EXPECT_EQ(config.raw(), expected.config == nullptr ? "" : expected.config);
  }
}

TEST(GeminiRequest, PiecesOfAThoughtAreOne) {
  const Conversation c = read_ok(R"({"contents":[{"role":"user","parts":[{"text":"hi"}]},
      {"role":"model","parts":[{"text":"It ","thought":true},{"text":"is","thought":true}]},
      {"role":"model","parts":[{"text":" so.","thought":true},
        {"text":"","thought":true,"thoughtSignature":"c2ln"},
        {"text":"Another","thought":true},{"text":"Yes."}]}]})");
  std::vector<Part> thoughts;
  for (const Message& message : c.messages) {
    for (const Part& part : message.parts) {
      if (part.kind == PartKind::thinking) thoughts.push_back(part);
    }
  }
  ASSERT_EQ(thoughts.size(), 2u);
  EXPECT_EQ(thoughts[0].text, "It is so.");
  EXPECT_EQ(thoughts[0].signature, "c2ln");
  EXPECT_EQ(thoughts[1].text, "Another");
  EXPECT_EQ(thoughts[1].signature, "");
}

TEST(GeminiRequest, JsonAnswersWithToolsNeedGemini3) {
  Conversation c = hello();
  c.tools = {{.name = "f"}};
  c.format = {.kind = FormatKind::json_schema, .name = "r", .schema = R"({"type":"object"})"};
  Dropped dropped;
  EXPECT_EQ(write(c, for_model("gemini-2.5-pro"), &dropped).find("responseMimeType"),
            std::string::npos);
  EXPECT_EQ(dropped, Dropped{"response_format"});
  EXPECT_NE(write(c, for_model("gemini-3-pro")).find(R"("responseJsonSchema":{"type":"object"})"),
            std::string::npos);
}

TEST(GeminiRequest, NothingToSayIsRefused) {
  Conversation c;
  c.messages.push_back({.role = Role::user, .parts = {{.text = ""}}});
  Dropped dropped;
  const Result<std::string> body = write_request(Dialect::gemini, c, {}, dropped);
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code(), ErrorCode::invalid_argument);
}

// What is written reads back as what it was, ids given anew.
TEST(GeminiRequest, RoundTrip) {
  Conversation c;
  c.model = "gemini-2.5-pro";
  c.system = {{.text = "s"}};
  c.messages = {
      {.role = Role::user, .parts = {{.text = "a \" \\ \n é"}}},
      {.role = Role::assistant,
       .parts = {{.kind = PartKind::tool_call,
                  .id = "call_0",
                  .name = "f",
                  .json = R"({"x":1.50})",
                  .signature = "c2ln",
                  .origin = Dialect::gemini},
                 {.kind = PartKind::tool_call, .id = "call_1", .name = "g", .json = "{}"}}},
      {.role = Role::user,
       .parts = {{.kind = PartKind::tool_result,
                  .id = "call_0",
                  .name = "f",
                  .children = {{.text = "r"}}},
                 {.kind = PartKind::tool_result,
                  .id = "call_1",
                  .name = "g",
                  .is_error = true,
                  .children = {{.text = "e"}}}}}};
  c.tools = {{.name = "f", .schema = R"({"type":"object","title":"T"})"}, {.name = "g"}};
  c.tool_choice = {ToolChoiceKind::named, "g"};
  c.temperature = "1e-1";
  c.top_k = "3";
  c.frequency_penalty = "-0.5";
  c.max_output_tokens = 5;
  c.candidates = 2;
  c.stop = {"x"};
  c.logprobs = true;
  c.top_logprobs = 2;
  c.reasoning = Reasoning{.budget_tokens = 512, .include_thoughts = false};
  const std::string body = write(c, for_model("gemini-2.5-pro"));
  EXPECT_EQ(read_ok(body, for_model("gemini-2.5-pro")), c);
}

}  // namespace
}  // namespace weir::dialect
