#include <algorithm>
#include <set>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/anthropic_messages/schema.h"
#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/bedrock_converse/model_fields.h"
#include "dialect/losses.h"
#include "dialect/tools.h"
#include "dialect/turns.h"
#include "dialect/wire.h"

namespace weir::dialect::bedrock_converse {
namespace {

using anthropic_messages::kJsonToolName;
using Family = ModelTraits::Family;

// The API's own limits.
constexpr size_t kToolNameMax = 64;
constexpr size_t kBreakpointsMax = 4;

// What stands in for the text that must stand beside a document and for a result without content:
// the API demands them and the client did not have them.
constexpr std::string_view kDocumentText = "See the document.";
constexpr std::string_view kNoResult = "(no output)";

// Claude's signatures hold wherever Claude runs; nobody else's are known here.
bool is_own_signature(Dialect origin) {
  return origin == Dialect::bedrock_converse || origin == Dialect::anthropic_messages ||
         origin == Dialect::passthrough;
}

class RequestWriter {
 public:
  RequestWriter(const Conversation& conversation, const Context& context, Dropped& dropped)
      : in_(conversation),
        context_(context),
        dropped_(dropped),
        model_(!context.base_model.empty() ? std::string_view(context.base_model)
               : !context.model.empty()    ? std::string_view(context.model)
                                           : std::string_view(conversation.model)),
        traits_(traits_of(model_)) {}

  Result<std::string> write() {
    WEIR_CHECK_OK(check_tool_names(in_.tools, kToolNameMax));
    turns_.gather(
        in_, [this](const Part& part, Role role) { return can_send(part, role); },
        /*join_blank=*/false, dropped_);
    if (turns_.all().empty()) {
      return fail(ErrorCode::invalid_argument,
                  "messages: expected at least one message with content that can be sent");
    }
    decide();
    count_breakpoints();
    w_.begin_object();
    write_tools();  // first, as the breakpoints are counted
    write_system();
    w_.key("messages").begin_array();
    for (const Turn& turn : turns_.all()) write_turn(turn);
    w_.end_array();
    write_inference();
    write_model_fields(w_, fields_);
    write_output();
    write_rest();
    w_.end_object();
    return std::move(out_);
  }

 private:
  void drop(Feature feature, std::string_view detail = {}) { lose(dropped_, feature, detail); }

  bool can_send(const Part& part, Role role) {
    switch (part.kind) {
      case PartKind::refusal:
        drop(Feature::refusal);
        return !is_blank(part.text);
      case PartKind::text:
        if (!part.citations.empty()) drop(Feature::citations);
        return !is_blank(part.text);
      case PartKind::image:
        if (!part.detail.empty() && part.detail != "auto") drop(Feature::image_detail);
        if (has_source(part)) return true;
        drop(part.id.empty() ? Feature::image : Feature::file_id);
        return false;
      case PartKind::document:
        if (role == Role::user && has_source(part)) return true;
        drop(part.id.empty() ? Feature::document : Feature::file_id);
        return false;
      case PartKind::audio:
        if (role == Role::user && has_source(part)) return true;
        drop(Feature::audio);
        return false;
      case PartKind::thinking:
        if (role == Role::assistant && !part.signature.empty() && is_own_signature(part.origin)) {
          return true;
        }
        drop(Feature::thinking);
        return false;
      case PartKind::redacted_thinking:
        if (role == Role::assistant && !part.data.empty() && is_own_signature(part.origin)) {
          return true;
        }
        drop(Feature::thinking);
        return false;
      case PartKind::tool_call:
        has_tool_blocks_ = has_tool_blocks_ || role == Role::assistant;
        return role == Role::assistant;
      case PartKind::tool_result:
        has_tool_blocks_ = has_tool_blocks_ || role == Role::user;
        return role == Role::user;
      case PartKind::native:
        if (part.origin == Dialect::bedrock_converse) return true;
        drop(Feature::native_part, part.name);
        return false;
    }
    return false;
  }

  // --- what depends on several fields ---

