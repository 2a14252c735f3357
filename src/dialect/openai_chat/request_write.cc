#include "dialect/openai_chat/openai_chat.h"
#include "dialect/reasoning.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

// OpenAI's own limits.
constexpr size_t kToolNameMax = 64;
constexpr size_t kUserMax = 64;
constexpr size_t kStopsMax = 4;

class RequestWriter {
 public:
  RequestWriter(const Conversation& conversation, const Context& context, Dropped& dropped)
      : in_(conversation),
        context_(context),
        dropped_(dropped),
        traits_(traits_of(context.base_model.empty() ? model() : context.base_model)) {}

  Result<std::string> write() {
    for (const Tool& tool : in_.tools) {
      if (is_plain_name(tool.name, kToolNameMax)) continue;
      return fail(ErrorCode::invalid_argument,
                  "tools: the name \"" + tool.name +
                      "\" is not 1 to 64 letters, digits, '_' and '-', which is what the "
                      "provider's API accepts");
    }
    w_.begin_object().member("model", model());
    w_.key("messages").begin_array();
    write_system();
    for (size_t i = 0; i < in_.messages.size(); ++i) write_message(in_.messages[i], i);
    w_.end_array();
    if (messages_ == 0) {
      return fail(ErrorCode::invalid_argument,
                  "messages: expected at least one message with content that can be sent");
    }
    write_tools();
    write_sampling();
    write_limits();
    write_format();
    write_reasoning();
    write_rest();
    w_.end_object();
    return std::move(out_);
  }

 private:
  std::string_view model() const { return context_.model.empty() ? in_.model : context_.model; }
  void drop(std::string_view path) { note(dropped_, path); }

  void begin_message(std::string_view role) {
    ++messages_;
    w_.begin_object().member("role", role);
  }

  void write_system() {
    if (in_.system.empty()) return;
    begin_message("system");
    w_.key("content");
    write_texts(in_.system, "system");
    w_.end_object();
  }

  // A string for one part, which every server takes; else a list.
  void write_texts(const std::vector<Part>& parts, const std::string& path) {
    size_t texts = 0;
    for (const Part& part : parts) {
      if (part.cache) drop("cache_control");
      if (part.kind == PartKind::text) {
        ++texts;
      } else {
        drop(path + ".content");
      }
    }
    if (texts <= 1) {
      w_.string(joined_text(parts, ""));
      return;
    }
    w_.begin_array();
    for (const Part& part : parts) {
      if (part.kind != PartKind::text) continue;
      w_.begin_object().member("type", "text").member("text", part.text).end_object();
    }
    w_.end_array();
  }

  void write_message(const Message& message, size_t index) {
    const std::string path = at_index("messages", index);
    if (message.role == Role::assistant) {
      write_assistant(message, path);
      return;
    }
    // Results stand right behind the calls, and are text only: pictures in them follow as a user
    // message.
    std::vector<Part> rest;
    for (const Part& part : message.parts) {
      if (part.kind == PartKind::tool_result) {
        write_tool_result(part, path, rest);
      }
    }
    for (const Part& part : message.parts) {
      if (part.kind != PartKind::tool_result) rest.push_back(part);
    }
    if (!rest.empty()) write_user(rest, message.name, path);
  }

  void write_tool_result(const Part& result, const std::string& path, std::vector<Part>& rest) {
    if (result.is_error) drop("tool_result.is_error");
    if (result.cache) drop("cache_control");
    begin_message("tool");
    w_.member("tool_call_id", result.id).key("content");
    std::vector<Part> texts;
    for (const Part& part : result.children) {
      (part.kind == PartKind::text ? texts : rest).push_back(part);
    }
    write_texts(texts, path);
    w_.end_object();
  }

  void write_user(const std::vector<Part>& parts, const std::string& name,
                  const std::string& path) {
    std::vector<const Part*> sent;
    for (const Part& part : parts) {
      if (part.cache) drop("cache_control");
      if (can_send(part, path)) sent.push_back(&part);
    }
    if (sent.empty()) return;
    begin_message("user");
    if (!name.empty()) w_.member("name", name);
    w_.key("content");
    if (sent.size() == 1 && sent[0]->kind == PartKind::text) {
      w_.string(sent[0]->text);
    } else {
      w_.begin_array();
      for (const Part* part : sent) write_part(*part);
      w_.end_array();
    }
    w_.end_object();
  }

