#include <vector>

#include "dialect/openai_chat/openai_chat.h"
#include "dialect/usage_write.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

// Thinking that is kept for the entry that carries its signature.
constexpr size_t kThinkingBytesMax = 4 * 1024 * 1024;

// What has been written of one choice.
struct ChoiceState {
  bool role_sent = false;
  bool finished = false;
  PartKind kind = PartKind::text;
  int64_t calls = 0;       // calls opened so far
  bool call_held = false;  // the call's first chunk waits for its signature
  bool args_sent = false;
  std::string call_id;
  std::string call_name;
  int64_t thoughts = 0;  // entries of reasoning_details so far
  std::string thinking;  // the open thinking part, for the entry that carries its signature
  std::string media_type;
};

class Writer final : public StreamWriter {
 public:
  explicit Writer(const Context& context)
      : request_id_(context.request_id),
        model_(context.model),
        created_(context.now_s),
        include_usage_(context.include_usage) {}

  void write(const StreamEvent& event, std::string& out) override {
    if (over_) return;
    switch (event.kind) {
      case EventKind::start:
        if (!event.id.empty()) id_ = event.id;
        if (model_.empty()) model_ = event.name;
        if (event.created != 0) created_ = event.created;
        return;
      case EventKind::usage:
        usage_.merge(event.usage);
        return;
      case EventKind::ping:
        // A comment keeps the connection alive and is no event for any client.
        out.append(": ping\n\n");
        return;
      case EventKind::error:
        out.append(write_stream_error(Dialect::openai_chat, event.error, request_id_));
        over_ = true;
        return;
      case EventKind::end:
        end(out);
        return;
      default:
        break;
    }
    if (event.candidate >= ReplyBuilder::kCandidatesMax) return;
    if (event.candidate >= choices_.size()) choices_.resize(event.candidate + 1);
    write_choice(event, choices_[event.candidate], out);
  }

 private:
  void write_choice(const StreamEvent& event, ChoiceState& state, std::string& out) {
    switch (event.kind) {
      case EventKind::part_start:
        start_part(event, state, out);
        return;
      case EventKind::text_delta:
        write_text(event, state, out);
        return;
      case EventKind::args_delta:
        open_call(event.candidate, state, {}, out);
        state.args_sent = true;
        write_arguments(event.candidate, state, event.text, out);
        return;
      case EventKind::signature:
        write_signature(event, state, out);
        return;
      case EventKind::data:
        write_data(event, state, out);
        return;
      case EventKind::part_end:
        end_part(event, state, out);
        return;
      case EventKind::logprobs:
        write_role(event.candidate, state, out);
        chunk(event.candidate, out, [](json::Writer&) {}, {}, event.text);
        return;
      case EventKind::finish:
        write_role(event.candidate, state, out);
        finish(event.candidate, state, event.stop, out);
        return;
      default:
        return;
    }
  }

  // One chunk with one choice; `delta` writes the members of its delta.
  template <class Delta>
  void chunk(uint32_t candidate, std::string& out, Delta delta, std::string_view finish_reason = {},
             std::string_view logprobs = {}) {
    json::Writer w(json_);
    begin_chunk(w);
    w.begin_object().member("index", static_cast<int64_t>(candidate));
    w.key("delta").begin_object();
    delta(w);
    w.end_object();
    w.key("logprobs").raw(logprobs.empty() ? std::string("null") : compact_json(logprobs));
    w.key("finish_reason");
    if (finish_reason.empty()) {
      w.null();
    } else {
      w.string(finish_reason);
    }
    w.end_object().end_array();
    if (include_usage_) w.key("usage").null();
    w.end_object();
    append_sse(out, {}, json_);
  }

  void begin_chunk(json::Writer& w) {
    json_.clear();
    w.begin_object();
    w.member("id", id_.empty() ? "chatcmpl-" + request_id_ : id_);
    w.member("object", "chat.completion.chunk").member("created", created_);
    w.member("model", model_).key("choices").begin_array();
  }

  // The role comes first and once. A turn of calls alone has no content.
  void write_role(uint32_t candidate, ChoiceState& state, std::string& out) {
    if (state.role_sent) return;
    state.role_sent = true;
    const bool call = state.kind == PartKind::tool_call;
    chunk(candidate, out, [&](json::Writer& w) {
      w.member("role", "assistant").key("content");
      if (call) {
        w.null();
      } else {
        w.string("");
      }
    });
  }

  void start_part(const StreamEvent& event, ChoiceState& state, std::string& out) {
    state.kind = event.part_kind;
    write_role(event.candidate, state, out);
    state.thinking.clear();
    state.media_type = event.media_type;
    if (event.part_kind != PartKind::tool_call) return;
    state.call_held = true;
    state.args_sent = false;
    state.call_id = event.id;
    state.call_name = event.name;
  }

