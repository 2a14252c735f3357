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

}  // namespace weir::ledger