  bool can_send(const Part& part, const std::string& path) {
    switch (part.kind) {
      case PartKind::text:
        return true;
      case PartKind::image:
        if (!part.data.empty() || !part.url.empty()) return true;
        drop(path + ".image");
        return false;
      case PartKind::audio:
        if (!audio_format(part).empty() && !part.data.empty()) return true;
        drop(path + ".audio");
        return false;
      case PartKind::document:
        // Chat completions take no address of a file, and file ids are one account's.
        if (!part.text.empty() || !part.data.empty()) return true;
        drop(path + ".document");
        return false;
      default:
        drop(path + ".content");
        return false;
    }
  }

  static std::string_view audio_format(const Part& part) {
    const std::string_view type = part.media_type;
    if (type == "audio/wav" || type == "audio/x-wav" || type == "audio/wave") return "wav";
    if (type == "audio/mpeg" || type == "audio/mp3") return "mp3";
    return {};
  }

  void write_part(const Part& part) {
    if (part.kind == PartKind::image) {
      write_image_part(w_, part);
    } else if (part.kind == PartKind::audio) {
      w_.begin_object().member("type", "input_audio").key("input_audio").begin_object();
      w_.member("data", part.data).member("format", audio_format(part));
      w_.end_object().end_object();
    } else if (part.kind == PartKind::document && part.text.empty()) {
      w_.begin_object().member("type", "file").key("file").begin_object();
      w_.member("filename", part.name.empty() ? std::string_view("document.pdf") : part.name);
      w_.member("file_data", data_url(part.media_type, part.data)).end_object().end_object();
    } else {
      const bool named = part.kind == PartKind::document && !part.name.empty();
      w_.begin_object().member("type", "text");
      w_.member("text", named ? part.name + "\n\n" + part.text : part.text).end_object();
    }
  }

  void write_assistant(const Message& message, const std::string& path) {
    std::string text;
    std::string refusal;
    bool thinking = false;
    bool has_text = false;
    std::vector<const Part*> calls;
    for (const Part& part : message.parts) {
      if (part.cache) drop("cache_control");
      switch (part.kind) {
        case PartKind::text:
          text += part.text;
          has_text = true;
          break;
        case PartKind::refusal:
          refusal += part.text;
          break;
        case PartKind::tool_call:
          calls.push_back(&part);
          break;
        case PartKind::thinking:
        case PartKind::redacted_thinking:
          thinking = true;
          break;
        default:
          drop(path + ".content");
      }
    }
    // A turn of thinking alone is no message of this API.
    if (!has_text && refusal.empty() && calls.empty() && !context_.replay_reasoning) {
      if (thinking) drop("thinking");
      return;
    }
    begin_message("assistant");
    if (!message.name.empty()) w_.member("name", message.name);
    w_.key("content");
    if (has_text || calls.empty()) {
      w_.string(text);
    } else {
      w_.null();
    }
    if (!refusal.empty()) w_.member("refusal", refusal);
    if (thinking && context_.replay_reasoning) {
      std::string thoughts;
      for (const Part& part : message.parts) {
        if (part.kind == PartKind::thinking) thoughts += part.text;
      }
      w_.member("reasoning_content", thoughts);
    } else if (thinking) {
      drop("thinking");
    }
    if (!calls.empty()) {
      w_.key("tool_calls").begin_array();
      for (const Part* call : calls) write_call(*call);
      w_.end_array();
    }
    w_.end_object();
  }

  void write_call(const Part& call) {
    Part plain = call;
    if (!context_.replay_reasoning) plain.signature.clear();
    write_tool_call(w_, plain);
  }

  void write_tools() {
    if (in_.tools.empty()) {
      if (in_.tool_choice.kind != ToolChoiceKind::unset) drop("tool_choice");
      return;
    }
    w_.key("tools").begin_array();
    for (const Tool& tool : in_.tools) {
      if (tool.cache) drop("cache_control");
      w_.begin_object().member("type", "function").key("function").begin_object();
      w_.member("name", tool.name);
      if (!tool.description.empty()) w_.member("description", tool.description);
      if (!tool.schema.empty()) w_.member_raw("parameters", tool.schema);
      if (tool.strict) w_.member("strict", *tool.strict);
      w_.end_object().end_object();
    }
    w_.end_array();
    switch (in_.tool_choice.kind) {
      case ToolChoiceKind::unset:
        break;
      case ToolChoiceKind::automatic:
        w_.member("tool_choice", "auto");
        break;
      case ToolChoiceKind::none:
        w_.member("tool_choice", "none");
        break;
      case ToolChoiceKind::required:
        w_.member("tool_choice", "required");
        break;
      case ToolChoiceKind::named:
        w_.key("tool_choice").begin_object().member("type", "function");
        w_.key("function").begin_object().member("name", in_.tool_choice.name);
        w_.end_object().end_object();
        break;
    }
    if (in_.parallel_tool_calls) w_.member("parallel_tool_calls", *in_.parallel_tool_calls);
  }

