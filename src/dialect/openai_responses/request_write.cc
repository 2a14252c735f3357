#include <algorithm>
#include <set>

#include "dialect/losses.h"
#include "dialect/openai_chat/openai_chat.h"
#include "dialect/openai_responses/openai_responses.h"
#include "dialect/reasoning.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_responses {
namespace {

// OpenAI's own limits.
constexpr size_t kToolNameMax = 64;
constexpr size_t kCallIdMax = 64;
constexpr int64_t kOutputTokensMin = 16;

class RequestWriter {
 public:
  RequestWriter(const Conversation& conversation, const Context& context, Dropped& dropped)
      : in_(conversation),
        context_(context),
        dropped_(dropped),
        traits_(openai_chat::traits_of(context.base_model.empty() ? model() : context.base_model)) {
  }

  Result<std::string> write() {
    WEIR_CHECK_OK(check_tool_names(in_.tools, kToolNameMax));
    w_.begin_object().member("model", model());
    write_instructions();
    w_.key("input").begin_array();
    write_system_messages();
    for (const Message& message : in_.messages) write_message(message);
    w_.end_array();
    if (items_ == 0 && in_.previous_response_id.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "messages: expected at least one message with content that can be sent");
    }
    write_tool_members();
    write_sampling();
    write_format();
    write_reasoning();
    write_include();
    write_rest();
    w_.end_object();
    return std::move(out_);
  }

 private:
  std::string_view model() const { return context_.model.empty() ? in_.model : context_.model; }
  void drop(Feature feature, std::string_view detail = {}) { lose(dropped_, feature, detail); }

  json::Writer& begin_item(std::string_view type) {
    ++items_;
    return w_.begin_object().member("type", type);
  }

  // --- instructions ---

  // What came as a message of the system is written as one again.
  static bool is_message(const Part& part) {
    return part.name == "system" || part.name == "developer";
  }

  void write_instructions() {
    std::string text;
    for (const Part& part : in_.system) {
      if (part.cache) drop(Feature::cache_control);
      if (part.kind != PartKind::text) {
        drop(Feature::native_part);
      } else if (!is_message(part)) {
        if (!text.empty()) text += "\n\n";
        text += part.text;
      }
    }
    if (!text.empty()) w_.member("instructions", text);
  }

  void write_system_messages() {
    for (const Part& part : in_.system) {
      if (part.kind != PartKind::text || !is_message(part)) continue;
      begin_item("message").member("role", part.name).key("content").begin_array();
      w_.begin_object().member("type", "input_text").member("text", part.text).end_object();
      w_.end_array().end_object();
    }
  }

  // --- messages ---

  void write_message(const Message& message) {
    if (!message.name.empty()) drop(Feature::participant_name);
    if (message.role == Role::assistant) {
      write_assistant(message);
      return;
    }
    std::vector<const Part*> contents;
    for (const Part& part : message.parts) {
      if (part.cache) drop(Feature::cache_control);
      if (part.kind == PartKind::tool_result) {
        flush_user(contents);
        write_result(part);
      } else if (can_send(part)) {
        contents.push_back(&part);
      }
    }
    flush_user(contents);
  }

  void flush_user(std::vector<const Part*>& contents) {
    if (contents.empty()) return;
    begin_item("message").member("role", "user").key("content").begin_array();
    for (const Part* part : contents) write_content(*part);
    w_.end_array().end_object();
    contents.clear();
  }

  static Feature feature_of(PartKind kind) {
    if (kind == PartKind::image) return Feature::image;
    if (kind == PartKind::document) return Feature::document;
    if (kind == PartKind::audio) return Feature::audio;
    return Feature::native_part;
  }

  bool can_send(const Part& part) {
    const bool has_source = !part.data.empty() || !part.url.empty();
    // A file's id belongs to one account at one provider.
    if (part.kind == PartKind::text) return true;
    if (part.kind == PartKind::image && has_source) return true;
    if (part.kind == PartKind::document && (has_source || !part.text.empty())) return true;
    drop(part.id.empty() ? feature_of(part.kind) : Feature::file_id);
    return false;
  }

  void write_content(const Part& part) {
    w_.begin_object();
    if (part.kind == PartKind::image) {
      w_.member("type", "input_image");
      w_.member("detail", part.detail.empty() ? std::string_view("auto") : part.detail);
      w_.member("image_url", part.data.empty() ? part.url : data_url(part.media_type, part.data));
    } else if (part.kind == PartKind::document && part.text.empty()) {
      w_.member("type", "input_file");
      if (part.data.empty()) {
        w_.member("file_url", part.url);
      } else {
        w_.member("filename", part.name.empty() ? std::string_view("document.pdf") : part.name);
        w_.member("file_data", data_url(part.media_type, part.data));
      }
    } else {
      const bool named = part.kind == PartKind::document && !part.name.empty();
      w_.member("type", "input_text");
      w_.member("text", named ? part.name + "\n\n" + part.text : part.text);
    }
    w_.end_object();
  }

