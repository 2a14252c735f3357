#include "http/h2/client_session.h"

#include <algorithm>
#include <utility>

#include "http/h2/stream_exchange.h"

namespace weir::http::h2 {

namespace {

// How often a request looks for a place: others may take what it waited for.
constexpr int kTriesMax = 16;

Limits client_limits(const ClientConfig& config) {
  Limits limits;
  limits.streams_max = config.http2.streams_max;
  limits.stream_window = config.http2.stream_window;
  // Each stream may fill its window: one that is read slowly holds up no other.
  limits.unread_max = size_t{limits.streams_max} * limits.stream_window;
  // Only streams of ours can be reset.
  limits.resets_burst = limits.resets_per_second = 1'000'000;
  limits.control_burst = 10'000;
  limits.control_per_second = 1000;
  return limits;
}

}  // namespace

ClientSession::ClientSession(ClientCore& core, ClientSessions& sessions, PooledStream connection)
    : Session(core.loop, std::move(connection.stream), Role::client, client_limits(core.config),
              core.counters.h2),
      core_(core),
      sessions_(sessions),
      opened_(connection.opened),
      peer_(stream_->peer_address()),
      streams_max_(core.config.http2.streams_max),
      block_(core.config.head),
      timer_(core.loop, [this] { on_timer(); }),
      ended_(*this),
      tasks_(core.loop) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(core.config.head.head_bytes)},
  };
  submit_settings(settings);
  now_idle();
  tasks_.spawn(write_rest());
  tasks_.spawn(run());
}

ClientSession::~ClientSession() {
  tasks_.destroy_all();
  if (counted_idle_) --core_.counters.idle;
}

net::Task<void> ClientSession::run() {
  co_await read_all({});
  dead_ = true;
  timer_.cancel();
  for (const auto& [id, exchange] : streams_) exchange->connection_lost();
  streams_.clear();
  loop_.wake(ended_);
}

void ClientSession::EndedWakeup::tell(net::Wakeup& node) {
  ClientSession& session = static_cast<EndedWakeup&>(node).owner;
  session.sessions_.remove(session);
}

bool ClientSession::has_room() const {
  if (retired_ || dead_ || over()) return false;
  const uint32_t allowed =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return streams_.size() < std::min<size_t>(streams_max_, allowed) &&
         nghttp2_session_check_request_allowed(session_) != 0;
}

void ClientSession::retire() {
  if (std::exchange(retired_, true) || dead_ || over()) return;
  if (streams_.empty()) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  } else {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  }
  flush();
}

int32_t ClientSession::submit(StreamExchange& exchange, std::span<const nghttp2_nv> fields,
                              bool with_body) {
  if (dead_ || over()) return 0;
  nghttp2_data_provider provider = data_provider();
  const int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                            with_body ? &provider : nullptr, nullptr);
  if (id <= 0) {
    retire();  // it has used up its numbers
    return 0;
  }
  streams_.emplace(id, &exchange);
  ++core_.counters.http2_streams;
  if (std::exchange(counted_idle_, false)) --core_.counters.idle;
  idle_ = net::kNoDeadline;
  if (streams_.size() == 1) {
    ping_sent_ = false;
    ping_mark_ = stream_->bytes_read();
    ping_ = loop_.deadline_in(core_.config.http2.ping_interval);
    arm(ping_);
  }
  return id;
}

void ClientSession::forget(int32_t stream_id) {
  if (streams_.erase(stream_id) == 0 || !streams_.empty()) return;
  now_idle();
}

void ClientSession::refused() {
  streams_max_ = std::max<size_t>(1, streams_.size());
}

void ClientSession::now_idle() {
  ping_ = net::kNoDeadline;
  if (dead_ || over()) return;
  if (!std::exchange(counted_idle_, true)) ++core_.counters.idle;
  idle_ = loop_.deadline_in(core_.config.idle_timeout);
  arm(idle_);
}

StreamExchange* ClientSession::find(int32_t stream_id) {
  const auto found = streams_.find(stream_id);
  return found == streams_.end() ? nullptr : found->second;
}

void ClientSession::on_begin_headers(const nghttp2_frame&) {
  block_.clear();
}

bool ClientSession::on_header(const nghttp2_frame&, std::string_view name, std::string_view value,
                              bool valid) {
  if (!valid) block_.add_invalid(HeadFault::header_value);
  return block_.add(name, valid ? value : std::string_view());
}

void ClientSession::on_data(int32_t stream_id, std::string_view bytes) {
  arrived(bytes.size());
  if (StreamExchange* exchange = find(stream_id)) {
    exchange->take_data(bytes);
  } else {
    consumed(stream_id, bytes.size());
  }
}

void ClientSession::on_frame(const nghttp2_frame& frame) {
  StreamExchange* exchange = find(frame.hd.stream_id);
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      if (exchange != nullptr) exchange->take_headers(block_);
      break;
    case NGHTTP2_RST_STREAM:
      if (exchange != nullptr) exchange->take_reset();
      break;
    case NGHTTP2_GOAWAY:
      ++core_.counters.http2_goaways;
      retired_ = true;
      break;
    default:
      break;
  }
  const bool may_end = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
  if (may_end && exchange != nullptr && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    exchange->take_end();
  }
}

