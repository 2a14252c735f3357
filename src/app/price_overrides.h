// The prices of a configuration as rows of the price book, which come before the shipped ones, and
// its terms. Exact: check_config has refused what the book cannot hold. Pure; any thread.
#pragma once

#include <vector>

#include "app/config/config.h"
#include "ledger/price_book.h"

namespace weir::app {

std::vector<ledger::PriceRow> price_overrides(const Config& config);

// The whole book of a configuration: shipped rows, price files, overrides, terms.
Result<ledger::PriceBook> price_book(const Config& config);

}  // namespace weir::app
