// Bad input: what clients may get wrong or send on purpose. Each is told in the client's own
// dialect, costs no attempt at a provider, and leaves one ledger row.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;

struct BadBody {
  std::string name;
  std::string body;
  int status;
  std::string code;  // the ledger's error code
};

std::vector<BadBody> bodies() {
  std::vector<BadBody> all = {
      {"empty", "", 400, "invalid_json"},
      {"malformed", R"({"model":"m","messages":[)", 400, "invalid_json"},
      {"trailing_garbage", R"({"model":"m"} x)", 400, "invalid_json"},
      {"single_quotes", "{'model':'m'}", 400, "invalid_json"},
      {"not_an_object", R"(["model","m"])", 400, "invalid_json"},
      {"invalid_utf8", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
       400, "invalid_json"},
      {"duplicate_model", R"({"model":"m","model":"other","messages":[]})", 400, "invalid_json"},
      {"duplicate_model_escaped", R"({"model":"m","mod\u0065l":"other","messages":[]})", 400,
       "invalid_json"},
      {"model_is_a_number", R"({"model":5,"messages":[]})", 400, "invalid_type"},
      {"model_is_null", R"({"model":null,"messages":[]})", 400, "invalid_type"},
      {"model_is_an_array", R"({"model":["m"],"messages":[]})", 400, "invalid_type"},
      {"unknown_model", R"({"model":"nobody","messages":[]})", 404, "model_not_found"},
      {"deep_nesting",
       R"({"model":"m","messages":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}",
       400, "invalid_json"},
  };
  return all;
}

struct Entry {
  std::string name;
  std::string path;
};
const Entry kEntries[] = {{"chat", "/v1/chat/completions"},
                          {"messages", "/v1/messages"},
                          {"responses", "/v1/responses"},
                          {"embeddings", "/v1/embeddings"}};

class BadBodyTable : public testing::TestWithParam<std::tuple<BadBody, Entry>> {};

TEST_P(BadBodyTable, IsToldInTheClientsDialect) {
  const auto& [bad, entry] = GetParam();
  TestWorld world;
  world.account("up");
  world.model("m", {"up"});
  const Answer answer = world.post(entry.path, bad.body);
  EXPECT_EQ(answer.status, bad.status) << answer.body;
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body)) << answer.body;
  const json::Value root = document.root();
  EXPECT_TRUE(root["error"]["message"].is_string());
  if (entry.name == "messages") EXPECT_TRUE(root["type"].equals("error"));
  EXPECT_TRUE(world.requests("up").empty());
  const ledger::RequestRow row = world.last_row();
  EXPECT_EQ(row.outcome, ledger::Outcome::denied);
  EXPECT_EQ(row.error_code, bad.code);
  EXPECT_EQ(row.status, bad.status);
}

INSTANTIATE_TEST_SUITE_P(Table, BadBodyTable,
                         testing::Combine(testing::ValuesIn(bodies()), testing::ValuesIn(kEntries)),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

TEST(BadInput, WrongTypesInsideATranslatedRequestNameTheField) {
  TestWorld world;
  world.account("up");
  world.model("m", {"up"});
  for (const char* body : {
           R"({"model":"m","max_tokens":5,"messages":{}})",
           R"({"model":"m","max_tokens":5,"messages":[5]})",
           R"({"model":"m","max_tokens":5,"messages":[{"role":"nobody","content":"x"}]})",
           R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":{"a":1}}]})",
           R"({"model":"m","max_tokens":5,"tools":"x","messages":[{"role":"user","content":"x"}]})",
       }) {
    const Answer answer = world.post("/v1/messages", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr("invalid_request_error")) << body;
  }
  EXPECT_TRUE(world.requests("up").empty());
  // A bad request says nothing against the deployment.
  EXPECT_EQ(world.failures("m"), 0U);
}

TEST(BadInput, ABodyOverTheLimitIsRefused) {
  TestWorld world;
  world.snapshot().body_bytes_max = 1000;
  world.account("up");
  world.model("m", {"up"});
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":")" + std::string(2000, 'a') + "\"}]}";
  const Answer answer = world.post("/v1/chat/completions", body);
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("1000 bytes"));
  EXPECT_EQ(world.last_row().error_code, "request_too_large");
  EXPECT_EQ(world.worker().counters.body_bytes_held, 0U);
}

TEST(BadInput, AProvidersStreamSplitAtEveryByteIsTheSame) {
  const std::vector<std::string> events = {
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"gr\u00fc\u00df"},"finish_reason":null}]})",
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" dich, 世界 🌍"},"finish_reason":null}]})",
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"};
  std::string stream;
  for (const std::string& event : events) stream += "data: " + event + "\r\n\r\n";
  stream += "data: [DONE]\n\n";
  for (const char* path : {"/v1/chat/completions", "/v1/messages"}) {
    std::string expected;
    for (size_t cut = 0; cut <= stream.size(); cut += 7) {
      TestWorld world;
      world.account("up");
      Scripted answer;
      answer.pieces.emplace_back(
          "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: "
          "chunked\r\n\r\n");
      if (cut > 0) answer.pieces.push_back(chunk(stream.substr(0, cut)));
      if (cut < stream.size()) answer.pieces.push_back(chunk(stream.substr(cut)));
      answer.pieces.emplace_back("0\r\n\r\n");
      answer.between = Milliseconds(1);
      world.script("up", answer);
      world.model("m", {"up"});
      const Answer got = world.post(
          path,
          R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]})");
      ASSERT_EQ(got.status, 200);
      // Made-up ids hold the request's own id, which is the same in every fresh world.
      if (expected.empty()) expected = got.body;
      ASSERT_EQ(got.body, expected) << path << " cut at " << cut;
    }
    EXPECT_THAT(expected, HasSubstr("世界 🌍"));
  }
}

TEST(BadInput, KeysAreAskedForInEveryDialect) {
  TestWorld world;
  world.account("up");
  world.model("m", {"up"});
  world.snapshot().keys_required = true;
  const std::string body = R"({"model":"m","max_tokens":5,"messages":[]})";
  const Answer chat = world.post("/v1/chat/completions", body);
  EXPECT_EQ(chat.status, 401);
  EXPECT_THAT(chat.body, HasSubstr("missing_api_key"));
  const Answer messages = world.post("/v1/messages", body, "x-api-key: nope\r\n");
  EXPECT_EQ(messages.status, 401);
  EXPECT_THAT(messages.body, HasSubstr("authentication_error"));
  const Answer gemini =
      world.post("/v1beta/models/m:generateContent?key=nope", R"({"contents":[]})");
  EXPECT_EQ(gemini.status, 401);
  EXPECT_THAT(gemini.body, HasSubstr("UNAUTHENTICATED"));
  for (const ledger::RequestRow& row : world.rows()) {
    EXPECT_EQ(row.outcome, ledger::Outcome::denied);
  }
  EXPECT_EQ(world.worker().counters.refused_keys, 3U);
}

}  // namespace
}  // namespace weir::gateway
