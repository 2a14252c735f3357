// Exact scaling of prices: decimals of catalogues and invoices as integers, rates times a factor
// in millionths (discounts, uplifts), dates as the price book writes them. Values only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/price_book.h"

namespace weir::ledger {

inline constexpr int64_t kPpm = 1'000'000;  // a factor of one

// A decimal number ("2.5e-06", "-12.30") times ten to the `exponent`, rounded half away from zero.
// Errors: invalid_argument for what is no number, is too large, or would lose more than a millionth
// of itself by rounding; negative ones unless `negative_too`.
Result<int64_t> scaled_decimal(std::string_view text, int exponent, bool negative_too = false);

// value x ppm / 1,000,000, rounded half away from zero; saturates.
int64_t scaled(int64_t value, int64_t ppm);
Rates scaled(const Rates& rates, int64_t ppm);

// "2026-11-22" of a wall time.
std::string price_date(int64_t wall_ms);

}  // namespace weir::ledger
