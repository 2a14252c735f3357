// LiteLLM: a flat map of names to objects; a rate's context, lifetime and tier are parts of its
// member's name: cache_creation_input_token_cost_above_1hr_above_200k_tokens_batches.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "ledger/catalogue/catalogue.h"

namespace weir::ledger {

namespace {

constexpr int kPicoPerToken = 12;
constexpr int kNanoApiece = 9;

struct Origin {
  std::string provider;
  std::string model;
  std::string location;
  bool variant = false;
};

bool strip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Whose model an entry is, as Weir's accounts have it. Empty: of somebody else.
Origin origin_of(std::string_view name, const std::string& provider, const CatalogueQuery& query) {
  Origin origin;
  const auto named = query.providers.find(provider);
  if (named != query.providers.end()) {
    origin.provider = named->second;
    strip(name, provider + "/");
    origin.model = name;
    return origin;
  }
  static constexpr std::array<std::array<std::string_view, 2>, 9> kSame = {
      {{"openai", "openai"},
       {"text-completion-openai", "openai"},
       {"azure", "azure_openai"},
       {"anthropic", "anthropic"},
       {"gemini", "gemini"},
       {"bedrock", "bedrock"},
       {"bedrock_converse", "bedrock"},
       {"deepseek", "deepseek"},
       {"xai", "xai"}}};
  for (const auto& [theirs, ours] : kSame) {
    if (provider == theirs) origin.provider = ours;
  }
  if (provider == "mistral") origin.provider = "mistral";
  if (provider.starts_with("vertex_ai")) origin.provider = "vertex_ai";
  if (origin.provider.empty()) return origin;
  for (const std::string_view prefix : {"openai/", "azure/", "anthropic/", "gemini/", "vertex_ai/",
                                        "bedrock/", "deepseek/", "xai/", "mistral/"}) {
    if (strip(name, prefix)) break;
  }
  if (provider == "azure") {
    if (strip(name, "global/") || strip(name, "global-standard/")) origin.location = "global";
    if (strip(name, "us/") || strip(name, "eu/")) origin.location = "regional";
  }
  if (provider.starts_with("vertex_ai")) {
    const size_t slash = name.rfind('/');
    if (slash != std::string_view::npos && !name.starts_with("publishers/")) {
      name.remove_prefix(slash + 1);
    }
  }
  // A single region of Bedrock, a size of image, a fine-tune.
  origin.variant = name.find('/') != std::string_view::npos || name.starts_with("ft:");
  origin.model = name;
  return origin;
}

struct Part {
  UsageClass usage_class;
  std::string_view prefix;
};
constexpr Part kParts[] = {
    // The longer first.
    {UsageClass::cache_write_1h, "cache_creation_input_token_cost_above_1hr"},
    {UsageClass::cache_write_1h, "cache_creation_input_token_cost_above_12hr"},
    {UsageClass::cache_write_5m, "cache_creation_input_token_cost"},
    {UsageClass::cache_read, "cache_read_input_token_cost"},
    {UsageClass::input_audio, "input_cost_per_audio_token"},
    {UsageClass::input_image, "input_cost_per_image_token"},
    {UsageClass::input, "input_cost_per_token"},
    {UsageClass::output_audio, "output_cost_per_audio_token"},
    {UsageClass::output_image, "output_cost_per_image_token"},
    {UsageClass::output, "output_cost_per_token"},
};

struct Meter {
  UsageClass usage_class = UsageClass::input;
  int64_t above = 0;
  std::string_view tier;
};

// Nothing where the member is no rate that Weir knows.
std::optional<Meter> meter_of(std::string_view name) {
  for (const Part& part : kParts) {
    std::string_view rest = name;
    if (!strip(rest, part.prefix)) continue;
    Meter meter{.usage_class = part.usage_class};
    if (strip(rest, "_above_")) {
      const auto [end, error] =
          std::from_chars(rest.data(), rest.data() + rest.size(), meter.above);
      if (error != std::errc{} || meter.above <= 0 || meter.above > 1'000'000) return {};
      rest.remove_prefix(static_cast<size_t>(end - rest.data()));
      if (!strip(rest, "k_tokens")) return {};
      meter.above *= 1'000;
    }
    if (rest == "_batches") {
      meter.tier = "batch";
    } else if (rest == "_flex") {
      meter.tier = "flex";
    } else if (rest == "_priority") {
      meter.tier = "priority";
    } else if (!rest.empty()) {
      return {};
    }
    return meter;
  }
  return {};
}

// A search's price where it does not depend on how much is searched.
json::Value search_price(const json::Value& prices) {
  json::Value found;
  for (const auto& [size, price] : prices.members()) {
    if (found.exists() && found.raw() != price.raw()) return {};
    found = price;
  }
  return found;
}

void read_model(const Origin& origin, const json::Value& entry, const CatalogueQuery& query,
                Catalogue& catalogue) {
  CatalogueModel model(origin.provider, origin.model, entry["source"].string_or("litellm"));
  for (const auto& [name, value] : entry.members()) {
    const auto meter = meter_of(name);
    if (!meter) continue;
    // Twelve hours are the longer lifetime where there is no hour.
    if (name.find("_above_12hr") != std::string::npos &&
        entry["cache_creation_input_token_cost_above_1hr"].exists()) {
      continue;
    }
    model.rate(meter->tier, meter->above, meter->usage_class, value, kPicoPerToken);
  }
  const json::Value& reasoning = entry["output_cost_per_reasoning_token"];
  if (reasoning.is_number() &&
      reasoning.as_double() != entry["output_cost_per_token"].as_double()) {
    model.refuse("reasoning has a price of its own");
  }
  if (!model.has_tokens()) {
    ++catalogue.not_tokens;
    return;
  }
  const json::Value search = search_price(entry["search_context_cost_per_query"]);
  for (const std::string_view tier : {"", "batch", "flex", "priority"}) {
    if (entry["supports_vision"].as_bool().value_or(false)) {
      model.rate_like(tier, UsageClass::input_image, UsageClass::input);
    }
    model.tool_call(tier, search, kNanoApiece);
  }
  model.max_output(entry["max_output_tokens"]);
  int64_t regional_ppm = 1'000'000;
  const json::Value& uplift = entry["regional_endpoint_uplift_multiplier"];
  if (uplift.exists() && !uplift.is_null()) {
    const auto factor = scaled_number(uplift, 6);
    if (!factor || *factor < 1'000'000 || *factor > 10'000'000) {
      model.refuse("regional_endpoint_uplift_multiplier is no factor");
    } else {
      regional_ppm = *factor;
    }
  }
  const size_t before = catalogue.rows.size();
  model.finish(query.valid_from_ms, catalogue, regional_ppm);
  if (origin.location.empty()) return;
  for (size_t i = before; i < catalogue.rows.size(); ++i) {
    PriceRow& row = catalogue.rows[i];
    row.location = origin.location;
    row.id += "~" + origin.location;
  }
}

}  // namespace

void read_litellm(const json::Value& root, const CatalogueQuery& query, Catalogue& catalogue) {
  for (const auto& [name, entry] : root.members()) {
    if (!entry.is_object() || name == "sample_spec") continue;
    const Origin origin = origin_of(name, entry["litellm_provider"].string_or(""), query);
    if (origin.provider.empty()) {
      ++catalogue.elsewhere;
    } else if (origin.variant) {
      ++catalogue.variants;
    } else {
      read_model(origin, entry, query, catalogue);
    }
  }
}

}  // namespace weir::ledger
