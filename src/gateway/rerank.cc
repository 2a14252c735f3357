#include "gateway/rerank.h"

#include "dialect/wire.h"
#include "provider/call.h"

namespace weir::gateway {

using dialect::RerankApi;

namespace {
// A query of more is billed as several.
constexpr size_t kDocumentsOfAUnit = 100;
}  // namespace

Result<dialect::RerankRequest> read_rerank(Exchange& x) {
  WEIR_TRY(dialect::RerankRequest request, dialect::read_rerank_request(x.document.root()));
  x.dropped.clear();
  return request;
}

std::string write_rerank(Exchange& x, const dialect::RerankRequest& request,
                         const provider::Deployment& deployment) {
  const bool agent = provider::bedrock_has_agent_runtime(*deployment.account);
  return dialect::write_rerank_request(agent ? RerankApi::bedrock_agent : RerankApi::bedrock_invoke,
                                       request, {.model = provider::bedrock_model_arn(deployment)},
                                       x.dropped);
}

Result<std::string> translate_rerank_reply(Exchange& x, const dialect::RerankRequest& request,
                                           json::Value root) {
  WEIR_TRY(const dialect::RerankReply reply,
           dialect::read_rerank_reply(root, request.documents.size()));
  if (reply.more) dialect::note(x.dropped, "results");
  x.usage = {};
  x.usage.tool_calls =
      static_cast<int64_t>((request.documents.size() + kDocumentsOfAUnit - 1) / kDocumentsOfAUnit);
  return dialect::write_rerank_reply(reply, request,
                                     {.model = x.model_asked, .request_id = x.id_text});
}

void read_search_units(Exchange& x, json::Value root) {
  if (x.usage.reported) return;
  const auto units = root["meta"]["billed_units"]["search_units"].as_int64();
  if (!units || *units < 0) return;
  x.usage.tool_calls = *units;
  x.usage.reported = true;
}

}  // namespace weir::gateway
