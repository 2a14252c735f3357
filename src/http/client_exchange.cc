#include "http/client_exchange.h"

#include <charconv>
#include <utility>

namespace weir::http {

namespace {

constexpr int kInterimMax = 16;

uint64_t size_of(std::span<const std::string_view> pieces) {
  uint64_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  return size;
}

void append_length(std::string& out, uint64_t length) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, length).ptr;
  out.append("content-length: ").append(text, static_cast<size_t>(end - text)).append("\r\n");
}

// Methods whose requests say "content-length: 0" rather than nothing (RFC 9110 §8.6).
bool expects_body(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

}  // namespace

Http1ClientExchange::Http1ClientExchange(ClientCore& core, ClientPool& pool,
                                         const ClientRequest& request)
    : core_(core),
      pool_(pool),
      connect_timeout_(request.connect_timeout > Nanoseconds(0) ? request.connect_timeout
                                                                : core.config.connect_timeout),
      method_size_(request.head.find(' ')),
      body_(request.body.begin(), request.body.end()),
      streamed_(request.streamed),
      once_(request.once),
      chunked_(request.streamed && !request.streamed_length),
      streamed_left_(request.streamed_length),
      buffer_(core.loop.buffers()),
      event_(core.loop) {
  times_.started = core.loop.now();
  request_head_.reserve(request.head.size() + 48);
  request_head_.assign(request.head);
  if (chunked_) {
    request_head_.append("transfer-encoding: chunked\r\n");
  } else if (streamed_) {
    append_length(request_head_, *streamed_left_);
  } else if (const uint64_t size = size_of(body_); size > 0 || expects_body(method())) {
    append_length(request_head_, size);
  }
  request_head_.append("\r\n");
}

Http1ClientExchange::~Http1ClientExchange() {
  early_tasks_.reset();
  sending_tasks_.reset();
  if (connection_.stream) pool_.discard(std::move(connection_));
}

void Http1ClientExchange::send_on(PooledStream connection, bool reused) {
  connection_ = std::move(connection);
  reused_ = reused;
  peer_ = connection_.stream->peer_address();
  times_.connected = core_.loop.now();
  last_queued_ = !streamed_;
  pending_.add(request_head_);
  for (const std::string_view piece : body_) pending_.add(piece);
  push_queue();
}

// Sends what is queued: at once as far as the kernel takes it, the rest by a task.
void Http1ClientExchange::push_queue() {
  switch (pending_.push(*connection_.stream)) {
    case PendingWrite::State::done:
      queue_is_out();
      break;
    // What the provider said before it stopped reading is still to be read.
    case PendingWrite::State::failed:
      sending_ = Sending::broken;
      break;
    case PendingWrite::State::blocked:
      sending_ = Sending::pending;
      event_.reset();
      if (!sending_tasks_) sending_tasks_.emplace(core_.loop);
      sending_tasks_->spawn(pump());
      break;
  }
}

void Http1ClientExchange::queue_is_out() {
  sending_ = last_queued_ ? Sending::sent : Sending::open;
  if (last_queued_) times_.sent = core_.loop.now();
}

net::Task<void> Http1ClientExchange::pump() {
  auto state = PendingWrite::State::blocked;
  while (state == PendingWrite::State::blocked) {
    const Result<void> ready = co_await connection_.stream->writable();
    state = ready ? pending_.push(*connection_.stream) : PendingWrite::State::failed;
  }
  if (state == PendingWrite::State::done) {
    queue_is_out();
  } else {
    sending_ = Sending::broken;
  }
  event_.set();
}

// Gives up what has not left yet. The connection cannot carry another request then.
void Http1ClientExchange::stop_sending() {
  if (sending_ == Sending::sent) return;
  sending_ = Sending::stopped;
  sending_tasks_.reset();
  pending_.clear();
}

net::Task<Result<void>> Http1ClientExchange::write_body(std::string_view piece) {
  if (piece.empty()) return send_streamed({}, false);
  return send_streamed(piece, false);
}

net::Task<Result<void>> Http1ClientExchange::finish_body() {
  return send_streamed({}, true);
}

