// The price files compiled into the binary. Constant data; any thread.
#pragma once

#include <span>
#include <string_view>

namespace weir::ledger {

struct ShippedPrices {
  std::string_view name;  // for messages: "prices/openai.inc"
  std::string_view csv;
};

std::span<const ShippedPrices> shipped_prices();
// Lines of provider, model and the most tokens of one answer.
std::string_view shipped_output_limits();

}  // namespace weir::ledger
