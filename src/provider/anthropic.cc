// Anthropic's own API. https://docs.anthropic.com/en/api
#include "provider/call.h"

namespace weir::provider {
namespace {

using dialect::Dialect;

std::optional<Dialect> dialect_of(const Deployment&, Operation operation, Dialect client) {
  switch (operation) {
    case Operation::generate:
      return Dialect::anthropic_messages;
    case Operation::count_tokens:
      return Dialect::anthropic_messages;
    case Operation::passthrough:
      if (client == Dialect::anthropic_messages) return Dialect::passthrough;
      return std::nullopt;
    case Operation::complete:
    case Operation::respond:
    case Operation::embed:
    case Operation::rerank:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string target(const Deployment& deployment, const Call& call) {
  const std::string& base = deployment.account->base_path;
  switch (call.operation) {
    case Operation::count_tokens:
      return base + "/messages/count_tokens";
    case Operation::passthrough:
      return with_query(base + std::string(call.rest), call.query);
    default:
      return with_query(base + "/messages", call.query);
  }
}

Result<void> authenticate(const Account& account, http::HeaderMap& headers) {
  return authenticate_header(account, "x-api-key", headers);
}

void add_headers(const Deployment& deployment, const Call& call, http::HeaderMap& headers) {
  forward_anthropic_headers(call, true, headers);
  const std::string& version = deployment.account->api_version;
  const bool client_says =
      call.client_headers != nullptr && call.client_headers->find("anthropic-version");
  if (!version.empty() && !client_says) headers.set("anthropic-version", version);
}

void edit(const Deployment& deployment, const Call& call, BodyEdit& body) {
  // Batches name models in each of their requests: the gateway puts these right.
  if (call.operation != Operation::passthrough) edit_model(deployment, body);
}

}  // namespace

const Provider kAnthropic{dialect_of, target, authenticate, add_headers, edit};

}  // namespace weir::provider
