// Any bytes as a saved scheduler: refused, or a scheduler that evaluates and can be saved again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "schedule/saved.h"
#include "schedule/scheduler.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::schedule;
  Limits limits;
  limits.endpoints = 256;
  limits.groups = 32;
  limits.services = 8;
  limits.reporters = 256;
  limits.hosts = 256;
  limits.samples_per_second = 256;
  limits.records = 64;
  Scheduler scheduler(Policy{}, limits, 1000);
  std::string_view in(reinterpret_cast<const char*>(data), size);
  if (!Saved::read(in, false, scheduler)) return 0;
  for (int i = 0; i < 3; ++i) scheduler.evaluate();
  std::string out;
  Saved::write(scheduler, true, out);
  Scheduler again(Policy{}, limits, 1000);
  std::string_view second(out);
  if (!Saved::read(second, true, again)) std::abort();
  return 0;
}
