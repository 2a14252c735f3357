#include "http/h2/stream_exchange.h"

#include <string>
#include <utility>

namespace weir::http::h2 {

namespace {

constexpr int kInterimMax = 16;
constexpr int kSendAgainMax = 3;

bool expects_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

StreamExchange::StreamExchange(ClientCore& core, ClientSessions& sessions, const Origin& origin,
                               const ClientRequest& request)
    : core_(core),
      sessions_(sessions),
      connect_timeout_(request.connect_timeout > Nanoseconds(0) ? request.connect_timeout
                                                                : core.config.connect_timeout),
      method_(request.head.substr(0, request.head.find(' '))),
      body_(request.body.begin(), request.body.end()),
      streamed_(request.streamed),
      once_(request.once),
      streamed_left_(request.streamed_length),
      event_(core.loop) {
  times_.started = core.loop.now();
  request_fields(request.head, origin.tls ? "https" : "http", fields_);
  uint64_t size = 0;
  for (const std::string_view piece : body_) size += piece.size();
  if (streamed_ && streamed_left_) {
    fields_.add("content-length", std::to_string(*streamed_left_));
  } else if (!streamed_ && (size > 0 || expects_body(method_))) {
    fields_.add("content-length", std::to_string(size));
  }
}

StreamExchange::~StreamExchange() {
  tasks_.reset();
  leave(NGHTTP2_CANCEL);
}

void StreamExchange::send_on(std::shared_ptr<ClientSession> session, bool reused) {
  session_ = std::move(session);
  reused_ = reused;
  peer_ = session_->peer();
  times_.connected = core_.loop.now();
  times_.sent = Nanoseconds{0};
  not_processed_ = stale_ = reset_by_peer_ = false;
  read_mark_ = session_->bytes_read();
  out_ = {};
  for (const std::string_view piece : body_) out_.add(piece);
  const bool with_body = streamed_ || out_.waiting();
  if (!with_body) {
    out_.skip_end();
    times_.sent = core_.loop.now();
  } else if (!streamed_) {
    out_.end();
  }
  if (!streamed_) last_queued_ = true;
  id_ = session_->submit(*this, fields_.view(), with_body);
  if (id_ == 0) {
    not_processed_ = true;
    return event_.set();
  }
  session_->flush();
}

ssize_t StreamExchange::give_data(std::span<uint8_t> into, uint32_t& flags) {
  // A provider that has refused the request gets no more of it.
  if (refused_early()) return NGHTTP2_ERR_DEFERRED;
  const ssize_t given = out_.take(into, flags);
  if (!out_.waiting()) {
    if (last_queued_ && times_.sent == Nanoseconds{0}) times_.sent = core_.loop.now();
    event_.set();
  }
  return given;
}

void StreamExchange::take_headers(const HeaderBlock& block) {
  if (times_.first_byte == Nanoseconds{0}) times_.first_byte = core_.loop.now();
  if (have_head_) return;  // trailers: checked by nghttp2, and dropped
  const bool interim = block.status() < 200;
  HeadOutcome outcome;
  if (!interim) outcome = block.response(method_, head_text_, head_);
  if ((interim && ++interim_ > kInterimMax) || outcome.state == ParseState::error) {
    ++core_.counters.protocol_errors;
    const bool too_long =
        outcome.fault == HeadFault::head_too_long || outcome.fault == HeadFault::too_many_headers;
    return break_off(
        {too_long ? ErrorCode::limit_exceeded : ErrorCode::protocol_error,
         "the provider's response head is not valid: " +
             std::string(interim ? "too many interim responses" : to_string(outcome.fault))});
  }
  if (interim) return;
  have_head_ = true;
  event_.set();
}

void StreamExchange::take_data(std::string_view bytes) {
  if (error_) return session_->consumed(id_, bytes.size());
  in_.append(bytes);
  event_.set();
}

void StreamExchange::take_end() {
  in_ended_ = true;
  event_.set();
}

void StreamExchange::closed(uint32_t error_code) {
  id_ = 0;
  event_.set();
  if (in_ended_ || error_) return;
  const std::string name = nghttp2_http2_strerror(error_code);
  if (error_code == NGHTTP2_REFUSED_STREAM && !have_head_) {
    not_processed_ = true;
    if (reset_by_peer_) session_->refused();
    broken_ = {ErrorCode::connection_reset, "the provider did not take the request"};
  } else if (!reset_by_peer_ && error_code == NGHTTP2_PROTOCOL_ERROR) {
    ++core_.counters.protocol_errors;
    broken_ = {ErrorCode::protocol_error, "the provider's answer is not valid HTTP/2"};
  } else {
    ++core_.counters.truncated;
    broken_ = {ErrorCode::connection_reset, "the provider reset the stream: " + name};
  }
}

// The provider has closed the connection, or it was lost.
void StreamExchange::connection_lost() {
  id_ = 0;
  event_.set();
  if (in_ended_ || error_) return;
  // Nothing has come since the request went out on a kept connection: it was dead by then.
  if (reused_ && sent_again_ == 0 && session_->bytes_read() == read_mark_) {
    stale_ = true;
  } else {
    ++core_.counters.truncated;
  }
  broken_ = session_->lost_by();
}

void StreamExchange::leave(uint32_t error_code) {
  if (!session_) return;
  session_->dropped(in_.size() + piece_.size());
  in_.clear();
  piece_.clear();
  if (id_ != 0) {
    nghttp2_submit_rst_stream(session_->session_, NGHTTP2_FLAG_NONE, id_, error_code);
    session_->forget(std::exchange(id_, 0));
  }
  session_->flush();
  session_.reset();
}

void StreamExchange::break_off(Error error) {
  if (!error_) error_ = std::move(error);
  if (id_ != 0) {
    nghttp2_submit_rst_stream(session_->session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  }
  event_.set();
}

void StreamExchange::cancel(Error error) {
  if (error_ || finished_) return;
  error_ = std::move(error);
  tasks_.reset();
  leave(NGHTTP2_CANCEL);
  event_.set();
}

bool StreamExchange::can_send_again() const {
  const bool may = not_processed_ || (stale_ && !once_);
  return may && !body_begun_ && !have_head_ && sent_again_ < kSendAgainMax;
}

net::Task<Result<void>> StreamExchange::send_again() {
  ++sent_again_;
  ++core_.counters.stale_retries;
  retried_ = true;
  leave(NGHTTP2_CANCEL);
  broken_.reset();
  place_.reset();
  event_.reset();
  tasks_.emplace(core_.loop);
  tasks_->spawn(look_for_place());
  while (!place_ && !error_) {
    event_.reset();
    co_await event_.wait();
  }
  if (error_) co_return fail(*error_);
  tasks_.reset();
  if (!*place_) {
    error_ = place_->error();
    co_return fail(*error_);
  }
  if (!(*place_)->session) {
    // The provider has gone back to HTTP/1.1 meanwhile: the next request will know.
    sessions_.give_back(std::move(*(*place_)->http1));
    error_ = {ErrorCode::connection_reset, "the provider speaks HTTP/2 no more"};
    co_return fail(*error_);
  }
  send_on(std::move((*place_)->session), false);
  co_return Result<void>();
}

net::Task<void> StreamExchange::look_for_place() {
  place_ = co_await sessions_.acquire(connect_timeout_);
  event_.set();
}

net::Task<Result<void>> StreamExchange::write_body(std::string_view piece) {
  return send_streamed(piece, false);
}

net::Task<Result<void>> StreamExchange::finish_body() {
  return send_streamed({}, true);
}

net::Task<Result<void>> StreamExchange::send_streamed(std::string_view piece, bool last) {
  if (error_) co_return fail(*error_);
  if (refused_early()) co_return Result<void>();
  const bool too_long = streamed_left_ && piece.size() > *streamed_left_;
  const bool too_short = streamed_left_ && last && *streamed_left_ > 0;
  if (!streamed_ || last_queued_ || too_long || too_short) {
    co_return fail(ErrorCode::invalid_argument, "the body does not go on, or not to this length");
  }
  while (!body_begun_ && can_send_again()) {
    if (Result<void> sent = co_await send_again(); !sent) co_return fail(sent.error());
  }
  if (id_ == 0 && !in_ended_) co_return fail(broken_ ? *broken_ : Error(ErrorCode::closed));
  if (id_ == 0) co_return Result<void>();  // answered without the rest
  body_begun_ = true;
  last_queued_ = last;
  if (streamed_left_) *streamed_left_ -= piece.size();
  out_.add(piece);
  if (last) out_.end();
  nghttp2_session_resume_data(session_->session_, id_);
  session_->flush();
  while (out_.waiting() && id_ != 0 && !error_ && !refused_early()) {
    event_.reset();
    co_await event_.wait();
  }
  if (error_) co_return fail(*error_);
  if (out_.waiting() && id_ == 0 && !in_ended_) {
    co_return fail(broken_ ? *broken_ : Error(ErrorCode::closed));
  }
  out_.clear();
  co_return Result<void>();
}

net::Task<Result<const ResponseHead*>> StreamExchange::response() {
  while (true) {
    if (error_) co_return fail(*error_);
    if (have_head_) co_return &head_;
    if (can_send_again()) {
      if (Result<void> sent = co_await send_again(); !sent) co_return fail(sent.error());
      continue;
    }
    if (id_ == 0) {
      // What the provider has not looked at was not sent, as far as anybody is charged.
      if (not_processed_) times_.sent = Nanoseconds{0};
      co_return fail(broken_ ? *broken_ : Error(ErrorCode::closed));
    }
    event_.reset();
    co_await event_.wait();
  }
}

std::optional<Result<std::string_view>> StreamExchange::take_piece() {
  if (error_) return fail(*error_);
  if (finished_) return std::string_view{};
  if (!have_head_) return fail(ErrorCode::invalid_argument, "the response has not been awaited");
  if (!piece_.empty()) {
    session_->consumed(id_, piece_.size());
    piece_.clear();
    session_->flush();
  }
  if (!in_.empty()) {
    piece_.swap(in_);
    return piece_;
  }
  if (in_ended_) {
    finished_ = true;
    // What the provider did not wait for is not sent.
    leave(NGHTTP2_NO_ERROR);
    return std::string_view{};
  }
  if (id_ == 0) {
    error_ = broken_ ? *broken_ : Error(ErrorCode::closed);
    return fail(*error_);
  }
  return std::nullopt;
}

net::Task<Result<std::string_view>> StreamExchange::read_body() {
  while (true) {
    if (auto piece = take_piece()) co_return std::move(*piece);
    event_.reset();
    co_await event_.wait();
  }
}

Result<Upgraded> StreamExchange::take_upgraded() {
  return fail(ErrorCode::invalid_argument, "a stream of HTTP/2 cannot be handed over");
}

}  // namespace weir::http::h2
