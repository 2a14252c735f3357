#include "dialect/rerank.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "dialect/recorded_replies.h"

namespace weir::dialect {
namespace {

constexpr std::string_view kArn = "arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0";

Result<RerankRequest> read(std::string_view body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  return read_rerank_request(document.root());
}

Result<RerankReply> read_answer(std::string_view body, size_t documents = 9) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  return read_rerank_reply(document.root(), documents);
}

TEST(Rerank, CoheresRequestToBothFormsOfBedrock) {
  const auto request = read(
      R"({"model":"m","query":"q\n","documents":["a",{"text":"b"},{"title":"t", "n":1.10}],"top_n":2,)"
      R"("return_documents":true,"max_tokens_per_doc":9,"rank_fields":null})");
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->return_documents);
  Dropped dropped;
  EXPECT_EQ(
      write_rerank_request(RerankApi::bedrock_agent, *request, {.model = std::string(kArn)},
                           dropped),
      R"({"queries":[{"type":"TEXT","textQuery":{"text":"q\n"}}],"sources":[)"
      R"({"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"a"}}},)"
      R"({"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"b"}}},)"
      R"({"type":"INLINE","inlineDocumentSource":{"type":"JSON","jsonDocument":{"title":"t","n":1.10}}}],)"
      R"("rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":)"
      R"({"numberOfResults":2,"modelConfiguration":{"modelArn":"arn:aws:bedrock:us-west-2::foundation-model/amazon.rerank-v1:0"}}}})");
  EXPECT_EQ(dropped, Dropped{"max_tokens_per_doc"});
  Dropped ignored;
  EXPECT_EQ(
      write_rerank_request(RerankApi::bedrock_invoke, *request, {}, ignored),
      R"({"api_version":2,"query":"q\n","documents":["a","b","{\"title\":\"t\",\"n\":1.10}"],)"
      R"("top_n":2})");
}

TEST(Rerank, AllDocumentsAreAskedForAndNoMore) {
  for (const auto& [top, expected] :
       {std::pair("", "2"), std::pair(R"(,"top_n":9)", "2"), std::pair(R"(,"top_n":1)", "1")}) {
    const auto request = read(std::string(R"({"query":"q","documents":["a","b"])") + top + "}");
    ASSERT_TRUE(request);
    Dropped dropped;
    const std::string body = write_rerank_request(RerankApi::bedrock_agent, *request, {}, dropped);
    EXPECT_NE(body.find(std::string(R"("numberOfResults":)") + expected), std::string::npos)
        << body;
  }
}

TEST(Rerank, RequestsThatAreRefused) {
  std::string many = R"({"query":"q","documents":["a")";
  for (size_t i = 0; i < RerankRequest::kDocumentsMax; ++i) many += R"(,"a")";
  const std::pair<std::string, const char*> cases[] = {
      {"{}", "query:"},
      {R"({"query":"","documents":["a"]})", "query:"},
      {R"({"query":["q"],"documents":["a"]})", "query:"},
      {R"({"query":"q"})", "documents:"},
      {R"({"query":"q","documents":[]})", "documents:"},
      {R"({"query":"q","documents":["a",7]})", "documents[1]:"},
      {R"({"query":"q","documents":["a"],"top_n":0})", "top_n:"},
      {R"({"query":"q","documents":["a"],"top_n":"3"})", "top_n:"},
      {R"({"query":"q","documents":["a"],"return_documents":1})", "return_documents:"},
      {many + "]}", "documents:"},
  };
  for (const auto& [body, path] : cases) {
    SCOPED_TRACE(body.substr(0, 80));
    const auto request = read(body);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code(), ErrorCode::invalid_argument);
    EXPECT_TRUE(request.error().message().starts_with(path)) << request.error().message();
  }
}

TEST(Rerank, AnswersOfBothForms) {
  for (
      const char* body :
      {R"({"results":[{"index":1,"relevanceScore":0.510},{"index":0,"relevanceScore":1e-3}]})",
       R"({"results":[{"index":1,"relevance_score":0.510},{"index":0,"relevance_score":1e-3}]})"}) {
    const auto reply = read_answer(body, 2);
    ASSERT_TRUE(reply);
    const auto request = read(R"({"query":"q","documents":["a",{"k":1}],"return_documents":true})");
    ASSERT_TRUE(request);
    EXPECT_EQ(
        write_rerank_reply(*reply, *request, {.model = "m", .request_id = "r"}),
        R"({"id":"r","model":"m","results":[{"index":1,"relevance_score":0.510,"document":{"k":1}},)"
        R"({"index":0,"relevance_score":1e-3,"document":{"text":"a"}}]})");
  }
  EXPECT_TRUE(read_answer(R"({"results":[],"nextToken":"t"})")->more);
}

TEST(Rerank, BrokenAnswers) {
  for (const char* body :
       {"{}", "[]", R"({"results":{}})", R"({"results":[{"relevanceScore":1}]})",
        R"({"results":[{"index":-1,"relevanceScore":1}]})",
        R"({"results":[{"index":9,"relevanceScore":1}]})",
        R"({"results":[{"index":0,"relevanceScore":"1"}]})", R"({"results":[{"index":0}]})"}) {
    SCOPED_TRACE(body);
    const auto reply = read_answer(body);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::protocol_error);
  }
}

TEST(Rerank, Recorded) {
  const std::filesystem::path path = std::filesystem::path(recorded::folder()) /
                                     "amazon-bedrock-reranking/amazon-bedrock-reranking.1.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no recorded replies at " << path;
  std::ostringstream body;
  body << std::ifstream(path).rdbuf();
  const auto reply = read_answer(body.str(), 6);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->results,
            (std::vector<RerankResult>{{0, "0.5110583305358887"}, {5, "0.30241215229034424"}}));
}

}  // namespace
}  // namespace weir::dialect
