// Cost: usage x price, pure. Every usage class is multiplied with its rate and rounded half up to
// a whole nano-dollar; the total is the sum of the rounded parts, so parts always add up. Usage
// that a row has no rate for makes the cost unpriced (and says which class), never cheaper.
// Reasoning tokens are part of output and are never added. Terms (a negotiated discount, a regional
// uplift) change the rates, each rounded to a pico-dollar, before they are multiplied: what is paid
// and the list price are two sums of one usage. Values only; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/money.h"
#include "dialect/usage.h"
#include "ledger/price_book.h"

namespace weir::ledger {

enum class CostState : uint8_t {
  final,      // the provider reported the usage and every class has a price
  estimated,  // priced, but the usage is our own estimate (aborted stream, silent provider)
  unpriced,   // no price row, or usage in a class the row has no rate for: `total` is a lower bound
};
std::string_view to_string(CostState state);

struct Cost {
  Money total;
  Money list;  // before the discount
  std::array<Money, kUsageClasses> parts{};
  Money tool_calls;
  CostState state = CostState::unpriced;
  uint16_t unpriced_classes = 0;  // bit per UsageClass; bit kUsageClasses: tool calls
  const PriceRow* row = nullptr;  // lives as long as its price book
  const Rates* rates = nullptr;   // those of the row that held for so much input
  PriceFactors factors;

  std::string_view row_id() const { return row ? std::string_view(row->id) : std::string_view(); }
};

// The count of one class in a usage record.
int64_t tokens_of(const dialect::Usage& usage, UsageClass usage_class);

// Negative counts are taken as zero.
Cost cost(const dialect::Usage& usage, const PriceRow& row, const PriceFactors& factors = {});
// The same with the lookup of row and terms: query.service_tier is taken from the usage when it is
// empty. Without a row: total 0, state unpriced.
Cost cost(const dialect::Usage& usage, const PriceBook& book, PriceQuery query);

// An upper bound before the call, for reserving: all input at the dearest of the text input rates
// (uncached, written to a cache) and `output_tokens` at the output rate. 0 when there is no row.
Money estimate(const PriceRow* row, int64_t input_tokens, int64_t output_tokens,
               const PriceFactors& factors = {}, int64_t tool_calls = 0);

// The rates that are paid, and those of the list, as JSON for the ledger: {"input":2250000,...,
// "tool_call":10000000,"list":{"input":2500000,...}}; "list" only where a term changed them.
std::string rates_text(const Cost& cost);
// The same without writing it where the price row has it ready; else it is written into `room`.
std::string_view rates_text(const Cost& cost, std::string& room);

}  // namespace weir::ledger