  void write_text(const StreamEvent& event, ChoiceState& state, std::string& out) {
    std::string_view name;
    switch (state.kind) {
      case PartKind::text:
        name = "content";
        break;
      case PartKind::refusal:
        name = "refusal";
        break;
      case PartKind::thinking:
        name = "reasoning_content";
        if (state.thinking.size() <= kThinkingBytesMax) state.thinking.append(event.text);
        break;
      default:
        return;
    }
    chunk(event.candidate, out, [&](json::Writer& w) { w.member(name, event.text); });
  }

  // The first chunk of a call: with its signature, because clients look for it there.
  void open_call(uint32_t candidate, ChoiceState& state, std::string_view signature,
                 std::string& out) {
    if (!state.call_held) return;
    state.call_held = false;
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("tool_calls").begin_array().begin_object().member("index", state.calls);
      w.member("id", state.call_id).member("type", "function");
      w.key("function").begin_object().member("name", state.call_name).member("arguments", "");
      w.end_object();
      if (!signature.empty()) {
        w.key("extra_content");
        write_extra_content(w, signature);
      }
      w.end_object().end_array();
    });
  }

  void write_arguments(uint32_t candidate, ChoiceState& state, std::string_view arguments,
                       std::string& out) {
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("tool_calls").begin_array().begin_object().member("index", state.calls);
      w.key("function").begin_object().member("arguments", arguments).end_object();
      w.end_object().end_array();
    });
  }

  void write_signature(const StreamEvent& event, ChoiceState& state, std::string& out) {
    if (state.kind == PartKind::tool_call && state.call_held) {
      open_call(event.candidate, state, event.text, out);
    } else if (state.kind == PartKind::tool_call) {
      chunk(event.candidate, out, [&](json::Writer& w) {
        w.key("tool_calls").begin_array().begin_object().member("index", state.calls);
        w.key("extra_content");
        write_extra_content(w, event.text);
        w.end_object().end_array();
      });
    } else if (state.kind == PartKind::thinking) {
      Part part{.kind = PartKind::thinking, .text = state.thinking, .signature = event.text};
      write_detail(event.candidate, state, part, out);
    }
  }

  // The whole entry at once: what a client gathers it can send back as it is.
  void write_detail(uint32_t candidate, ChoiceState& state, const Part& part, std::string& out) {
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("reasoning_details").begin_array();
      write_thinking_detail(w, part, static_cast<size_t>(state.thoughts));
      w.end_array();
    });
    ++state.thoughts;
  }

  void write_data(const StreamEvent& event, ChoiceState& state, std::string& out) {
    if (state.kind == PartKind::redacted_thinking) {
      Part part{.kind = PartKind::redacted_thinking, .data = event.text};
      write_detail(event.candidate, state, part, out);
    } else if (state.kind == PartKind::image) {
      Part part{.kind = PartKind::image, .media_type = state.media_type, .data = event.text};
      chunk(event.candidate, out, [&](json::Writer& w) {
        w.key("images").begin_array();
        write_image_part(w, part);
        w.end_array();
      });
    }
  }

  void end_part(const StreamEvent& event, ChoiceState& state, std::string& out) {
    if (state.kind != PartKind::tool_call) return;
    open_call(event.candidate, state, {}, out);
    // Clients parse what they gathered: nothing is no JSON.
    if (!state.args_sent) write_arguments(event.candidate, state, "{}", out);
    ++state.calls;
  }

  void finish(uint32_t candidate, ChoiceState& state, StopReason stop, std::string& out) {
    if (state.finished) return;
    state.finished = true;
    const bool call = stop == StopReason::unset && state.calls > 0;
    chunk(
        candidate, out, [](json::Writer&) {},
        finish_reason_of_stop(call ? StopReason::tool_use : stop));
  }

  void end(std::string& out) {
    over_ = true;
    if (choices_.empty()) choices_.resize(1);
    for (size_t i = 0; i < choices_.size(); ++i) {
      const auto candidate = static_cast<uint32_t>(i);
      write_role(candidate, choices_[i], out);
      finish(candidate, choices_[i], StopReason::unset, out);
    }
    if (include_usage_) {
      json::Writer w(json_);
      begin_chunk(w);
      w.end_array().key("usage");
      write_usage_openai(w, usage_);
      if (!usage_.service_tier.empty()) w.member("service_tier", usage_.service_tier);
      w.end_object();
      append_sse(out, {}, json_);
    }
    append_sse(out, {}, "[DONE]");
  }

  std::string id_;
  const std::string request_id_;
  std::string model_;
  int64_t created_;
  const bool include_usage_;
  bool over_ = false;
  Usage usage_;
  std::vector<ChoiceState> choices_;
  std::string json_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const Context& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace weir::dialect::openai_chat