net::Task<Result<void>> Http1ClientExchange::send_streamed(std::string_view piece, bool last) {
  if (error_) co_return fail(*error_);
  if (refused_early()) co_return Result<void>();
  if (sending_ == Sending::broken) co_return fail(ErrorCode::closed);
  const bool too_long = streamed_left_ && piece.size() > *streamed_left_;
  const bool too_short = streamed_left_ && last && *streamed_left_ > 0;
  if (!streamed_ || last_queued_ || sending_ != Sending::open || too_long || too_short) {
    co_return fail(ErrorCode::invalid_argument, "the body does not go on, or not to this length");
  }
  body_begun_ = true;
  last_queued_ = last;
  if (streamed_left_) *streamed_left_ -= piece.size();
  if (chunked_ && !piece.empty()) pending_.add(chunk_prefix(piece.size(), chunk_room_));
  pending_.add(piece);
  if (chunked_ && !piece.empty()) pending_.add(kChunkSuffix);
  if (chunked_ && last) pending_.add(kLastChunk);
  push_queue();
  if (sending_ == Sending::pending && !have_head_) {
    early_tasks_.emplace(core_.loop);
    early_tasks_->spawn(watch_for_early_response());
  }
  while (sending_ == Sending::pending && !error_ && !refused_early()) {
    co_await event_.wait();
    if (sending_ == Sending::pending) event_.reset();
  }
  early_tasks_.reset();
  if (error_) co_return fail(*error_);
  if (sending_ == Sending::broken) co_return fail(ErrorCode::closed);
  co_return Result<void>();
}

// A provider may refuse a body while it is being sent, and then stop reading it.
net::Task<void> Http1ClientExchange::watch_for_early_response() {
  while (take_head() == Take::wait) {
    if (const Result<void> ready = co_await connection_.stream->readable(); !ready) break;
  }
  event_.set();
}

net::Task<Result<const ResponseHead*>> Http1ClientExchange::response() {
  early_tasks_.reset();
  while (true) {
    if (error_) co_return fail(*error_);
    switch (take_head()) {
      case Take::done:
        co_return &head_;
      case Take::failed:
        break;
      case Take::stale:
        if (Result<void> sent = co_await send_again(); !sent) co_return fail(sent.error());
        break;
      case Take::wait:
        if (Result<void> ready = co_await connection_.stream->readable(); !ready && !error_) {
          break_off(std::move(ready.error()));
        }
        break;
    }
  }
}

Http1ClientExchange::Take Http1ClientExchange::take_head() {
  const size_t limit = core_.config.head.head_bytes;
  while (!have_head_) {
    if (error_ || !connection_.stream) return Take::failed;
    if (parse_next_) {
      if (parse_head() == Take::failed) return Take::failed;
      continue;
    }
    const std::span<char> room = buffer_.room(limit);
    net::IoResult io = connection_.stream->try_read(room);
    if (io.status == net::IoStatus::would_block) {
      buffer_.release();
      return Take::wait;
    }
    if (io.status != net::IoStatus::ok) return head_read_failed(std::move(io));
    if (!std::exchange(got_bytes_, true)) times_.first_byte = core_.loop.now();
    const bool first = buffer_.empty();
    buffer_.added(io.bytes);
    const std::string_view news(room.data(), io.bytes);
    parse_next_ = first || buffer_.size() >= limit || news.find('\n') != news.npos;
  }
  return Take::done;
}

Http1ClientExchange::Take Http1ClientExchange::parse_head() {
  parse_next_ = false;
  const HeadOutcome outcome =
      parse_response_head(buffer_.view(), core_.config.head, method(), head_);
  if (outcome.state == ParseState::more) return Take::wait;
  const bool interim = head_.status < 200 && head_.status != 101;
  if (outcome.state == ParseState::error || (interim && ++interim_ > kInterimMax)) {
    ++core_.counters.protocol_errors;
    const bool too_long =
        outcome.fault == HeadFault::head_too_long || outcome.fault == HeadFault::too_many_headers;
    break_off({too_long ? ErrorCode::limit_exceeded : ErrorCode::protocol_error,
               "the provider's response head is not valid: " +
                   std::string(interim ? "too many interim responses" : to_string(outcome.fault))});
    return Take::failed;
  }
  if (interim) {
    buffer_.consume(outcome.consumed);
    parse_next_ = !buffer_.empty();
    return Take::wait;
  }
  accept_head(outcome.consumed);
  return Take::done;
}

void Http1ClientExchange::accept_head(size_t consumed) {
  const std::string_view bytes = buffer_.view().substr(0, consumed);
  head_text_.assign(bytes);
  rebase(head_, bytes, head_text_.data());
  buffer_.consume(consumed);
  have_head_ = true;
  decoder_ = BodyDecoder(head_.framing, /*allow_extensions=*/true);
  if (head_.status >= 400) stop_sending();
  if (decoder_.done() && head_.status != 101) finish_response();
}

Http1ClientExchange::Take Http1ClientExchange::head_read_failed(net::IoResult io) {
  if (reused_ && !got_bytes_ && !body_begun_) {
    if (!once_) return Take::stale;
    maybe_stale_ = true;
  }
  if (got_bytes_) ++core_.counters.truncated;
  const bool end = io.status == net::IoStatus::end;
  break_off(end ? Error(ErrorCode::closed, "the provider closed the connection without answering")
                : std::move(io.error));
  return Take::failed;
}

