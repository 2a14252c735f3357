// Money: an amount of US dollars as integer nano-dollars (1e-9 USD), and prices in nano-dollars per
// token. Never a floating-point number. A 64-bit count reaches 9.2 billion dollars; sums saturate
// there and say so through `saturated()`. Values only; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

class Money {
 public:
  constexpr Money() = default;
  static constexpr Money from_nano(int64_t nano_usd) { return Money(nano_usd); }
  // Reads a decimal amount of dollars such as "12", "0.15" or "1e-6"; more than nine decimals,
  // a sign other than a leading '-', or anything else is invalid_argument.
  static Result<Money> parse_usd(std::string_view text);

  constexpr int64_t nano() const { return nano_; }
  constexpr bool saturated() const { return nano_ == std::numeric_limits<int64_t>::max(); }
  // Dollars with nine decimals, trailing zeros removed down to two: "0.00", "1.50", "0.0000125".
  std::string to_usd() const;

  constexpr auto operator<=>(const Money&) const = default;
  Money& operator+=(Money other);
  Money& operator-=(Money other);
  friend Money operator+(Money a, Money b) { return a += b; }
  friend Money operator-(Money a, Money b) { return a -= b; }
  // This amount `count` times; saturates. count >= 0.
  Money times(int64_t count) const;

 private:
  constexpr explicit Money(int64_t nano) : nano_(nano) {}
  int64_t nano_ = 0;
};

}  // namespace weir
