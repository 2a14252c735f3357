#include "ledger/prices/shipped.h"

namespace weir::ledger {

namespace {

// Each file is CSV between two lines that make it a string literal, so the compiler's own
// dependency tracking (and ccache) sees every change of a price. One file per provider keeps each
// literal below the 65,536 bytes that every compiler takes.
constexpr ShippedPrices kFiles[] = {
    {
        "prices/anthropic.inc",
#include "ledger/prices/anthropic.inc"
    },
};

}  // namespace

std::span<const ShippedPrices> shipped_prices() {
  return kFiles;
}

}  // namespace weir::ledger
