#include "sim/script.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

Result<std::vector<Rule>> parse(std::string_view text) {
  json::Document document;
  EXPECT_TRUE(document.parse(text)) << text;
  return parse_rules(document.root());
}

Script script_of(std::string_view text) {
  Script script;
  auto rules = parse(text);
  EXPECT_TRUE(rules) << rules.error().message();
  for (Rule& rule : *rules) EXPECT_TRUE(script.add(std::move(rule)));
  return script;
}

CallFacts facts(std::string_view model, std::string_view text = "") {
  CallFacts call;
  call.endpoint = Endpoint::chat;
  call.dialect = dialect::Dialect::openai_chat;
  call.model = model;
  call.path = "/v1/chat/completions";
  call.key = "sk-123456";
  call.last_user_text = text;
  return call;
}

TEST(Script, ActsOnTheNextCallsOfAModel) {
  Script script = script_of(R"({"model":"a","after":1,"times":2,"fault":{"kind":"stall"}})");
  Random random(1);
  EXPECT_EQ(script.pick(facts("b"), random), nullptr);
  EXPECT_EQ(script.pick(facts("a"), random), nullptr);
  EXPECT_NE(script.pick(facts("a"), random), nullptr);
  EXPECT_NE(script.pick(facts("a"), random), nullptr);
  EXPECT_EQ(script.pick(facts("a"), random), nullptr);
  EXPECT_EQ(script.rules().front().hits, 2U);
}

TEST(Script, TheFirstRuleThatFitsDecides) {
  Script script = script_of(
      R"([{"match":"weather","times":1,"reply":{"text":"first"}},
          {"match":"weather","reply":{"text":"second"}},
          {"key":"3456","reply":{"text":"third"}}])");
  Random random(1);
  EXPECT_EQ(script.pick(facts("a", "the weather"), random)->reply->parts[0].text, "first");
  EXPECT_EQ(script.pick(facts("a", "the weather"), random)->reply->parts[0].text, "second");
  EXPECT_EQ(script.pick(facts("a", "hello"), random)->reply->parts[0].text, "third");
}

// A conversation that has come as far as the results of two tools, in one message or in two.
dialect::Conversation after_tools(bool apart) {
  dialect::Conversation conversation;
  conversation.system.emplace_back().text = "You are an agent.";
  conversation.tools.resize(2);
  conversation.tools[0].name = "Read";
  conversation.tools[1].name = "Write";
  conversation.messages.resize(3);
  conversation.messages[0].parts.emplace_back().text = "What is the secret?";
  conversation.messages[1].role = dialect::Role::assistant;
  for (const auto& [id, name] : {std::pair{"c1", "Read"}, std::pair{"c2", "Bash"}}) {
    dialect::Part& call = conversation.messages[1].parts.emplace_back();
    call.kind = dialect::PartKind::tool_call;
    call.id = id;
    call.name = name;
  }
  for (const auto& [id, text] :
       {std::pair{"c1", "the word is \"amber\".\n"}, std::pair{"c2", "exit code 7"}}) {
    dialect::Part result;
    result.kind = dialect::PartKind::tool_result;
    result.id = id;
    result.children.emplace_back().text = text;
    if (apart && conversation.messages.back().parts.size() == 1) {
      conversation.messages.emplace_back();
    }
    conversation.messages.back().parts.push_back(std::move(result));
  }
  // Agents put reminders beside the results.
  conversation.messages.emplace_back().parts.emplace_back().text = "Be brief.";
  return conversation;
}

TEST(Script, FollowsAConversation) {
  struct Case {
    std::string_view members;
    bool fits;
  };
  constexpr Case kCases[] = {
      {R"("result_of":"Read")", true},
      {R"("result_of":"Bash","result":"code 7")", true},
      {R"("result_of":"Read","result":"code 7")", false},
      {R"("result_of":"Write")", false},
      {R"("result":"the word is")", true},
      {R"("tool":"Write")", true},
      {R"("tool":"Bash")", false},
      {R"("system":"an agent")", true},
      {R"("system":"a robot")", false},
      {R"("match":"Be brief","result_of":"Read")", true},
      {R"("take":{"after":"code "})", true},
      {R"("take":{"after":"word is ","until":"!"})", false},
      {R"("take":{"after":"What is "})", false},
  };
  for (const bool apart : {false, true}) {
    const dialect::Conversation conversation = after_tools(apart);
    for (const Case& one : kCases) {
      Script script = script_of("{" + std::string(one.members) + R"(,"reply":{"text":"yes"}})");
      Random random(1);
      CallFacts call = facts("a", "Be brief.");
      call.conversation = &conversation;
      EXPECT_EQ(script.pick(call, random) != nullptr, one.fits) << one.members;
    }
  }
}

TEST(Script, ResultsOfEarlierTurnsAreOver) {
  dialect::Conversation conversation = after_tools(false);
  conversation.messages.emplace_back().role = dialect::Role::assistant;
  conversation.messages.emplace_back().parts.emplace_back().text = "And now?";
  CallFacts call = facts("a", "And now?");
  Random random(1);
  Script script = script_of(
      R"([{"result_of":"Read","reply":{"text":"late"}},{"tool":"Read","reply":{"text":"now"}}])");
  EXPECT_EQ(script.pick(call, random), nullptr) << "a call that is no conversation";
  call.conversation = &conversation;
  EXPECT_EQ(script.pick(call, random)->reply->parts[0].text, "now");
}

