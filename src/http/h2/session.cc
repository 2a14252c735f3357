#include "http/h2/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace weir::http::h2 {

namespace {

constexpr size_t kOutBytes = size_t{64} * 1024;
constexpr size_t kKeptOutBytes = size_t{4} * 1024;
constexpr size_t kQueueMax = 256;
// Each DATA frame that we send may be answered by WINDOW_UPDATEs, of the stream and the connection.
constexpr double kControlPerData = 4;

std::string_view text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::protocol:
      return "protocol";
    case Fault::resets:
      return "resets";
    case Fault::control:
      return "control";
    case Fault::continuations:
      return "continuations";
    case Fault::headers:
      return "headers";
  }
  return "protocol";
}

bool Budget::spend(Nanoseconds now) {
  const double seconds = std::chrono::duration<double>(now - since_).count();
  since_ = now;
  left_ = std::min(burst_, left_ + seconds * per_second_);
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

void Budget::add(double count) {
  left_ = std::min(burst_, left_ + count);
}

void Outgoing::clear() {
  pieces_.clear();
  at_ = 0;
  left_ = 0;
}

ssize_t Outgoing::take(std::span<uint8_t> into, uint32_t& flags) {
  size_t filled = 0;
  while (filled < into.size() && at_ < pieces_.size()) {
    std::string_view& piece = pieces_[at_];
    const size_t count = std::min(piece.size(), into.size() - filled);
    std::memcpy(into.data() + filled, piece.data(), count);
    filled += count;
    piece.remove_prefix(count);
    if (piece.empty()) ++at_;
  }
  left_ -= filled;
  taken_ += filled;
  if (left_ == 0) clear();
  if (left_ == 0 && ended_) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (trailers_) flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    end_taken_ = true;
  } else if (filled == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(filled);
}

struct Session::Callbacks {
  static Session& self(void* user) { return *static_cast<Session*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    self(user).on_begin_headers(*frame);
    return 0;
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user) {
    return take_header(*frame, text(name, name_size), text(value, value_size), true, self(user));
  }
  static int invalid_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                            size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                            void* user) {
    return take_header(*frame, text(name, name_size), text(value, value_size), false, self(user));
  }
  static int take_header(const nghttp2_frame& frame, std::string_view name, std::string_view value,
                         bool valid, Session& session) {
    if (session.on_header(frame, name, value, valid)) return 0;
    session.broken_ = Fault::headers;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  static int data(nghttp2_session*, uint8_t, int32_t stream_id, const uint8_t* bytes, size_t size,
                  void* user) {
    self(user).on_data(stream_id, text(bytes, size));
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    self(user).charge(*frame);
    self(user).on_frame(*frame);
    return 0;
  }
  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    self(user).on_invalid_frame(*frame);
    return 0;
  }
  static int sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    self(user).note_sent(*frame);
    return 0;
  }
  static int not_sent(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    self(user).on_not_sent(*frame, error);
    return 0;
  }
  static int stream_closed(nghttp2_session*, int32_t stream_id, uint32_t error_code, void* user) {
    self(user).on_stream_closed(stream_id, error_code);
    return 0;
  }
  static ssize_t take_data(nghttp2_session*, int32_t stream_id, uint8_t* into, size_t size,
                           uint32_t* flags, nghttp2_data_source*, void* user) {
    return self(user).on_take_data(stream_id, {into, size}, *flags);
  }

  // One table for all sessions; nghttp2 copies it into each.
  static const nghttp2_session_callbacks* table() {
    static const nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* all = nullptr;
      WEIR_ASSERT(nghttp2_session_callbacks_new(&all) == 0);
      nghttp2_session_callbacks_set_on_begin_headers_callback(all, &begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(all, &header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(all, &invalid_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, &data);
      nghttp2_session_callbacks_set_on_frame_recv_callback(all, &frame);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(all, &invalid_frame);
      nghttp2_session_callbacks_set_on_frame_send_callback(all, &sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(all, &not_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(all, &stream_closed);
      return all;
    }();
    return made;
  }
};

Session::Session(net::Loop& loop, std::unique_ptr<net::Stream> stream, Role role,
                 const Limits& limits, Counters& counters)
    : loop_(loop),
      stream_(std::move(stream)),
      limits_(limits),
      h2_(counters),
      resets_(limits.resets_burst, limits.resets_per_second, loop.now()),
      control_(limits.control_burst, limits.control_per_second, loop.now()),
      stuck_(loop),
      drained_(loop) {
  drained_.set();
  nghttp2_option* option = nullptr;
  WEIR_ASSERT(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_continuations(option, limits.continuations_max);
  nghttp2_option_set_max_outbound_ack(option, kQueueMax * 2);
  // Ours comes first: it counts by the loop's clock, and what the peer makes us reset as well.
  nghttp2_option_set_stream_reset_rate_limit(option, 1'000'000, 1'000'000);
  const int made = role == Role::server
                       ? nghttp2_session_server_new2(&session_, Callbacks::table(), this, option)
                       : nghttp2_session_client_new2(&session_, Callbacks::table(), this, option);
  nghttp2_option_del(option);
  WEIR_ASSERT(made == 0);
  ++h2_.connections;
}

Session::~Session() {
  nghttp2_session_del(session_);
}

void Session::submit_settings(std::span<const nghttp2_settings_entry> settings) {
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits_.connection_window));
}

nghttp2_data_provider Session::data_provider() {
  nghttp2_data_provider provider{};
  provider.read_callback = &Callbacks::take_data;
  return provider;
}

bool Session::take(std::string_view bytes) {
  inside_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  inside_ = false;
  if (taken < 0 && !broken_) {
    if (taken == NGHTTP2_ERR_FLOODED) {
      broken_ = Fault::control;
    } else if (taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
      broken_ = Fault::continuations;
    } else {
      broken_ = Fault::protocol;
    }
  }
  if (!broken_) after_frames();
  flush();
  return !ended();
}

net::Task<void> Session::read_all(std::string_view already_read) {
  flush();
  bool open = already_read.empty() || take(already_read);
  while (open) {
    if (blocked_ && nghttp2_session_get_outbound_queue_size(session_) > kQueueMax) {
      co_await drained_.wait();
      open = !ended();
      continue;
    }
    net::Buffer block = loop_.buffers().take();
    const net::IoResult io = stream_->try_read(block.span());
    if (io.status == net::IoStatus::ok) {
      open = take({block.data(), io.bytes});
      continue;
    }
    block.reset();
    if (io.status == net::IoStatus::failed && !lost_) lost_ = io.error;
    if (io.status != net::IoStatus::would_block) break;
    waiting_ = true;
    const Result<void> ready = co_await stream_->readable();
    waiting_ = false;
    if (!ready && !lost_) lost_ = ready.error();
    open = ready && !ended();
  }
  // What nghttp2 had to say last, an orderly GOAWAY say, still leaves.
  flush();
  while (blocked_ && !over_) co_await drained_.wait();
  over_ = true;
}

net::Task<void> Session::write_rest() {
  while (true) {
    co_await stuck_.wait();
    const Result<void> ready = co_await stream_->writable();
    if (!ready) {
      cut(ready.error());
      co_return;
    }
    blocked_ = false;
    stuck_.reset();
    flush();
    if (over_) co_return;
    if (!blocked_) {
      on_blocked(false);
      drained_.set();
    }
  }
}

bool Session::ended() const {
  return over() ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

// Takes from nghttp2 what one write may carry.
void Session::fill() {
  if (ending_ || broken_) return;
  inside_ = true;
  while (out_.size() - out_at_ < kOutBytes) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) {
      if (size < 0) broken_ = Fault::protocol;
      break;
    }
    out_.append(text(bytes, static_cast<size_t>(size)));
  }
  inside_ = false;
}

