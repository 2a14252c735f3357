#include "gateway/embed.h"

#include <algorithm>

#include "base/text.h"

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
    case provider::Kind::bedrock:
      return dialect::bedrock_embeddings_api(deployment.base_model)
          .value_or(dialect::bedrock_embeddings_api(deployment.model)
                        .value_or(EmbeddingsApi::bedrock_titan));
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
    case EmbeddingsApi::bedrock_titan:
    case EmbeddingsApi::bedrock_nova:
    case EmbeddingsApi::bedrock_cohere:
      break;
  }
  return "/embeddings";
}

Result<dialect::EmbeddingsRequest> read_embeddings(Exchange& x) {
  WEIR_TRY(dialect::EmbeddingsRequest request,
           dialect::read_embeddings_request(client_embeddings_api(x.route), x.document.root(),
                                            {.model = x.model_asked}));
  x.dropped = request.dropped;
  return request;
}

size_t embeddings_calls(const dialect::EmbeddingsRequest& request, EmbeddingsApi to,
                        const provider::Deployment& deployment) {
  const size_t most = dialect::embeddings_inputs_max(to, deployment.base_model);
  return std::max<size_t>(1, (request.inputs.size() + most - 1) / most);
}

Result<std::string> write_embeddings_call(Exchange& x, const dialect::EmbeddingsRequest& request,
                                          EmbeddingsApi to, const provider::Deployment& deployment,
                                          size_t call) {
  const dialect::Context context{.model = deployment.model, .base_model = deployment.base_model};
  const size_t most = dialect::embeddings_inputs_max(to, deployment.base_model);
  if (request.inputs.size() <= most) {
    return dialect::write_embeddings_request(to, request, context, x.dropped);
  }
  const auto first = request.inputs.begin() + static_cast<ptrdiff_t>(call * most);
  const auto count =
      std::min<ptrdiff_t>(static_cast<ptrdiff_t>(most), request.inputs.end() - first);
  const dialect::EmbeddingsRequest part{.model = request.model,
                                        .inputs = {first, first + count},
                                        .dimensions = request.dimensions,
                                        .base64 = request.base64,
                                        .task_type = request.task_type,
                                        .title = request.title,
                                        .user = request.user,
                                        .dropped = request.dropped};
  return dialect::write_embeddings_request(to, part, context, x.dropped);
}

Result<void> add_embeddings(EmbeddingsApi from, json::Value root, const http::HeaderList& head,
                            dialect::EmbeddingsReply& all) {
  WEIR_TRY(dialect::EmbeddingsReply reply, dialect::read_embeddings_reply(from, root));
  if (!reply.usage.reported) {
    const auto tokens = parse_int64(head.get("x-amzn-bedrock-input-token-count"));
    if (tokens && *tokens >= 0) {
      reply.usage.input = *tokens;
      reply.usage.reported = true;
    }
  }
  if (all.vectors.empty()) {
    all = std::move(reply);
    return {};
  }
  std::move(reply.vectors.begin(), reply.vectors.end(), std::back_inserter(all.vectors));
  all.usage.input += reply.usage.input;
  all.usage.reported = all.usage.reported && reply.usage.reported;
  return {};
}

std::string write_embeddings(Exchange& x, const dialect::EmbeddingsReply& reply) {
  x.usage = reply.usage;
  const bool base64 = x.document.root()["encoding_format"].equals("base64");
  return dialect::write_embeddings_reply(client_embeddings_api(x.route), reply,
                                         {.model = x.model_asked}, base64);
}

}  // namespace weir::gateway
