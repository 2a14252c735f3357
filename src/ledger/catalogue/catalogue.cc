#include "ledger/catalogue/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ledger/scale.h"

namespace weir::ledger {

namespace {

constexpr size_t kRowsMax = 50'000;
constexpr size_t kNameMax = 200;
// $10,000 per million tokens, sixteen times the dearest list price there has been.
constexpr int64_t kPicoMost = 10'000'000'000;
constexpr int64_t kToolCallMost = 10'000'000'000;  // $10
// No list price has had a class that is dearer than input by more.
constexpr int64_t kOverInputMost = 1'000;

bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < 0x7f && c != ',' && c != '"';
  });
}

// The id's form is that of rows read from CSV.
std::string id_of(const PriceRow& row, std::string_view date) {
  std::string id = fmt::format("{}/{}@{}", row.provider, row.model, date);
  if (!row.service_tier.empty()) id += "+" + row.service_tier;
  if (!row.location.empty()) id += "~" + row.location;
  return id;
}

std::string absurdity_of(const Rates& rates) {
  const auto& input = rates[UsageClass::input];
  for (size_t i = 0; i < kUsageClasses; ++i) {
    const auto& rate = rates.pico_per_token[i];
    const std::string_view name = to_string(static_cast<UsageClass>(i));
    if (!rate) continue;
    if (*rate > kPicoMost) {
      return fmt::format("{}: {} dollars per million tokens", name, *rate / 1'000'000);
    }
    if (input && *input > 0 && *rate / *input > kOverInputMost) {
      return fmt::format("{} costs {} times the input", name, *rate / *input);
    }
  }
  return {};
}

}  // namespace

