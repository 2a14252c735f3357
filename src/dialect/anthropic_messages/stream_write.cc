#include <string>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/usage_write.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

class Writer final : public StreamWriter {
 public:
  explicit Writer(const Context& context)
      : request_id_(context.request_id), model_(context.model) {}

  void write(const StreamEvent& event, std::string& out) override {
    if (over_) return;
    switch (event.kind) {
      case EventKind::start:
        // message_start waits for the first event with something in it, so that it can tell the
        // usage where the provider says it at once.
        id_ = event.id;
        if (model_.empty()) model_ = event.name;
        return;
      case EventKind::usage:
        usage_.merge(event.usage);
        return;
      case EventKind::ping:
        start_message(out);
        append_sse(out, "ping", R"({"type":"ping"})");
        return;
      case EventKind::error:
        out.append(write_stream_error(Dialect::anthropic_messages, event.error, request_id_));
        over_ = true;
        return;
      case EventKind::end:
        end(out);
        return;
      default:
        break;
    }
    if (event.candidate == 0) write_part(event, out);  // the API has one answer
  }

 private:
  void write_part(const StreamEvent& event, std::string& out) {
    switch (event.kind) {
      case EventKind::part_start:
        start_part(event, out);
        return;
      case EventKind::text_delta:
        if (kind_ == PartKind::thinking) {
          delta("thinking_delta", "thinking", event.text, out);
        } else if (kind_ == PartKind::text || kind_ == PartKind::refusal) {
          delta("text_delta", "text", event.text, out);
        }
        return;
      case EventKind::args_delta:
        if (kind_ != PartKind::tool_call) return;
        delta("input_json_delta", "partial_json", event.text, out);
        return;
      case EventKind::signature:
        // A tool call's signature is Gemini's and has no place here.
        if (kind_ == PartKind::thinking) delta("signature_delta", "signature", event.text, out);
        return;
      case EventKind::data:
        if (kind_ == PartKind::redacted_thinking) redacted_ += event.text;
        return;
      case EventKind::part_end:
        end_part(out);
        return;
      case EventKind::finish:
        stop_ = event.stop;
        stop_sequence_ = event.name;
        return;
      default:
        return;
    }
  }

  void start_part(const StreamEvent& event, std::string& out) {
    end_part(out);
    kind_ = event.part_kind;
    switch (kind_) {
      case PartKind::text:
      case PartKind::refusal:
        start_block(out, [](json::Writer& w) { w.member("type", "text").member("text", ""); });
        return;
      case PartKind::thinking:
        start_block(out, [](json::Writer& w) {
          w.member("type", "thinking").member("thinking", "").member("signature", "");
        });
        return;
      case PartKind::tool_call:
        has_call_ = true;
        start_block(out, [&](json::Writer& w) {
          w.member("type", "tool_use").member("id", event.id).member("name", event.name);
          w.key("input").begin_object().end_object();
        });
        return;
      default:
        return;  // redacted thinking waits for its data; other kinds have no block
    }
  }

  template <class Block>
  void start_block(std::string& out, Block block) {
    start_message(out);
    open_ = true;
    send("content_block_start", out, [&](json::Writer& w) {
      w.member("index", index_).key("content_block").begin_object();
      block(w);
      w.end_object();
    });
  }

  void delta(std::string_view type, std::string_view member, std::string_view text,
             std::string& out) {
    if (!open_ || text.empty()) return;
    send("content_block_delta", out, [&](json::Writer& w) {
      w.member("index", index_).key("delta").begin_object();
      w.member("type", type).member(member, text).end_object();
    });
  }

  void end_part(std::string& out) {
    if (!redacted_.empty()) {
      start_block(out, [&](json::Writer& w) {
        w.member("type", "redacted_thinking").member("data", redacted_);
      });
      redacted_.clear();
    }
    if (!open_) return;
    send("content_block_stop", out, [&](json::Writer& w) { w.member("index", index_); });
    open_ = false;
    ++index_;
  }

  template <class Members>
  void send(std::string_view type, std::string& out, Members members) {
    json_.clear();
    json::Writer w(json_);
    w.begin_object().member("type", type);
    members(w);
    w.end_object();
    append_sse(out, type, json_);
  }

  void start_message(std::string& out) {
    if (started_) return;
    started_ = true;
    send("message_start", out, [&](json::Writer& w) {
      w.key("message").begin_object();
      w.member("id", id_.empty() ? "msg_" + request_id_ : id_);
      w.member("type", "message").member("role", "assistant").member("model", model_);
      w.key("content").begin_array().end_array();
      w.key("stop_reason").null().key("stop_sequence").null().key("usage");
      write_usage_anthropic(w, usage_);
      w.end_object();
    });
  }

  void end(std::string& out) {
    start_message(out);
    end_part(out);
    send("message_delta", out, [&](json::Writer& w) {
      w.key("delta").begin_object();
      w.member("stop_reason", stop_reason_of_stop(stop_, has_call_)).key("stop_sequence");
      if (stop_sequence_.empty()) {
        w.null();
      } else {
        w.string(stop_sequence_);
      }
      w.end_object().key("usage");
      write_usage_anthropic(w, usage_);
    });
    send("message_stop", out, [](json::Writer&) {});
    over_ = true;
  }

  const std::string request_id_;
  std::string id_;
  std::string model_;
  Usage usage_;
  bool started_ = false;
  bool over_ = false;
  bool open_ = false;
  PartKind kind_ = PartKind::text;
  int64_t index_ = 0;
  std::string redacted_;
  bool has_call_ = false;
  StopReason stop_ = StopReason::unset;
  std::string stop_sequence_;
  std::string json_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const Context& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace weir::dialect::anthropic_messages
