// MemoryStream: a connected pair of Streams without a kernel, for tests of everything above net/.
// The buffers are bounded, so back-pressure is real; each end can be told to deliver in small
// pieces, to stall, or to reset. Works under a ManualClock; both ends on one loop. MemoryNetwork is
// a Dialer over such pairs: tests put servers behind names and script refusals.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "net/dialer.h"
#include "net/stream.h"

namespace weir::net {

struct MemoryOptions {
  size_t capacity = 64 * 1024;  // bytes on the way in each direction before writes block
  // Bytes that one try_read delivers; after each the reader must wait for the next turn. 0: no
  // limit.
  size_t read_chunk = 0;
  std::string name_a = "memory:a";
  std::string name_b = "memory:b";
};

class MemoryStream final : public Stream {
 public:
  ~MemoryStream() override;

  // Scripting, from either end at any time:
  // What the peer sends stays on the way until resume_reading(); capacity still counts it.
  void stall_reading();
  void resume_reading();
  void set_read_chunk(size_t bytes);
  // As a TCP reset: both ends fail with connection_reset, bytes on the way are lost.
  void reset();
  // Bytes the peer has sent and this end has not read.
  size_t pending() const;

 private:
  struct Pipe;
  friend std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> memory_pair(
      Loop&, const MemoryOptions&);
  struct Again : Wakeup {
    explicit Again(MemoryStream& owner) : Wakeup(&run_again), stream(owner) {}
    MemoryStream& stream;
  };

  MemoryStream(Loop& loop, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out,
               const MemoryOptions& options);
  IoResult do_read(std::span<char> into) override;
  IoResult do_write(std::span<const std::string_view> pieces) override;
  void do_shutdown_write() override;
  void do_close() override;
  void do_abort() override;
  bool read_ready() const override;
  bool write_ready() const override;
  static void run_again(Wakeup& node);

  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  size_t read_chunk_;
  bool stalled_ = false;
  bool resting_ = false;  // a chunk was delivered this turn
  Again again_;
};

std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> memory_pair(
    Loop& loop, const MemoryOptions& options = {});

// Servers by "host:port". A dial to an unknown name is dns_failure. `tls` in the origin is
// recorded, not performed. Everything happens on one loop.
class MemoryNetwork final : public Dialer {
 public:
  using OnAccept = std::function<void(std::unique_ptr<MemoryStream>)>;

  explicit MemoryNetwork(Loop& loop, MemoryOptions options = {})
      : loop_(loop), options_(std::move(options)) {}

  // Connections to host:port are handed to the callback; replaces what was there.
  void listen(const std::string& host, uint16_t port, OnAccept on_accept);
  // Dials to host:port fail with this error, at once.
  void refuse(const std::string& host, uint16_t port, Error error);
  // Dials to host:port wait for their deadline.
  void black_hole(const std::string& host, uint16_t port);

  Task<Result<std::unique_ptr<Stream>>> dial(Origin origin, Deadline deadline) override;
  // Dials so far, those that failed included.
  size_t dials() const { return dials_.size(); }
  const std::vector<Origin>& dialled() const { return dials_; }

 private:
  struct Service {
    OnAccept on_accept;
    std::optional<Error> error;
    bool hang = false;
  };
  Loop& loop_;
  MemoryOptions options_;
  std::map<std::string, Service> services_;
  std::vector<Origin> dials_;
};

}  // namespace weir::net
