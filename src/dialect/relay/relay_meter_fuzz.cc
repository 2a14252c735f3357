// Any bytes in any pieces through the meter of any dialect: what comes out is part of what came in,
// in order, and how the bytes were cut makes no difference. The first byte chooses dialect and
// options, the second the size of the pieces.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "dialect/relay/meter.h"

namespace weir::dialect {
namespace {

struct Outcome {
  std::string out;
  bool failed = false;
  bool has_content = false;
  bool complete = false;
  bool error = false;
  StopReason stop = StopReason::unset;
  int64_t generated_bytes = 0;
  Usage usage;
  bool operator==(const Outcome&) const = default;
};

Outcome run(Dialect dialect, bool strip, std::string_view bytes, size_t piece_size) {
  const auto meter = make_relay_meter(dialect, {.strip_usage_chunk = strip});
  Outcome outcome;
  std::vector<std::string_view> views;
  const auto collect = [&] {
    for (const std::string_view view : views) outcome.out.append(view);
    views.clear();
  };
  for (size_t at = 0; at < bytes.size() && !outcome.failed; at += piece_size) {
    // A buffer of its own, so that the sanitizer sees a view that is kept too long.
    const std::string piece(bytes.substr(at, piece_size));
    outcome.failed = !meter->feed(piece, views);
    collect();
  }
  meter->finish(views);
  collect();
  outcome.has_content = meter->has_content();
  outcome.complete = meter->complete();
  outcome.error = meter->error().has_value();
  outcome.stop = meter->stop();
  outcome.generated_bytes = meter->generated_bytes();
  outcome.usage = meter->usage();
  return outcome;
}

bool is_subsequence(std::string_view part, std::string_view whole) {
  size_t at = 0;
  for (const char c : whole) {
    if (at < part.size() && part[at] == c) ++at;
  }
  return at == part.size();
}

void check(const uint8_t* data, size_t size) {
  if (size < 2) return;
  const auto dialect = static_cast<Dialect>(data[0] % 7);
  const bool strip = (data[0] & 0x80) != 0;
  const size_t piece_size = data[1] % 64 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);

  const Outcome whole = run(dialect, strip, bytes, bytes.size() + 1);
  WEIR_ASSERT(run(dialect, strip, bytes, piece_size) == whole);
  // finish() may add a blank line behind a whole event that lacked it.
  std::string_view out = whole.out;
  if (!is_subsequence(out, bytes)) {
    WEIR_ASSERT(out.ends_with("\n\n"));
    out.remove_suffix(2);
    WEIR_ASSERT(is_subsequence(out, bytes));
  }
  WEIR_ASSERT(!(whole.complete && whole.error));
  WEIR_ASSERT(whole.generated_bytes >= 0 && whole.usage.total_input() >= 0 &&
              whole.usage.total_output() >= whole.usage.reasoning);

  WEIR_ASSERT(estimate_tokens(bytes) >= 0);
  const Usage usage = read_usage(dialect, bytes);
  WEIR_ASSERT(usage.total_input() >= 0 && usage.total_output() >= 0);
}

}  // namespace
}  // namespace weir::dialect

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::dialect::check(data, size);
  return 0;
}
