// What is asked of a provider, and how each provider puts it: the address, the authentication and
// the few edits to the body that differ. One table row of functions per provider (one file each);
// nothing else in Weir knows a provider's paths. Pure but for reading the account's token; any
// thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/json/splice.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "http/headers.h"
#include "provider/account.h"

namespace weir::provider {

// What the client wants done, whatever its dialect.
enum class Operation : uint8_t {
  generate,  // chat completions, messages, generateContent
  complete,  // legacy completions
  respond,   // OpenAI responses
  embed,
  rerank,
  count_tokens,
  passthrough,  // any other path, relayed as it is
};
std::string_view to_string(Operation operation);

struct Call {
  Operation operation = Operation::generate;
  dialect::Dialect dialect = dialect::Dialect::openai_chat;  // the one spoken to the provider
  bool stream = false;
  bool sse = true;  // Gemini streams: as events; false: as one JSON array, as the client asked
  std::string_view method = "POST";
  // passthrough, rerank: the path behind the API's version prefix, e.g. "/files/abc".
  std::string_view rest;
  // The client's query without '?', its key and api-version taken out; for the same dialect.
  std::string_view query;
  const http::HeaderList* client_headers = nullptr;
};

// The changes to one body: `members` for its top level, `nested` for what lies deeper.
struct BodyEdit {
  explicit BodyEdit(json::Value root_) : root(root_), members(root_) {}
  json::Value root;
  json::ObjectEditor members;
  std::vector<json::Edit> nested;

  // All changes, ascending by offset.
  std::vector<json::Edit> edits() const;
};

// A request whose head is complete but for its signature.
struct Outbound {
  std::string_view method;
  std::string_view host;
  std::string_view target;
  std::span<const std::string_view> body;
  int64_t wall_ms = 0;
};

struct Provider {
  // The dialect in which the deployment serves that operation for a client that speaks `client`;
  // nullopt where it cannot.
  std::optional<dialect::Dialect> (*dialect)(const Deployment&, Operation, dialect::Dialect client);
  // The request target: path and query.
  std::string (*target)(const Deployment&, const Call&);
  // Adds the headers that authenticate. `unavailable` when the access token is not there yet.
  Result<void> (*authenticate)(const Account&, http::HeaderMap&);
  // Adds the provider's other headers: versions, betas.
  void (*headers)(const Deployment&, const Call&, http::HeaderMap&);
  // What must change in a body that is already in the provider's dialect: the model's name,
  // stream_options, Vertex's anthropic_version.
  void (*edit)(const Deployment&, const Call&, BodyEdit&);
  // The rest most providers do not have. Adds what authenticates the whole request: a signature.
  Result<void> (*sign)(const Account&, const Outbound&, http::HeaderMap&) = nullptr;
  // Puts a body in the provider's dialect into an envelope of the provider's, and takes the answer
  // out of its own; "" where that call has none.
  std::string (*wrap)(const Call&, std::span<const std::string_view> body) = nullptr;
  std::string (*unwrap)(const Call&, json::Value answer) = nullptr;
  // Where that call goes, if not to the account's origin; its default where there is none.
  http::Origin (*origin)(const Deployment&, const Call&) = nullptr;
  // Errors come in a form of the provider's own and not in that of the dialect: they are told anew.
  bool own_errors = false;
};

const Provider& provider_of(Kind kind);

// How a deployment serves a client's operation: by which of the provider's own, in which dialect.
struct Spoken {
  Operation operation = Operation::generate;
  dialect::Dialect dialect = dialect::Dialect::openai_chat;
};
// The client's dialect where the provider speaks it, else one that it can be translated into:
// responses are generated where there is no API of theirs, and the other way round where the
// deployment is told to speak it. nullopt where the deployment cannot serve it.
std::optional<Spoken> spoken(const Deployment& deployment, Operation operation,
                             dialect::Dialect client);

// Shared pieces of the provider files.

// Sets "model" to the provider's name unless it already is.
void edit_model(const Deployment& deployment, BodyEdit& body);
// Asks an OpenAI-style stream for usage unless the client did, or the account's server refuses it.
void edit_stream_usage(const Deployment& deployment, const Call& call, BodyEdit& body);
// Authorization: Bearer with the API key or the access token, per account.auth.
Result<void> authenticate_bearer(const Account& account, http::HeaderMap& headers);
// The API key in a header of that name, or an access token as Bearer.
Result<void> authenticate_header(const Account& account, std::string_view name,
                                 http::HeaderMap& headers);
// anthropic-version, and the union of the client's anthropic-beta lists with the account's own
// (which stands in `headers` already).
void forward_anthropic_headers(const Call& call, bool version_header, http::HeaderMap& headers);
// The method of a Gemini path, with its query: ":streamGenerateContent?alt=sse".
std::string google_method(const Call& call);
// A model's name as the end of a path: percent-encoded but for what paths may hold ('/' included:
// names like "accounts/a/models/m" are several segments).
std::string model_path(std::string_view model);
// The same below Google's API: "models/NAME" unless the name says its collection itself
// ("models/...", "tunedModels/...").
std::string google_model_name(std::string_view model);
// Bedrock: whether reranking goes to the agents' runtime, which refuses API keys; else by
// InvokeModel.
bool bedrock_has_agent_runtime(const Account& account);
// The ARN of the deployment's model; the model's name itself where it is one.
std::string bedrock_model_arn(const Deployment& deployment);
// The client's query where it means something to the provider, else "".
std::string with_query(std::string path, std::string_view query);

extern const Provider kOpenAi;
extern const Provider kAzureOpenAi;
extern const Provider kAnthropic;
extern const Provider kVertexAi;
extern const Provider kGemini;
extern const Provider kBedrock;
extern const Provider kOpenAiCompatible;

}  // namespace weir::provider
