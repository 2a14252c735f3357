// Ids come back to the account that made them, over every endpoint that names them, also after a
// restart; and to no other when it is gone.
#include "gateway/pins.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> in_request(dialect::Dialect dialect, std::string_view body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body));
  return ids_in_request(dialect, document.root());
}

TEST(PinIds, OfPaths) {
  EXPECT_THAT(ids_in_path("/files/file-abc/content"), testing::Contains(std::string("file-abc")));
  EXPECT_THAT(ids_in_path("/files/abc:download"), testing::Contains(std::string("files/abc")));
  EXPECT_THAT(ids_in_path("/messages/batches/msgbatch_1/results"),
              testing::Contains(std::string("msgbatch_1")));
  EXPECT_THAT(ids_in_path("/files"), IsEmpty());
}

TEST(PinIds, OfRequests) {
  using dialect::Dialect;
  EXPECT_THAT(
      in_request(Dialect::openai_responses,
                 R"({"previous_response_id":"resp_1","conversation":{"id":"conv_1"},"input":[
          {"type":"reasoning","id":"rs_1","summary":[]},
          {"type":"message","id":"msg_1","role":"assistant","content":[]},
          {"type":"item_reference","id":"msg_2"},
          {"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}],
          "tools":[{"type":"file_search","vector_store_ids":["vs_1","vs_2"]},
                   {"type":"code_interpreter","container":"cntr_1"}]})"),
      ElementsAre("resp_1", "conv_1", "msg_2", "rs_1", "file-1", "vs_1", "vs_2", "cntr_1"));
  EXPECT_THAT(in_request(Dialect::openai_chat,
                         R"({"messages":[{"role":"user","content":[
          {"type":"file","file":{"file_id":"file-9"}}]}]})"),
              ElementsAre("file-9"));
  EXPECT_THAT(in_request(Dialect::anthropic_messages,
                         R"({"messages":[{"role":"user","content":[
          {"type":"document","source":{"type":"file","file_id":"file_011"}}]}],
          "container":"container_1"})"),
              ElementsAre("file_011", "container_1"));
  EXPECT_THAT(in_request(Dialect::gemini,
                         R"({"contents":[{"parts":[{"fileData":{"fileUri":
          "https://generativelanguage.googleapis.com/v1beta/files/abc-1"}}]}],
          "cachedContent":"cachedContents/c1"})"),
              ElementsAre("files/abc-1", "cachedContents/c1"));
  EXPECT_THAT(in_request(Dialect::openai_chat, R"({"messages":[{"role":"user","content":"file_id"},
          {"role":"user","content":[{"file_id":"no id: it has spaces"}]}]})"),
              IsEmpty());
}

// Two accounts, of which a request without a pin takes either; a script for each.
class PinTest : public testing::Test {
 protected:
  PinTest() { make(world_); }
  static void make(TestWorld& world, provider::Kind kind = provider::Kind::openai) {
    world.account("east", kind);
    world.account("west", kind);
    world.model("m", {"east/x", "west/x"});
  }
  void answer(std::string_view body) {
    for (const char* account : {"east", "west"}) {
      world_.script(account, json_answer(200, body));
    }
  }
  Answer get(std::string_view path, std::string_view method = "GET",
             std::string_view headers = "") {
    return world_.send(fmt::format("{} {} HTTP/1.1\r\nhost: w\r\n{}\r\n", method, path, headers));
  }
  static std::string account_of(const Answer& answer) {
    const std::string deployment = answer.header("x-weir-deployment");
    return deployment.substr(0, deployment.find('/'));
  }
  // Whether ten requests all went to that account.
  template <class Ask>
  void expect_all(const std::string& account, Ask ask) {
    for (int i = 0; i < 10; ++i) {
      const Answer got = ask();
      EXPECT_EQ(got.status, 200) << got.body;
      EXPECT_EQ(account_of(got), account);
    }
  }
  TestWorld world_;
};

