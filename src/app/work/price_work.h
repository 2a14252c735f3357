// What `weir prices diff`, `weir prices import` and the admin API's job share: a catalogue of
// others beside the price book, and its prices taken into a price file. The job's file is
// data_dir/prices.csv, which counts like those that price_files names, behind them. Not for
// workers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "base/json/writer.h"
#include "base/result.h"
#include "ledger/catalogue/compare.h"

namespace weir::app {

// What is asked of a catalogue.
struct CatalogueOrder {
  std::string source;      // "litellm", "models.dev", "portkey"
  std::string whose;       // portkey: whose file it is
  std::string valid_from;  // a day; empty: today
  std::map<std::string, std::string> providers = {};
  std::string provider;  // only this provider's
  std::string model;     // only models with this in their name
  bool with_new = false;
  bool accept_suspicious = false;
};

struct ComparedCatalogue {
  ledger::Catalogue catalogue;
  ledger::PriceComparison comparison;
  ledger::CatalogueQuery query;
};

// Errors: invalid_argument, those of the catalogue's reader.
Result<ComparedCatalogue> compare_catalogue(const Config& config, const CatalogueOrder& order,
                                            std::string_view text);
bool is_wanted(const ledger::PriceDifference& difference, const CatalogueOrder& order);

// "openai gpt-4o tier=batch".
std::string title_of(const ledger::PriceRow& row);
// Pico-dollars per token as dollars per million tokens.
std::string usd_per_million(int64_t pico_per_token);
void write_difference(json::Writer& w, const ledger::PriceDifference& difference);

// The rows of a price file; none where there is no such file.
Result<std::vector<ledger::PriceRow>> read_price_file(const std::string& path);
// With the new rows in place of those they stand for. Whole or not at all: a server may read it at
// any time.
Result<void> write_price_file(const std::string& path, std::vector<ledger::PriceRow> rows,
                              std::vector<ledger::PriceRow> fresh);

std::string imported_prices_path(const std::string& data_dir);
// Takes data_dir/prices.csv in. Errors: of the file.
Result<void> add_imported_prices(Config& config);

}  // namespace weir::app
