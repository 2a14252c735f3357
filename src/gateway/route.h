// Route: what a request's method and path ask for, before its body is read. The paths are exactly
// the ones that the vendors' SDKs build (docs/reference/endpoints.md is printed from this table).
// Pure; views refer to the head it was made from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/conversation.h"
#include "http/head.h"
#include "provider/call.h"

namespace weir::gateway {

enum class RouteKind : uint8_t {
  model_call,   // goes to a deployment of a model
  list_models,  // answered here
  get_model,    // answered here
  health,       // /healthz
  ready,        // /readyz
  method_not_allowed,
  unknown,
};

struct Route {
  RouteKind kind = RouteKind::unknown;
  provider::Operation operation = provider::Operation::generate;
  dialect::Dialect dialect = dialect::Dialect::openai_chat;  // the client's
  // Of errors, for paths that are relayed unread.
  dialect::Dialect error_dialect = dialect::Dialect::openai_chat;
  std::string_view endpoint;  // the path's pattern, for logs and metrics: bounded in number
  std::string model;          // from the path (Azure, Gemini), percent-decoded; else empty
  bool stream = false;        // Gemini tells it in the path
  std::string_view rest;      // passthrough: the path behind the version prefix
  std::string_view query;     // as the client sent it
};

Route route_of(const http::RequestHead& head);

// A path that leads to a provider, in its main form: the same paths stand below Azure's prefixes
// and /v1alpha. A trailing '*' stands for any rest.
struct EndpointRow {
  std::string_view method;  // "any" for every one
  std::string path;         // "/v1/chat/completions"
  provider::Operation operation = provider::Operation::generate;
  dialect::Dialect dialect = dialect::Dialect::openai_chat;
};
std::vector<EndpointRow> endpoints();

// The decoded value of the first of these query parameters; empty where there is none.
std::string query_value(std::string_view query, std::initializer_list<std::string_view> names);

// The client's key, wherever its SDK puts it: Authorization: Bearer, x-api-key, api-key,
// x-goog-api-key, or the query parameter `key` of Google's SDKs. Empty where there is none.
std::string_view presented_key(const http::RequestHead& head);

}  // namespace weir::gateway
