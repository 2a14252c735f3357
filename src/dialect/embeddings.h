// Embeddings: OpenAI's /v1/embeddings, and Google's three ways to ask for the same: embedContent
// and batchEmbedContents of the Gemini API, and :predict of Vertex AI. Read and written both ways,
// so that clients of either can be served by providers of the other. The models at Amazon Bedrock
// are written to and their answers read. Pure; any thread.
//
// Vectors are kept as the JSON text of their numbers, so that no digit is lost where the client
// wants floats; base64 (32-bit little-endian floats) is made or read where one side has it.
// Inputs that are token ids belong to OpenAI's tokenizers and are refused with a clear message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/translate.h"

namespace weir::dialect {

enum class EmbeddingsApi : uint8_t {
  openai,
  gemini_embed,    // models/M:embedContent, one text
  gemini_batch,    // models/M:batchEmbedContents
  vertex_predict,  // publishers/google/models/M:predict
  bedrock_titan,   // InvokeModel; these three are spoken by providers alone
  bedrock_nova,
  bedrock_cohere,
};

// The form of a model at Bedrock, by its id; nullopt for one that makes no embeddings.
std::optional<EmbeddingsApi> bedrock_embeddings_api(std::string_view model);
// Texts in one call of that model, at most: a longer list takes several.
size_t embeddings_inputs_max(EmbeddingsApi api, std::string_view model);

struct EmbeddingsRequest {
  static constexpr size_t kInputsMax = 2048;  // OpenAI's own limit

  std::string model;
  std::vector<std::string> inputs;
  std::optional<int64_t> dimensions;
  bool base64 = false;    // encoding_format
  std::string task_type;  // Google: "RETRIEVAL_QUERY", ...
  std::string title;      // Google
  std::string user;
  Dropped dropped;  // what the reader could not keep

  bool operator==(const EmbeddingsRequest&) const = default;
};

struct EmbeddingsReply {
  std::string model;
  std::vector<std::string> vectors;  // "[0.1,-0.2]", in the order of the inputs
  Usage usage;

  bool operator==(const EmbeddingsReply&) const = default;
};

// invalid_argument names the field. context.model is used where the body names none.
Result<EmbeddingsRequest> read_embeddings_request(EmbeddingsApi api, json::Value root,
                                                  const Context& context);
// For context.model. invalid_argument for more inputs than embeddings_inputs_max().
Result<std::string> write_embeddings_request(EmbeddingsApi api, const EmbeddingsRequest& request,
                                             const Context& context, Dropped& dropped);
// protocol_error where the body is no such answer.
Result<EmbeddingsReply> read_embeddings_reply(EmbeddingsApi api, json::Value root);
// `base64` as the client asked (OpenAI only). Google's answers have no place for the model.
std::string write_embeddings_reply(EmbeddingsApi api, const EmbeddingsReply& reply,
                                   const Context& context, bool base64);

}  // namespace weir::dialect
