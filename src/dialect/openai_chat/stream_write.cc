#include <algorithm>
#include <vector>

#include "base/utf8.h"
#include "dialect/openai_chat/openai_chat.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
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
  bool open = false;
  Part part;               // the open one: what of it has not been written, and thinking's text
  int64_t calls = 0;       // calls opened so far
  bool call_held = false;  // the call's first chunk waits for its signature
  bool args_sent = false;
  bool custom = false;     // the call is of a custom tool
  int64_t thoughts = 0;    // entries of reasoning_details so far
  int64_t characters = 0;  // of the texts so far
  int64_t part_characters = 0;
};

class Writer final : public StreamWriter {
 public:
  explicit Writer(const Context& context)
      : request_id_(context.request_id),
        model_(context.model),
        created_(context.now_s),
        asked_(context.asked),
        include_usage_(context.include_usage) {}

  void write(const StreamEvent& event, std::string& out) override {
    if (over_) return;
    switch (event.kind) {
      case EventKind::start:
        if (!event.id.empty()) id_ = event.id;
        if (model_.empty()) model_ = event.name;
        if (event.created != 0) created_ = event.created;
        front_.clear();
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
        if (state.part.kind != PartKind::tool_call) return;
        if (state.custom) {
          state.part.json.append(event.text);
        } else {
          write_arguments(event.candidate, state, event.text, out);
        }
        return;
      case EventKind::signature:
        write_signature(event, state, out);
        return;
      case EventKind::data:
        state.part.data.append(event.text);
        return;
      case EventKind::citation:
        state.part.citations.push_back(event.citation);
        return;
      case EventKind::part_end:
        end_part(event.candidate, state, out);
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
    json_.assign(front());
    json::Writer w(json_);
    w.begin_object().member("index", static_cast<int64_t>(candidate));
    w.key("delta").begin_object();
    delta(w);
    w.end_object();
    w.key("logprobs");
    if (logprobs.empty()) {
      w.null();
    } else {
      w.raw(compact_json(logprobs));
    }
    w.key("finish_reason");
    if (finish_reason.empty()) {
      w.null();
    } else {
      w.string(finish_reason);
    }
    w.end_object();
    json_.append(include_usage_ ? R"(],"usage":null})" : "]}");
    append_sse(out, {}, json_);
  }

  // How every chunk begins, up to its first choice: written when it has changed.
  std::string_view front() {
    if (!front_.empty()) return front_;
    json::Writer w(front_);
    w.begin_object();
    w.member("id", id_.empty() ? "chatcmpl-" + request_id_ : id_);
    w.member("object", "chat.completion.chunk").member("created", created_);
    w.member("model", model_).key("choices").begin_array();
    return front_;
  }

  // The role comes first and once. A turn of calls alone has no content.
  void write_role(uint32_t candidate, ChoiceState& state, std::string& out) {
    if (state.role_sent) return;
    state.role_sent = true;
    const bool call = state.part.kind == PartKind::tool_call;
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
    if (state.open) end_part(event.candidate, state, out);
    state.open = true;
    Part& part = state.part;
    part = {};
    part.kind = event.part_kind;
    part.id = event.id;
    part.name = event.name;
    part.media_type = event.media_type;
    part.origin = event.origin;
    part.freeform = event.freeform;
    state.part_characters = 0;
    write_role(event.candidate, state, out);
    if (part.kind != PartKind::tool_call) return;
    state.call_held = true;
    state.args_sent = false;
    state.custom = tells_freeform(asked_, part.name, part.freeform);
  }

  void write_text(const StreamEvent& event, ChoiceState& state, std::string& out) {
    std::string_view name;
    switch (state.part.kind) {
      case PartKind::text:
        name = "content";
        state.part_characters += static_cast<int64_t>(utf8_code_points(event.text));
        break;
      case PartKind::refusal:
        name = "refusal";
        break;
      case PartKind::thinking:
        name = "reasoning_content";
        if (state.part.text.size() <= kThinkingBytesMax) state.part.text.append(event.text);
        break;
      case PartKind::tool_call:
        if (state.part.freeform && state.custom) {
          write_arguments(event.candidate, state, event.text, out);
        } else if (state.part.freeform) {
          state.part.text.append(event.text);
        }
        return;
      default:
        return;
    }
    chunk(event.candidate, out, [&](json::Writer& w) { w.member(name, event.text); });
  }

  // The first chunk of a call: with its signature, because clients look for it there.
  void open_call(uint32_t candidate, ChoiceState& state, std::string& out) {
    if (!state.call_held) return;
    state.call_held = false;
    const Part& part = state.part;
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("tool_calls").begin_array().begin_object().member("index", state.calls);
      w.member("id", part.id).member("type", type_of(state));
      w.key(type_of(state)).begin_object().member("name", part.name);
      w.member(state.custom ? "input" : "arguments", "").end_object();
      if (!part.signature.empty() && part.origin == Dialect::gemini) {
        w.key("extra_content");
        write_extra_content(w, part.signature);
      }
      w.end_object().end_array();
    });
  }

  static std::string_view type_of(const ChoiceState& state) {
    return state.custom ? "custom" : "function";
  }

  void write_arguments(uint32_t candidate, ChoiceState& state, std::string_view arguments,
                       std::string& out) {
    open_call(candidate, state, out);
    state.args_sent = true;
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("tool_calls").begin_array().begin_object().member("index", state.calls);
      w.key(type_of(state)).begin_object();
      w.member(state.custom ? "input" : "arguments", arguments).end_object();
      w.end_object().end_array();
    });
  }

  void write_signature(const StreamEvent& event, ChoiceState& state, std::string& out) {
    if (event.origin != Dialect::passthrough) state.part.origin = event.origin;
    if (state.part.kind != PartKind::tool_call || state.call_held) {
      state.part.signature.append(event.text);
    } else if (event.origin == Dialect::gemini) {
      chunk(event.candidate, out, [&](json::Writer& w) {
        w.key("tool_calls").begin_array().begin_object().member("index", state.calls);
        w.key("extra_content");
        write_extra_content(w, event.text);
        w.end_object().end_array();
      });
    }
  }

  // The whole entry at once: what a client gathers it can send back as it is.
  void write_detail(uint32_t candidate, ChoiceState& state, std::string& out) {
    if (signature_field(state.part, Dialect::openai_chat).empty()) return;
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("reasoning_details").begin_array();
      write_thinking_detail(w, state.part, static_cast<size_t>(state.thoughts));
      w.end_array();
    });
    ++state.thoughts;
  }

  void write_citations(uint32_t candidate, ChoiceState& state, std::string& out) {
    const auto& citations = state.part.citations;
    if (std::none_of(citations.begin(), citations.end(),
                     [](const Citation& citation) { return !citation.url.empty(); })) {
      return;
    }
    chunk(candidate, out, [&](json::Writer& w) {
      w.key("annotations").begin_array();
      for (const Citation& citation : citations) {
        write_annotation(w, citation, state.characters, state.part_characters);
      }
      w.end_array();
    });
  }

  void end_part(uint32_t candidate, ChoiceState& state, std::string& out) {
    if (!state.open) return;
    state.open = false;
    const Part& part = state.part;
    switch (part.kind) {
      case PartKind::text:
        write_citations(candidate, state, out);
        write_detail(candidate, state, out);
        state.characters += state.part_characters;
        return;
      case PartKind::thinking:
      case PartKind::redacted_thinking:
        write_detail(candidate, state, out);
        return;
      case PartKind::image:
        if (part.data.empty()) return;
        chunk(candidate, out, [&](json::Writer& w) {
          w.key("images").begin_array();
          write_image_part(w, part);
          w.end_array();
        });
        return;
      case PartKind::tool_call:
        end_call(candidate, state, out);
        return;
      default:
        return;
    }
  }

  void end_call(uint32_t candidate, ChoiceState& state, std::string& out) {
    open_call(candidate, state, out);
    // The input of a custom tool comes out of its function's arguments, which had to be whole.
    if (state.custom && !state.part.freeform) {
      write_arguments(candidate, state, input_of_arguments(state.part.json), out);
    } else if (state.part.freeform && !state.custom) {
      write_arguments(candidate, state, arguments_of_input(state.part.text), out);
    } else if (!state.args_sent && !state.custom) {
      write_arguments(candidate, state, "{}", out);  // clients parse what they gathered
    }
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
      json_.assign(front()).append(R"(],"usage":)");
      json::Writer w(json_);
      write_usage_openai(w, usage_);
      if (!usage_.service_tier.empty()) {
        json_.append(R"(,"service_tier":)");
        json::append_quoted(json_, usage_.service_tier);
      }
      json_.push_back('}');
      append_sse(out, {}, json_);
    }
    append_sse(out, {}, "[DONE]");
  }

  std::string id_;
  const std::string request_id_;
  std::string model_;
  int64_t created_;
  const Conversation* const asked_;
  const bool include_usage_;
  bool over_ = false;
  Usage usage_;
  std::vector<ChoiceState> choices_;
  std::string front_;
  std::string json_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_stream_writer(const Context& context) {
  return std::make_unique<Writer>(context);
}

}  // namespace weir::dialect::openai_chat