constexpr std::string_view kResponse =
    R"({"id":"resp_1","object":"response","status":"completed","output":[
      {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAAopaque"},
      {"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[{"type":"container_file_citation","container_id":"cntr_7","file_id":"cfile_7"}]}]}],
      "usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}})";

TEST_F(PinTest, AResponseIsContinuedWhereItWasMade) {
  answer(kResponse);
  const std::string home =
      account_of(world_.post("/v1/responses", R"({"model":"m","input":"hello"})"));
  ASSERT_FALSE(home.empty());
  const auto ask = [&](std::string_view more) {
    return [this, body = fmt::format(R"({{"model":"m",{}}})", more)] {
      return world_.post("/v1/responses", body);
    };
  };
  expect_all(home, ask(R"("previous_response_id":"resp_1","input":"more")"));
  expect_all(home, ask(R"("input":[{"type":"reasoning","id":"rs_1","summary":[]}])"));
  expect_all(home, ask(R"("input":[{"type":"item_reference","id":"msg_1"}])"));
  expect_all(
      home,
      ask(R"("input":[{"type":"reasoning","summary":[],"encrypted_content":"gAAAAopaque"}])"));
  expect_all(home, [&] { return get("/v1/responses/resp_1"); });
  expect_all(home, [&] { return get("/v1/responses/resp_1/input_items"); });
  expect_all(home, [&] { return get("/v1/containers/cntr_7/files/cfile_7/content"); });
  EXPECT_GT(world_.worker().counters.pins_followed, 40U);
  // What is deleted is forgotten.
  answer(R"({"id":"resp_1","object":"response","deleted":true})");
  EXPECT_EQ(get("/v1/responses/resp_1", "DELETE").status, 200);
  EXPECT_EQ(world_.keeper().pins().find("resp_1", world_.loop().clock().wall_ms()), std::nullopt);
}

TEST_F(PinTest, AStreamedResponseIsKnownFromItsFirstEvent) {
  const std::vector<std::string> events = {
      R"({"type":"response.created","sequence_number":0,"response":{"id":"resp_s","object":"response","status":"in_progress","output":[]}})",
      R"({"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_s","output_index":0,"content_index":0,"delta":"hi"})",
      R"({"type":"response.output_item.done","sequence_number":2,"output_index":0,"item":{"type":"reasoning","id":"rs_s","summary":[],"encrypted_content":"opaque-s"}})"};
  for (const char* account : {"east", "west"}) {
    world_.script(account, sse_begin(events, Scripted::End::close));
    world_.script(account, json_answer(200, kResponse));
  }
  const Answer first =
      world_.post("/v1/responses", R"({"model":"m","stream":true,"input":"hello"})");
  const std::string home = account_of(first);
  expect_all(home, [&] { return get("/v1/responses/resp_s"); });
  expect_all(home, [&] {
    return world_.post(
        "/v1/responses",
        R"({"model":"m","input":[{"type":"reasoning","summary":[],"encrypted_content":"opaque-s"}]})");
  });
}

TEST_F(PinTest, FilesAndBatchesStayTogether) {
  answer(R"({"id":"file-1","object":"file","purpose":"batch"})");
  const Answer uploaded = world_.send(
      "POST /v1/files HTTP/1.1\r\nhost: w\r\ncontent-type: multipart/form-data; boundary=b\r\n"
      "content-length: 5\r\n\r\n--b--");
  const std::string home = account_of(uploaded);
  ASSERT_EQ(uploaded.status, 200) << uploaded.body;
  EXPECT_EQ(world_.last_row().cost_state, ledger::CostState::final) << "an upload costs nothing";
  expect_all(home, [&] { return get("/v1/files/file-1"); });
  expect_all(home, [&] { return get("/v1/files/file-1/content"); });
  answer(R"({"id":"batch_1","object":"batch","input_file_id":"file-1","output_file_id":"file-2"})");
  expect_all(home, [&] {
    return world_.post("/v1/batches",
                       R"({"input_file_id":"file-1","endpoint":"/v1/chat/completions"})");
  });
  expect_all(home, [&] { return get("/v1/batches/batch_1"); });
  expect_all(home, [&] { return get("/v1/batches/batch_1/cancel", "POST"); });
  expect_all(home, [&] { return get("/v1/files/file-2/content"); });
  // An account that was chosen by header gives way to what the id says.
  expect_all(home, [&] { return get("/v1/files/file-1", "GET", "x-weir-model: m\r\n"); });
  answer(R"({"id":"c","choices":[{"index":0,"message":{"content":"k"},"finish_reason":"stop"}]})");
  expect_all(home, [&] {
    return world_.post("/v1/chat/completions",
                       R"({"model":"m","messages":[{"role":"user","content":[
              {"type":"file","file":{"file_id":"file-1"}}]}]})");
  });
}

