// Route: what a request's path asks of the simulator, over the paths of every provider it plays:
// OpenAI and compatible servers, Azure (classic deployments and /openai/v1), Anthropic, Gemini,
// Vertex AI, Bedrock, the two token endpoints, and the simulator's own control paths. Only the end
// of a path decides, so any base URL works ("/v1", "/api/paas/v4", none). Pure functions; any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialect/conversation.h"

namespace weir::sim {

enum class Endpoint : uint8_t {
  unknown,
  chat,
  completions,
  responses,
  embeddings,
  models,  // a list, or one where the route has a model
  moderations,
  images,
  speech,
  transcriptions,
  files,
  batches,
  rerank,
  messages,
  count_tokens,  // Anthropic's and, at Vertex, count-tokens:rawPredict
  generate,      // Gemini's generateContent and streamGenerateContent
  converse,      // Bedrock's converse and converse-stream
  gemini_count_tokens,
  embed_content,
  batch_embed_contents,
  bedrock_embeddings,  // InvokeModel of a model that embeds
  predict,             // Vertex AI's older embeddings
  entra_token,         // Microsoft's OAuth endpoint
  google_token,        // Google's
  control,             // /sim/v1/...
};
std::string_view to_string(Endpoint endpoint);

enum class Flavor : uint8_t { plain, azure, vertex, bedrock };

struct Route {
  Endpoint endpoint = Endpoint::unknown;
  Flavor flavor = Flavor::plain;
  dialect::Dialect dialect = dialect::Dialect::passthrough;
  std::string
      model;       // where the path names it (Azure deployment, Gemini, Vertex, Bedrock), decoded
  std::string id;  // files, batches, responses: the object's id; control: what is behind /v1/
  std::string action;   // "content", "cancel", "input_items": what is behind the id
  bool stream = false;  // the path asks for a stream (Gemini, Vertex, Bedrock)
  bool sse = false;     // Gemini: alt=sse; else a stream is one JSON array
};

// `path` begins with '/', without the query.
Route find_route(std::string_view path, std::string_view query);

// The value of a query parameter, decoded; empty where there is none.
std::string query_value(std::string_view query, std::string_view name);

}  // namespace weir::sim
