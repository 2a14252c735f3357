#include "ledger/cost.h"

#include <algorithm>
#include <charconv>

#include "ledger/scale.h"

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

int64_t list_rate(int64_t rate, const PriceFactors& factors) {
  return factors.uplift_ppm == 0 ? rate : scaled(rate, kPpm + factors.uplift_ppm);
}

int64_t paid_rate(int64_t list, const PriceFactors& factors) {
  return factors.discount_ppm == 0 ? list : scaled(list, kPpm - factors.discount_ppm);
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

Cost cost(const dialect::Usage& usage, const PriceRow& row, const PriceFactors& factors) {
  Cost result;
  result.row = &row;
  result.factors = factors;
  const Rates& rates = row.rates_at(usage.total_input());
  result.rates = &rates;
  for (size_t i = 0; i < kUsageClasses; ++i) {
    int64_t tokens = tokens_of(usage, static_cast<UsageClass>(i));
    if (tokens <= 0) continue;
    if (!rates.pico_per_token[i]) {
      result.unpriced_classes |= static_cast<uint16_t>(1u << i);
      continue;
    }
    const int64_t list = list_rate(*rates.pico_per_token[i], factors);
    result.parts[i] = amount(tokens, paid_rate(list, factors));
    result.total += result.parts[i];
    result.list += factors.discount_ppm == 0 ? result.parts[i] : amount(tokens, list);
  }
  if (usage.tool_calls > 0) {
    if (row.nano_per_tool_call) {
      const int64_t list = list_rate(*row.nano_per_tool_call, factors);
      result.tool_calls = Money::from_nano(paid_rate(list, factors)).times(usage.tool_calls);
      result.total += result.tool_calls;
      result.list += Money::from_nano(list).times(usage.tool_calls);
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
  return row ? cost(usage, *row, book.factors(query)) : Cost{};
}

Money estimate(const PriceRow* row, int64_t input_tokens, int64_t output_tokens,
               const PriceFactors& factors, int64_t tool_calls) {
  if (row == nullptr) return {};
  const Rates& rates = row->rates_at(input_tokens);
  const int64_t tool_rate =
      paid_rate(list_rate(row->nano_per_tool_call.value_or(0), factors), factors);
  const auto dearest = [&](std::initializer_list<UsageClass> classes) {
    int64_t rate = 0;
    for (const UsageClass c : classes) rate = std::max(rate, rates[c].value_or(0));
    return paid_rate(list_rate(rate, factors), factors);
  };
  return amount(input_tokens,
                dearest({UsageClass::input, UsageClass::cache_write_5m, UsageClass::cache_write_1h,
                         UsageClass::input_audio, UsageClass::input_image})) +
         amount(output_tokens,
                dearest({UsageClass::output, UsageClass::output_audio, UsageClass::output_image})) +
         Money::from_nano(tool_rate * tool_calls);
}

std::string rates_text(const Cost& cost) {
  std::string text;
  if (cost.rates == nullptr) return text;
  text.reserve(120);
  // The names are ours and the values numbers: there is nothing to escape.
  const auto members = [&](auto&& rate_of) {
    const auto member = [&](std::string_view name, int64_t rate) {
      char digits[24];
      char* const end = std::to_chars(digits, digits + sizeof digits, rate_of(rate)).ptr;
      if (text.back() != '{') text += ',';
      text.append("\"").append(name).append("\":").append(digits, end);
    };
    for (size_t i = 0; i < kUsageClasses; ++i) {
      const auto& rate = cost.rates->pico_per_token[i];
      if (rate) member(to_string(static_cast<UsageClass>(i)), *rate);
    }
    if (cost.row->nano_per_tool_call) member("tool_call", *cost.row->nano_per_tool_call);
  };
  text += '{';
  members([&](int64_t rate) { return paid_rate(list_rate(rate, cost.factors), cost.factors); });
  if (!cost.factors.none()) {
    text += text.back() == '{' ? "\"list\":{" : ",\"list\":{";
    members([&](int64_t rate) { return list_rate(rate, cost.factors); });
    text += '}';
  }
  text += '}';
  return text;
}

std::string_view rates_text(const Cost& cost, std::string& room) {
  if (cost.rates == nullptr) return {};
  if (cost.factors.none()) {
    if (cost.rates == &cost.row->rates && !cost.row->rates_text.empty()) {
      return cost.row->rates_text;
    }
    for (const ContextTier& tier : cost.row->context_tiers) {
      if (cost.rates == &tier.rates && !tier.rates_text.empty()) return tier.rates_text;
    }
  }
  return room = rates_text(cost);
}

}  // namespace weir::ledger
