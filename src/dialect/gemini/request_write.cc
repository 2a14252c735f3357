#include <algorithm>

#include "dialect/gemini/gemini.h"
#include "dialect/losses.h"
#include "dialect/reasoning.h"
#include "dialect/tools.h"
#include "dialect/wire.h"

namespace weir::dialect::gemini {
namespace {

constexpr size_t kStopSequencesMax = 5;

class RequestWriter {
 public:
  RequestWriter(const Conversation& conversation, const Context& context, Dropped& dropped)
      : in_(conversation),
        dropped_(dropped),
        traits_(traits_of(context.base_model.empty() ? context.model : context.base_model)) {}

  Result<std::string> write() {
    w_.begin_object();
    write_system();
    w_.key("contents").begin_array();
    for (size_t i = 0; i < in_.messages.size(); ++i) write_message(i);
    w_.end_array();
    if (contents_ == 0) {
      return fail(ErrorCode::invalid_argument, "messages: Gemini needs at least one with content");
    }
    write_tools();
    write_config();
    w_.end_object();
    note_rest();
    return std::move(out_);
  }

 private:
  void drop(Feature feature, std::string_view detail = {}) { lose(dropped_, feature, detail); }

  void write_system() {
    const auto has_text = [](const Part& part) {
      return part.kind == PartKind::text && !part.text.empty();
    };
    for (const Part& part : in_.system) {
      if (part.kind != PartKind::text) drop_part(part);
    }
    if (std::none_of(in_.system.begin(), in_.system.end(), has_text)) return;
    w_.key("systemInstruction").begin_object().key("parts").begin_array();
    for (const Part& part : in_.system) {
      if (has_text(part)) w_.begin_object().member("text", part.text).end_object();
    }
    w_.end_array().end_object();
  }

  // --- contents ---

  void begin_content(Role role) {
    w_.begin_object().member("role", role == Role::assistant ? "model" : "user");
    w_.key("parts").begin_array();
    ++contents_;
  }
  void end_content() { w_.end_array().end_object(); }

  // The answers to a turn's calls make one content of their own, directly behind the calls and in
  // their order; what else the user says follows in another.
  void write_message(size_t index) {
    const Message& message = in_.messages[index];
    if (message.role == Role::assistant) {
      write_turn(index, false);
      remember_calls(message);
      return;
    }
    write_results(index);
    write_turn(index, true);
  }

  // A content is opened by its first part, so that none is empty.
  void write_turn(size_t index, bool with_result_media) {
    const Message& message = in_.messages[index];
    bool open = false;
    bool first_call = true;
    const auto ensure_open = [&] {
      if (!open) begin_content(message.role);
      open = true;
    };
    for (const Part& part : message.parts) {
      if (part.kind == PartKind::tool_result) {
        if (!with_result_media) continue;
        for (const Part& child : part.children) {
          if (child.kind == PartKind::text || !has_media(child)) continue;
          ensure_open();
          write_media(w_, child);
        }
      } else if (is_sendable(part)) {
        ensure_open();
        write_part(part, first_call);
        if (part.kind == PartKind::tool_call) first_call = false;
      } else {
        drop_part(part);
      }
    }
    if (open) end_content();
  }

  static bool has_media(const Part& part) {
    std::string scratch;
    json::Writer writer(scratch);
    return write_media(writer, part);
  }

  static bool is_own(const Part& part) { return part.origin == Dialect::gemini; }

  static bool is_sendable(const Part& part) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        return !part.text.empty();
      case PartKind::tool_call:
        return true;
      case PartKind::image:
      case PartKind::audio:
      case PartKind::document:
        return has_media(part);
      case PartKind::thinking:
        return is_own(part) && !part.signature.empty();
      case PartKind::native:
        return is_own(part);
      case PartKind::redacted_thinking:
      case PartKind::tool_result:
        return false;
    }
    return false;
  }

