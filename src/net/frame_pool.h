// Memory of coroutine frames: each thread keeps the frames that its tasks gave back and hands them
// out again, as one request makes a score of them. Frames up to 4 KiB, by size in steps of 64
// bytes, at most 32 of a size; what is beyond goes to the allocator, and all of it when the thread
// ends. Built with AddressSanitizer nothing is kept, so that a frame used after its end is seen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace weir::net::frame_pool {

inline constexpr size_t kStep = 64;
inline constexpr size_t kSizes = 65;  // one past the largest
#if defined(__has_feature) && __has_feature(address_sanitizer)
inline constexpr uint8_t kKeptMax = 0;
#else
inline constexpr uint8_t kKeptMax = 32;
#endif

struct Kept {
  std::array<void*, kSizes> first;  // each begins with a pointer to the next
  std::array<uint8_t, kSizes> count;
  bool opened;  // this thread frees them at its end
  bool closed;  // it is ending
};
extern constinit thread_local Kept kept;

// Where nothing is kept that fits.
[[gnu::noinline]] void* make(size_t bytes);

inline size_t size_index(size_t bytes) {
  return (bytes + kStep - 1) / kStep;
}

inline void* take(size_t bytes) {
  const size_t size = size_index(bytes);
  if (size >= kSizes || kept.count[size] == 0) return make(bytes);
  void* const frame = kept.first[size];
  kept.first[size] = *static_cast<void**>(frame);
  --kept.count[size];
  return frame;
}

inline void give_back(void* frame, size_t bytes) {
  const size_t size = size_index(bytes);
  if (size >= kSizes || kept.count[size] >= kKeptMax || kept.closed) {
    ::operator delete(frame);
    return;
  }
  *static_cast<void**>(frame) = kept.first[size];
  kept.first[size] = frame;
  ++kept.count[size];
}

}  // namespace weir::net::frame_pool
