// Any bytes as each catalogue: every row that comes out can be written, read back the same, and
// makes a price book.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "ledger/catalogue/compare.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::ledger;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const CatalogueKind kind :
       {CatalogueKind::litellm, CatalogueKind::models_dev, CatalogueKind::portkey}) {
    const auto catalogue = read_catalogue(
        text, {.kind = kind, .valid_from_ms = 1'795'392'000'000, .portkey_provider = "openai"});
    if (!catalogue) continue;
    const auto compared = compare_prices(PriceBook{}, *catalogue, 1'795'392'000'000);
    std::vector<PriceRow> rows;
    std::set<std::string> ids;
    for (const PriceDifference& one : compared.differences) {
      if (!ids.insert(one.row.id).second) std::abort();
      rows.push_back(one.row);
      for (const auto& rate : one.row.rates.pico_per_token) {
        if (rate && *rate < 0) std::abort();
      }
    }
    const std::string csv = to_price_csv(rows);
    const auto again = parse_price_csv(csv, "again");
    if (!again || to_price_csv(*again) != csv) std::abort();
    if (!PriceBook::build({}, {}, rows)) std::abort();
  }
  return 0;
}
