// What a batch cost comes onto the ledger once, at batch price, with the key that made it.
#include "gateway/batches.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/test_world.h"

namespace weir::gateway {
namespace {

using ledger::CostState;
using testing::HasSubstr;

// gpt-4o-2024-11-20 costs 2.50 and 10.00 dollars a million tokens, in batches half of it.
constexpr std::string_view kMade = R"({"id":"batch_1","object":"batch","status":"validating"})";
constexpr std::string_view kEnded =
    R"({"id":"batch_1","object":"batch","status":"completed","output_file_id":"file-out"})";
constexpr std::string_view kEndedWithUsage =
    R"({"id":"batch_1","object":"batch","status":"completed","output_file_id":"file-out","model":"gpt-4o-2024-11-20","usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0},"output_tokens":100,"total_tokens":1100}})";
constexpr std::string_view kLines =
    R"({"id":"r1","custom_id":"a","response":{"status_code":200,"body":{"model":"gpt-4o-2024-11-20","usage":{"prompt_tokens":600,"completion_tokens":60,"total_tokens":660}}},"error":null}
{"id":"r2","custom_id":"b","response":{"status_code":400,"body":{"error":{"message":"no"}}},"error":null}
{"id":"r3","custom_id":"c","response":{"status_code":200,"body":{"model":"gpt-4o-2024-11-20","usage":{"prompt_tokens":400,"completion_tokens":40,"total_tokens":440}}},"error":null})";
constexpr int64_t kNano = 1000 * 1'250 + 100 * 5'000;

Scripted file_answer(std::string_view body, std::string_view type) {
  return {.pieces = {fmt::format("HTTP/1.1 200 X\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
                                 type, body.size()),
                     std::string(body.substr(0, 100)), std::string(body.substr(100))}};
}

class BatchTest : public testing::Test {
 protected:
  explicit BatchTest(provider::Kind kind = provider::Kind::openai,
                     std::string_view deployment = "up/gpt-4o-2024-11-20") {
    world_.account("up", kind);
    world_.model("m", {std::string(deployment)});
  }
  // Makes a batch; `next` are the answers to what is asked behind it.
  void make(const std::vector<Scripted>& next) {
    world_.script("up", json_answer(200, kMade));
    for (const Scripted& answer : next) world_.script("up", answer);
    EXPECT_EQ(
        world_
            .post("/v1/batches", R"({"input_file_id":"file-in","endpoint":"/v1/chat/completions"})")
            .status,
        200);
  }
  Answer get(std::string_view path, std::string_view headers = "") {
    return world_.send(fmt::format("GET {} HTTP/1.1\r\nhost: w\r\n{}\r\n", path, headers));
  }
  std::vector<ledger::RequestRow> batch_rows() {
    std::vector<ledger::RequestRow> found;
    for (auto& row : world_.rows()) {
      if (row.endpoint == "batch") found.push_back(std::move(row));
    }
    return found;
  }
  TestWorld world_;
};

TEST_F(BatchTest, TheBatchItselfTellsItsUsage) {
  make({json_answer(200, kMade), json_answer(200, kEndedWithUsage)});
  get("/v1/batches/batch_1");
  EXPECT_TRUE(batch_rows().empty());
  const int64_t later = 3'600'000;
  world_.advance(Milliseconds(later));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get("/v1/batches/batch_1").body, kEndedWithUsage);
  const auto rows = batch_rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].cost.nano(), kNano);
  EXPECT_EQ(rows[0].cost_state, CostState::final);
  EXPECT_EQ(rows[0].usage.input, 1000);
  EXPECT_EQ(rows[0].usage.service_tier, "batch");
  EXPECT_EQ(rows[0].account, "up");
  EXPECT_EQ(rows[0].provider_model, "gpt-4o-2024-11-20");
  EXPECT_LT(rows[0].start_ms, world_.loop().clock().wall_ms() - later / 2)
      << "it stands where the batch was made";
  for (const auto& row : world_.rows()) {
    if (row.endpoint != "batch") EXPECT_EQ(row.cost.nano(), 0);
  }
  EXPECT_EQ(world_.worker().counters.batches_settled, 1U);
}

