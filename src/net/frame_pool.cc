#include "net/frame_pool.h"

namespace weir::net::frame_pool {

constinit thread_local Kept kept{};

namespace {

struct Closer {
  ~Closer() {
    kept.closed = true;
    for (size_t size = 0; size < kSizes; ++size) {
      while (kept.count[size] > 0) {
        void* const frame = kept.first[size];
        kept.first[size] = *static_cast<void**>(frame);
        --kept.count[size];
        ::operator delete(frame);
      }
    }
  }
};

}  // namespace

void* make(size_t bytes) {
  if (!kept.opened) {
    kept.opened = true;
    static thread_local Closer closer;
    static_cast<void>(closer);
  }
  const size_t size = size_index(bytes);
  return ::operator new(size < kSizes ? size * kStep : bytes);
}

}  // namespace weir::net::frame_pool
