#include "dialect/bedrock_converse/model_fields.h"

#include <algorithm>
#include <charconv>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/losses.h"
#include "dialect/reasoning.h"

namespace weir::dialect::bedrock_converse {
namespace {

using ClaudeTraits = anthropic_messages::ModelTraits;
using Family = ModelTraits::Family;

constexpr int64_t kThinkingMin = 1024;  // Claude's least budget

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Decision {
 public:
  Decision(const Conversation& conversation, const Context& context, std::string_view model,
           const Situation& situation, Dropped& dropped)
      : in_(conversation),
        context_(context),
        situation_(situation),
        dropped_(dropped),
        family_(traits_of(model).family),
        claude_(anthropic_messages::traits_of(model)) {}

  ModelFields make() {
    out_.max_tokens = in_.max_output_tokens;
    if (in_.reasoning) think(*in_.reasoning);
    sample();
    return std::move(out_);
  }

 private:
  void drop(Feature feature) { lose(dropped_, feature); }

  void think(const Reasoning& reasoning) {
    switch (family_) {
      case Family::claude:
        return think_claude(reasoning);
      case Family::nova2:
        return think_nova(reasoning);
      case Family::gpt_oss: {
        const std::string_view effort = three_steps(wanted_effort(reasoning));
        if (!effort.empty()) out_.additional.emplace_back("reasoning_effort", json::quoted(effort));
        return;
      }
      default:
        if (wanted_budget(reasoning) != 0) drop(Feature::reasoning);
    }
  }

  // Efforts of APIs that know low, medium and high.
  static std::string_view three_steps(std::string_view effort) {
    if (effort == "none" || effort == "minimal") return "low";
    if (effort == "xhigh") return "high";
    return effort == "low" || effort == "medium" || effort == "high" ? effort : "";
  }

  void think_nova(const Reasoning& reasoning) {
    if (wanted_budget(reasoning) == 0) return;  // off is what is not asked for
    std::string_view effort = three_steps(wanted_effort(reasoning));
    if (effort.empty()) effort = "medium";
    // "high" takes neither a limit nor sampling parameters; the client's limit comes first.
    if (effort == "high" && in_.max_output_tokens) {
      effort = "medium";
      drop(Feature::reasoning);
    }
    thinks_ = effort == "high";
    out_.additional.emplace_back("reasoningConfig", R"({"type":"enabled","maxReasoningEffort":)" +
                                                        json::quoted(effort) + "}");
  }

  void think_claude(const Reasoning& reasoning) {
    const auto budget = wanted_budget(reasoning);
    if (budget == 0) return think_not();
    if (!budget && reasoning.effort.empty()) return;
    if (situation_.forced_tool) return drop(Feature::reasoning);
    if (claude_.adaptive_thinking) {
      thinks_ = true;
      const bool shown = claude_.xhigh_effort && reasoning.include_thoughts.value_or(true);
      out_.additional.emplace_back("thinking", shown
                                                   ? R"({"type":"adaptive","display":"summarized"})"
                                                   : R"({"type":"adaptive"})");
      const std::string_view effort = wanted_effort(reasoning);
      if (effort == "minimal") {
        out_.effort = "low";
      } else if (effort == "xhigh" && !claude_.xhigh_effort) {
        out_.effort = "max";
      } else if (effort != "none") {
        out_.effort = effort;
      }
      return;
    }
    if (situation_.turn_lacks_thinking) return drop(Feature::reasoning);
    int64_t tokens =
        std::max(budget.value_or(-1) < 0 ? *budget_of_effort("medium") : *budget, kThinkingMin);
    if (!in_.max_output_tokens) {
      out_.max_tokens = context_.default_max_tokens + tokens;
    } else if (tokens >= *in_.max_output_tokens) {
      tokens = std::max(*in_.max_output_tokens / 2, kThinkingMin);
      if (tokens >= *in_.max_output_tokens) return drop(Feature::reasoning);
    }
    thinks_ = true;
    out_.additional.emplace_back(
        "thinking", R"({"type":"enabled","budget_tokens":)" + std::to_string(tokens) + "}");
  }

  void think_not() {
    if (!claude_.adaptive_thinking) return;
    switch (claude_.thinking_off) {
      case ClaudeTraits::Off::disabled:
        out_.additional.emplace_back("thinking", R"({"type":"disabled"})");
        return;
      case ClaudeTraits::Off::between_tools:
        out_.additional.emplace_back("thinking", R"({"type":"between_tools"})");
        return;
      case ClaudeTraits::Off::low_effort:
        out_.effort = "low";
        return;
    }
  }

  void sample() {
    const bool claude = family_ == Family::claude;
    const bool refused = thinks_ || (claude && claude_.no_sampling);
    if (!in_.temperature.empty()) {
      const double value = number_of(in_.temperature).value_or(1);
      if (refused) {
        if (value != 1) drop(Feature::temperature);
      } else if (value > 1) {
        drop(Feature::temperature);  // the API goes to 1: a higher one is cut, not scaled
        out_.temperature = "1";
      } else {
        out_.temperature = in_.temperature;
      }
    }
    if (!in_.top_p.empty()) {
      if (refused || (claude && claude_.one_sampling && !in_.temperature.empty())) {
        if (number_of(in_.top_p).value_or(1) != 1) drop(Feature::top_p);
      } else {
        out_.top_p = in_.top_p;
      }
    }
    if (!in_.top_k.empty()) choose_top_k(refused);
  }

  void choose_top_k(bool refused) {
    if (refused) return drop(Feature::top_k);
    switch (family_) {
      case Family::claude:
      case Family::mistral:
        out_.additional.emplace_back("top_k", in_.top_k);
        return;
      case Family::nova:
      case Family::nova2:
        out_.additional.emplace_back("inferenceConfig", R"({"topK":)" + in_.top_k + "}");
        return;
      case Family::cohere:
        out_.additional.emplace_back("k", in_.top_k);
        return;
      default:
        drop(Feature::top_k);
    }
  }

  const Conversation& in_;
  const Context& context_;
  const Situation& situation_;
  Dropped& dropped_;
  const Family family_;
  const ClaudeTraits claude_;
  bool thinks_ = false;
  ModelFields out_;
};

}  // namespace

ModelFields decide_model_fields(const Conversation& conversation, const Context& context,
                                std::string_view model, const Situation& situation,
                                Dropped& dropped) {
  return Decision(conversation, context, model, situation, dropped).make();
}

void write_model_fields(json::Writer& w, const ModelFields& fields) {
  if (fields.additional.empty()) return;
  w.key("additionalModelRequestFields").begin_object();
  for (const auto& [name, json] : fields.additional) w.member_raw(name, json);
  w.end_object();
}

}  // namespace weir::dialect::bedrock_converse