void Session::flush() {
  if (inside_ || over_) return;
  push();
  if (broken_ && !over_) end_for(*broken_);
}

void Session::push() {
  while (!blocked_) {
    fill();
    const std::string_view due = std::string_view(out_).substr(out_at_);
    if (due.empty() && stream_->unflushed() == 0) break;
    const net::IoResult io = due.empty() ? net::IoResult::blocked() : stream_->try_write(due);
    switch (io.status) {
      case net::IoStatus::ok:
        out_at_ += io.bytes;
        if (out_at_ == out_.size()) {
          out_at_ = 0;
          out_.clear();
        }
        break;
      case net::IoStatus::would_block:
        blocked_ = true;
        drained_.reset();
        stuck_.set();
        on_blocked(true);
        break;
      case net::IoStatus::end:
      case net::IoStatus::failed:
        cut(io.status == net::IoStatus::end ? Error(ErrorCode::closed) : io.error);
        return;
    }
  }
  if (out_.empty() && out_.capacity() > kKeptOutBytes) std::string().swap(out_);
  // A reader that waits for a peer of whom nothing more is wanted is to go home.
  if (waiting_ && ended()) stream_->cancel_read(ErrorCode::closed);
}

void Session::end_for(Fault fault) {
  if (ending_ || over_) return;
  ++h2_.faults[static_cast<size_t>(fault)];
  ending_ = true;
  if (!lost_) lost_ = Error(ErrorCode::protocol_error);
  on_ended();
  // By hand: nghttp2 may not be asked for anything after some of its errors.
  const auto last = static_cast<uint32_t>(nghttp2_session_get_last_proc_stream_id(session_));
  const uint32_t code =
      fault == Fault::protocol ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
  out_.append({0, 0, 8, NGHTTP2_GOAWAY, 0, 0, 0, 0, 0});
  for (const uint32_t word : {last, code}) {
    for (const int shift : {24, 16, 8, 0}) out_.push_back(static_cast<char>(word >> shift));
  }
  push();
}

