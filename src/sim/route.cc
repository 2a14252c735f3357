#include "sim/route.h"

#include <array>
#include <vector>

#include "base/encoding.h"
#include "base/text.h"
#include "sim/small_answers.h"

namespace weir::sim {
namespace {

using dialect::Dialect;

struct Name {
  std::string_view text;
  Endpoint endpoint;
  Dialect dialect;
};

// Endpoints that are the last segment of a path.
constexpr std::array kLast = {
    Name{"completions", Endpoint::completions, Dialect::openai_completions},
    Name{"responses", Endpoint::responses, Dialect::openai_responses},
    Name{"embeddings", Endpoint::embeddings, Dialect::openai_embeddings},
    Name{"moderations", Endpoint::moderations, Dialect::passthrough},
    Name{"rerank", Endpoint::rerank, Dialect::passthrough},
    Name{"messages", Endpoint::messages, Dialect::anthropic_messages},
    Name{"count_tokens", Endpoint::count_tokens, Dialect::anthropic_messages},
};

// The verbs behind a model's name: "gemini-2.5-pro:generateContent".
constexpr std::array kVerbs = {
    Name{"generateContent", Endpoint::generate, Dialect::gemini},
    Name{"streamGenerateContent", Endpoint::generate, Dialect::gemini},
    Name{"countTokens", Endpoint::gemini_count_tokens, Dialect::gemini},
    Name{"embedContent", Endpoint::embed_content, Dialect::gemini},
    Name{"batchEmbedContents", Endpoint::batch_embed_contents, Dialect::gemini},
    Name{"predict", Endpoint::predict, Dialect::gemini},
    Name{"rawPredict", Endpoint::messages, Dialect::anthropic_messages},
    Name{"streamRawPredict", Endpoint::messages, Dialect::anthropic_messages},
};

// What stands behind /model/{id} at Bedrock. Of the models that are invoked, Claude is played, and
// those that embed and rerank.
constexpr std::array kBedrock = {
    Name{"converse", Endpoint::converse, Dialect::bedrock_converse},
    Name{"converse-stream", Endpoint::converse, Dialect::bedrock_converse},
    Name{"invoke", Endpoint::messages, Dialect::anthropic_messages},
    Name{"invoke-with-response-stream", Endpoint::messages, Dialect::anthropic_messages},
    Name{"count-tokens", Endpoint::count_tokens, Dialect::anthropic_messages},
};

// Collections whose objects have ids: "/v1/files/file-1/content".
constexpr std::array kCollections = {
    Name{"files", Endpoint::files, Dialect::passthrough},
    Name{"batches", Endpoint::batches, Dialect::passthrough},
    Name{"models", Endpoint::models, Dialect::passthrough},
    Name{"images", Endpoint::images, Dialect::passthrough},
    Name{"responses", Endpoint::responses, Dialect::openai_responses},
};

std::string decoded(std::string_view text) {
  return percent_decode(text).value_or(std::string(text));
}

void set(Route& route, const Name& name) {
  route.endpoint = name.endpoint;
  route.dialect = name.dialect;
}

bool find_verb(std::string_view last, Route& route) {
  const size_t colon = last.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view verb = last.substr(colon + 1);
  for (const Name& name : kVerbs) {
    if (name.text != verb) continue;
    set(route, name);
    route.model = decoded(last.substr(0, colon));
    route.stream = verb.starts_with("stream");
    if (route.model == "count-tokens") {
      route.endpoint = Endpoint::count_tokens;
      route.model.clear();
    }
    return true;
  }
  return false;
}

bool find_bedrock(const std::vector<std::string_view>& parts, Route& route) {
  if (parts.size() < 3 || parts[parts.size() - 3] != "model") return false;
  for (const Name& name : kBedrock) {
    if (name.text != parts.back()) continue;
    set(route, name);
    route.flavor = Flavor::bedrock;
    route.model = decoded(parts[parts.size() - 2]);
    route.stream = name.text.ends_with("stream");
    if (name.text != "invoke") return true;
    if (is_bedrock_embedding(route.model)) {
      set(route, {"", Endpoint::bedrock_embeddings, Dialect::passthrough});
    } else if (route.model.find("rerank") != std::string::npos) {
      set(route, {"", Endpoint::rerank, Dialect::passthrough});
    }
    return true;
  }
  return false;
}

// A collection, one of its objects, or what hangs below one.
bool find_collection(const std::vector<std::string_view>& parts, Route& route) {
  for (size_t back = 1; back <= 3 && back <= parts.size(); ++back) {
    const size_t at = parts.size() - back;
    for (const Name& name : kCollections) {
      if (name.text != parts[at]) continue;
      set(route, name);
      if (back > 1) route.id = decoded(parts[at + 1]);
      if (back > 2) route.action = std::string(parts[at + 2]);
      if (name.endpoint == Endpoint::models) {
        // Names of some servers' models hold a slash.
        route.model = back > 2 ? route.id + "/" + decoded(parts[at + 2]) : route.id;
      }
      return true;
    }
  }
  return false;
}

void find_flavor(const std::vector<std::string_view>& parts, Route& route) {
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    if (parts[i] == "projects" && i <= 1) route.flavor = Flavor::vertex;
    if (parts[i] != "openai" || i != 0) continue;
    route.flavor = Flavor::azure;
    if (parts[i + 1] == "deployments" && i + 2 < parts.size()) route.model = decoded(parts[i + 2]);
  }
  if (!parts.empty() && parts[0] == "anthropic") route.flavor = Flavor::azure;
}

Route find(const std::vector<std::string_view>& parts) {
  Route route;
  if (parts.empty()) return route;
  find_flavor(parts, route);
  const std::string_view last = parts.back();
  const std::string_view before = parts.size() > 1 ? parts[parts.size() - 2] : std::string_view();
  if (find_verb(last, route) || find_bedrock(parts, route)) return route;
  if (last == "token") {
    const bool entra = before == "v2.0";
    route.endpoint = entra ? Endpoint::entra_token : Endpoint::google_token;
    return route;
  }
  if (before == "chat" && last == "completions") {
    set(route, {"", Endpoint::chat, Dialect::openai_chat});
    return route;
  }
  if (parts.size() == 1 && last == "rerank") route.flavor = Flavor::bedrock;  // its agents' runtime
  if (before == "audio") {
    set(route,
        {"", last == "speech" ? Endpoint::speech : Endpoint::transcriptions, Dialect::passthrough});
    return route;
  }
  for (const Name& name : kLast) {
    if (name.text != last) continue;
    set(route, name);
    return route;
  }
  find_collection(parts, route);
  return route;
}

}  // namespace

