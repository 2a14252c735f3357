#include "sim/answer.h"

#include <gtest/gtest.h>

#include "sim/prompt.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::Conversation;
using dialect::Dialect;
using dialect::Part;
using dialect::PartKind;
using dialect::Reply;
using dialect::StopReason;

Part text(std::string value) {
  Part part;
  part.text = std::move(value);
  return part;
}

Conversation ask(std::string value) {
  Conversation conversation;
  conversation.model = "m";
  conversation.messages.push_back({.role = dialect::Role::user, .parts = {text(std::move(value))}});
  return conversation;
}

Reply answer(const Conversation& conversation, Dialect dialect = Dialect::openai_chat,
             const ScriptedReply* script = nullptr, AnswerSettings settings = {}) {
  PromptCache cache;
  AnswerRequest request{.conversation = conversation,
                        .dialect = dialect,
                        .input = cache.input_usage(conversation, dialect, Nanoseconds(0)),
                        .call = 1,
                        .now_s = 100,
                        .script = script};
  return make_answer(request, settings);
}

dialect::Tool weather_tool() {
  dialect::Tool tool;
  tool.name = "get_weather";
  tool.schema = R"({"type":"object","properties":{"city":{"type":"string"}}})";
  return tool;
}

TEST(Answer, IsTheSameForTheSameQuestion) {
  EXPECT_EQ(answer(ask("hello")), answer(ask("hello")));
  const Reply one = answer(ask("hello"));
  EXPECT_NE(one.candidates[0].parts, answer(ask("hello there")).candidates[0].parts);
  EXPECT_NE(one.candidates[0].parts,
            answer(ask("hello"), Dialect::openai_chat, nullptr, {.seed = 2}).candidates[0].parts);
}

TEST(Answer, UsageCountsWhatStandsThere) {
  const Reply reply = answer(ask("one two three"));
  EXPECT_EQ(reply.usage.input, 3 + kMessageTokens);
  EXPECT_EQ(reply.usage.output, count_tokens(reply.candidates[0].parts[0].text));
  EXPECT_GE(reply.usage.output, 24);
  EXPECT_LE(reply.usage.output, 72);
  EXPECT_EQ(reply.candidates[0].stop, StopReason::end_turn);
}

TEST(Answer, ObeysLimitAndStopSequences) {
  Conversation limited = ask("hello");
  limited.max_output_tokens = 5;
  const Reply cut = answer(limited);
  EXPECT_EQ(cut.usage.output, 5);
  EXPECT_EQ(cut.candidates[0].stop, StopReason::max_tokens);
  Conversation stopped = ask("hello");
  stopped.stop = {"."};
  const Reply short_reply = answer(stopped);
  EXPECT_EQ(short_reply.candidates[0].stop, StopReason::stop_sequence);
  EXPECT_EQ(short_reply.candidates[0].parts[0].text.find('.'), std::string::npos);
}

TEST(Answer, CallsTheToolThatIsSpokenOfThenQuotesItsResult) {
  Conversation conversation = ask("What is the weather like?");
  conversation.tools = {weather_tool()};
  const Reply call = answer(conversation, Dialect::anthropic_messages);
  ASSERT_EQ(call.candidates[0].parts.size(), 1U);
  EXPECT_EQ(call.candidates[0].parts[0].json, R"({"city":"city"})");
  EXPECT_TRUE(call.candidates[0].parts[0].id.starts_with("toolu_"));
  EXPECT_EQ(call.candidates[0].stop, StopReason::tool_use);

  Part result;
  result.kind = PartKind::tool_result;
  result.children = {text("18 degrees")};
  conversation.messages.push_back({.role = dialect::Role::user, .parts = {result}});
  const Reply last = answer(conversation);
  EXPECT_EQ(last.candidates[0].parts[0].text, "The tool said: 18 degrees.");
}

TEST(Answer, ToolChoiceDecides) {
  struct Case {
    dialect::ToolChoiceKind kind;
    size_t calls;
  };
  for (const Case& c :
       {Case{dialect::ToolChoiceKind::automatic, 0}, Case{dialect::ToolChoiceKind::required, 1},
        Case{dialect::ToolChoiceKind::none, 0}}) {
    Conversation conversation = ask("hello");
    conversation.tools = {weather_tool()};
    conversation.tool_choice.kind = c.kind;
    const Reply reply = answer(conversation);
    EXPECT_EQ(reply.candidates[0].parts[0].kind == PartKind::tool_call ? 1U : 0U, c.calls);
  }
}

