// Zstandard compression of whole messages, for kept bodies. A Compressor keeps its context and
// belongs to one thread; decompress() is stateless.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct ZSTD_CCtx_s;

namespace weir::store {

class Compressor {
 public:
  explicit Compressor(int level = 3);
  // One frame that knows its content size.
  Result<std::string> compress(std::string_view bytes);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
  int level_;
};

// Errors: corrupt; limit_exceeded when the content is larger than `size_max`.
Result<std::string> decompress(std::string_view frame, size_t size_max);

}  // namespace weir::store
