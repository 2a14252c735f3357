#include <fmt/format.h>

#include <algorithm>

#include "base/json/writer.h"
#include "dialect/embeddings.h"
#include "sim/small_answers.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

constexpr uint32_t kCohereTextsMax = 96;
constexpr uint32_t kSourcesMax = 1000;
constexpr int64_t kDimensionsMax = 4096;

tl::unexpected<Error> wrong(std::string_view message) {
  return fail(ErrorCode::invalid_argument, std::string(message));
}

SmallAnswer with_tokens(std::string body, int64_t tokens) {
  SmallAnswer answer;
  answer.body = std::move(body);
  answer.usage.input = tokens;
  answer.usage.reported = true;
  answer.fields.emplace_back("x-amzn-bedrock-input-token-count", std::to_string(tokens));
  return answer;
}

void write_vector(json::Writer& w, std::string_view text, json::Value dimensions,
                  int64_t standard) {
  const int64_t count =
      std::clamp<int64_t>(dimensions.as_int64().value_or(standard), 1, kDimensionsMax);
  std::string out = "[";
  for (const double number : embed(text, static_cast<size_t>(count))) {
    fmt::format_to(std::back_inserter(out), "{}{:.6f}", out.size() > 1 ? "," : "", number);
  }
  w.raw(out + "]");
}

// As Amazon's models do: a member that they do not know is refused.
bool only(json::Value root, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : root.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return false;
  }
  return true;
}

Result<SmallAnswer> answer_titan(json::Value root) {
  if (!only(root, {"inputText", "dimensions", "normalize", "embeddingTypes", "embeddingConfig"})) {
    return wrong("Malformed input request: extraneous key is not permitted");
  }
  if (!root["inputText"].is_string()) {
    return wrong("Malformed input request: #: required key [inputText] not found");
  }
  const std::string text = root["inputText"].string_or("");
  const int64_t tokens = count_tokens(text);
  std::string body;
  json::Writer w(body);
  w.begin_object().key("embedding");
  write_vector(w, text, root["dimensions"], 1024);
  w.member("inputTextTokenCount", tokens).end_object();
  return with_tokens(std::move(body), tokens);
}

Result<SmallAnswer> answer_nova(json::Value root) {
  const json::Value params = root["singleEmbeddingParams"];
  if (!root["taskType"].equals("SINGLE_EMBEDDING") || !params["embeddingPurpose"].is_string() ||
      !params["text"]["value"].is_string() || !params["text"]["truncationMode"].is_string()) {
    return wrong("Malformed input request: expected a SINGLE_EMBEDDING of a text");
  }
  const std::string text = params["text"]["value"].string_or("");
  std::string body;
  json::Writer w(body);
  w.begin_object().key("embeddings").begin_array().begin_object();
  w.member("embeddingType", "TEXT").key("embedding");
  write_vector(w, text, params["embeddingDimension"], 3072);
  w.end_object().end_array().end_object();
  return with_tokens(std::move(body), count_tokens(text));
}

Result<SmallAnswer> answer_cohere(json::Value root) {
  const json::Value texts = root["texts"];
  if (!texts.is_array() || texts.size() > kCohereTextsMax) {
    return wrong("Malformed input request: #/texts: expected an array of at most 96");
  }
  if (!root["input_type"].is_string()) {
    return wrong("Malformed input request: #: required key [input_type] not found");
  }
  const bool by_type = root["embedding_types"].is_array();
  int64_t tokens = 0;
  std::string body;
  json::Writer w(body);
  w.begin_object().member("id", fmt::format("sim{:016x}", hash_text(texts.raw())));
  w.member("response_type", by_type ? "embeddings_by_type" : "embeddings_floats");
  w.key("embeddings");
  if (by_type) w.begin_object().key("float");
  w.begin_array();
  for (const json::Value text : texts.elements()) {
    const std::string one = text.string_or("");
    tokens += count_tokens(one);
    write_vector(w, one, root["output_dimension"], 1024);
  }
  w.end_array();
  if (by_type) w.end_object();
  w.member_raw("texts", texts.raw()).end_object();
  return with_tokens(std::move(body), tokens);
}

}  // namespace

bool is_bedrock_embedding(std::string_view model) {
  return dialect::bedrock_embeddings_api(model).has_value();
}

Result<SmallAnswer> answer_bedrock_embeddings(json::Value root, std::string_view model) {
  switch (dialect::bedrock_embeddings_api(model).value_or(dialect::EmbeddingsApi::openai)) {
    case dialect::EmbeddingsApi::bedrock_titan:
      return answer_titan(root);
    case dialect::EmbeddingsApi::bedrock_nova:
      return answer_nova(root);
    case dialect::EmbeddingsApi::bedrock_cohere:
      return answer_cohere(root);
    default:
      return wrong("The provided model identifier is invalid.");
  }
}

std::string bedrock_rerank_model(json::Value root) {
  const json::Value config = root["rerankingConfiguration"]["bedrockRerankingConfiguration"];
  const std::string arn = config["modelConfiguration"]["modelArn"].string_or("");
  return arn.substr(arn.rfind('/') + 1);
}

Result<SmallAnswer> answer_bedrock_rerank(json::Value root) {
  const json::Value sources = root["sources"];
  const json::Value config = root["rerankingConfiguration"]["bedrockRerankingConfiguration"];
  const std::string arn = config["modelConfiguration"]["modelArn"].string_or("");
  if (root["queries"].size() != 1 || !sources.is_array() || sources.size() == 0 ||
      sources.size() > kSourcesMax || !arn.starts_with("arn:")) {
    return wrong("expected one query, 1 to 1000 sources and the ARN of a model");
  }
  RerankInput input;
  for (const json::Value query : root["queries"].elements()) {
    input.query = query["textQuery"]["text"].string_or("");
  }
  for (const json::Value source : sources.elements()) {
    const json::Value document = source["inlineDocumentSource"];
    const bool json = document["type"].equals("JSON");
    input.documents.push_back(json ? std::string(document["jsonDocument"].raw())
                                   : document["textDocument"]["text"].string_or(""));
  }
  input.most = config["numberOfResults"].as_int64();
  std::string body;
  json::Writer w(body);
  w.begin_object().key("results").begin_array();
  for (const Ranked& one : rank(input)) {
    w.begin_object().member("index", one.index).member("relevanceScore", one.score).end_object();
  }
  w.end_array().end_object();
  SmallAnswer answer;
  answer.body = std::move(body);
  return answer;
}

}  // namespace weir::sim
