#include "sim/small_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/encoding.h"
#include "sim/completions.h"
#include "sim/file_store.h"

namespace weir::sim {
namespace {

// Keeps the text that a document refers to.
struct Parsed {
  explicit Parsed(std::string source) : text(std::move(source)) {
    EXPECT_TRUE(document.parse(text)) << text;
  }
  json::Value root() const { return document.root(); }
  std::string text;
  json::Document document;
};

TEST(SmallAnswers, EmbeddingsInBothFormsSayTheSame) {
  const Parsed floats(R"({"input":["a b","c"],"dimensions":4})");
  const auto plain = answer_embeddings(floats.root(), "m");
  ASSERT_TRUE(plain);
  const Parsed answer(plain->body);
  EXPECT_EQ(answer.root()["data"].size(), 2U);
  EXPECT_EQ(answer.root()["usage"]["prompt_tokens"].as_int64(), 3);
  EXPECT_EQ(plain->usage.input, 3);
  const json::Value first = *answer.root()["data"].elements().begin();
  EXPECT_EQ(first["embedding"].size(), 4U);

  const Parsed coded(R"({"input":"a b","dimensions":4,"encoding_format":"base64"})");
  const auto base64 = answer_embeddings(coded.root(), "m");
  ASSERT_TRUE(base64);
  const Parsed other(base64->body);
  const auto bytes =
      base64_decode((*other.root()["data"].elements().begin())["embedding"].string_or(""));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), 16U);

  const auto vector = embed("a b", 4);
  double square = 0;
  for (const double number : vector) square += number * number;
  EXPECT_NEAR(square, 1, 1e-9);
  EXPECT_NE(embed("a b", 4), embed("a c", 4));
}

TEST(SmallAnswers, TokenNumbersAsInput) {
  const Parsed one(R"({"input":[1,2,3],"dimensions":2})");
  EXPECT_EQ(answer_embeddings(one.root(), "m")->usage.input, 3);
  const Parsed two(R"({"input":[[1,2],[3]],"dimensions":2})");
  EXPECT_EQ(answer_embeddings(two.root(), "m")->usage.input, 3);
  const Parsed none(R"({"input":5})");
  EXPECT_FALSE(answer_embeddings(none.root(), "m"));
}

TEST(SmallAnswers, EachIsJsonOfItsApi) {
  struct Case {
    std::string name;
    std::string request;
    std::function<Result<SmallAnswer>(json::Value)> make;
    std::string member;
  };
  const std::vector<Case> cases = {
      {"gemini", R"({"content":{"parts":[{"text":"x"}]}})", answer_embed_content, "embedding"},
      {"batch", R"({"requests":[{"content":{"parts":[{"text":"x"}]}}]})",
       answer_batch_embed_contents, "embeddings"},
      {"predict", R"({"instances":[{"content":"x y"}]})", answer_predict, "predictions"},
      {"moderation", R"({"input":"x"})",
       [](json::Value root) { return answer_moderation(root, ""); }, "results"},
      {"images", R"({"prompt":"a cat","n":2})",
       [](json::Value root) { return answer_images(root, 5); }, "data"},
      {"rerank", R"({"query":"q","documents":["a","b",{"text":"c"}],"top_n":2})",
       [](json::Value root) { return answer_rerank(root, "m"); }, "results"},
  };
  for (const Case& c : cases) {
    const Parsed request(c.request);
    const auto answer = c.make(request.root());
    ASSERT_TRUE(answer) << c.name;
    const Parsed body(answer->body);
    EXPECT_TRUE(body.root()[c.member].exists()) << c.name << body.text;
    const Parsed empty("{}");
    if (c.name != "images") EXPECT_FALSE(c.make(empty.root())) << c.name;
  }
}

TEST(SmallAnswers, SpeechIsAWaveFile) {
  const Parsed request(R"({"input":"one two","response_format":"wav"})");
  const auto answer = answer_speech(request.root());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->content_type, "audio/wav");
  EXPECT_EQ(answer->body.substr(0, 4), "RIFF");
  EXPECT_EQ(answer->body.size(), 44U + 1600);
}

TEST(SmallAnswers, StreamsOfSpeechAndTranscriptsTellTheirUsage) {
  const Parsed request(R"({"input":"one two","stream_format":"sse"})");
  const auto spoken = answer_speech(request.root());
  ASSERT_TRUE(spoken);
  EXPECT_TRUE(spoken->content_type.starts_with("text/event-stream"));
  EXPECT_THAT(spoken->body, testing::HasSubstr(R"("usage":{"input_tokens":2,"output_tokens":10,)"));
  EXPECT_EQ(spoken->usage.output_audio, 10);
  const SmallAnswer heard = answer_transcription(
      "--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b--\r\n");
  EXPECT_THAT(heard.body, testing::HasSubstr(R"("type":"transcript.text.done")"));
  EXPECT_THAT(heard.body, testing::HasSubstr(R"("total_tokens":62)"));
}

