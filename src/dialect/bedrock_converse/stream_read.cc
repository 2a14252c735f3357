#include <string>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/errors.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect::bedrock_converse {
namespace {

using anthropic_messages::kJsonToolName;

ApiError broken(std::string_view code, std::string_view message) {
  ApiError error;
  error.type = ApiErrorType::unavailable;
  error.status = 502;
  error.code = code;
  error.message = message;
  return error;
}

// Usage comes behind messageStop, in `metadata`: the stream is whole with both, in either order, or
// when the bytes end behind messageStop.
class Reader final : public StreamReader {
 public:
  void read(const SseEvent& event, StreamEvents& out) override {
    if (over_ || event.data.empty()) return;
    if (!document_.parse(event.data, {.unique_keys_levels = 0}) || !document_.root().is_object()) {
      return fail_with(
          broken("malformed_event", "the provider sent a stream event that is not a JSON object"),
          out);
    }
    const json::Value root = document_.root();
    if (event.event == "error" || root["type"].equals("error")) {
      return fail_with(read_error_json(200, root), out);
    }
    if (event.event == "messageStart") {
      start(out);
    } else if (event.event == "contentBlockStart") {
      start_block(root, out);
    } else if (event.event == "contentBlockDelta") {
      read_delta(root, out);
    } else if (event.event == "contentBlockStop") {
      close(out);
    } else if (event.event == "messageStop") {
      read_stop(root, out);
    } else if (event.event == "metadata") {
      read_metadata(root, out);
    }
  }

  void finish(StreamEvents& out) override {
    if (over_) return;
    if (stopped_) return end(out);
    fail_with(broken("stream_truncated", "the provider's stream ended early"), out);
  }

 private:
  StreamEvent& add(StreamEvents& out, EventKind kind) {
    StreamEvent& event = out.emplace_back();
    event.kind = kind;
    event.part = part_;
    return event;
  }

  void start(StreamEvents& out) {
    if (started_) return;
    started_ = true;
    add(out, EventKind::start);
  }

  void start_block(json::Value root, StreamEvents& out) {
    start(out);
    close(out);
    block_ = root["contentBlockIndex"].as_int64().value_or(-1);
    const json::Value begin = root["start"];
    if (const json::Value use = begin["toolUse"]; use.is_object()) {
      if (use["type"].exists()) {
        skipped_ = true;  // a tool that the provider runs itself
        return;
      }
      is_answer_ = use["name"].equals(kJsonToolName);
      if (is_answer_) {
        open(out, PartKind::text);
        return;
      }
      StreamEvent& event = open(out, PartKind::tool_call);
      event.id = use["toolUseId"].string_or("");
      event.name = use["name"].string_or("");
      has_call_ = true;
    } else if (const json::Value image = begin["image"]; image.is_object()) {
      StreamEvent& event = open(out, PartKind::image);
      event.media_type = "image/" + image["format"].string_or("png");
    } else if (begin["toolResult"].exists()) {
      skipped_ = true;
    }
    // Text and thinking have no start worth the name: their first delta says what they are.
  }

  void read_delta(json::Value root, StreamEvents& out) {
    start(out);
    const int64_t block = root["contentBlockIndex"].as_int64().value_or(block_);
    if (skipped_ && block == block_) return;
    const json::Value delta = root["delta"];
    if (const json::Value text = delta["text"]; text.is_string()) {
      begin(PartKind::text, block, out);
      add_text(out, EventKind::text_delta, text.string_or(""));
    } else if (const json::Value use = delta["toolUse"]; use.is_object()) {
      const PartKind kind = is_answer_ ? PartKind::text : PartKind::tool_call;
      if (!is_open(kind, block)) return;
      add_text(out, is_answer_ ? EventKind::text_delta : EventKind::args_delta,
               use["input"].string_or(""));
    } else if (const json::Value reasoning = delta["reasoningContent"]; reasoning.is_object()) {
      read_reasoning(reasoning, block, out);
    } else if (const json::Value citation = delta["citation"]; citation.is_object()) {
      begin(PartKind::text, block, out);
      add(out, EventKind::citation).citation = read_citation(citation);
    } else if (const json::Value image = delta["image"]; image.is_object()) {
      if (!is_open(PartKind::image, block)) return;
      add_text(out, EventKind::data, image["source"]["bytes"].string_or(""));
    }
  }

