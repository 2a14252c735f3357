#include "dialect/rerank.h"

#include <algorithm>

#include "base/json/writer.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

bool holds_more_than_text(json::Value object) {
  for (const auto& [key, value] : object.members()) {
    if (key != "text") return true;
  }
  return !object["text"].is_string();
}

void write_agent_source(json::Writer& w, const RerankDocument& document) {
  w.begin_object().member("type", "INLINE").key("inlineDocumentSource").begin_object();
  if (document.json.empty()) {
    w.member("type", "TEXT").key("textDocument").begin_object();
    w.member("text", document.text).end_object();
  } else {
    w.member("type", "JSON").member_raw("jsonDocument", document.json);
  }
  w.end_object().end_object();
}

std::string write_agent(const RerankRequest& request, const Context& context) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("queries").begin_array().begin_object().member("type", "TEXT");
  w.key("textQuery").begin_object().member("text", request.query).end_object();
  w.end_object().end_array().key("sources").begin_array();
  for (const RerankDocument& document : request.documents) write_agent_source(w, document);
  w.end_array().key("rerankingConfiguration").begin_object();
  w.member("type", "BEDROCK_RERANKING_MODEL").key("bedrockRerankingConfiguration").begin_object();
  const auto all = static_cast<int64_t>(request.documents.size());
  w.member("numberOfResults", std::clamp<int64_t>(request.top_n.value_or(all), 1, all));
  w.key("modelConfiguration").begin_object().member("modelArn", context.model).end_object();
  w.end_object().end_object().end_object();
  return out;
}

std::string write_invoke(const RerankRequest& request) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("api_version", 2).member("query", request.query);
  w.key("documents").begin_array();
  for (const RerankDocument& document : request.documents) {
    w.string(document.json.empty() ? document.text : document.json);
  }
  w.end_array();
  if (request.top_n) w.member("top_n", *request.top_n);
  w.end_object();
  return out;
}

}  // namespace

Result<RerankRequest> read_rerank_request(json::Value root) {
  RerankRequest out;
  FieldReader fields;
  out.query = fields.string(root, "query");
  if (out.query.empty()) fields.wrong("query", "a text", root["query"]);
  const json::Value documents = root["documents"];
  if (!documents.is_array() || documents.size() == 0) {
    fields.wrong("documents", "an array of texts or objects", documents);
  } else if (documents.size() > RerankRequest::kDocumentsMax) {
    fields.fail("documents", "expected at most 1000 documents, Amazon Bedrock's maximum");
  } else {
    size_t index = 0;
    for (const json::Value document : documents.elements()) {
      RerankDocument& one = out.documents.emplace_back();
      if (document.is_string()) {
        one.text = document.string_or("");
      } else if (document.is_object()) {
        one.text = document["text"].string_or("");
        if (holds_more_than_text(document)) one.json = compact_json(document.raw());
      } else {
        fields.wrong(at_index("documents", index), "a text or an object", document);
      }
      ++index;
    }
  }
  out.top_n = fields.integer(root, "top_n");
  if (out.top_n && *out.top_n < 1) fields.fail("top_n", "expected at least 1");
  out.return_documents = fields.boolean(root, "return_documents").value_or(false);
  if (!fields.ok()) return fail(fields.error());
  for (const auto& [key, value] : root.members()) {
    constexpr std::string_view kKnown[] = {"model", "query", "documents", "top_n",
                                           "return_documents"};
    if (value.is_null() || std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown))
      continue;
    note(out.dropped, key);
  }
  return out;
}

std::string write_rerank_request(RerankApi api, const RerankRequest& request,
                                 const Context& context, Dropped& dropped) {
  for (const std::string& path : request.dropped) note(dropped, path);
  return api == RerankApi::bedrock_agent ? write_agent(request, context) : write_invoke(request);
}

Result<RerankReply> read_rerank_reply(json::Value root, size_t documents) {
  const json::Value results = root["results"];
  if (!results.is_array()) {
    return fail(ErrorCode::protocol_error, "the answer: expected an array \"results\"");
  }
  RerankReply reply;
  for (const json::Value result : results.elements()) {
    const auto index = result["index"].as_int64();
    json::Value score = result["relevanceScore"];
    if (!score.exists()) score = result["relevance_score"];
    if (!index || *index < 0 || static_cast<size_t>(*index) >= documents || !score.is_number()) {
      return fail(ErrorCode::protocol_error,
                  "the answer: expected the index of a document and its score in results");
    }
    reply.results.push_back({static_cast<size_t>(*index), std::string(score.raw())});
  }
  reply.more = !root["nextToken"].string_or("").empty();
  return reply;
}

std::string write_rerank_reply(const RerankReply& reply, const RerankRequest& request,
                               const Context& context) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("id", context.request_id).member("model", context.model);
  w.key("results").begin_array();
  for (const RerankResult& result : reply.results) {
    w.begin_object().member("index", static_cast<int64_t>(result.index));
    w.member_raw("relevance_score", result.score);
    if (request.return_documents && result.index < request.documents.size()) {
      const RerankDocument& document = request.documents[result.index];
      w.key("document");
      if (document.json.empty()) {
        w.begin_object().member("text", document.text).end_object();
      } else {
        w.raw(document.json);
      }
    }
    w.end_object();
  }
  w.end_array().end_object();
  return out;
}

}  // namespace weir::dialect