std::optional<CatalogueKind> catalogue_kind_of(std::string_view text) {
  for (const CatalogueKind kind :
       {CatalogueKind::litellm, CatalogueKind::models_dev, CatalogueKind::portkey}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

std::string_view to_string(CatalogueKind kind) {
  switch (kind) {
    case CatalogueKind::litellm:
      return "litellm";
    case CatalogueKind::models_dev:
      return "models.dev";
    case CatalogueKind::portkey:
      return "portkey";
  }
  return "litellm";
}

Result<int64_t> scaled_number(const json::Value& value, int exponent) {
  if (!value.is_number()) return fail(ErrorCode::invalid_argument, "is not a number");
  return scaled_decimal(value.raw(), exponent);
}

void CatalogueModel::rate(std::string_view tier, int64_t above, UsageClass usage_class,
                          const json::Value& value, int exponent) {
  if (!value.exists() || value.is_null()) return;
  const auto rate = scaled_number(value, exponent);
  if (!rate) {
    refuse(fmt::format("{}{}: {} {}", tier.empty() ? "" : fmt::format("{} ", tier),
                       to_string(usage_class), value.raw().substr(0, 40), rate.error().message()));
    return;
  }
  tiers_[std::string(tier)].above[above][usage_class] = *rate;
}

void CatalogueModel::rate_like(std::string_view tier, UsageClass usage_class, UsageClass like) {
  const auto found = tiers_.find(tier);
  if (found == tiers_.end()) return;
  for (auto& [above, rates] : found->second.above) {
    if (!rates[usage_class]) rates[usage_class] = rates[like];
  }
}

void CatalogueModel::tool_call(std::string_view tier, const json::Value& value, int exponent) {
  const auto found = tiers_.find(tier);
  if (found == tiers_.end() || !value.exists() || value.is_null()) return;
  const auto price = scaled_number(value, exponent);
  if (!price || *price > kToolCallMost) {
    refuse(fmt::format("tool_call: {} is no price of a call", value.raw().substr(0, 40)));
    return;
  }
  found->second.nano_per_tool_call = *price;
}

void CatalogueModel::refuse(std::string why) {
  if (why_.empty()) why_ = std::move(why);
}

void CatalogueModel::max_output(const json::Value& value) {
  const auto tokens = value.as_int64();
  if (tokens && *tokens > 0 && *tokens <= PriceRow::kMaxOutputMost) max_output_ = *tokens;
}

void CatalogueModel::finish(int64_t valid_from_ms, Catalogue& catalogue, int64_t regional_ppm) {
  if (!is_plain(model_)) refuse("the name is no name of a model");
  std::vector<PriceRow> rows;
  const auto standard = tiers_.find("");
  for (auto& [name, tier] : tiers_) {
    PriceRow row;
    row.provider = provider_;
    row.model = model_;
    row.service_tier = name;
    row.valid_from_ms = valid_from_ms;
    row.nano_per_tool_call = tier.nano_per_tool_call;
    row.max_output = max_output_;
    row.source = source_;
    std::erase_if(row.source, [](char c) { return c == ',' || c == '\n' || c == '\r'; });
    if (row.source.empty()) row.source = "catalogue";
    row.rates = std::exchange(tier.above[0], {});
    tier.above.erase(0);
    if (row.rates == Rates{}) {
      if (name.empty()) refuse("only long input has a price");
      ++catalogue.variants;
      continue;
    }
    for (auto& [above, rates] : tier.above) {
      // A catalogue names what is dearer above; the rest stays as it is.
      for (size_t i = 0; i < kUsageClasses; ++i) {
        if (!rates.pico_per_token[i]) rates.pico_per_token[i] = row.rates.pico_per_token[i];
      }
      row.context_tiers.push_back({above, rates});
    }
    // Where long input costs more in the standard tier and this tier is silent, it is not known.
    if (row.context_tiers.empty() && standard != tiers_.end() && !rows.empty()) {
      for (const ContextTier& context : rows.front().context_tiers) {
        row.context_tiers.push_back({context.prompt_tokens_above, {}});
      }
    }
    refuse(absurdity_of(row.rates));
    for (const ContextTier& context : row.context_tiers) refuse(absurdity_of(context.rates));
    rows.push_back(std::move(row));
  }
  if (!why_.empty()) {
    catalogue.refused.push_back({provider_, model_, why_});
    return;
  }
  const std::string date = price_date(valid_from_ms);
  for (PriceRow& row : rows) {
    if (regional_ppm == 1'000'000) {
      row.id = id_of(row, date);
      catalogue.rows.push_back(std::move(row));
      continue;
    }
    PriceRow regional = row;
    row.location = "global";
    row.id = id_of(row, date);
    regional.location = "regional";
    regional.id = id_of(regional, date);
    regional.rates = scaled(regional.rates, regional_ppm);
    for (ContextTier& context : regional.context_tiers) {
      context.rates = scaled(context.rates, regional_ppm);
    }
    catalogue.rows.push_back(std::move(row));
    catalogue.rows.push_back(std::move(regional));
  }
}

Result<Catalogue> read_catalogue(std::string_view text, const CatalogueQuery& query) {
  if (text.size() > Catalogue::kTextMax) {
    return fail(ErrorCode::limit_exceeded, "the catalogue is larger than 64 MiB");
  }
  json::Document document;
  if (auto parsed = document.parse(text); !parsed) {
    return fail(parsed.error().code(),
                fmt::format("the catalogue is not valid JSON: {}", parsed.error().message()));
  }
  if (!document.root().is_object()) {
    return fail(ErrorCode::invalid_argument, "the catalogue is not an object");
  }
  Catalogue catalogue;
  switch (query.kind) {
    case CatalogueKind::litellm:
      read_litellm(document.root(), query, catalogue);
      break;
    case CatalogueKind::models_dev:
      read_models_dev(document.root(), query, catalogue);
      break;
    case CatalogueKind::portkey:
      read_portkey(document.root(), query, catalogue);
      break;
  }
  if (catalogue.rows.empty() && catalogue.refused.empty() && catalogue.elsewhere == 0) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("that is no catalogue of {}: no model has a price", to_string(query.kind)));
  }
  if (catalogue.rows.size() > kRowsMax) {
    return fail(ErrorCode::limit_exceeded, "the catalogue has more than 50,000 rows");
  }
  return catalogue;
}

}  // namespace weir::ledger
