#include "dialect/embeddings_bedrock.h"

#include "base/json/writer.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

bool has(std::string_view model, std::string_view part) {
  return model.find(part) != std::string_view::npos;
}

std::string write_titan(const EmbeddingsRequest& request, std::string_view model,
                        Dropped& dropped) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("inputText", request.inputs[0]);
  if (request.dimensions && has(model, "image")) {
    w.key("embeddingConfig").begin_object();
    w.member("outputEmbeddingLength", *request.dimensions).end_object();
  } else if (request.dimensions && has(model, "text-v2")) {
    w.member("dimensions", *request.dimensions);
  } else if (request.dimensions) {
    note(dropped, "dimensions");
  }
  w.end_object();
  return out;
}

std::string write_nova(const EmbeddingsRequest& request) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("taskType", "SINGLE_EMBEDDING");
  w.key("singleEmbeddingParams").begin_object();
  const std::string& task = request.task_type;
  w.member("embeddingPurpose", task == "RETRIEVAL_QUERY"  ? "GENERIC_RETRIEVAL"
                               : task == "CLASSIFICATION" ? "CLASSIFICATION"
                               : task == "CLUSTERING"     ? "CLUSTERING"
                                                          : "GENERIC_INDEX");
  if (request.dimensions) w.member("embeddingDimension", *request.dimensions);
  w.key("text").begin_object().member("truncationMode", "END");
  w.member("value", request.inputs[0]).end_object().end_object().end_object();
  return out;
}

std::string write_cohere(const EmbeddingsRequest& request, std::string_view model,
                         Dropped& dropped) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("texts").begin_array();
  for (const std::string& input : request.inputs) w.string(input);
  w.end_array();
  const std::string& task = request.task_type;
  w.member("input_type", task == "RETRIEVAL_QUERY"  ? "search_query"
                         : task == "CLASSIFICATION" ? "classification"
                         : task == "CLUSTERING"     ? "clustering"
                                                    : "search_document");
  w.key("embedding_types").begin_array().string("float").end_array();
  if (request.dimensions && has(model, "v4")) {
    w.member("output_dimension", *request.dimensions);
  } else if (request.dimensions) {
    note(dropped, "dimensions");
  }
  w.end_object();
  return out;
}

// False where it is no array of numbers.
bool add_vector(json::Value value, EmbeddingsReply& reply) {
  if (!value.is_array()) return false;
  for (const json::Value number : value.elements()) {
    if (!number.is_number()) return false;
  }
  reply.vectors.push_back(compact_json(value.raw()));
  return true;
}

}  // namespace

std::optional<EmbeddingsApi> bedrock_embeddings_api(std::string_view model) {
  if (has(model, "titan-embed")) return EmbeddingsApi::bedrock_titan;
  if (has(model, "cohere.embed")) return EmbeddingsApi::bedrock_cohere;
  if (has(model, "nova") && has(model, "embeddings")) return EmbeddingsApi::bedrock_nova;
  return std::nullopt;
}

Result<std::string> write_bedrock_embeddings(EmbeddingsApi api, const EmbeddingsRequest& request,
                                             const Context& context, Dropped& dropped) {
  const std::string_view model = !context.base_model.empty() ? context.base_model : context.model;
  if (!request.title.empty()) note(dropped, "title");
  if (api == EmbeddingsApi::bedrock_cohere) return write_cohere(request, model, dropped);
  if (api == EmbeddingsApi::bedrock_nova) return write_nova(request);
  if (!request.task_type.empty()) note(dropped, "taskType");
  return write_titan(request, model, dropped);
}

Result<EmbeddingsReply> read_bedrock_embeddings(EmbeddingsApi api, json::Value root) {
  EmbeddingsReply reply;
  bool good = false;
  if (api == EmbeddingsApi::bedrock_titan) {
    good = add_vector(root["embedding"], reply);
    const auto tokens = root["inputTextTokenCount"].as_int64();
    reply.usage.reported = tokens && *tokens >= 0;
    reply.usage.input = reply.usage.reported ? *tokens : 0;
  } else {
    json::Value list = root["embeddings"];
    if (list.is_object()) list = list["float"];
    good = list.is_array() && list.size() > 0;
    for (const json::Value entry : list.elements()) {
      good = good && add_vector(entry.is_object() ? entry["embedding"] : entry, reply);
    }
  }
  if (!good) return fail(ErrorCode::protocol_error, "the answer: expected embeddings of numbers");
  return reply;
}

}  // namespace weir::dialect
