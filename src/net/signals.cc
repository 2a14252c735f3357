#include "net/signals.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "net/os_error.h"

namespace weir::net {
namespace {

sigset_t set_of(const std::vector<int>& signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals(const std::vector<int>& signals) {
  const sigset_t set = set_of(signals);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond RLIMIT_FSIZE is an error like a full disk
}

Result<std::unique_ptr<Signals>> Signals::open(Loop& loop, const std::vector<int>& signals,
                                               OnSignal on_signal) {
  const sigset_t set = set_of(signals);
  const int fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return fail(os_error(errno, "signalfd"));
  std::unique_ptr<Signals> out(new Signals(loop, fd, std::move(on_signal)));
  WEIR_TRY(out->watch_, loop.watch(fd, EPOLLIN, *out));
  out->watching_ = true;
  return out;
}

Signals::Signals(Loop& loop, int fd, OnSignal on_signal)
    : loop_(loop), fd_(fd), on_signal_(std::make_shared<const OnSignal>(std::move(on_signal))) {}

Signals::~Signals() {
  if (watching_) loop_.unwatch(watch_, true);
  ::close(fd_);
}

void Signals::on_fd_events(uint32_t) {
  // One per event: the descriptor is level-triggered, and the callback may destroy this.
  signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != sizeof info) return;
  const std::shared_ptr<const OnSignal> on_signal = on_signal_;
  (*on_signal)(static_cast<int>(info.ssi_signo));
}

}  // namespace weir::net
