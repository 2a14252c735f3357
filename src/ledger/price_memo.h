// PriceMemo: the price rows a worker found last, by deployment: nearly every request asks what the
// one before it asked. An answer holds for the minute it was asked in, which is as exact as the
// book's dates and hours are, and only for the same question to the same book. Belongs to one
// thread. Limit: kSlotsMax deployments; those beyond are looked up each time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/price_book.h"

namespace weir::ledger {

class PriceMemo {
 public:
  static constexpr uint32_t kSlotsMax = 65'536;

  // As PriceBook::find() for a question about the deployment with that number.
  const PriceRow* find(const PriceBook& book, const PriceQuery& query, uint32_t slot);

 private:
  struct Entry {
    uint64_t book = 0;  // its serial; 0: none
    int64_t minute = 0;
    std::string provider;
    std::string model;
    std::string location;
    uint32_t row = 0;  // its place in the book, from 1; 0: unpriced
  };
  std::vector<Entry> entries_;  // by slot
};

}  // namespace weir::ledger
