// The Responses API where a provider does not have it, and providers that have nothing else.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kMessage =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"fine"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}})";
constexpr std::string_view kResponse =
    R"({"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"model":"m","output":[{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"fine","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}})";
constexpr std::string_view kAsk = R"({"model":"m","input":"hi","instructions":"be brief"})";

const std::vector<std::string> kChatStream = {
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"fi"},"finish_reason":null}]})",
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"ne"},"finish_reason":"stop"}]})",
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"};

std::string member(const std::string& body, std::initializer_list<std::string_view> path) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  json::Value value = document.root();
  for (const std::string_view name : path) {
    if (value.is_array()) {
      value = *value.elements().begin();
    } else {
      value = value[name];
    }
  }
  return value.is_string() ? value.string_or("") : std::string(value.raw());
}

// A world with one model at a provider that speaks `dialect` (nullopt: what its kind speaks).
void set_up(TestWorld& world, provider::Kind kind, std::optional<Dialect> dialect = {}) {
  world.account("up", kind);
  world.model("m", {"up"});
  const_cast<provider::Deployment&>(world.deployment("m")).dialect = dialect;
}

TEST(Responses, AreMadeByProvidersOfMessages) {
  TestWorld world;
  set_up(world, provider::Kind::anthropic);
  world.script("up", json_answer(200, kMessage));
  const Answer answer = world.post("/v1/responses", kAsk);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(world.requests("up").front(), HasSubstr("POST /v1/messages "));
  EXPECT_EQ(member(world.last_body("up"), {"system"}), "be brief");
  EXPECT_EQ(member(answer.body, {"object"}), "response");
  EXPECT_EQ(member(answer.body, {"status"}), "completed");
  EXPECT_EQ(member(answer.body, {"instructions"}), "be brief") << "the request is repeated";
  EXPECT_EQ(member(answer.body, {"output", "0", "content", "0", "text"}), "fine");
  EXPECT_THAT(member(answer.body, {"id"}), testing::StartsWith("resp_"));
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::ok);
  EXPECT_EQ(world.last_row().usage.output, 2);
}

TEST(Responses, AreStreamedByProvidersOfChat) {
  TestWorld world;
  set_up(world, provider::Kind::openai_compatible, Dialect::openai_chat);
  world.script("up", sse_answer(kChatStream));
  const Answer answer = world.post("/v1/responses", R"({"model":"m","input":"hi","stream":true})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(world.requests("up").front(), HasSubstr("POST /v1/chat/completions "));
  EXPECT_THAT(answer.body, HasSubstr("event: response.created\n"));
  EXPECT_THAT(answer.body, HasSubstr(R"("text":"fine")"));
  EXPECT_THAT(answer.body, HasSubstr("event: response.completed\n"));
  EXPECT_THAT(answer.body, Not(HasSubstr("[DONE]")));
  EXPECT_EQ(world.last_row().usage.output, 2);
}

TEST(Responses, ThatBreakOffAreNeverCompleted) {
  for (const Scripted::End end : {Scripted::End::reset, Scripted::End::close}) {
    TestWorld world;
    set_up(world, provider::Kind::openai_compatible, Dialect::openai_chat);
    world.script("up", sse_begin({kChatStream[0]}, end));
    const Answer answer =
        world.post("/v1/responses", R"({"model":"m","input":"hi","stream":true})");
    EXPECT_THAT(answer.body, HasSubstr(R"("delta":"fi")"));
    EXPECT_THAT(answer.body, HasSubstr("event: response.failed\n"));
    EXPECT_THAT(answer.body, HasSubstr("event: error\n"));
    EXPECT_THAT(answer.body, Not(HasSubstr("event: response.completed\n")));
    EXPECT_EQ(world.last_row().outcome, ledger::Outcome::truncated);
  }
}

TEST(Responses, AreRelayedWhereTheProviderHasThem) {
  for (const auto dialect : {std::optional<Dialect>{}, std::optional(Dialect::openai_responses)}) {
    TestWorld world;
    set_up(world, provider::Kind::openai, dialect);
    world.script("up", json_answer(200, kResponse));
    const Answer answer = world.post("/v1/responses", R"({"model":"m","input":"hi","odd":1})");
    EXPECT_EQ(answer.body, kResponse);
    EXPECT_THAT(world.last_body("up"), HasSubstr(R"("odd":1)"));
  }
}

TEST(Responses, ServeClientsOfOtherDialects) {
  struct Case {
    std::string_view path;
    std::string_view body;
    std::string_view text;  // in the answer
  };
  const Case cases[] = {
      {"/v1/chat/completions", R"({"model":"m","messages":[{"role":"user","content":"hi"}]})",
       R"("content":"fine")"},
      {"/v1/messages",
       R"({"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]})",
       R"("text":"fine")"},
      {"/v1beta/models/m:generateContent",
       R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})", R"("text":"fine")"},
  };
  for (const provider::Kind kind : {provider::Kind::openai, provider::Kind::openai_compatible}) {
    for (const Case& c : cases) {
      TestWorld world;
      set_up(world, kind, Dialect::openai_responses);
      world.script("up", json_answer(200, kResponse));
      const Answer answer = world.post(c.path, c.body);
      EXPECT_EQ(answer.status, 200) << answer.body;
      EXPECT_THAT(world.requests("up").front(), HasSubstr("POST /v1/responses "));
      EXPECT_EQ(member(world.last_body("up"), {"store"}), "false") << "they know of no store";
      EXPECT_THAT(answer.body, HasSubstr(c.text));
      EXPECT_EQ(world.last_row().usage.output, 2);
    }
  }
}

TEST(Responses, ThatFailedAreErrorsOfOtherDialects) {
  TestWorld world;
  set_up(world, provider::Kind::openai, Dialect::openai_responses);
  world.script(
      "up",
      json_answer(
          200,
          R"({"id":"r","object":"response","status":"failed","error":{"code":"server_error","message":"boom"},"output":[]})"));
  const Answer answer = world.post("/v1/chat/completions",
                                   R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_GE(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr("boom"));
}

TEST(Responses, WithoutTheConversationBeforeAreRefused) {
  struct Case {
    std::string_view body;
    std::string_view code;
    std::string_view param;
  };
  const Case cases[] = {
      {R"({"model":"m","input":"hi","previous_response_id":"resp_9"})",
       "previous_response_not_found", "previous_response_id"},
      {R"({"model":"m","input":[{"type":"item_reference","id":"msg_9"}]})", "invalid_request",
       "null"},
  };
  for (const Case& c : cases) {
    TestWorld world;
    set_up(world, provider::Kind::anthropic);
    const Answer answer = world.post("/v1/responses", c.body);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(member(answer.body, {"error", "code"}), c.code) << answer.body;
    EXPECT_EQ(member(answer.body, {"error", "param"}), c.param);
    EXPECT_TRUE(world.requests("up").empty());
  }
}

TEST(Responses, ThatCannotBeReadAreRefused) {
  TestWorld world;
  set_up(world, provider::Kind::gemini);
  const Answer answer = world.post("/v1/responses", R"({"model":"m"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(member(answer.body, {"error", "message"}), HasSubstr("input: expected"));
}

}  // namespace
}  // namespace weir::gateway
