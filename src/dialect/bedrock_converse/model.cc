#include <array>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/bedrock_converse/bedrock_converse.h"

namespace weir::dialect::bedrock_converse {
namespace {

bool has(std::string_view model, std::string_view part) {
  return model.find(part) != std::string_view::npos;
}

// "Get validated JSON results from models" of the Bedrock user guide.
bool constrains_output(std::string_view model) {
  constexpr std::array<std::string_view, 14> kModels = {"qwen.",
                                                        "openai.gpt-oss",
                                                        "deepseek.v3",
                                                        "google.gemma",
                                                        "minimax.",
                                                        "moonshot",
                                                        "nvidia.nemotron",
                                                        "mistral.ministral",
                                                        "mistral.magistral",
                                                        "mistral.voxtral",
                                                        "mistral.mistral-large-3",
                                                        "zai.",
                                                        "mistral.devstral",
                                                        "mistral.pixtral-large-3"};
  for (const std::string_view name : kModels) {
    if (has(model, name)) return true;
  }
  return false;
}

}  // namespace

ModelTraits traits_of(std::string_view model) {
  using Family = ModelTraits::Family;
  ModelTraits traits;
  const bool known = has(model, "anthropic.") || has(model, "amazon.") || has(model, "meta.") ||
                     has(model, "mistral.") || has(model, "cohere.") || has(model, "ai21.") ||
                     has(model, "openai.") || has(model, "deepseek.") || has(model, "qwen.");
  if (has(model, "claude")) {
    traits.family = Family::claude;
    const anthropic_messages::ModelTraits claude = anthropic_messages::traits_of(model);
    traits.structured_output = claude.structured_output;
    traits.forced_tool = !claude.no_forced_tool;
    return traits;
  }
  if (has(model, "amazon.nova")) {
    traits.family = has(model, "nova-2") ? Family::nova2 : Family::nova;
    traits.tool_cache_points = false;
    return traits;
  }
  if (has(model, "meta.llama")) traits.family = Family::llama;
  if (has(model, "mistral.")) traits.family = Family::mistral;
  if (has(model, "cohere.")) traits.family = Family::cohere;
  if (has(model, "gpt-oss")) traits.family = Family::gpt_oss;
  traits.structured_output = constrains_output(model);
  if (known || traits.structured_output) {
    traits.result_status = false;
    traits.cache_points = false;
    traits.tool_cache_points = false;
  }
  const bool plain = traits.family == Family::llama || traits.family == Family::cohere ||
                     has(model, "ai21.") || has(model, "amazon.titan") || has(model, "deepseek.r1");
  if (plain) traits.forced_tool = false;
  return traits;
}

}  // namespace weir::dialect::bedrock_converse
