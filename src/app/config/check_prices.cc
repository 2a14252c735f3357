#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "app/config/check.h"

namespace weir::app {
namespace {

void check_terms(const Config& config, Reader& reader) {
  for (size_t i = 0; i < config.price_terms.size(); ++i) {
    const PriceTerm& term = config.price_terms[i];
    const std::string path = fmt::format("price_terms[{}]", i);
    if (!term.uplift && !term.discount) {
      reader.problem_at(ProblemCode::missing_field, path, "expected an uplift or a discount");
    }
    if (term.valid_until && *term.valid_until <= term.valid_from) {
      reader.problem_at(ProblemCode::conflict, path + ".valid_until",
                        "expected a time after valid_from");
    }
    const bool known = term.account.empty() ||
                       std::ranges::any_of(config.accounts, [&term](const Account& account) {
                         return account.name == term.account;
                       });
    if (!known) {
      reader.problem_at(ProblemCode::unknown_name, path + ".account",
                        fmt::format("there is no account \"{}\"", term.account));
    }
  }
}

void check_currency(const Currency& currency, Reader& reader) {
  const bool code = currency.code.size() == 3 &&
                    std::ranges::all_of(currency.code, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!code) {
    reader.problem_at(ProblemCode::bad_value, "currency.code",
                      "expected three capital letters such as EUR");
  }
  for (size_t i = 0; i < currency.rates.size(); ++i) {
    const std::string path = fmt::format("currency.rates[{}]", i);
    if (currency.rates[i].per_usd.nano() <= 0) {
      reader.problem_at(ProblemCode::bad_value, path + ".per_usd", "expected more than nothing");
    }
    if (i > 0 && currency.rates[i].valid_from <= currency.rates[i - 1].valid_from) {
      reader.problem_at(ProblemCode::conflict, path + ".valid_from",
                        "expected a later day than the rate before it");
    }
  }
}

}  // namespace

void read_price_files(Config& config, Reader& reader) {
  std::set<std::string> ids;
  for (size_t i = 0; i < config.price_files.size(); ++i) {
    const std::string& file = config.price_files[i];
    const std::string path = fmt::format("price_files[{}]", i);
    const auto text = reader.surroundings().read_file(file);
    if (!text) {
      reader.problem_at(ProblemCode::missing_file, path, std::string(text.error().message()));
      continue;
    }
    auto rows = ledger::parse_price_csv(*text, file);
    if (!rows) {
      reader.problem_at(ProblemCode::bad_value, path, std::string(rows.error().message()));
      continue;
    }
    for (ledger::PriceRow& row : *rows) {
      if (!ids.insert(row.id).second) {
        reader.problem_at(ProblemCode::duplicate_name, path,
                          fmt::format("the price {} is there twice", row.id));
        continue;
      }
      config.file_prices.push_back(std::move(row));
    }
  }
}

void check_price_terms(const Config& config, Reader& reader) {
  check_terms(config, reader);
  if (config.currency) check_currency(*config.currency, reader);
}

}  // namespace weir::app
