#include "ledger/catalogue/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "ledger/scale.h"

namespace weir::ledger {

namespace {

// A row of the book and the catalogue's that are found by the same names.
struct Pair {
  const PriceRow* book = nullptr;
  const PriceRow* catalogue = nullptr;
};

const PriceRow* find_in(const PriceBook& book, const PriceRow& row, int64_t wall_ms) {
  PriceQuery query{.provider = row.provider,
                   .model = row.model,
                   .service_tier = row.service_tier,
                   .location = row.location,
                   .wall_ms = wall_ms};
  if (const PriceRow* found = book.find(query)) return found;
  // The book tells places apart, the catalogue does not: its price is the lower one.
  query.location = "global";
  return row.location.empty() ? book.find(query) : nullptr;
}

const Rates* tier_of(const PriceRow& row, int64_t above) {
  for (const ContextTier& tier : row.context_tiers) {
    if (tier.prompt_tokens_above == above) return &tier.rates;
  }
  return nullptr;
}

std::string jump_of(const MeterChange& change) {
  const int64_t before = change.before.value_or(0);
  if (before == 0) return {};
  if (change.after == 0) return fmt::format("{} becomes free", change.meter);
  const bool up = change.after > before;
  const int64_t times = up ? change.after / before : before / change.after;
  if (times < kJumpMost) return {};
  return fmt::format("{} {} {} times", change.meter, up ? "rises" : "falls", times);
}

std::string oddity_of(const Rates& rates) {
  const auto& input = rates[UsageClass::input];
  const auto& read = rates[UsageClass::cache_read];
  const auto& write = rates[UsageClass::cache_write_5m];
  if (input && read && *read > *input) return "reading the cache costs more than input";
  if (read && write && *write > 0 && *write < *read)
    return "cache_read and cache_write seem swapped";
  return {};
}

void compare_rates(const Rates& before, const Rates& after, int64_t above,
                   std::vector<MeterChange>& changes) {
  for (size_t i = 0; i < kUsageClasses; ++i) {
    const auto& rate = after.pico_per_token[i];
    if (!rate || rate == before.pico_per_token[i]) continue;
    // Nothing, for a class that the model does not have.
    if (*rate == 0 && !before.pico_per_token[i]) continue;
    changes.push_back({std::string(to_string(static_cast<UsageClass>(i))), above,
                       before.pico_per_token[i], *rate});
  }
}

void fill(Rates& rates, const Rates& from) {
  for (size_t i = 0; i < kUsageClasses; ++i) {
    if (rates.pico_per_token[i] == 0 && !from.pico_per_token[i]) rates.pico_per_token[i].reset();
    if (!rates.pico_per_token[i]) rates.pico_per_token[i] = from.pico_per_token[i];
  }
}

PriceDifference difference_of(const PriceRow& book, const PriceRow& row) {
  PriceDifference made;
  made.book_row = book.id;
  made.row = row;
  compare_rates(book.rates, row.rates, 0, made.changes);
  fill(made.row.rates, book.rates);
  for (ContextTier& tier : made.row.context_tiers) {
    const Rates* known = tier_of(book, tier.prompt_tokens_above);
    // Unless it says otherwise, the book has a request of that length at its rates for all.
    const Rates& before = known != nullptr ? *known : book.rates_at(tier.prompt_tokens_above + 1);
    compare_rates(before, tier.rates, tier.prompt_tokens_above, made.changes);
    fill(tier.rates, known != nullptr ? *known : Rates{});
  }
  for (const ContextTier& tier : book.context_tiers) {
    if (tier_of(row, tier.prompt_tokens_above) == nullptr) made.row.context_tiers.push_back(tier);
  }
  std::erase_if(made.row.context_tiers,
                [](const ContextTier& tier) { return tier.rates == Rates{}; });
  std::sort(made.row.context_tiers.begin(), made.row.context_tiers.end(),
            [](const ContextTier& a, const ContextTier& b) {
              return a.prompt_tokens_above < b.prompt_tokens_above;
            });
  if (row.nano_per_tool_call && row.nano_per_tool_call != book.nano_per_tool_call) {
    made.changes.push_back({"tool_call", 0, book.nano_per_tool_call, *row.nano_per_tool_call});
  }
  if (!row.max_output) made.row.max_output = book.max_output;
  if (!row.nano_per_tool_call) made.row.nano_per_tool_call = book.nano_per_tool_call;
  for (const MeterChange& change : made.changes) {
    if (made.suspicious.empty()) made.suspicious = jump_of(change);
  }
  if (made.suspicious.empty()) made.suspicious = oddity_of(made.row.rates);
  return made;
}

PriceDifference fresh_of(const PriceRow& row) {
  const PriceRow nothing;
  PriceDifference made = difference_of(nothing, row);
  // Rates above a context that nothing is known of stay unpriced, not those of short requests.
  made.row.context_tiers = row.context_tiers;
  made.row.rates = row.rates;
  if (row.rates[UsageClass::input].value_or(0) == 0 &&
      row.rates[UsageClass::output].value_or(0) == 0) {
    made.suspicious = "it is free";
  }
  return made;
}

bool same_prices(const PriceRow& a, const PriceRow& b) {
  if (a.rates != b.rates || a.context_tiers.size() != b.context_tiers.size()) return false;
  for (size_t i = 0; i < a.context_tiers.size(); ++i) {
    if (a.context_tiers[i].prompt_tokens_above != b.context_tiers[i].prompt_tokens_above ||
        a.context_tiers[i].rates != b.context_tiers[i].rates) {
      return false;
    }
  }
  return a.nano_per_tool_call == b.nano_per_tool_call;
}

std::string id_of(const PriceRow& row) {
  std::string id = fmt::format("{}/{}@{}", row.provider, row.model, price_date(row.valid_from_ms));
  if (!row.service_tier.empty()) id += "+" + row.service_tier;
  if (!row.location.empty()) id += "~" + row.location;
  return id;
}

}  // namespace

PriceComparison compare_prices(const PriceBook& book, const Catalogue& catalogue, int64_t wall_ms) {
  PriceComparison made;
  // The catalogue may name one row of the book by several of its names. The one that the book
  // calls it by speaks for all, else the last, which has the latest date.
  std::map<const PriceRow*, const PriceRow*> speakers;
  std::vector<Pair> pairs;
  for (const PriceRow& row : catalogue.rows) {
    const PriceRow* found = find_in(book, row, wall_ms);
    // A row for any place is none for this one.
    if (found != nullptr && !row.location.empty() && found->location.empty()) {
      if (difference_of(*found, row).changes.empty()) {
        ++made.same;
        continue;
      }
      found = nullptr;
    }
    pairs.push_back({found, &row});
    if (found == nullptr) continue;
    const PriceRow*& speaker = speakers[found];
    if (speaker == nullptr || (speaker->model != found->model &&
                               (row.model == found->model || row.model > speaker->model))) {
      speaker = &row;
    }
  }
  for (const auto& [known, row] : pairs) {
    if (known == nullptr) {
      made.differences.push_back(fresh_of(*row));
      continue;
    }
    PriceDifference difference = difference_of(*known, *row);
    const PriceRow* speaker = speakers[known];
    if (difference.changes.empty() || (speaker != row && same_prices(*speaker, *row))) {
      ++made.same;
      continue;
    }
    difference.row.location = known->location;
    if (speaker == row) {
      difference.row.model = known->model;
      difference.row.aliases = known->aliases;
    }
    difference.row.id = id_of(difference.row);
    made.differences.push_back(std::move(difference));
  }
  // Names that differ in the catalogue only by what the book ignores make one row.
  std::sort(made.differences.begin(), made.differences.end(), [](const auto& a, const auto& b) {
    return std::tie(a.row.provider, a.row.model, a.row.service_tier, a.row.location) <
           std::tie(b.row.provider, b.row.model, b.row.service_tier, b.row.location);
  });
  const auto last = std::unique(made.differences.begin(), made.differences.end(),
                                [](const auto& a, const auto& b) { return a.row.id == b.row.id; });
  made.differences.erase(last, made.differences.end());
  return made;
}

}  // namespace weir::ledger
