#include <optional>
#include <string>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/errors.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

constexpr Dialect kOwn = Dialect::anthropic_messages;
constexpr size_t kNativeBytesMax = 16 * 1024 * 1024;  // input of one block

ApiError broken(std::string_view code, std::string_view message) {
  ApiError error;
  error.type = ApiErrorType::unavailable;
  error.status = 502;
  error.code = code;
  error.message = message;
  return error;
}

class Reader final : public StreamReader {
 public:
  void read(const SseEvent& event, StreamEvents& out) override {
    if (over_ || event.data.empty() || event.data == "[DONE]") return;
    if (!document_.parse(event.data, {.unique_keys_levels = 0}) || !document_.root().is_object()) {
      return fail_with(
          broken("malformed_event", "the provider sent a stream event that is not a JSON object"),
          out);
    }
    const json::Value root = document_.root();
    // The name of the event equals the type in its data; compatible servers may send one of them.
    const std::string_view type = root["type"].as_plain_string().value_or(event.event);
    if (type == "error") {
      fail_with(read_error_json(200, root), out);
    } else if (type == "ping") {
      out.emplace_back().kind = EventKind::ping;
    } else if (type == "message_start") {
      start_message(root["message"], out);
    } else if (type == "content_block_start") {
      start_block(root, out);
    } else if (type == "content_block_delta") {
      read_delta(root, out);
    } else if (type == "content_block_stop") {
      close(out);
    } else if (type == "message_delta") {
      read_message_delta(root, out);
    } else if (type == "message_stop") {
      end(out);
    }
  }

  void finish(StreamEvents& out) override {
    if (over_) return;
    fail_with(broken("stream_truncated", "the provider's stream ended early"), out);
  }

 private:
  StreamEvent& add(StreamEvents& out, EventKind kind) {
    StreamEvent& event = out.emplace_back();
    event.kind = kind;
    event.part = part_;
    return event;
  }

  void start_message(json::Value message, StreamEvents& out) {
    const std::string id = message["id"].string_or("");
    if (started_ && id != id_) {
      // Half of one answer and the beginning of another: neither is whole.
      return fail_with(
          broken("stream_spliced", "the provider began a second message inside the first"), out);
    }
    merge_usage_of_anthropic(usage_, message["usage"]);
    if (started_) return;  // said twice
    started_ = true;
    id_ = id;
    StreamEvent& event = add(out, EventKind::start);
    event.id = id;
    event.name = message["model"].string_or("");
    if (usage_.reported) add(out, EventKind::usage).usage = usage_;
  }

  void start_block(json::Value root, StreamEvents& out) {
    close(out);
    block_ = root["index"].as_int64().value_or(-1);
    const json::Value block = root["content_block"];
    const json::Value type = block["type"];
    if (type.equals("text")) {
      open(out, PartKind::text);
      add_text(out, EventKind::text_delta, block["text"].string_or(""));
      for (const json::Value citation : block["citations"].elements()) {
        add_citation(out, citation);
      }
    } else if (type.equals("thinking")) {
      open(out, PartKind::thinking);
      add_text(out, EventKind::text_delta, block["thinking"].string_or(""));
      add_signature(out, block["signature"].string_or(""));
    } else if (type.equals("redacted_thinking")) {
      open(out, PartKind::redacted_thinking).origin = kOwn;
      add_text(out, EventKind::data, block["data"].string_or(""));
    } else if (type.equals("tool_use")) {
      start_call(block, out);
    } else if (block.is_object()) {
      // A block of the provider's own tools, or one that is not known yet: told when it is whole.
      native_ = native_part(block);
    } else {
      skipped_ = true;
    }
  }

  void start_call(json::Value block, StreamEvents& out) {
    // Compatible servers may give the whole input here and no deltas behind it.
    const json::Value input = block["input"];
    whole_input_ = input.is_object() && input.size() > 0 ? std::string(input.raw()) : std::string();
    is_answer_ = block["name"].equals(kJsonToolName);
    if (is_answer_) {
      open(out, PartKind::text);
      return;
    }
    StreamEvent& event = open(out, PartKind::tool_call);
    event.id = block["id"].string_or("");
    event.name = block["name"].string_or("");
    has_call_ = true;
  }

  void read_delta(json::Value root, StreamEvents& out) {
    const json::Value delta = root["delta"];
    const json::Value type = delta["type"];
    const int64_t block = root["index"].as_int64().value_or(block_);
    if (skipped_ && block == block_) return;
    if (native_ && block == block_) return read_native(delta);
    if (type.equals("text_delta")) {
      // Without the start of its block (compatible servers): the delta says what it is.
      if (!is_open(PartKind::text, block)) begin(PartKind::text, block, out);
      add_text(out, EventKind::text_delta, delta["text"].string_or(""));
    } else if (type.equals("thinking_delta")) {
      if (!is_open(PartKind::thinking, block)) begin(PartKind::thinking, block, out);
      add_text(out, EventKind::text_delta, delta["thinking"].string_or(""));
    } else if (type.equals("signature_delta")) {
      if (!is_open(PartKind::thinking, block)) begin(PartKind::thinking, block, out);
      add_signature(out, delta["signature"].string_or(""));
    } else if (type.equals("input_json_delta")) {
      read_input(delta["partial_json"].string_or(""), block, out);
    } else if (type.equals("citations_delta") && is_open(PartKind::text, block)) {
      add_citation(out, delta["citation"]);
    }
  }

