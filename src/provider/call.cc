#include "provider/call.h"

#include <algorithm>
#include <numeric>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "dialect/translate.h"

namespace weir::provider {

using dialect::Dialect;

namespace {

// Adds those tokens of a comma-separated list that are not there yet.
void add_tokens(std::string& list, std::string_view more) {
  for (const std::string_view part : split(more, ',')) {
    const std::string token(trim(part));
    if (token.empty() || http::has_token(list, token)) continue;
    if (!list.empty()) list += ',';
    list += token;
  }
}

}  // namespace

std::string_view to_string(Operation operation) {
  switch (operation) {
    case Operation::generate:
      return "generate";
    case Operation::complete:
      return "complete";
    case Operation::respond:
      return "respond";
    case Operation::embed:
      return "embed";
    case Operation::rerank:
      return "rerank";
    case Operation::count_tokens:
      return "count_tokens";
    case Operation::passthrough:
      return "passthrough";
  }
  return "unknown";
}

std::optional<Spoken> spoken(const Deployment& deployment, Operation operation, Dialect client) {
  const Provider& provider = provider_of(deployment.account->kind);
  auto dialect = provider.dialect(deployment, operation, client);
  if (operation != Operation::generate && operation != Operation::respond) {
    if (!dialect) return std::nullopt;
    return Spoken{operation, *dialect};
  }
  const bool other = deployment.dialect && *deployment.dialect != Dialect::openai_responses;
  if (operation == Operation::respond && (!dialect || other)) {
    dialect = provider.dialect(deployment, Operation::generate, client);
  }
  if (!dialect || (*dialect != client && !dialect::can_translate(client, *dialect))) {
    return std::nullopt;
  }
  const bool responses = *dialect == Dialect::openai_responses;
  return Spoken{responses ? Operation::respond : Operation::generate, *dialect};
}

std::vector<json::Edit> BodyEdit::edits() const {
  std::vector<json::Edit> all = nested;
  members.append_to(all);
  if (all.size() < 2) return all;
  // Insertions at one place keep their order: it is that of the index.
  std::vector<size_t> order(all.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(all[a].offset, a) < std::pair(all[b].offset, b);
  });
  std::vector<json::Edit> sorted;
  sorted.reserve(all.size());
  for (const size_t i : order) sorted.push_back(std::move(all[i]));
  return sorted;
}

void edit_model(const Deployment& deployment, BodyEdit& body) {
  if (body.root["model"].equals(deployment.model)) return;
  body.members.set("model", json::quoted(deployment.model));
}

void edit_stream_usage(const Deployment& deployment, const Call& call, BodyEdit& body) {
  if (!call.stream || !deployment.account->stream_usage) return;
  if (call.dialect != Dialect::openai_chat && call.dialect != Dialect::openai_completions) return;
  const json::Value options = body.root["stream_options"];
  if (!options.is_object()) {
    body.members.set("stream_options", R"({"include_usage":true})");
  } else if (options["include_usage"].as_bool() != true) {
    body.nested.push_back(json::set_member(options, "include_usage", "true"));
  }
}

Result<void> authenticate_bearer(const Account& account, http::HeaderMap& headers) {
  if (account.auth == AuthKind::none) return {};
  if (account.auth == AuthKind::access_token) {
    const std::string token = account.state->token.get();
    if (token.empty()) {
      return fail(ErrorCode::unavailable,
                  "no access token yet for account " + account.name + ": see weir's log");
    }
    headers.set("authorization", "Bearer " + token);
    return {};
  }
  headers.set("authorization", "Bearer " + std::string(account.api_key.reveal()));
  return {};
}

Result<void> authenticate_header(const Account& account, std::string_view name,
                                 http::HeaderMap& headers) {
  if (account.auth != AuthKind::api_key_header) return authenticate_bearer(account, headers);
  headers.set(name, account.api_key.reveal());
  return {};
}

void forward_anthropic_headers(const Call& call, bool version_header, http::HeaderMap& headers) {
  // What the account asks for stays, whatever the client adds.
  std::string betas(headers.get("anthropic-beta"));
  std::string version = "2023-06-01";
  // Betas are flags of the client's own request: they mean nothing when it was translated.
  if (call.client_headers != nullptr) {
    for (const http::Header& header : *call.client_headers) {
      if (http::iequals(header.name, "anthropic-beta")) {
        add_tokens(betas, header.value);
      } else if (http::iequals(header.name, "anthropic-version")) {
        version = header.value;
      }
    }
  }
  if (version_header) headers.set("anthropic-version", version);
  if (!betas.empty()) headers.set("anthropic-beta", betas);
}

std::string google_method(const Call& call) {
  if (!call.stream) return ":generateContent";
  return call.sse ? ":streamGenerateContent?alt=sse" : ":streamGenerateContent";
}

std::string model_path(std::string_view model) {
  return percent_encode(model, "/@:!$&'()*+,;=");
}

std::string google_model_name(std::string_view model) {
  if (model.starts_with("models/") || model.starts_with("tunedModels/")) return std::string(model);
  return "models/" + std::string(model);
}

std::string with_query(std::string path, std::string_view query) {
  if (query.empty()) return path;
  path += path.find('?') == std::string::npos ? '?' : '&';
  path += query;
  return path;
}

const Provider& provider_of(Kind kind) {
  switch (kind) {
    case Kind::openai:
      return kOpenAi;
    case Kind::azure_openai:
      return kAzureOpenAi;
    case Kind::anthropic:
      return kAnthropic;
    case Kind::vertex_ai:
      return kVertexAi;
    case Kind::gemini:
      return kGemini;
    case Kind::openai_compatible:
      return kOpenAiCompatible;
    case Kind::bedrock:
      return kBedrock;
  }
  return kOpenAiCompatible;
}

}  // namespace weir::provider
