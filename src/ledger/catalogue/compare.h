// A catalogue beside the price book: for each of its rows what the book would say, meter by meter,
// and the row that the book would get. What a catalogue leaves out the book keeps. A price that
// jumps by a factor of kJumpMost or more, or becomes free, is called suspicious: catalogues have
// confused dollars with cents and thousands with millions. Pure; control plane and commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ledger/catalogue/catalogue.h"
#include "ledger/price_book.h"

namespace weir::ledger {

inline constexpr int64_t kJumpMost = 20;

struct MeterChange {
  std::string meter;  // a usage class, or "tool_call"
  int64_t above = 0;  // context tier
  // Pico-dollars per token; nano-dollars apiece for tool_call. Absent: the book did not know it.
  std::optional<int64_t> before;
  int64_t after = 0;
};

struct PriceDifference {
  PriceRow row;
  std::string book_row;  // id of the row it would follow; empty: the book has none
  std::vector<MeterChange> changes;
  std::string suspicious;  // why; empty: it is not
};

struct PriceComparison {
  std::vector<PriceDifference> differences;  // by provider, model, tier, location
  size_t same = 0;                           // rows of the catalogue that agree
};

// `wall_ms`: the moment at which the book is asked.
PriceComparison compare_prices(const PriceBook& book, const Catalogue& catalogue, int64_t wall_ms);

}  // namespace weir::ledger
