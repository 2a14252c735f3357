// Embedding models at Amazon Bedrock, each with a form of its own for InvokeModel: Amazon's Titan
// and Nova, one text a call, and Cohere's. Towards the provider only; used by the functions of
// embeddings.h. Pure; any thread. Sources, all at docs.aws.amazon.com: bedrock/latest/userguide/
// model-parameters-titan-embed-text, -titan-embed-mm, -embed-v3 and -embed-v4;
// nova/latest/userguide/embeddings-schema.
#pragma once

#include "dialect/embeddings.h"

namespace weir::dialect {

Result<std::string> write_bedrock_embeddings(EmbeddingsApi api, const EmbeddingsRequest& request,
                                             const Context& context, Dropped& dropped);
// Titan tells its tokens; of the others a header of the answer does, which is not read here.
Result<EmbeddingsReply> read_bedrock_embeddings(EmbeddingsApi api, json::Value root);

}  // namespace weir::dialect
