#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "app/config/check.h"

namespace weir::app {
namespace {

// Rates are kept as whole micro-dollars per million tokens (ledger/price_book.h).
void check_rates(const TokenPrices& prices, const std::string& path, Reader& reader) {
  for (const auto& [field, rate] :
       {std::pair{"input", &prices.input}, std::pair{"cache_read", &prices.cache_read},
        std::pair{"cache_write_5m", &prices.cache_write_5m},
        std::pair{"cache_write_1h", &prices.cache_write_1h},
        std::pair{"input_audio", &prices.input_audio},
        std::pair{"input_image", &prices.input_image}, std::pair{"output", &prices.output},
        std::pair{"output_audio", &prices.output_audio},
        std::pair{"output_image", &prices.output_image}}) {
    if (!*rate || (*rate)->nano() % 1'000 == 0) continue;
    reader.problem_at(ProblemCode::bad_value, fmt::format("{}.{}", path, field),
                      "expected at most six decimals");
  }
}

void check_budget(const Budget& budget, const std::string& path, Reader& reader) {
  if (budget.per == Period::rolling && budget.days == 0) {
    reader.problem_at(ProblemCode::missing_field, path + ".days",
                      "a rolling budget needs its number of days");
  }
  if (budget.per != Period::rolling && budget.days != 0) {
    reader.problem_at(
        ProblemCode::conflict, path + ".days",
        fmt::format("only a rolling budget has days, this one is per {}", to_string(budget.per)));
  }
}

// `T` has a budget, or budgets, or both.
template <class T>
void check_budgets(const T& allowance, const std::string& path, Reader& reader) {
  if (allowance.budget) check_budget(*allowance.budget, path + ".budget", reader);
  std::map<std::pair<Period, bool>, std::string> seen;
  if (allowance.budget) seen[{allowance.budget->per, allowance.budget->hard}] = "budget";
  for (size_t i = 0; i < allowance.budgets.size(); ++i) {
    const Budget& budget = allowance.budgets[i];
    const std::string name = fmt::format("budgets[{}]", i);
    check_budget(budget, path + "." + name, reader);
    const auto [other, fresh] = seen.emplace(std::pair(budget.per, budget.hard), name);
    if (fresh) continue;
    reader.problem_at(ProblemCode::conflict, path + "." + name,
                      fmt::format("{} is a {} budget of the same window", other->second,
                                  budget.hard ? "hard" : "soft"));
  }
}

void check_prices(const Config& config, Reader& reader) {
  std::map<std::tuple<Provider, std::string_view, std::string_view, std::string_view, Moment>,
           size_t>
      seen;
  for (size_t i = 0; i < config.prices.size(); ++i) {
    const Price& price = config.prices[i];
    const std::string path = fmt::format("prices[{}]", i);
    check_rates(price.usd_per_million, path + ".usd_per_million", reader);
    for (size_t j = 0; j < price.context_tiers.size(); ++j) {
      check_rates(price.context_tiers[j].usd_per_million,
                  fmt::format("{}.context_tiers[{}].usd_per_million", path, j), reader);
    }
    const auto [found, fresh] =
        seen.emplace(std::tuple(price.provider, std::string_view(price.model),
                                std::string_view(price.service_tier),
                                std::string_view(price.location), price.valid_from),
                     i);
    if (!fresh && !price.model.empty()) {
      reader.problem_at(
          ProblemCode::duplicate_name, path,
          fmt::format("prices[{}] is for the same model, tier, location and date", found->second));
    }
    if (!price.location.empty() && price.location != "global" && price.location != "regional") {
      reader.problem_at(ProblemCode::bad_value, path + ".location", "expected global or regional");
    }
    for (size_t j = 1; j < price.context_tiers.size(); ++j) {
      if (price.context_tiers[j].above_tokens > price.context_tiers[j - 1].above_tokens) continue;
      reader.problem_at(ProblemCode::conflict,
                        fmt::format("{}.context_tiers[{}].above_tokens", path, j),
                        "expected more than the tier before it");
    }
  }
}

}  // namespace

void check_money(const Config& config, Reader& reader) {
  check_budgets(config.organization, "organization", reader);
  const auto check_all = [&reader](const auto& list, std::string_view name) {
    for (size_t i = 0; i < list.size(); ++i) {
      check_budgets(list[i], fmt::format("{}[{}]", name, i), reader);
    }
  };
  check_all(config.teams, "teams");
  check_all(config.projects, "projects");
  check_all(config.keys, "keys");
  check_prices(config, reader);
  check_price_terms(config, reader);
}

}  // namespace weir::app
