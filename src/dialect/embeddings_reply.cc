#include <algorithm>
#include <bit>
#include <cstring>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "dialect/embeddings.h"
#include "dialect/embeddings_bedrock.h"
#include "dialect/gemini/words.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

tl::unexpected<Error> no_answer(std::string_view what) {
  return fail(ErrorCode::protocol_error, "the answer: " + std::string(what));
}

void append_float(std::string& bytes, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(bits >> shift));
}

// The numbers of a vector as base64 of 32-bit little-endian floats.
std::string base64_of_vector(std::string_view vector) {
  json::Document document;
  std::string bytes;
  if (document.parse(vector)) {
    for (const json::Value number : document.root().elements()) {
      append_float(bytes, static_cast<float>(number.as_double().value_or(0)));
    }
  }
  return base64_encode(bytes);
}

// Floats as the shortest decimals that a double needs: exact, if longer than a float's own.
std::optional<std::string> vector_of_base64(std::string_view text) {
  const std::optional<std::string> bytes = base64_decode(text);
  if (!bytes || bytes->size() % 4 != 0) return std::nullopt;
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (size_t at = 0; at < bytes->size(); at += 4) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      bits |= static_cast<uint32_t>(static_cast<unsigned char>((*bytes)[at + i])) << (8 * i);
    }
    w.number(static_cast<double>(std::bit_cast<float>(bits)));
  }
  w.end_array();
  return out;
}

// A vector, given as an array of numbers or (OpenAI) as base64.
std::optional<std::string> read_vector(json::Value value) {
  if (value.is_string()) return vector_of_base64(value.string_or(""));
  if (!value.is_array()) return std::nullopt;
  const auto numbers = value.elements();
  for (const json::Value number : numbers) {
    if (!number.is_number()) return std::nullopt;
  }
  return compact_json(value.raw());
}

Result<EmbeddingsReply> read_list(json::Value list, std::string_view name,
                                  json::Value (*vector_of)(json::Value)) {
  if (!list.is_array()) {
    return no_answer("expected an array \"" + std::string(name) + "\"");
  }
  EmbeddingsReply reply;
  for (const json::Value entry : list.elements()) {
    auto vector = read_vector(vector_of(entry));
    if (!vector) return no_answer("expected numbers in " + std::string(name));
    reply.vectors.push_back(std::move(*vector));
  }
  return reply;
}

// OpenAI's entries carry their index; servers that sort otherwise are put right.
Result<EmbeddingsReply> read_openai(json::Value root) {
  WEIR_TRY(EmbeddingsReply reply,
           read_list(root["data"], "data", [](json::Value entry) { return entry["embedding"]; }));
  std::vector<std::string> sorted(reply.vectors.size());
  std::vector<bool> taken(reply.vectors.size(), false);
  size_t at = 0;
  bool good = true;
  for (const json::Value entry : root["data"].elements()) {
    const int64_t index = entry["index"].as_int64().value_or(static_cast<int64_t>(at));
    const auto place = static_cast<size_t>(index);
    if (index < 0 || place >= sorted.size() || taken[place]) {
      good = false;
      break;
    }
    taken[place] = true;
    sorted[place] = reply.vectors[at++];
  }
  if (good) reply.vectors = std::move(sorted);
  reply.model = root["model"].string_or("");
  reply.usage = usage_of_openai_body(root);
  return reply;
}

Result<EmbeddingsReply> read_google(EmbeddingsApi api, json::Value root) {
  EmbeddingsReply reply;
  if (api == EmbeddingsApi::gemini_embed) {
    auto vector = read_vector(root["embedding"]["values"]);
    if (!vector) return no_answer("expected numbers in embedding.values");
    reply.vectors.push_back(std::move(*vector));
  } else if (api == EmbeddingsApi::gemini_batch) {
    WEIR_TRY(reply, read_list(root["embeddings"], "embeddings",
                              [](json::Value entry) { return entry["values"]; }));
  } else {
    WEIR_TRY(reply, read_list(root["predictions"], "predictions",
                              [](json::Value entry) { return entry["embeddings"]["values"]; }));
  }
  reply.usage = usage_of_gemini_body(root);
  return reply;
}

std::string write_openai(const EmbeddingsReply& reply, const Context& context, bool base64) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("object", "list").key("data").begin_array();
  for (size_t i = 0; i < reply.vectors.size(); ++i) {
    w.begin_object().member("object", "embedding").member("index", static_cast<int64_t>(i));
    w.key("embedding");
    if (base64) {
      w.string(base64_of_vector(reply.vectors[i]));
    } else {
      w.raw(reply.vectors[i]);
    }
    w.end_object();
  }
  w.end_array().member("model", context.model.empty() ? reply.model : context.model);
  w.key("usage").begin_object().member("prompt_tokens", reply.usage.total_input());
  w.member("total_tokens", reply.usage.total_input()).end_object().end_object();
  return out;
}

void write_values(json::Writer& w, std::string_view vector) {
  w.begin_object().member_raw("values", vector).end_object();
}

std::string write_google(EmbeddingsApi api, const EmbeddingsReply& reply) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  if (api == EmbeddingsApi::gemini_embed) {
    w.key("embedding");
    write_values(w, reply.vectors.empty() ? std::string_view("[]") : reply.vectors[0]);
  } else if (api == EmbeddingsApi::gemini_batch) {
    w.key("embeddings").begin_array();
    for (const std::string& vector : reply.vectors) write_values(w, vector);
    w.end_array();
  } else {
    w.key("predictions").begin_array();
    for (const std::string& vector : reply.vectors) {
      w.begin_object().key("embeddings");
      write_values(w, vector);
      w.end_object();
    }
    w.end_array();
  }
  if (reply.usage.reported) {
    w.key("usageMetadata").begin_object();
    w.member("promptTokenCount", reply.usage.total_input()).end_object();
  }
  w.end_object();
  return out;
}

}  // namespace

Result<EmbeddingsReply> read_embeddings_reply(EmbeddingsApi api, json::Value root) {
  switch (api) {
    case EmbeddingsApi::openai:
      return read_openai(root);
    case EmbeddingsApi::gemini_embed:
    case EmbeddingsApi::gemini_batch:
    case EmbeddingsApi::vertex_predict:
      return read_google(api, root);
    case EmbeddingsApi::bedrock_titan:
    case EmbeddingsApi::bedrock_nova:
    case EmbeddingsApi::bedrock_cohere:
      break;
  }
  return read_bedrock_embeddings(api, root);
}

std::string write_embeddings_reply(EmbeddingsApi api, const EmbeddingsReply& reply,
                                   const Context& context, bool base64) {
  return api == EmbeddingsApi::openai ? write_openai(reply, context, base64)
                                      : write_google(api, reply);
}

}  // namespace weir::dialect
