// Gemini's stream without alt=sse: one JSON array, which must be whole JSON whatever happens.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kPath = "/v1beta/models/m:streamGenerateContent";
constexpr std::string_view kAsk = R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})";
constexpr std::string_view kFirst =
    R"({"candidates":[{"content":{"parts":[{"text":"fi"}],"role":"model"},"index":0}],"responseId":"r"})";
constexpr std::string_view kLast =
    R"({"candidates":[{"content":{"parts":[{"text":"sh"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}})";
constexpr std::string_view kChatText =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"fi"},"finish_reason":null}]})";
constexpr std::string_view kChatStop =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

// The elements of the body, which must be one whole array.
std::vector<std::string> elements(const std::string& body) {
  json::Document document;
  std::vector<std::string> found;
  EXPECT_TRUE(document.parse(body)) << body;
  EXPECT_TRUE(document.root().is_array()) << body;
  for (const json::Value element : document.root().elements()) found.emplace_back(element.raw());
  return found;
}

Scripted array_answer(std::vector<std::string> pieces, Scripted::End end) {
  Scripted answer{{"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\n"
                   "transfer-encoding: chunked\r\n\r\n"},
                  end};
  for (const std::string& piece : pieces) answer.pieces.push_back(chunk(piece));
  if (end == Scripted::End::keep) answer.pieces.emplace_back("0\r\n\r\n");
  return answer;
}

TEST(GeminiArray, IsRelayedAsItIs) {
  TestWorld world;
  world.account("up", provider::Kind::gemini);
  world.script("up", array_answer({fmt::format("[{}\n,\r\n", kFirst), fmt::format("{}\n]", kLast)},
                                  Scripted::End::keep));
  world.model("m", {"up"});
  const Answer answer = world.post(kPath, kAsk);
  EXPECT_EQ(answer.body, fmt::format("[{}\n,\r\n{}\n]", kFirst, kLast));
  EXPECT_THAT(answer.header("content-type"), StartsWith("application/json"));
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::ok);
  EXPECT_EQ(world.last_row().usage.output, 2);
}

TEST(GeminiArray, ThatBreaksOffEndsWithAnError) {
  for (const Scripted::End end :
       {Scripted::End::reset, Scripted::End::close, Scripted::End::hang}) {
    TestWorld world;
    world.account("up", provider::Kind::gemini);
    world.script("up", array_answer({fmt::format("[{},\r\n{{\"cand", kFirst)}, end));
    world.model("m", {"up"});
    const Answer answer = world.post(kPath, kAsk);
    EXPECT_EQ(answer.status, 200);
    const std::vector<std::string> found = elements(answer.body);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0], kFirst);
    EXPECT_THAT(found[1], StartsWith(R"({"error":{"code":5)"));
    EXPECT_EQ(world.last_row().outcome, ledger::Outcome::truncated);
  }
}

TEST(GeminiArray, WithAnErrorOfTheProviderIsClosedByTheProvider) {
  constexpr std::string_view kError = R"({"error":{"code":503,"status":"UNAVAILABLE"}})";
  TestWorld world;
  world.account("up", provider::Kind::gemini);
  world.script("up",
               array_answer({fmt::format("[{}", kFirst), fmt::format(",\r\n{}", kError), "\n]"},
                            Scripted::End::keep));
  world.model("m", {"up"});
  const std::vector<std::string> found = elements(world.post(kPath, kAsk).body);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1], kError);
  EXPECT_EQ(world.last_row().outcome, ledger::Outcome::error);
}

TEST(GeminiArray, ThatBreaksOffBeforeItsFirstElementIsAStatus) {
  TestWorld world;
  world.account("up", provider::Kind::gemini);
  world.script("up", array_answer({"[{\"cand"}, Scripted::End::close));
  world.model("m", {"up"});
  const Answer answer = world.post(kPath, kAsk);
  EXPECT_EQ(answer.status, 502);
  EXPECT_THAT(answer.body, StartsWith(R"({"error":{"code":502)"));
}

TEST(GeminiArray, IsWrittenFromOtherDialects) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_answer({std::string(kChatText), std::string(kChatStop)}));
  world.model("m", {"up"});
  const Answer answer = world.post(kPath, kAsk);
  EXPECT_THAT(answer.header("content-type"), StartsWith("application/json"));
  const std::vector<std::string> found = elements(answer.body);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_THAT(found[0], HasSubstr(R"("text":"fi")"));
  EXPECT_THAT(found[1], HasSubstr(R"("finishReason":"STOP")"));
}

TEST(GeminiArray, OfAnotherDialectThatBreaksOffEndsWithAnError) {
  TestWorld world;
  world.account("up");
  world.script("up", sse_begin({std::string(kChatText)}, Scripted::End::reset));
  world.model("m", {"up"});
  const std::vector<std::string> found = elements(world.post(kPath, kAsk).body);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_THAT(found[1], StartsWith(R"({"error":{"code":5)"));
}

TEST(GeminiArray, IsWrittenFromAnAnswerThatCameWhole) {
  TestWorld world;
  world.account("up");
  world.script(
      "up",
      json_answer(
          200,
          R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]})"));
  world.model("m", {"up"});
  const Answer answer = world.post(kPath, kAsk);
  EXPECT_THAT(answer.header("content-type"), StartsWith("application/json"));
  EXPECT_EQ(elements(answer.body).size(), 2U);
}

}  // namespace
}  // namespace weir::gateway
