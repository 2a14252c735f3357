// Reranking: Cohere's request and answer (v1 and v2), which Jina, vLLM and others share, and Amazon
// Bedrock's two forms of the same: the Rerank operation of its agents' runtime, which takes every
// model there, and InvokeModel of Cohere's models. Clients speak Cohere's form; the other two are
// written to and their answers read. Pure; any thread.
// docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html
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

enum class RerankApi : uint8_t { bedrock_agent, bedrock_invoke };

struct RerankDocument {
  std::string text;
  std::string json;  // the object, where it holds more than a text
  bool operator==(const RerankDocument&) const = default;
};

struct RerankRequest {
  static constexpr size_t kDocumentsMax = 1000;  // Bedrock's own limit

  std::string query;
  std::vector<RerankDocument> documents;
  std::optional<int64_t> top_n;
  bool return_documents = false;
  Dropped dropped;  // what the reader could not keep

  bool operator==(const RerankRequest&) const = default;
};

struct RerankResult {
  size_t index = 0;   // of the request's documents
  std::string score;  // the number's own text: no digit is lost
  bool operator==(const RerankResult&) const = default;
};

struct RerankReply {
  std::vector<RerankResult> results;  // best first, as the provider has them
  bool more = false;                  // the provider holds back results for another page

  bool operator==(const RerankReply&) const = default;
};

// invalid_argument names the field.
Result<RerankRequest> read_rerank_request(json::Value root);
// For context.model: the model's ARN (bedrock_agent).
std::string write_rerank_request(RerankApi api, const RerankRequest& request,
                                 const Context& context, Dropped& dropped);
// Either form. protocol_error where the body is no answer to that many documents.
Result<RerankReply> read_rerank_reply(json::Value root, size_t documents);
// Cohere's form, with the model's name as others have it; context.request_id is the answer's id.
std::string write_rerank_reply(const RerankReply& reply, const RerankRequest& request,
                               const Context& context);

}  // namespace weir::dialect
