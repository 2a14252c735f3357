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
