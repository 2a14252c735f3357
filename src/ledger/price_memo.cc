#include "ledger/price_memo.h"

namespace weir::ledger {

namespace {

constexpr int64_t kMinuteMs = 60'000;

}  // namespace

const PriceRow* PriceMemo::find(const PriceBook& book, const PriceQuery& query, uint32_t slot) {
  // Other tiers than the standard one are rare and not kept.
  if (slot >= kSlotsMax || !is_standard_tier(query.service_tier)) return book.find(query);
  if (slot >= entries_.size()) entries_.resize(slot + 1);
  Entry& entry = entries_[slot];
  const int64_t minute = query.wall_ms / kMinuteMs;
  if (entry.book != book.serial() || entry.minute != minute || entry.model != query.model ||
      entry.provider != query.provider || entry.location != query.location) {
    const PriceRow* row = book.find(query);
    entry.book = book.serial();
    entry.minute = minute;
    entry.provider = query.provider;
    entry.model = query.model;
    entry.location = query.location;
    entry.row = row == nullptr ? 0 : static_cast<uint32_t>(row - book.rows().data()) + 1;
  }
  return entry.row == 0 ? nullptr : &book.rows()[entry.row - 1];
}

}  // namespace weir::ledger
