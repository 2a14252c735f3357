#include "gateway/embed.h"

namespace weir::gateway {

using dialect::EmbeddingsApi;

EmbeddingsApi client_embeddings_api(const Route& route) {
  if (route.dialect != dialect::Dialect::gemini) return EmbeddingsApi::openai;
  return route.rest == ":embedContent" ? EmbeddingsApi::gemini_embed : EmbeddingsApi::gemini_batch;
}

EmbeddingsApi provider_embeddings_api(const Route& route, const provider::Deployment& deployment) {
  switch (deployment.account->kind) {
    case provider::Kind::vertex_ai:
      return EmbeddingsApi::vertex_predict;
    case provider::Kind::gemini:
      return route.dialect == dialect::Dialect::gemini ? client_embeddings_api(route)
                                                       : EmbeddingsApi::gemini_batch;
    default:
      return EmbeddingsApi::openai;
  }
}

std::string_view embeddings_method(EmbeddingsApi api) {
  switch (api) {
    case EmbeddingsApi::gemini_embed:
      return ":embedContent";
    case EmbeddingsApi::gemini_batch:
      return ":batchEmbedContents";
    case EmbeddingsApi::vertex_predict:
      return ":predict";
    case EmbeddingsApi::openai:
      break;
  }
  return "/embeddings";
}

Result<std::string> translate_embeddings_request(Exchange& x, EmbeddingsApi to,
                                                 const std::string& model) {
  WEIR_TRY(dialect::EmbeddingsRequest request,
           dialect::read_embeddings_request(client_embeddings_api(x.route), x.document.root(),
                                            {.model = x.model_asked}));
  x.dropped = request.dropped;
  return dialect::write_embeddings_request(to, request, {.model = model}, x.dropped);
}

Result<std::string> translate_embeddings_reply(Exchange& x, EmbeddingsApi from, json::Value root) {
  WEIR_TRY(const dialect::EmbeddingsReply reply, dialect::read_embeddings_reply(from, root));
  x.usage = reply.usage;
  const bool base64 = x.document.root()["encoding_format"].equals("base64");
  return dialect::write_embeddings_reply(client_embeddings_api(x.route), reply,
                                         {.model = x.model_asked}, base64);
}

}  // namespace weir::gateway
