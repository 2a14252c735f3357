// Vertex AI: Gemini under publishers/google, Claude under publishers/anthropic.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
#include "base/json/writer.h"
#include "provider/call.h"

namespace weir::provider {
namespace {

using dialect::Dialect;

constexpr std::string_view kAnthropicVersion = "vertex-2023-10-16";

bool is_claude(const Deployment& deployment) {
  if (deployment.dialect) return *deployment.dialect == Dialect::anthropic_messages;
  return deployment.model.starts_with("claude");
}

std::optional<Dialect> dialect_of(const Deployment& deployment, Operation operation, Dialect) {
  switch (operation) {
    case Operation::generate:
      return is_claude(deployment) ? Dialect::anthropic_messages : Dialect::gemini;
    case Operation::embed:
      if (is_claude(deployment)) return std::nullopt;
      return Dialect::gemini;
    case Operation::count_tokens:
      return is_claude(deployment) ? Dialect::anthropic_messages : Dialect::gemini;
    case Operation::complete:
    case Operation::respond:
    case Operation::rerank:
    case Operation::passthrough:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string target(const Deployment& deployment, const Call& call) {
  const Account& account = *deployment.account;
  std::string path = account.base_path + "/v1/projects/" + account.project + "/locations/" +
                     account.location + "/";
  if (is_claude(deployment)) {
    path += "publishers/anthropic/models/";
    if (call.operation == Operation::count_tokens) return path + "count-tokens:rawPredict";
    return path + model_path(deployment.model) +
           (call.stream ? ":streamRawPredict" : ":rawPredict");
  }
  // A tuned model is served by an endpoint of its own, and other publishers' by theirs.
  const bool names_place =
      deployment.model.starts_with("endpoints/") || deployment.model.starts_with("publishers/");
  if (!names_place) path += "publishers/google/models/";
  path += model_path(deployment.model);
  switch (call.operation) {
    case Operation::count_tokens:
      return path + ":countTokens";
    case Operation::embed:
      return path + ":predict";
    default:
      return path + google_method(call);
  }
}

void add_headers(const Deployment& deployment, const Call& call, http::HeaderMap& headers) {
  if (is_claude(deployment)) forward_anthropic_headers(call, false, headers);
}

void edit(const Deployment& deployment, const Call& call, BodyEdit& body) {
  if (!is_claude(deployment)) return;
  // rawPredict takes the model from the path, but for token counts from the body; and the version
  // always from the body.
  if (call.operation == Operation::count_tokens) {
    edit_model(deployment, body);
  } else {
    body.members.remove("model");
  }
  if (!body.root["anthropic_version"].exists()) {
    body.members.set("anthropic_version", json::quoted(kAnthropicVersion));
  }
}

}  // namespace

const Provider kVertexAi{dialect_of, target, authenticate_bearer, add_headers, edit};

}  // namespace weir::provider