void ClientSession::on_stream_closed(int32_t stream_id, uint32_t error_code) {
  if (StreamExchange* exchange = find(stream_id)) {
    forget(stream_id);
    exchange->closed(error_code);
  }
}

void ClientSession::on_invalid_frame(const nghttp2_frame&) {}

// A request that could not be sent any more: the provider has not seen it.
void ClientSession::on_not_sent(const nghttp2_frame& frame, int) {
  if (frame.hd.type == NGHTTP2_HEADERS) {
    on_stream_closed(frame.hd.stream_id, NGHTTP2_REFUSED_STREAM);
  }
}

ssize_t ClientSession::on_take_data(int32_t stream_id, std::span<uint8_t> into, uint32_t& flags) {
  StreamExchange* exchange = find(stream_id);
  if (exchange == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  return exchange->give_data(into, flags);
}

void ClientSession::after_frames() {}

void ClientSession::on_ended() {
  retired_ = true;
}

void ClientSession::on_blocked(bool) {}

void ClientSession::arm(net::Deadline deadline) {
  if (deadline == net::kNoDeadline) return;
  if (!timer_.armed() || timer_.deadline() > deadline) timer_.arm_at(deadline);
}

void ClientSession::on_timer() {
  if (dead_ || over()) return;
  const Nanoseconds now = loop_.now();
  if (idle_ <= now) {
    ++core_.counters.expired_idle;
    idle_ = net::kNoDeadline;
    retire();
    return;
  }
  if (ping_ <= now) {
    if (stream_->bytes_read() != ping_mark_) {
      ping_sent_ = false;
    } else if (ping_sent_) {
      ++core_.counters.http2_ping_timeouts;
      return cut({ErrorCode::timeout, "the provider's connection answers no more"});
    } else {
      ping_sent_ = true;
      nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
      flush();
    }
    ping_mark_ = stream_->bytes_read();
    ping_ = loop_.deadline_in(ping_sent_ ? core_.config.http2.ping_timeout
                                         : core_.config.http2.ping_interval);
  }
  arm(std::min(idle_, ping_));
}

ClientSessions::ClientSessions(ClientCore& core, ClientPool& pool)
    : core_(core), pool_(pool), dials_(core.loop) {}

ClientSessions::~ClientSessions() {
  dials_.destroy_all();
  while (!all_.empty()) remove(*all_.back());
}

net::Task<Result<ClientSessions::Place>> ClientSessions::acquire(Nanoseconds connect_timeout) {
  bool waited = false;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    for (const auto& session : all_) {
      const bool old = core_.loop.now() - session->opened_ >= core_.config.age_max;
      if (old) session->retire();
      if (session->has_room()) co_return Place{session, std::nullopt, !waited};
    }
    if (auto idle = pool_.take_idle()) co_return Place{nullptr, std::move(idle), !waited};
    std::shared_ptr<Dial> under_way;
    for (const auto& dial : dialling_) {
      if (!http1_ && dial->waiting < core_.config.http2.streams_max) under_way = dial;
    }
    if (!under_way) {
      under_way = std::make_shared<Dial>(core_.loop);
      dialling_.push_back(under_way);
      dials_.spawn(dial(under_way, core_.loop.deadline_in(connect_timeout)));
    }
    waited = true;
    ++under_way->waiting;
    const bool in_time = co_await under_way->done.wait_for(connect_timeout);
    if (!in_time) co_return fail(ErrorCode::timeout, "no connection in time");
    if (under_way->error) co_return fail(*under_way->error);
  }
  co_return fail(ErrorCode::limit_exceeded, "no connection had room for the request");
}

net::Task<void> ClientSessions::dial(std::shared_ptr<Dial> made, net::Deadline deadline) {
  auto opened = co_await pool_.open(deadline);
  if (!opened) {
    made->error = std::move(opened.error());
  } else {
    const std::string_view agreed = opened->stream->negotiated_protocol();
    // Without TLS nothing is agreed on: it is by the configuration that the provider speaks it.
    http1_ = pool_.origin().tls && agreed != "h2";
    if (http1_) {
      pool_.give_back(std::move(*opened));
    } else {
      all_.push_back(std::make_shared<ClientSession>(core_, *this, std::move(*opened)));
    }
  }
  std::erase(dialling_, made);
  made->done.set();
}

void ClientSessions::remove(ClientSession& session) {
  const auto found =
      std::ranges::find_if(all_, [&](const auto& held) { return held.get() == &session; });
  if (found == all_.end()) return;
  const std::shared_ptr<ClientSession> last = std::move(*found);
  all_.erase(found);
  last->stream_->close();
  pool_.release();
}

void ClientSessions::close_idle() {
  for (const auto& session : all_) session->retire();
}

}  // namespace weir::http::h2
