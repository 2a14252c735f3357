#include "ledger/price_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <tuple>

#include "base/text.h"
#include "ledger/cost.h"
#include "ledger/prices/shipped.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr size_t kRowsMax = 65'536;
constexpr size_t kNameMax = 256;
constexpr std::string_view kAnyDate = "{date}";
constexpr char kOverride = 'o';
constexpr char kFile = 'f';
constexpr char kShipped = 's';

// Layer and the four things a row is found by; a unit separator can not be part of a name.
std::string key_of(char layer, std::string_view provider, std::string_view name,
                   std::string_view tier, std::string_view location) {
  std::string key;
  key.reserve(provider.size() + name.size() + tier.size() + location.size() + 5);
  key.push_back(layer);
  for (const std::string_view part : {provider, name, tier, location}) {
    key.push_back('\x1f');
    key.append(part);
  }
  return key;
}

std::string_view canonical_tier(std::string_view tier) {
  return is_standard_tier(tier) ? std::string_view() : tier;
}

bool digits_and_dashes(std::string_view text, std::string_view form) {
  if (text.size() != form.size()) return false;
  for (size_t i = 0; i < form.size(); ++i) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '9' ? !digit : text[i] != form[i]) return false;
  }
  return true;
}

// "gpt-4o-2024-11-20" -> "gpt-4o-{date}"; empty where the name does not end in a date.
std::string without_date(std::string_view name) {
  for (std::string_view form : {"-9999-99-99", "-99999999", "@99999999"}) {
    if (name.size() > form.size() &&
        digits_and_dashes(name.substr(name.size() - form.size()), form)) {
      return fmt::format("{}{}{}", name.substr(0, name.size() - form.size()), form[0], kAnyDate);
    }
  }
  return {};
}

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return true;
  if (!pattern.ends_with('*')) return text == pattern;
  return text.starts_with(pattern.substr(0, pattern.size() - 1));
}

// Lines of provider, model and tokens, put into all rows of that model.
void read_output_limits(std::string_view csv, std::vector<PriceRow>& rows) {
  std::unordered_map<std::string, int64_t> limits;
  for (const std::string_view line : split(csv, '\n')) {
    const size_t comma = line.rfind(',');
    if (line.empty() || line.starts_with('#') || comma == std::string_view::npos) continue;
    const auto tokens = parse_uint64(line.substr(comma + 1), PriceRow::kMaxOutputMost);
    if (tokens) limits[std::string(line.substr(0, comma))] = static_cast<int64_t>(*tokens);
  }
  for (PriceRow& row : rows) {
    const auto found = limits.find(row.provider + "," + row.model);
    if (found == limits.end()) continue;
    row.max_output = found->second;
  }
}

}  // namespace

bool is_standard_tier(std::string_view tier) {
  if (tier.empty()) return true;
  for (std::string_view standard : {"default", "standard", "auto", "on_demand", "ON_DEMAND"}) {
    if (tier == standard) return true;
  }
  return false;
}

std::string_view to_string(UsageClass usage_class) {
  switch (usage_class) {
    case UsageClass::input:
      return "input";
    case UsageClass::cache_read:
      return "cache_read";
    case UsageClass::cache_write_5m:
      return "cache_write_5m";
    case UsageClass::cache_write_1h:
      return "cache_write_1h";
    case UsageClass::output:
      return "output";
    case UsageClass::input_audio:
      return "input_audio";
    case UsageClass::output_audio:
      return "output_audio";
    case UsageClass::input_image:
      return "input_image";
    case UsageClass::output_image:
      return "output_image";
  }
  return "input";
}

bool PriceHours::contains(int64_t wall_ms) const {
  if (always()) return true;
  int64_t day = store::day_of(wall_ms);
  // 1970-01-01 was a Thursday.
  int64_t weekday = ((day + 3) % 7 + 7) % 7;
  if ((weekdays >> weekday & 1) == 0) return false;
  if (std::find(skipped.begin(), skipped.end(), day) != skipped.end()) return false;
  int64_t minute = (wall_ms - day * store::kDayMs) / 60'000;
  return std::any_of(spans.begin(), spans.end(), [&](const Span& span) {
    return minute >= span.from_minute && minute < span.to_minute;
  });
}

const Rates& PriceRow::rates_at(int64_t total_input) const {
  const Rates* found = &rates;
  for (const ContextTier& tier : context_tiers) {
    if (total_input > tier.prompt_tokens_above) found = &tier.rates;
  }
  return *found;
}

Result<PriceBook> PriceBook::build(std::vector<PriceRow> shipped, std::vector<PriceRow> overrides,
                                   std::vector<PriceRow> files) {
  PriceBook book;
  book.overrides_ = overrides.size();
  book.files_ = overrides.size() + files.size();
  book.rows_ = std::move(overrides);
  for (PriceRow& row : files) {
    // It may follow a shipped row of the same day, or stand in its place.
    row.id = "file/" + row.id;
    book.rows_.push_back(std::move(row));
  }
  book.rows_.insert(book.rows_.end(), std::make_move_iterator(shipped.begin()),
                    std::make_move_iterator(shipped.end()));
  WEIR_CHECK_OK(book.index());
  static std::atomic<uint64_t> serials{0};
  book.serial_ = serials.fetch_add(1) + 1;
  return book;
}

