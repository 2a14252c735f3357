// Any bytes as a binary batch: what can be read is written again and read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::fleet;
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  auto reader = BatchReader::open(in);
  if (!reader) return 0;
  std::vector<weir::schedule::Sample> samples;
  weir::schedule::Sample sample;
  while (reader->next(sample)) samples.push_back(sample);
  if (samples.size() != reader->read() || samples.size() > reader->header().count) std::abort();
  const BatchHeader& header = reader->header();
  std::string out;
  BatchWriter writer(out, header.reporter, header.numbers_id, header.base_second);
  for (const auto& one : samples)
    if (!writer.add(one)) std::abort();
  writer.finish();
  auto again = BatchReader::open(out);
  if (!again) std::abort();
  for (const auto& one : samples)
    if (!again->next(sample) || !(sample == one)) std::abort();
  if (again->next(sample) || again->broken()) std::abort();
  return 0;
}
