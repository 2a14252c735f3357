// The Gemini API (Google AI Studio keys). https://ai.google.dev/api
#include "base/json/writer.h"
#include "provider/call.h"

namespace weir::provider {
namespace {

using dialect::Dialect;

std::optional<Dialect> dialect_of(const Deployment&, Operation operation, Dialect client) {
  switch (operation) {
    case Operation::generate:
    case Operation::embed:
      return Dialect::gemini;
    case Operation::count_tokens:
      return Dialect::gemini;
    case Operation::passthrough:
      if (client == Dialect::gemini) return Dialect::passthrough;
      return std::nullopt;
    case Operation::complete:
    case Operation::respond:
    case Operation::rerank:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string target(const Deployment& deployment, const Call& call) {
  const std::string base =
      deployment.account->base_path + "/" + model_path(google_model_name(deployment.model));
  switch (call.operation) {
    case Operation::generate:
      return base + google_method(call);
    case Operation::embed:
      return base + std::string(call.rest);
    case Operation::count_tokens:
      return base + ":countTokens";
    default:
      // A method hangs on the model, all else is a path of its own.
      if (call.rest.starts_with(':')) return with_query(base + std::string(call.rest), call.query);
      return with_query(deployment.account->base_path + std::string(call.rest), call.query);
  }
}

Result<void> authenticate(const Account& account, http::HeaderMap& headers) {
  return authenticate_header(account, "x-goog-api-key", headers);
}

void add_headers(const Deployment&, const Call&, http::HeaderMap&) {}

// The model stands in the path; embedding bodies repeat it, a batch in each of its requests.
void edit(const Deployment& deployment, const Call& call, BodyEdit& body) {
  const std::string name = json::quoted(google_model_name(deployment.model));
  if (call.operation == Operation::passthrough) {
    if (body.root["model"].exists()) body.members.set("model", name);
    const json::Value batch = body.root["batch"];
    if (batch["model"].exists()) body.nested.push_back(json::set_member(batch, "model", name));
    return;
  }
  if (call.operation != Operation::embed) return;
  if (body.root["model"].exists()) body.members.set("model", name);
  for (const json::Value request : body.root["requests"].elements()) {
    if (request["model"].exists()) body.nested.push_back(json::set_member(request, "model", name));
  }
}

}  // namespace

const Provider kGemini{dialect_of, target, authenticate, add_headers, edit};

}  // namespace weir::provider
