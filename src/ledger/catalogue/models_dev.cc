// models.dev: providers with models, each with one `cost` in dollars per million tokens, context
// tiers beside it, and other modes of serving that name the service tier to ask for.
#include <array>

#include "ledger/catalogue/catalogue.h"

namespace weir::ledger {

namespace {

constexpr int kPicoPerToken = 6;

std::string provider_of(const std::string& name, const CatalogueQuery& query) {
  const auto named = query.providers.find(name);
  if (named != query.providers.end()) return named->second;
  static constexpr std::array<std::array<std::string_view, 2>, 10> kNames = {
      {{"openai", "openai"},
       {"azure", "azure_openai"},
       {"anthropic", "anthropic"},
       {"google", "gemini"},
       {"google-vertex", "vertex_ai"},
       {"google-vertex-anthropic", "vertex_ai"},
       {"amazon-bedrock", "bedrock"},
       {"deepseek", "deepseek"},
       {"xai", "xai"},
       {"mistral", "mistral"}}};
  for (const auto& [theirs, ours] : kNames) {
    if (name == theirs) return std::string(ours);
  }
  return {};
}

void read_cost(const json::Value& cost, std::string_view tier, int64_t above,
               CatalogueModel& model) {
  static constexpr std::pair<std::string_view, UsageClass> kMeters[] = {
      {"input", UsageClass::input},
      {"output", UsageClass::output},
      {"cache_read", UsageClass::cache_read},
      {"cache_write", UsageClass::cache_write_5m},
      {"input_audio", UsageClass::input_audio},
      {"output_audio", UsageClass::output_audio}};
  for (const auto& [name, usage_class] : kMeters) {
    model.rate(tier, above, usage_class, cost[name], kPicoPerToken);
  }
  const json::Value& reasoning = cost["reasoning"];
  if (reasoning.is_number() && reasoning.as_double() != cost["output"].as_double()) {
    model.refuse("reasoning has a price of its own");
  }
}

void read_model(const std::string& provider, const std::string& name, const json::Value& entry,
                const std::string& source, const CatalogueQuery& query, Catalogue& catalogue) {
  const json::Value& cost = entry["cost"];
  if (!cost.is_object()) {
    ++catalogue.not_tokens;
    return;
  }
  CatalogueModel model(provider, name, source);
  read_cost(cost, "", 0, model);
  if (cost["tiers"].size() > 0) {
    for (const json::Value& tier : cost["tiers"].elements()) {
      const auto size = tier["tier"]["size"].as_int64();
      if (!size || *size <= 0) {
        model.refuse("a context tier without its size");
      } else {
        read_cost(tier, "", *size, model);
      }
    }
  } else if (cost["context_over_200k"].is_object()) {
    read_cost(cost["context_over_200k"], "", 200'000, model);
  }
  for (const auto& [mode, value] : entry["experimental"]["modes"].members()) {
    const std::string tier = value["provider"]["body"]["service_tier"].string_or("");
    if (tier != "priority" && tier != "flex" && tier != "batch") {
      ++catalogue.variants;
      continue;
    }
    read_cost(value["cost"], tier, 0, model);
  }
  for (const json::Value& kind : entry["modalities"]["input"].elements()) {
    if (!kind.equals("image")) continue;
    for (const std::string_view tier : {"", "priority", "flex", "batch"}) {
      model.rate_like(tier, UsageClass::input_image, UsageClass::input);
    }
  }
  model.max_output(entry["limit"]["output"]);
  model.finish(query.valid_from_ms, catalogue);
}

}  // namespace

void read_models_dev(const json::Value& root, const CatalogueQuery& query, Catalogue& catalogue) {
  for (const auto& [name, entry] : root.members()) {
    const std::string provider = provider_of(name, query);
    if (provider.empty()) {
      catalogue.elsewhere += entry["models"].size();
      continue;
    }
    const std::string source = entry["doc"].string_or("https://models.dev");
    for (const auto& [model, value] : entry["models"].members()) {
      read_model(provider, model, value, source, query, catalogue);
    }
  }
}

}  // namespace weir::ledger
