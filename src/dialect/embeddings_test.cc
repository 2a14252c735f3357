#include "dialect/embeddings.h"

#include <gtest/gtest.h>

#include "dialect/recorded_replies.h"

namespace weir::dialect {
namespace {

using Api = EmbeddingsApi;

Result<EmbeddingsRequest> read(Api api, std::string_view body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  return read_embeddings_request(api, document.root(), {});
}

std::string write(Api api, const EmbeddingsRequest& request, Dropped* dropped = nullptr) {
  Dropped ignored;
  Context context;
  context.model = "target";
  const auto body =
      write_embeddings_request(api, request, context, dropped == nullptr ? ignored : *dropped);
  EXPECT_TRUE(body);
  return body ? *body : "";
}

Result<EmbeddingsReply> read_answer(Api api, std::string_view body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  return read_embeddings_reply(api, document.root());
}

TEST(Embeddings, OpenaiRequestToGoogle) {
  const auto request = read(Api::openai, R"({"model":"e","input":["a","b\n"],"dimensions":8,
      "encoding_format":"base64","user":"u","vendor":1})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->base64);
  Dropped dropped;
  EXPECT_EQ(
      write(Api::gemini_batch, *request, &dropped),
      R"({"requests":[{"model":"models/target","content":{"parts":[{"text":"a"}]},"outputDimensionality":8},)"
      R"({"model":"models/target","content":{"parts":[{"text":"b\n"}]},"outputDimensionality":8}]})");
  EXPECT_EQ(dropped, (Dropped{"vendor", "user"}));
  EXPECT_EQ(
      write(Api::vertex_predict, *request),
      R"({"instances":[{"content":"a"},{"content":"b\n"}],"parameters":{"outputDimensionality":8}})");
  const auto one = read(Api::openai, R"({"model":"e","input":"a"})");
  ASSERT_TRUE(one);
  EXPECT_EQ(write(Api::gemini_embed, *one), R"({"content":{"parts":[{"text":"a"}]}})");
  Dropped ignored;
  EXPECT_FALSE(write_embeddings_request(Api::gemini_embed, *request, {}, ignored));
}

TEST(Embeddings, GoogleRequestToOpenai) {
  const auto embed =
      read(Api::gemini_embed, R"({"model":"models/m","content":{"parts":[{"text":"a"},
      {"text":"b"}]},"taskType":"RETRIEVAL_QUERY","output_dimensionality":4})");
  ASSERT_TRUE(embed);
  Dropped dropped;
  EXPECT_EQ(write(Api::openai, *embed, &dropped),
            R"({"model":"target","input":["ab"],"dimensions":4})");
  EXPECT_EQ(dropped, Dropped{"taskType"});
  const auto batch = read(Api::gemini_batch, R"({"requests":[{"content":{"parts":[{"text":"a"}]}},)"
                                             R"({"content":{"parts":[{"text":"b"}]}}]})");
  ASSERT_TRUE(batch);
  EXPECT_EQ(write(Api::openai, *batch), R"({"model":"target","input":["a","b"]})");
  const auto predict = read(
      Api::vertex_predict,
      R"({"instances":[{"content":"a","task_type":"X"}],"parameters":{"outputDimensionality":2}})");
  ASSERT_TRUE(predict);
  EXPECT_EQ(predict->task_type, "X");
  EXPECT_EQ(write(Api::openai, *predict), R"({"model":"target","input":["a"],"dimensions":2})");
}

TEST(Embeddings, RequestsThatAreRefused) {
  struct Case {
    Api api;
    const char* body;
    const char* path;
  };
  const Case cases[] = {
      {Api::openai, "[]", "the body:"},
      {Api::openai, "{}", "input:"},
      {Api::openai, R"({"input":[]})", "input:"},
      {Api::openai, R"({"input":[1,2,3]})", "input[0]:"},
      {Api::openai, R"({"input":[[1,2]]})", "input[0]:"},
      {Api::openai, R"({"input":["a",null]})", "input[1]:"},
      {Api::openai, R"({"input":"a","encoding_format":"int8"})", "encoding_format:"},
      {Api::openai, R"({"input":"a","dimensions":"8"})", "dimensions:"},
      {Api::gemini_embed, "{}", "content.parts:"},
      {Api::gemini_batch, R"({"requests":[]})", "requests:"},
      {Api::gemini_batch, R"({"requests":[{}]})", "requests[0].content.parts:"},
      {Api::vertex_predict, "{}", "instances:"},
      {Api::vertex_predict, R"({"instances":[{"content":4}]})", "instances[0].content:"},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.body);
    const auto request = read(expected.api, expected.body);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code(), ErrorCode::invalid_argument);
    EXPECT_TRUE(request.error().message().starts_with(expected.path)) << request.error().message();
  }
  std::string many = R"({"input":[)";
  for (size_t i = 0; i < EmbeddingsRequest::kInputsMax; ++i) many += "\"a\",";
  EXPECT_FALSE(read(Api::openai, many + "\"a\"]}"));
}

