#include "base/json/number.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace weir::json {
namespace {

// Exponents beyond this decide the outcome whatever the digits are: texts are below 4 GiB.
constexpr int64_t kExponentFar = int64_t{1} << 40;

// A number taken apart: sign, digits without the point, and the power of ten behind them.
struct Parts {
  bool negative = false;
  std::string_view whole;     // digits in front of the point
  std::string_view fraction;  // digits behind it
  int64_t exponent = 0;       // as written, held within +-kExponentFar

  char digit(size_t i) const { return i < whole.size() ? whole[i] : fraction[i - whole.size()]; }
  size_t digits() const { return whole.size() + fraction.size(); }
};

Parts take_apart(std::string_view number) {
  Parts parts;
  if (number.front() == '-') {
    parts.negative = true;
    number.remove_prefix(1);
  }
  const size_t e = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, e);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  parts.whole = mantissa.substr(0, point);
  if (point < mantissa.size()) parts.fraction = mantissa.substr(point + 1);
  if (e < number.size()) {
    std::string_view exponent = number.substr(e + 1);
    const bool down = exponent.front() == '-';
    if (down || exponent.front() == '+') exponent.remove_prefix(1);
    for (const char c : exponent) {
      parts.exponent = std::min(parts.exponent * 10 + (c - '0'), kExponentFar);
    }
    if (down) parts.exponent = -parts.exponent;
  }
  return parts;
}

}  // namespace

std::optional<int64_t> read_int64(std::string_view number) {
  constexpr size_t kSurelyFits = 18;
  if (number.size() <= kSurelyFits) {
    int64_t value = 0;
    size_t at = 0;
    while (at < number.size() && number[at] >= '0' && number[at] <= '9') {
      value = value * 10 + (number[at++] - '0');
    }
    if (at == number.size() && at > 0) return value;
  }
  if (number.find_first_of(".eE") == std::string_view::npos) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc()) return std::nullopt;
    return value;
  }
  const Parts parts = take_apart(number);
  size_t first = 0;
  size_t last = parts.digits();
  while (first < last && parts.digit(first) == '0') ++first;
  if (first == last) return 0;
  int64_t zeros = parts.exponent - static_cast<int64_t>(parts.fraction.size());
  while (parts.digit(last - 1) == '0') {
    --last;
    ++zeros;
  }
  constexpr int64_t kDigitsMax = 19;
  if (zeros < 0 || static_cast<int64_t>(last - first) + zeros > kDigitsMax) return std::nullopt;
  // At most nineteen digits: fits in 64 bits without a sign.
  uint64_t magnitude = 0;
  for (size_t i = first; i < last; ++i) {
    magnitude = magnitude * 10 + static_cast<uint64_t>(parts.digit(i) - '0');
  }
  for (; zeros > 0; --zeros) magnitude *= 10;
  const uint64_t limit = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (magnitude > limit + (parts.negative ? 1 : 0)) return std::nullopt;
  return static_cast<int64_t>(parts.negative ? 0 - magnitude : magnitude);
}

std::optional<double> read_double(std::string_view number) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc()) return value;
  // Out of range: from_chars does not say on which side.
  const Parts parts = take_apart(number);
  size_t first = 0;
  while (first < parts.digits() && parts.digit(first) == '0') ++first;
  const int64_t magnitude =
      parts.exponent + static_cast<int64_t>(parts.whole.size()) - static_cast<int64_t>(first);
  if (magnitude > 0) return std::nullopt;
  return parts.negative ? -0.0 : 0.0;
}

}  // namespace weir::json