  void decide() {
    const bool schema = in_.format.kind == FormatKind::json_schema;
    json_tool_ = schema && !traits_.structured_output;
    native_schema_ = schema && traits_.structured_output;
    ToolChoiceKind choice = in_.tool_choice.kind;
    if (choice == ToolChoiceKind::none) {
      // There is no such word: without tools no tool is called. A history with calls needs them.
      tools_ = has_tool_blocks_;
      if (has_tool_blocks_) drop(Feature::tool_choice);
      choice = ToolChoiceKind::unset;
    }
    forced_ = json_tool_ || choice == ToolChoiceKind::required || choice == ToolChoiceKind::named;
    if (forced_ && !traits_.forced_tool) {
      if (!json_tool_) drop(Feature::tool_choice);
      forced_ = false;
    }
    fields_ = decide_model_fields(
        in_, context_, model_,
        {.forced_tool = forced_, .turn_lacks_thinking = turns_.last_calls_lack_thinking()},
        dropped_);
  }

  // The later breakpoints cover the longer prefixes: those stay.
  void count_breakpoints() {
    size_t count = turns_.breakpoints(in_);
    for (const Tool& tool : in_.tools) count += tool.cache && tools_ ? 1 : 0;
    if (count > 0 && !traits_.cache_points) drop(Feature::cache_control);
    if (count <= kBreakpointsMax) return;
    breakpoints_skipped_ = count - kBreakpointsMax;
    drop(Feature::cache_control);
  }

  // --- writing ---

  void write_cache(const std::optional<CacheControl>& cache, bool supported) {
    if (!cache) return;
    if (breakpoints_skipped_ > 0) {
      --breakpoints_skipped_;
      return;
    }
    if (!supported) return drop(Feature::cache_control);
    w_.begin_object().key("cachePoint").begin_object().member("type", "default");
    if (cache->ttl == "1h") w_.member("ttl", "1h");
    w_.end_object().end_object();
  }

  void write_text(std::string_view text) { w_.begin_object().member("text", text).end_object(); }

  void write_system() {
    const bool instruct = in_.format.kind == FormatKind::json_object;
    std::vector<const Part*> parts;
    for (const Part& part : in_.system) {
      const bool native = part.kind == PartKind::native && part.origin == Dialect::bedrock_converse;
      if (native || (part.kind == PartKind::text && !is_blank(part.text))) parts.push_back(&part);
    }
    if (turns_.system_is_user()) parts.clear();
    if (parts.empty() && !instruct) return;
    w_.key("system").begin_array();
    for (const Part* part : parts) {
      if (part->kind == PartKind::native) {
        w_.raw(part->json);
      } else {
        write_text(part->text);
      }
      write_cache(part->cache, traits_.cache_points);
    }
    if (instruct) write_text(kJsonInstruction);
    w_.end_array();
  }

  void write_turn(const Turn& turn) {
    w_.begin_object().member("role", turn.role == Role::user ? "user" : "assistant");
    w_.key("content").begin_array();
    bool text = false;
    bool document = false;
    for (const Part* part : turn.parts) {
      text = text || part->kind == PartKind::text;
      document = document || part->kind == PartKind::document;
      write_part(*part);
      if (!is_thinking(*part)) write_cache(part->cache, traits_.cache_points);
    }
    if (document && !text) write_text(kDocumentText);
    w_.end_array().end_object();
  }

  void write_part(const Part& part) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        write_text(part.text);
        return;
      case PartKind::thinking:
        w_.begin_object().key("reasoningContent").begin_object();
        w_.key("reasoningText").begin_object().member("text", part.text);
        w_.member("signature", part.signature).end_object().end_object().end_object();
        return;
      case PartKind::redacted_thinking:
        w_.begin_object().key("reasoningContent").begin_object();
        w_.member("redactedContent", part.data).end_object().end_object();
        return;
      case PartKind::image:
      case PartKind::document:
      case PartKind::audio:
        write_media(part);
        return;
      case PartKind::tool_call:
        w_.begin_object().key("toolUse").begin_object();
        w_.member("toolUseId", tool_use_id(part.id)).member("name", call_name(part.name));
        w_.member_raw("input", arguments_of(part));
        w_.end_object().end_object();
        return;
      case PartKind::tool_result:
        write_tool_result(part);
        return;
      case PartKind::native:
        w_.raw(part.json);
        return;
    }
  }

  void write_media(const Part& part) {
    const std::string_view member = part.kind == PartKind::image      ? "image"
                                    : part.kind == PartKind::document ? "document"
                                                                      : "audio";
    w_.begin_object().key(member);
    write_source_block(w_, part, part.kind == PartKind::document ? unique_name(part.name) : "");
    w_.end_object();
  }

