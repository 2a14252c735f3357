#include "dialect/relay/meter.h"

#include <array>
#include <optional>

#include "dialect/errors.h"
#include "dialect/relay/tracker.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

// Endpoints that Weir does not read: the bytes' end is the answer's end.
class BlindRelayMeter : public RelayMeter {
 public:
  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override {
    if (bytes.empty()) return {};
    out.push_back(bytes);
    has_content_ = true;
    return {};
  }
  void finish(std::vector<std::string_view>& /*out*/) override { complete_ = true; }

  bool has_content() const override { return has_content_; }
  bool complete() const override { return complete_; }
  const std::optional<ApiError>& error() const override { return error_; }
  const Usage& usage() const override { return usage_; }
  StopReason stop() const override { return StopReason::unset; }
  int64_t generated_bytes() const override { return 0; }

 private:
  bool has_content_ = false;
  bool complete_ = false;
  std::optional<ApiError> error_;
  Usage usage_;
};

// An embeddings answer is megabytes of numbers with the usage behind them: looks from the end for
// the member instead of parsing all of it. Embeddings carry no text of a user, so the name cannot
// stand anywhere else; where the tail does not parse, the caller falls back to the whole body.
Usage read_usage_at_end(std::string_view body) {
  const size_t name = body.rfind("\"usage\"");
  if (name == std::string_view::npos) return {};
  const size_t begin = body.find('{', name);
  if (begin == std::string_view::npos) return {};
  const size_t end = body.find('}', begin);
  if (end == std::string_view::npos) return {};
  json::Document document;
  if (!document.parse(body.substr(begin, end - begin + 1))) return {};
  return usage_of_openai(document.root());
}

}  // namespace

std::string RelayMeter::broken_off(const ApiError& error, Dialect client,
                                   std::string_view request_id) const {
  return write_stream_error(client, error, request_id);
}

std::string RelayTracker::broken_off(const ApiError& error, Dialect client,
                                     std::string_view request_id,
                                     const RelayFacts& /*facts*/) const {
  return write_stream_error(client, error, request_id);
}

int64_t text_length(json::Value value) {
  if (!value.is_string()) return 0;
  const std::string_view quoted = value.raw();
  return unescaped_length(quoted.substr(1, quoted.size() - 2));
}

void set_error(RelayFacts& facts, json::Value root) {
  facts.complete = false;
  if (!facts.error) facts.error = read_error_json(200, root);
}

void set_error_text(RelayFacts& facts, std::string_view data) {
  facts.complete = false;
  if (!facts.error) facts.error = read_error(Dialect::passthrough, 200, data);
}

std::unique_ptr<RelayMeter> make_relay_meter(Dialect dialect, const RelayMeterOptions& options) {
  switch (dialect) {
    case Dialect::openai_chat:
      return make_sse_relay_meter(make_openai_chat_tracker(options));
    case Dialect::openai_completions:
      return make_sse_relay_meter(make_openai_completions_tracker(options));
    case Dialect::openai_responses:
      return make_sse_relay_meter(make_openai_responses_tracker());
    case Dialect::anthropic_messages:
      return make_sse_relay_meter(make_anthropic_tracker());
    case Dialect::gemini:
      return make_gemini_relay_meter();
    case Dialect::openai_embeddings:
    case Dialect::bedrock_converse:
    case Dialect::passthrough:
      break;
  }
  return std::make_unique<BlindRelayMeter>();
}

Usage read_usage(Dialect dialect, std::string_view body) {
  if (dialect == Dialect::passthrough) return {};
  if (dialect == Dialect::openai_embeddings) {
    if (Usage usage = read_usage_at_end(body); usage.reported) return usage;
  }
  json::Document document;
  if (!document.parse(body, {.unique_keys_levels = 0})) return {};
  return read_usage(dialect, document.root());
}

Usage read_usage(Dialect dialect, json::Value root) {
  switch (dialect) {
    case Dialect::openai_chat:
    case Dialect::openai_completions:
    case Dialect::openai_embeddings:
      return usage_of_openai_body(root);
    case Dialect::openai_responses:
      return usage_of_openai_response(root);
    case Dialect::anthropic_messages:
      return usage_of_anthropic(root["usage"]);
    case Dialect::gemini:
      return usage_of_gemini_body(root);
    case Dialect::bedrock_converse:
      return usage_of_converse_body(root);
    case Dialect::passthrough:
      break;
  }
  return {};
}

}  // namespace weir::dialect
