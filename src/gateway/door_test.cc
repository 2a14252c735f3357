// The door: paths and methods that must not reach a provider, pages that must not reach Weir, and
// forms whose model must be found before the key's rights mean anything.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/multipart.h"
#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kAsk = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kGood =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";

TEST(Door, APathThatClimbsOutOfItsEndpointIsRefused) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, "{}"));
  world.model("m", {"up"});
  for (const char* path :
       {"/v1/files/../chat/completions", "/v1/files/%2e%2e/chat/completions",
        "/v1/files/..%2fchat%2fcompletions", "/v1/files/.%2E/x", "/v1/files/./x", "/v1/files/..",
        "/v1/batches/b/..;/../chat/completions", "/v1/audio/..%5cchat", "/v1/files/%zz",
        "/openai/deployments/m/images/../chat/completions", "/v1/responses/%2E%2e/models"}) {
    EXPECT_EQ(world.post(path, kAsk).status, 404) << path;
  }
  EXPECT_TRUE(world.requests("up").empty());
  for (const char* path : {"/v1/files/file-1", "/v1/files/a..b/content", "/v1/files/.hidden"}) {
    EXPECT_EQ(world.send(fmt::format("GET {} HTTP/1.1\r\nhost: w\r\n\r\n", path)).status, 200)
        << path;
  }
}

TEST(Door, MethodsThatNoApiHasAreRefused) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, "{}"));
  world.model("m", {"up"});
  for (const char* method : {"TRACE", "OPTIONS", "PROPFIND", "get"}) {
    const Answer answer =
        world.send(fmt::format("{} /v1/files HTTP/1.1\r\nhost: w\r\n\r\n", method));
    EXPECT_EQ(answer.status, 405) << method;
  }
  EXPECT_TRUE(world.requests("up").empty());
}

TEST(Door, AFencedKeyIsUsedFromWhereAndForWhatItIsMeant) {
  struct Case {
    std::vector<std::string> addresses;
    std::vector<std::string> endpoints;
    int status;
    const char* code;
  };
  // In-memory connections have no address, so no block holds it.
  for (const auto& [addresses, endpoints, status, code] :
       {Case{{}, {"generate", "embed"}, 200, "fine"},
        Case{{}, {"embed"}, 403, "endpoint_not_allowed"},
        Case{{"0.0.0.0/0", "::/0"}, {}, 403, "address_not_allowed"},
        Case{{"192.0.2.0/24"}, {"generate"}, 403, "address_not_allowed"}}) {
    TestWorld world;
    world.account("up");
    world.script("up", json_answer(200, kGood));
    world.model("m", {"up"});
    auto hasher = std::make_shared<const access::KeyHasher>(Secret("installation"));
    access::KeyEntry entry;
    entry.hash = hasher->hash("a-key-that-is-fenced");
    entry.principal.key_id = entry.principal.name = "fenced";
    entry.principal.fence =
        std::make_shared<const access::KeyFence>(*access::KeyFence::make(addresses, endpoints));
    world.snapshot().keys = *access::KeyTable::build(hasher, {entry});
    world.snapshot().keys_required = true;
    const Answer answer =
        world.post("/v1/chat/completions", kAsk,
                   "authorization: Bearer a-key-that-is-fenced\r\nx-forwarded-for: 192.0.2.1\r\n");
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(code));
    EXPECT_EQ(world.requests("up").size(), status == 200 ? 1U : 0U);
  }
}

TEST(Door, AnOpenGatewayDoesNotAnswerToForeignPages) {
  struct Case {
    const char* origin;
    bool served;
  };
  for (const auto& [origin, served] :
       {Case{"http://evil.example", false}, Case{"https://localhost.evil.example", false},
        Case{"null", false}, Case{"http://[::1].evil", false}, Case{"http://127.0.0.1.evil", false},
        Case{"http://localhost:3000", true}, Case{"http://127.0.0.1:8080", true},
        Case{"http://[::1]:3000", true}, Case{"app://obsidian.md", true}}) {
    TestWorld world;
    world.account("up");
    world.script("up", json_answer(200, kGood));
    world.model("m", {"up"});
    const std::string header = fmt::format("origin: {}\r\n", origin);
    EXPECT_EQ(world.post("/v1/chat/completions", kAsk, header).status, served ? 200 : 403)
        << origin;
    EXPECT_EQ(world.requests("up").size(), served ? 1U : 0U);
    // With keys, the key decides.
    world.snapshot().keys_required = true;
    EXPECT_EQ(world.post("/v1/chat/completions", kAsk, header).status, 401) << origin;
  }
}

TEST(Door, TheProvidersWordToBrowsersIsNotWeirs) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, kGood,
                                 "access-control-allow-origin: *\r\nset-cookie: a=b\r\n"
                                 "x-request-id: theirs\r\nx-ratelimit-limit-requests: 5\r\n"));
  world.model("m", {"up"});
  const Answer answer = world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("access-control-allow-origin"), "");
  EXPECT_EQ(answer.header("set-cookie"), "");
  EXPECT_EQ(answer.header("x-ratelimit-limit-requests"), "");
  EXPECT_EQ(answer.header("x-request-id"), "theirs");
}

TEST(Door, AnAnswerWithACodingIsNotTakenForText) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, "\x1f\x8b zipped", "content-encoding: gzip\r\n"));
  world.model("m", {"up"}).retries.attempts = 1;
  EXPECT_EQ(world.post("/v1/chat/completions", kAsk).status, 502);
  EXPECT_THAT(world.requests("up")[0], HasSubstr("accept-encoding: identity\r\n"));
  // What is relayed unread keeps its coding.
  const Answer file = world.send("GET /v1/files/f HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_EQ(file.header("content-encoding"), "gzip");
  EXPECT_EQ(file.body, "\x1f\x8b zipped");
}

