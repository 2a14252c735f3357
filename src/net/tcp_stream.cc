#include "net/tcp_stream.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/os_error.h"

namespace weir::net {

Result<std::unique_ptr<TcpStream>> TcpStream::adopt(Loop& loop, int fd, const Address& peer,
                                                    std::shared_ptr<Listener::Open> open) {
  std::unique_ptr<TcpStream> stream(new TcpStream(loop, fd, peer, std::move(open)));
  WEIR_TRY(stream->watch_, loop.watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *stream));
  stream->watching_ = true;
  return stream;
}

TcpStream::TcpStream(Loop& loop, int fd, const Address& peer, std::shared_ptr<Listener::Open> open)
    : Stream(loop), fd_(fd), peer_(peer), open_(std::move(open)) {
  set_addresses({}, peer.to_text());
}

TcpStream::~TcpStream() {
  close();
}

void TcpStream::learn_local_address() {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(fd_, address, &size) == 0) {
    set_addresses(Address::from_sockaddr(address, size).to_text(), peer_address());
  }
}

int TcpStream::take_socket_error() {
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &number, &size) != 0) return errno;
  return number;
}

void TcpStream::on_fd_events(uint32_t events) {
  constexpr uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  const bool hangup = (events & kEnded) != 0 && !hangup_;
  if ((events & (EPOLLIN | kEnded)) != 0) read_ready_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) write_ready_ = true;
  // First, while a waiting reader still shows: it is told instead of the callback.
  if (hangup) {
    hangup_ = true;
    notify_hangup();
  }
  if (read_ready_) notify_readable();
  if (write_ready_) notify_writable();
}

IoResult TcpStream::do_read(std::span<char> into) {
  if (!read_ready_) return IoResult::blocked();
  while (true) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got > 0) {
      if (static_cast<size_t>(got) < into.size() && !hangup_) read_ready_ = false;
      return IoResult::ok(static_cast<size_t>(got));
    }
    if (got == 0) return IoResult::end();
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      read_ready_ = false;
      return IoResult::blocked();
    }
    return IoResult::failed(os_error(errno, fmt::format("read from {}", peer_address())));
  }
}

IoResult TcpStream::do_write(std::span<const std::string_view> pieces) {
  if (!write_ready_) return IoResult::blocked();
  constexpr size_t kPieces = 64;
  iovec vectors[kPieces];
  size_t count = 0;
  size_t total = 0;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;
    if (count == kPieces) break;
    vectors[count].iov_base = const_cast<char*>(piece.data());
    vectors[count].iov_len = piece.size();
    total += piece.size();
    ++count;
  }
  if (total == 0) return IoResult::ok(0);
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  while (true) {
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      if (static_cast<size_t>(sent) < total) write_ready_ = false;
      return IoResult::ok(static_cast<size_t>(sent));
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      write_ready_ = false;
      return IoResult::blocked();
    }
    return IoResult::failed(os_error(errno, fmt::format("write to {}", peer_address())));
  }
}

void TcpStream::do_shutdown_write() {
  ::shutdown(fd_, SHUT_WR);
}

void TcpStream::do_abort() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  static_cast<void>(::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  do_close();
}

void TcpStream::do_close() {
  if (watching_) loop().unwatch(watch_, true);
  watching_ = false;
  ::close(std::exchange(fd_, -1));
  Listener::release(open_);
}

}  // namespace weir::net
