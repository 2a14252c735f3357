#include "http/h2/server_session.h"

#include <algorithm>
#include <utility>

#include "http/h2/server_stream.h"

namespace weir::http::h2 {

namespace {

constexpr Nanoseconds kGoawayDelay = std::chrono::seconds(1);
// What a deadline counts as progress: a peer must move this much, or finish, to get a new one.
constexpr uint64_t kProgressBytes = 1024;

nghttp2_settings_entry setting(int32_t id, size_t value) {
  return {id, static_cast<uint32_t>(std::min<size_t>(value, NGHTTP2_MAX_WINDOW_SIZE))};
}

}  // namespace

ServerSession::ServerSession(ServerCore& core, std::unique_ptr<net::Stream> stream)
    : ServerLink(core),
      Session(core.loop, std::move(stream), Role::server, core.config.h2, core.counters.h2),
      peer_(stream_->peer_address()),
      timer_(core.loop, [this] { on_timer(); }),
      first_settings_(core.loop.deadline_in(core.config.head_timeout)),
      block_(core.config.head),
      handlers_(core.loop) {
  const nghttp2_settings_entry settings[] = {
      setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max),
      setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window),
      setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, core.config.head.head_bytes),
  };
  submit_settings(settings);
  arm(first_settings_);
}

ServerSession::~ServerSession() {
  handlers_.destroy_all();
}

net::Task<void> ServerSession::run(std::string_view already_read) {
  writer_.emplace(loop_);
  writer_->spawn(write_rest());
  if (core_.draining) stop_when_idle();
  co_await read_all(already_read);
  close_streams();
  co_await handlers_.wait();
  timer_.cancel();
  writer_.reset();
  streams_.clear();
  if (!stream_->closed()) {
    co_await net::close_gracefully(std::move(stream_), core_.config.linger_timeout);
  }
}

void ServerSession::stop_when_idle() {
  if (over() || std::exchange(stopping_, true)) return;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  goaway_ = loop_.deadline_in(kGoawayDelay);
  arm(goaway_);
  flush();
}

void ServerSession::send_goaway() {
  goaway_ = net::kNoDeadline;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  flush();
}

void ServerSession::cut() {
  Session::cut(ErrorCode::closed);
}

ServerStream* ServerSession::find(int32_t stream_id) {
  const auto found = streams_.find(stream_id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void ServerSession::on_begin_headers(const nghttp2_frame& frame) {
  block_.clear();
  block_stream_ = frame.hd.stream_id;
  block_trailers_ = frame.headers.cat != NGHTTP2_HCAT_REQUEST;
  headers_ = loop_.deadline_in(core_.config.head_timeout);
  arm(headers_);
}

bool ServerSession::on_header(const nghttp2_frame& frame, std::string_view name,
                              std::string_view value, bool valid) {
  if (frame.hd.stream_id != block_stream_) return true;
  if (!valid) {
    const bool bad_value = valid_name(name);
    block_.add_invalid(bad_value ? HeadFault::header_value : HeadFault::header_name);
  }
  return block_.add(name, valid ? value : std::string_view());
}

void ServerSession::on_data(int32_t stream_id, std::string_view bytes) {
  arrived(bytes.size());
  if (ServerStream* stream = find(stream_id)) {
    stream->take_data(bytes);
  } else {
    consumed(stream_id, bytes.size());
  }
}

void ServerSession::on_frame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_SETTINGS:
      first_settings_ = net::kNoDeadline;
      if (streams_.empty() && idle_ == net::kNoDeadline) {
        idle_ = loop_.deadline_in(core_.config.idle_timeout);
        arm(idle_);
      }
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && goaway_ != net::kNoDeadline) {
        goaway_ = loop_.now();
        arm(goaway_);
      }
      break;
    case NGHTTP2_HEADERS:
      headers_ = net::kNoDeadline;
      headers_complete(frame);
      break;
    case NGHTTP2_DATA:
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        if (ServerStream* stream = find(frame.hd.stream_id)) stream->take_end();
      }
      break;
    default:
      break;
  }
}

