// The prices of a configuration as rows of the price book, which come before the shipped ones.
// Exact: check_config has refused what the book cannot hold. Pure; any thread.
#pragma once

#include <vector>

#include "app/config/config.h"
#include "ledger/price_book.h"

namespace weir::app {

std::vector<ledger::PriceRow> price_overrides(const Config& config);

}  // namespace weir::app