  void write_result(const Part& result) {
    if (result.is_error) drop(Feature::tool_error);
    const bool custom = custom_calls_.find(result.id) != custom_calls_.end();
    begin_item(custom ? "custom_tool_call_output" : "function_call_output");
    w_.member("call_id", short_id(result.id, kCallIdMax)).key("output");
    std::vector<const Part*> contents;
    for (const Part& part : result.children) {
      if (can_send(part)) contents.push_back(&part);
    }
    const bool text = std::all_of(contents.begin(), contents.end(),
                                  [](const Part* part) { return part->kind == PartKind::text; });
    if (text && contents.size() <= 1) {
      w_.string(contents.empty() ? std::string_view() : contents[0]->text);
    } else {
      w_.begin_array();
      for (const Part* part : contents) write_content(*part);
      w_.end_array();
    }
    w_.end_object();
  }

  void write_assistant(const Message& message) {
    std::vector<const Part*> texts;
    for (const Part& part : message.parts) {
      if (part.cache) drop(Feature::cache_control);
      // Chat's message of calls alone has an empty text beside them.
      if (part.kind == PartKind::text && part.text.empty() && message.parts.size() > 1) continue;
      if (part.kind == PartKind::text || part.kind == PartKind::refusal) {
        if (!texts.empty() && texts.back()->id != part.id) flush_assistant(texts);
        texts.push_back(&part);
        continue;
      }
      flush_assistant(texts);
      if (part.kind == PartKind::tool_call) {
        write_call(part);
      } else if (part.kind == PartKind::thinking || part.kind == PartKind::redacted_thinking) {
        write_thinking(part);
      } else if (part.kind == PartKind::native && part.origin == Dialect::openai_responses) {
        ++items_;
        w_.raw(part.json);
      } else {
        drop(feature_of(part.kind));
      }
    }
    flush_assistant(texts);
  }

  void flush_assistant(std::vector<const Part*>& texts) {
    if (texts.empty()) return;
    begin_item("message").member("role", "assistant").key("content").begin_array();
    for (const Part* part : texts) {
      if (!part->signature.empty()) drop(Feature::thinking);
      if (part->kind == PartKind::refusal) {
        w_.begin_object().member("type", "refusal").member("refusal", part->text).end_object();
        continue;
      }
      w_.begin_object().member("type", "output_text").member("text", part->text);
      w_.key("annotations").begin_array();
      for (const Citation& citation : part->citations) {
        write_annotation(w_, citation, code_points(part->text));
      }
      w_.end_array().end_object();
    }
    w_.end_array().end_object();
    texts.clear();
  }

  // Only what OpenAI encrypted can be read there.
  void write_thinking(const Part& part) {
    const bool own = part.origin == Dialect::openai_responses && !part.signature.empty();
    if (!own) {
      drop(Feature::thinking);
      return;
    }
    begin_item("reasoning");
    if (part.id.starts_with("rs_")) w_.member("id", part.id);
    w_.key("summary").begin_array();
    if (!part.text.empty()) {
      w_.begin_object().member("type", "summary_text").member("text", part.text).end_object();
    }
    w_.end_array().member("encrypted_content", part.signature).end_object();
  }

  void write_call(const Part& call) {
    if (!call.signature.empty()) drop(Feature::thinking);
    const CallForm form = form_of_call(in_.tools, call.name, call.freeform);
    if (form.kind == CallKind::custom) {
      custom_calls_.insert(call.id);
      begin_item("custom_tool_call").member("call_id", short_id(call.id, kCallIdMax));
      w_.member("name", form.name);
      w_.member("input", call.freeform ? call.text : input_of_arguments(call.json)).end_object();
      return;
    }
    begin_item("function_call").member("call_id", short_id(call.id, kCallIdMax));
    w_.member("name", form.name);
    w_.member("arguments", object_text(call.json));
    if (!form.name_space.empty()) w_.member("namespace", form.name_space);
    w_.end_object();
  }

  // --- the rest ---

