// Embeddings between OpenAI's API, Google's and Amazon's: which API each side speaks, and the
// translation of one request and its answer. A list that is longer than the provider takes goes in
// several calls, and what those answer is put together again (relay_calls.cc). Pure.
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

// The client's request, read once for all of its calls.
Result<dialect::EmbeddingsRequest> read_embeddings(Exchange& x);
// How many calls it takes, and the body of one of them.
size_t embeddings_calls(const dialect::EmbeddingsRequest& request, dialect::EmbeddingsApi to,
                        const provider::Deployment& deployment);
Result<std::string> write_embeddings_call(Exchange& x, const dialect::EmbeddingsRequest& request,
                                          dialect::EmbeddingsApi to,
                                          const provider::Deployment& deployment, size_t call);

// Adds an answer to those before. Usage as well: Google's and Titan's answers tell it in places of
// their own, Amazon's others in a header.
Result<void> add_embeddings(dialect::EmbeddingsApi from, json::Value root,
                            const http::HeaderList& head, dialect::EmbeddingsReply& all);
// The answer to the client, whose usage is taken over.
std::string write_embeddings(Exchange& x, const dialect::EmbeddingsReply& reply);

}  // namespace weir::gateway