TEST_F(BatchTest, ElseItsResultsDoLineByLine) {
  make({json_answer(200, kEnded), file_answer(kLines, "application/octet-stream")});
  get("/v1/batches/batch_1");
  world_.reopen_keeper();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(get("/v1/files/file-out/content").body, kLines);
  }
  const auto rows = batch_rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].cost.nano(), kNano);
  EXPECT_EQ(rows[0].usage.output, 100);
  EXPECT_EQ(rows[0].cost_state, CostState::final);
}

TEST_F(BatchTest, ALineThatCannotBeReadMakesAnEstimate) {
  make({json_answer(200, kEnded),
        file_answer(std::string(kLines) + "\n{broken", "application/jsonl")});
  get("/v1/batches/batch_1");
  EXPECT_EQ(get("/v1/files/file-out/content").status, 200);
  const auto rows = batch_rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].cost.nano(), kNano);
  EXPECT_EQ(rows[0].cost_state, CostState::estimated);
}

TEST_F(BatchTest, ResultsThatBreakOffWaitForTheNextTime) {
  Scripted cut = file_answer(kLines, "application/octet-stream");
  cut.pieces.pop_back();
  cut.end = Scripted::End::close;
  make({json_answer(200, kEnded), cut, file_answer(kLines, "application/octet-stream")});
  get("/v1/batches/batch_1");
  get("/v1/files/file-out/content");
  EXPECT_TRUE(batch_rows().empty());
  get("/v1/files/file-out/content");
  EXPECT_EQ(batch_rows().size(), 1U);
}

TEST_F(BatchTest, AnotherFileIsNobodysBatch) {
  make({file_answer(kLines, "application/octet-stream")});
  EXPECT_EQ(get("/v1/files/file-other/content").body, kLines);
  EXPECT_TRUE(batch_rows().empty());
}

TEST_F(BatchTest, AKeyForSomeModelsMakesNoBatchOfAny) {
  auto who = std::make_shared<access::Principal>();
  who->models = {"m"};
  world_.snapshot().anonymous = who;
  world_.script("up", json_answer(200, kMade));
  const Answer got = world_.post("/v1/batches", R"({"input_file_id":"file-in"})");
  EXPECT_EQ(got.status, 403);
  EXPECT_THAT(got.body, HasSubstr("batch_of_any_model"));
}

// Its file's id may be known before: from a list, or from the answer that made it.
TEST_F(BatchTest, AListThatNamesTheResultsDoes) {
  const std::string list = fmt::format(R"({{"object":"list","data":[{}]}})", kEnded);
  make({json_answer(200, list), json_answer(200, kEnded),
        file_answer(kLines, "application/octet-stream")});
  get("/v1/batches");
  get("/v1/batches/batch_1");
  EXPECT_EQ(get("/v1/files/file-out/content").body, kLines);
  ASSERT_EQ(batch_rows().size(), 1U);
  EXPECT_EQ(batch_rows()[0].cost.nano(), kNano);
}

TEST_F(BatchTest, ABatchThatHasEndedAtOnce) {
  world_.script("up", json_answer(200, kEnded));
  world_.script("up", file_answer(kLines, "application/octet-stream"));
  world_.post("/v1/batches", R"({"input_file_id":"file-in","endpoint":"/v1/chat/completions"})");
  EXPECT_EQ(get("/v1/files/file-out/content").body, kLines);
  ASSERT_EQ(batch_rows().size(), 1U);
  EXPECT_EQ(batch_rows()[0].cost.nano(), kNano);
}

// A provider's list with one batch that has ended, made now from the file that make() names.
std::string list_of_one(TestWorld& world) {
  return fmt::format(
      R"({{"object":"list","data":[{{"id":"batch_1","object":"batch","status":"completed","input_file_id":"file-in","output_file_id":"file-out","created_at":{}}}]}})",
      world.loop().clock().wall_ms() / 1000);
}

