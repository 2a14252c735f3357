#include "dialect/usage_json.h"

#include <gtest/gtest.h>

#include "dialect/relay/meter.h"

namespace weir::dialect {
namespace {

TEST(ReadUsage, Bodies) {
  struct Case {
    const char* what;
    Dialect dialect;
    const char* body;
    Usage usage;
  };
  const Case cases[] = {
      {"none", Dialect::openai_chat, R"({"choices":[]})", {}},
      {"no JSON", Dialect::openai_chat, "<html>", {}},
      {"ill-typed",
       Dialect::openai_chat,
       R"({"usage":{"prompt_tokens":"9","completion_tokens":-4,"total_tokens":1e300}})",
       {}},
      {"cached more than there is",
       Dialect::openai_chat,
       R"({"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":9}}})",
       {.cache_read = 5, .reported = true}},
      {"audio",
       Dialect::openai_chat,
       R"({"service_tier":"default","usage":{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":30,"cached_tokens":20},"completion_tokens_details":{"audio_tokens":40,"reasoning_tokens":0}}})",
       {.input = 50,
        .cache_read = 20,
        .input_audio = 30,
        .output = 10,
        .output_audio = 40,
        .service_tier = "default",
        .reported = true}},
      {"embeddings",
       Dialect::openai_embeddings,
       R"({"object":"list","data":[{"embedding":[0.1,0.2]}],"model":"m","usage":{"prompt_tokens":12,"total_tokens":12}})",
       {.input = 12, .reported = true}},
      {"embeddings, usage first",
       Dialect::openai_embeddings,
       R"({"usage":{"total_tokens":7},"data":[]})",
       {.input = 7, .reported = true}},
      {"embeddings, nested usage",
       Dialect::openai_embeddings,
       R"({"data":[],"usage":{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}})",
       {.input = 5, .cache_read = 2, .reported = true}},
      {"Alibaba's explicit cache",
       Dialect::openai_chat,
       R"({"usage":{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2,"cache_creation_input_tokens":3}}})",
       {.input = 5, .cache_read = 2, .cache_write_5m = 3, .output = 1, .reported = true}},
      {"Anthropic without a split",
       Dialect::anthropic_messages,
       R"({"usage":{"input_tokens":1,"cache_creation_input_tokens":50,"output_tokens":2}})",
       {.input = 1, .cache_write_5m = 50, .output = 2, .reported = true}},
      {"Gemini image",
       Dialect::gemini,
       R"({"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1300,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":4}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}})",
       {.input = 6, .input_audio = 4, .output = 10, .output_image = 1290, .reported = true}},
      {"Vertex predictions",
       Dialect::gemini,
       R"({"predictions":[{"embeddings":{"statistics":{"token_count":4}}},{"embeddings":{"statistics":{"token_count":5}}}]})",
       {.input = 9, .reported = true}},
      {"responses",
       Dialect::openai_responses,
       R"({"object":"response","usage":{"input_tokens":11,"output_tokens":12,"total_tokens":23}})",
       {.input = 11, .output = 12, .reported = true}},
      {"passthrough", Dialect::passthrough, R"({"usage":{"prompt_tokens":1}})", {}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    EXPECT_EQ(read_usage(expected.dialect, expected.body), expected.usage);
  }
}

Usage usage_of(const char* text, Usage (*read)(json::Value)) {
  json::Document document;
  EXPECT_TRUE(document.parse(text)) << text;
  return read(document.root());
}

TEST(UsageJson, ReasoningInsideOrOnTopOfTheOutput) {
  struct Case {
    const char* what;
    const char* json;
    int64_t output;
    int64_t reasoning;
  };
  const Case cases[] = {
      {"OpenAI: inside",
       R"({"prompt_tokens":10,"completion_tokens":50,"total_tokens":60,"completion_tokens_details":{"reasoning_tokens":40}})",
       50, 40},
      {"xAI: on top, as the total says",
       R"({"prompt_tokens":10,"completion_tokens":50,"total_tokens":100,"completion_tokens_details":{"reasoning_tokens":40}})",
       90, 40},
      {"more reasoning than output can only be on top",
       R"({"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":40}})",
       45, 40},
      {"beside the counts",
       R"({"prompt_tokens":1,"completion_tokens":9,"total_tokens":10,"reasoning_tokens":4})", 9, 4},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    const Usage usage = usage_of(expected.json, usage_of_openai);
    EXPECT_EQ(usage.output, expected.output);
    EXPECT_EQ(usage.reasoning, expected.reasoning);
    EXPECT_EQ(usage.total_output(), expected.output);  // shown, never added
  }
}

