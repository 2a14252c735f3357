#include <algorithm>
#include <charconv>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/anthropic_messages/request_blocks.h"
#include "dialect/anthropic_messages/schema.h"
#include "dialect/losses.h"
#include "dialect/reasoning.h"
#include "dialect/tools.h"
#include "dialect/turns.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

constexpr Dialect kOwn = Dialect::anthropic_messages;

// The API's own limits.
constexpr size_t kToolNameMax = 128;
constexpr size_t kBreakpointsMax = 4;
constexpr size_t kUserMax = 256;
constexpr int64_t kThinkingMin = 1024;

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class RequestWriter {
 public:
  RequestWriter(const Conversation& conversation, const Context& context, Dropped& dropped)
      : in_(conversation),
        context_(context),
        dropped_(dropped),
        traits_(traits_of(context.base_model.empty() ? model() : context.base_model)) {}

  Result<std::string> write() {
    WEIR_CHECK_OK(check_tool_names(in_.tools, kToolNameMax));
    turns_.gather(
        in_, [this](const Part& part, Role role) { return blocks_.can_send(part, role); },
        /*join_blank=*/true, dropped_);
    if (turns_.all().empty()) {
      return fail(ErrorCode::invalid_argument,
                  "messages: expected at least one message with content that can be sent");
    }
    decide();
    count_breakpoints();
    w_.begin_object().member("model", model()).member("max_tokens", max_tokens_);
    write_tools();
    write_system();
    w_.key("messages").begin_array();
    const std::vector<Turn>& turns = turns_.all();
    for (size_t i = 0; i < turns.size(); ++i) write_turn(turns[i], i + 1 == turns.size());
    w_.end_array();
    write_thinking();
    write_sampling();
    write_rest();
    w_.end_object();
    return std::move(out_);
  }

 private:
  std::string_view model() const { return context_.model.empty() ? in_.model : context_.model; }
  void drop(Feature feature, std::string_view detail = {}) { lose(dropped_, feature, detail); }

  // --- what depends on several fields ---

  void decide() {
    const ResponseFormat& format = in_.format;
    json_tool_ = format.kind == FormatKind::json_schema && !traits_.structured_output;
    native_schema_ = format.kind == FormatKind::json_schema && traits_.structured_output;
    forced_ = json_tool_ || in_.tool_choice.kind == ToolChoiceKind::required ||
              in_.tool_choice.kind == ToolChoiceKind::named;
    if (forced_ && traits_.no_forced_tool) {
      drop(Feature::tool_choice);
      forced_ = false;
    }
    max_tokens_ = in_.max_output_tokens.value_or(context_.default_max_tokens);
    if (in_.reasoning) decide_thinking(*in_.reasoning);
  }

  void decide_thinking(const Reasoning& reasoning) {
    const auto budget = wanted_budget(reasoning);
    if (budget == 0) {
      thinking_ = Thinking::off;
      return;
    }
    if (!budget && reasoning.effort.empty()) return;
    // "Thinking may not be enabled when tool_choice forces tool use."
    if (forced_) return drop(Feature::reasoning);
    if (traits_.adaptive_thinking) {
      thinking_ = Thinking::adaptive;
      return;
    }
    // In a tool loop the turn being answered must begin with the thinking that led to it.
    if (turns_.last_calls_lack_thinking()) return drop(Feature::reasoning);
    budget_ =
        std::max(budget.value_or(-1) < 0 ? *budget_of_effort("medium") : *budget, kThinkingMin);
    if (!in_.max_output_tokens) {
      max_tokens_ += budget_;  // the answer keeps the room it has without thinking
    } else if (budget_ >= max_tokens_) {
      budget_ = std::max(max_tokens_ / 2, kThinkingMin);
      if (budget_ >= max_tokens_) return drop(Feature::reasoning);
    }
    thinking_ = Thinking::budget;
  }

  // The API takes four breakpoints. The later ones cover the longer prefixes: those stay.
  void count_breakpoints() {
    size_t count = turns_.breakpoints(in_);
    for (const Tool& tool : in_.tools) count += tool.cache ? 1 : 0;
    if (count <= kBreakpointsMax) return;
    blocks_.skip_breakpoints(count - kBreakpointsMax);
    drop(Feature::cache_control);
  }

  // --- writing ---

  void write_system() {
    const bool instruct = in_.format.kind == FormatKind::json_object;
    std::vector<const Part*> parts;
    for (const Part& part : in_.system) {
      if (part.kind == PartKind::text && !is_blank(part.text)) parts.push_back(&part);
    }
    if (turns_.system_is_user()) parts.clear();
    if (parts.empty() && !instruct) return;
    w_.key("system");
    if (parts.empty()) {
      w_.string(kJsonInstruction);
    } else if (parts.size() == 1 && !parts[0]->cache && !instruct) {
      w_.string(parts[0]->text);
    } else {
      w_.begin_array();
      for (const Part* part : parts) blocks_.write_text(part->text, part->cache);
      if (instruct) blocks_.write_text(kJsonInstruction, std::nullopt);
      w_.end_array();
    }
  }

  void write_turn(const Turn& turn, bool last) {
    w_.begin_object().member("role", turn.role == Role::user ? "user" : "assistant");
    w_.key("content").begin_array();
    for (size_t i = 0; i < turn.parts.size(); ++i) {
      const Part& part = *turn.parts[i];
      const bool end = last && turn.role == Role::assistant && i + 1 == turn.parts.size();
      if (end && part.kind == PartKind::text) {
        // "final assistant content cannot end with trailing whitespace"
        Part trimmed = part;
        trimmed.text.resize(part.text.find_last_not_of(" \t\r\n\f\v") + 1);
        blocks_.write(trimmed);
      } else {
        blocks_.write(part);
      }
    }
    w_.end_array().end_object();
  }

  void write_tools() {
    gather_tools();
    if (tools_.empty() && !json_tool_) {
      if (in_.tool_choice.kind != ToolChoiceKind::unset) drop(Feature::tool_choice);
      return;
    }
    w_.key("tools").begin_array();
    for (const Tool* tool : tools_) write_tool(*tool);
    if (json_tool_) {
      w_.begin_object().member("name", kJsonToolName);
      w_.member("description", in_.format.description.empty()
                                   ? std::string_view("Give the final answer with this tool.")
                                   : std::string_view(in_.format.description));
      write_input_schema(in_.format.schema);
      w_.end_object();
    }
    w_.end_array();
    write_tool_choice();
  }

  void gather_tools() {
    for (const Tool& tool : in_.tools) {
      if (!tool.native.empty() && provider_tool_json(tool, kOwn).empty()) {
        drop(Feature::provider_tool, tool.name);
      } else {
        tools_.push_back(&tool);
      }
    }
  }

  void write_tool(const Tool& tool) {
    if (!tool.native.empty()) {
      w_.raw(provider_tool_json(tool, kOwn));
      return;
    }
    if (tool.strict.value_or(false)) drop(Feature::tool_strict);
    if (tool.freeform && !tool.format.empty()) drop(Feature::tool_format);
    const std::string description = tool.freeform ? freeform_description(tool) : tool.description;
    w_.begin_object().member("name", tool.name);
    if (!description.empty()) w_.member("description", description);
    write_input_schema(tool.freeform ? kFreeformSchema : std::string_view(tool.schema));
    blocks_.write_cache(tool.cache);
    w_.end_object();
  }

  void write_input_schema(std::string_view schema) {
    w_.key("input_schema");
    json::Document document;
    if (schema.empty() || !document.parse(schema) || !document.root().is_object()) {
      w_.raw(R"({"type":"object","properties":{}})");
      return;
    }
    if (document.root()["type"].exists()) {
      w_.raw(schema);
      return;
    }
    // The API demands the type, which a schema without parameters may lack.
    w_.begin_object().member("type", "object");
    for (const auto& [key, value] : document.root().members()) w_.member_raw(key, value.raw());
    w_.end_object();
  }

  void write_tool_choice() {
    const bool one = in_.parallel_tool_calls && !*in_.parallel_tool_calls;
    ToolChoiceKind kind = in_.tool_choice.kind;
    std::string_view name = in_.tool_choice.name;
    if (json_tool_) {
      // Of several tools the model may choose one, the answer among them.
      kind = tools_.empty() ? ToolChoiceKind::named : ToolChoiceKind::required;
      name = kJsonToolName;
    }
    const bool forcing = kind == ToolChoiceKind::required || kind == ToolChoiceKind::named;
    if (forcing && !forced_) kind = ToolChoiceKind::automatic;
    if (kind == ToolChoiceKind::unset) {
      if (!one) return;
      kind = ToolChoiceKind::automatic;
    }
    w_.key("tool_choice").begin_object();
    switch (kind) {
      case ToolChoiceKind::none:
        w_.member("type", "none");
        break;
      case ToolChoiceKind::required:
        w_.member("type", "any");
        break;
      case ToolChoiceKind::named:
        w_.member("type", "tool").member("name", name);
        break;
      case ToolChoiceKind::automatic:
      case ToolChoiceKind::unset:
        w_.member("type", "auto");
        break;
    }
    if (kind != ToolChoiceKind::none && in_.parallel_tool_calls) {
      w_.member("disable_parallel_tool_use", one);
    }
    w_.end_object();
  }

  void write_thinking() {
    std::string_view effort;
    if (thinking_ == Thinking::budget) {
      w_.key("thinking").begin_object().member("type", "enabled");
      w_.member("budget_tokens", budget_).end_object();
    } else if (thinking_ == Thinking::adaptive) {
      effort = effort_word();
      w_.key("thinking").begin_object().member("type", "adaptive");
      // Later models keep their thoughts to themselves unless asked.
      if (traits_.xhigh_effort && in_.reasoning->include_thoughts.value_or(true)) {
        w_.member("display", "summarized");
      }
      w_.end_object();
    } else if (thinking_ == Thinking::off && traits_.adaptive_thinking) {
      switch (traits_.thinking_off) {
        case ModelTraits::Off::disabled:
          write_thinking_type("disabled");
          break;
        case ModelTraits::Off::between_tools:
          write_thinking_type("between_tools");
          break;
        case ModelTraits::Off::low_effort:
          effort = "low";
          break;
      }
    }  // before adaptive thinking, off is what is not asked for
    if (effort.empty() && !native_schema_) return;
    w_.key("output_config").begin_object();
    if (!effort.empty()) w_.member("effort", effort);
    if (native_schema_) {
      w_.key("format").begin_object().member("type", "json_schema");
      w_.member_raw("schema", structured_schema(in_.format.schema, dropped_)).end_object();
    }
    w_.end_object();
  }

  void write_thinking_type(std::string_view type) {
    w_.key("thinking").begin_object().member("type", type).end_object();
  }

  std::string_view effort_word() const {
    const std::string_view effort = wanted_effort(*in_.reasoning);
    if (effort == "minimal") return "low";
    if (effort == "xhigh" && !traits_.xhigh_effort) return "max";
    if (effort == "low" || effort == "medium" || effort == "high" || effort == "xhigh") {
      return effort;
    }
    return {};
  }

  void write_sampling() {
    // Thinking takes no temperature and no top_k, and top_p from 0.95 on.
    const bool refused =
        traits_.no_sampling || thinking_ == Thinking::budget || thinking_ == Thinking::adaptive;
    if (!in_.temperature.empty()) {
      const double value = number_of(in_.temperature).value_or(1);
      if (refused) {
        if (value != 1) drop(Feature::temperature);
      } else if (value > 1) {
        // OpenAI and Gemini go to 2, this API to 1, and up to there the numbers mean the same: a
        // higher one is cut, not scaled.
        drop(Feature::temperature);
        w_.member("temperature", 1);
      } else {
        w_.member_raw("temperature", in_.temperature);
      }
    }
    if (!in_.top_p.empty()) {
      if (refused || (traits_.one_sampling && !in_.temperature.empty())) {
        if (number_of(in_.top_p).value_or(1) != 1) drop(Feature::top_p);
      } else {
        w_.member_raw("top_p", in_.top_p);
      }
    }
    if (!in_.top_k.empty()) {
      if (refused) {
        drop(Feature::top_k);
      } else {
        w_.member_raw("top_k", in_.top_k);
      }
    }
    if (!in_.frequency_penalty.empty()) drop(Feature::frequency_penalty);
    if (!in_.presence_penalty.empty()) drop(Feature::presence_penalty);
    if (!in_.seed.empty()) drop(Feature::seed);
    if (in_.logprobs.value_or(false)) drop(Feature::logprobs);
    if (in_.candidates.value_or(1) != 1) drop(Feature::candidates);
  }

  void write_rest() {
    std::vector<const std::string*> stops;
    for (const std::string& stop : in_.stop) {
      if (is_blank(stop)) {
        drop(Feature::stop);  // "each stop sequence must contain non-whitespace"
      } else {
        stops.push_back(&stop);
      }
    }
    if (!stops.empty()) {
      w_.key("stop_sequences").begin_array();
      for (const std::string* stop : stops) w_.string(*stop);
      w_.end_array();
    }
    if (in_.user.size() > kUserMax) {
      drop(Feature::user);
    } else if (!in_.user.empty()) {
      w_.key("metadata").begin_object().member("user_id", in_.user).end_object();
    }
    const std::string_view tier = in_.service_tier;
    if (tier == "auto" || tier == "priority") {
      w_.member("service_tier", "auto");
    } else if (tier == "default" || tier == "standard" || tier == "standard_only") {
      w_.member("service_tier", "standard_only");
    } else if (!tier.empty()) {
      drop(Feature::service_tier);
    }
    if (!in_.metadata.empty()) drop(Feature::metadata);
    if (!in_.verbosity.empty()) drop(Feature::verbosity);
    if (!in_.prompt_cache_key.empty()) drop(Feature::prompt_cache_key);
    if (in_.stream) w_.member("stream", true);
  }

  enum class Thinking : uint8_t { unset, off, budget, adaptive };

  const Conversation& in_;
  const Context& context_;
  Dropped& dropped_;
  const ModelTraits traits_;
  Turns turns_;
  std::vector<const Tool*> tools_;
  bool json_tool_ = false;
  bool native_schema_ = false;
  bool forced_ = false;
  Thinking thinking_ = Thinking::unset;
  int64_t budget_ = 0;
  int64_t max_tokens_ = 0;
  std::string out_;
  json::Writer w_{out_};
  BlockWriter blocks_{w_, dropped_};
};

}  // namespace

Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped) {
  return RequestWriter(conversation, context, dropped).write();
}

}  // namespace weir::dialect::anthropic_messages