TEST_F(PinTest, PinsOutliveARestart) {
  answer(kResponse);
  const std::string home = account_of(world_.post("/v1/responses", R"({"model":"m","input":"a"})"));
  world_.reopen_keeper();
  expect_all(home, [&] { return get("/v1/responses/resp_1"); });
}

TEST_F(PinTest, APinEndsAfterItsTime) {
  world_.reopen_keeper({.pin_retention = std::chrono::hours(1)});
  answer(kResponse);
  world_.post("/v1/responses", R"({"model":"m","input":"a"})");
  EXPECT_TRUE(world_.keeper().pins().find("resp_1", world_.loop().clock().wall_ms()));
  world_.advance(std::chrono::hours(2));
  EXPECT_FALSE(world_.keeper().pins().find("resp_1", world_.loop().clock().wall_ms()));
}

TEST_F(PinTest, AnAccountThatIsGoneIsNamedAsTheReason) {
  world_.keeper().pin("resp_old", "north", world_.loop().clock().wall_ms());
  const Answer got = get("/v1/responses/resp_old");
  EXPECT_EQ(got.status, 404);
  EXPECT_THAT(got.body, HasSubstr("pinned_account_gone"));
  EXPECT_THAT(got.body, HasSubstr("resp_old"));
  EXPECT_EQ(world_.worker().counters.pins_lost, 1U);
  EXPECT_TRUE(world_.requests("east").empty() && world_.requests("west").empty());
}

TEST_F(PinTest, AModelThatTheAccountDoesNotServeIsNoReasonToGoElsewhere) {
  world_.account("north");
  world_.model("n", {"north/x"});
  world_.keeper().pin("resp_n", "north", world_.loop().clock().wall_ms());
  const Answer got = world_.post("/v1/responses",
                                 R"({"model":"m","previous_response_id":"resp_n","input":"more"})");
  EXPECT_EQ(got.status, 400);
  EXPECT_THAT(got.body, HasSubstr("pinned_elsewhere"));
  EXPECT_THAT(got.body, HasSubstr("north"));
}

TEST_F(PinTest, AFailureOfTheOneAccountIsNotCuredByAnother) {
  world_.keeper().pin("resp_e", "east", world_.loop().clock().wall_ms());
  world_.script("east", json_answer(500, R"({"error":{"message":"boom"}})"));
  const Answer got = world_.post("/v1/responses",
                                 R"({"model":"m","previous_response_id":"resp_e","input":"more"})");
  EXPECT_EQ(got.status, 500);
  EXPECT_TRUE(world_.requests("west").empty());
}

TEST(Pins, AnthropicsFilesAndBatches) {
  TestWorld world;
  for (const char* account : {"east", "west"}) {
    world.account(account, provider::Kind::anthropic);
    world.script(account, json_answer(200, R"({"id":"file_011","type":"file"})"));
  }
  world.model("m", {"east/x", "west/x"});
  constexpr std::string_view kHead = "anthropic-version: 2023-06-01\r\n";
  const Answer uploaded = world.send(
      fmt::format("POST /v1/files HTTP/1.1\r\nhost: w\r\n{}content-type: multipart/form-data; "
                  "boundary=b\r\ncontent-length: 5\r\n\r\n--b--",
                  kHead));
  ASSERT_EQ(uploaded.status, 200) << uploaded.body;
  const std::string home = uploaded.header("x-weir-deployment");
  for (int i = 0; i < 10; ++i) {
    const Answer got =
        world.send(fmt::format("GET /v1/files/file_011 HTTP/1.1\r\nhost: w\r\n{}\r\n", kHead));
    EXPECT_EQ(got.header("x-weir-deployment"), home);
  }
  const Answer elsewhere = world.send("GET /v1/files/file_011 HTTP/1.1\r\nhost: w\r\n\r\n");
  EXPECT_EQ(elsewhere.status, 404) << "an OpenAI client has nothing to do there";
}

