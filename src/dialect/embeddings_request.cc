#include <algorithm>
#include <array>

#include "base/json/writer.h"
#include "dialect/embeddings.h"
#include "dialect/embeddings_bedrock.h"
#include "dialect/gemini/words.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

using Names = std::initializer_list<std::string_view>;

void note_unknown(json::Value object, Names known, std::string_view path, Dropped& dropped) {
  for (const auto& [key, value] : object.members()) {
    if (value.is_null() || std::find(known.begin(), known.end(), key) != known.end()) continue;
    note(dropped, at_member(path, key));
  }
}

class Reader {
 public:
  Reader(json::Value root, const Context& context) : root_(root) { out_.model = context.model; }

  Result<EmbeddingsRequest> read(EmbeddingsApi api) {
    if (!root_.is_object()) {
      return fail(ErrorCode::invalid_argument, "the body: expected a JSON object");
    }
    switch (api) {
      case EmbeddingsApi::openai:
        read_openai();
        break;
      case EmbeddingsApi::gemini_embed:
        read_gemini(root_, {});
        break;
      case EmbeddingsApi::gemini_batch:
        read_batch();
        break;
      case EmbeddingsApi::vertex_predict:
        read_predict();
        break;
      case EmbeddingsApi::bedrock_titan:
      case EmbeddingsApi::bedrock_nova:
      case EmbeddingsApi::bedrock_cohere:
        return fail(ErrorCode::internal, "no client speaks Amazon's forms of embeddings");
    }
    if (out_.inputs.size() > EmbeddingsRequest::kInputsMax) {
      fields_.fail("input", "expected at most 2048 texts");
    }
    if (!fields_.ok()) return fail(fields_.error());
    return std::move(out_);
  }

 private:
  void read_openai() {
    if (std::string model = fields_.string(root_, "model"); !model.empty()) {
      out_.model = std::move(model);
    }
    const json::Value input = root_["input"];
    if (input.is_string()) {
      out_.inputs.push_back(input.string_or(""));
    } else if (!input.is_array() || input.size() == 0) {
      fields_.wrong("input", "a text or an array of texts", input);
    }
    size_t index = 0;
    for (const json::Value text : input.elements()) {
      if (!text.is_string()) {
        const bool tokens = text.is_number() || text.is_array();
        fields_.wrong(at_index("input", index),
                      tokens ? "a text (token ids are of OpenAI's models alone)" : "a text", text);
        return;
      }
      out_.inputs.push_back(text.string_or(""));
      ++index;
    }
    const std::string format = fields_.string(root_, "encoding_format");
    if (!format.empty() && format != "float" && format != "base64") {
      fields_.fail("encoding_format", "expected float or base64, got \"" + format + "\"");
    }
    out_.base64 = format == "base64";
    out_.dimensions = fields_.integer(root_, "dimensions");
    out_.user = fields_.string(root_, "user");
    note_unknown(root_, {"model", "input", "encoding_format", "dimensions", "user"}, {},
                 out_.dropped);
  }

  void read_gemini(json::Value request, const std::string& path) {
    const json::Value parts = request["content"]["parts"];
    std::string text;
    for (const json::Value part : parts.elements()) text += part["text"].string_or("");
    if (parts.is_object()) text = parts["text"].string_or("");
    if (!parts.is_array() && !parts.is_object()) {
      fields_.wrong(at_member(path, "content.parts"), "an array of parts", parts);
    }
    out_.inputs.push_back(std::move(text));
    const json::Value type = gemini_field(request, "taskType", "task_type");
    if (type.is_string()) out_.task_type = type.string_or("");
    if (request["title"].is_string()) out_.title = request["title"].string_or("");
    const json::Value size = gemini_field(request, "outputDimensionality", "output_dimensionality");
    if (size.is_number()) out_.dimensions = size.as_int64();
    note_unknown(request,
                 {"model", "content", "taskType", "task_type", "title", "outputDimensionality",
                  "output_dimensionality"},
                 path, out_.dropped);
  }

  void read_batch() {
    const json::Value requests = root_["requests"];
    if (!requests.is_array() || requests.size() == 0) {
      fields_.wrong("requests", "an array of requests", requests);
    }
    size_t index = 0;
    for (const json::Value request : requests.elements()) {
      read_gemini(request, at_index("requests", index++));
    }
  }

  void read_predict() {
    const json::Value instances = root_["instances"];
    if (!instances.is_array() || instances.size() == 0) {
      fields_.wrong("instances", "an array of instances", instances);
    }
    size_t index = 0;
    for (const json::Value instance : instances.elements()) {
      const std::string path = at_index("instances", index++);
      out_.inputs.push_back(fields_.string(instance, "content", path));
      if (const std::string type = fields_.string(instance, "task_type", path); !type.empty()) {
        out_.task_type = type;
      }
      if (const std::string title = fields_.string(instance, "title", path); !title.empty()) {
        out_.title = title;
      }
    }
    const json::Value parameters = root_["parameters"];
    out_.dimensions =
        gemini_field(parameters, "outputDimensionality", "output_dimensionality").as_int64();
    note_unknown(parameters, {"outputDimensionality", "output_dimensionality", "autoTruncate"},
                 "parameters", out_.dropped);
  }