void Session::cut(Error error) {
  if (over_) return;
  over_ = true;
  if (!lost_) lost_ = error;
  blocked_ = false;
  drained_.set();
  stream_->cancel(std::move(error));
}

void Session::arrived(size_t bytes) {
  unread_ += bytes;
  if (unread_ <= limits_.unread_max) {
    nghttp2_session_consume_connection(session_, bytes);
  } else {
    owed_ += bytes;
  }
}

void Session::consumed(int32_t stream_id, size_t bytes) {
  if (bytes == 0) return;
  if (!over() && stream_id != 0) nghttp2_session_consume_stream(session_, stream_id, bytes);
  dropped(bytes);
}

void Session::dropped(size_t bytes) {
  unread_ -= bytes;
  if (owed_ == 0 || unread_ > limits_.unread_max || over()) return;
  nghttp2_session_consume_connection(session_, std::exchange(owed_, 0));
}

void Session::charge(const nghttp2_frame& frame) {
  bool allowed = true;
  switch (frame.hd.type) {
    case NGHTTP2_DATA: {
      const bool last = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
      if (frame.hd.length > frame.data.padlen) {
        control_.add(1);
      } else if (!last) {
        allowed = control_.spend(loop_.now());
      }
      break;
    }
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
      break;  // the streams are limited
    case NGHTTP2_RST_STREAM:
      ++h2_.resets;
      charge_reset();
      break;
    default:
      allowed = control_.spend(loop_.now());
      break;
  }
  if (!allowed && !broken_) broken_ = Fault::control;
}

void Session::charge_reset() {
  if (!resets_.spend(loop_.now()) && !broken_) broken_ = Fault::resets;
}

// nghttp2 answers most violations of the protocol by itself; what it says tells of them.
void Session::note_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_DATA) {
    control_.add(kControlPerData);
  } else if (frame.hd.type == NGHTTP2_GOAWAY) {
    if (frame.goaway.error_code == NGHTTP2_NO_ERROR) return;
    ++h2_.faults[static_cast<size_t>(Fault::protocol)];
    if (!lost_) lost_ = Error(ErrorCode::protocol_error, "the peer broke HTTP/2's framing");
  } else if (frame.hd.type == NGHTTP2_RST_STREAM) {
    switch (frame.rst_stream.error_code) {
      case NGHTTP2_NO_ERROR:
      case NGHTTP2_CANCEL:
      case NGHTTP2_INTERNAL_ERROR:
        return;
      case NGHTTP2_REFUSED_STREAM:
        ++h2_.refused_streams;
        break;
      default:
        ++h2_.malformed;
        break;
    }
    // A peer that has us reset streams costs as much as one that resets them.
    charge_reset();
  }
}

}  // namespace weir::http::h2