TEST(Pins, GeminisCaches) {
  TestWorld world;
  for (const char* account : {"east", "west"}) {
    world.account(account, provider::Kind::gemini).base_path = "/v1beta";
    world.script(account, json_answer(200, R"({"name":"cachedContents/c1","model":"models/x"})"));
    world.script(
        account,
        json_answer(
            200, R"({"candidates":[{"content":{"parts":[{"text":"k"}]},"finishReason":"STOP"}]})"));
  }
  world.model("m", {"east/x", "west/x"});
  const Answer made = world.post("/v1beta/cachedContents", R"({"model":"models/m","contents":[]})");
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string home = made.header("x-weir-deployment");
  const std::string account = home.substr(0, home.find('/'));
  EXPECT_THAT(world.last_body(account), HasSubstr(R"("model":"models/x")"));
  EXPECT_THAT(world.requests(account).back(), HasSubstr("POST /v1beta/cachedContents "));
  for (int i = 0; i < 10; ++i) {
    const Answer got = world.post(
        "/v1beta/models/m:generateContent",
        R"({"contents":[{"parts":[{"text":"q"}]}],"cachedContent":"cachedContents/c1"})");
    EXPECT_EQ(got.status, 200) << got.body;
    EXPECT_EQ(got.header("x-weir-deployment"), home);
  }
}

// Claude's code runs in a container of one account, and leaves files there.
TEST(Pins, ContainersOfMessages) {
  constexpr std::string_view kWhole =
      R"({"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"type":"bash_code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"bash_code_execution_result","content":[{"type":"bash_code_execution_output","file_id":"file_011"}]}}],"stop_reason":"end_turn","container":{"id":"container_011","expires_at":"2026-11-22T10:00:00Z"},"usage":{"input_tokens":1,"output_tokens":1}})";
  const Scripted streamed = sse_answer(
      {R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"usage":{"input_tokens":1,"output_tokens":1}}})",
       R"({"type":"content_block_start","index":0,"content_block":{"type":"bash_code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"bash_code_execution_result","content":[{"type":"bash_code_execution_output","file_id":"file_011"}]}}})",
       R"({"type":"content_block_stop","index":0})",
       R"({"type":"message_delta","delta":{"stop_reason":"end_turn","container":{"id":"container_011","expires_at":"2026-11-22T10:00:00Z"}},"usage":{"output_tokens":2}})",
       R"({"type":"message_stop"})"},
      /*done=*/false);
  for (const bool stream : {false, true}) {
    TestWorld world;
    for (const char* account : {"east", "west"}) {
      world.account(account, provider::Kind::anthropic);
      world.script(account, stream ? streamed : json_answer(200, kWhole));
    }
    world.model("m", {"east/x", "west/x"});
    const auto ask = [&](std::string_view more) {
      const Answer got = world.post(
          "/v1/messages",
          fmt::format(
              R"({{"model":"m","max_tokens":9,"stream":{},"messages":[{{"role":"user","content":"q"}}]{}}})",
              stream, more));
      EXPECT_EQ(got.status, 200) << got.body;
      return got.header("x-weir-deployment");
    };
    const std::string home =
        ask(R"(,"tools":[{"type":"code_execution_20250825","name":"code_execution"}])");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(R"(,"container":"container_011")"), home);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(R"(,"container":{"id":"container_011"})"), home);
    const int64_t now_ms = world.loop().clock().wall_ms();
    EXPECT_EQ(world.keeper().pins().find("msg_1", now_ms), std::nullopt);
    const Answer file = world.send(
        "GET /v1/files/file_011 HTTP/1.1\r\nhost: w\r\nanthropic-version: 2023-06-01\r\n\r\n");
    EXPECT_EQ(file.header("x-weir-deployment"), home);
  }
}

}  // namespace
}  // namespace weir::gateway
