#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ledger/price_book.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr std::string_view kHeader =
    "provider,model,tier,location,valid_from,above,input,cache_read,cache_write_5m,cache_write_1h,"
    "output,input_audio,output_audio,input_image,output_image,tool_call,aliases,source";
constexpr size_t kColumns = 18;
constexpr size_t kFirstRate = 6;
constexpr size_t kToolCall = 15;

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t end = line.find(separator);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

// A decimal number without sign as an integer of `decimals` more digits: ("2.5", 6) -> 2500000.
Result<int64_t> parse_decimal(std::string_view text, int decimals) {
  int64_t value = 0;
  int after_point = -1;
  if (text.empty() || text.size() > 15) return fail(ErrorCode::invalid_argument);
  for (char c : text) {
    if (c == '.' && after_point < 0) {
      after_point = 0;
    } else if (c >= '0' && c <= '9' && after_point < decimals) {
      value = value * 10 + (c - '0');
      if (after_point >= 0) ++after_point;
    } else {
      return fail(ErrorCode::invalid_argument);
    }
  }
  for (int i = std::max(after_point, 0); i < decimals; ++i) value *= 10;
  return value;
}

// Rates of one line. "=" stands for "the same as input".
Result<Rates> parse_rates(const std::vector<std::string_view>& cells) {
  Rates rates;
  for (size_t i = 0; i < kUsageClasses; ++i) {
    std::string_view cell = cells[kFirstRate + i];
    if (cell.empty()) continue;
    if (cell == "=") {
      rates.pico_per_token[i] = rates[UsageClass::input];
      continue;
    }
    WEIR_TRY(int64_t rate, parse_rate(cell));
    rates.pico_per_token[i] = rate;
  }
  return rates;
}

struct Line {
  PriceRow row;
  int64_t above = 0;
};

Result<Line> parse_line(std::string_view text) {
  std::vector<std::string_view> cells = split(text, ',');
  if (cells.size() != kColumns) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("expected {} columns, found {}", kColumns, cells.size()));
  }
  Line line;
  PriceRow& row = line.row;
  row.provider = cells[0];
  row.model = cells[1];
  row.service_tier = cells[2];
  row.location = cells[3];
  auto day = store::parse_day(cells[4]);
  if (!day) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("valid_from: expected a date such as 2026-11-22, found '{}'", cells[4]));
  }
  row.valid_from_ms = *day * store::kDayMs;
  if (!cells[5].empty()) {
    auto above = parse_decimal(cells[5], 0);
    if (!above || *above <= 0) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("above: expected a count of tokens, found '{}'", cells[5]));
    }
    line.above = *above;
  }
  auto rates = parse_rates(cells);
  if (!rates) {
    return fail(ErrorCode::invalid_argument,
                "rates: expected dollars per million tokens such as 2.50");
  }
  row.rates = *rates;
  if (!cells[kToolCall].empty()) {
    auto per_thousand = parse_decimal(cells[kToolCall], 6);  // micro-dollars per thousand = nano
    if (!per_thousand) {
      return fail(ErrorCode::invalid_argument, "tool_call: expected dollars per thousand calls");
    }
    row.nano_per_tool_call = *per_thousand;
  }
  for (std::string_view alias : split(cells[16], ' ')) {
    if (!alias.empty()) row.aliases.emplace_back(alias);
  }
  row.source = cells[17];
  if (row.source.empty()) return fail(ErrorCode::invalid_argument, "source: a link is required");
  row.id = fmt::format("{}/{}@{}", row.provider, row.model, cells[4]);
  if (!row.service_tier.empty()) row.id += "+" + row.service_tier;
  if (!row.location.empty()) row.id += "~" + row.location;
  return line;
}

}  // namespace

Result<int64_t> parse_rate(std::string_view usd_per_million) {
  auto value = parse_decimal(usd_per_million, 6);
  if (!value) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("expected dollars per million tokens with at most six decimals, such "
                            "as 2.50; found '{}'",
                            usd_per_million));
  }
  return *value;
}

Result<std::vector<PriceRow>> parse_price_csv(std::string_view text, std::string_view name) {
  std::vector<PriceRow> rows;
  bool header = false;
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (!header) {
      if (line != kHeader) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{}:{}: expected the header {}", name, number, kHeader));
      }
      header = true;
      continue;
    }
    auto parsed = parse_line(line);
    if (!parsed) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{}:{}: {}", name, number, parsed.error().message()));
    }
    if (parsed->above == 0) {
      rows.push_back(std::move(parsed->row));
      continue;
    }
    // A line with `above` belongs to the line before it with the same id.
    if (rows.empty() || rows.back().id != parsed->row.id) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{}:{}: a line with 'above' must follow the line of its model", name,
                              number));
    }
    rows.back().context_tiers.push_back({parsed->above, parsed->row.rates});
  }
  return rows;
}

}  // namespace weir::ledger