  void read_reasoning(json::Value reasoning, int64_t block, StreamEvents& out) {
    if (reasoning["redactedContent"].is_string()) {
      begin(PartKind::redacted_thinking, block, out);
      add_text(out, EventKind::data, reasoning["redactedContent"].string_or(""));
      return;
    }
    begin(PartKind::thinking, block, out);
    add_text(out, EventKind::text_delta, reasoning["text"].string_or(""));
    if (std::string signature = reasoning["signature"].string_or(""); !signature.empty()) {
      StreamEvent& event = add(out, EventKind::signature);
      event.text = std::move(signature);
      event.origin = Dialect::bedrock_converse;
    }
  }

  void read_stop(json::Value root, StreamEvents& out) {
    start(out);
    close(out);
    if (stopped_) return;
    stopped_ = true;
    StopReason stop = stop_of_stop_reason(root["stopReason"].string_or(""));
    if (stop == StopReason::tool_use && !has_call_) stop = StopReason::end_turn;
    const json::Value additional = root["additionalModelResponseFields"];
    StreamEvent& event = add(out, EventKind::finish);
    event.stop = stop;
    event.name =
        additional["delta"]["stop_sequence"].string_or(additional["stop_sequence"].string_or(""));
    if (measured_) end(out);
  }

  void read_metadata(json::Value root, StreamEvents& out) {
    start(out);
    const Usage usage = usage_of_converse_body(root);
    if (usage.reported) add(out, EventKind::usage).usage = usage;
    measured_ = true;
    if (stopped_) end(out);
  }

  void end(StreamEvents& out) {
    add(out, EventKind::end);
    over_ = true;
  }

  // --- parts ---

  bool is_open(PartKind kind, int64_t block) const {
    return open_ && kind_ == kind && block == block_;
  }

  // A part of that kind and block, the one that is open or a new one.
  void begin(PartKind kind, int64_t block, StreamEvents& out) {
    if (is_open(kind, block)) return;
    close(out);
    block_ = block;
    StreamEvent& event = open(out, kind);
    if (kind == PartKind::thinking || kind == PartKind::redacted_thinking) {
      event.origin = Dialect::bedrock_converse;
    }
  }

  StreamEvent& open(StreamEvents& out, PartKind kind) {
    open_ = true;
    kind_ = kind;
    StreamEvent& event = add(out, EventKind::part_start);
    event.part_kind = kind;
    return event;
  }

  void add_text(StreamEvents& out, EventKind kind, std::string text) {
    if (!text.empty()) add(out, kind).text = std::move(text);
  }

  void close(StreamEvents& out) {
    skipped_ = false;
    is_answer_ = false;
    if (!open_) return;
    add(out, EventKind::part_end);
    open_ = false;
    ++part_;
  }

  void fail_with(ApiError error, StreamEvents& out) {
    add(out, EventKind::error).error = std::move(error);
    over_ = true;
  }

  json::Document document_;
  bool started_ = false;
  bool stopped_ = false;   // messageStop has come
  bool measured_ = false;  // metadata has come
  bool over_ = false;
  int64_t block_ = -1;  // index of the block that began last
  bool skipped_ = false;
  bool open_ = false;
  PartKind kind_ = PartKind::text;
  uint32_t part_ = 0;
  bool is_answer_ = false;  // the open block is a call of kJsonToolName
  bool has_call_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader() {
  return std::make_unique<Reader>();
}

}  // namespace weir::dialect::bedrock_converse
