// Wakeup: something the loop will run once, soon. It is an intrusive list node that lives in what
// it wakes (an awaiter in a coroutine frame, a listener), so queueing allocates nothing, and it
// leaves whatever list it is in when it is destroyed: a queued coroutine may be freed at any time.
// All resumption goes through the loop's ready list, never on the stack of the one who wakes; that
// is why the woken coroutine may destroy the stream, event or timer that woke it. One thread.
#pragma once

#include <coroutine>

namespace weir::net {

class WakeupList;

class Wakeup {
 public:
  using Run = void (*)(Wakeup&);

  explicit Wakeup(Run run) : run_(run) {}
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;
  ~Wakeup() { unlink(); }

  bool queued() const { return next_ != nullptr; }
  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }
  // Called by the loop once the node has left the list. The node may be gone when this returns.
  void run() { run_(*this); }

 private:
  friend class WakeupList;
  Wakeup* prev_ = nullptr;
  Wakeup* next_ = nullptr;
  Run run_;
};

// First in, first out. A node is in one list at most.
class WakeupList {
 public:
  WakeupList() : end_(nullptr) { end_.prev_ = end_.next_ = &end_; }
  ~WakeupList() { clear(); }
  WakeupList(const WakeupList&) = delete;
  WakeupList& operator=(const WakeupList&) = delete;

  bool empty() const { return end_.next_ == &end_; }
  // The node must not be queued anywhere.
  void push_back(Wakeup& node) {
    node.prev_ = end_.prev_;
    node.next_ = &end_;
    end_.prev_->next_ = &node;
    end_.prev_ = &node;
  }
  // The list must not be empty.
  Wakeup& pop_front() {
    Wakeup& node = *end_.next_;
    node.unlink();
    return node;
  }
  // Moves all of `other` behind what is here.
  void splice_back(WakeupList& other) {
    if (other.empty()) return;
    Wakeup* first = other.end_.next_;
    Wakeup* last = other.end_.prev_;
    other.end_.prev_ = other.end_.next_ = &other.end_;
    first->prev_ = end_.prev_;
    end_.prev_->next_ = first;
    last->next_ = &end_;
    end_.prev_ = last;
  }
  void clear() {
    while (!empty()) pop_front();
    end_.prev_ = end_.next_ = &end_;
  }

 private:
  Wakeup end_;
};

// A Wakeup that resumes a coroutine; awaiters derive from it.
class CoroutineWakeup : public Wakeup {
 public:
  CoroutineWakeup() : Wakeup(&resume) {}

 protected:
  std::coroutine_handle<> handle_;

 private:
  static void resume(Wakeup& self) { static_cast<CoroutineWakeup&>(self).handle_.resume(); }
};

}  // namespace weir::net
