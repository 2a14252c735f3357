// Reranking at a provider with forms of its own (Amazon Bedrock): the translation of one request
// and its answer. Pure.
#pragma once

#include <string>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/rerank.h"
#include "gateway/exchange.h"

namespace weir::gateway {

Result<dialect::RerankRequest> read_rerank(Exchange& x);
std::string write_rerank(Exchange& x, const dialect::RerankRequest& request,
                         const provider::Deployment& deployment);
// Takes over what is billed: a search unit for each hundred documents, an estimate, as nobody
// tells.
Result<std::string> translate_rerank_reply(Exchange& x, const dialect::RerankRequest& request,
                                           json::Value root);
// The search units of an answer in Cohere's own form, where it told no tokens.
void read_search_units(Exchange& x, json::Value root);

}  // namespace weir::gateway