TEST(Embeddings, AnswersOfGoogle) {
  const auto batch = read_answer(
      Api::gemini_batch,
      R"({"embeddings":[{"values":[0.10, -2e-3]},{"values":[]}],"usageMetadata":{"promptTokenCount":7}})");
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->vectors, (std::vector<std::string>{"[0.10,-2e-3]", "[]"}));
  EXPECT_EQ(batch->usage.input, 7);
  Context context;
  context.model = "shown";
  EXPECT_EQ(write_embeddings_reply(Api::openai, *batch, context, false),
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]},)"
            R"({"object":"embedding","index":1,"embedding":[]}],"model":"shown",)"
            R"("usage":{"prompt_tokens":7,"total_tokens":7}})");
  const auto embed = read_answer(Api::gemini_embed, R"({"embedding":{"values":[1]}})");
  ASSERT_TRUE(embed);
  EXPECT_EQ(embed->vectors, std::vector<std::string>{"[1]"});
  EXPECT_FALSE(embed->usage.reported);
  const auto predict = read_answer(
      Api::vertex_predict,
      R"({"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":3}}}]})");
  ASSERT_TRUE(predict);
  EXPECT_EQ(predict->vectors, std::vector<std::string>{"[1,2]"});
  EXPECT_EQ(predict->usage, (Usage{.input = 3, .reported = true}));
}

TEST(Embeddings, RequestsToBedrock) {
  struct Case {
    const char* model;
    const char* request;  // OpenAI's, or Gemini's batch
    const char* written;
    Dropped dropped;
  };
  const Case cases[] = {
      {"amazon.titan-embed-text-v2:0",
       R"({"input":"a","dimensions":256,"user":"u"})",
       R"({"inputText":"a","dimensions":256})",
       {"user"}},
      {"amazon.titan-embed-text-v1",
       R"({"input":"a","dimensions":256})",
       R"({"inputText":"a"})",
       {"dimensions"}},
      {"amazon.titan-embed-image-v1",
       R"({"input":"a","dimensions":256})",
       R"({"inputText":"a","embeddingConfig":{"outputEmbeddingLength":256}})",
       {}},
      {"amazon.nova-2-multimodal-embeddings-v1:0",
       R"({"input":"a","dimensions":384})",
       R"({"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingPurpose":"GENERIC_INDEX",)"
       R"("embeddingDimension":384,"text":{"truncationMode":"END","value":"a"}}})",
       {}},
      {"us.cohere.embed-v4:0",
       R"({"input":["a","b"],"dimensions":512})",
       R"({"texts":["a","b"],"input_type":"search_document","embedding_types":["float"],)"
       R"("output_dimension":512})",
       {}},
      {"cohere.embed-multilingual-v3",
       R"({"requests":[{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","title":"t",)"
       R"("outputDimensionality":512}]})",
       R"({"texts":["a"],"input_type":"search_query","embedding_types":["float"]})",
       {"title", "dimensions"}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.model);
    const auto api = bedrock_embeddings_api(expected.model);
    ASSERT_TRUE(api);
    const bool gemini = std::string_view(expected.request).find("requests") < 10;
    const auto request = read(gemini ? Api::gemini_batch : Api::openai, expected.request);
    ASSERT_TRUE(request);
    Dropped dropped;
    const auto body = write_embeddings_request(*api, *request, {.model = expected.model}, dropped);
    ASSERT_TRUE(body);
    EXPECT_EQ(*body, expected.written);
    EXPECT_EQ(dropped, expected.dropped);
  }
  EXPECT_FALSE(bedrock_embeddings_api("amazon.nova-pro-v1:0"));
  EXPECT_FALSE(bedrock_embeddings_api("cohere.command-r-v1:0"));
  // Clients have no such forms.
  EXPECT_FALSE(read(Api::bedrock_titan, R"({"inputText":"a"})"));
}

TEST(Embeddings, MoreTextsThanACallTakes) {
  struct Case {
    Api api;
    const char* model;
    size_t most;
  };
  for (const Case& expected : std::initializer_list<Case>{
           {Api::openai, "text-embedding-3-small", EmbeddingsRequest::kInputsMax},
           {Api::gemini_embed, "gemini-embedding-001", 1},
           {Api::gemini_batch, "gemini-embedding-001", 100},
           {Api::vertex_predict, "gemini-embedding-001", 1},
           {Api::vertex_predict, "text-embedding-005", 250},
           {Api::bedrock_titan, "amazon.titan-embed-text-v2:0", 1},
           {Api::bedrock_nova, "amazon.nova-2-multimodal-embeddings-v1:0", 1},
           {Api::bedrock_cohere, "cohere.embed-v4:0", 96}}) {
    SCOPED_TRACE(expected.model);
    EXPECT_EQ(embeddings_inputs_max(expected.api, expected.model), expected.most);
    EmbeddingsRequest request;
    request.inputs.assign(expected.most, "a");
    Dropped dropped;
    const Context context{.model = expected.model};
    EXPECT_TRUE(write_embeddings_request(expected.api, request, context, dropped));
    request.inputs.emplace_back("a");
    EXPECT_FALSE(write_embeddings_request(expected.api, request, context, dropped));
  }
}

