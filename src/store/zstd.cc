#include "store/zstd.h"

#include <fmt/format.h>
#include <zstd.h>

namespace weir::store {

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

Compressor::Compressor(int level) : context_(ZSTD_createCCtx()), level_(level) {}

Result<std::string> Compressor::compress(std::string_view bytes) {
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  size_t size = ZSTD_compressCCtx(context_.get(), frame.data(), frame.size(), bytes.data(),
                                  bytes.size(), level_);
  if (ZSTD_isError(size) != 0) return fail(ErrorCode::internal, ZSTD_getErrorName(size));
  frame.resize(size);
  return frame;
}

Result<std::string> decompress(std::string_view frame, size_t size_max) {
  unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return fail(ErrorCode::corrupt, "not a zstd frame with a content size");
  }
  if (size > size_max) {
    return fail(ErrorCode::limit_exceeded,
                fmt::format("zstd content of {} bytes, at most {} allowed", size, size_max));
  }
  std::string content(size, '\0');
  size_t read = ZSTD_decompress(content.data(), content.size(), frame.data(), frame.size());
  if (ZSTD_isError(read) != 0) return fail(ErrorCode::corrupt, ZSTD_getErrorName(read));
  content.resize(read);
  return content;
}

}  // namespace weir::store
