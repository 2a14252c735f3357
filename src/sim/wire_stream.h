// WireStream: a connection of the simulator with a way to misbehave below HTTP. It hands everything
// through, but can be told to send bytes of its own, or to end in a reset. Each has a number that
// takes the place of the peer's address, so that the call running on it can be led back to it
// (Wires). One loop, one thread; Wires outlives the streams.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/stream.h"

namespace weir::sim {

class WireStream;

// The open connections by the name that ServerExchange::peer() gives for them.
class Wires {
 public:
  std::unique_ptr<net::Stream> wrap(std::unique_ptr<net::Stream> stream);
  // Null when the connection is gone.
  WireStream* find(std::string_view name) const;
  size_t open() const { return streams_.size(); }

 private:
  friend class WireStream;
  uint64_t next_ = 1;
  std::unordered_map<std::string, WireStream*> streams_;
};

class WireStream final : public net::Stream, private net::Stream::Layer {
 public:
  WireStream(Wires& wires, std::string name, std::unique_ptr<net::Stream> lower);
  ~WireStream() override;

  // "203.0.113.5:443": who is really there.
  const std::string& real_peer() const { return lower_->peer_address(); }
  // Sends the bytes as they are, as far as the kernel takes them now.
  void send_raw(std::string_view bytes) { static_cast<void>(lower_->try_write(bytes)); }
  // The next close is a reset.
  void reset_on_close() { reset_on_close_ = true; }

  std::string_view negotiated_protocol() const override { return lower_->negotiated_protocol(); }
  bool secure() const override { return lower_->secure(); }
  size_t unflushed() const override { return lower_->unflushed(); }

 private:
  net::IoResult do_read(std::span<char> into) override { return lower_->try_read(into); }
  net::IoResult do_write(std::span<const std::string_view> pieces) override {
    return lower_->try_write(pieces);
  }
  void do_shutdown_write() override { lower_->shutdown_write(); }
  void do_close() override;
  void do_abort() override { lower_->abort(); }
  bool read_ready() const override { return Stream::read_ready(*lower_); }
  bool write_ready() const override { return Stream::write_ready(*lower_); }
  void on_lower_readable() override { notify_readable(); }
  void on_lower_writable() override { notify_writable(); }
  void on_lower_hangup() override { notify_hangup(); }

  Wires& wires_;
  std::string name_;
  std::unique_ptr<net::Stream> lower_;
  bool reset_on_close_ = false;
};

}  // namespace weir::sim
