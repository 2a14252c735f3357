// Azure OpenAI and Foundry. With an api_version the classic form, where the deployment's name
// stands in the path; without one the v1 API, where it is the body's `model`.
// https://learn.microsoft.com/azure/ai-foundry/openai/reference
#include "provider/call.h"

namespace weir::provider {
namespace {

using dialect::Dialect;

bool is_claude(const Deployment& deployment) {
  return deployment.dialect == Dialect::anthropic_messages;
}

std::optional<Dialect> dialect_of(const Deployment& deployment, Operation operation,
                                  Dialect client) {
  switch (operation) {
    case Operation::generate:
      if (deployment.dialect == Dialect::openai_responses) return Dialect::openai_responses;
      return is_claude(deployment) ? Dialect::anthropic_messages : Dialect::openai_chat;
    case Operation::complete:
      return Dialect::openai_completions;
    case Operation::respond:
      return Dialect::openai_responses;
    case Operation::embed:
      return Dialect::openai_embeddings;
    case Operation::count_tokens:
      if (is_claude(deployment)) return Dialect::anthropic_messages;
      return std::nullopt;
    case Operation::rerank:
    case Operation::passthrough:
      if (client == Dialect::anthropic_messages || client == Dialect::gemini) return std::nullopt;
      return Dialect::passthrough;
  }
  return std::nullopt;
}

// The part behind /openai/deployments/{name} or /openai/v1.
std::string operation_path(const Call& call) {
  switch (call.operation) {
    case Operation::generate:
      return "/chat/completions";
    case Operation::complete:
      return "/completions";
    case Operation::respond:
      return "/responses";
    case Operation::embed:
      return "/embeddings";
    case Operation::rerank:
    case Operation::count_tokens:
    case Operation::passthrough:
      break;
  }
  return std::string(call.rest);
}

// Paths of the classic form that name no deployment: state that belongs to the resource.
bool is_resource_path(const Call& call) {
  if (call.operation == Operation::respond) return true;
  return call.operation == Operation::passthrough &&
         (call.rest.starts_with("/files") || call.rest.starts_with("/batches") ||
          call.rest.starts_with("/responses") || call.rest.starts_with("/realtime") ||
          call.rest.starts_with("/conversations") || call.rest.starts_with("/containers") ||
          call.rest.starts_with("/vector_stores") || call.rest.starts_with("/uploads"));
}

std::string target(const Deployment& deployment, const Call& call) {
  const Account& account = *deployment.account;
  if (is_claude(deployment) && call.dialect == Dialect::anthropic_messages) {
    return account.base_path + (call.operation == Operation::count_tokens
                                    ? "/anthropic/v1/messages/count_tokens"
                                    : "/anthropic/v1/messages");
  }
  if (account.api_version.empty()) {
    return with_query(account.base_path + "/openai/v1" + operation_path(call), call.query);
  }
  std::string path = account.base_path + "/openai";
  if (!is_resource_path(call)) path += "/deployments/" + model_path(deployment.model);
  path = with_query(path + operation_path(call), "api-version=" + account.api_version);
  return with_query(path, call.query);
}

Result<void> authenticate(const Account& account, http::HeaderMap& headers) {
  return authenticate_header(account, "api-key", headers);
}

void add_headers(const Deployment& deployment, const Call& call, http::HeaderMap& headers) {
  if (call.dialect != Dialect::anthropic_messages) return;
  forward_anthropic_headers(call, true, headers);
  // Foundry's Claude takes the key where Anthropic's own API has it.
  if (deployment.account->auth == AuthKind::api_key_header) {
    headers.set("x-api-key", deployment.account->api_key.reveal());
  }
}

void edit(const Deployment& deployment, const Call& call, BodyEdit& body) {
  if (body.root["model"].exists() || deployment.account->api_version.empty()) {
    edit_model(deployment, body);
  }
  edit_stream_usage(deployment, call, body);
}

}  // namespace

const Provider kAzureOpenAi{dialect_of, target, authenticate, add_headers, edit};

}  // namespace weir::provider
