// Price catalogues that others keep, read as rows of the price book: LiteLLM's
// model_prices_and_context_window.json (dollars per token), models.dev's api.json (dollars per
// million tokens) and Portkey's file of one provider (cents per token). Nothing is believed that
// cannot be: negative, absurdly high or fractional rates, and prices that the book has no place
// for, refuse their row and say why. A catalogue tells no dates, so its rows hold from the date
// that the caller gives. Pure; untrusted text. Limits: kTextMax bytes, 50,000 rows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/result.h"
#include "ledger/price_book.h"

namespace weir::ledger {

enum class CatalogueKind : uint8_t { litellm, models_dev, portkey };
std::optional<CatalogueKind> catalogue_kind_of(std::string_view text);
std::string_view to_string(CatalogueKind kind);

struct CatalogueQuery {
  CatalogueKind kind = CatalogueKind::litellm;
  int64_t valid_from_ms = 0;
  // Portkey has a file per provider that does not say whose it is: "openai", "vertex-ai", ...
  std::string portkey_provider = {};
  // More of the catalogue's providers, as Weir's: {"groq", "openai_compatible"}.
  std::map<std::string, std::string> providers = {};
};

struct CatalogueRefusal {
  std::string provider;
  std::string model;
  std::string why;
};

struct Catalogue {
  static constexpr size_t kTextMax = size_t{64} << 20;

  std::vector<PriceRow> rows;
  std::vector<CatalogueRefusal> refused;
  size_t elsewhere = 0;   // entries of providers that Weir has no accounts for
  size_t not_tokens = 0;  // priced by the image, the second, the page, or not at all
  size_t variants = 0;    // single regions, fine-tunes; tiers that are not known or have no rates
};

// Errors: invalid_argument (no such catalogue), limit_exceeded.
Result<Catalogue> read_catalogue(std::string_view text, const CatalogueQuery& query);

// A JSON number times ten to the `exponent`, rounded to a whole number. Errors: invalid_argument
// for what is no number, is negative or too large, or would lose more than a millionth by rounding.
Result<int64_t> scaled_number(const json::Value& value, int exponent);

// One model of a catalogue on its way to rows: rates by service tier and context, each of which may
// fail and then refuses the model. Used by the readers.
class CatalogueModel {
 public:
  CatalogueModel(std::string provider, std::string model, std::string source)
      : provider_(std::move(provider)), model_(std::move(model)), source_(std::move(source)) {}

  // A missing or null value leaves the rate unknown. `above`: 0 for the rates of every request.
  void rate(std::string_view tier, int64_t above, UsageClass usage_class, const json::Value& value,
            int exponent);
  void rate_like(std::string_view tier, UsageClass usage_class, UsageClass like);
  // Tokens of one answer; a value that is none is as good as a missing one.
  void max_output(const json::Value& value);
  void tool_call(std::string_view tier, const json::Value& value, int exponent);
  void refuse(std::string why);
  bool has_tokens() const { return !tiers_.empty(); }
  // Rows of that date, or the refusal. `regional` other than one: rows of their own for global and
  // regional places, the latter dearer by that factor in millionths.
  void finish(int64_t valid_from_ms, Catalogue& catalogue, int64_t regional_ppm = 1'000'000);

 private:
  struct Tier {
    std::map<int64_t, Rates> above;
    std::optional<int64_t> nano_per_tool_call;
  };
  std::string provider_, model_, source_, why_;
  std::optional<int64_t> max_output_;
  std::map<std::string, Tier, std::less<>> tiers_;
};

// The readers, one file each.
void read_litellm(const json::Value& root, const CatalogueQuery& query, Catalogue& catalogue);
void read_models_dev(const json::Value& root, const CatalogueQuery& query, Catalogue& catalogue);
void read_portkey(const json::Value& root, const CatalogueQuery& query, Catalogue& catalogue);

}  // namespace weir::ledger
