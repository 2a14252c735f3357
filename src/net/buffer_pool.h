// BufferPool: the loop's 16 KiB blocks. A connection takes one when its stream is readable and
// gives it back when idle, so ten thousand idle connections hold none. At most `idle_max` blocks
// are kept (256 = 4 MiB); the rest go back to the allocator. One thread; the pool outlives its
// buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace weir::net {

class BufferPool;

// One block, or none. Move-only; gives the block back when it goes.
class Buffer {
 public:
  static constexpr size_t kSize = 16 * 1024;

  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), data_(std::move(other.data_)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      pool_ = std::exchange(other.pool_, nullptr);
      data_ = std::move(other.data_);
    }
    return *this;
  }
  ~Buffer() { reset(); }

  explicit operator bool() const { return data_ != nullptr; }
  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  size_t size() const { return data_ ? kSize : 0; }
  std::span<char> span() { return {data_.get(), size()}; }
  void reset();

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, std::unique_ptr<char[]> data) : pool_(pool), data_(std::move(data)) {}
  BufferPool* pool_ = nullptr;
  std::unique_ptr<char[]> data_;
};

class BufferPool {
 public:
  struct Counters {
    uint64_t allocated = 0;  // blocks that came from the allocator
    uint64_t freed = 0;      // blocks that went back because enough were idle
    size_t in_use = 0;
    size_t in_use_max = 0;
    size_t idle = 0;
  };

  explicit BufferPool(size_t idle_max = 256) : idle_max_(idle_max) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // A block with unspecified content.
  Buffer take();
  const Counters& counters() const { return counters_; }

 private:
  friend class Buffer;
  void give_back(std::unique_ptr<char[]> data);

  size_t idle_max_;
  std::vector<std::unique_ptr<char[]>> idle_;
  Counters counters_;
};

}  // namespace weir::net
