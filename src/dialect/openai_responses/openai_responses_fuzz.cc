#include "dialect/dialect_fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::dialect::fuzzing::run(weir::dialect::Dialect::openai_responses, data, size);
  return 0;
}
