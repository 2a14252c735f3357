#include "net/frame_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace weir::net {
namespace {

TEST(FramePool, HandsOutAgainWhatFits) {
  if (frame_pool::kKeptMax == 0) GTEST_SKIP() << "nothing is kept under AddressSanitizer";
  std::thread([] {
    void* const first = frame_pool::take(100);
    std::memset(first, 0xAB, 128);  // all of its step is usable
    frame_pool::give_back(first, 100);
    EXPECT_EQ(frame_pool::take(128), first);
    void* const other = frame_pool::take(129);
    EXPECT_NE(other, first);
    frame_pool::give_back(first, 128);
    frame_pool::give_back(other, 129);
  }).join();
}

TEST(FramePool, KeepsNoMoreThanItsLimit) {
  std::thread([] {
    std::vector<void*> frames;
    for (int i = 0; i < 100; ++i) frames.push_back(frame_pool::take(4096));
    for (void* frame : frames) frame_pool::give_back(frame, 4096);
    EXPECT_EQ(frame_pool::kept.count[frame_pool::size_index(4096)], frame_pool::kKeptMax);
    // Larger ones are never kept.
    void* const large = frame_pool::take(4097);
    std::memset(large, 0, 4097);
    frame_pool::give_back(large, 4097);
  }).join();
}

TEST(FramePool, AFrameMayEndOnAnotherThread) {
  void* frame = nullptr;
  std::thread([&] { frame = frame_pool::take(200); }).join();
  std::memset(frame, 0, 200);
  frame_pool::give_back(frame, 200);
}

}  // namespace
}  // namespace weir::net
