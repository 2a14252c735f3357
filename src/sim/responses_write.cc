// The response object and its event ladder, in the order that OpenAI documents and its SDKs insist
// on: created, in_progress, per item added .. deltas .. done, then completed or incomplete.
#include <fmt/format.h>

#include "base/json/writer.h"
#include "dialect/sse.h"
#include "sim/responses.h"

namespace weir::sim {
namespace {

using dialect::Candidate;
using dialect::EventKind;
using dialect::Part;
using dialect::PartKind;
using dialect::Reply;
using dialect::StopReason;
using dialect::StreamEvent;

bool is_message(PartKind kind) {
  return kind == PartKind::text || kind == PartKind::refusal;
}

std::string item_id(const Part& part, std::string_view reply_id, size_t index) {
  const bool call = part.kind == PartKind::tool_call;
  const std::string_view prefix = is_message(part.kind)   ? "msg"
                                  : call && part.freeform ? "ctc"
                                  : call                  ? "fc"
                                                          : "rs";
  // The unique end of "resp_sim0123...".
  const size_t cut = reply_id.find('_');
  return fmt::format("{}_{}_{}", prefix,
                     reply_id.substr(cut == std::string_view::npos ? 0 : cut + 1), index);
}

// {"type":"output_text",...} or {"type":"refusal",...}; `done`: with the text, else empty.
void write_content_part(json::Writer& w, const Part& part, bool done) {
  const std::string_view text = done ? std::string_view(part.text) : std::string_view();
  w.begin_object();
  if (part.kind == PartKind::refusal) {
    w.member("type", "refusal").member("refusal", text);
  } else {
    w.member("type", "output_text").key("annotations").begin_array().end_array();
    w.key("logprobs").begin_array().end_array().member("text", text);
  }
  w.end_object();
}

void write_item(json::Writer& w, const Part& part, std::string_view id, bool done) {
  w.begin_object().member("id", id);
  if (is_message(part.kind)) {
    w.member("type", "message").member("status", done ? "completed" : "in_progress");
    w.key("content").begin_array();
    if (done) write_content_part(w, part, true);
    w.end_array().member("role", "assistant");
  } else if (part.kind == PartKind::tool_call && part.freeform) {
    w.member("type", "custom_tool_call").member("status", done ? "completed" : "in_progress");
    w.member("input", done ? std::string_view(part.text) : std::string_view());
    w.member("call_id", part.id).member("name", part.name);
  } else if (part.kind == PartKind::tool_call) {
    w.member("type", "function_call").member("status", done ? "completed" : "in_progress");
    w.member("arguments", done ? std::string_view(part.json) : std::string_view());
    w.member("call_id", part.id).member("name", part.name);
  } else {
    w.member("type", "reasoning").key("summary").begin_array();
    if (done && !part.text.empty()) {
      w.begin_object().member("type", "summary_text").member("text", part.text).end_object();
    }
    w.end_array();
  }
  w.end_object();
}

std::string_view incomplete_reason(const Reply& reply) {
  if (reply.candidates.empty()) return {};
  switch (reply.candidates.front().stop) {
    case StopReason::max_tokens:
    case StopReason::context_window:
      return "max_output_tokens";
    case StopReason::content_filter:
      return "content_filter";
    default:
      return {};
  }
}

void write_usage(json::Writer& w, const dialect::Usage& usage) {
  w.begin_object().member("input_tokens", usage.total_input());
  w.key("input_tokens_details").begin_object().member("cached_tokens", usage.cache_read);
  w.end_object().member("output_tokens", usage.total_output());
  w.key("output_tokens_details").begin_object().member("reasoning_tokens", usage.reasoning);
  w.end_object().member("total_tokens", usage.total_input() + usage.total_output()).end_object();
}

// `status`: in_progress, completed or incomplete.
void write_response(json::Writer& w, const Reply& reply, std::string_view status) {
  const bool over = status != "in_progress";
  const std::string_view reason = over ? incomplete_reason(reply) : std::string_view();
  w.begin_object().member("id", reply.id).member("object", "response");
  w.member("created_at", reply.created).member("status", status).key("error").null();
  w.key("incomplete_details");
  if (reason.empty()) {
    w.null();
  } else {
    w.begin_object().member("reason", reason).end_object();
  }
  w.key("instructions").null().key("max_output_tokens").null().member("model", reply.model);
  w.key("output").begin_array();
  if (over && !reply.candidates.empty()) {
    size_t index = 0;
    for (const Part& part : reply.candidates.front().parts) {
      write_item(w, part, item_id(part, reply.id, index++), true);
    }
  }
  w.end_array().member("parallel_tool_calls", true).key("previous_response_id").null();
  w.key("reasoning").begin_object().key("effort").null().key("summary").null().end_object();
  w.member("store", true).member("temperature", 1.0);
  w.key("text").begin_object().key("format").begin_object().member("type", "text").end_object();
  w.end_object().member("tool_choice", "auto").key("tools").begin_array().end_array();
  w.member("top_p", 1.0).member("truncation", "disabled").key("usage");
  if (over) {
    write_usage(w, reply.usage);
  } else {
    w.null();
  }
  w.key("user").null().key("metadata").begin_object().end_object().end_object();
}

class Writer final : public dialect::StreamWriter {
 public:
  void write(const StreamEvent& event, std::string& out) override {
    if (over_ || event.candidate > 0) return;
    reply_.add(event);
    switch (event.kind) {
      case EventKind::start:
        send_response("response.created", "in_progress", out);
        send_response("response.in_progress", "in_progress", out);
        return;
      case EventKind::part_start:
        start_item(out);
        return;
      case EventKind::text_delta:
      case EventKind::args_delta:
        send_delta(event.text, out);
        return;
      case EventKind::part_end:
        end_item(out);
        return;
      case EventKind::error:
        send("error", out, [&](json::Writer& w) {
          w.member("code", event.error.code.empty() ? "server_error" : event.error.code.c_str());
          w.member("message", event.error.message).key("param").null();
        });
        over_ = true;
        return;
      case EventKind::end:
        end(out);
        return;
      default:
        return;
    }
  }

