#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "ledger/price_book.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr std::string_view kHeader =
    "provider,model,tier,location,hours,valid_from,above,input,cache_read,cache_write_5m,cache_"
    "write_1h,"
    "output,input_audio,output_audio,input_image,output_image,tool_call,aliases,source";
constexpr std::string_view kMaxOutputColumn = ",max_output";
constexpr size_t kColumns = 19;
constexpr size_t kFirstRate = 7;
constexpr size_t kToolCall = 16;

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

// "06:30" -> 390.
std::optional<int32_t> parse_minute(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return {};
  auto hour = parse_decimal(text.substr(0, 2), 0);
  auto minute = parse_decimal(text.substr(3, 2), 0);
  if (!hour || !minute || *hour > 24 || *minute > 59) return {};
  return static_cast<int32_t>(*hour * 60 + *minute);
}

// WEEKDAYS@FROM-TO[+FROM-TO...][!DAY..DAY...], weekdays as "1-5" (Monday is 1), times in UTC.
std::optional<PriceHours> parse_hours(std::string_view text) {
  PriceHours hours;
  std::vector<std::string_view> parts = split(text, '!');
  std::string_view when = parts[0];
  if (when.size() < 5 || when[1] != '-' || when[3] != '@' || when[0] < '1' || when[2] > '7' ||
      when[0] > when[2]) {
    return {};
  }
  for (char c = when[0]; c <= when[2]; ++c) hours.weekdays |= static_cast<uint8_t>(1 << (c - '1'));
  for (std::string_view span : split(when.substr(4), '+')) {
    if (span.size() != 11 || span[5] != '-') return {};
    auto from = parse_minute(span.substr(0, 5));
    auto to = parse_minute(span.substr(6));
    if (!from || !to || *from >= *to) return {};
    hours.spans.push_back({*from, *to});
  }
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].size() != 22 || parts[i].substr(10, 2) != "..") return {};
    auto from = store::parse_day(parts[i].substr(0, 10));
    auto to = store::parse_day(parts[i].substr(12));
    if (!from || !to || *from > *to || *to - *from > 366) return {};
    for (int64_t day = *from; day <= *to; ++day) hours.skipped.push_back(day);
  }
  return hours;
}

struct Line {
  PriceRow row;
  int64_t above = 0;
};

Result<Line> parse_line(std::string_view text, size_t columns) {
  std::vector<std::string_view> cells = split(text, ',');
  if (cells.size() != columns) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("expected {} columns, found {}", columns, cells.size()));
  }
  Line line;
  PriceRow& row = line.row;
  row.provider = cells[0];
  row.model = cells[1];
  row.service_tier = cells[2];
  row.location = cells[3];
  if (!cells[4].empty()) {
    auto hours = parse_hours(cells[4]);
    if (!hours) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("hours: expected weekdays, times and skipped days such as "
                              "1-5@01:00-04:00+06:00-10:00!2026-10-01..2026-10-07, found '{}'",
                              cells[4]));
    }
    row.hours = std::move(*hours);
  }
  auto day = store::parse_day(cells[5]);
  if (!day) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("valid_from: expected a date such as 2026-11-22, found '{}'", cells[5]));
  }
  row.valid_from_ms = *day * store::kDayMs;
  if (!cells[6].empty()) {
    auto above = parse_decimal(cells[6], 0);
    if (!above || *above <= 0) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("above: expected a count of tokens, found '{}'", cells[6]));
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
  for (std::string_view alias : split(cells[17], ' ')) {
    if (!alias.empty()) row.aliases.emplace_back(alias);
  }
  row.source = cells[18];
  if (row.source.empty()) return fail(ErrorCode::invalid_argument, "source: a link is required");
  if (columns > kColumns && !cells[kColumns].empty()) {
    const auto tokens = parse_decimal(cells[kColumns], 0);
    if (!tokens || *tokens < 1 || *tokens > PriceRow::kMaxOutputMost) {
      return fail(ErrorCode::invalid_argument, "max_output: expected a count of tokens");
    }
    row.max_output = *tokens;
  }
  row.id = fmt::format("{}/{}@{}", row.provider, row.model, cells[5]);
  if (!row.service_tier.empty()) row.id += "+" + row.service_tier;
  if (!row.location.empty()) row.id += "~" + row.location;
  if (!row.hours.always()) row.id += "^hours";
  return line;
}

// A whole number of millionths as a decimal: 2,500,000 -> "2.5".
std::string decimal_text(int64_t millionths) {
  std::string text = fmt::format("{}.{:06}", millionths / 1'000'000, millionths % 1'000'000);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string hours_text(const PriceHours& hours) {
  if (hours.always()) return {};
  const int from = std::countr_zero(hours.weekdays);
  const int to = 7 - std::countl_zero(hours.weekdays);
  std::string text = fmt::format("{}-{}@", from + 1, to + 1);
  for (const PriceHours::Span& span : hours.spans) {
    if (!text.ends_with('@')) text += '+';
    text += fmt::format("{:02}:{:02}-{:02}:{:02}", span.from_minute / 60, span.from_minute % 60,
                        span.to_minute / 60, span.to_minute % 60);
  }
  for (const int64_t day : hours.skipped) {
    text += fmt::format("!{}..{}", store::day_text(day), store::day_text(day));
  }
  return text;
}

void append_line(std::string& text, const PriceRow& row, int64_t above, const Rates& rates,
                 bool with_max_output) {
  text +=
      fmt::format("{},{},{},{},{},{},{}", row.provider, row.model, row.service_tier, row.location,
                  hours_text(row.hours), store::day_text(store::day_of(row.valid_from_ms)),
                  above == 0 ? "" : fmt::format("{}", above));
  for (const auto& rate : rates.pico_per_token) {
    text += rate ? "," + decimal_text(*rate) : ",";
  }
  text += row.nano_per_tool_call ? "," + decimal_text(*row.nano_per_tool_call) : ",";
  text += ',';
  for (size_t i = 0; i < row.aliases.size(); ++i) text += (i == 0 ? "" : " ") + row.aliases[i];
  text += fmt::format(",{}", row.source);
  if (with_max_output) text += row.max_output ? fmt::format(",{}", *row.max_output) : ",";
  text += '\n';
}

}  // namespace

std::string to_price_csv(std::span<const PriceRow> rows) {
  const bool with_max_output = std::any_of(
      rows.begin(), rows.end(), [](const PriceRow& row) { return row.max_output.has_value(); });
  std::string text = fmt::format("{}{}\n", kHeader, with_max_output ? kMaxOutputColumn : "");
  for (const PriceRow& row : rows) {
    append_line(text, row, 0, row.rates, with_max_output);
    for (const ContextTier& tier : row.context_tiers) {
      append_line(text, row, tier.prompt_tokens_above, tier.rates, with_max_output);
    }
  }
  return text;
}

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
  size_t columns = 0;  // 0: the header is still to come
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (columns == 0) {
      if (line == kHeader) {
        columns = kColumns;
      } else if (line.starts_with(kHeader) && line.substr(kHeader.size()) == kMaxOutputColumn) {
        columns = kColumns + 1;
      } else {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{}:{}: expected the header {}", name, number, kHeader));
      }
      continue;
    }
    auto parsed = parse_line(line, columns);
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