  void write_number(std::string_view name, const std::string& text, bool accepted) {
    if (text.empty()) return;
    if (!accepted) return drop(name);
    w_.member_raw(name, text);
  }

  void write_sampling() {
    // Reasoning models answer 400 to these, but for the ones told not to reason.
    const bool accepted = !traits_.reasoning || effort() == "none";
    write_number("temperature", in_.temperature, accepted);
    write_number("top_p", in_.top_p, accepted);
    write_number("frequency_penalty", in_.frequency_penalty, accepted);
    write_number("presence_penalty", in_.presence_penalty, accepted);
    write_number("seed", in_.seed, true);
    if (!in_.top_k.empty()) drop("top_k");
    if (in_.logprobs && *in_.logprobs && !accepted) {
      drop("logprobs");
    } else if (in_.logprobs) {
      w_.member("logprobs", *in_.logprobs);
      if (*in_.logprobs && in_.top_logprobs) w_.member("top_logprobs", *in_.top_logprobs);
    }
  }

  void write_limits() {
    if (in_.max_output_tokens) {
      w_.member(context_.max_completion_tokens ? "max_completion_tokens" : "max_tokens",
                *in_.max_output_tokens);
    }
    if (in_.candidates && *in_.candidates != 1) w_.member("n", *in_.candidates);
    if (in_.stop.empty()) return;
    if (traits_.reasoning) return drop("stop");
    if (in_.stop.size() > kStopsMax) drop("stop[4]");
    w_.key("stop").begin_array();
    for (size_t i = 0; i < in_.stop.size() && i < kStopsMax; ++i) w_.string(in_.stop[i]);
    w_.end_array();
  }

  void write_format() {
    const ResponseFormat& format = in_.format;
    if (format.kind == FormatKind::unset) return;
    w_.key("response_format").begin_object();
    if (format.kind == FormatKind::text) w_.member("type", "text");
    if (format.kind == FormatKind::json_object) w_.member("type", "json_object");
    if (format.kind == FormatKind::json_schema) {
      w_.member("type", "json_schema").key("json_schema").begin_object();
      const std::string name = plain_id(format.name).substr(0, kToolNameMax);
      w_.member("name", name.empty() ? "response" : name);
      if (!format.description.empty()) w_.member("description", format.description);
      w_.member_raw("schema", format.schema.empty() ? "{}" : format.schema);
      if (format.strict) w_.member("strict", *format.strict);
      w_.end_object();
    }
    w_.end_object();
  }

  std::string_view effort() const {
    return in_.reasoning ? wanted_effort(*in_.reasoning) : std::string_view();
  }

  void write_reasoning() {
    if (!in_.reasoning || effort().empty()) return;
    if (traits_.no_reasoning) return drop("reasoning");
    w_.member("reasoning_effort", effort());
  }

  void write_rest() {
    if (in_.user.size() > kUserMax) {
      drop("user");
    } else if (!in_.user.empty()) {
      w_.member("user", in_.user);
    }
    const std::string_view tier = in_.service_tier;
    if (tier == "standard_only" || tier == "standard") {
      w_.member("service_tier", "default");
    } else if (tier == "auto" || tier == "default" || tier == "flex" || tier == "priority" ||
               tier == "scale") {
      w_.member("service_tier", tier);
    } else if (!tier.empty()) {
      drop("service_tier");
    }
    if (!in_.stream) return;
    w_.member("stream", true);
    // Weir bills by usage, whether the client asked for it or not.
    if (context_.stream_options) {
      w_.key("stream_options").begin_object().member("include_usage", true).end_object();
    }
  }

  const Conversation& in_;
  const Context& context_;
  Dropped& dropped_;
  const ModelTraits traits_;
  size_t messages_ = 0;  // written so far
  std::string out_;
  json::Writer w_{out_};
};

}  // namespace

Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped) {
  return RequestWriter(conversation, context, dropped).write();
}

}  // namespace weir::dialect::openai_chat