TEST(Embeddings, AnswersOfBedrock) {
  const auto titan = read_answer(
      Api::bedrock_titan,
      R"({"embedding":[0.10, 2],"embeddingsByType":{"float":[0.10,2]},"inputTextTokenCount":7})");
  ASSERT_TRUE(titan);
  EXPECT_EQ(titan->vectors, std::vector<std::string>{"[0.10,2]"});
  EXPECT_EQ(titan->usage, (Usage{.input = 7, .reported = true}));
  const auto nova = read_answer(Api::bedrock_nova,
                                R"({"embeddings":[{"embeddingType":"TEXT","embedding":[1]}]})");
  ASSERT_TRUE(nova);
  EXPECT_EQ(nova->vectors, std::vector<std::string>{"[1]"});
  for (const char* body :
       {R"({"id":"i","response_type":"embeddings_by_type","embeddings":{"float":[[1],[2]]}})",
        R"({"response_type":"embeddings_floats","embeddings":[[1],[2]],"texts":["a","b"]})"}) {
    const auto cohere = read_answer(Api::bedrock_cohere, body);
    ASSERT_TRUE(cohere) << body;
    EXPECT_EQ(cohere->vectors, (std::vector<std::string>{"[1]", "[2]"}));
    EXPECT_FALSE(cohere->usage.reported);
  }
}

TEST(Embeddings, Base64BothWays) {
  // 1.0f, -2.5f little-endian.
  const EmbeddingsReply reply{.model = "m", .vectors = {"[1,-2.5]"}, .usage = {.input = 1}};
  const std::string body = write_embeddings_reply(Api::openai, reply, {}, true);
  EXPECT_NE(body.find(R"("embedding":"AACAPwAAIMA=")"), std::string::npos) << body;
  const auto again = read_answer(Api::openai, body);
  ASSERT_TRUE(again);
  ASSERT_EQ(again->vectors.size(), 1U);
  json::Document document;
  ASSERT_TRUE(document.parse(again->vectors[0]));
  std::vector<double> numbers;
  for (const json::Value number : document.root().elements()) {
    numbers.push_back(number.as_double().value_or(0));
  }
  EXPECT_EQ(numbers, (std::vector<double>{1, -2.5}));
}

TEST(Embeddings, OpenaiAnswersAreSortedByIndex) {
  const auto reply = read_answer(
      Api::openai,
      R"({"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[0]}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->vectors, (std::vector<std::string>{"[0]", "[1]"}));
  EXPECT_EQ(
      write_embeddings_reply(Api::gemini_batch, *reply, {}, false),
      R"({"embeddings":[{"values":[0]},{"values":[1]}],"usageMetadata":{"promptTokenCount":2}})");
}

TEST(Embeddings, BrokenAnswers) {
  for (const auto& [api, body] : std::initializer_list<std::pair<Api, const char*>>{
           {Api::openai, "{}"},
           {Api::openai, R"({"data":[{"embedding":"!"}]})"},
           {Api::openai, R"({"data":[{"embedding":"AAA="}]})"},
           {Api::openai, R"({"data":[{"embedding":["a"]}]})"},
           {Api::gemini_embed, R"({"embedding":[1]})"},
           {Api::gemini_batch, R"({"embeddings":[{}]})"},
           {Api::bedrock_titan, R"({"embedding":"a"})"},
           {Api::bedrock_titan, "{}"},
           {Api::bedrock_nova, R"({"embeddings":[]})"},
           {Api::bedrock_nova, R"({"embeddings":[{"embedding":{}}]})"},
           {Api::bedrock_cohere, R"({"embeddings":{"int8":[[1]]}})"},
           {Api::bedrock_cohere, R"({"embeddings":{"float":[["a"]]}})"},
           {Api::vertex_predict, "[]"}}) {
    SCOPED_TRACE(body);
    const auto reply = read_answer(api, body);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::protocol_error);
  }
}

TEST(Embeddings, Recorded) {
  size_t seen = 0;
  for (const recorded::Reply& recording : recorded::load(false)) {
    if (recording.dialect != Dialect::openai_embeddings) continue;
    json::Document document;
    ASSERT_TRUE(document.parse(recording.body));
    if (!(*document.root()["data"].elements().begin())["embedding"].exists()) continue;
    SCOPED_TRACE(recording.name);
    ++seen;
    const auto reply = read_answer(Api::openai, recording.body);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->vectors.size(), document.root()["data"].size());
    EXPECT_GT(reply->usage.input, 0);
    const auto again =
        read_answer(Api::openai, write_embeddings_reply(Api::openai, *reply, {}, false));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *reply);
  }
  if (seen == 0) GTEST_SKIP() << "no recorded replies at " << recorded::folder();
}

}  // namespace
}  // namespace weir::dialect
