#include "ledger/prices/shipped.h"

namespace weir::ledger {

namespace {

// Each file is CSV between two lines that make it a string literal, so the compiler's own
// dependency tracking (and ccache) sees every change of a price. One file per provider keeps each
// literal below the 65,536 bytes that every compiler takes.
// clang-format off
constexpr ShippedPrices kFiles[] = {
    {"prices/anthropic.inc",
#include "ledger/prices/anthropic.inc"
    },
    {"prices/azure_openai.inc",
#include "ledger/prices/azure_openai.inc"
    },
    {"prices/bedrock.inc",
#include "ledger/prices/bedrock.inc"
    },
    {"prices/google.inc",
#include "ledger/prices/google.inc"
    },
    {"prices/openai.inc",
#include "ledger/prices/openai.inc"
    },
    {"prices/others.inc",
#include "ledger/prices/others.inc"
    },
};
constexpr std::string_view kOutputLimits =
#include "ledger/prices/output_limits.inc"
    ;
// clang-format on

}  // namespace

std::span<const ShippedPrices> shipped_prices() {
  return kFiles;
}

std::string_view shipped_output_limits() {
  return kOutputLimits;
}

}  // namespace weir::ledger
