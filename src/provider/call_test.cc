// Each provider's address, authentication, headers and edits: what is written on the wire.
#include "provider/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::provider {
namespace {

using dialect::Dialect;
using testing::HasSubstr;

class CallTest : public testing::Test {
 protected:
  CallTest() {
    account_->state = std::make_shared<AccountState>();
    account_->api_key = Secret("secret-key");
    account_->auth = AuthKind::bearer;
    deployment_.account = account_;
  }
  std::string target(Operation operation, Dialect dialect = Dialect::openai_chat,
                     std::string_view rest = {}, std::string_view query = {}, bool stream = false,
                     bool sse = true) const {
    Call call;
    call.operation = operation;
    call.dialect = dialect;
    call.rest = rest;
    call.query = query;
    call.stream = stream;
    call.sse = sse;
    return provider_of(account_->kind).target(deployment_, call);
  }
  http::HeaderMap headers(const Call& call = {}) const {
    http::HeaderMap map;
    for (const auto& [name, value] : account_->headers) map.set(name, value);
    provider_of(account_->kind).headers(deployment_, call, map);
    EXPECT_TRUE(provider_of(account_->kind).authenticate(*account_, map));
    return map;
  }
  std::string edited(std::string_view body, const Call& call) const {
    json::Document document;
    EXPECT_TRUE(document.parse(body));
    BodyEdit edit(document.root());
    provider_of(account_->kind).edit(deployment_, call, edit);
    auto spliced = json::splice(body, edit.edits());
    return spliced;
  }

  std::shared_ptr<Account> account_ = std::make_shared<Account>();
  Deployment deployment_;
};

TEST_F(CallTest, OpenAi) {
  account_->kind = Kind::openai;
  account_->base_path = "/v1";
  account_->organization = "org-1";
  deployment_.model = "gpt-x";
  EXPECT_EQ(target(Operation::generate), "/v1/chat/completions");
  EXPECT_EQ(target(Operation::complete), "/v1/completions");
  EXPECT_EQ(target(Operation::embed), "/v1/embeddings");
  EXPECT_EQ(target(Operation::respond, Dialect::openai_responses, {}, "include=x"),
            "/v1/responses?include=x");
  EXPECT_EQ(target(Operation::passthrough, Dialect::passthrough, "/files/f1", "after=2"),
            "/v1/files/f1?after=2");
  EXPECT_EQ(headers().get("authorization"), "Bearer secret-key");
  EXPECT_EQ(headers().get("openai-organization"), "org-1");

  Call stream;
  stream.stream = true;
  EXPECT_EQ(edited(R"({"model":"m","n":1})", stream),
            R"({"model":"gpt-x","n":1,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(edited(R"({"model":"gpt-x","stream_options":{"include_usage":false,"x":1}})", stream),
            R"({"model":"gpt-x","stream_options":{"include_usage":true,"x":1}})");
  EXPECT_EQ(edited(R"({"model":"m","stream_options":null})", stream),
            R"({"model":"gpt-x","stream_options":{"include_usage":true}})");
  account_->stream_usage = false;
  EXPECT_EQ(edited(R"({"model":"m"})", stream), R"({"model":"gpt-x"})");
  account_->auth = AuthKind::none;
  EXPECT_FALSE(headers().find("authorization"));
}

TEST_F(CallTest, AzureInBothForms) {
  account_->kind = Kind::azure_openai;
  account_->auth = AuthKind::api_key_header;
  account_->api_version = "2024-10-21";
  deployment_.model = "gpt 4o/é";
  EXPECT_EQ(target(Operation::generate),
            "/openai/deployments/gpt%204o/%C3%A9/chat/completions?api-version=2024-10-21");
  deployment_.model = "d";
  EXPECT_EQ(target(Operation::respond, Dialect::openai_responses),
            "/openai/responses?api-version=2024-10-21");
  EXPECT_EQ(target(Operation::passthrough, Dialect::passthrough, "/files", "limit=1"),
            "/openai/files?api-version=2024-10-21&limit=1");
  EXPECT_EQ(target(Operation::passthrough, Dialect::passthrough, "/images/generations"),
            "/openai/deployments/d/images/generations?api-version=2024-10-21");
  EXPECT_EQ(headers().get("api-key"), "secret-key");
  EXPECT_FALSE(headers().find("authorization"));
  EXPECT_EQ(edited(R"({"x":1})", {}), R"({"x":1})") << "the path names the deployment";

  account_->api_version.clear();
  EXPECT_EQ(target(Operation::generate), "/openai/v1/chat/completions");
  EXPECT_EQ(edited(R"({"model":"m"})", {}), R"({"model":"d"})");

  deployment_.dialect = Dialect::anthropic_messages;
  EXPECT_EQ(target(Operation::generate, Dialect::anthropic_messages), "/anthropic/v1/messages");
  Call claude;
  claude.dialect = Dialect::anthropic_messages;
  EXPECT_EQ(headers(claude).get("x-api-key"), "secret-key");
}

TEST_F(CallTest, EntraTokensAreBearers) {
  account_->kind = Kind::azure_openai;
  account_->auth = AuthKind::access_token;
  http::HeaderMap map;
  const auto missing = provider_of(account_->kind).authenticate(*account_, map);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::unavailable);
  account_->state->token.publish(Secret("tok"), 0);
  EXPECT_EQ(headers().get("authorization"), "Bearer tok");
  EXPECT_FALSE(headers().find("api-key"));
}