  void drop_part(const Part& part) {
    const Feature media =
        part.id.empty() || !part.url.empty() ? Feature::document : Feature::file_id;
    switch (part.kind) {
      case PartKind::thinking:
      case PartKind::redacted_thinking:
        return drop(Feature::thinking);
      case PartKind::image:
        return drop(media == Feature::file_id ? media : Feature::image);
      case PartKind::audio:
      case PartKind::document:
        return drop(media);
      case PartKind::native:
        return drop(Feature::native_part, part.name);
      case PartKind::text:
      case PartKind::refusal:
      case PartKind::tool_call:
      case PartKind::tool_result:
        return;  // empty, or where no client can put it
    }
  }

  void write_part(const Part& part, bool first_call) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
      case PartKind::thinking:
        w_.begin_object().member("text", part.text);
        if (part.kind == PartKind::thinking) w_.member("thought", true);
        if (part.kind != PartKind::refusal && is_own(part) && !part.signature.empty()) {
          w_.member("thoughtSignature", part.signature);
        }
        w_.end_object();
        return;
      case PartKind::tool_call:
        write_call(part, first_call);
        return;
      case PartKind::native:
        w_.raw(part.json);
        return;
      default:
        write_media(w_, part);
    }
  }

  void write_call(const Part& part, bool first_call) {
    w_.begin_object().key("functionCall").begin_object();
    w_.member("name", part.name).member_raw("args", compact_json(arguments_of(part)));
    w_.end_object();
    if (is_own(part) && !part.signature.empty()) {
      w_.member("thoughtSignature", part.signature);
    } else if (first_call && traits_.at_least_3()) {
      w_.member("thoughtSignature", kForeignSignature);
    }
    w_.end_object();
  }

  // --- function responses ---

  void remember_calls(const Message& message) {
    for (const Part& part : message.parts) {
      if (part.kind == PartKind::tool_call) calls_[part.id] = {part.name, calls_seen_++};
    }
  }

  struct Call {
    std::string name;
    size_t ordinal = 0;
  };

  void write_results(size_t index) {
    // By the call's place, then by the result's own.
    std::vector<std::pair<size_t, const Part*>> results;
    for (const Part& part : in_.messages[index].parts) {
      if (part.kind == PartKind::tool_result) results.emplace_back(ordinal_of(part), &part);
    }
    if (results.empty()) return;
    std::sort(results.begin(), results.end());
    begin_content(Role::user);
    for (const auto& [ordinal, result] : results) write_result(*result);
    end_content();
  }

  size_t ordinal_of(const Part& result) const {
    const auto call = calls_.find(result.id);
    return call == calls_.end() ? SIZE_MAX : call->second.ordinal;
  }

  void write_result(const Part& result) {
    const auto call = calls_.find(result.id);
    const std::string& name = call != calls_.end()  ? call->second.name
                              : result.name.empty() ? result.id
                                                    : result.name;
    w_.begin_object().key("functionResponse").begin_object().member("name", name);
    w_.key("response");
    write_response(result);
    w_.end_object().end_object();
  }

  // An object is the response itself; a text is wrapped as Google's documentation has it.
  void write_response(const Part& result) {
    const std::string text = joined_text(result.children, "\n");
    if (result.is_error) {
      w_.begin_object().member("error", text).end_object();
      return;
    }
    json::Document document;
    if (document.parse(text) && document.root().is_object()) {
      w_.raw(compact_json(document.root().raw()));
      return;
    }
    w_.begin_object().member("output", text).end_object();
  }

  // --- tools ---

  void write_tools() {
    std::vector<const Tool*> functions;
    for (const Tool& tool : in_.tools) {
      if (tool.native.empty()) functions.push_back(&tool);
    }
    std::vector<std::string> natives;
    for (const Tool& tool : in_.tools) {
      if (tool.native.empty()) continue;
      std::string json = provider_tool_json(tool, Dialect::gemini);
      // Google's tools beside functions are refused by most models.
      if (json.empty() || (!functions.empty() && tool.origin != Dialect::gemini)) {
        drop(Feature::provider_tool, tool.name);
      } else {
        natives.push_back(std::move(json));
      }
    }
    if (functions.empty() && natives.empty()) return;
    w_.key("tools").begin_array();
    if (!functions.empty()) {
      w_.begin_object().key("functionDeclarations").begin_array();
      for (const Tool* tool : functions) write_function(*tool);
      w_.end_array().end_object();
    }
    for (const std::string& json : natives) w_.raw(json);
    w_.end_array();
    has_functions_ = !functions.empty();
    if (has_functions_) write_tool_choice();
  }

  void write_function(const Tool& tool) {
    const std::string description = tool.freeform ? freeform_description(tool) : tool.description;
    const std::string_view schema = tool.freeform ? kFreeformSchema : std::string_view(tool.schema);
    w_.begin_object().member("name", tool.name);
    if (!description.empty()) w_.member("description", description);
    if (!schema.empty()) w_.member_raw("parametersJsonSchema", plain_schema(schema));
    w_.end_object();
    if (tool.strict.value_or(false)) drop(Feature::tool_strict);
    if (tool.freeform && !tool.format.empty()) drop(Feature::tool_format);
    if (tool.cache) drop(Feature::cache_control);
  }

  void write_tool_choice() {
    const ToolChoice& choice = in_.tool_choice;
    if (choice.kind == ToolChoiceKind::unset) return;
    w_.key("toolConfig").begin_object().key("functionCallingConfig").begin_object();
    switch (choice.kind) {
      case ToolChoiceKind::unset:
      case ToolChoiceKind::automatic:
        w_.member("mode", "AUTO");
        break;
      case ToolChoiceKind::none:
        w_.member("mode", "NONE");
        break;
      case ToolChoiceKind::required:
        w_.member("mode", "ANY");
        break;
      case ToolChoiceKind::named:
        w_.member("mode", "ANY").key("allowedFunctionNames").begin_array();
        w_.string(choice.name).end_array();
        break;
    }
    w_.end_object().end_object();
  }

  // --- generationConfig ---

  void write_config() {
    g_.begin_object();
    number("temperature", in_.temperature);
    number("topP", in_.top_p);
    number("topK", in_.top_k);
    number("seed", in_.seed);
    number("presencePenalty", in_.presence_penalty);
    number("frequencyPenalty", in_.frequency_penalty);
    if (in_.max_output_tokens) g_.member("maxOutputTokens", *in_.max_output_tokens);
    if (in_.candidates && *in_.candidates != 1) g_.member("candidateCount", *in_.candidates);
    if (in_.logprobs.value_or(false)) {
      g_.member("responseLogprobs", true);
      if (in_.top_logprobs) g_.member("logprobs", *in_.top_logprobs);
    }
    write_stop();
    write_format();
    if (in_.reasoning) write_thinking(*in_.reasoning);
    g_.end_object();
    if (config_ != "{}") w_.member_raw("generationConfig", config_);
  }

  void number(std::string_view name, const std::string& text) {
    if (!text.empty()) g_.member_raw(name, text);
  }

  void write_stop() {
    if (in_.stop.empty()) return;
    g_.key("stopSequences").begin_array();
    for (size_t i = 0; i < std::min(in_.stop.size(), kStopSequencesMax); ++i) {
      g_.string(in_.stop[i]);
    }
    g_.end_array();
    if (in_.stop.size() > kStopSequencesMax) drop(Feature::stop);
  }

  void write_format() {
    const ResponseFormat& format = in_.format;
    if (format.kind != FormatKind::json_object && format.kind != FormatKind::json_schema) return;
    // Before Gemini 3, tools and JSON answers exclude each other: the request would be refused.
    if (has_functions_ && !traits_.at_least_3()) {
      drop(Feature::response_format);
      return;
    }
    g_.member("responseMimeType", "application/json");
    if (format.kind == FormatKind::json_schema && !format.schema.empty()) {
      g_.member_raw("responseJsonSchema", plain_schema(format.schema));
    }
  }

  // Gemini 3 has levels, 2.5 has budgets with bounds per model, older ones do not think.
  void write_thinking(const Reasoning& reasoning) {
    if (traits_.major == 1 || (traits_.major == 2 && traits_.minor < 5)) {
      drop(Feature::reasoning);
      return;
    }
    const std::string level = traits_.major >= 3 ? level_of(reasoning) : std::string();
    const auto budget = traits_.major >= 3 ? std::nullopt : budget_of(reasoning);
    // Of an effort alone the answer carries its thoughts, as with other providers.
    const bool thinks = wanted_effort(reasoning) != "none" && (budget || !level.empty());
    if (level.empty() && !budget && !reasoning.include_thoughts) return;
    g_.key("thinkingConfig").begin_object();
    if (!level.empty()) g_.member("thinkingLevel", level);
    if (budget) g_.member("thinkingBudget", *budget);
    if (reasoning.include_thoughts || thinks) {
      g_.member("includeThoughts", reasoning.include_thoughts.value_or(true));
    }
    g_.end_object();
  }

  std::string level_of(const Reasoning& reasoning) const {
    const std::string_view effort = wanted_effort(reasoning);
    // Thinking cannot be turned off: the lowest level stands for none. Pro's lowest is low.
    if (effort == "none" || effort == "minimal") return traits_.flash ? "minimal" : "low";
    if (effort == "xhigh") return "high";
    // The first Pro of the generation knows low and high only.
    if (effort == "medium" && !traits_.flash && traits_.major == 3 && traits_.minor == 0) {
      return "high";
    }
    return std::string(effort);
  }

  std::optional<int64_t> budget_of(const Reasoning& reasoning) const {
    const std::optional<int64_t> wanted = wanted_budget(reasoning);
    if (!wanted || *wanted < 0 || traits_.major == 0) return wanted;
    if (traits_.lite) return *wanted == 0 ? 0 : std::clamp<int64_t>(*wanted, 512, 24576);
    if (traits_.flash) return std::min<int64_t>(*wanted, 24576);
    return std::clamp<int64_t>(*wanted, 128, 32768);
  }

  // What the format has no place for.
  void note_rest() {
    if (in_.parallel_tool_calls && !*in_.parallel_tool_calls && has_functions_) {
      drop(Feature::parallel_tool_calls);
    }
    if (in_.tool_choice.kind != ToolChoiceKind::unset && !has_functions_) {
      drop(Feature::tool_choice);
    }
    if (!in_.user.empty()) drop(Feature::user);
    if (!in_.metadata.empty()) drop(Feature::metadata);
    if (!in_.verbosity.empty()) drop(Feature::verbosity);
    if (!in_.prompt_cache_key.empty()) drop(Feature::prompt_cache_key);
    const std::string& tier = in_.service_tier;
    if (!tier.empty() && tier != "auto" && tier != "default" && tier != "standard_only") {
      drop(Feature::service_tier);
    }
    for (const Part& part : in_.system) note_rest(part);
    for (const Message& message : in_.messages) {
      for (const Part& part : message.parts) note_rest(part);
      if (!message.name.empty()) drop(Feature::participant_name);
    }
  }

  void note_rest(const Part& part) {
    if (part.cache) drop(Feature::cache_control);
    if (!part.citations.empty()) drop(Feature::citations);
    if (part.kind == PartKind::refusal) drop(Feature::refusal);
    if (part.kind == PartKind::image && !part.detail.empty() && part.detail != "auto") {
      drop(Feature::image_detail);
    }
    if (part.kind == PartKind::document && !part.name.empty()) drop(Feature::document_name);
    for (const Part& child : part.children) note_rest(child);
  }

  const Conversation& in_;
  Dropped& dropped_;
  const ModelTraits traits_;
  std::string out_;
  json::Writer w_{out_};
  std::string config_;
  json::Writer g_{config_};
  std::map<std::string, Call> calls_;
  size_t calls_seen_ = 0;
  size_t contents_ = 0;
  bool has_functions_ = false;
};

}  // namespace

Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped) {
  return RequestWriter(conversation, context, dropped).write();
}

}  // namespace weir::dialect::gemini
