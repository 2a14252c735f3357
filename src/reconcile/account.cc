#include "reconcile/account.h"

#include <fmt/format.h>

#include <array>

#include "base/id.h"
#include "base/json/document.h"
#include "ledger/cost.h"
#include "ledger/log_schema.h"
#include "store/day.h"
#include "store/sqlite.h"

namespace weir::reconcile {

namespace {

using ledger::kUsageClasses;
using ledger::UsageClass;

// By UsageClass.
constexpr std::array<std::string_view, kUsageClasses> kColumns = {
    "input",       "cache_read",   "cache_write_5m", "cache_write_1h", "output",
    "input_audio", "output_audio", "input_image",    "output_image"};
constexpr int kFirstSum = 6;

// The book's name of the model where the row has one: a deployment may be called anything.
std::string model_of(std::string_view price_row, std::string_view provider,
                     std::string_view provider_model) {
  const std::string prefix = fmt::format("{}/", provider);
  const size_t at = price_row.find(prefix);
  const size_t end = price_row.rfind('@');
  if (at == std::string_view::npos || end == std::string_view::npos || end <= at + prefix.size()) {
    return std::string(provider_model);
  }
  return std::string(price_row.substr(at + prefix.size(), end - at - prefix.size()));
}

Money cost_of(int64_t tokens, int64_t rate) {
  ledger::PriceRow row;
  row.rates[UsageClass::input] = rate;
  dialect::Usage usage;
  usage.input = tokens;
  return ledger::cost(usage, row).total;
}

void add_group(const store::Statement& group, std::vector<Line>& lines) {
  Line line{.day = group.column_int64(0),
            .provider = std::string(group.column_text(1)),
            .model = model_of(group.column_text(3), group.column_text(1), group.column_text(2)),
            .tier = tier_of(group.column_text(4)),
            .meter = {},
            .tokens = {},
            .cost = {}};
  json::Document document;
  const std::string rates(group.column_text(5));
  const bool priced = !rates.empty() && document.parse(rates).has_value();
  Money left = Money::from_nano(group.column_int64(kFirstSum + kUsageClasses + 1));
  for (size_t i = 0; i < kUsageClasses; ++i) {
    const int64_t tokens = group.column_int64(kFirstSum + static_cast<int>(i));
    if (tokens <= 0) continue;
    const UsageClass meter = static_cast<UsageClass>(i);
    const auto rate =
        priced ? document.root()[ledger::to_string(meter)].as_int64() : std::optional<int64_t>();
    Line one = line;
    one.meter = meter;
    one.tokens = tokens;
    one.cost = rate ? cost_of(tokens, *rate) : Money{};
    left -= *one.cost;
    lines.push_back(std::move(one));
  }
  const int64_t calls = group.column_int64(kFirstSum + kUsageClasses);
  const auto apiece = priced ? document.root()["tool_call"].as_int64() : std::optional<int64_t>();
  if (calls > 0 && apiece) {
    Line tools = line;
    tools.model = kTools;
    tools.tier.clear();
    tools.cost = Money::from_nano(*apiece).times(calls);
    left -= *tools.cost;
    lines.push_back(std::move(tools));
  }
  if (left == Money{}) return;
  line.cost = left;
  lines.push_back(std::move(line));
}

Result<void> read_day(const std::string& data_dir, int64_t day, std::vector<Line>& lines) {
  auto opened = store::Connection::open(store::day_file(data_dir, ledger::kRequestsPrefix, day),
                                        store::OpenMode::read_only);
  if (!opened) {
    if (opened.error().code() == ErrorCode::not_found) return {};
    return fail(std::move(opened).error());
  }
  std::string sums;
  for (const std::string_view column : kColumns) sums += fmt::format("sum({}), ", column);
  WEIR_TRY(store::Statement groups,
           opened->prepare(fmt::format(
               "SELECT start_ms/{}, provider, provider_model, price_row, tier, rates, {}"
               "sum(tool_calls), sum(cost_nano) FROM request WHERE provider<>'' GROUP BY 1, 2, 3, "
               "4, 5, 6",
               store::kDayMs, sums)));
  for (;;) {
    WEIR_TRY(const bool more, groups.step());
    if (!more) return {};
    add_group(groups, lines);
  }
}

}  // namespace

Result<std::vector<Line>> account_of(const std::string& data_dir, int64_t from_day,
                                     int64_t to_day) {
  std::vector<Line> lines;
  for (const int64_t day : store::days_on_disk(data_dir, ledger::kRequestsPrefix)) {
    if (day >= from_day && day < to_day) WEIR_CHECK_OK(read_day(data_dir, day, lines));
  }
  return lines;
}

}  // namespace weir::reconcile
