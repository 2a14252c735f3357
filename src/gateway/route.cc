#include "gateway/route.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "base/encoding.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::Operation;

struct Entry {
  std::string_view method;  // "*" = those that an API has: kMethods
  std::string_view path;    // behind the prefix; a trailing '*' takes the rest
  Operation operation;
  Dialect dialect;
};

// OpenAI's surface, below /v1 (and below Azure's prefixes).
constexpr Entry kOpenAi[] = {
    {"POST", "/chat/completions", Operation::generate, Dialect::openai_chat},
    {"POST", "/completions", Operation::complete, Dialect::openai_completions},
    {"POST", "/responses", Operation::respond, Dialect::openai_responses},
    {"POST", "/responses/input_tokens", Operation::count_tokens, Dialect::openai_responses},
    {"*", "/responses/*", Operation::passthrough, Dialect::openai_responses},
    {"POST", "/embeddings", Operation::embed, Dialect::openai_embeddings},
    {"POST", "/moderations", Operation::passthrough, Dialect::passthrough},
    {"POST", "/images/*", Operation::passthrough, Dialect::passthrough},
    {"POST", "/audio/*", Operation::passthrough, Dialect::passthrough},
    {"*", "/files", Operation::passthrough, Dialect::passthrough},
    {"*", "/files/*", Operation::passthrough, Dialect::passthrough},
    {"*", "/batches", Operation::passthrough, Dialect::passthrough},
    {"*", "/batches/*", Operation::passthrough, Dialect::passthrough},
    {"*", "/uploads", Operation::passthrough, Dialect::passthrough},
    {"*", "/uploads/*", Operation::passthrough, Dialect::passthrough},
    {"*", "/conversations", Operation::passthrough, Dialect::openai_responses},
    {"*", "/conversations/*", Operation::passthrough, Dialect::openai_responses},
    {"*", "/containers", Operation::passthrough, Dialect::passthrough},
    {"*", "/containers/*", Operation::passthrough, Dialect::passthrough},
    {"*", "/vector_stores", Operation::passthrough, Dialect::passthrough},
    {"*", "/vector_stores/*", Operation::passthrough, Dialect::passthrough},
    {"GET", "/realtime", Operation::passthrough, Dialect::passthrough},
    {"POST", "/rerank", Operation::rerank, Dialect::passthrough},
};

// What Anthropic's and Google's accounts keep, below /v1 and /v1beta. Anthropic's files stand at
// the same path as OpenAI's: the header tells.
constexpr Entry kAnthropicKept[] = {
    {"*", "/messages/batches", Operation::passthrough, Dialect::anthropic_messages},
    {"*", "/messages/batches/*", Operation::passthrough, Dialect::anthropic_messages},
    {"*", "/files", Operation::passthrough, Dialect::anthropic_messages},
    {"*", "/files/*", Operation::passthrough, Dialect::anthropic_messages},
};
constexpr Entry kGeminiKept[] = {
    {"*", "/files", Operation::passthrough, Dialect::gemini},
    {"*", "/files/*", Operation::passthrough, Dialect::gemini},
    {"*", "/cachedContents", Operation::passthrough, Dialect::gemini},
    {"*", "/cachedContents/*", Operation::passthrough, Dialect::gemini},
    {"*", "/batches", Operation::passthrough, Dialect::gemini},
    {"*", "/batches/*", Operation::passthrough, Dialect::gemini},
};

// TRACE would bring Weir's own key back in its answer; HEAD and OPTIONS have no use here.
constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

bool allows(const Entry& entry, std::string_view method) {
  if (entry.method != "*") return entry.method == method;
  return std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods);
}

// Whether a segment of the path is "." or "..", in any disguise that a server behind this one may
// see through. Such a path could leave the endpoint that Weir has checked the key for.
bool has_dot_segment(std::string_view path) {
  if (std::ranges::none_of(path, [](char c) { return c == '.' || c == '%'; })) return false;
  const auto decoded = percent_decode(path);
  if (!decoded) return true;
  std::string_view rest = *decoded;
  while (true) {
    const size_t end = std::min(rest.find_first_of("/\\"), rest.size());
    const std::string_view segment = rest.substr(0, end);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") return true;
    if (end == rest.size()) return false;
    rest.remove_prefix(end + 1);
  }
}

bool matches(const Entry& entry, std::string_view path) {
  if (!entry.path.ends_with('*')) return path == entry.path;
  const std::string_view prefix = entry.path.substr(0, entry.path.size() - 1);
  return path.size() > prefix.size() && path.starts_with(prefix);
}