Result<PriceBook> PriceBook::shipped(std::vector<PriceRow> overrides, std::vector<PriceRow> files) {
  std::vector<PriceRow> rows;
  for (const ShippedPrices& file : shipped_prices()) {
    WEIR_TRY(std::vector<PriceRow> more, parse_price_csv(file.csv, file.name));
    rows.insert(rows.end(), std::make_move_iterator(more.begin()),
                std::make_move_iterator(more.end()));
  }
  read_output_limits(shipped_output_limits(), rows);
  return build(std::move(rows), std::move(overrides), std::move(files));
}

Result<void> PriceBook::index() {
  if (rows_.size() > kRowsMax) {
    return fail(ErrorCode::limit_exceeded,
                fmt::format("price book: {} rows, at most {} allowed", rows_.size(), kRowsMax));
  }
  for (uint32_t i = 0; i < rows_.size(); ++i) {
    PriceRow& row = rows_[i];
    if (row.provider.empty() || row.model.empty() || row.id.empty()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("price row {} ('{}'): provider, model and id must not be empty",
                              i + 1, row.id));
    }
    if (!by_id_.emplace(row.id, i).second) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("price row '{}' is there twice", row.id));
    }
    std::sort(row.context_tiers.begin(), row.context_tiers.end(),
              [](const ContextTier& a, const ContextTier& b) {
                return a.prompt_tokens_above < b.prompt_tokens_above;
              });
    row.rates_text = rates_text({.row = &row, .rates = &row.rates});
    for (ContextTier& tier : row.context_tiers) {
      tier.rates_text = rates_text({.row = &row, .rates = &tier.rates});
    }
    const char layer = i < overrides_ ? kOverride : i < files_ ? kFile : kShipped;
    std::vector<std::string_view> names(row.aliases.begin(), row.aliases.end());
    names.push_back(row.model);
    for (std::string_view name : names) {
      if (name.size() > kNameMax) {
        return fail(ErrorCode::limit_exceeded,
                    fmt::format("price row '{}': a name of {} bytes", row.id, name.size()));
      }
      auto& rows = by_key_[key_of(layer, row.provider, name, canonical_tier(row.service_tier),
                                  row.location)];
      if (!rows.empty() && rows_[rows.back()].model != row.model) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("price row '{}': the name '{}' belongs to model '{}' already",
                                row.id, name, rows_[rows.back()].model));
      }
      rows.push_back(i);
    }
  }
  for (auto& [key, rows] : by_key_) {
    // A row for certain hours stands behind the row for all hours of its date.
    std::sort(rows.begin(), rows.end(), [this](uint32_t a, uint32_t b) {
      return std::tuple(rows_[a].valid_from_ms, !rows_[a].hours.always(), a) <
             std::tuple(rows_[b].valid_from_ms, !rows_[b].hours.always(), b);
    });
  }
  return {};
}

const PriceRow* PriceBook::latest(std::string_view key, int64_t wall_ms) const {
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const PriceRow* row = nullptr;
  for (uint32_t i : found->second) {
    if (rows_[i].valid_from_ms > wall_ms) break;
    if (rows_[i].hours.contains(wall_ms)) row = &rows_[i];
  }
  return row;
}

const PriceRow* PriceBook::find_named(const PriceQuery& query, std::string_view model, char layer,
                                      std::string_view tier) const {
  if (!query.location.empty()) {
    std::string_view location = query.location == "global" ? "global" : "regional";
    const PriceRow* row =
        latest(key_of(layer, query.provider, model, tier, location), query.wall_ms);
    if (row != nullptr) return row;
  }
  return latest(key_of(layer, query.provider, model, tier, {}), query.wall_ms);
}

const PriceRow* PriceBook::find(const PriceQuery& query) const {
  std::string_view tier = canonical_tier(query.service_tier);
  std::string undated = without_date(query.model);
  for (const char layer : {kOverride, kFile, kShipped}) {
    if (layer == kOverride && overrides_ == 0) continue;
    if (layer == kFile && files_ == overrides_) continue;
    if (const PriceRow* row = find_named(query, query.model, layer, tier)) return row;
    if (undated.empty()) continue;
    if (const PriceRow* row = find_named(query, undated, layer, tier)) return row;
  }
  return nullptr;
}

std::optional<int64_t> PriceBook::max_output(const PriceQuery& query) const {
  const std::string undated = without_date(query.model);
  for (const char layer : {kOverride, kFile, kShipped}) {
    for (const std::string_view name : {query.model, std::string_view(undated)}) {
      if (name.empty()) continue;
      const PriceRow* row = find_named(query, name, layer, {});
      if (row != nullptr && row->max_output) return row->max_output;
    }
  }
  return std::nullopt;
}

Result<void> PriceBook::set_terms(std::vector<PriceTerm> terms) {
  if (terms.size() > kTermsMax) {
    return fail(ErrorCode::limit_exceeded,
                fmt::format("{} price terms, at most {} allowed", terms.size(), kTermsMax));
  }
  terms_ = std::move(terms);
  return {};
}

PriceFactors PriceBook::factors(const PriceQuery& query) const {
  PriceFactors factors;
  for (const PriceTerm& term : terms_) {
    if (query.wall_ms < term.from_ms || (term.until_ms != 0 && query.wall_ms >= term.until_ms) ||
        !matches(term.account, query.account) || !matches(term.location, query.location) ||
        !matches(term.model, query.model)) {
      continue;
    }
    if (term.uplift_ppm) factors.uplift_ppm = *term.uplift_ppm;
    if (term.discount_ppm) factors.discount_ppm = *term.discount_ppm;
  }
  return factors;
}

const PriceRow* PriceBook::find_by_id(std::string_view id) const {
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &rows_[found->second];
}

}  // namespace weir::ledger
