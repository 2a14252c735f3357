// Whose messages are kept: the configuration, the model and the key each have a say.
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

constexpr std::string_view kAnswer =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";

TEST(Capture, ANoIsObeyedWhoeverSaysYes) {
  struct Case {
    bool enabled;
    std::optional<bool> model, key;
    bool kept;
  };
  const Case cases[] = {
      {false, {}, {}, false},     {true, {}, {}, true},        {false, true, {}, true},
      {false, {}, true, true},    {true, false, {}, false},    {true, {}, false, false},
      {true, true, false, false}, {false, false, true, false}, {true, true, true, true},
      {false, false, {}, false},
  };
  for (const Case& c : cases) {
    TestWorld world;
    world.account("up");
    world.script("up", json_answer(200, kAnswer));
    world.model("m", {"up"}).capture = c.model;
    world.snapshot().capture.enabled = c.enabled;
    auto who = std::make_shared<access::Principal>();
    who->capture = c.key;
    world.snapshot().anonymous = who;
    const Answer answer = world.post(
        "/v1/chat/completions", R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(world.last_row().captured, c.kept)
        << c.enabled << c.model.value_or(false) << c.key.value_or(false);
  }
}

}  // namespace
}  // namespace weir::gateway
