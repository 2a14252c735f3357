#include <string>

#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/wire.h"

namespace weir::dialect::bedrock_converse {
namespace {

class Writer final : public StreamWriter {
 public:
  explicit Writer(const Context& context) : request_id_(context.request_id) {}

  void write(const StreamEvent& event, std::string& out) override {
    if (over_) return;
    switch (event.kind) {
      case EventKind::start:
        start(out);
        return;
      case EventKind::usage:
        usage_.merge(event.usage);
        return;
      case EventKind::error:
        out.append(write_stream_error(Dialect::bedrock_converse, event.error, request_id_));
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
        write_text(event.text, out);
        return;
      case EventKind::args_delta:
        if (kind_ != PartKind::tool_call) return;
        delta(out, [&](json::Writer& w) {
          w.key("toolUse").begin_object().member("input", event.text).end_object();
        });
        return;
      case EventKind::signature:
        // A tool call's signature is Gemini's and has no place here.
        if (kind_ != PartKind::thinking || event.text.empty()) return;
        delta(out, [&](json::Writer& w) {
          w.key("reasoningContent").begin_object().member("signature", event.text).end_object();
        });
        return;
      case EventKind::data:
        write_data(event.text, out);
        return;
      case EventKind::citation:
        if (kind_ != PartKind::text) return;
        delta(out, [&](json::Writer& w) {
          w.key("citation");
          write_citation(w, event.citation);
        });
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
    start(out);
    kind_ = event.part_kind;
    open_ = kind_ == PartKind::text || kind_ == PartKind::refusal || kind_ == PartKind::thinking ||
            kind_ == PartKind::redacted_thinking || kind_ == PartKind::tool_call ||
            kind_ == PartKind::image;
    if (kind_ == PartKind::tool_call) {
      has_call_ = true;
      start_block(out, [&](json::Writer& w) {
        w.key("toolUse").begin_object();
        w.member("toolUseId", event.id).member("name", event.name).end_object();
      });
    } else if (kind_ == PartKind::image) {
      start_block(out, [&](json::Writer& w) {
        const std::string_view format =
            format_of({.kind = PartKind::image, .media_type = event.media_type});
        w.key("image").begin_object();
        w.member("format", format.empty() ? "png" : format).end_object();
      });
    }
  }

  void write_text(const std::string& text, std::string& out) {
    if (kind_ == PartKind::thinking) {
      delta(out, [&](json::Writer& w) {
        w.key("reasoningContent").begin_object().member("text", text).end_object();
      });
    } else if (kind_ == PartKind::text || kind_ == PartKind::refusal) {
      delta(out, [&](json::Writer& w) { w.member("text", text); });
    }
  }

  void write_data(const std::string& data, std::string& out) {
    if (kind_ == PartKind::redacted_thinking) {
      delta(out, [&](json::Writer& w) {
        w.key("reasoningContent").begin_object().member("redactedContent", data).end_object();
      });
    } else if (kind_ == PartKind::image) {
      delta(out, [&](json::Writer& w) {
        w.key("image").begin_object().key("source").begin_object();
        w.member("bytes", data).end_object().end_object();
      });
    }
  }

  template <class Members>
  void start_block(std::string& out, Members members) {
    send("contentBlockStart", out, [&](json::Writer& w) {
      w.member("contentBlockIndex", index_).key("start").begin_object();
      members(w);
      w.end_object();
    });
  }

  template <class Members>
  void delta(std::string& out, Members members) {
    if (!open_) return;
    send("contentBlockDelta", out, [&](json::Writer& w) {
      w.member("contentBlockIndex", index_).key("delta").begin_object();
      members(w);
      w.end_object();
    });
  }

  void end_part(std::string& out) {
    if (!open_) return;
    send("contentBlockStop", out, [&](json::Writer& w) { w.member("contentBlockIndex", index_); });
    open_ = false;
    ++index_;
  }

  template <class Members>
  void send(std::string_view type, std::string& out, Members members) {
    json_.clear();
    json::Writer w(json_);
    w.begin_object();
    members(w);
    w.end_object();
    append_sse(out, type, json_);
  }

  void start(std::string& out) {
    if (started_) return;
    started_ = true;
    send("messageStart", out, [](json::Writer& w) { w.member("role", "assistant"); });
  }

  void end(std::string& out) {
    start(out);
    end_part(out);
    send("messageStop", out, [&](json::Writer& w) {
      w.member("stopReason", stop_reason_of_stop(stop_, has_call_));
      if (stop_sequence_.empty()) return;
      w.key("additionalModelResponseFields").begin_object().key("delta").begin_object();
      w.member("stop_sequence", stop_sequence_).end_object().end_object();
    });
    send("metadata", out, [&](json::Writer& w) {
      w.key("usage");
      write_usage(w, usage_);
      w.key("metrics").begin_object().member("latencyMs", 0).end_object();
      if (!usage_.service_tier.empty()) {
        w.key("serviceTier").begin_object().member("type", usage_.service_tier).end_object();
      }
    });
    over_ = true;
  }

  const std::string request_id_;
  Usage usage_;
  bool started_ = false;
  bool over_ = false;
  bool open_ = false;
  PartKind kind_ = PartKind::text;
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

}  // namespace weir::dialect::bedrock_converse
