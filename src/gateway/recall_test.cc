// Responses that Weir keeps for providers without the Responses API: continued, shown, deleted, and
// nobody else's.
#include "gateway/recall.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kKept =
    R"({"response":{"id":"resp_weir","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"a sloth"}]}]},"input":[{"role":"user","content":"which animal?"},{"type":"message","role":"user","content":"a slow one"}]})";
constexpr std::string_view kNative =
    R"({"id":"resp_2","object":"response","status":"completed","output":[],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}})";

class RecallTest : public testing::Test {
 protected:
  RecallTest() {
    world_.account("up");
    world_.script("up", json_answer(200, kNative));
    world_.model("m", {"up/x"});
  }
  void keep(state::Owner owner = {}) {
    const int64_t now = world_.loop().clock().wall_ms();
    world_.keeper().keep({.id = "resp_weir",
                          .kind = state::RecordKind::response,
                          .owner = std::move(owner),
                          .created_ms = now,
                          .expires_ms = now + 3'600'000,
                          .body = std::string(kKept)});
  }
  Answer ask(std::string_view input) {
    return world_.post("/v1/responses",
                       fmt::format(R"({{"model":"m","previous_response_id":"resp_weir",)"
                                   R"("temperature":0.5,"input":{}}})",
                                   input));
  }
  Answer get(std::string_view path, std::string_view method = "GET") {
    return world_.send(fmt::format("{} {} HTTP/1.1\r\nhost: w\r\n\r\n", method, path));
  }
  TestWorld world_;
};

TEST_F(RecallTest, TheConversationStandsInFrontOfTheNewInput) {
  keep();
  EXPECT_EQ(ask(R"("and its color?")").status, 200);
  EXPECT_EQ(
      world_.last_body("up"),
      R"({"model":"x","temperature":0.5,"input":[{"role":"user","content":"which animal?"},)"
      R"({"type":"message","role":"user","content":"a slow one"},)"
      R"({"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"a sloth"}]},)"
      R"({"type":"message","role":"user","content":"and its color?"}]})");
  EXPECT_EQ(ask(R"([{"role":"user","content":"hm"}])").status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr(R"(]},{"role":"user","content":"hm"}]})"));
  EXPECT_EQ(ask("[]").status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr(R"("text":"a sloth"}]}]})"));
  EXPECT_EQ(world_.worker().counters.responses_recalled, 3U);
  EXPECT_EQ(world_.worker().counters.body_bytes_held, 0U);
}

TEST_F(RecallTest, AfterARestartToo) {
  keep();
  world_.reopen_keeper();
  EXPECT_EQ(ask(R"("more")").status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr("a sloth"));
}

TEST_F(RecallTest, AnotherKeysResponseDoesNotExist) {
  keep({"somebody", ""});
  const Answer got = ask(R"("more")");
  EXPECT_EQ(got.status, 400);
  EXPECT_THAT(got.body, HasSubstr("previous_response_not_found"));
  EXPECT_EQ(get("/v1/responses/resp_weir").status, 404);
  EXPECT_EQ(get("/v1/responses/resp_weir", "DELETE").status, 404);
  EXPECT_EQ(get("/v1/responses/resp_weir/input_items").status, 404);
  EXPECT_TRUE(world_.requests("up").empty());
}

TEST_F(RecallTest, AnIdThatIsNotKeptGoesToTheProvider) {
  EXPECT_EQ(ask(R"("more")").status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr(R"("previous_response_id":"resp_weir")"));
  EXPECT_EQ(get("/v1/responses/resp_weir").status, 200);
  EXPECT_EQ(world_.requests("up").size(), 2U);
}

