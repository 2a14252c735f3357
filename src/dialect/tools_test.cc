#include "dialect/tools.h"

#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

TEST(FreeformTools, InputsTravelAsOneString) {
  for (const std::string input : {"", "plain", "with \"quotes\" and\nlines", "{\"input\":1}"}) {
    EXPECT_EQ(input_of_arguments(arguments_of_input(input)), input);
  }
  // What a model made of it instead is its input.
  EXPECT_EQ(input_of_arguments(R"({"code":"1"})"), R"({"code":"1"})");
  EXPECT_EQ(input_of_arguments("print(1)"), "print(1)");
}

TEST(FreeformTools, TheGrammarIsToldInWords) {
  Tool tool{.name = "sql", .description = "Runs SQL.", .freeform = true};
  EXPECT_EQ(freeform_description(tool), "Runs SQL.");
  tool.format = R"({"type":"text"})";
  EXPECT_EQ(freeform_description(tool), "Runs SQL.");
  tool.format = R"({"type":"grammar","syntax":"regex","definition":"SELECT .*"})";
  EXPECT_EQ(freeform_description(tool),
            "Runs SQL.\n\nThe input has to match this regex grammar:\nSELECT .*");
}

constexpr const char* kCustomRequest = R"({"model":"m","messages":[{"role":"user","content":"q"},
  {"role":"assistant","tool_calls":[{"id":"c1","type":"custom","custom":{"name":"sql","input":"SELECT 1"}}]},
  {"role":"tool","tool_call_id":"c1","content":"1"}],
  "tools":[{"type":"custom","custom":{"name":"sql","description":"Runs SQL.","format":{"type":"grammar",
    "grammar":{"syntax":"lark","definition":"start: /S/"}}}}],
  "tool_choice":{"type":"custom","custom":{"name":"sql"}}})";

TEST(FreeformTools, ChatHasThemAndOthersAFunction) {
  using testing::at;
  using testing::canonical;
  const auto c = testing::read_request_text(Dialect::openai_chat, kCustomRequest);
  ASSERT_TRUE(c);
  Dropped dropped;
  const auto chat = write_request(Dialect::openai_chat, *c, {.model = "gpt-5"}, dropped);
  ASSERT_TRUE(chat);
  EXPECT_EQ(at(*chat, "tools"), at(kCustomRequest, "tools"));
  EXPECT_EQ(at(*chat, "tool_choice"), at(kCustomRequest, "tool_choice"));
  EXPECT_EQ(at(*chat, "messages.1.tool_calls"), at(kCustomRequest, "messages.1.tool_calls"));
  EXPECT_TRUE(dropped.empty());

  const auto old = write_request(Dialect::openai_chat, *c, {.model = "gpt-4o"}, dropped);
  ASSERT_TRUE(old);
  EXPECT_EQ(at(*old, "tools.0.function.parameters"), canonical(kFreeformSchema));
  EXPECT_EQ(at(*old, "messages.1.tool_calls.0.function.arguments"),
            R"("{\"input\":\"SELECT 1\"}")");
  EXPECT_EQ(dropped, Dropped{"tools.format"});

  const auto claude = write_request(Dialect::anthropic_messages, *c, {.model = "x"}, dropped);
  ASSERT_TRUE(claude);
  EXPECT_EQ(at(*claude, "tools.0.input_schema"), canonical(kFreeformSchema));
  EXPECT_EQ(at(*claude, "messages.1.content.0.input"), R"({"input":"SELECT 1"})");
  EXPECT_EQ(at(*claude, "tool_choice.name"), R"("sql")");

  const auto gemini = write_request(Dialect::gemini, *c, {.model = "gemini-3-pro"}, dropped);
  ASSERT_TRUE(gemini);
  EXPECT_EQ(at(*gemini, "contents.1.parts.0.functionCall.args"), R"({"input":"SELECT 1"})");
}

TEST(FreeformTools, CallsComeBackAsTheClientAskedForThem) {
  using testing::at;
  const auto asked = testing::read_request_text(Dialect::openai_chat, kCustomRequest);
  ASSERT_TRUE(asked);
  Reply reply{.id = "r", .candidates = {Candidate{}}};
  reply.candidates[0].parts = {
      {.kind = PartKind::tool_call, .id = "c2", .name = "sql", .json = R"({"input":"SELECT 2"})"}};
  reply.candidates[0].stop = StopReason::tool_use;
  const Context context{.asked = &*asked};
  const std::string whole = write_reply(Dialect::openai_chat, reply, context);
  EXPECT_EQ(at(whole, "choices.0.message.tool_calls.0"),
            R"({"custom":{"input":"SELECT 2","name":"sql"},"id":"c2","type":"custom"})");
  const std::string bytes = testing::write_stream(Dialect::openai_chat, events_of(reply), context);
  const Reply streamed = testing::build(testing::read_stream(Dialect::openai_chat, bytes));
  const Part& call = streamed.candidates.at(0).parts.at(0);
  EXPECT_TRUE(call.freeform);
  EXPECT_EQ(call.text, "SELECT 2");
}

TEST(FreeformTools, StreamsOfOpenAiReachOtherClientsAsArguments) {
  Reply reply{.id = "r", .candidates = {Candidate{}}};
  reply.candidates[0].parts = {{.kind = PartKind::tool_call,
                                .text = "SELECT 3",
                                .id = "c3",
                                .name = "sql",
                                .freeform = true}};
  reply.candidates[0].stop = StopReason::tool_use;
  for (const Dialect client : {Dialect::anthropic_messages, Dialect::gemini}) {
    const Reply streamed = testing::build(
        testing::read_stream(client, testing::write_stream(client, events_of(reply))));
    EXPECT_EQ(streamed.candidates.at(0).parts.at(0).json, R"({"input":"SELECT 3"})");
    const auto whole = testing::read_reply_text(client, write_reply(client, reply, {}));
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->candidates.at(0).parts.at(0).json, R"({"input":"SELECT 3"})");
  }
}

