// TcpStream: a connected socket as a Stream. Private to net/: others get it as a Stream from
// connect() or a Listener. Edge-triggered: flags remember readiness between events, and a short
// read or write clears them, which saves the call that would only say EAGAIN.
#pragma once

#include <memory>

#include "net/stream.h"
#include "net/tcp.h"

namespace weir::net {

class TcpStream final : public Stream, private FdHandler {
 public:
  // Takes over the connected, non-blocking descriptor.
  static Result<std::unique_ptr<TcpStream>> adopt(Loop& loop, int fd, const Address& peer,
                                                  std::shared_ptr<Listener::Open> open);
  ~TcpStream() override;

  // The socket's pending error (SO_ERROR), which reading it clears.
  int take_socket_error();
  void set_local_address(const std::string& text) { set_addresses(text, peer_address()); }
  // Asks the kernel for our own address, once it is known.
  void learn_local_address();

 private:
  TcpStream(Loop& loop, int fd, const Address& peer, std::shared_ptr<Listener::Open> open);
  IoResult do_read(std::span<char> into) override;
  IoResult do_write(std::span<const std::string_view> pieces) override;
  void do_shutdown_write() override;
  void do_close() override;
  void do_abort() override;
  bool read_ready() const override { return read_ready_; }
  bool write_ready() const override { return write_ready_; }
  void on_fd_events(uint32_t events) override;

  int fd_;
  uint32_t watch_ = 0;
  bool watching_ = false;
  bool read_ready_ = false;
  bool write_ready_ = false;
  bool hangup_ = false;  // the kernel reported the peer's end: a short read no longer means empty
  Address peer_;
  std::shared_ptr<Listener::Open> open_;
};

}  // namespace weir::net