TEST_F(RecallTest, IsShownListedAndDeleted) {
  keep();
  const Answer shown = get("/v1/responses/resp_weir");
  EXPECT_EQ(shown.status, 200);
  EXPECT_THAT(shown.body, testing::StartsWith(R"({"id":"resp_weir","object":"response")"));
  EXPECT_THAT(shown.body, Not(HasSubstr("which animal")));
  const Answer items = get("/v1/responses/resp_weir/input_items?order=asc");
  EXPECT_EQ(
      items.body,
      R"({"object":"list","data":[{"role":"user","content":"which animal?","id":"item_resp_weir_0"},)"
      R"({"type":"message","role":"user","content":"a slow one","id":"item_resp_weir_1"}],)"
      R"("first_id":"item_resp_weir_0","last_id":"item_resp_weir_1","has_more":false})");
  const Answer page = get("/v1/responses/resp_weir/input_items?limit=1");
  EXPECT_THAT(page.body, HasSubstr("a slow one"));
  EXPECT_THAT(page.body, HasSubstr(R"("has_more":true)"));
  const Answer next = get("/v1/responses/resp_weir/input_items?limit=1&after=item_resp_weir_1");
  EXPECT_THAT(next.body, HasSubstr("which animal"));
  EXPECT_THAT(next.body, HasSubstr(R"("has_more":false)"));
  EXPECT_EQ(get("/v1/responses/resp_weir?stream=true").status, 400);
  EXPECT_EQ(world_.post("/v1/responses/resp_weir/cancel", "").status, 400);
  EXPECT_EQ(get("/v1/responses/resp_weir", "DELETE").body,
            R"({"id":"resp_weir","object":"response","deleted":true})");
  EXPECT_TRUE(world_.requests("up").empty());
  EXPECT_EQ(world_.last_row().cost_state, ledger::CostState::final);
  EXPECT_EQ(get("/v1/responses/resp_weir").status, 200) << "the provider's, now";
  EXPECT_EQ(world_.requests("up").size(), 1U);
}

// The same from end to end, at a provider that has no such API.
class TranslatedRecallTest : public testing::Test {
 protected:
  TranslatedRecallTest() {
    world_.account("up", provider::Kind::anthropic);
    world_.script("up", json_answer(200, kMessage));
    world_.model("m", {"up/x"});
  }
  static constexpr std::string_view kMessage =
      R"({"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"a sloth"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}})";
  static std::string id_of(const std::string& body) {
    const size_t at = body.find("\"id\":\"resp_");
    if (at == std::string::npos) return {};
    return body.substr(at + 6, body.find('"', at + 6) - at - 6);
  }
  Answer go_on(const std::string& id, std::string_view more = "") {
    return world_.post(
        "/v1/responses",
        fmt::format(R"({{"model":"m","previous_response_id":"{}","input":"and its color?"{}}})", id,
                    more));
  }
  TestWorld world_;
};

TEST_F(TranslatedRecallTest, AConversationGoesOnAnswerByAnswer) {
  const Answer first = world_.post("/v1/responses", R"({"model":"m","input":"which animal?"})");
  ASSERT_EQ(first.status, 200) << first.body;
  const std::string id = id_of(first.body);
  ASSERT_FALSE(id.empty()) << first.body;
  const Answer second = go_on(id);
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_THAT(second.body, HasSubstr(fmt::format(R"("previous_response_id":"{}")", id)));
  EXPECT_THAT(world_.last_body("up"), HasSubstr("which animal?"));
  EXPECT_THAT(world_.last_body("up"), HasSubstr("a sloth"));
  EXPECT_THAT(world_.last_body("up"), HasSubstr("and its color?"));
  world_.reopen_keeper();
  const Answer third = go_on(id_of(second.body), R"(,"stream":true)");
  EXPECT_EQ(third.status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr("which animal?"));
  const std::string streamed = id_of(third.body);
  ASSERT_FALSE(streamed.empty()) << third.body;
  const Answer shown =
      world_.send("GET /v1/responses/" + streamed + " HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_EQ(shown.status, 200);
  EXPECT_THAT(shown.body, HasSubstr("a sloth"));
  EXPECT_THAT(shown.body, HasSubstr(R"("status":"completed")"));
}

TEST_F(TranslatedRecallTest, WhatShallNotBeKeptIsNot) {
  const Answer unkept =
      world_.post("/v1/responses", R"({"model":"m","store":false,"input":"which animal?"})");
  const Answer refused = go_on(id_of(unkept.body));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("previous_response_not_found"));
  world_.reopen_keeper({.responses = false});
  const Answer off = world_.post("/v1/responses", R"({"model":"m","input":"which animal?"})");
  EXPECT_EQ(go_on(id_of(off.body)).status, 400);
}

}  // namespace
}  // namespace weir::gateway