Route openai_route(const http::RequestHead& head, std::string_view path, std::string_view rest) {
  Route route;
  route.rest = rest;
  route.query = head.query;
  bool path_known = false;
  for (const Entry& entry : kOpenAi) {
    if (!matches(entry, path)) continue;
    path_known = true;
    if (!allows(entry, head.method)) {
      // What follows may take this path for an id.
      if (!entry.path.ends_with('*')) break;
      continue;
    }
    route.kind = RouteKind::model_call;
    route.operation = entry.operation;
    route.dialect = entry.dialect;
    if (entry.dialect != Dialect::passthrough) route.error_dialect = entry.dialect;
    route.endpoint = entry.path;
    if (entry.path == "/realtime") route.model = query_value(head.query, {"model", "deployment"});
    return route;
  }
  if (path == "/models" || path.starts_with("/models/")) {
    path_known = true;
    if (head.method == "GET") {
      route.kind = path == "/models" ? RouteKind::list_models : RouteKind::get_model;
      if (route.kind == RouteKind::get_model) {
        route.model = percent_decode(path.substr(8)).value_or("");
      }
      route.endpoint = "/models";
      // Anthropic's SDK asks for the same path and expects its own shape.
      if (head.headers.find("anthropic-version")) {
        route.dialect = route.error_dialect = Dialect::anthropic_messages;
      }
      return route;
    }
  }
  route.kind = path_known ? RouteKind::method_not_allowed : RouteKind::unknown;
  return route;
}

// The entry of that path in a table of paths that are relayed unread; `unknown` where there is
// none.
Route kept_route(std::span<const Entry> entries, const http::RequestHead& head,
                 std::string_view path, std::string_view rest) {
  Route route;
  for (const Entry& entry : entries) {
    if (!matches(entry, path)) continue;
    route.kind = allows(entry, head.method) ? RouteKind::model_call : RouteKind::method_not_allowed;
    route.operation = entry.operation;
    route.dialect = route.error_dialect = entry.dialect;
    route.endpoint = entry.path;
    route.rest = rest;
    route.query = head.query;
    return route;
  }
  return route;
}

struct GeminiMethod {
  std::string_view name;
  Operation operation;
  bool stream;
};
constexpr GeminiMethod kGeminiMethods[] = {
    {":generateContent", Operation::generate, false},
    {":streamGenerateContent", Operation::generate, true},
    {":countTokens", Operation::count_tokens, false},
    {":embedContent", Operation::embed, false},
    {":batchEmbedContents", Operation::embed, false},
    {":batchGenerateContent", Operation::passthrough, false},
};

// Gemini: /v1beta/models/{model}:{method}.
Route gemini_route(const http::RequestHead& head, std::string_view path, std::string_view rest) {
  Route route;
  route.dialect = route.error_dialect = Dialect::gemini;
  route.query = head.query;
  if (path == "/models" || path == "/models/") {
    route.kind = RouteKind::list_models;
    route.endpoint = "/models";
    return route;
  }
  if (!path.starts_with("/models/")) {
    const Route kept = kept_route(kGeminiKept, head, path, rest);
    return kept.kind == RouteKind::unknown ? route : kept;
  }
  path.remove_prefix(8);
  const size_t colon = path.rfind(':');
  if (colon == std::string_view::npos) {
    route.kind = head.method == "GET" ? RouteKind::get_model : RouteKind::method_not_allowed;
    route.endpoint = "/models";
    route.model = percent_decode(path).value_or("");
    return route;
  }
  for (const GeminiMethod& method : kGeminiMethods) {
    if (path.substr(colon) != method.name) continue;
    route.kind = head.method == "POST" ? RouteKind::model_call : RouteKind::method_not_allowed;
    route.operation = method.operation;
    route.stream = method.stream;
    route.endpoint = method.name;
    route.rest = method.name;
    route.model = percent_decode(path.substr(0, colon)).value_or("");
    return route;
  }
  return route;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// A path that leads out of its endpoint, or that cannot be decoded to know: no endpoint at all,
// told in the dialect that its first segments speak.
Route no_route(std::string_view path) {
  Route route;
  if (path.starts_with("/v1beta/") || path.starts_with("/v1alpha/")) {
    route.dialect = route.error_dialect = Dialect::gemini;
  } else if (path.starts_with("/v1/messages/")) {
    route.dialect = route.error_dialect = Dialect::anthropic_messages;
  }
  return route;
}

}  // namespace