TEST(Door, ANameThatTheProviderRepeatsIsNoFault) {
  TestWorld world;
  world.account("up");
  const std::string reply = std::string(kGood.substr(0, kGood.size() - 1)) + R"(,"x":1,"x":2})";
  world.script("up", json_answer(200, reply));
  world.model("m", {"up"});
  const Answer answer = world.post("/v1/chat/completions", kAsk);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, reply);
}

TEST(Door, AnErrorWithStatus200IsAnErrorOnEveryEndpoint) {
  for (const char* path : {"/v1/completions", "/v1/embeddings"}) {
    TestWorld world;
    world.account("up");
    world.script("up", json_answer(200, R"({"error":{"message":"boom","type":"server_error"}})"));
    world.model("m", {"up"}).retries.attempts = 1;
    EXPECT_EQ(world.post(path, R"({"model":"m","prompt":"x","input":"x"})").status, 500) << path;
    EXPECT_EQ(world.last_row().outcome, ledger::Outcome::error);
  }
}

TEST(Door, AnswersAreHeldWithinTheWorkersMemory) {
  for (const bool translated : {false, true}) {
    TestWorld world;
    world.account("up");
    world.script("up", json_answer(200, kGood));
    world.model("m", {"up"});
    world.worker().counters.body_bytes_held = Worker::kBodyBytesHeldMax - 100;
    const Answer answer =
        world.post(translated ? "/v1/messages" : "/v1/chat/completions",
                   R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]})");
    EXPECT_EQ(answer.status, translated ? 529 : 200) << answer.body;
    if (!translated) EXPECT_EQ(answer.body, kGood);
    EXPECT_EQ(world.worker().counters.body_bytes_held, Worker::kBodyBytesHeldMax - 100);
    EXPECT_EQ(world.failures("m"), 0U);
  }
}

std::string form(const std::vector<std::string>& parts) {
  std::string body;
  for (const std::string& part : parts) {
    body += "--B\r\ncontent-disposition: form-data; " + part + "\r\n";
  }
  return body + "--B--\r\n";
}
std::string send_form(std::string_view path, std::string_view body, std::string_view headers = {}) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nhost: w\r\ncontent-type: multipart/form-data; boundary=B\r\n"
      "{}content-length: {}\r\n\r\n{}",
      path, headers, body.size(), body);
}

TEST(Forms, TheModelIsFoundBehindTheFile) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, R"({"text":"hello"})"));
  world.model("whisper", {"up/whisper-1"});
  const std::string body =
      form({"name=\"file\"; filename=\"a\"\r\n\r\n" + std::string(400'000, 'x'),
            "name=\"model\"\r\n\r\nwhisper"});
  for (const char* headers : {"", "x-weir-model: whisper\r\n"}) {
    const Answer answer = world.send(send_form("/v1/audio/transcriptions", body, headers));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_TRUE(world.last_body("up").ends_with("\r\n\r\nwhisper-1\r\n--B--\r\n"));
  }
}

TEST(Forms, WithoutAModelThatCanBeFoundAreRefused) {
  TestWorld world;
  world.account("up");
  world.script("up", json_answer(200, "{}"));
  world.model("m", {"up"});
  // The second hides its model from Weir by a preamble, which servers skip.
  for (const std::string& body : {form({"name=\"prompt\"\r\n\r\nx"}),
                                  "preamble\r\n" + form({"name=\"model\"\r\n\r\nanything-else"})}) {
    const Answer answer = world.send(send_form("/v1/images/edits", body));
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("missing_model"));
  }
  EXPECT_TRUE(world.requests("up").empty());
  // Files have none.
  const std::string file = form({"name=\"purpose\"\r\n\r\nbatch", "name=\"file\"\r\n\r\nx"});
  EXPECT_EQ(world.send(send_form("/v1/files", file)).status, 200);
}

struct SearchCase {
  const char* name;
  std::string body;
  std::optional<std::string> value;
};

class Search : public testing::TestWithParam<SearchCase> {};

TEST_P(Search, FindsTheSameInWhateverPieces) {
  const auto& param = GetParam();
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, param.body.size()}) {
    MultipartSearch search("B", "model");
    bool decided = false;
    for (size_t size = 0; size <= param.body.size() && !decided; size += step) {
      decided = search.look(std::string_view(param.body).substr(0, size));
    }
    if (!decided) search.look(param.body);
    ASSERT_EQ(search.found().has_value(), param.value.has_value()) << step;
    if (!param.value) continue;
    EXPECT_EQ(param.body.substr(search.found()->offset, search.found()->length), *param.value);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, Search,
    testing::Values(
        SearchCase{"first", form({"name=\"model\"\r\n\r\nm1", "name=\"x\"\r\n\r\ny"}), "m1"},
        SearchCase{"last", form({"name=\"x\"\r\n\r\n\r\n--A\r\n", "name=model\r\n\r\nm1"}), "m1"},
        SearchCase{"empty_value", form({"name=\"model\"\r\n\r\n"}), ""},
        SearchCase{"a_file_of_that_name", form({"name=\"model\"; filename=\"m\"\r\n\r\nm1"}),
                   std::nullopt},
        SearchCase{"too_long", form({"name=\"model\"\r\n\r\n" + std::string(2000, 'm')}),
                   std::nullopt},
        SearchCase{"none", form({"name=\"x\"\r\n\r\ny"}), std::nullopt},
        SearchCase{"cut", form({"name=\"model\"\r\n\r\nm1"}).substr(0, 50), std::nullopt},
        SearchCase{"not_a_form", "hello", std::nullopt}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weir::gateway
