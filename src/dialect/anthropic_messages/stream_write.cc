#include <string>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/usage_write.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

constexpr Dialect kOwn = Dialect::anthropic_messages;

class Writer final : public StreamWriter {
 public:
  explicit Writer(const Context& context)
      : request_id_(context.request_id),
        text_signatures_(wants_text_signatures(context)),
        model_(context.model) {}

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
        write_text(event, out);
        return;
      case EventKind::args_delta:
        if (part_.kind == PartKind::tool_call) {
          open_call(out);
          delta("input_json_delta", "partial_json", event.text, out);
        } else if (part_.kind == PartKind::native) {
          part_.json += event.text;
        }
        return;
      case EventKind::signature:
        part_.signature += event.text;
        if (event.origin != Dialect::passthrough) part_.origin = event.origin;
        return;
      case EventKind::data:
        part_.data += event.text;
        return;
      case EventKind::citation:
        if (part_.kind == PartKind::text && open_) write_citation_delta(event.citation, out);
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

  void write_text(const StreamEvent& event, std::string& out) {
    if (part_.kind == PartKind::thinking) {
      delta("thinking_delta", "thinking", event.text, out);
    } else if (part_.kind == PartKind::text || part_.kind == PartKind::refusal) {
      delta("text_delta", "text", event.text, out);
    } else if (part_.kind == PartKind::tool_call && part_.freeform) {
      part_.text += event.text;
    }
  }

  void write_citation_delta(const Citation& citation, std::string& out) {
    send("content_block_delta", out, [&](json::Writer& w) {
      w.member("index", index_).key("delta").begin_object().member("type", "citations_delta");
      w.key("citation");
      write_citation(w, citation);
      w.end_object();
    });
  }

  void start_part(const StreamEvent& event, std::string& out) {
    end_part(out);
    part_ = {};
    part_.kind = event.part_kind;
    part_.id = event.id;
    part_.name = event.name;
    part_.origin = event.origin;
    part_.freeform = event.freeform;
    switch (part_.kind) {
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
        call_held_ = true;
        has_call_ = true;
        return;
      default:
        return;  // what has to be whole waits for its end; other kinds have no block
    }
  }

  // A call waits for its signature, which travels in its id.
  void open_call(std::string& out) {
    if (!call_held_) return;
    call_held_ = false;
    start_block(out, [&](json::Writer& w) {
      w.member("type", "tool_use");
      w.member("id", call_id_with(part_.id, part_.origin, part_.signature));
      w.member("name", part_.name).key("input").begin_object().end_object();
    });
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
    if (call_held_) open_call(out);
    if (part_.kind == PartKind::tool_call && part_.freeform) {
      delta("input_json_delta", "partial_json", arguments_of_input(part_.text), out);
    } else if (part_.kind == PartKind::thinking) {
      delta("signature_delta", "signature", signature_field(part_, kOwn), out);
    }
    stop_block(out);
    if (part_.kind == PartKind::redacted_thinking ||
        (part_.kind == PartKind::text && text_signatures_)) {
      const std::string data = signature_field(part_, kOwn);
      if (!data.empty()) {
        start_block(out, [&](json::Writer& w) {
          w.member("type", "redacted_thinking").member("data", data);
        });
      }
    } else if (part_.kind == PartKind::native && part_.origin == kOwn && !part_.json.empty()) {
      start_message(out);
      open_ = true;
      send("content_block_start", out, [&](json::Writer& w) {
        w.member("index", index_).member_raw("content_block", part_.json);
      });
    }
    stop_block(out);
    part_ = {};
  }

  void stop_block(std::string& out) {
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
  const bool text_signatures_;
  std::string id_;
  std::string model_;
  Usage usage_;
  bool started_ = false;
  bool over_ = false;
  bool open_ = false;
  Part part_;               // the open one: what of it is not written at once
  bool call_held_ = false;  // its block has not begun
  int64_t index_ = 0;
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