 private:
  const Part& part() const { return reply_.reply().candidates.front().parts.back(); }
  size_t index() const { return reply_.reply().candidates.front().parts.size() - 1; }
  std::string id() const { return item_id(part(), reply_.reply().id, index()); }

  template <class Members>
  void send(std::string_view type, std::string& out, Members members) {
    json_.clear();
    json::Writer w(json_);
    w.begin_object().member("type", type).member("sequence_number", sequence_++);
    members(w);
    w.end_object();
    dialect::append_sse(out, type, json_);
  }

  void send_response(std::string_view type, std::string_view status, std::string& out) {
    send(type, out, [&](json::Writer& w) {
      w.key("response");
      write_response(w, reply_.reply(), status);
    });
  }

  void place(json::Writer& w, bool content) const {
    w.member("item_id", id()).member("output_index", index());
    if (content) w.member("content_index", 0);
  }

  void start_item(std::string& out) {
    send("response.output_item.added", out, [&](json::Writer& w) {
      w.member("output_index", index()).key("item");
      write_item(w, part(), id(), false);
    });
    if (is_message(part().kind)) send_content_part("response.content_part.added", false, out);
  }

  void send_content_part(std::string_view type, bool done, std::string& out) {
    send(type, out, [&](json::Writer& w) {
      place(w, true);
      w.key("part");
      write_content_part(w, part(), done);
    });
  }

  void send_delta(std::string_view delta, std::string& out) {
    const PartKind kind = part().kind;
    const bool call = kind == PartKind::tool_call;
    if (!call && !is_message(kind)) return;  // reasoning is told whole
    const std::string_view type = call && part().freeform ? "response.custom_tool_call_input.delta"
                                  : call                  ? "response.function_call_arguments.delta"
                                  : kind == PartKind::refusal ? "response.refusal.delta"
                                                              : "response.output_text.delta";
    send(type, out, [&](json::Writer& w) {
      place(w, !call);
      w.member("delta", delta);
      if (kind == PartKind::text) w.key("logprobs").begin_array().end_array();
    });
  }

  void end_item(std::string& out) {
    const PartKind kind = part().kind;
    if (kind == PartKind::tool_call && part().freeform) {
      send("response.custom_tool_call_input.done", out, [&](json::Writer& w) {
        place(w, false);
        w.member("input", part().text);
      });
    } else if (kind == PartKind::tool_call) {
      send("response.function_call_arguments.done", out, [&](json::Writer& w) {
        place(w, false);
        w.member("name", part().name).member("arguments", part().json);
      });
    } else if (kind == PartKind::refusal) {
      send("response.refusal.done", out, [&](json::Writer& w) {
        place(w, true);
        w.member("refusal", part().text);
      });
    } else if (kind == PartKind::text) {
      send("response.output_text.done", out, [&](json::Writer& w) {
        place(w, true);
        w.member("text", part().text).key("logprobs").begin_array().end_array();
      });
    }
    if (is_message(kind)) send_content_part("response.content_part.done", true, out);
    send("response.output_item.done", out, [&](json::Writer& w) {
      w.member("output_index", index()).key("item");
      write_item(w, part(), id(), true);
    });
  }

  void end(std::string& out) {
    const bool whole = incomplete_reason(reply_.reply()).empty();
    send_response(whole ? "response.completed" : "response.incomplete",
                  whole ? "completed" : "incomplete", out);
    over_ = true;
  }

  dialect::ReplyBuilder reply_;
  std::string json_;
  int64_t sequence_ = 0;
  bool over_ = false;
};

}  // namespace

std::string write_responses_reply(const Reply& reply) {
  std::string out;
  json::Writer w(out);
  write_response(w, reply, incomplete_reason(reply).empty() ? "completed" : "incomplete");
  return out;
}

std::unique_ptr<dialect::StreamWriter> make_responses_stream_writer() {
  return std::make_unique<Writer>();
}

}  // namespace weir::sim
