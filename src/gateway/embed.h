// Embeddings between OpenAI's API and Google's: which API each side speaks, and the translation of
// one request and its answer. Pure.
#pragma once

#include <string>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/embeddings.h"
#include "gateway/exchange.h"

namespace weir::gateway {

dialect::EmbeddingsApi client_embeddings_api(const Route& route);
// A Gemini account is asked in the client's own form where the client speaks Gemini, else by batch.
dialect::EmbeddingsApi provider_embeddings_api(const Route& route,
                                               const provider::Deployment& deployment);
// The method's name in a Google path: ":batchEmbedContents".
std::string_view embeddings_method(dialect::EmbeddingsApi api);

Result<std::string> translate_embeddings_request(Exchange& x, dialect::EmbeddingsApi to,
                                                 const std::string& model);
// Takes the usage over as well: Google's answers tell it in places of their own.
Result<std::string> translate_embeddings_reply(Exchange& x, dialect::EmbeddingsApi from,
                                               json::Value root);

}  // namespace weir::gateway
