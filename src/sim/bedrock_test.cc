// The simulator as Amazon Bedrock: its paths, its frames, its errors and its signatures.
#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "dialect/event_stream.h"
#include "dialect/translate.h"
#include "http/sigv4.h"
#include "sim/sim_test_client.h"

namespace weir::sim {
namespace {

using dialect::Dialect;

constexpr const char* kConverse = "/model/amazon.nova-pro-v1%3A0/converse";
constexpr const char* kInvoke = "/model/us.anthropic.claude-sonnet-4-5-v1%3A0/invoke";
constexpr const char* kConverseBody = R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})";
constexpr const char* kInvokeBody =
    R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":99,"messages":[{"role":"user","content":"hi"}]})";

dialect::Reply read_frames(Dialect dialect, const std::string& body, bool* ended) {
  std::string sse;
  dialect::EventStreamToSse frames(dialect);
  EXPECT_TRUE(frames.feed(body, sse));
  EXPECT_FALSE(frames.in_message());
  const auto reader = dialect::make_stream_reader(dialect);
  dialect::StreamEvents events;
  dialect::SseReader lines;
  EXPECT_TRUE(
      lines.feed(sse, [&](const dialect::SseEvent& event) { reader->read(event, events); }));
  reader->finish(events);
  dialect::ReplyBuilder builder;
  for (const dialect::StreamEvent& event : events) builder.add(event);
  *ended = !events.empty() && events.back().kind == dialect::EventKind::end;
  return builder.take();
}

TEST(SimBedrock, WholeAndStreamedSayTheSame) {
  const struct {
    Dialect dialect;
    std::string path, stream_path, body;
  } table[] = {
      {Dialect::bedrock_converse, kConverse, std::string(kConverse) + "-stream", kConverseBody},
      {Dialect::anthropic_messages, kInvoke, std::string(kInvoke) + "-with-response-stream",
       kInvokeBody},
  };
  for (const auto& row : table) {
    SimTestClient client;
    const auto whole = client.post(row.path, row.body);
    ASSERT_EQ(whole.status, 200) << whole.body;
    EXPECT_FALSE(whole.headers.get("x-amzn-requestid").empty());
    EXPECT_EQ(client.last().dialect, row.dialect);
    json::Document document;
    ASSERT_TRUE(document.parse(whole.body));
    const auto reply = dialect::read_reply(row.dialect, document.root());
    ASSERT_TRUE(reply);
    ASSERT_FALSE(reply->candidates[0].parts.empty());

    const auto stream = client.post(row.stream_path, row.body);
    ASSERT_EQ(stream.status, 200) << stream.body;
    EXPECT_EQ(stream.headers.get("content-type"), "application/vnd.amazon.eventstream");
    bool ended = false;
    const dialect::Reply streamed = read_frames(row.dialect, stream.body, &ended);
    EXPECT_TRUE(ended);
    ASSERT_FALSE(streamed.candidates.empty());
    EXPECT_EQ(streamed.candidates[0].parts, reply->candidates[0].parts);
    EXPECT_EQ(streamed.usage.total_output(), reply->usage.total_output());
  }
}

TEST(SimBedrock, InvokeTakesNoMembersOfThePath) {
  SimTestClient client;
  for (
      const char* body :
      {R"({"max_tokens":9,"messages":[{"role":"user","content":"hi"}]})",
       R"({"anthropic_version":"bedrock-2023-05-31","model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})",
       R"({"anthropic_version":"bedrock-2023-05-31","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]})"}) {
    const auto answer = client.post(kInvoke, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_TRUE(answer.headers.get("x-amzn-errortype").starts_with("ValidationException:"));
    EXPECT_TRUE(answer.body.starts_with(R"({"message":)")) << answer.body;
  }
}

TEST(SimBedrock, TokensAreCounted) {
  SimTestClient client;
  const std::string body =
      R"({"input":{"invokeModel":{"body":")" + base64_encode(kInvokeBody) + R"("}}})";
  const auto answer = client.post("/model/anthropic.claude-x/count-tokens", body);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body.starts_with(R"({"inputTokens":)")) << answer.body;
  EXPECT_EQ(client.post("/model/anthropic.claude-x/count-tokens", "{}").status, 400);
}

