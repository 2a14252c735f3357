// Portkey: one file per provider, names to prices in cents per token. What depends on the place,
// the tier or the length of the input stands under `custom_pricing`; places other than "default"
// are not read.
#include <charconv>

#include "ledger/catalogue/catalogue.h"

namespace weir::ledger {

namespace {

constexpr int kPicoPerToken = 10;
constexpr int kNanoApiece = 7;

std::string provider_of(const std::string& name, const CatalogueQuery& query) {
  const auto named = query.providers.find(name);
  if (named != query.providers.end()) return named->second;
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"openai", "openai"},       {"azure-openai", "azure_openai"},
      {"anthropic", "anthropic"}, {"google", "gemini"},
      {"vertex-ai", "vertex_ai"}, {"bedrock", "bedrock"},
      {"deepseek", "deepseek"},   {"x-ai", "xai"},
      {"mistral-ai", "mistral"}};
  for (const auto& [theirs, ours] : kNames) {
    if (name == theirs) return std::string(ours);
  }
  return {};
}

void read_prices(const json::Value& prices, std::string_view tier, int64_t above,
                 CatalogueModel& model) {
  static constexpr std::pair<std::string_view, UsageClass> kMeters[] = {
      {"request_token", UsageClass::input},
      {"response_token", UsageClass::output},
      {"cache_read_input_token", UsageClass::cache_read},
      {"cache_write_input_token", UsageClass::cache_write_5m},
      {"request_audio_token", UsageClass::input_audio},
      {"response_audio_token", UsageClass::output_audio},
      {"request_image_token", UsageClass::input_image},
      {"response_image_token", UsageClass::output_image}};
  for (const auto& [name, usage_class] : kMeters) {
    model.rate(tier, above, usage_class, prices[name]["price"], kPicoPerToken);
  }
  const json::Value& more = prices["additional_units"];
  model.rate(tier, above, UsageClass::cache_write_1h, more["cache_write_1h"]["price"],
             kPicoPerToken);
  const json::Value& thinking = more["thinking_token"]["price"];
  if (thinking.is_number() && prices["response_token"]["price"].is_number() &&
      thinking.as_double() != prices["response_token"]["price"].as_double()) {
    model.refuse("reasoning has a price of its own");
  }
  if (above != 0) return;
  const json::Value& search = more["web_search"]["price"];
  model.tool_call(tier, search.exists() ? search : more["search"]["price"], kNanoApiece);
}

// "gt-272k" -> 272,000; "lte-272k" -> 0; nothing for another form.
std::optional<int64_t> threshold_of(std::string_view name) {
  if (name.starts_with("lte-")) return 0;
  if (!name.starts_with("gt-") || !name.ends_with('k')) return std::nullopt;
  name = name.substr(3, name.size() - 4);
  int64_t thousands = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), thousands);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  if (thousands <= 0 || thousands > 1'000'000) return std::nullopt;
  return thousands * 1'000;
}

void read_modes(const json::Value& modes, CatalogueModel& model, Catalogue& catalogue) {
  for (const auto& [name, mode] : modes.members()) {
    const std::string_view tier = name == "standard" ? std::string_view() : std::string_view(name);
    if (!tier.empty() && tier != "batch" && tier != "flex" && tier != "priority") {
      ++catalogue.variants;
      continue;
    }
    read_prices(mode["pricing_config"]["pay_as_you_go"], tier, 0, model);
    for (const auto& [context, prices] : mode["context_tiers"].members()) {
      const auto above = threshold_of(context);
      if (!above) {
        model.refuse("a context tier of unknown form");
        continue;
      }
      read_prices(prices["pricing_config"]["pay_as_you_go"], tier, *above, model);
    }
  }
}

}  // namespace

void read_portkey(const json::Value& root, const CatalogueQuery& query, Catalogue& catalogue) {
  const std::string provider = provider_of(query.portkey_provider, query);
  for (const auto& [name, entry] : root.members()) {
    if (name == "default" || !entry.is_object()) continue;
    if (provider.empty()) {
      ++catalogue.elsewhere;
      continue;
    }
    if (name.find('/') != std::string::npos) {
      ++catalogue.variants;
      continue;
    }
    CatalogueModel model(provider, name, "https://portkey.ai/models");
    const json::Value& config = entry["pricing_config"];
    const std::string currency = config["currency"].string_or("USD");
    if (currency != "USD") model.refuse("prices in " + currency);
    read_prices(config["pay_as_you_go"], "", 0, model);
    read_prices(config["batch_config"], "batch", 0, model);
    read_modes(entry["custom_pricing"]["regions"]["default"]["execution_modes"], model, catalogue);
    if (model.has_tokens()) {
      model.finish(query.valid_from_ms, catalogue);
    } else {
      ++catalogue.not_tokens;
    }
  }
}

}  // namespace weir::ledger
