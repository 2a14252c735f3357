// Any bytes, cut anywhere: the events are the same, and all blocks together are the bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "dialect/sse.h"

namespace {

using weir::dialect::SseEvent;
using weir::dialect::SseReader;

struct Seen {
  std::string event, data, raw;
  bool has_data;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> read(std::string_view bytes, size_t first, size_t step) {
  std::vector<Seen> seen;
  SseReader reader(SseReader::Blocks::all);
  const auto sink = [&](const SseEvent& e) {
    seen.push_back({std::string(e.event), std::string(e.data), std::string(e.raw), e.has_data});
  };
  size_t from = 0;
  for (size_t to = first; to < bytes.size(); to += step) {
    if (!reader.feed(bytes.substr(from, to - from), sink)) std::abort();
    from = to;
  }
  if (!reader.feed(bytes.substr(from), sink) || !reader.finish(sink)) std::abort();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string bytes(data + 2, data + size);
  const auto whole = read(bytes, bytes.size(), 1);
  if (read(bytes, data[0], 1 + data[1] % 16U) != whole) std::abort();
  std::string together;
  for (const Seen& s : whole) together += s.raw;
  if (together != bytes) std::abort();
  return 0;
}