net::Task<Result<void>> Http1ClientExchange::send_again() {
  retried_ = true;
  ++core_.counters.stale_retries;
  sending_tasks_.reset();
  pending_.clear();
  sending_ = Sending::open;
  parse_next_ = false;
  pool_.discard(std::move(connection_));
  event_.reset();
  redialled_.reset();
  sending_tasks_.emplace(core_.loop);
  sending_tasks_->spawn(redial());
  co_await event_.wait();
  if (!redialled_) sending_tasks_.reset();
  if (error_) co_return fail(*error_);
  if (!*redialled_) {
    break_off(std::move(redialled_->error()));
    co_return fail(*error_);
  }
  send_on(std::move(**redialled_), false);
  redialled_.reset();
  co_return Result<void>();
}

net::Task<void> Http1ClientExchange::redial() {
  redialled_ = co_await pool_.open(core_.loop.deadline_in(connect_timeout_));
  if (*redialled_ && (*redialled_)->stream->negotiated_protocol() == "h2") {
    // Agreed on since: the next request will use it.
    pool_.discard(std::move(**redialled_));
    redialled_ = fail(ErrorCode::connection_reset, "the provider speaks HTTP/2 now");
  }
  event_.set();
}

net::Task<Result<std::string_view>> Http1ClientExchange::read_body() {
  while (true) {
    if (auto piece = take_piece()) co_return std::move(*piece);
    Result<void> ready = co_await connection_.stream->readable();
    if (!ready && !error_) {
      co_return body_read_failed(net::IoResult::failed(std::move(ready.error())));
    }
  }
}

std::optional<Result<std::string_view>> Http1ClientExchange::take_piece() {
  if (error_) return fail(*error_);
  if (!have_head_ || head_.status == 101) {
    return fail(ErrorCode::invalid_argument, "there is no response body to read");
  }
  while (true) {
    while (!decoder_.done() && !buffer_.empty()) {
      const BodyDecoder::Step step = decoder_.decode(buffer_.bytes());
      buffer_.consume(step.consumed);
      // The payload stays in the buffer's block, which outlives the connection's return.
      if (decoder_.done()) finish_response();
      if (!step.payload.empty()) return step.payload;
      if (step.state == BodyDecoder::State::error) {
        ++core_.counters.protocol_errors;
        break_off({ErrorCode::protocol_error, "the provider's chunks are broken"});
        return fail(*error_);
      }
    }
    if (finished_) {
      buffer_.release();
      return std::string_view{};
    }
    net::IoResult io = connection_.stream->try_read(buffer_.room(net::Buffer::kSize));
    switch (io.status) {
      case net::IoStatus::ok:
        buffer_.added(io.bytes);
        break;
      case net::IoStatus::would_block:
        buffer_.release();
        return std::nullopt;
      case net::IoStatus::end:
        if (!decoder_.end_of_input_is_end()) return body_read_failed(std::move(io));
        finish_response();
        break;
      case net::IoStatus::failed:
        return body_read_failed(std::move(io));
    }
  }
}

Result<std::string_view> Http1ClientExchange::body_read_failed(net::IoResult io) {
  ++core_.counters.truncated;
  const bool end = io.status == net::IoStatus::end;
  break_off(end ? Error(ErrorCode::closed, "the provider closed the connection in its response")
                : std::move(io.error));
  return fail(*error_);
}

void Http1ClientExchange::finish_response() {
  if (std::exchange(finished_, true)) return;
  stop_sending();
  const bool clean = buffer_.empty();
  if (!clean) ++core_.counters.poisoned;
  if (clean && head_.keep_alive && sending_ == Sending::sent) {
    pool_.give_back(std::move(connection_));
  } else {
    pool_.discard(std::move(connection_));
  }
  // Bytes behind the end belong to nothing.
  buffer_.consume(buffer_.size());
}

void Http1ClientExchange::cancel(Error error) {
  if (error_ || finished_) return;
  error_ = std::move(error);
  // Only closed here: a coroutine of this exchange may be waiting on the stream.
  if (connection_.stream) connection_.stream->close();
  event_.set();
}

void Http1ClientExchange::break_off(Error error) {
  if (!error_) error_ = std::move(error);
  sending_tasks_.reset();
  pending_.clear();
  if (connection_.stream) pool_.discard(std::move(connection_));
  event_.set();
}

Result<Upgraded> Http1ClientExchange::take_upgraded() {
  if (error_) return fail(*error_);
  if (!have_head_ || head_.status != 101 || !connection_.stream) {
    return fail(ErrorCode::invalid_argument, "the connection has not left HTTP");
  }
  Upgraded upgraded{std::move(connection_.stream), std::string(buffer_.view())};
  buffer_.consume(buffer_.size());
  buffer_.release();
  pool_.release();
  return upgraded;
}

}  // namespace weir::http
