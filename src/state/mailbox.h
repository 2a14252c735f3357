// Mailbox: many threads give, one takes, in the order of giving and without a lock. Bounded by
// number and bytes; what does not fit is refused. The taker waits for a descriptor.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace weir::state {

template <class Letter>
class Mailbox {
 public:
  Mailbox(size_t letters_max, size_t bytes_max)
      : letters_max_(letters_max),
        bytes_max_(bytes_max),
        event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Mailbox() {
    take();
    if (event_ >= 0) ::close(event_);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. False: full, and the letter is gone.
  bool give(Letter letter, size_t bytes) {
    const size_t count = letters_.fetch_add(1, std::memory_order_relaxed);
    const size_t held = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (count >= letters_max_ || held + bytes > bytes_max_) {
      letters_.fetch_sub(1, std::memory_order_relaxed);
      bytes_.fetch_sub(bytes, std::memory_order_relaxed);
      return false;
    }
    auto node = std::make_unique<Node>(Node{std::move(letter), bytes, nullptr});
    Node* before = newest_.load(std::memory_order_relaxed);
    do {
      node->next = before;
    } while (!newest_.compare_exchange_weak(before, node.get(), std::memory_order_release,
                                            std::memory_order_relaxed));
    (void)node.release();
    // The taker sleeps only after it found the box empty: the first letter wakes it.
    if (before == nullptr) wake();
    return true;
  }

  // The taker's thread: everything given so far, oldest first.
  std::vector<Letter> take() {
    std::vector<Letter> letters;
    Node* node = newest_.exchange(nullptr, std::memory_order_acquire);
    while (node != nullptr) {
      const std::unique_ptr<Node> owned(node);
      letters_.fetch_sub(1, std::memory_order_relaxed);
      bytes_.fetch_sub(owned->bytes, std::memory_order_relaxed);
      letters.push_back(std::move(owned->letter));
      node = owned->next;
    }
    std::reverse(letters.begin(), letters.end());
    return letters;
  }

  void wake() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_, &one, sizeof one);
  }
  // The taker's thread.
  void wait(Milliseconds at_most) {
    pollfd entry{event_, POLLIN, 0};
    (void)::poll(&entry, 1, static_cast<int>(at_most.count()));
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(event_, &count, sizeof count);
  }

 private:
  struct Node {
    Letter letter;
    size_t bytes;
    Node* next;
  };
  const size_t letters_max_;
  const size_t bytes_max_;
  const int event_;
  std::atomic<Node*> newest_{nullptr};
  std::atomic<size_t> letters_{0};
  std::atomic<size_t> bytes_{0};
};

}  // namespace weir::state
