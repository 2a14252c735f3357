#include "ledger/cost.h"

#include <algorithm>

namespace weir::ledger {

namespace {

__extension__ using Wide = unsigned __int128;

// count x pico-dollars as nano-dollars, rounded half up; saturates.
Money amount(int64_t count, int64_t pico_each) {
  Wide pico = static_cast<Wide>(std::max<int64_t>(count, 0)) *
              static_cast<Wide>(std::max<int64_t>(pico_each, 0));
  Wide nano = (pico + 500) / 1000;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return Money::from_nano(nano > static_cast<Wide>(kMax) ? kMax : static_cast<int64_t>(nano));
}

}  // namespace

std::string_view to_string(CostState state) {
  switch (state) {
    case CostState::final:
      return "final";
    case CostState::estimated:
      return "estimated";
    case CostState::unpriced:
      return "unpriced";
  }
  return "unpriced";
}

int64_t tokens_of(const dialect::Usage& usage, UsageClass usage_class) {
  switch (usage_class) {
    case UsageClass::input:
      return usage.input;
    case UsageClass::cache_read:
      return usage.cache_read;
    case UsageClass::cache_write_5m:
      return usage.cache_write_5m;
    case UsageClass::cache_write_1h:
      return usage.cache_write_1h;
    case UsageClass::output:
      return usage.output;
    case UsageClass::input_audio:
      return usage.input_audio;
    case UsageClass::output_audio:
      return usage.output_audio;
    case UsageClass::input_image:
      return usage.input_image;
    case UsageClass::output_image:
      return usage.output_image;
  }
  return 0;
}

Cost cost(const dialect::Usage& usage, const PriceRow& row) {
  Cost result;
  result.row = &row;
  const Rates& rates = row.rates_at(usage.total_input());
  result.rates = &rates;
  for (size_t i = 0; i < kUsageClasses; ++i) {
    int64_t tokens = tokens_of(usage, static_cast<UsageClass>(i));
    if (tokens <= 0) continue;
    if (!rates.pico_per_token[i]) {
      result.unpriced_classes |= static_cast<uint16_t>(1u << i);
      continue;
    }
    result.parts[i] = amount(tokens, *rates.pico_per_token[i]);
    result.total += result.parts[i];
  }
  if (usage.tool_calls > 0) {
    if (row.nano_per_tool_call) {
      result.tool_calls = Money::from_nano(*row.nano_per_tool_call).times(usage.tool_calls);
      result.total += result.tool_calls;
    } else {
      result.unpriced_classes |= 1u << kUsageClasses;
    }
  }
  if (result.unpriced_classes != 0) {
    result.state = CostState::unpriced;
  } else {
    result.state = usage.reported ? CostState::final : CostState::estimated;
  }
  return result;
}

Cost cost(const dialect::Usage& usage, const PriceBook& book, PriceQuery query) {
  if (query.service_tier.empty()) query.service_tier = usage.service_tier;
  const PriceRow* row = book.find(query);
  return row ? cost(usage, *row) : Cost{};
}

Money estimate(const PriceRow* row, int64_t input_tokens, int64_t output_tokens) {
  if (row == nullptr) return {};
  const Rates& rates = row->rates_at(input_tokens);
  int64_t dearest = 0;
  for (UsageClass c : {UsageClass::input, UsageClass::cache_write_5m, UsageClass::cache_write_1h}) {
    dearest = std::max(dearest, rates[c].value_or(0));
  }
  return amount(input_tokens, dearest) +
         amount(output_tokens, rates[UsageClass::output].value_or(0));
}

}  // namespace weir::ledger
