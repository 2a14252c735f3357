#include "sim/bench_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::Dialect;

std::string prompt_text(const BenchOptions& options, const Arrival& arrival, Random& random) {
  const std::string steer =
      options.steer_sim ? fmt::format("\n#sim tokens={}", arrival.output_tokens) : std::string();
  const int64_t words = arrival.prompt_tokens - count_tokens(steer);
  return make_text(random, std::max<int64_t>(words, 1)) + steer;
}

void write_messages(json::Writer& w, std::string_view text) {
  w.key("messages").begin_array().begin_object().member("role", "user").member("content", text);
  w.end_object().end_array();
}

}  // namespace

std::string bench_path(const BenchOptions& options, std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  // Anthropic's and Google's SDKs add the version themselves.
  std::string_view bare = prefix;
  if (bare.ends_with("/v1")) bare.remove_suffix(3);
  if (bare.ends_with("/v1beta")) bare.remove_suffix(7);
  const std::string openai = prefix.empty() ? "/v1" : std::string(prefix);
  switch (options.dialect) {
    case Dialect::openai_completions:
      return openai + "/completions";
    case Dialect::openai_responses:
      return openai + "/responses";
    case Dialect::openai_embeddings:
      return openai + "/embeddings";
    case Dialect::anthropic_messages:
      return std::string(bare) + "/v1/messages";
    case Dialect::gemini:
      return fmt::format("{}/v1beta/models/{}:{}", bare, percent_encode(options.model),
                         options.stream ? "streamGenerateContent?alt=sse" : "generateContent");
    default:
      return openai + "/chat/completions";
  }
}

std::string bench_head(const BenchOptions& options, std::string_view prefix,
                       std::string_view host) {
  http::RequestBuilder head("POST", bench_path(options, prefix), host);
  head.header("content-type", "application/json").header("user-agent", "weir-bench");
  if (options.dialect == Dialect::anthropic_messages) {
    head.header("anthropic-version", "2023-06-01");
    if (!options.key.empty()) head.header("x-api-key", options.key);
  } else if (!options.key.empty() && options.dialect == Dialect::gemini) {
    head.header("x-goog-api-key", options.key);
  } else if (!options.key.empty()) {
    head.header("authorization", "Bearer " + options.key);
  }
  for (const auto& [name, value] : options.headers) head.header(name, value);
  return std::string(head.text());
}

std::string bench_body(const BenchOptions& options, const Arrival& arrival, Random& random) {
  const std::string text = prompt_text(options, arrival, random);
  const int64_t limit = std::max<int64_t>(arrival.output_tokens, 1);
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (options.dialect != Dialect::gemini) w.member("model", options.model);
  switch (options.dialect) {
    case Dialect::openai_embeddings:
      w.member("input", text);
      break;
    case Dialect::openai_completions:
      w.member("prompt", text).member("max_tokens", limit);
      break;
    case Dialect::openai_responses:
      w.member("input", text).member("max_output_tokens", limit);
      break;
    case Dialect::gemini:
      w.key("contents").begin_array().begin_object().member("role", "user").key("parts");
      w.begin_array().begin_object().member("text", text).end_object().end_array();
      w.end_object().end_array().key("generationConfig").begin_object();
      w.member("maxOutputTokens", limit).end_object();
      break;
    default:
      write_messages(w, text);
      w.member("max_tokens", limit);
      break;
  }
  const bool has_stream =
      options.dialect != Dialect::gemini && options.dialect != Dialect::openai_embeddings;
  if (options.stream && has_stream) {
    w.member("stream", true);
    if (options.dialect == Dialect::openai_chat || options.dialect == Dialect::openai_completions) {
      w.key("stream_options").begin_object().member("include_usage", true).end_object();
    }
  }
  w.end_object();
  return body;
}

}  // namespace weir::sim