  // Two documents of one name are refused.
  std::string unique_name(std::string_view name) {
    const std::string clean = document_name(name);
    std::string unique = clean;
    for (int n = 2; !document_names_.insert(unique).second; ++n) {
      unique = clean + " (" + std::to_string(n) + ")";
    }
    return unique;
  }

  // A name of the history that is no tool's today, in the letters that the API takes.
  static std::string call_name(std::string_view name) {
    const std::string plain = plain_id(name.substr(0, kToolNameMax));
    return plain.empty() ? "tool" : plain;
  }

  void write_tool_result(const Part& result) {
    w_.begin_object().key("toolResult").begin_object();
    w_.member("toolUseId", tool_use_id(result.id)).key("content").begin_array();
    bool any = false;
    for (const Part& part : result.children) {
      const bool kind = part.kind == PartKind::text || part.kind == PartKind::image ||
                        part.kind == PartKind::document || part.kind == PartKind::native;
      if (!kind || !can_send(part, Role::user)) continue;
      write_part(part);
      if (part.cache) drop(Feature::tool_result_cache);
      any = true;
    }
    if (!any) write_text(kNoResult);
    w_.end_array();
    if (result.is_error) {
      if (traits_.result_status) {
        w_.member("status", "error");
      } else {
        drop(Feature::tool_error);
      }
    }
    w_.end_object().end_object();
  }

  void write_inference() {
    const bool any = fields_.max_tokens || !fields_.temperature.empty() || !fields_.top_p.empty() ||
                     !in_.stop.empty();
    if (!any) return;
    w_.key("inferenceConfig").begin_object();
    if (fields_.max_tokens) w_.member("maxTokens", *fields_.max_tokens);
    if (!fields_.temperature.empty()) w_.member_raw("temperature", fields_.temperature);
    if (!fields_.top_p.empty()) w_.member_raw("topP", fields_.top_p);
    std::vector<const std::string*> stops;
    for (const std::string& stop : in_.stop) {
      if (is_blank(stop)) {
        drop(Feature::stop);
      } else {
        stops.push_back(&stop);
      }
    }
    if (!stops.empty()) {
      w_.key("stopSequences").begin_array();
      for (const std::string* stop : stops) w_.string(*stop);
      w_.end_array();
    }
    w_.end_object();
  }

  void write_tools() {
    std::vector<std::string> of_history;
    if (has_tool_blocks_ && in_.tools.empty()) of_history = names_of_history();
    const bool any = (tools_ && !in_.tools.empty()) || json_tool_ || !of_history.empty();
    if (!any) {
      const ToolChoiceKind kind = in_.tool_choice.kind;
      if (in_.tools.empty() && kind != ToolChoiceKind::unset && kind != ToolChoiceKind::none) {
        drop(Feature::tool_choice);
      }
      return;
    }
    w_.key("toolConfig").begin_object().key("tools").begin_array();
    for (const Tool& tool : in_.tools) {
      if (tools_) write_tool(tool);
    }
    for (const std::string& name : of_history) {
      write_tool_spec(name, {}, {}, std::nullopt);
    }
    if (json_tool_) {
      const std::string& description = in_.format.description;
      write_tool_spec(kJsonToolName,
                      description.empty() ? "Give the final answer with this tool." : description,
                      in_.format.schema, std::nullopt);
    }
    w_.end_array();
    write_tool_choice();
    w_.end_object();
    if (in_.parallel_tool_calls && !*in_.parallel_tool_calls) drop(Feature::parallel_tool_calls);
  }

  // "The toolConfig field must be defined when using toolUse and toolResult content blocks."
  std::vector<std::string> names_of_history() const {
    std::set<std::string> names;
    for (const Turn& turn : turns_.all()) {
      for (const Part* part : turn.parts) {
        if (part->kind == PartKind::tool_call) names.insert(call_name(part->name));
      }
    }
    if (names.empty()) names.insert("tool");
    return {names.begin(), names.end()};
  }

  void write_tool(const Tool& tool) {
    if (!tool.native.empty()) {
      if (tool.origin == Dialect::bedrock_converse) {
        w_.raw(tool.native);
      } else {
        drop(Feature::provider_tool, tool.name);
      }
      return;
    }
    if (tool.freeform) {
      if (!tool.format.empty()) drop(Feature::tool_format);
      write_tool_spec(tool.name, freeform_description(tool), kFreeformSchema, std::nullopt);
    } else {
      write_tool_spec(tool.name, tool.description, tool.schema, tool.strict);
    }
    write_cache(tool.cache, traits_.tool_cache_points);
  }

