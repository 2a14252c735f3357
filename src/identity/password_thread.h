// PasswordThread: hashes and checks passwords on one thread, away from the control plane's loop, so
// that sign-ins cost others nothing and an attacker at most this thread. Work waits in a queue of
// kWaitingMax; more is refused and counted. Used from the loop's thread; destroyed before the loop.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/secret.h"
#include "identity/password.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::identity {

class PasswordThread {
 public:
  static constexpr size_t kWaitingMax = 16;
  enum class Mode : uint8_t { thread, inline_for_tests };

  PasswordThread(net::Loop& loop, PasswordCost cost, Mode mode = Mode::thread);
  ~PasswordThread();
  PasswordThread(const PasswordThread&) = delete;
  PasswordThread& operator=(const PasswordThread&) = delete;

  // With an empty hash a password is checked against one that fits none, so that an unknown user
  // takes as long to refuse as a known one. Errors: unavailable where too many wait.
  net::Task<Result<bool>> verify(std::string hash, Secret password);
  net::Task<Result<std::string>> hash(Secret password);

  uint64_t refused() const { return refused_; }

 private:
  void run();
  bool submit(std::function<void()> work);
  template <class T>
  net::Task<Result<T>> on_thread(std::function<T()> work);

  net::Loop& loop_;
  PasswordCost cost_;
  Mode mode_;
  std::string nobody_;  // the hash of a random password
  uint64_t refused_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;  // under mutex_
  bool stopping_ = false;                      // under mutex_
  std::thread thread_;
};

}  // namespace weir::identity
