// TCP: listeners and outgoing connections as Streams. TCP_NODELAY on every socket, edge-triggered,
// no SIGPIPE. A Listener belongs to one loop; with SO_REUSEPORT each worker opens its own on the
// same address. Limits: `max_connections` per listener (further ones wait in the backlog), 64
// accepts per turn; when the process runs out of descriptors accepting pauses for 100 ms and is
// counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/address.h"
#include "net/stream.h"

namespace weir::net {

// timeout, connection_refused or io_error; the message names the address.
Task<Result<std::unique_ptr<Stream>>> connect(Loop& loop, Address address, Deadline deadline);

struct ListenOptions {
  Address address{};  // port 0: the kernel picks one, see Listener::address()
  int backlog = 1024;
  bool reuse_port = true;
  size_t max_connections = 100'000;
};

class Listener final : private FdHandler {
 public:
  struct Counters {
    uint64_t accepted = 0;
    uint64_t paused_at_limit = 0;       // times accepting stopped at max_connections
    uint64_t paused_no_descriptor = 0;  // times accepting stopped for want of descriptors or memory
    size_t open = 0;                    // accepted and not yet destroyed
  };
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;

  // Binds and listens; nothing is accepted before start(). The message names the address.
  static Result<std::unique_ptr<Listener>> open(Loop& loop, const ListenOptions& options);
  ~Listener();

  // Calls back for every connection, from the loop; the callback may destroy the listener.
  void start(OnAccept on_accept);
  // Closes the listening socket; accepted streams live on.
  void stop();
  // With the port the kernel picked.
  const Address& address() const { return address_; }
  Counters counters() const;

 private:
  struct Open;  // shared with the accepted streams
  friend class TcpStream;
  static void release(std::shared_ptr<Open>& open);
  struct Retry : Wakeup {
    explicit Retry(Listener& owner) : Wakeup(&run_retry), listener(owner) {}
    Listener& listener;
  };

  Listener(Loop& loop, int fd, const ListenOptions& options);
  void on_fd_events(uint32_t events) override;
  void accept_some();
  static void run_retry(Wakeup& node);

  Loop& loop_;
  int fd_;
  uint32_t watch_ = 0;
  bool watching_ = false;
  ListenOptions options_;
  Address address_;
  std::string local_text_;
  std::shared_ptr<const OnAccept> on_accept_;  // shared with the call in progress
  bool at_limit_ = false;
  Retry retry_;
  Timer pause_;
  Counters counters_;
  std::shared_ptr<Open> open_;
  bool* destroyed_ = nullptr;  // set while a callback runs
};

}  // namespace weir::net