std::string_view to_string(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::unknown:
      return "unknown";
    case Endpoint::chat:
      return "chat";
    case Endpoint::completions:
      return "completions";
    case Endpoint::responses:
      return "responses";
    case Endpoint::embeddings:
      return "embeddings";
    case Endpoint::models:
      return "models";
    case Endpoint::moderations:
      return "moderations";
    case Endpoint::images:
      return "images";
    case Endpoint::speech:
      return "speech";
    case Endpoint::transcriptions:
      return "transcriptions";
    case Endpoint::files:
      return "files";
    case Endpoint::batches:
      return "batches";
    case Endpoint::rerank:
      return "rerank";
    case Endpoint::messages:
      return "messages";
    case Endpoint::count_tokens:
      return "count_tokens";
    case Endpoint::generate:
      return "generate";
    case Endpoint::converse:
      return "converse";
    case Endpoint::gemini_count_tokens:
      return "gemini_count_tokens";
    case Endpoint::embed_content:
      return "embed_content";
    case Endpoint::batch_embed_contents:
      return "batch_embed_contents";
    case Endpoint::bedrock_embeddings:
      return "bedrock_embeddings";
    case Endpoint::predict:
      return "predict";
    case Endpoint::entra_token:
      return "entra_token";
    case Endpoint::google_token:
      return "google_token";
    case Endpoint::control:
      return "control";
  }
  return "unknown";
}

Route find_route(std::string_view path, std::string_view query) {
  constexpr std::string_view kControl = "/sim/v1/";
  if (path.starts_with(kControl)) {
    Route route;
    route.endpoint = Endpoint::control;
    route.id = std::string(path.substr(kControl.size()));
    return route;
  }
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(path, '/')) {
    if (!part.empty()) parts.push_back(part);
  }
  Route route = find(parts);
  route.sse = query_value(query, "alt") == "sse";
  return route;
}

std::string query_value(std::string_view query, std::string_view name) {
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string() : decoded(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace weir::sim