  void write_tool_spec(std::string_view name, std::string_view description, std::string_view schema,
                       std::optional<bool> strict) {
    const bool asked = strict.value_or(false);
    if (asked && !traits_.structured_output) drop(Feature::tool_strict);
    bedrock_converse::write_tool_spec(w_, name, description, schema,
                                      asked && traits_.structured_output);
  }

  void write_tool_choice() {
    ToolChoiceKind kind = in_.tool_choice.kind;
    std::string_view name = in_.tool_choice.name;
    if (json_tool_) {
      // Of several tools the model may choose one, the answer among them.
      kind = in_.tools.empty() || !tools_ ? ToolChoiceKind::named : ToolChoiceKind::required;
      name = kJsonToolName;
    }
    if (!forced_) {
      if (kind != ToolChoiceKind::automatic) return;
      w_.key("toolChoice").begin_object().key("auto").begin_object().end_object().end_object();
      return;
    }
    w_.key("toolChoice").begin_object();
    // Mistral's models know "any" and no single tool.
    if (kind == ToolChoiceKind::named && traits_.family != Family::mistral) {
      w_.key("tool").begin_object().member("name", name).end_object();
    } else {
      if (kind == ToolChoiceKind::named && in_.tools.size() > 1) drop(Feature::tool_choice);
      w_.key("any").begin_object().end_object();
    }
    w_.end_object();
  }

  void write_output() {
    if (!native_schema_ && fields_.effort.empty()) return;
    w_.key("outputConfig").begin_object();
    if (native_schema_) {
      const std::string schema =
          traits_.family == Family::claude
              ? anthropic_messages::structured_schema(in_.format.schema, dropped_)
              : compact_json(in_.format.schema);
      w_.key("textFormat").begin_object().member("type", "json_schema");
      w_.key("structure").begin_object().key("jsonSchema").begin_object();
      w_.member("schema", schema);
      w_.member("name", in_.format.name.empty() ? std::string_view("response")
                                                : std::string_view(in_.format.name));
      if (!in_.format.description.empty()) w_.member("description", in_.format.description);
      w_.end_object().end_object().end_object();
    }
    if (!fields_.effort.empty()) w_.member("effort", fields_.effort);
    w_.end_object();
  }

  void write_rest() {
    if (traits_.family == Family::claude && !in_.stop.empty()) {
      // Which of the sequences was hit, Claude says only when asked.
      w_.key("additionalModelResponseFieldPaths").begin_array();
      w_.string(context_.stream || in_.stream ? "/delta/stop_sequence" : "/stop_sequence");
      w_.end_array();
    }
    write_request_metadata(w_, in_.metadata, dropped_);
    const std::string_view tier = in_.service_tier;
    if (tier == "priority" || tier == "flex" || tier == "reserved") {
      w_.key("serviceTier").begin_object().member("type", tier).end_object();
    } else if (tier == "default" || tier == "standard" || tier == "standard_only") {
      w_.key("serviceTier").begin_object().member("type", "default").end_object();
    } else if (!tier.empty() && tier != "auto") {
      drop(Feature::service_tier);
    }
    if (!in_.user.empty()) drop(Feature::user);
    if (!in_.frequency_penalty.empty()) drop(Feature::frequency_penalty);
    if (!in_.presence_penalty.empty()) drop(Feature::presence_penalty);
    if (!in_.seed.empty()) drop(Feature::seed);
    if (in_.logprobs.value_or(false)) drop(Feature::logprobs);
    if (in_.candidates.value_or(1) != 1) drop(Feature::candidates);
    if (!in_.verbosity.empty()) drop(Feature::verbosity);
    if (!in_.prompt_cache_key.empty()) drop(Feature::prompt_cache_key);
  }

  const Conversation& in_;
  const Context& context_;
  Dropped& dropped_;
  const std::string_view model_;
  const ModelTraits traits_;
  Turns turns_;
  std::set<std::string> document_names_;
  ModelFields fields_;
  bool has_tool_blocks_ = false;
  bool tools_ = true;  // the client's tools are sent
  bool json_tool_ = false;
  bool native_schema_ = false;
  bool forced_ = false;
  size_t breakpoints_skipped_ = 0;
  std::string out_;
  json::Writer w_{out_};
};

}  // namespace

Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped) {
  return RequestWriter(conversation, context, dropped).write();
}

}  // namespace weir::dialect::bedrock_converse
