#include "identity/password_thread.h"

#include <memory>
#include <optional>
#include <utility>

#include "access/key_format.h"

namespace weir::identity {

PasswordThread::PasswordThread(net::Loop& loop, PasswordCost cost, Mode mode)
    : loop_(loop), cost_(cost), mode_(mode) {
  if (mode_ == Mode::thread) thread_ = std::thread([this] { run(); });
}

PasswordThread::~PasswordThread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PasswordThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

bool PasswordThread::submit(std::function<void()> work) {
  if (mode_ == Mode::inline_for_tests) {
    work();
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kWaitingMax) {
      ++refused_;
      return false;
    }
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

template <class T>
net::Task<Result<T>> PasswordThread::on_thread(std::function<T()> work) {
  // Shared with the thread: the coroutine may be gone when the work is done.
  struct Done {
    explicit Done(net::Loop& loop) : event(loop) {}
    net::Event event;
    std::optional<T> value;
  };
  auto done = std::make_shared<Done>(loop_);
  const bool taken = submit([&loop = loop_, done, work = std::move(work)] {
    done->value = work();
    loop.post([done] { done->event.set(); });
  });
  if (!taken) co_return fail(ErrorCode::unavailable, "too many people sign in at once");
  co_await done->event.wait();
  co_return std::move(*done->value);
}

net::Task<Result<bool>> PasswordThread::verify(std::string hash, Secret password) {
  const bool known = !hash.empty();
  if (!known && nobody_.empty()) {
    auto random = access::generate_key();
    if (!random) co_return fail(std::move(random).error());
    auto made = co_await this->hash(std::move(*random));
    if (!made) co_return fail(std::move(made).error());
    nobody_ = std::move(*made);
  }
  if (!known) hash = nobody_;
  std::function<bool()> work = [hash = std::move(hash), password = std::move(password)] {
    return verify_password(hash, password);
  };
  auto fits = co_await on_thread<bool>(std::move(work));
  if (!fits) co_return fail(std::move(fits).error());
  co_return known && *fits;
}

net::Task<Result<std::string>> PasswordThread::hash(Secret password) {
  std::function<Result<std::string>()> work = [password = std::move(password), cost = cost_] {
    return hash_password(password, cost);
  };
  auto made = co_await on_thread<Result<std::string>>(std::move(work));
  if (!made) co_return fail(std::move(made).error());
  co_return std::move(*made);
}

}  // namespace weir::identity