Route route_of(const http::RequestHead& head) {
  std::string_view path = head.path;
  std::string_view rest = head.path;
  if (has_dot_segment(path)) return no_route(path);
  if (path == "/healthz") return {.kind = RouteKind::health, .endpoint = "/healthz"};
  if (path == "/readyz") return {.kind = RouteKind::ready, .endpoint = "/readyz"};

  for (const std::string_view version : {"/v1beta", "/v1alpha"}) {
    if (take_prefix(path, version)) {
      return gemini_route(head, path, rest.substr(version.size()));
    }
  }
  // Google's newer SDKs say /v1: there a method hangs on the model's name by a colon, and lists are
  // told from OpenAI's by Google's own headers.
  if (path == "/v1/models" || path.starts_with("/v1/models/")) {
    const Route route = gemini_route(head, path.substr(3), rest.substr(3));
    const bool google =
        head.headers.find("x-goog-api-client") || head.headers.find("x-goog-api-key");
    if (google ? route.kind != RouteKind::unknown : !route.rest.empty()) return route;
  }
  // Anthropic's two endpoints stand in OpenAI's version prefix; the SDK asks for ?beta=true.
  if (path == "/v1/messages" || path == "/v1/messages/count_tokens") {
    const bool post = head.method == "POST";
    const bool count = path != "/v1/messages";
    return {.kind = post ? RouteKind::model_call : RouteKind::method_not_allowed,
            .operation = count ? Operation::count_tokens : Operation::generate,
            .dialect = Dialect::anthropic_messages,
            .error_dialect = Dialect::anthropic_messages,
            .endpoint = count ? "/messages/count_tokens" : "/messages",
            .model = {},
            .query = head.query};
  }
  if (path.starts_with("/v1/messages/") || head.headers.find("anthropic-version")) {
    const std::string_view kept = path.starts_with("/v1/") ? path.substr(3) : std::string_view();
    const Route route = kept_route(kAnthropicKept, head, kept, kept);
    if (route.kind != RouteKind::unknown) return route;
  }
  // Azure's classic form names the model in the path; its v1 form is OpenAI's own.
  std::string_view azure = path;
  if (take_prefix(azure, "/openai/deployments/")) {
    const size_t slash = azure.find('/');
    if (slash == std::string_view::npos) return {};
    take_prefix(rest, "/openai/deployments/");
    Route route = openai_route(head, azure.substr(slash), rest.substr(rest.find('/')));
    route.model = percent_decode(azure.substr(0, slash)).value_or("");
    return route;
  }
  // Cohere's SDK says /v2.
  if (path == "/v2/rerank") return openai_route(head, path.substr(3), rest.substr(3));
  for (const std::string_view prefix : {"/openai/v1", "/openai", "/v1"}) {
    if (path.starts_with(prefix)) {
      return openai_route(head, path.substr(prefix.size()), rest.substr(prefix.size()));
    }
  }
  return {};
}

std::vector<EndpointRow> endpoints() {
  std::vector<EndpointRow> rows;
  for (const Entry& entry : kOpenAi) {
    rows.push_back({entry.method == "*" ? "any" : entry.method, "/v1" + std::string(entry.path),
                    entry.operation, entry.dialect});
  }
  const Dialect messages = Dialect::anthropic_messages;
  rows.push_back({"POST", "/v1/messages", Operation::generate, messages});
  rows.push_back({"POST", "/v1/messages/count_tokens", Operation::count_tokens, messages});
  for (const Entry& entry : kAnthropicKept) {
    rows.push_back({"any", "/v1" + std::string(entry.path), entry.operation, entry.dialect});
  }
  for (const Entry& entry : kGeminiKept) {
    rows.push_back({"any", "/v1beta" + std::string(entry.path), entry.operation, entry.dialect});
  }
  for (const GeminiMethod& method : kGeminiMethods) {
    rows.push_back({"POST", "/v1beta/models/{model}" + std::string(method.name), method.operation,
                    Dialect::gemini});
  }
  return rows;
}

std::string query_value(std::string_view query, std::initializer_list<std::string_view> names) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    for (const std::string_view name : names) {
      if (pair.substr(0, equals) == name) {
        return percent_decode(pair.substr(equals + 1)).value_or("");
      }
    }
  }
  return {};
}

std::string_view presented_key(const http::RequestHead& head) {
  if (const auto authorization = head.headers.find("authorization")) {
    std::string_view value = *authorization;
    if (value.size() > 7 && http::iequals(value.substr(0, 7), "bearer ")) {
      value.remove_prefix(7);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    }
  }
  for (const std::string_view name : {"x-api-key", "api-key", "x-goog-api-key"}) {
    if (const auto value = head.headers.find(name)) return *value;
  }
  std::string_view query = head.query;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    if (query.starts_with("key=")) return query.substr(4, end - 4);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

}  // namespace weir::gateway