TEST_F(CallTest, Anthropic) {
  account_->kind = Kind::anthropic;
  account_->auth = AuthKind::api_key_header;
  account_->base_path = "/v1";
  deployment_.model = "claude-x";
  EXPECT_EQ(target(Operation::generate, Dialect::anthropic_messages, {}, "beta=true"),
            "/v1/messages?beta=true");
  EXPECT_EQ(target(Operation::count_tokens, Dialect::anthropic_messages),
            "/v1/messages/count_tokens");
  EXPECT_EQ(headers().get("x-api-key"), "secret-key");
  EXPECT_EQ(headers().get("anthropic-version"), "2023-06-01");
  EXPECT_EQ(edited(R"({"model":"m"})", {}), R"({"model":"claude-x"})");
}

TEST_F(CallTest, AnthropicVersionIsTheClientsElseTheAccounts) {
  account_->kind = Kind::anthropic;
  account_->api_version = "2025-01-01";
  EXPECT_EQ(headers().get("anthropic-version"), "2025-01-01");
  http::HeaderList client;
  client.add("anthropic-version", "2024-01-01");
  Call call;
  call.client_headers = &client;
  EXPECT_EQ(headers(call).get("anthropic-version"), "2024-01-01");
}

TEST_F(CallTest, BetasOfClientAndAccountAreUnited) {
  account_->kind = Kind::anthropic;
  account_->headers = {{"anthropic-beta", "context-1m"}};
  http::HeaderList client;
  client.add("anthropic-beta", "a, b");
  client.add("Anthropic-Beta", "b,context-1m,c");
  client.add("anthropic-version", "2024-01-01");
  Call call;
  call.client_headers = &client;
  EXPECT_EQ(headers(call).get("anthropic-beta"), "context-1m,a,b,c");
  EXPECT_EQ(headers(call).get("anthropic-version"), "2024-01-01");
  // Translated: the client's flags are about another dialect.
  EXPECT_EQ(headers().get("anthropic-beta"), "context-1m");
}

TEST_F(CallTest, Gemini) {
  account_->kind = Kind::gemini;
  account_->auth = AuthKind::api_key_header;
  account_->base_path = "/v1beta";
  struct Case {
    const char* model;
    const char* path;
  };
  for (const auto& [model, path] : {Case{"gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro"},
                                    Case{"models/gemini-x", "/v1beta/models/gemini-x"},
                                    Case{"tunedModels/mine", "/v1beta/tunedModels/mine"},
                                    Case{"a?b c%", "/v1beta/models/a%3Fb%20c%25"}}) {
    deployment_.model = model;
    EXPECT_EQ(target(Operation::generate, Dialect::gemini), std::string(path) + ":generateContent");
  }
  deployment_.model = "g";
  EXPECT_EQ(target(Operation::generate, Dialect::gemini, {}, {}, true),
            "/v1beta/models/g:streamGenerateContent?alt=sse");
  EXPECT_EQ(target(Operation::generate, Dialect::gemini, {}, {}, true, false),
            "/v1beta/models/g:streamGenerateContent");
  EXPECT_EQ(target(Operation::count_tokens, Dialect::gemini), "/v1beta/models/g:countTokens");
  EXPECT_EQ(headers().get("x-goog-api-key"), "secret-key");
  Call embed;
  embed.operation = Operation::embed;
  EXPECT_EQ(edited(R"({"requests":[{"model":"models/m","content":{}},{"content":{}}]})", embed),
            R"({"requests":[{"model":"models/g","content":{}},{"content":{}}]})");
}

