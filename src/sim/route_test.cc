#include "sim/route.h"

#include <gtest/gtest.h>

namespace weir::sim {
namespace {

using dialect::Dialect;

struct Case {
  std::string_view path;
  Endpoint endpoint;
  Dialect dialect;
  Flavor flavor = Flavor::plain;
  std::string_view model = "";
  bool stream = false;
};

TEST(Route, PathsOfEveryProvider) {
  constexpr std::string_view kVertex = "/v1/projects/p/locations/us/publishers/";
  const std::string gemini = std::string(kVertex) + "google/models/gemini-2.5-pro";
  const std::string claude = std::string(kVertex) + "anthropic/models/";
  const std::string claude_stream = claude + "claude-x:streamRawPredict";
  const std::string claude_count = claude + "count-tokens:rawPredict";
  const std::string gemini_stream = gemini + ":streamGenerateContent";
  const std::string gemini_predict = gemini + ":predict";
  for (const Case& c : {
           Case{"/v1/chat/completions", Endpoint::chat, Dialect::openai_chat},
           Case{"/chat/completions", Endpoint::chat, Dialect::openai_chat},
           Case{"/v1/completions", Endpoint::completions, Dialect::openai_completions},
           Case{"/v1/responses", Endpoint::responses, Dialect::openai_responses},
           Case{"/v1/embeddings", Endpoint::embeddings, Dialect::openai_embeddings},
           Case{"/v1/models", Endpoint::models, Dialect::passthrough},
           Case{"/v1/models/gpt-4o", Endpoint::models, Dialect::passthrough, Flavor::plain,
                "gpt-4o"},
           Case{"/v1/models/meta/llama", Endpoint::models, Dialect::passthrough, Flavor::plain,
                "meta/llama"},
           Case{"/v1/audio/speech", Endpoint::speech, Dialect::passthrough},
           Case{"/v1/audio/translations", Endpoint::transcriptions, Dialect::passthrough},
           Case{"/v1/images/generations", Endpoint::images, Dialect::passthrough},
           Case{"/v1/messages", Endpoint::messages, Dialect::anthropic_messages},
           Case{"/v1/messages/count_tokens", Endpoint::count_tokens, Dialect::anthropic_messages},
           Case{"/openai/deployments/my%20gpt/chat/completions", Endpoint::chat,
                Dialect::openai_chat, Flavor::azure, "my gpt"},
           Case{"/openai/v1/responses", Endpoint::responses, Dialect::openai_responses,
                Flavor::azure},
           Case{"/anthropic/v1/messages", Endpoint::messages, Dialect::anthropic_messages,
                Flavor::azure},
           Case{"/v1beta/models/gemini-x:generateContent", Endpoint::generate, Dialect::gemini,
                Flavor::plain, "gemini-x"},
           Case{"/v1beta/models/gemini-x:batchEmbedContents", Endpoint::batch_embed_contents,
                Dialect::gemini, Flavor::plain, "gemini-x"},
           Case{gemini_stream, Endpoint::generate, Dialect::gemini, Flavor::vertex,
                "gemini-2.5-pro", true},
           Case{gemini_predict, Endpoint::predict, Dialect::gemini, Flavor::vertex,
                "gemini-2.5-pro"},
           Case{claude_stream, Endpoint::messages, Dialect::anthropic_messages, Flavor::vertex,
                "claude-x", true},
           Case{claude_count, Endpoint::count_tokens, Dialect::anthropic_messages, Flavor::vertex},
           Case{"/v1/projects/p/locations/us/endpoints/openapi/chat/completions", Endpoint::chat,
                Dialect::openai_chat, Flavor::vertex},
           Case{"/tenant/oauth2/v2.0/token", Endpoint::entra_token, Dialect::passthrough},
           Case{"/token", Endpoint::google_token, Dialect::passthrough},
           Case{"/sim/v1/calls", Endpoint::control, Dialect::passthrough},
           Case{"/nothing/here", Endpoint::unknown, Dialect::passthrough},
           Case{"/", Endpoint::unknown, Dialect::passthrough},
       }) {
    const Route route = find_route(c.path, "");
    EXPECT_EQ(to_string(route.endpoint), to_string(c.endpoint)) << c.path;
    EXPECT_EQ(route.dialect, c.dialect) << c.path;
    EXPECT_EQ(route.flavor, c.flavor) << c.path;
    EXPECT_EQ(route.model, c.model) << c.path;
    EXPECT_EQ(route.stream, c.stream) << c.path;
  }
}

TEST(Route, ObjectsOfCollections) {
  const Route content = find_route("/v1/files/file-1/content", "");
  EXPECT_EQ(content.endpoint, Endpoint::files);
  EXPECT_EQ(content.id, "file-1");
  EXPECT_EQ(content.action, "content");
  const Route list = find_route("/v1/batches", "limit=3");
  EXPECT_EQ(list.endpoint, Endpoint::batches);
  EXPECT_EQ(list.id, "");
}

TEST(Route, Query) {
  EXPECT_TRUE(find_route("/v1beta/models/m:streamGenerateContent", "key=1&alt=sse").sse);
  EXPECT_FALSE(find_route("/v1beta/models/m:streamGenerateContent", "").sse);
  EXPECT_EQ(query_value("a=1&b=x%20y", "b"), "x y");
  EXPECT_EQ(query_value("a", "a"), "");
}

}  // namespace
}  // namespace weir::sim
