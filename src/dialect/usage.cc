#include "dialect/usage.h"

namespace weir::dialect {
namespace {

void take(int64_t& known, int64_t newer) {
  if (newer != 0) known = newer;
}

}  // namespace

void Usage::merge(const Usage& newer) {
  take(input, newer.input);
  take(cache_read, newer.cache_read);
  take(cache_write_5m, newer.cache_write_5m);
  take(cache_write_1h, newer.cache_write_1h);
  take(input_audio, newer.input_audio);
  take(input_image, newer.input_image);
  take(output, newer.output);
  take(output_audio, newer.output_audio);
  take(output_image, newer.output_image);
  take(reasoning, newer.reasoning);
  take(tool_calls, newer.tool_calls);
  if (!newer.service_tier.empty()) service_tier = newer.service_tier;
  reported = reported || newer.reported;
}

}  // namespace weir::dialect
