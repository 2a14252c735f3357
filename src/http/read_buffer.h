// ReadBuffer: the bytes of a connection that were read and not yet used. Holds a pooled 16 KiB
// block while there are any, none while there are not; a head that does not fit moves to a heap
// block of its own, up to the limit given. For the two ends of HTTP/1.1; one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "net/buffer_pool.h"

namespace weir::http {

class ReadBuffer {
 public:
  explicit ReadBuffer(net::BufferPool& pool) : pool_(&pool) {}

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  std::string_view view() const { return {data() + begin_, size()}; }
  std::span<char> bytes() { return {data() + begin_, size()}; }
  // Drops bytes from the front. They stay readable until the next room() or release().
  void consume(size_t count) { begin_ += count; }

  // Space to read into, behind what is there: at least one byte unless size() == max, then none.
  std::span<char> room(size_t max) {
    if (empty()) {
      begin_ = end_ = 0;
      large_.reset();
      capacity_ = net::Buffer::kSize;
    }
    if (!large_ && !block_) block_ = pool_->take();
    if (end_ == capacity_ && begin_ > 0) {
      std::memmove(data(), data() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == capacity_ && capacity_ < max) grow(max);
    return {data() + end_, capacity_ - end_};
  }
  void added(size_t count) { end_ += count; }

  // Gives the block back when nothing unread is in it.
  void release() {
    if (!empty()) return;
    block_.reset();
    large_.reset();
    capacity_ = net::Buffer::kSize;
    begin_ = end_ = 0;
  }

 private:
  char* data() { return large_ ? large_.get() : block_.data(); }
  const char* data() const { return large_ ? large_.get() : block_.data(); }
  void grow(size_t max) {
    const size_t capacity = std::min(capacity_ * 4, max);
    auto bigger = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(bigger.get(), data(), end_);
    large_ = std::move(bigger);
    block_.reset();
    capacity_ = capacity;
  }

  net::BufferPool* pool_;
  net::Buffer block_;
  std::unique_ptr<char[]> large_;
  size_t capacity_ = net::Buffer::kSize;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace weir::http
