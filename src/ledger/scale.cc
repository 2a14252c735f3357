#include "ledger/scale.h"

#include <algorithm>
#include <limits>

#include "store/day.h"

namespace weir::ledger {

namespace {

__extension__ using Wide = __int128;

constexpr int kDigitsMax = 30;
constexpr int kExponentMax = 60;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Result<int64_t> scaled_decimal(std::string_view text, int exponent, bool negative_too) {
  const auto bad = [](const char* why) { return fail(ErrorCode::invalid_argument, why); };
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  Wide digits = 0;
  int count = 0;
  bool any = false;
  bool point = false;
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(c)) break;
    any = true;
    // What stands behind thirty digits is less than any rounding.
    if (count >= kDigitsMax) {
      if (!point) ++exponent;
      continue;
    }
    digits = digits * 10 + (c - '0');
    if (digits != 0) ++count;
    if (point) --exponent;
  }
  if (!any) return bad("is not a number");
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return bad("is not a number");
    ++at;
    const bool minus = at < text.size() && text[at] == '-';
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (at == text.size()) return bad("is not a number");
    int given = 0;
    for (; at < text.size(); ++at) {
      if (!is_digit(text[at])) return bad("is not a number");
      given = std::min(given * 10 + (text[at] - '0'), 10'000);
    }
    exponent += minus ? -given : given;
  }
  if (digits == 0) return 0;
  if (negative && !negative_too) return bad("is negative");
  constexpr Wide kMost = std::numeric_limits<int64_t>::max();
  if (exponent > kExponentMax) return bad("is too large");
  for (; exponent > 0; --exponent) {
    if (digits > kMost) return bad("is too large");
    digits *= 10;
  }
  Wide divisor = 1;
  for (; exponent < 0; ++exponent) {
    if (divisor > digits * 10) break;
    divisor *= 10;
  }
  const Wide rounded = exponent < 0 ? 0 : (digits + divisor / 2) / divisor;
  if (rounded > kMost) return bad("is too large");
  // The noise of a float is far below a millionth; a price that is finer than we count is not.
  const Wide lost =
      rounded * divisor > digits ? rounded * divisor - digits : digits - rounded * divisor;
  if (!negative_too && (rounded == 0 || lost > digits / 1'000'000)) {
    return bad("is finer than a micro-dollar per million tokens");
  }
  return static_cast<int64_t>(negative ? -rounded : rounded);
}

int64_t scaled(int64_t value, int64_t ppm) {
  const Wide product = static_cast<Wide>(value) * ppm;
  const Wide half = product < 0 ? -kPpm / 2 : kPpm / 2;
  const Wide result = (product + half) / kPpm;
  constexpr Wide kMost = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp<Wide>(result, -kMost, kMost));
}

Rates scaled(const Rates& rates, int64_t ppm) {
  Rates made = rates;
  for (auto& rate : made.pico_per_token) {
    if (rate) rate = scaled(*rate, ppm);
  }
  return made;
}

std::string price_date(int64_t wall_ms) {
  return store::day_text(store::day_of(wall_ms));
}

}  // namespace weir::ledger