TEST(Script, WhatWasTakenGoesIntoTheReply) {
  const dialect::Conversation conversation = after_tools(false);
  CallFacts call = facts("a", "the word is blue.");
  const auto rules = parse(
      R"({"take":{"after":"the word is ","until":"."},
          "reply":{"text":"${taken}, ${taken}","tool_calls":[
            {"name":"Write","arguments":{"content":"it is ${taken}"}},
            {"name":"apply_patch","input":"+${taken}"}]}})");
  ASSERT_TRUE(rules);
  const Rule& rule = rules->front();
  EXPECT_EQ(take_text(*rule.take, call), "blue");  // no results: the user's text
  call.conversation = &conversation;
  const auto taken = take_text(*rule.take, call);
  ASSERT_EQ(taken, R"("amber")");
  const ScriptedReply reply = fill_reply(*rule.reply, *taken);
  EXPECT_EQ(reply.parts[0].text, R"("amber", "amber")");
  EXPECT_EQ(reply.parts[1].json, R"({"content":"it is \"amber\""})");
  EXPECT_TRUE(reply.parts[2].freeform);
  EXPECT_EQ(reply.parts[2].text, R"(+"amber")");
  EXPECT_FALSE(parse(R"({"take":{"until":"."},"reply":{"text":"x"}})"));
}

TEST(Script, RateActsOnThatShareAndTheSameOnesForASeed) {
  const std::string_view text = R"({"rate":0.1,"fault":{"kind":"status","status":500}})";
  std::vector<int> hits[2];
  for (auto& list : hits) {
    Script script = script_of(text);
    Random random(7);
    for (int i = 0; i < 2000; ++i) {
      if (script.pick(facts("a"), random)) list.push_back(i);
    }
  }
  EXPECT_EQ(hits[0], hits[1]);
  EXPECT_NEAR(static_cast<double>(hits[0].size()), 200, 60);
}

TEST(Script, RulesGoAway) {
  Script script = script_of(R"({"reply":{"text":"x"}})");
  const uint64_t id = script.rules().front().rule->id;
  EXPECT_TRUE(script.remove(id));
  EXPECT_FALSE(script.remove(id));
}

TEST(Script, ReadsEveryMember) {
  auto rules = parse(
      R"({"name":"n","dialect":"gemini","stream":true,"endpoint":"generate","path":"/x","rate":0.5,
          "latency":{"first_token_ms":300,"token_ms":2.5,"jitter":0.2},
          "reply":{"thinking":"hm","text":"t","stop":"length","model":"m-1",
                   "tool_calls":[{"id":"c1","name":"f","arguments":{"a":1}},{"name":"g"}],
                   "usage":{"input":10,"cached":4,"output":7,"reasoning":2}}})");
  ASSERT_TRUE(rules) << rules.error().message();
  const Rule& rule = rules->front();
  EXPECT_EQ(rule.dialect, dialect::Dialect::gemini);
  EXPECT_EQ(rule.latency->token, std::chrono::microseconds(2500));
  ASSERT_EQ(rule.reply->parts.size(), 4U);
  EXPECT_EQ(rule.reply->parts[2].json, R"({"a":1})");
  EXPECT_EQ(rule.reply->parts[3].json, "{}");
  EXPECT_EQ(rule.reply->stop, dialect::StopReason::max_tokens);
  EXPECT_EQ(rule.reply->cached, 4);
}

TEST(Script, RawChunksKeepTheirSource) {
  auto rules = parse(R"({"raw":{"chunks":[{"b":1.50, "a":2},"{\"x\":1}"],"split":7}})");
  ASSERT_TRUE(rules);
  EXPECT_EQ(rules->front().raw->chunks,
            (std::vector<std::string>{R"({"b":1.50, "a":2})", R"({"x":1})"}));
  auto lines = parse(R"({"raw":{"lines":"{\"a\":1}\n{\"b\":2}\n"}})");
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->front().raw->chunks.size(), 2U);
  EXPECT_TRUE(lines->front().raw->stream);
}

TEST(Script, MistakesAreNamed) {
  struct Case {
    std::string_view text;
    std::string_view word;
  };
  for (const Case& c : {
           Case{R"({"fault":{"kind":"stal"}})", "stall"},
           Case{R"({"fualt":{"kind":"stall"}})", "fault"},
           Case{R"({"fault":{"kind":"status","status":99}})", "fault.status"},
           Case{R"({"reply":{"stop":"lenght"}})", "length"},
           Case{R"({"reply":{"tool_calls":[{}]}})", "tool_calls[0]"},
           Case{R"({"dialect":"openai","reply":{"text":"x"}})", "dialect"},
           Case{R"({"raw":{"body_base64":"%"}})", "base64"},
           Case{R"({"match":"x"})", "something to do"},
           Case{R"([{"reply":{"text":"x"}},{"match":1}])", "rules[1]"},
       }) {
    auto rules = parse(c.text);
    ASSERT_FALSE(rules) << c.text;
    EXPECT_EQ(rules.error().code(), ErrorCode::invalid_argument);
    EXPECT_NE(rules.error().message().find(c.word), std::string_view::npos)
        << rules.error().message();
  }
}

}  // namespace
}  // namespace weir::sim