constexpr std::string_view kForm =
    "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
    "Content-Type: text/plain\r\n\r\n"
    "{\"custom_id\":\"1\",\"url\":\"/v1/chat/completions\",\"body\":{\"x\":1}}\n\r\n--b--\r\n";

TEST(SmallAnswers, FormFields) {
  EXPECT_EQ(form_field(kForm, "purpose"), "batch");
  EXPECT_TRUE(form_field(kForm, "file").starts_with("{\"custom_id\""));
  EXPECT_EQ(form_field(kForm, "model"), "");
  EXPECT_EQ(answer_transcription(kForm).usage.output, 12);
}

TEST(FileStore, UploadReadDelete) {
  FileStore store;
  const Parsed made(store.files("POST", "", "", kForm, 9).body);
  const std::string id = made.root()["id"].string_or("");
  EXPECT_TRUE(made.root()["filename"].equals("in.jsonl"));
  EXPECT_EQ(store.files("GET", id, "content", "", 9).body, form_field(kForm, "file"));
  EXPECT_EQ(Parsed(store.files("GET", "", "", "", 9).body).root()["data"].size(), 1U);
  EXPECT_EQ(store.files("DELETE", id, "", "", 9).status, 200);
  EXPECT_EQ(store.files("GET", id, "", "", 9).status, 404);
  EXPECT_EQ(store.files("POST", "", "", "x", 9).status, 400);
}

TEST(FileStore, BatchesAnswerEachLine) {
  FileStore store;
  const Parsed file(store.files("POST", "", "", kForm, 9).body);
  const auto line = [](std::string_view url, std::string_view body) {
    EXPECT_EQ(url, "/v1/chat/completions");
    return R"({"asked":)" + std::string(body) + "}";
  };
  const std::string request = R"({"input_file_id":")" + file.root()["id"].string_or("") +
                              R"(","endpoint":"/v1/chat/completions"})";
  const Parsed batch(store.batches("POST", "", "", request, 9, line).body);
  EXPECT_TRUE(batch.root()["status"].equals("completed"));
  const std::string output = batch.root()["output_file_id"].string_or("");
  const Parsed answer(store.files("GET", output, "content", "", 9).body);
  EXPECT_EQ(answer.root()["response"]["body"]["asked"]["x"].as_int64(), 1);
  EXPECT_EQ(store.batches("GET", "batch_none", "", "", 9, line).status, 404);
  EXPECT_EQ(store.batches("POST", "", "", R"({"input_file_id":"x"})", 9, line).status, 404);
}

TEST(FileStore, IsBounded) {
  FileStore store;
  for (int i = 0; i < 300; ++i) store.files("POST", "", "", kForm, 9);
  EXPECT_EQ(Parsed(store.files("GET", "", "", "", 9).body).root()["data"].size(), 256U);
  for (int i = 0; i < 2000; ++i) store.keep_response("resp_" + std::to_string(i), "{}");
  EXPECT_FALSE(store.has_response("resp_0"));
  EXPECT_TRUE(store.has_response("resp_1999"));
}

TEST(Completions, WholeAndStreamed) {
  const Parsed request(R"({"model":"m","prompt":["a","b"],"stop":"x","stream":true,
                           "stream_options":{"include_usage":true}})");
  const auto conversation = read_completions_request(request.root());
  ASSERT_TRUE(conversation);
  EXPECT_EQ(conversation->messages[0].parts.size(), 2U);
  EXPECT_EQ(conversation->max_output_tokens, 16);
  EXPECT_TRUE(conversation->stream_usage);
  EXPECT_FALSE(read_completions_request(Parsed(R"({"model":"m"})").root()));

  dialect::Reply reply;
  reply.id = "cmpl-1";
  reply.model = "m";
  reply.candidates.resize(1);
  reply.candidates[0].parts.resize(1);
  reply.candidates[0].parts[0].text = "hey";
  reply.candidates[0].stop = dialect::StopReason::max_tokens;
  reply.usage.output = 1;
  const Parsed whole(write_completions_reply(reply));
  const json::Value choice = *whole.root()["choices"].elements().begin();
  EXPECT_TRUE(choice["text"].equals("hey"));
  EXPECT_TRUE(choice["finish_reason"].equals("length"));
  const auto writer = make_completions_stream_writer(true);
  std::string bytes;
  for (const auto& event : dialect::events_of(reply)) writer->write(event, bytes);
  EXPECT_TRUE(bytes.ends_with("data: [DONE]\n\n"));
  EXPECT_NE(bytes.find(R"("choices":[],"usage":{"prompt_tokens":0)"), std::string::npos) << bytes;
}

}  // namespace
}  // namespace weir::sim