  const json::Value root_;
  EmbeddingsRequest out_;
  FieldReader fields_;
};

std::string write_openai(const EmbeddingsRequest& request, const Context& context,
                         Dropped& dropped) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("model", context.model.empty() ? request.model : context.model);
  w.key("input").begin_array();
  for (const std::string& input : request.inputs) w.string(input);
  w.end_array();
  if (request.dimensions) w.member("dimensions", *request.dimensions);
  if (request.base64) w.member("encoding_format", "base64");
  if (!request.user.empty()) w.member("user", request.user);
  w.end_object();
  if (!request.task_type.empty()) note(dropped, "taskType");
  if (!request.title.empty()) note(dropped, "title");
  return out;
}

void write_gemini(json::Writer& w, const EmbeddingsRequest& request, const std::string& input,
                  std::string_view model) {
  w.begin_object();
  // Each request of a batch repeats the model of the address.
  if (!model.empty()) w.member("model", "models/" + std::string(model));
  w.key("content").begin_object().key("parts").begin_array();
  w.begin_object().member("text", input).end_object().end_array().end_object();
  if (!request.task_type.empty()) w.member("taskType", request.task_type);
  if (!request.title.empty()) w.member("title", request.title);
  if (request.dimensions) w.member("outputDimensionality", *request.dimensions);
  w.end_object();
}

std::string write_batch(const EmbeddingsRequest& request, const Context& context) {
  std::string_view model = context.model.empty() ? request.model : context.model;
  if (model.starts_with("models/")) model.remove_prefix(7);
  std::string out;
  json::Writer w(out);
  w.begin_object().key("requests").begin_array();
  for (const std::string& input : request.inputs) write_gemini(w, request, input, model);
  w.end_array().end_object();
  return out;
}

std::string write_predict(const EmbeddingsRequest& request) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("instances").begin_array();
  for (const std::string& input : request.inputs) {
    w.begin_object().member("content", input);
    if (!request.task_type.empty()) w.member("task_type", request.task_type);
    if (!request.title.empty()) w.member("title", request.title);
    w.end_object();
  }
  w.end_array();
  if (request.dimensions) {
    w.key("parameters").begin_object();
    w.member("outputDimensionality", *request.dimensions).end_object();
  }
  w.end_object();
  return out;
}

}  // namespace

size_t embeddings_inputs_max(EmbeddingsApi api, std::string_view model) {
  switch (api) {
    case EmbeddingsApi::openai:
      break;
    case EmbeddingsApi::gemini_embed:
    case EmbeddingsApi::bedrock_titan:
    case EmbeddingsApi::bedrock_nova:
      return 1;
    case EmbeddingsApi::gemini_batch:
      return 100;
    case EmbeddingsApi::vertex_predict:
      return model.find("gemini-embedding") != std::string_view::npos ? 1 : 250;
    case EmbeddingsApi::bedrock_cohere:
      return 96;
  }
  return EmbeddingsRequest::kInputsMax;
}

Result<EmbeddingsRequest> read_embeddings_request(EmbeddingsApi api, json::Value root,
                                                  const Context& context) {
  return Reader(root, context).read(api);
}

Result<std::string> write_embeddings_request(EmbeddingsApi api, const EmbeddingsRequest& request,
                                             const Context& context, Dropped& dropped) {
  for (const std::string& path : request.dropped) note(dropped, path);
  if (request.inputs.empty()) {
    return fail(ErrorCode::invalid_argument, "input: expected at least one text");
  }
  const std::string_view model = !context.base_model.empty() ? context.base_model : context.model;
  if (const size_t most = embeddings_inputs_max(api, model); request.inputs.size() > most) {
    return fail(ErrorCode::invalid_argument,
                "input: expected at most " + std::to_string(most) + " texts");
  }
  if (api == EmbeddingsApi::openai) return write_openai(request, context, dropped);
  if (!request.user.empty()) note(dropped, "user");
  if (api == EmbeddingsApi::gemini_batch) return write_batch(request, context);
  if (api == EmbeddingsApi::vertex_predict) return write_predict(request);
  if (api != EmbeddingsApi::gemini_embed) {
    return write_bedrock_embeddings(api, request, context, dropped);
  }
  std::string out;
  json::Writer w(out);
  write_gemini(w, request, request.inputs[0], {});
  return out;
}

}  // namespace weir::dialect
