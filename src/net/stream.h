// Stream: an ordered byte connection, whatever carries it: TCP, TLS over it, or memory in a test.
// One loop, one thread; at most one coroutine waits to read and one to write. Nothing here has a
// timer of its own: a deadline is a Timer whose callback calls cancel(), and whatever waits then
// fails with that error. Reads and writes take at most 256 KiB per direction and turn of the loop,
// after which they say would_block, so one busy connection cannot starve the others.
//
// A Stream may be destroyed while a coroutine waits on it: the wait fails with `closed`.
//
//   Task<Result<void>> echo(std::unique_ptr<Stream> stream) {       // the frame owns the stream
//     Timer idle(stream->loop(), [s = stream.get()] { s->cancel(ErrorCode::timeout); });
//     while (true) {
//       idle.arm(30s);
//       WEIR_CO_CHECK_OK(co_await stream->readable());              // holds no buffer while idle
//       Buffer buffer = stream->loop().buffers().take();
//       IoResult got = stream->try_read(buffer.span());
//       if (got.status == IoStatus::would_block) continue;
//       if (got.status == IoStatus::failed) co_return fail(std::move(got.error));
//       if (got.status == IoStatus::end) co_return Result<void>();
//       WEIR_CO_CHECK_OK(co_await stream->write_all({buffer.data(), got.bytes}));
//     }
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::net {

enum class IoStatus : uint8_t {
  ok,           // `bytes` (at least 1) went through
  would_block,  // nothing now: await readable() or writable()
  end,          // reads only: the peer ended its side in order
  failed,       // `error` says why; the direction is finished
};

struct [[nodiscard]] IoResult {
  IoStatus status = IoStatus::would_block;
  size_t bytes = 0;
  Error error = ErrorCode::internal;

  static IoResult ok(size_t bytes) { return {IoStatus::ok, bytes}; }
  static IoResult blocked() { return {}; }
  static IoResult end() { return {IoStatus::end}; }
  static IoResult failed(Error error) { return {IoStatus::failed, 0, std::move(error)}; }
};

class Stream {
 public:
  virtual ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Takes what is there, up to the size of `into` (at least 1).
  IoResult try_read(std::span<char> into);
  // Hands over a prefix of the pieces, in order, as one gathered write. `bytes` may be less than
  // all. Bytes accepted will be sent without another call, and a retry may bring different bytes.
  IoResult try_write(std::span<const std::string_view> pieces);
  IoResult try_write(std::string_view piece) { return try_write(std::span(&piece, 1)); }

  // Awaitable, without a frame: Result<void> once the next try_ is worth making (spurious wakeups
  // happen), or the error of cancel(). The end and transport errors come from the try_ that
  // follows.
  class [[nodiscard]] Wait : public CoroutineWakeup {
   public:
    enum class Direction : uint8_t { read, write };
    Wait(Stream& stream, Direction direction) : stream_(&stream), direction_(direction) {}
    ~Wait();
    bool await_ready() const;
    void await_suspend(std::coroutine_handle<> handle);
    Result<void> await_resume();

   private:
    friend class Stream;
    Stream* stream_;  // null once woken
    Direction direction_;
    std::optional<Error> error_;
  };
  Wait readable() { return {*this, Wait::Direction::read}; }
  // Also waits until accepted bytes have left for the kernel (see unflushed()).
  Wait writable() { return {*this, Wait::Direction::write}; }

  // Conveniences with a frame of their own. read() gives 0 at the orderly end. write_all() returns
  // when everything has left; the pieces and what they point to stay valid until then.
  Task<Result<size_t>> read(std::span<char> into);
  Task<Result<void>> write_all(std::span<const std::string_view> pieces);
  Task<Result<void>> write_all(std::string_view piece);

  // Pending and future reads, writes and waits fail with this error; the first error stays. The
  // connection itself is untouched until close(). Safe from any callback of the loop.
  void cancel(Error error);
  // The same for reads alone: a server can still write "408" after a slow request.
  void cancel_read(Error error);
  // Ends our side in order (FIN; for TLS close_notify, then FIN). Reading goes on.
  void shutdown_write();
  // Lets go of the connection now; what is unflushed() is lost. Pending and future operations fail
  // with `closed`.
  void close();
  // The same so that the peer sees an error and no orderly end: a reset for TCP, no close_notify
  // for TLS. What the peer has not received yet may be lost.
  void abort();
  bool closed() const { return closed_; }

  // Calls back once, from the loop, when the peer has closed or reset while nobody waits to read;
  // at once (next turn) when that happened before. A waiting reader is told instead of the
  // callback. A peer that only ends its sending side counts: it cannot be told from one that is
  // gone. Unread bytes do not delay it. The callback may destroy the stream; an empty function
  // unsets it.
  void on_hangup(std::function<void()> callback);

  // "203.0.113.5:443", "[2001:db8::1]:443", "memory:a".
  const std::string& peer_address() const { return peer_address_; }
  const std::string& local_address() const { return local_address_; }
  // The protocol agreed by ALPN: "h2", "http/1.1", or empty.
  virtual std::string_view negotiated_protocol() const { return {}; }
  virtual bool secure() const { return false; }
  // Bytes of payload that went through try_read and try_write.
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t bytes_written() const { return bytes_written_; }
  // Bytes accepted by try_write that still wait in user space (TLS records under back-pressure).
  virtual size_t unflushed() const { return 0; }
  Loop& loop() const { return loop_; }

  // A layer over this stream (TLS) that takes its notifications in place of waiting coroutines.
  // Called from the loop's dispatch: it must not run foreign code.
  class Layer {
   public:
    virtual void on_lower_readable() = 0;
    virtual void on_lower_writable() = 0;
    virtual void on_lower_hangup() = 0;

   protected:
    ~Layer() = default;
  };
  void set_layer(Layer* layer) { layer_ = layer; }

 protected:
  explicit Stream(Loop& loop);

  virtual IoResult do_read(std::span<char> into) = 0;
  virtual IoResult do_write(std::span<const std::string_view> pieces) = 0;
  virtual void do_shutdown_write() = 0;
  virtual void do_close() = 0;
  virtual void do_abort() { do_close(); }
  // False only when a notify_ call will follow once that changes.
  virtual bool read_ready() const = 0;
  virtual bool write_ready() const = 0;
  // A layer asks its lower stream through these.
  static bool read_ready(const Stream& lower) { return lower.read_ready(); }
  static bool write_ready(const Stream& lower) { return lower.write_ready(); }

  void notify_readable();
  void notify_writable();
  void notify_hangup();
  void set_addresses(std::string local, std::string peer) {
    local_address_ = std::move(local);
    peer_address_ = std::move(peer);
  }

 private:
  struct Hangup : Wakeup {
    explicit Hangup(Stream& owner);
    Stream& stream;
    std::function<void()> callback;
    bool seen = false;
  };
  struct Side {
    Wait* waiter = nullptr;
    std::optional<Error> error;
    uint64_t turn = 0;  // the turn that `taken` is counted in
    size_t taken = 0;
  };

  Side& side(Wait::Direction d) { return d == Wait::Direction::read ? read_ : write_; }
  bool ready(Wait::Direction direction) const;
  void let_go(bool aborted);
  bool budget_left(const Side& side) const;
  void spend(Side& side, size_t bytes);
  void wake(Side& side, const Error* error);
  static void run_hangup(Wakeup& node);

  Loop& loop_;
  Layer* layer_ = nullptr;
  Side read_;
  Side write_;
  Hangup hangup_;
  bool closed_ = false;
  bool write_ended_ = false;
  uint64_t bytes_read_ = 0;
  uint64_t bytes_written_ = 0;
  std::string local_address_;
  std::string peer_address_;
};

// Ends a connection so that the peer gets to read our last words: ends our side, then reads and
// drops what still comes (closing with unread bytes would reset the connection) until the peer's
// end, `limit` or 1 MiB, then closes.
Task<void> close_gracefully(std::unique_ptr<Stream> stream, Nanoseconds limit);

}  // namespace weir::net