TEST(ProviderTools, AreWrittenWhereTheyAreKnown) {
  using testing::at;
  const auto c = testing::read_request_text(
      Dialect::anthropic_messages,
      R"({"max_tokens":9,"messages":[{"role":"user","content":"q"}],"tools":[)"
      R"({"type":"web_search_20250305","name":"web_search"},)"
      R"({"type":"bash_20250124","name":"bash"}]})");
  ASSERT_TRUE(c);
  Dropped dropped;
  const auto gemini = write_request(Dialect::gemini, *c, {.model = "gemini-2.5-pro"}, dropped);
  ASSERT_TRUE(gemini);
  EXPECT_EQ(at(*gemini, "tools"), R"([{"googleSearch":{}}])");
  EXPECT_EQ(dropped, Dropped{"tools.provider_run.bash_20250124"});

  dropped.clear();
  const auto search =
      write_request(Dialect::openai_chat, *c, {.model = "gpt-4o-search-preview"}, dropped);
  ASSERT_TRUE(search);
  EXPECT_EQ(at(*search, "web_search_options"), "{}");
  dropped.clear();
  const auto plain = write_request(Dialect::openai_chat, *c, {.model = "gpt-5"}, dropped);
  ASSERT_TRUE(plain);
  EXPECT_EQ(at(*plain, "web_search_options"), "");
  EXPECT_EQ(dropped, (Dropped{"tools.provider_run.web_search_20250305",
                              "tools.provider_run.bash_20250124"}));
}

TEST(ProviderTools, WellKnownOnesHaveCounterparts) {
  struct Row {
    Dialect from;
    const char* name;
    Dialect to;
    const char* json;
  };
  const Row rows[] = {
      {Dialect::openai_responses, "web_search_preview", Dialect::anthropic_messages,
       R"({"type":"web_search_20250305","name":"web_search"})"},
      {Dialect::openai_responses, "web_search", Dialect::gemini, R"({"googleSearch":{}})"},
      {Dialect::openai_responses, "code_interpreter", Dialect::gemini, R"({"codeExecution":{}})"},
      {Dialect::openai_responses, "file_search", Dialect::gemini, ""},
      {Dialect::anthropic_messages, "web_search_20260209", Dialect::openai_responses,
       R"({"type":"web_search"})"},
      {Dialect::anthropic_messages, "web_fetch_20250910", Dialect::gemini, R"({"urlContext":{}})"},
      {Dialect::anthropic_messages, "web_fetch_20250910", Dialect::openai_responses, ""},
      {Dialect::anthropic_messages, "bash_20250124", Dialect::openai_responses, ""},
      {Dialect::anthropic_messages, "web_search_20250305", Dialect::openai_chat, "{}"},
      {Dialect::gemini, "google_search", Dialect::anthropic_messages,
       R"({"type":"web_search_20250305","name":"web_search"})"},
      {Dialect::gemini, "codeExecution", Dialect::openai_responses,
       R"({"type":"code_interpreter","container":{"type":"auto"}})"},
      {Dialect::gemini, "googleMaps", Dialect::openai_responses, ""},
      {Dialect::openai_chat, "web_search_options", Dialect::gemini, R"({"googleSearch":{}})"},
      {Dialect::gemini, "googleSearch", Dialect::bedrock_converse, ""},
  };
  for (const Row& row : rows) {
    const Tool tool{.name = row.name, .native = "{\"own\":1}", .origin = row.from};
    EXPECT_EQ(provider_tool_json(tool, row.to), row.json) << row.name;
    EXPECT_EQ(provider_tool_json(tool, row.from), "{\"own\":1}") << row.name;
  }
}

}  // namespace
}  // namespace weir::dialect