TEST_F(BatchTest, ABatchWhoseAnswerWasLostIsFoundByItsFile) {
  Scripted cut = json_answer(200, kMade);
  cut.pieces = {cut.pieces[0].substr(0, cut.pieces[0].size() - 10)};
  cut.end = Scripted::End::close;
  world_.script("up", cut);
  world_.script("up", json_answer(200, list_of_one(world_)));
  world_.script("up", file_answer(kLines, "application/octet-stream"));
  EXPECT_NE(world_.post("/v1/batches", R"({"input_file_id":"file-in"})").status, 200);
  EXPECT_EQ(world_.requests("up").size(), 1U) << "a second one would be billed, too";
  world_.reopen_keeper();
  get("/v1/batches");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(get("/v1/files/file-out/content").body, kLines);
  ASSERT_EQ(batch_rows().size(), 1U);
  EXPECT_EQ(batch_rows()[0].cost.nano(), kNano);
}

TEST_F(BatchTest, ABatchIsNotFoundAgainByItsFile) {
  make({json_answer(200, kEnded), file_answer(kLines, "application/octet-stream"),
        json_answer(200, list_of_one(world_)), file_answer(kLines, "application/octet-stream")});
  get("/v1/batches/batch_1");
  get("/v1/files/file-out/content");
  get("/v1/batches");
  get("/v1/files/file-out/content");
  EXPECT_EQ(batch_rows().size(), 1U);
}

TEST_F(BatchTest, ABatchThatWasRefusedIsNobodys) {
  world_.script("up", json_answer(400, R"({"error":{"message":"no"}})"));
  world_.script("up", json_answer(200, list_of_one(world_)));
  world_.script("up", file_answer(kLines, "application/octet-stream"));
  EXPECT_EQ(world_.post("/v1/batches", R"({"input_file_id":"file-in"})").status, 400);
  get("/v1/batches");
  get("/v1/files/file-out/content");
  EXPECT_TRUE(batch_rows().empty());
}

class AnthropicBatchTest : public BatchTest {
 protected:
  AnthropicBatchTest() : BatchTest(provider::Kind::anthropic, "up/claude-opus-4-8") {}
};

constexpr std::string_view kAnthropicMade =
    R"({"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress","results_url":null})";
constexpr std::string_view kAnthropicEnded =
    R"({"id":"msgbatch_1","type":"message_batch","processing_status":"ended","results_url":"https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"})";
constexpr std::string_view kAnthropicLines =
    R"({"custom_id":"a","result":{"type":"succeeded","message":{"model":"claude-opus-4-8","usage":{"input_tokens":100,"output_tokens":10}}}}
{"custom_id":"b","result":{"type":"errored","error":{"type":"error"}}}
)";

TEST_F(AnthropicBatchTest, AnthropicsResultsAreFetchedHereAndPriced) {
  world_.script("up", json_answer(200, kAnthropicMade));
  world_.script("up", json_answer(200, kAnthropicEnded));
  world_.script("up", file_answer(kAnthropicLines, "application/x-jsonl"));
  const Answer made = world_.post(
      "/v1/messages/batches",
      R"({"requests":[{"custom_id":"a","params":{"model":"m","max_tokens":5,"messages":[]}},{"custom_id":"b","params":{"model":"m","max_tokens":5,"messages":[]}}]})");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_THAT(world_.last_body("up"),
              HasSubstr(R"({"custom_id":"b","params":{"model":"claude-opus-4-8","max_tokens":5)"));
  EXPECT_THAT(world_.last_body("up"), testing::Not(HasSubstr(R"("model":"m")")));
  const Answer ended = get("/v1/messages/batches/msgbatch_1");
  EXPECT_THAT(ended.body, HasSubstr(R"("results_url":"/v1/messages/batches/msgbatch_1/results")"));
  EXPECT_EQ(get("/v1/messages/batches/msgbatch_1/results").body, kAnthropicLines);
  const auto rows = batch_rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].cost.nano(), 100 * 2'500 + 10 * 12'500);  // 2.50 and 12.50 dollars in batches
  EXPECT_EQ(rows[0].cost_state, CostState::final);
  EXPECT_EQ(rows[0].dialect, "anthropic_messages");
}

