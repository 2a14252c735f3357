// Checks that need more than one field: names that refer to nothing, fields a provider needs or
// does not know, keys that share a secret. Reads the decoded values; reports at the places the
// Reader remembers. One thread.
#pragma once

#include "app/config/config.h"
#include "app/config/reader.h"

namespace weir::app {

void check_config(const Config& config, Reader& reader);

// In check_accounts.cc: what each provider needs of an account.
void check_accounts(const Config& config, Reader& reader);
// In check_money.cc: budgets and prices that the ledger can hold exactly.
void check_money(const Config& config, Reader& reader);
// In check_prices.cc: reads the price files into Config::file_prices.
void read_price_files(Config& config, Reader& reader);
// In check_prices.cc: terms, currency, and whether all prices make a book.
void check_price_terms(const Config& config, Reader& reader);

}  // namespace weir::app