TEST(UsageJson, AnthropicPiecesMergePerField) {
  struct Case {
    const char* what;
    const char* start;
    const char* delta;
    Usage usage;
  };
  const Case cases[] = {
      {"input only in message_delta (compatible servers)",
       R"({"input_tokens":0,"output_tokens":0})",
       R"({"input_tokens":30,"cache_read_input_tokens":5,"output_tokens":7})",
       {.input = 30, .cache_read = 5, .output = 7, .reported = true}},
      {"input only in message_start",
       R"({"input_tokens":30,"output_tokens":1})",
       R"({"output_tokens":7})",
       {.input = 30, .output = 7, .reported = true}},
      {"cumulative, never added",
       R"({"input_tokens":30,"output_tokens":1})",
       R"({"input_tokens":30,"output_tokens":7})",
       {.input = 30, .output = 7, .reported = true}},
      {"the one-hour split outlives a total",
       R"({"cache_creation_input_tokens":10,"cache_creation":{"ephemeral_1h_input_tokens":10,"ephemeral_5m_input_tokens":0}})",
       R"({"cache_creation_input_tokens":12,"output_tokens":1})",
       {.cache_write_5m = 2, .cache_write_1h = 10, .output = 1, .reported = true}},
  };
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.what);
    Usage usage;
    for (const char* piece : {expected.start, expected.delta}) {
      json::Document document;
      ASSERT_TRUE(document.parse(piece));
      merge_usage_of_anthropic(usage, document.root());
    }
    EXPECT_EQ(usage, expected.usage);
  }
}

TEST(UsageJson, ReplacingGoesBySides) {
  Usage known{.input = 10, .cache_read = 5, .output = 3, .reported = true};
  replace_usage(known, Usage{});
  EXPECT_EQ(known.input, 10);
  // The cache share vanished and the prompt is whole again: nothing of the old side may stay.
  replace_usage(known, Usage{.input = 15, .output = 4, .reported = true});
  EXPECT_EQ(known, (Usage{.input = 15, .output = 4, .reported = true}));
  replace_usage(known, Usage{.output = 6, .tool_calls = 1, .reported = true});
  EXPECT_EQ(known, (Usage{.input = 15, .output = 6, .tool_calls = 1, .reported = true}));
}

TEST(UsageJson, ServiceTiers) {
  EXPECT_EQ(canonical_service_tier("standard"), "default");
  EXPECT_EQ(canonical_service_tier("ON_DEMAND"), "default");
  EXPECT_EQ(canonical_service_tier("ON_DEMAND_FLEX"), "flex");
  EXPECT_EQ(canonical_service_tier("PROVISIONED_THROUGHPUT"), "provisioned");
  EXPECT_EQ(canonical_service_tier("Priority"), "priority");
  // Vertex tells its traffic type in every chunk, long before it tells a number.
  EXPECT_FALSE(usage_of(R"({"trafficType":"ON_DEMAND"})", usage_of_gemini).reported);
}

TEST(EstimateTokens, CountsTextAndImages) {
  EXPECT_EQ(estimate_tokens(""), 0);
  EXPECT_EQ(estimate_tokens("   "), 0);
  EXPECT_EQ(estimate_tokens("12345678"), 2);
  EXPECT_EQ(estimate_tokens("123456789"), 3);
  // "messages" + "role" + "user" + "content" + 40 characters = 63 bytes.
  const std::string body =
      R"({"messages":[{"role":"user","content":")" + std::string(40, 'x') + "\"}],\"n\":12345}";
  EXPECT_EQ(estimate_tokens(body), (8 + 4 + 4 + 7 + 40 + 1 + 3) / 4);
  const std::string image =
      R"({"image_url":{"url":"data:image/png;base64,)" + std::string(100'000, 'A') + "\"}}";
  EXPECT_LT(estimate_tokens(image), 1100);
  EXPECT_GT(estimate_tokens(image), 900);
  EXPECT_GT(estimate_tokens("{\"torn\":\"" + std::string(400, ' ')), 100);
}

}  // namespace
}  // namespace weir::dialect
