// Any bytes as an event stream: whatever they are, a cut changes nothing, and what comes out is
// whole server-sent events, which go back into frames and out again as the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "dialect/event_stream.h"

namespace weir::dialect {
namespace {

struct Unpacked {
  bool ok = true;
  std::string sse;
  bool operator==(const Unpacked&) const = default;
};

Unpacked unpack(Dialect dialect, std::string_view bytes, size_t cut) {
  Unpacked out;
  EventStreamToSse way(dialect);
  out.ok = way.feed(bytes.substr(0, cut), out.sse).has_value() &&
           way.feed(bytes.substr(cut), out.sse).has_value();
  return out;
}

void check(std::string_view bytes) {
  const size_t cut = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]) % bytes.size();
  for (const Dialect dialect : {Dialect::bedrock_converse, Dialect::anthropic_messages}) {
    const Unpacked whole = unpack(dialect, bytes, bytes.size());
    const Unpacked pieces = unpack(dialect, bytes, cut);
    WEIR_ASSERT(whole == pieces);
    SseReader lines;
    WEIR_ASSERT(lines.feed(whole.sse, [](const SseEvent&) {}));
    WEIR_ASSERT(!lines.in_event());
    std::string frames;
    SseToEventStream back(dialect == Dialect::anthropic_messages);
    WEIR_ASSERT(back.feed(whole.sse, frames));
    WEIR_ASSERT(unpack(dialect, frames, frames.size()).ok);
  }
  // The same bytes as server-sent events.
  std::string frames;
  SseToEventStream pack(false);
  if (pack.feed(bytes, frames)) {
    WEIR_ASSERT(unpack(Dialect::bedrock_converse, frames, frames.size()).ok);
  }
}

}  // namespace
}  // namespace weir::dialect

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::dialect::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
