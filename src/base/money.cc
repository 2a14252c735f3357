#include "base/money.h"

#include <fmt/format.h>

#include <charconv>

namespace weir {
namespace {

constexpr int64_t kNanoPerUsd = 1'000'000'000;
constexpr int kDecimals = 9;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Error bad_amount(std::string_view text) {
  return {ErrorCode::invalid_argument,
          fmt::format("expected an amount of dollars such as 0.15 with at most nine decimals, got "
                      "\"{}\"",
                      text.substr(0, 40))};
}

}  // namespace

Result<Money> Money::parse_usd(std::string_view text) {
  const std::string_view whole = text;
  bool negative = false;
  if (!text.empty() && text.front() == '-') {
    negative = true;
    text.remove_prefix(1);
  }
  // Digits with the decimal point taken out; `scale` counts how many of them were behind it.
  __int128 digits = 0;
  int scale = 0;
  bool seen_digit = false;
  bool seen_point = false;
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      seen_digit = true;
      if (digits > static_cast<__int128>(std::numeric_limits<int64_t>::max())) {
        return fail(bad_amount(whole));
      }
      digits = digits * 10 + (text[at] - '0');
      if (seen_point) ++scale;
    } else if (text[at] == '.' && !seen_point) {
      seen_point = true;
    } else {
      break;
    }
  }
  if (!seen_digit) return fail(bad_amount(whole));
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    int sign = 1;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) sign = text[at++] == '-' ? -1 : 1;
    int exponent = 0;
    const size_t first = at;
    for (; at < text.size() && is_digit(text[at]) && exponent < 100; ++at) {
      exponent = exponent * 10 + (text[at] - '0');
    }
    if (at == first) return fail(bad_amount(whole));
    scale -= sign * exponent;
  }
  if (at != text.size()) return fail(bad_amount(whole));

  for (; scale > kDecimals; --scale) {
    if (digits % 10 != 0) return fail(bad_amount(whole));
    digits /= 10;
  }
  for (; scale < kDecimals && digits != 0; ++scale) {
    digits *= 10;
    if (digits > static_cast<__int128>(std::numeric_limits<int64_t>::max())) {
      return fail(bad_amount(whole));
    }
  }
  if (digits > static_cast<__int128>(std::numeric_limits<int64_t>::max())) {
    return fail(bad_amount(whole));
  }
  const auto nano = static_cast<int64_t>(digits);
  return Money(negative ? -nano : nano);
}

std::string Money::to_usd() const {
  const bool negative = nano_ < 0;
  const uint64_t magnitude =
      negative ? 0 - static_cast<uint64_t>(nano_) : static_cast<uint64_t>(nano_);
  char room[32];
  char* at = room;
  if (negative) *at++ = '-';
  at = std::to_chars(at, at + 20, magnitude / kNanoPerUsd).ptr;
  *at++ = '.';
  uint64_t part = magnitude % kNanoPerUsd;
  for (int i = kDecimals; i-- > 0; part /= 10) at[i] = static_cast<char>('0' + part % 10);
  std::string text(room, at + kDecimals);
  const size_t shortest = text.size() - static_cast<size_t>(kDecimals) + 2;
  while (text.size() > shortest && text.back() == '0') text.pop_back();
  return text;
}

Money& Money::operator+=(Money other) {
  if (__builtin_add_overflow(nano_, other.nano_, &nano_)) {
    nano_ =
        other.nano_ > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
  }
  return *this;
}

Money& Money::operator-=(Money other) {
  if (__builtin_sub_overflow(nano_, other.nano_, &nano_)) {
    nano_ =
        other.nano_ < 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
  }
  return *this;
}

Money Money::times(int64_t count) const {
  int64_t product = 0;
  if (__builtin_mul_overflow(nano_, count, &product)) {
    product = (nano_ > 0) == (count > 0) ? std::numeric_limits<int64_t>::max()
                                         : std::numeric_limits<int64_t>::min();
  }
  return Money(product);
}

}  // namespace weir
