#include "dialect/losses.h"
#include "dialect/openai_chat/openai_chat.h"
#include "dialect/reasoning.h"
#include "dialect/signature.h"
#include "dialect/strict_schema.h"
#include "dialect/tools.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

// OpenAI's own limits.
constexpr size_t kToolNameMax = 64;
constexpr size_t kCallIdMax = 40;
constexpr size_t kStopsMax = 4;

class RequestWriter {
 public:
  RequestWriter(const Conversation& conversation, const Context& context, Dropped& dropped)
      : in_(conversation),
        context_(context),
        dropped_(dropped),
        traits_(traits_of(context.base_model.empty() ? model() : context.base_model)) {}

  Result<std::string> write() {
    WEIR_CHECK_OK(check_tool_names(in_.tools, kToolNameMax));
    w_.begin_object().member("model", model());
    w_.key("messages").begin_array();
    write_system();
    for (const Message& message : in_.messages) write_message(message);
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
  void drop(Feature feature, std::string_view detail = {}) { lose(dropped_, feature, detail); }

  void begin_message(std::string_view role) {
    ++messages_;
    w_.begin_object().member("role", role);
  }

  void write_system() {
    if (in_.system.empty()) return;
    begin_message("system");
    w_.key("content");
    write_texts(in_.system);
    w_.end_object();
  }

  // A string for one part, which every server takes; else a list.
  void write_texts(const std::vector<Part>& parts) {
    size_t texts = 0;
    for (const Part& part : parts) {
      if (part.cache) drop(Feature::cache_control);
      if (part.kind == PartKind::text) {
        ++texts;
      } else {
        drop_part(part);
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

  void write_message(const Message& message) {
    if (message.role == Role::assistant) {
      write_assistant(message);
      return;
    }
    // Results stand right behind the calls, and are text only: pictures in them follow as a user
    // message.
    std::vector<Part> rest;
    for (const Part& part : message.parts) {
      if (part.kind == PartKind::tool_result) {
        write_tool_result(part, rest);
      }
    }
    for (const Part& part : message.parts) {
      if (part.kind != PartKind::tool_result) rest.push_back(part);
    }
    if (!rest.empty()) write_user(rest, message.name);
  }

  void write_tool_result(const Part& result, std::vector<Part>& rest) {
    if (result.is_error) drop(Feature::tool_error);
    if (result.cache) drop(Feature::cache_control);
    begin_message("tool");
    w_.member("tool_call_id", call_id(result.id)).key("content");
    std::vector<Part> texts;
    for (const Part& part : result.children) {
      (part.kind == PartKind::text ? texts : rest).push_back(part);
    }
    write_texts(texts);
    w_.end_object();
  }

  void write_user(const std::vector<Part>& parts, const std::string& name) {
    std::vector<const Part*> sent;
    for (const Part& part : parts) {
      if (part.cache) drop(Feature::cache_control);
      if (can_send(part)) sent.push_back(&part);
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

  bool can_send(const Part& part) {
    const bool bytes = !part.data.empty();
    switch (part.kind) {
      case PartKind::text:
        return true;
      case PartKind::image:
        if (bytes || !part.url.empty()) return true;
        break;
      case PartKind::audio:
        if (!audio_format(part).empty() && bytes) return true;
        break;
      case PartKind::document:
        // Chat completions take no address of a file, and file ids are one account's.
        if (!part.text.empty() || bytes) return true;
        break;
      case PartKind::refusal:
        return true;  // said by the user it is text
      default:
        break;
    }
    drop_part(part);
    return false;
  }

  // Says what it is that has no place.
  void drop_part(const Part& part) {
    const bool only_id = part.data.empty() && part.url.empty() && !part.id.empty();
    switch (part.kind) {
      case PartKind::image:
        return drop(only_id ? Feature::file_id : Feature::image);
      case PartKind::document:
        return drop(only_id && part.text.empty() ? Feature::file_id : Feature::document);
      case PartKind::audio:
        return drop(Feature::audio);
      case PartKind::thinking:
      case PartKind::redacted_thinking:
        return drop(Feature::thinking);
      case PartKind::native:
        return drop(Feature::native_part, part.name);
      case PartKind::text:
      case PartKind::refusal:
      case PartKind::tool_call:
      case PartKind::tool_result:
        return;  // nothing that any client can say stands where it has no place
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

  void write_assistant(const Message& message) {
    std::string text;
    std::string refusal;
    bool thinking = false;
    bool has_text = false;
    std::vector<const Part*> calls;
    for (const Part& part : message.parts) {
      if (part.cache) drop(Feature::cache_control);
      if (!part.citations.empty()) drop(Feature::citations);
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
          drop_part(part);
      }
    }
    // A turn of thinking alone is no message of this API.
    if (!has_text && refusal.empty() && calls.empty() && !context_.replay_reasoning) {
      if (thinking) drop(Feature::thinking);
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
      drop(Feature::thinking);
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
    plain.id = call_id(call.id);
    if (!context_.replay_reasoning) plain.signature.clear();
    write_tool_call(w_, plain, call.freeform && custom_tools());
  }

  static std::string call_id(const std::string& id) {
    return id.size() > kCallIdMax ? short_id(id, kCallIdMax) : id;
  }

  // Servers that are only compatible, and OpenAI's elder models, know functions alone.
  bool custom_tools() const { return context_.max_completion_tokens && !traits_.no_reasoning; }

  void write_tools() {
    std::vector<const Tool*> tools;
    for (const Tool& tool : in_.tools) {
      if (tool.native.empty()) {
        tools.push_back(&tool);
      } else {
        write_provider_tool(tool);
      }
    }
    if (tools.empty()) {
      if (in_.tool_choice.kind != ToolChoiceKind::unset) drop(Feature::tool_choice);
      return;
    }
    w_.key("tools").begin_array();
    for (const Tool* tool : tools) write_tool(*tool);
    w_.end_array();
    write_tool_choice();
    if (in_.parallel_tool_calls) w_.member("parallel_tool_calls", *in_.parallel_tool_calls);
  }

  // Only models made for it search the web in this API.
  void write_provider_tool(const Tool& tool) {
    const std::string json = provider_tool_json(tool, Dialect::openai_chat);
    const bool searches = model().find("-search-") != std::string_view::npos;
    const bool known = tool.origin == Dialect::openai_chat || searches;
    if (json.empty() || !known || web_search_) return drop(Feature::provider_tool, tool.name);
    web_search_ = true;
    w_.member_raw(kChatWebSearch, json);
  }

  void write_tool(const Tool& tool) {
    if (tool.cache) drop(Feature::cache_control);
    if (tool.freeform && custom_tools()) return write_custom(tool);
    if (tool.freeform && !tool.format.empty()) drop(Feature::tool_format);
    const std::string description = tool.freeform ? freeform_description(tool) : tool.description;
    const std::string_view schema = tool.freeform ? kFreeformSchema : std::string_view(tool.schema);
    w_.begin_object().member("type", "function").key("function").begin_object();
    w_.member("name", tool.name);
    if (!description.empty()) w_.member("description", description);
    if (!schema.empty()) w_.member_raw("parameters", schema);
    if (tool.strict) w_.member("strict", *tool.strict);
    w_.end_object().end_object();
  }

  void write_custom(const Tool& tool) {
    w_.begin_object().member("type", "custom").key("custom").begin_object();
    w_.member("name", tool.name);
    if (!tool.description.empty()) w_.member("description", tool.description);
    json::Document document;
    if (!tool.format.empty() && document.parse(tool.format)) {
      const json::Value format = document.root();
      w_.key("format").begin_object().member("type", format["type"].string_or("text"));
      if (format["definition"].is_string()) {
        w_.key("grammar").begin_object();
        w_.member("syntax", format["syntax"].string_or("lark"));
        w_.member("definition", format["definition"].string_or("")).end_object();
      }
      w_.end_object();
    }
    w_.end_object().end_object();
  }

  void write_tool_choice() {
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
      case ToolChoiceKind::named: {
        const bool custom = custom_tools() && asked_for_freeform(&in_, in_.tool_choice.name);
        const std::string_view type = custom ? "custom" : "function";
        w_.key("tool_choice").begin_object().member("type", type);
        w_.key(type).begin_object().member("name", in_.tool_choice.name);
        w_.end_object().end_object();
        break;
      }
    }
  }

  void write_number(Feature feature, const std::string& text, bool accepted) {
    if (text.empty()) return;
    if (!accepted) return drop(feature);
    w_.member_raw(id_of(feature), text);
  }

  void write_sampling() {
    // Reasoning models answer 400 to these, but for the ones told not to reason.
    const bool accepted = !traits_.reasoning || effort() == "none";
    write_number(Feature::temperature, in_.temperature, accepted);
    write_number(Feature::top_p, in_.top_p, accepted);
    write_number(Feature::frequency_penalty, in_.frequency_penalty, accepted);
    write_number(Feature::presence_penalty, in_.presence_penalty, accepted);
    write_number(Feature::seed, in_.seed, true);
    if (!in_.top_k.empty()) drop(Feature::top_k);
    if (in_.logprobs && *in_.logprobs && !accepted) {
      drop(Feature::logprobs);
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
    if (traits_.reasoning) return drop(Feature::stop);
    if (in_.stop.size() > kStopsMax) drop(Feature::stop);
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
      const bool strict = format.strict.value_or(false) && fits_openai_strict(format.schema);
      if (format.strict.value_or(false) && !strict) drop(Feature::response_strict);
      if (format.strict) w_.member("strict", strict);
      w_.end_object();
    }
    w_.end_object();
  }

  std::string_view effort() const {
    return in_.reasoning ? wanted_effort(*in_.reasoning) : std::string_view();
  }

  void write_reasoning() {
    if (!in_.reasoning || effort().empty()) return;
    if (traits_.no_reasoning) return drop(Feature::reasoning);
    w_.member("reasoning_effort", effort());
  }

  void write_rest() {
    write_user_and_tier(w_, in_, dropped_);
    write_openai_members();
    if (!in_.stream) return;
    w_.member("stream", true);
    // Weir bills by usage, whether the client asked for it or not.
    if (context_.stream_options) {
      w_.key("stream_options").begin_object().member("include_usage", true).end_object();
    }
  }

  // Servers that are only compatible may refuse what they do not know.
  void write_openai_members() {
    const bool own = context_.max_completion_tokens;
    if (!in_.verbosity.empty()) {
      if (!own || traits_.no_reasoning) {
        drop(Feature::verbosity);
      } else {
        w_.member("verbosity", in_.verbosity);
      }
    }
    if (!in_.prompt_cache_key.empty()) {
      if (own) {
        w_.member("prompt_cache_key", in_.prompt_cache_key);
      } else {
        drop(Feature::prompt_cache_key);
      }
    }
    if (in_.metadata.empty()) return;
    drop(Feature::metadata);
  }

  const Conversation& in_;
  const Context& context_;
  Dropped& dropped_;
  const ModelTraits traits_;
  size_t messages_ = 0;  // written so far
  bool web_search_ = false;
  std::string out_;
  json::Writer w_{out_};
};

}  // namespace

Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped) {
  return RequestWriter(conversation, context, dropped).write();
}

}  // namespace weir::dialect::openai_chat