TEST(Answer, StructuredOutputFitsTheSchema) {
  Conversation conversation = ask("hello");
  conversation.format.kind = dialect::FormatKind::json_schema;
  conversation.format.schema = R"({"type":"object","properties":{"n":{"type":"integer"}}})";
  EXPECT_EQ(answer(conversation).candidates[0].parts[0].text, R"({"n":1})");
}

TEST(Answer, ThinkingIsShownOrOnlyCounted) {
  Conversation conversation = ask("hello");
  conversation.reasoning.emplace().effort = "low";
  const Reply hidden = answer(conversation, Dialect::openai_chat);
  EXPECT_EQ(hidden.candidates[0].parts.size(), 1U);
  EXPECT_EQ(hidden.usage.reasoning, 16);
  const Reply shown = answer(conversation, Dialect::anthropic_messages);
  ASSERT_EQ(shown.candidates[0].parts.size(), 2U);
  EXPECT_EQ(shown.candidates[0].parts[0].kind, PartKind::thinking);
  EXPECT_FALSE(shown.candidates[0].parts[0].signature.empty());
  EXPECT_EQ(shown.usage.reasoning, 16);
  EXPECT_EQ(shown.usage.output, hidden.usage.output);
}

TEST(Answer, ScriptAndDirective) {
  ScriptedReply script;
  script.parts = {text("exactly this")};
  script.input = 100;
  script.cached = 60;
  script.output = 7;
  const Reply reply = answer(ask("x"), Dialect::openai_chat, &script);
  EXPECT_EQ(reply.candidates[0].parts[0].text, "exactly this");
  EXPECT_EQ(reply.usage.input, 40);
  EXPECT_EQ(reply.usage.cache_read, 60);
  EXPECT_EQ(reply.usage.output, 7);

  const Reply steered = answer(ask("x\n#sim tokens=3 cached=2 stop=content_filter"));
  EXPECT_EQ(steered.usage.output, 3);
  EXPECT_EQ(steered.usage.cache_read, 2);
  EXPECT_EQ(steered.candidates[0].stop, StopReason::content_filter);
}

TEST(Answer, DemoQuotesThePrompt) {
  const Reply reply = answer(ask("Is anybody there?"), Dialect::openai_chat, nullptr,
                             {.seed = 1, .output_tokens = 48, .demo = true});
  EXPECT_NE(reply.candidates[0].parts[0].text.find("Is anybody there?"), std::string::npos);
}

TEST(PromptCache, BreakpointsAreWrittenThenRead) {
  PromptCache cache;
  Conversation conversation = ask("question");
  Part system = text("a long system prompt");
  system.cache.emplace();
  conversation.system = {system};
  const Dialect dialect = Dialect::anthropic_messages;
  const auto first = cache.input_usage(conversation, dialect, Nanoseconds(0));
  EXPECT_EQ(first.cache_write_5m, 4);
  EXPECT_EQ(first.cache_read, 0);
  EXPECT_EQ(first.input, 1 + kMessageTokens);
  const auto second = cache.input_usage(conversation, dialect, std::chrono::minutes(1));
  EXPECT_EQ(second.cache_read, 4);
  EXPECT_EQ(second.cache_write_5m, 0);
  const auto late = cache.input_usage(conversation, dialect, std::chrono::minutes(30));
  EXPECT_EQ(late.cache_write_5m, 4);
  conversation.system[0].cache->ttl = "1h";
  conversation.system[0].text += " more";
  EXPECT_EQ(cache.input_usage(conversation, dialect, Nanoseconds(0)).cache_write_1h, 5);
}

TEST(PromptCache, LongPromptsAreCachedOfThemselves) {
  PromptCache cache;
  Conversation conversation = ask("question");
  Random random(1);
  conversation.system = {text(make_text(random, 1500))};
  const Dialect dialect = Dialect::openai_chat;
  EXPECT_EQ(cache.input_usage(conversation, dialect, Nanoseconds(0)).cache_read, 0);
  const auto second = cache.input_usage(conversation, dialect, Nanoseconds(1));
  EXPECT_EQ(second.cache_read, 1408);
  EXPECT_EQ(second.total_input(), 1500 + 1 + kMessageTokens);
}

}  // namespace
}  // namespace weir::sim
