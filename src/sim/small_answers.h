// The simulator's answers for everything that is no conversation: embeddings, the list of models,
// moderations, images, speech, transcriptions, reranking and token counts. Each takes the request's
// JSON and gives a body; vectors and scores follow from the text alone. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/usage.h"

namespace weir::sim {

struct SmallAnswer {
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> fields;  // of the head
  dialect::Usage usage;
};

// invalid_argument where the request is not what the API takes.
Result<SmallAnswer> answer_embeddings(json::Value root, std::string_view model);
Result<SmallAnswer> answer_embed_content(json::Value root);
Result<SmallAnswer> answer_batch_embed_contents(json::Value root);
Result<SmallAnswer> answer_predict(json::Value root);
Result<SmallAnswer> answer_moderation(json::Value root, std::string_view model);
Result<SmallAnswer> answer_images(json::Value root, int64_t now_s);
Result<SmallAnswer> answer_speech(json::Value root);
Result<SmallAnswer> answer_rerank(json::Value root, std::string_view model);

// Bedrock: what embeds by InvokeModel, and the reranking of its agents' runtime
// (bedrock_answers.cc).
bool is_bedrock_embedding(std::string_view model);
Result<SmallAnswer> answer_bedrock_embeddings(json::Value root, std::string_view model);
Result<SmallAnswer> answer_bedrock_rerank(json::Value root);
// The id of the model whose ARN the request names.
std::string bedrock_rerank_model(json::Value root);

struct RerankInput {
  std::string query;
  std::vector<std::string> documents;
  std::optional<int64_t> most;
};
struct Ranked {
  double score;
  int64_t index;
};
// Best first.
std::vector<Ranked> rank(const RerankInput& input);

// `form` is the multipart body.
SmallAnswer answer_transcription(std::string_view form);
// A field of a multipart form, e.g. ("model"); empty where there is none.
std::string form_field(std::string_view form, std::string_view name);
// The name that the form gives its file.
std::string form_file_name(std::string_view form);

enum class ModelListForm : uint8_t { openai, anthropic, gemini };
std::string write_model_list(const std::vector<std::string>& names, ModelListForm form);
std::string write_model(std::string_view name, ModelListForm form);

// A unit vector that stands for the text.
std::vector<double> embed(std::string_view text, size_t dimensions);

}  // namespace weir::sim