TEST(SimBedrock, ModelsThatEmbedTellTheirTokensInAHeader) {
  const struct {
    const char* model;
    const char* body;
    const char* vector;  // how the answer's begins
  } table[] = {
      {"amazon.titan-embed-text-v2%3A0", R"({"inputText":"a text","dimensions":256})",
       R"({"embedding":[)"},
      {"amazon.nova-2-multimodal-embeddings-v1%3A0",
       R"({"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingPurpose":"GENERIC_INDEX","text":{"truncationMode":"END","value":"a text"}}})",
       R"({"embeddings":[{"embeddingType":"TEXT","embedding":[)"},
      {"us.cohere.embed-v4%3A0",
       R"({"texts":["a text"],"input_type":"search_query","embedding_types":["float"]})",
       R"("embeddings":{"float":[[)"},
  };
  SimTestClient client;
  for (const auto& row : table) {
    SCOPED_TRACE(row.model);
    const std::string path = std::string("/model/") + row.model + "/invoke";
    const auto answer = client.post(path, row.body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_NE(answer.body.find(row.vector), std::string::npos) << answer.body.substr(0, 200);
    EXPECT_FALSE(answer.headers.get("x-amzn-bedrock-input-token-count").empty());
    EXPECT_GT(client.last().usage.input, 0);
    const auto refused = client.post(path, R"({"input":"a text"})");
    EXPECT_EQ(refused.status, 400);
    EXPECT_TRUE(refused.headers.get("x-amzn-errortype").starts_with("ValidationException:"));
  }
}

TEST(SimBedrock, RerankingByArnAndByInvocation) {
  SimTestClient client;
  const std::string sources =
      R"({"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"a"}}},)"
      R"({"type":"INLINE","inlineDocumentSource":{"type":"JSON","jsonDocument":{"k":1}}})";
  const std::string config =
      R"("rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"numberOfResults":1,"modelConfiguration":{"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"}}})";
  const auto answer = client.post(
      "/rerank", R"({"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[)" + sources +
                     "]," + config + "}");
  ASSERT_EQ(answer.status, 200) << answer.body;
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body));
  EXPECT_EQ(document.root()["results"].size(), 1U);
  EXPECT_NE(answer.body.find("relevanceScore"), std::string::npos);
  EXPECT_EQ(client.last().model, "amazon.rerank-v1:0");
  const auto refused = client.post("/rerank", R"({"queries":[],)" + config + "}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.headers.get("x-amzn-errortype").starts_with("ValidationException:"));
  const auto invoked = client.post("/model/cohere.rerank-v3-5%3A0/invoke",
                                   R"({"query":"q","documents":["a","b"],"api_version":2})");
  ASSERT_EQ(invoked.status, 200) << invoked.body;
  EXPECT_NE(invoked.body.find("relevance_score"), std::string::npos);
}

TEST(SimBedrock, FaultsAreExceptions) {
  SimTestClient client;
  client.simulator.add_rule(
      R"({"times":1,"fault":{"kind":"error_event","status":429,"message":"slow","after_events":2}})");
  const auto stream = client.post(std::string(kConverse) + "-stream", kConverseBody);
  std::vector<std::string> names;
  dialect::EventStreamReader reader;
  ASSERT_TRUE(reader.feed(stream.body, [&](const dialect::EventStreamMessage& message) {
    names.emplace_back(message.message_type == "event" ? message.event_type
                                                       : message.exception_type);
  }));
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), "messageStart");
  EXPECT_EQ(names.back(), "throttlingException");
  client.simulator.add_rule(R"({"times":1,"fault":{"kind":"status","status":429}})");
  const auto refused = client.post(kConverse, kConverseBody);
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(refused.headers.get("x-amzn-errortype").starts_with("ThrottlingException:"));
}

