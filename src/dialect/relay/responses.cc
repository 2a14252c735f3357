// The relay tracker of OpenAI's Responses: named events, a terminal event instead of [DONE], usage
// inside its `response`.

#include "base/json/writer.h"
#include "dialect/errors.h"
#include "dialect/openai_responses/openai_responses.h"
#include "dialect/relay/tracker.h"
#include "dialect/sse.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

// Events that announce and carry nothing yet: failover behind them goes unnoticed.
bool is_announcement(std::string_view type) {
  return type == "response.created" || type == "response.queued" ||
         type == "response.in_progress" || type == "response.output_item.added" ||
         type == "response.content_part.added" || type == "response.reasoning_summary_part.added" ||
         type == "keepalive" || type == "ping";
}

StopReason stop_of_completed(json::Value response) {
  for (const json::Value item : response["output"].elements()) {
    const json::Value type = item["type"];
    if (type.equals("function_call") || type.equals("custom_tool_call")) {
      return StopReason::tool_use;
    }
  }
  return StopReason::end_turn;
}

StopReason stop_of_incomplete(json::Value response) {
  const json::Value reason = response["incomplete_details"]["reason"];
  if (reason.equals("max_output_tokens")) return StopReason::max_tokens;
  if (reason.equals("content_filter")) return StopReason::content_filter;
  return StopReason::other;
}

class ResponsesTracker : public RelayTracker {
 public:
  RelayVerdict on_event(const RelayEvent& event, RelayFacts& facts) override;
  std::string broken_off(const ApiError& error, Dialect client, std::string_view request_id,
                         const RelayFacts& facts) const override;

 private:
  RelayVerdict on_terminal(std::string_view type, json::Value response, RelayFacts& facts);
  void begin(json::Value response);

  std::string id_, model_;  // of response.created, up to kNameMax
  int64_t created_ = 0;
};

void ResponsesTracker::begin(json::Value response) {
  constexpr size_t kNameMax = 512;
  id_ = response["id"].string_or("").substr(0, kNameMax);
  model_ = response["model"].string_or("").substr(0, kNameMax);
  created_ = response["created_at"].as_int64().value_or(0);
}

// OpenAI's SDKs raise at the `error` event; Codex knows only response.failed and takes all else for
// a lost connection.
std::string ResponsesTracker::broken_off(const ApiError& error, Dialect client,
                                         std::string_view request_id,
                                         const RelayFacts& facts) const {
  if (client != Dialect::openai_responses || id_.empty()) {
    return write_stream_error(client, error, request_id);
  }
  openai_responses::ResponseWriter response{Context{}};
  response.id = id_;
  response.model = model_;
  response.created = created_;
  response.usage = facts.usage;
  std::string event;
  json::Writer w(event);
  w.begin_object().member("type", "response.failed").member("sequence_number", facts.events);
  w.key("response");
  response.write(w, openai_responses::Status::failed, {}, StopReason::unset, &error);
  w.end_object();
  std::string out;
  append_sse(out, "response.failed", event);
  append_sse(out, "error", write_responses_error(error, facts.events + 1));
  return out;
}

RelayVerdict ResponsesTracker::on_event(const RelayEvent& event, RelayFacts& facts) {
  // Some compatible servers close with chat's sentinel all the same.
  if (event.data.starts_with("[DONE]")) return {.drop = facts.error.has_value()};
  const json::Value root = event.root;
  const std::string type = root["type"].string_or(event.name);
  if (type == "error" || (type.empty() && root["error"].is_object())) {
    root.exists() ? set_error(facts, root) : set_error_text(facts, event.data);
    return {};
  }
  if (type == "response.completed" || type == "response.incomplete" || type == "response.failed" ||
      type == "response.cancelled") {
    return on_terminal(type, root["response"], facts);
  }
  if (type == "response.created") begin(root["response"]);
  if (!root.exists() || is_announcement(type)) return {};
  const json::Value delta = root["delta"];
  if (!type.ends_with(".delta") || !delta.is_string()) {
    facts.has_content = true;
    return {};
  }
  if (type == "response.audio.delta" || type == "response.output_audio.delta") {
    facts.has_content = true;  // base64, no text
    return {};
  }
  add_generated(facts, text_length(delta));
  if (delta.equals("")) return {};
  return {.text = delta, .others = {root["sequence_number"], root["obfuscation"], {}}};
}

RelayVerdict ResponsesTracker::on_terminal(std::string_view type, json::Value response,
                                           RelayFacts& facts) {
  facts.has_content = true;
  replace_usage(facts.usage, usage_of_openai_response(response));
  if (type == "response.failed") {
    set_error(facts, response);
    return {};
  }
  if (facts.error) return {.drop = true};
  facts.stop =
      type == "response.completed" ? stop_of_completed(response) : stop_of_incomplete(response);
  facts.complete = true;
  return {};
}

}  // namespace

std::unique_ptr<RelayTracker> make_openai_responses_tracker() {
  return std::make_unique<ResponsesTracker>();
}

}  // namespace weir::dialect
