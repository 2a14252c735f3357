#include "net/tcp.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "net/os_error.h"
#include "net/tcp_stream.h"

namespace weir::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Nanoseconds kPauseWithoutDescriptors = Milliseconds(100);
// A peer that vanished without a word is found out after 60 s + 6 x 10 s of silence.
constexpr int kKeepaliveIdleS = 60;
constexpr int kKeepaliveIntervalS = 10;
constexpr int kKeepaliveProbes = 6;

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

// Accepted sockets inherit these from the listening one (Linux), which saves the calls.
void set_common_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> connect(Loop& loop, Address address, Deadline deadline) {
  const std::string doing = fmt::format("connect to {}", address.to_text());
  const bool local = address.family() == AF_UNIX;
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                          local ? 0 : IPPROTO_TCP);
  if (fd < 0) co_return fail(os_error(errno, doing));
  if (!local) set_common_options(fd);
  // Before the descriptor is watched: an unconnected socket reports a hangup.
  int number = ::connect(fd, address.data(), address.size()) == 0 ? 0 : errno;
  if (number != 0 && number != EINPROGRESS) {
    ::close(fd);
    co_return fail(os_error(number, doing));
  }
  auto stream = TcpStream::adopt(loop, fd, address, nullptr);
  if (!stream) co_return fail(std::move(stream).error());

  Timer timer(loop, [raw = stream->get(), &doing] {
    raw->cancel(Error(ErrorCode::timeout, fmt::format("{}: no answer in time", doing)));
  });
  timer.arm_at(deadline);
  if (auto ready = co_await (*stream)->writable(); !ready) co_return fail(std::move(ready).error());
  number = (*stream)->take_socket_error();
  if (number != 0) co_return fail(os_error(number, doing));
  (*stream)->learn_local_address();
  co_return std::unique_ptr<Stream>(std::move(*stream));
}

// Counts the accepted streams, and lets the last one over the limit reopen the door.
struct Listener::Open {
  size_t count = 0;
  Listener* listener = nullptr;
};

void Listener::release(std::shared_ptr<Open>& open) {
  if (open == nullptr) return;
  --open->count;
  if (open->listener != nullptr && std::exchange(open->listener->at_limit_, false)) {
    open->listener->loop_.wake(open->listener->retry_);
  }
  open.reset();
}

Result<std::unique_ptr<Listener>> Listener::open(Loop& loop, const ListenOptions& options) {
  const std::string doing = fmt::format("listen on {}", options.address.to_text());
  const int fd =
      ::socket(options.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return fail(os_error(errno, doing));
  std::unique_ptr<Listener> listener(new Listener(loop, fd, options));
  set_common_options(fd);
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (::bind(fd, options.address.data(), options.address.size()) != 0 ||
      ::listen(fd, options.backlog) != 0) {
    return fail(os_error(errno, doing));
  }
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(fd, address, &size) != 0) return fail(os_error(errno, doing));
  listener->address_ = Address::from_sockaddr(address, size);
  listener->local_text_ = listener->address_.to_text();
  return listener;
}

Listener::Listener(Loop& loop, int fd, const ListenOptions& options)
    : loop_(loop),
      fd_(fd),
      options_(options),
      retry_(*this),
      pause_(loop, [this] { accept_some(); }),
      open_(std::make_shared<Open>()) {
  open_->listener = this;
}

Listener::~Listener() {
  stop();
  open_->listener = nullptr;
  if (destroyed_ != nullptr) *destroyed_ = true;
}

void Listener::start(OnAccept on_accept) {
  on_accept_ = std::make_shared<const OnAccept>(std::move(on_accept));
  if (watching_ || fd_ < 0) return;
  // Level-triggered would report the same backlog every turn while accepting is paused.
  if (auto watch = loop_.watch(fd_, EPOLLIN | EPOLLET, *this)) {
    watch_ = *watch;
    watching_ = true;
  } else {
    // No memory for a watch: the pause timer tries to accept instead, ten times a second.
    ++counters_.paused_no_descriptor;
    pause_.arm(kPauseWithoutDescriptors);
  }
}

void Listener::stop() {
  pause_.cancel();
  retry_.unlink();
  if (watching_) loop_.unwatch(watch_, true);
  watching_ = false;
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Listener::Counters Listener::counters() const {
  Counters counters = counters_;
  counters.open = open_->count;
  return counters;
}

void Listener::on_fd_events(uint32_t) {
  loop_.wake(retry_);
}

void Listener::run_retry(Wakeup& node) {
  static_cast<Retry&>(node).listener.accept_some();
}

void Listener::accept_some() {
  bool destroyed = false;
  const std::shared_ptr<const OnAccept> on_accept = on_accept_;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (fd_ < 0) return;
    if (open_->count >= options_.max_connections) {
      if (!std::exchange(at_limit_, true)) ++counters_.paused_at_limit;
      return;
    }
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    const int fd = ::accept4(fd_, address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      switch (errno) {
        case EAGAIN:
          if (!watching_) pause_.arm(kPauseWithoutDescriptors);
          return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          ++counters_.paused_no_descriptor;
          pause_.arm(kPauseWithoutDescriptors);
          return;
        default:  // that connection died in the backlog; the next may be well
          continue;
      }
    }
    ++open_->count;
    auto stream = TcpStream::adopt(loop_, fd, Address::from_sockaddr(address, size), open_);
    if (!stream) continue;  // and closed: there is no memory to watch it
    (*stream)->set_local_address(local_text_);
    ++counters_.accepted;
    destroyed_ = &destroyed;
    (*on_accept)(std::move(*stream));
    if (destroyed) return;
    destroyed_ = nullptr;
  }
  loop_.wake(retry_);
}

}  // namespace weir::net