  void read_native(json::Value delta) {
    if (whole_input_.size() > kNativeBytesMax) return;
    whole_input_ += delta["partial_json"].string_or("");
  }

  // With the input that came in pieces in its place.
  void tell_native(StreamEvents& out) {
    json::Document document;
    if (is_json(whole_input_) && document.parse(native_->json)) {
      std::string json;
      json::Writer w(json);
      w.begin_object();
      for (const auto& [key, value] : document.root().members()) {
        w.member_raw(key, key == "input" ? std::string_view(whole_input_) : value.raw());
      }
      w.end_object();
      native_->json = compact_json(json);
    }
    whole_input_.clear();
    StreamEvent& start = open(out, PartKind::native);
    start.id = native_->id;
    start.name = native_->name;
    start.origin = kOwn;
    add(out, EventKind::args_delta).text = std::move(native_->json);
    native_.reset();
  }

  void read_input(const std::string& piece, int64_t block, StreamEvents& out) {
    const PartKind kind = is_answer_ ? PartKind::text : PartKind::tool_call;
    if (piece.empty() || !is_open(kind, block)) return;
    whole_input_.clear();
    add(out, is_answer_ ? EventKind::text_delta : EventKind::args_delta).text = piece;
  }

  void read_message_delta(json::Value root, StreamEvents& out) {
    const json::Value delta = root["delta"];
    const std::string reason = delta["stop_reason"].string_or("");
    if (!reason.empty()) stop_ = stop_of_stop_reason(reason);
    const std::string sequence = delta["stop_sequence"].string_or("");
    if (!sequence.empty()) stop_sequence_ = sequence;
    const Usage before = usage_;
    merge_usage_of_anthropic(usage_, root["usage"]);
    if (usage_ != before) add(out, EventKind::usage).usage = usage_;
  }

  void end(StreamEvents& out) {
    if (!started_) {
      return fail_with(broken("stream_empty", "the provider's stream held no answer"), out);
    }
    close(out);
    if (stop_ == StopReason::tool_use && !has_call_) stop_ = StopReason::end_turn;
    StreamEvent& event = add(out, EventKind::finish);
    event.stop = stop_;
    event.name = stop_sequence_;
    add(out, EventKind::end);
    over_ = true;
  }

  // --- parts ---

  bool is_open(PartKind kind, int64_t block) const {
    return open_ && kind_ == kind && block == block_;
  }

  void begin(PartKind kind, int64_t block, StreamEvents& out) {
    close(out);
    block_ = block;
    open(out, kind);
  }

  StreamEvent& open(StreamEvents& out, PartKind kind) {
    open_ = true;
    kind_ = kind;
    StreamEvent& event = add(out, EventKind::part_start);
    event.part_kind = kind;
    return event;
  }

  void add_signature(StreamEvents& out, std::string text) {
    if (text.empty()) return;
    StreamEvent& event = add(out, EventKind::signature);
    event.text = std::move(text);
    event.origin = kOwn;
  }

  void add_citation(StreamEvents& out, json::Value citation) {
    if (citation["type"].is_string())
      add(out, EventKind::citation).citation = read_citation(citation);
  }

  void add_text(StreamEvents& out, EventKind kind, std::string text) {
    if (!text.empty()) add(out, kind).text = std::move(text);
  }

  void close(StreamEvents& out) {
    skipped_ = false;
    if (native_) tell_native(out);
    if (!open_) return;
    if (!whole_input_.empty()) {
      add(out, is_answer_ ? EventKind::text_delta : EventKind::args_delta).text = whole_input_;
    }
    whole_input_.clear();
    is_answer_ = false;
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
  bool over_ = false;
  std::string id_;
  Usage usage_;
  int64_t block_ = -1;  // index of the block that began last
  bool skipped_ = false;
  std::optional<Part> native_;  // the block that is being gathered
  bool open_ = false;
  PartKind kind_ = PartKind::text;
  uint32_t part_ = 0;
  std::string whole_input_;
  bool is_answer_ = false;  // the open block is a call of kJsonToolName
  bool has_call_ = false;
  StopReason stop_ = StopReason::unset;
  std::string stop_sequence_;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader() {
  return std::make_unique<Reader>();
}

}  // namespace weir::dialect::anthropic_messages
