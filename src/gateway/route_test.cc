// Paths as the vendors' SDKs build them, and what Weir takes them for.
#include "gateway/route.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::Operation;

Route route_for(std::string_view method, std::string_view path,
                const http::HeaderList& headers = {}) {
  http::RequestHead head;
  head.method = method;
  head.path = path;
  head.headers = headers;
  return route_of(head);
}

TEST(Route, EveryRowOfTheTableLeadsWhereItSays) {
  const std::vector<EndpointRow> rows = endpoints();
  EXPECT_GT(rows.size(), 15U);
  for (const EndpointRow& row : rows) {
    std::string path = row.path;
    if (path.ends_with('*')) path.replace(path.size() - 1, 1, "some/thing");
    const size_t model = path.find("{model}");
    if (model != std::string::npos) path.replace(model, 7, "m");
    SCOPED_TRACE(path);
    http::HeaderList headers;
    if (row.dialect == Dialect::anthropic_messages) headers.add("anthropic-version", "2023-06-01");
    const Route route = route_for(row.method == "any" ? "GET" : row.method, path, headers);
    EXPECT_EQ(route.kind, RouteKind::model_call);
    EXPECT_EQ(route.operation, row.operation);
    EXPECT_EQ(route.dialect, row.dialect);
    EXPECT_EQ(route.model, model == std::string::npos ? "" : "m");
    if (row.method == "POST") {
      EXPECT_NE(route_for("GET", path).kind, RouteKind::model_call);
    }
  }
}

TEST(Route, PathsOfSdks) {
  struct Case {
    std::string_view method, path;
    RouteKind kind;
    Dialect dialect;
    std::string_view model;
    bool google = false;
  };
  const Case cases[] = {
      // google-genai for Python from 3.0 on says /v1 where it said /v1beta.
      {"POST", "/v1/models/m:generateContent", RouteKind::model_call, Dialect::gemini, "m"},
      {"POST", "/v1/models/m:streamGenerateContent", RouteKind::model_call, Dialect::gemini, "m"},
      {"GET", "/v1/models", RouteKind::list_models, Dialect::gemini, "", true},
      {"GET", "/v1/models/m", RouteKind::get_model, Dialect::gemini, "m", true},
      // The same paths of OpenAI's SDK, and model names with colons.
      {"GET", "/v1/models", RouteKind::list_models, Dialect::openai_chat, ""},
      {"GET", "/v1/models/m", RouteKind::get_model, Dialect::openai_chat, "m"},
      {"GET", "/v1/models/llama3:8b", RouteKind::get_model, Dialect::openai_chat, "llama3:8b"},
      {"POST", "/v1/models/m", RouteKind::method_not_allowed, Dialect::openai_chat, ""},
      {"POST", "/v1beta/models/a%2Fb:generateContent", RouteKind::model_call, Dialect::gemini,
       "a/b"},
      {"POST", "/openai/deployments/m/chat/completions", RouteKind::model_call,
       Dialect::openai_chat, "m"},
      {"POST", "/openai/v1/chat/completions", RouteKind::model_call, Dialect::openai_chat, ""},
      {"POST", "/openai/responses", RouteKind::model_call, Dialect::openai_responses, ""},
      {"POST", "/v1/messages", RouteKind::model_call, Dialect::anthropic_messages, ""},
      {"POST", "/v2/chat/completions", RouteKind::unknown, Dialect::openai_chat, ""},
      // What leads out of its endpoint is refused in the dialect that it seems to speak.
      {"POST", "/v1beta/models/%:generateContent", RouteKind::unknown, Dialect::gemini, ""},
      {"POST", "/v1beta/models/..%2f..%2fetc:generateContent", RouteKind::unknown, Dialect::gemini,
       ""},
      {"POST", "/v1/messages/../files", RouteKind::unknown, Dialect::anthropic_messages, ""},
      {"POST", "/", RouteKind::unknown, Dialect::openai_chat, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path);
    http::HeaderList headers;
    if (c.google) headers.add("x-goog-api-client", "google-genai-sdk/3.4.0");
    const Route route = route_for(c.method, c.path, headers);
    EXPECT_EQ(route.kind, c.kind);
    EXPECT_EQ(route.dialect, c.dialect);
    EXPECT_EQ(route.model, c.model);
  }
}

}  // namespace
}  // namespace weir::gateway