TEST_F(AnthropicBatchTest, EveryModelInItIsAskedForUnderTheKeysRights) {
  world_.account("other", provider::Kind::anthropic);
  world_.model("n", {"other/x"});
  world_.script("up", json_answer(200, kAnthropicMade));
  const auto ask = [&](std::string_view second) {
    return world_.post(
        "/v1/messages/batches",
        fmt::format(
            R"({{"requests":[{{"params":{{"model":"m"}}}},{{"params":{{"model":"{}"}}}}]}})",
            second));
  };
  EXPECT_EQ(ask("nobody").status, 404);
  const Answer split = ask("n");
  EXPECT_EQ(split.status, 400);
  EXPECT_THAT(split.body, HasSubstr("one account"));
  auto who = std::make_shared<access::Principal>();
  who->models = {"m"};
  world_.snapshot().anonymous = who;
  EXPECT_EQ(ask("n").status, 404);
  EXPECT_EQ(ask("m").status, 200);
  EXPECT_EQ(world_.requests("up").size(), 1U);
}

// gemini-2.5-flash costs half of 0.30 and 2.50 dollars a million tokens in batches.
class GeminiBatch : public BatchTest {
 protected:
  static constexpr std::string_view kMade =
      R"({"name":"batches/b1","metadata":{"@type":"x","model":"models/gemini-2.5-flash","state":"BATCH_STATE_PENDING"}})";
  static constexpr int64_t kGeminiNano = 1000 * 150 + 100 * 1'250;

  GeminiBatch() : BatchTest(provider::Kind::gemini, "up/gemini-2.5-flash") {
    world_.account("up", provider::Kind::gemini).base_path = "/v1beta";
  }
  void make(const std::vector<Scripted>& next) {
    world_.script("up", json_answer(200, kMade));
    for (const Scripted& answer : next) world_.script("up", answer);
    const Answer made = world_.post(
        "/v1beta/models/m:batchGenerateContent",
        R"({"batch":{"displayName":"d","inputConfig":{"requests":{"requests":[{"request":{"contents":[]}}]}}}})");
    EXPECT_EQ(made.body, kMade);
  }
  void expect_settled() {
    const auto rows = batch_rows();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].cost.nano(), kGeminiNano);
    EXPECT_EQ(rows[0].cost_state, CostState::final);
    EXPECT_EQ(rows[0].provider_model, "gemini-2.5-flash");
    EXPECT_EQ(rows[0].usage.service_tier, "batch");
    EXPECT_EQ(rows[0].dialect, "gemini");
  }
};

TEST_F(GeminiBatch, ItsInlinedResponsesTellTheUsage) {
  constexpr std::string_view kResult =
      R"({"inlinedResponses":[{"response":{"candidates":[],"usageMetadata":{"promptTokenCount":600,"candidatesTokenCount":60},"modelVersion":"gemini-2.5-flash"}},{"error":{"code":8,"message":"no"}},{"response":{"usageMetadata":{"promptTokenCount":400,"candidatesTokenCount":40}}}]})";
  const std::string done = fmt::format(
      R"({{"name":"batches/b1","metadata":{{"model":"models/gemini-2.5-flash","state":"BATCH_STATE_SUCCEEDED"}},"done":true,"response":{{"inlinedResponses":{}}}}})",
      kResult);
  make({json_answer(200, kMade), json_answer(200, done)});
  EXPECT_EQ(get("/v1beta/batches/b1").body, kMade);
  EXPECT_TRUE(batch_rows().empty());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(get("/v1beta/batches/b1").body, done);
  expect_settled();
}

TEST_F(GeminiBatch, OrTheFileThatTheyAreIn) {
  constexpr std::string_view kDone =
      R"({"name":"batches/b1","metadata":{"model":"models/gemini-2.5-flash","state":"BATCH_STATE_SUCCEEDED"},"done":true,"response":{"responsesFile":"files/batch-b1"}})";
  constexpr std::string_view kResults =
      R"({"key":"a","response":{"candidates":[],"usageMetadata":{"promptTokenCount":600,"candidatesTokenCount":60},"modelVersion":"gemini-2.5-flash"}}
{"key":"b","response":{"candidates":[],"usageMetadata":{"promptTokenCount":400,"candidatesTokenCount":40},"modelVersion":"gemini-2.5-flash"}})";
  make({json_answer(200, kDone), file_answer(kResults, "application/octet-stream")});
  get("/v1beta/batches/b1");
  EXPECT_TRUE(batch_rows().empty());
  world_.reopen_keeper();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(get("/v1beta/files/batch-b1:download?alt=media").body, kResults);
  }
  expect_settled();
}

}  // namespace
}  // namespace weir::gateway