  void write_tool_members() {
    std::vector<Tool> tools;
    for (const Tool& tool : in_.tools) {
      if (tool.cache) drop(Feature::cache_control);
      if (!tool.native.empty() && tool.origin != Dialect::openai_responses) {
        drop(Feature::provider_tool, tool.name);
        continue;
      }
      // A function stands for what the client calls itself: its results are a function's too.
      Tool plain = tool;
      if (!plain.freeform && client_tool_of_type(plain.name) != nullptr) plain.format.clear();
      tools.push_back(std::move(plain));
    }
    if (tools.empty()) {
      if (in_.tool_choice.kind != ToolChoiceKind::unset) drop(Feature::tool_choice);
      return;
    }
    w_.key("tools");
    write_tools(w_, tools);
    if (in_.tool_choice.kind != ToolChoiceKind::unset) {
      w_.key("tool_choice");
      const ToolChoice& choice = in_.tool_choice;
      if (choice.kind == ToolChoiceKind::named && client_tool_of_type(choice.name) != nullptr) {
        w_.begin_object().member("type", "function").member("name", choice.name).end_object();
      } else {
        write_tool_choice(w_, in_);
      }
    }
    if (in_.parallel_tool_calls) w_.member("parallel_tool_calls", *in_.parallel_tool_calls);
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
    write_number(Feature::top_k, in_.top_k, false);
    write_number(Feature::frequency_penalty, in_.frequency_penalty, false);
    write_number(Feature::presence_penalty, in_.presence_penalty, false);
    write_number(Feature::seed, in_.seed, false);
    if (!in_.stop.empty()) drop(Feature::stop);
    if (in_.candidates && *in_.candidates != 1) drop(Feature::candidates);
    if (!in_.max_output_tokens) return;
    if (*in_.max_output_tokens < kOutputTokensMin) drop(Feature::max_tokens);
    w_.member("max_output_tokens", std::max(*in_.max_output_tokens, kOutputTokensMin));
  }

  void write_format() {
    std::string_view verbosity = in_.verbosity;
    if (!verbosity.empty() && traits_.no_reasoning) {
      drop(Feature::verbosity);
      verbosity = {};
    }
    if (in_.format.kind == FormatKind::unset && verbosity.empty()) return;
    w_.key("text");
    write_text_config(w_, in_.format, verbosity);
  }

  std::string_view effort() const {
    return in_.reasoning ? wanted_effort(*in_.reasoning) : std::string_view();
  }

  void write_reasoning() {
    if (!in_.reasoning) return;
    const Reasoning& reasoning = *in_.reasoning;
    // Clients that ask for thinking elsewhere are shown it.
    const bool shown =
        reasoning.include_thoughts.value_or(reasoning.budget_tokens.value_or(0) != 0);
    const std::string_view summary =
        reasoning.summary.empty() && shown ? std::string_view("auto") : reasoning.summary;
    if (effort().empty() && summary.empty()) return;
    if (traits_.no_reasoning) return drop(Feature::reasoning);
    w_.key("reasoning").begin_object();
    if (!effort().empty()) w_.member("effort", effort());
    if (!summary.empty() && effort() != "none") w_.member("summary", summary);
    w_.end_object();
  }

  // Models that do not reason answer 400 to encrypted_content.
  void write_include() {
    const bool encrypted = !traits_.no_reasoning && (in_.encrypted_reasoning || traits_.reasoning);
    const bool logprobs = in_.logprobs.value_or(false) && !traits_.reasoning;
    if (in_.logprobs.value_or(false) && !logprobs) drop(Feature::logprobs);
    if (encrypted || logprobs) {
      w_.key("include").begin_array();
      if (encrypted) w_.string("reasoning.encrypted_content");
      if (logprobs) w_.string("message.output_text.logprobs");
      w_.end_array();
    }
    if (logprobs && in_.top_logprobs) w_.member("top_logprobs", *in_.top_logprobs);
  }

  void write_rest() {
    // Clients of other dialects know nothing of answers that are kept: theirs are not.
    w_.member("store", in_.store.value_or(false));
    if (!in_.previous_response_id.empty()) {
      w_.member("previous_response_id", in_.previous_response_id);
    }
    if (!in_.metadata.empty()) w_.member_raw("metadata", in_.metadata);
    if (!in_.prompt_cache_key.empty()) w_.member("prompt_cache_key", in_.prompt_cache_key);
    openai_chat::write_user_and_tier(w_, in_, dropped_);
    if (in_.stream) w_.member("stream", true);
  }

  const Conversation& in_;
  const Context& context_;
  Dropped& dropped_;
  const openai_chat::ModelTraits traits_;
  size_t items_ = 0;  // written so far
  std::set<std::string> custom_calls_;
  std::string out_;
  json::Writer w_{out_};
};

}  // namespace

Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped) {
  return RequestWriter(conversation, context, dropped).write();
}

}  // namespace weir::dialect::openai_responses