TEST(SimBedrock, AStreamThatNeverBeginsIsRefusedWithoutFrames) {
  for (const std::string& path :
       {std::string(kConverse) + "-stream", std::string(kInvoke) + "-with-response-stream"}) {
    SimTestClient client;
    const char* body = path.starts_with(kConverse) ? kConverseBody : kInvokeBody;
    client.simulator.add_rule(R"({"times":1,"fault":{"kind":"status","status":503}})");
    const auto refused = client.post(path, body);
    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.headers.get("x-amzn-errortype").starts_with("ServiceUnavailable"));
    EXPECT_TRUE(refused.body.starts_with(R"({"message":)")) << refused.body;
    // Whole frames, and no end.
    client.simulator.add_rule(R"({"times":1,"fault":{"kind":"close","after_events":3}})");
    const auto cut = client.post(path, body);
    EXPECT_EQ(cut.status, 200);
    int events = 0;
    dialect::EventStreamReader reader;
    EXPECT_TRUE(reader.feed(cut.body, [&](const dialect::EventStreamMessage&) { ++events; }));
    EXPECT_EQ(events, 3);
    EXPECT_EQ(client.last().fault, "close");
  }
}

TEST(SimBedrock, RecordedChunksAreFramed) {
  SimTestClient client;
  client.simulator.add_rule(
      R"({"times":1,"raw":{"chunks":["{\"messageStart\":{\"role\":\"assistant\"}}","{\"contentBlockDelta\":{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}}","{\"messageStop\":{\"stopReason\":\"end_turn\"}}","{\"metadata\":{\"usage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}}}"]}})");
  const auto stream = client.post(std::string(kConverse) + "-stream", kConverseBody);
  bool ended = false;
  const dialect::Reply reply = read_frames(Dialect::bedrock_converse, stream.body, &ended);
  EXPECT_TRUE(ended);
  EXPECT_EQ(reply.candidates.at(0).parts.at(0).text, "Hi");
  EXPECT_EQ(reply.usage.output, 2);
}

TEST(SimBedrock, SignaturesAreVerified) {
  SimConfig config;
  config.aws = {.access_key_id = "AKIDSIM", .secret_access_key = Secret("secret-of-the-sim")};
  config.keys = {"bedrock-api-key"};
  SimTestClient client(config);
  const std::string_view body = kConverseBody;
  const auto ask = [&](const http::AwsCredentials& credentials, int64_t wall_ms) {
    http::HeaderMap headers;
    headers.set("content-type", "application/json");
    EXPECT_TRUE(http::sign_v4({.method = "POST",
                               .host = "sim",
                               .target = kConverse,
                               .body = {&body, 1},
                               .region = "us-east-1",
                               .service = "bedrock",
                               .wall_ms = wall_ms},
                              credentials, headers));
    SimTestClient::Request request{.path = kConverse, .body = std::string(body)};
    for (size_t i = 0; i < headers.size(); ++i) {
      request.headers.emplace_back(headers[i].name, headers[i].value);
    }
    return client.ask(std::move(request));
  };
  const int64_t now = client.loop.clock().wall_ms();
  EXPECT_EQ(ask(config.aws, now).status, 200);
  const auto old = ask(config.aws, now - 10 * 60'000);
  EXPECT_EQ(old.status, 403);
  EXPECT_NE(old.body.find("Signature"), std::string::npos) << old.body;
  EXPECT_EQ(ask({.access_key_id = "AKIDSIM", .secret_access_key = Secret("wrong")}, now).status,
            403);
  EXPECT_EQ(client.post(kConverse, kConverseBody).status, 403);
  const auto bearer = client.ask({.path = kConverse,
                                  .body = kConverseBody,
                                  .headers = {{"authorization", "Bearer bedrock-api-key"}}});
  EXPECT_EQ(bearer.status, 200) << bearer.body;
}

TEST(SimBedrock, TheFileNamesTheKey) {
  const auto file = parse_sim_file(
      R"({"aws":{"access_key_id":"A","secret_access_key":"s","region":"eu-west-1"}})", {});
  ASSERT_TRUE(file);
  EXPECT_EQ(file->config.aws.access_key_id, "A");
  EXPECT_EQ(file->config.aws_region, "eu-west-1");
  EXPECT_FALSE(parse_sim_file(R"({"aws":{}})", {}));
}

}  // namespace
}  // namespace weir::sim
