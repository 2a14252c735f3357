// Items named by their ids, in answers that Weir keeps.
#include "gateway/references.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kMessage =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"x","content":[{"type":"text","text":"a sloth"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}})";

class ReferencesTest : public testing::Test {
 protected:
  ReferencesTest() {
    world_.account("up", provider::Kind::anthropic);
    world_.script("up", json_answer(200, kMessage));
    world_.model("m", {"up/x"});
  }
  // The id of the message that the answer holds.
  std::string first_answer(std::string_view more = "") {
    const Answer first = world_.post(
        "/v1/responses", fmt::format(R"({{"model":"m","input":"which animal?"{}}})", more));
    EXPECT_EQ(first.status, 200) << first.body;
    const size_t at = first.body.find("\"msg_");
    if (at == std::string::npos) return {};
    return first.body.substr(at + 1, first.body.find('"', at + 1) - at - 1);
  }
  Answer go_on(std::string_view ids) {
    return world_.post("/v1/responses",
                       fmt::format(R"({{"model":"m","temperature":0.50,"input":[)"
                                   R"({{"role":"user","content":"which animal?"}},{},)"
                                   R"({{"role":"user","content":"and its color?"}}]}})",
                                   ids));
  }
  static std::string reference(std::string_view id) {
    return fmt::format(R"({{"type":"item_reference","id":"{}"}})", id);
  }
  TestWorld world_;
};

TEST_F(ReferencesTest, TheItemTakesItsPlace) {
  const std::string id = first_answer();
  ASSERT_FALSE(id.empty());
  EXPECT_EQ(go_on(reference(id)).status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr("a sloth"));
  EXPECT_THAT(world_.last_body("up"), HasSubstr("and its color?"));
  world_.reopen_keeper();
  EXPECT_EQ(go_on(reference(id) + "," + reference(id)).status, 200) << "after a restart, and twice";
  EXPECT_THAT(world_.last_body("up"), HasSubstr("a sloth"));
  EXPECT_EQ(world_.worker().counters.body_bytes_held, 0U);
}

TEST_F(ReferencesTest, WhatIsNotKeptIsNotGuessed) {
  const std::string unkept = first_answer(R"(,"store":false)");
  const size_t asked = world_.requests("up").size();
  for (const std::string& id :
       {unkept, std::string("msg_"), std::string("msg"), std::string(), std::string("a_b_c")}) {
    const Answer refused = go_on(reference(id));
    EXPECT_EQ(refused.status, 400) << id;
    EXPECT_THAT(refused.body, HasSubstr("item_reference")) << id;
  }
  EXPECT_EQ(world_.requests("up").size(), asked);
}

TEST_F(ReferencesTest, AnotherKeysItemsDoNotExist) {
  const int64_t now = world_.loop().clock().wall_ms();
  world_.keeper().keep(
      {.id = "resp_7",
       .kind = state::RecordKind::response,
       .owner = {"somebody", ""},
       .created_ms = now,
       .expires_ms = now + 3'600'000,
       .body = R"({"response":{"output":[{"type":"message","id":"msg_7_0","role":"assistant",)"
               R"("content":[{"type":"output_text","text":"a secret"}]}]},"input":[]})"});
  EXPECT_EQ(go_on(reference("msg_7_0")).status, 400);
  EXPECT_TRUE(world_.requests("up").empty());
}

TEST_F(ReferencesTest, AWordInATextIsNoReference) {
  EXPECT_EQ(go_on(R"({"role":"user","content":"item_reference"})").status, 200);
  EXPECT_THAT(world_.last_body("up"), HasSubstr("item_reference"));
}

}  // namespace
}  // namespace weir::gateway
