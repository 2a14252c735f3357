// PendingWrite: the pieces of one message on their way to a stream, as one gathered write where
// the kernel takes it. Shared by the server's and the client's connections. The pieces are
// borrowed until done or cleared; one thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/stream.h"

namespace weir::http {

class PendingWrite {
 public:
  enum class State : uint8_t { done, blocked, failed };

  void add(std::string_view piece) {
    if (pieces_.capacity() == 0) pieces_.reserve(kUsual);
    if (!piece.empty()) pieces_.push_back(piece);
  }
  void clear() {
    pieces_.clear();
    at_ = 0;
  }
  // Hands over what the stream takes now. After `blocked`, await writable() and push again.
  State push(net::Stream& stream);
  // Why push() failed.
  const Error& error() const { return error_; }

 private:
  static constexpr size_t kUsual = 8;
  std::vector<std::string_view> pieces_;
  size_t at_ = 0;
  Error error_ = ErrorCode::internal;
};

}  // namespace weir::http
