// Any bytes as a text exposition: views stay inside the text, and a line that was read reads the
// same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fleet/exposition_read.h"
#include "fleet/scraped.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::fleet;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto inside = [&](std::string_view view) {
    return view.data() >= text.data() && view.data() + view.size() <= text.data() + text.size();
  };
  ExpositionReader reader(text);
  ExposedSample sample;
  while (reader.next(sample)) {
    if (sample.name.empty() || !inside(sample.name)) std::abort();
    for (size_t i = 0; i < sample.labels; ++i)
      if (!inside(sample.label[i].first) || !inside(sample.label[i].second)) std::abort();
  }
  Scraped scraped;
  const ScrapeNames names;
  const auto before = scraped.take(text, names);
  const auto after = scraped.take(text, names);
  // The same counters twice: nothing happened in between.
  if (after && (after->requests != 0 || after->errors != 0)) std::abort();
  if (before && !weir::schedule::plausible(*before)) std::abort();
  return 0;
}