void ServerSession::headers_complete(const nghttp2_frame& frame) {
  const int32_t id = frame.hd.stream_id;
  const bool ended = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (block_trailers_) {
    // Checked by nghttp2, and dropped, as HTTP/1.1's are.
    if (ServerStream* stream = find(id); stream != nullptr && ended) stream->take_end();
    return;
  }
  if (handlers_.size() + begun_.size() >= limits_.streams_max) {
    // The handlers of streams that the client has reset still run.
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return;
  }
  auto made = std::make_unique<ServerStream>(*this, id);
  ServerStream& stream = *made;
  streams_.emplace(id, std::move(made));
  idle_ = net::kNoDeadline;
  const HeadOutcome outcome = block_.request(stream.head_text_, stream.head_);
  stream.take_head(outcome, ended);
  begun_.push_back(id);
}

void ServerSession::on_stream_closed(int32_t stream_id, uint32_t error_code) {
  if (ServerStream* stream = find(stream_id)) {
    stream->close(error_code);
    if (!stream->served_) release(*stream);
  }
}

void ServerSession::on_invalid_frame(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_HEADERS) headers_ = net::kNoDeadline;
}

void ServerSession::on_not_sent(const nghttp2_frame&, int) {}

void ServerSession::on_ended() {
  begun_.clear();
  close_streams();
}

// The connection is gone: so is every stream's client.
void ServerSession::close_streams() {
  for (auto& [id, stream] : streams_) stream->close(NGHTTP2_CANCEL);
}

ssize_t ServerSession::on_take_data(int32_t stream_id, std::span<uint8_t> into, uint32_t& flags) {
  ServerStream* stream = find(stream_id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const ssize_t taken = stream->out_.take(into, flags);
  if ((flags & NGHTTP2_DATA_FLAG_NO_END_STREAM) != 0) stream->submit_trailers();
  if (!stream->out_.waiting()) stream->out_event_.set();
  return taken;
}

void ServerSession::after_frames() {
  // A stream that came and went in one read has no handler.
  for (size_t i = 0; i < begun_.size(); ++i) {
    ServerStream* stream = find(begun_[i]);
    if (stream == nullptr) continue;
    stream->served_ = true;
    handlers_.spawn(serve(*stream));
  }
  begun_.clear();
}

void ServerSession::on_blocked(bool blocked) {
  if (!blocked) {
    write_ = net::kNoDeadline;
  } else if (write_ == net::kNoDeadline ||
             stream_->bytes_written() - write_mark_ >= kProgressBytes) {
    write_ = loop_.deadline_in(core_.config.write_timeout);
    write_mark_ = stream_->bytes_written();
    arm(write_);
  }
}

net::Task<void> ServerSession::serve(ServerStream& stream) {
  co_await stream.run();
  stream.served_ = false;
  if (stream.closed_) release(stream);
}

void ServerSession::release(ServerStream& stream) {
  streams_.erase(stream.id_);
  if (!streams_.empty()) return;
  idle_ = loop_.deadline_in(core_.config.idle_timeout);
  arm(idle_);
}

// The timer is only ever moved forward; when it fires early it is armed again for what is due.
void ServerSession::arm(net::Deadline deadline) {
  if (deadline == net::kNoDeadline) return;
  if (!timer_.armed() || timer_.deadline() > deadline) timer_.arm_at(deadline);
}

void ServerSession::on_timer() {
  if (over()) return;
  const Nanoseconds now = loop_.now();
  ServerCounters& counters = core_.counters;
  if (goaway_ <= now) send_goaway();
  if (first_settings_ <= now || headers_ <= now) {
    ++counters.timeouts_head;
    return Session::cut(ErrorCode::timeout);
  }
  if (write_ <= now) {
    ++counters.timeouts_write;
    return Session::cut(ErrorCode::timeout);
  }
  if (idle_ <= now) {
    ++counters.timeouts_idle;
    idle_ = net::kNoDeadline;
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    flush();
  }
  net::Deadline next = std::min({first_settings_, headers_, idle_, write_, goaway_});
  for (auto& [id, stream] : streams_) {
    stream->timer_due(now);
    next = std::min(next, stream->next_deadline());
  }
  flush();
  arm(next);
}

}  // namespace weir::http::h2
