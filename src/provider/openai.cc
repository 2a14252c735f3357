// OpenAI (https://platform.openai.com/docs/api-reference) and every server that follows it.
#include "provider/call.h"

namespace weir::provider {
namespace {

using dialect::Dialect;

std::optional<Dialect> dialect_of(const Deployment& deployment, Operation operation,
                                  Dialect client) {
  switch (operation) {
    case Operation::generate:
      // Some compatible servers also serve Anthropic's API; the configuration says so.
      return deployment.dialect.value_or(Dialect::openai_chat);
    case Operation::complete:
      return Dialect::openai_completions;
    case Operation::respond:
      return Dialect::openai_responses;
    case Operation::embed:
      return Dialect::openai_embeddings;
    case Operation::count_tokens:
      if (deployment.dialect == Dialect::anthropic_messages) return deployment.dialect;
      // Only OpenAI itself is known to count; a server like it may not.
      if (deployment.account->kind != Kind::openai) return std::nullopt;
      return Dialect::openai_responses;
    case Operation::rerank:
    case Operation::passthrough:
      if (client == Dialect::anthropic_messages || client == Dialect::gemini) return std::nullopt;
      return Dialect::passthrough;
  }
  return std::nullopt;
}

std::string target(const Deployment& deployment, const Call& call) {
  const std::string& base = deployment.account->base_path;
  switch (call.operation) {
    case Operation::generate:
      return base +
             (call.dialect == Dialect::anthropic_messages ? "/messages" : "/chat/completions");
    case Operation::complete:
      return base + "/completions";
    case Operation::respond:
      return with_query(base + "/responses", call.query);
    case Operation::embed:
      return base + "/embeddings";
    case Operation::count_tokens:
      return base + (call.dialect == Dialect::openai_responses ? "/responses/input_tokens"
                                                               : "/messages/count_tokens");
    case Operation::rerank:
    case Operation::passthrough:
      return with_query(base + std::string(call.rest), call.query);
  }
  return base;
}

void add_headers(const Deployment& deployment, const Call& call, http::HeaderMap& headers) {
  if (!deployment.account->organization.empty()) {
    headers.set("openai-organization", deployment.account->organization);
  }
  if (call.dialect == Dialect::anthropic_messages) forward_anthropic_headers(call, true, headers);
}

void edit(const Deployment& deployment, const Call& call, BodyEdit& body) {
  if (body.root["model"].exists()) edit_model(deployment, body);
  edit_stream_usage(deployment, call, body);
}

}  // namespace

const Provider kOpenAi{dialect_of, target, authenticate_bearer, add_headers, edit};
const Provider kOpenAiCompatible{dialect_of, target, authenticate_bearer, add_headers, edit};

}  // namespace weir::provider
