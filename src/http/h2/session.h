// Session: an HTTP/2 connection as both ends have it: an nghttp2 session, the stream it runs on,
// and the bytes between them. ServerSession and ClientSession say what frames mean.
//
// One loop, one thread. Frames are read as they come into a pooled block that is given back at
// once. Output is what nghttp2 has ready, gathered up to 64 KiB and handed to the stream in one
// write; while that does not take it, nothing more is taken from nghttp2, and once its queue holds
// 256 frames nothing more is read. nghttp2's callbacks only note what happened and set events;
// no foreign code runs inside them.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/h2/limits.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"
#include "net/timer.h"

namespace weir::http::h2 {

// Tokens that refill with time: `burst` of them, `per_second` more each second.
class Budget {
 public:
  Budget(uint32_t burst, uint32_t per_second, Nanoseconds now)
      : burst_(burst), per_second_(per_second), left_(burst), since_(now) {}
  // False when none is left.
  bool spend(Nanoseconds now);
  void add(double count);

 private:
  double burst_;
  double per_second_;
  double left_;
  Nanoseconds since_;
};

// A body on its way out: pieces that the sender lends until they are taken.
class Outgoing {
 public:
  void add(std::string_view piece) {
    if (!piece.empty()) pieces_.push_back(piece);
    left_ += piece.size();
  }
  void end() { ended_ = true; }
  // The end of the body, with a header block behind it.
  void end_with_trailers() { ended_ = trailers_ = true; }
  // The end has gone with the head.
  void skip_end() { ended_ = end_taken_ = true; }
  void clear();
  // Whether something waits to be taken, be it only the end.
  bool waiting() const { return left_ > 0 || (ended_ && !end_taken_); }
  uint64_t taken() const { return taken_; }
  // nghttp2's data source: fills `into`; NGHTTP2_ERR_DEFERRED when there is nothing yet.
  ssize_t take(std::span<uint8_t> into, uint32_t& flags);

 private:
  std::vector<std::string_view> pieces_;
  size_t at_ = 0;
  size_t left_ = 0;
  uint64_t taken_ = 0;
  bool ended_ = false;
  bool end_taken_ = false;
  bool trailers_ = false;
};

class Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 protected:
  enum class Role : uint8_t { server, client };
  Session(net::Loop& loop, std::unique_ptr<net::Stream> stream, Role role, const Limits& limits,
          Counters& counters);
  virtual ~Session();

  // Takes frames until the connection ends in one way or another, then sends what is due.
  net::Task<void> read_all(std::string_view already_read);
  // Sends what the stream did not take at once. Runs as long as the session.
  net::Task<void> write_rest();
  // Hands over what nghttp2 has to send. Call it after whatever gave nghttp2 something.
  void flush();
  // Ends it now.
  void cut(Error error);
  // Whether nghttp2 is of no more use.
  bool over() const { return over_ || ending_; }
  // Why the connection is over: what its streams are told.
  Error lost_by() const { return lost_ ? *lost_ : Error(ErrorCode::closed); }
  void submit_settings(std::span<const nghttp2_settings_entry> settings);
  // A body's bytes have been read by whom they are for.
  void consumed(int32_t stream_id, size_t bytes);
  // The same for the connection alone, where the stream is gone.
  void dropped(size_t bytes);
  void arrived(size_t bytes);
  // Spends from the budget of resets.
  void charge_reset();

  // What frames mean. Inside nghttp2: note and return.
  virtual void on_begin_headers(const nghttp2_frame& frame) = 0;
  // False: the whole connection is ended.
  virtual bool on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value,
                         bool valid) = 0;
  virtual void on_data(int32_t stream_id, std::string_view bytes) = 0;
  virtual void on_frame(const nghttp2_frame& frame) = 0;
  virtual void on_stream_closed(int32_t stream_id, uint32_t error_code) = 0;
  virtual void on_invalid_frame(const nghttp2_frame& frame) = 0;
  virtual void on_not_sent(const nghttp2_frame& frame, int error) = 0;
  virtual ssize_t on_take_data(int32_t stream_id, std::span<uint8_t> into, uint32_t& flags) = 0;
  // After a batch of frames, outside nghttp2.
  virtual void after_frames() = 0;
  // The connection is being ended for a fault: its streams are lost.
  virtual void on_ended() = 0;
  // Output is blocked (true), or is not any more.
  virtual void on_blocked(bool blocked) = 0;

  nghttp2_data_provider data_provider();

  net::Loop& loop_;
  std::unique_ptr<net::Stream> stream_;
  nghttp2_session* session_ = nullptr;
  const Limits limits_;
  Counters& h2_;

 private:
  struct Callbacks;
  friend struct Callbacks;

  // False when nothing more is to be read.
  bool take(std::string_view bytes);
  bool ended() const;
  void fill();
  void push();
  void end_for(Fault fault);
  void charge(const nghttp2_frame& frame);
  void note_sent(const nghttp2_frame& frame);

  Budget resets_;
  Budget control_;
  std::string out_;
  size_t out_at_ = 0;
  bool inside_ = false;   // nghttp2 is running
  bool blocked_ = false;  // the stream takes nothing now
  bool waiting_ = false;  // for the peer's bytes
  bool over_ = false;     // nothing is sent or received any more
  bool ending_ = false;   // GOAWAY for a fault is on its way, nghttp2 is spent
  std::optional<Error> lost_;
  std::optional<Fault> broken_;  // found inside nghttp2, acted on outside
  size_t unread_ = 0;            // body bytes that nobody has read
  size_t owed_ = 0;              // of the connection's window, held back
  net::Event stuck_;             // set while output is blocked
  net::Event drained_;           // set while it is not
};

}  // namespace weir::http::h2
