// The price book: dated price rows per provider, model, service tier and location, and the lookup
// of the row that held at a wall time. Overrides from configuration come first, then rows of price
// files, then the rows shipped in the binary (prices/*.csv). What has no row is *unpriced*: a null
// answer, never zero.
//
// Rates are pico-dollars per token (1e-12 USD), which is the same number as micro-dollars per
// million tokens: $0.0028 per million tokens is 2,800, and no shipped price needs a fraction.
//
// A PriceBook is immutable once built and is shared by all workers through the snapshot. Rows keep
// their address as long as the book lives. Limits: 65,536 rows, 256-byte names.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace weir::ledger {

// The classes of dialect::Usage that have a price of their own. `reasoning` is part of output.
enum class UsageClass : uint8_t {
  input,
  cache_read,
  cache_write_5m,
  cache_write_1h,
  output,
  input_audio,
  output_audio,
  input_image,
  output_image,
};
inline constexpr size_t kUsageClasses = 9;
// The class's name as in configuration, the CSV header and JSON: "cache_read".
std::string_view to_string(UsageClass usage_class);

// Pico-dollars per token by class; absent where the price is not known. A class that is charged
// like another one says so with the same number: nothing is inferred.
struct Rates {
  std::array<std::optional<int64_t>, kUsageClasses> pico_per_token{};

  std::optional<int64_t>& operator[](UsageClass c) {
    return pico_per_token[static_cast<size_t>(c)];
  }
  const std::optional<int64_t>& operator[](UsageClass c) const {
    return pico_per_token[static_cast<size_t>(c)];
  }
  bool operator==(const Rates&) const = default;
};

// Above `prompt_tokens_above` tokens of total input, these rates hold for the whole request.
struct ContextTier {
  int64_t prompt_tokens_above = 0;
  Rates rates;
  std::string rates_text = {};  // see PriceRow
};

// Hours of the week (UTC) at which a row holds: providers that charge more at peak times have a
// row for all hours and one for these, of the same date.
struct PriceHours {
  struct Span {
    int32_t from_minute = 0;  // of the day, inclusive
    int32_t to_minute = 0;    // exclusive
  };
  uint8_t weekdays = 0;  // bit 0 is Monday; 0: the row holds at all hours
  std::vector<Span> spans;
  std::vector<int64_t> skipped;  // days since 1970 on which it does not hold (holidays)

  bool always() const { return weekdays == 0; }
  bool contains(int64_t wall_ms) const;
};

struct PriceRow {
  static constexpr int64_t kMaxOutputMost = 100'000'000;

  std::string id;        // stable: "openai/gpt-4o-2024-11-20@2024-11-20", "...+batch"
  std::string provider;  // as in configuration: "openai", "azure_openai", "vertex_ai", ...
  std::string model;     // canonical provider model name
  std::vector<std::string> aliases;  // other names of it; "gpt-4o-{date}" stands for any snapshot
  std::string service_tier;          // "" (standard) | "batch" | "flex" | "priority"
  std::string location;              // "" (any) | "global" | "regional"
  PriceHours hours;
  int64_t valid_from_ms = 0;  // wall time, midnight UTC of the date
  Rates rates;
  std::vector<ContextTier> context_tiers;  // ascending
  std::optional<int64_t> nano_per_tool_call;
  std::optional<int64_t> max_output;  // tokens of one answer at the most, where it is known
  std::string source;                 // link to where the price was read
  // The rates as a row of the ledger keeps them (cost.h, rates_text). Written once, when the book
  // is built, and not with every request.
  std::string rates_text = {};

  // The rates for a request with that much total input.
  const Rates& rates_at(int64_t total_input) const;
};

// What is charged beside the list price: negotiated discounts, regional uplifts. Texts may end in
// '*', which stands for any end; an empty one matches all.
struct PriceTerm {
  std::string account;
  std::string location;
  std::string model;
  int64_t from_ms = 0;
  int64_t until_ms = 0;  // exclusive; 0: for good
  std::optional<int64_t> uplift_ppm;
  std::optional<int64_t> discount_ppm;
};

// List price with uplift = row x (1 + uplift); what is paid = that x (1 - discount). Millionths.
struct PriceFactors {
  int64_t uplift_ppm = 0;
  int64_t discount_ppm = 0;
  bool none() const { return uplift_ppm == 0 && discount_ppm == 0; }
  bool operator==(const PriceFactors&) const = default;
};

struct PriceQuery {
  std::string_view provider;
  std::string_view model;
  // As billed (dialect::Usage::service_tier); "", "default", "standard", "auto" and "on_demand"
  // mean the standard tier. A tier without a row of its own is unpriced.
  std::string_view service_tier = {};
  // The account's location where it has one; "global" or anything else, which counts as regional.
  std::string_view location = {};
  std::string_view account = {};  // for terms only
  int64_t wall_ms = 0;
};

// Whether a tier, as billed, is the standard one.
bool is_standard_tier(std::string_view tier);

class PriceBook {
 public:
  PriceBook() = default;
  // Errors: invalid_argument for a row without provider, model or id, two rows with one id, or a
  // name used by two models of a provider; limit_exceeded.
  static Result<PriceBook> build(std::vector<PriceRow> shipped, std::vector<PriceRow> overrides,
                                 std::vector<PriceRow> files = {});
  // The shipped rows with overrides before them, and between them those of price files.
  static Result<PriceBook> shipped(std::vector<PriceRow> overrides = {},
                                   std::vector<PriceRow> files = {});

  // The row valid at query.wall_ms, or nullptr: unpriced. An override for the model hides every
  // other row of the same provider, tier and location that would otherwise have been found, and a
  // price file's hides shipped ones.
  const PriceRow* find(const PriceQuery& query) const;
  // The most tokens of one answer of that model: by the first row that knows it, in the same order.
  std::optional<int64_t> max_output(const PriceQuery& query) const;
  // The terms of a place and time: of those that match, the last that says so. At most kTermsMax.
  static constexpr size_t kTermsMax = 1'000;
  Result<void> set_terms(std::vector<PriceTerm> terms);
  PriceFactors factors(const PriceQuery& query) const;
  const PriceRow* find_by_id(std::string_view id) const;
  std::span<const PriceRow> rows() const { return rows_; }
  // Books with the same number have the same rows in the same places; 0: it has none.
  uint64_t serial() const { return serial_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class T>
  using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

  Result<void> index();
  const PriceRow* latest(std::string_view key, int64_t wall_ms) const;
  const PriceRow* find_named(const PriceQuery& query, std::string_view model, char layer,
                             std::string_view tier) const;

  uint64_t serial_ = 0;
  std::vector<PriceRow> rows_;
  std::vector<PriceTerm> terms_;
  size_t overrides_ = 0;               // rows_[0, overrides_) are overrides
  size_t files_ = 0;                   // those up to here are price files'
  Map<std::vector<uint32_t>> by_key_;  // layer, provider, name, tier, location -> rows, by date
  Map<uint32_t> by_id_;
};

// Reads rows in the shipped CSV form (see prices/README.md); the last column, max_output, may be
// left out of the header. `name` is used in error messages.
// Errors: invalid_argument with the line and what was expected.
Result<std::vector<PriceRow>> parse_price_csv(std::string_view text, std::string_view name);
// The same form. Rows must have an id as parse_price_csv makes it.
std::string to_price_csv(std::span<const PriceRow> rows);
// Reads dollars per million tokens ("2.50") as pico-dollars per token. At most six decimals.
Result<int64_t> parse_rate(std::string_view usd_per_million);

}  // namespace weir::ledger