TEST_F(CallTest, VertexAi) {
  account_->kind = Kind::vertex_ai;
  account_->project = "p";
  account_->location = "us-east5";
  const std::string place = "/v1/projects/p/locations/us-east5/";
  deployment_.model = "gemini-2.5-pro";
  EXPECT_EQ(target(Operation::generate, Dialect::gemini, {}, {}, true),
            place + "publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
  EXPECT_EQ(target(Operation::embed, Dialect::gemini),
            place + "publishers/google/models/gemini-2.5-pro:predict");
  deployment_.model = "endpoints/123";
  EXPECT_EQ(target(Operation::generate, Dialect::gemini), place + "endpoints/123:generateContent");
  deployment_.model = "claude-sonnet-4-5@20250929";
  EXPECT_EQ(target(Operation::generate, Dialect::anthropic_messages),
            place + "publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict");
  EXPECT_EQ(target(Operation::count_tokens, Dialect::anthropic_messages),
            place + "publishers/anthropic/models/count-tokens:rawPredict");
  Call call;
  call.dialect = Dialect::anthropic_messages;
  EXPECT_EQ(edited(R"({"model":"m","max_tokens":1})", call),
            R"({"max_tokens":1,"anthropic_version":"vertex-2023-10-16"})");
  EXPECT_FALSE(headers(call).find("anthropic-version")) << "it stands in the body";
}

TEST_F(CallTest, WhatAProviderCannotServeIsNotPlanned) {
  struct Case {
    Kind kind;
    Operation operation;
    Dialect client;
    bool served;
  };
  const Case cases[] = {
      {Kind::anthropic, Operation::embed, Dialect::openai_embeddings, false},
      {Kind::anthropic, Operation::respond, Dialect::openai_responses, false},
      {Kind::anthropic, Operation::generate, Dialect::openai_chat, true},
      {Kind::anthropic, Operation::count_tokens, Dialect::anthropic_messages, true},
      {Kind::anthropic, Operation::count_tokens, Dialect::gemini, true},
      {Kind::anthropic, Operation::passthrough, Dialect::passthrough, false},
      {Kind::openai, Operation::count_tokens, Dialect::anthropic_messages, true},
      {Kind::openai_compatible, Operation::count_tokens, Dialect::anthropic_messages, false},
      {Kind::openai, Operation::passthrough, Dialect::passthrough, true},
      {Kind::gemini, Operation::embed, Dialect::openai_embeddings, true},
      {Kind::gemini, Operation::complete, Dialect::openai_completions, false},
      {Kind::vertex_ai, Operation::passthrough, Dialect::passthrough, false},
      {Kind::bedrock, Operation::embed, Dialect::openai_embeddings, false},
      {Kind::bedrock, Operation::rerank, Dialect::passthrough, false},
      {Kind::openai_compatible, Operation::rerank, Dialect::passthrough, true},
      {Kind::gemini, Operation::rerank, Dialect::passthrough, false},
  };
  for (const Case& c : cases) {
    account_->kind = c.kind;
    EXPECT_EQ(provider_of(c.kind).dialect(deployment_, c.operation, c.client).has_value(), c.served)
        << to_string(c.kind) << " " << to_string(c.operation);
  }
}

TEST_F(CallTest, BedrocksRerankingHasAHostAndNamesOfItsOwn) {
  const struct {
    const char* host;
    const char* region;
    const char* model;
    const char* called;
    const char* arn;
  } table[] = {
      {"bedrock-runtime.us-east-1.amazonaws.com", "us-east-1", "cohere.rerank-v3-5:0",
       "bedrock-agent-runtime.us-east-1.amazonaws.com",
       "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"},
      {"bedrock-runtime.us-gov-west-1.amazonaws.com", "us-gov-west-1", "amazon.rerank-v1:0",
       "bedrock-agent-runtime.us-gov-west-1.amazonaws.com",
       "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.rerank-v1:0"},
      {"vpce-1.example", "eu-central-1", "arn:aws:bedrock:eu-central-1:1:x/rerank",
       "vpce-1.example", "arn:aws:bedrock:eu-central-1:1:x/rerank"},
  };
  account_->kind = Kind::bedrock;
  account_->auth = AuthKind::aws_signature;
  account_->base_path = "";
  Call call;
  call.operation = Operation::rerank;
  call.dialect = Dialect::bedrock_converse;
  for (const auto& row : table) {
    account_->origin = {.host = row.host, .port = 443, .tls = true};
    account_->location = row.region;
    deployment_.model = row.model;
    EXPECT_EQ(kBedrock.origin(deployment_, call).host, row.called);
    EXPECT_EQ(bedrock_model_arn(deployment_), row.arn);
    EXPECT_EQ(kBedrock.target(deployment_, call), "/rerank");
    EXPECT_TRUE(kBedrock.dialect(deployment_, Operation::rerank, Dialect::passthrough));
    Call other;
    EXPECT_EQ(kBedrock.origin(deployment_, other).host, row.host);
  }
}

}  // namespace
}  // namespace weir::provider
