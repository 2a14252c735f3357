// What a handler does with its request: reads the body, answers, hands the connection over.
#include <utility>

#include "http/server_connection.h"

namespace weir::http {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr std::string_view kAnswered = "this request has been answered";

// The length that a handler gives its answer, if it gives one.
std::optional<uint64_t> given_length(const ResponseHead& head) {
  return parse_uint64(head.headers.get("content-length"));
}

}  // namespace

std::optional<uint64_t> ServerConnection::content_length() const {
  switch (head_.framing.kind) {
    case BodyKind::none:
      return 0;
    case BodyKind::length:
      return head_.framing.length;
    case BodyKind::chunked:
    case BodyKind::until_close:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Result<std::string_view>> ServerConnection::take_body() {
  if (body_failed_) return fail(ErrorCode::closed);
  const auto refuse = [this](ErrorCode code) {
    body_failed_ = true;
    keep_alive_ = false;
    return fail(code);
  };
  if (decoder_.decoded() + decoder_.length_left() > body_limit_) {
    return refuse(ErrorCode::limit_exceeded);
  }
  while (!decoder_.done() && !buffer_.empty()) {
    const BodyDecoder::Step step = decoder_.decode(buffer_.bytes());
    buffer_.consume(step.consumed);
    if (decoder_.decoded() > body_limit_) return refuse(ErrorCode::limit_exceeded);
    if (!step.payload.empty()) return step.payload;
    if (step.state == BodyDecoder::State::error) return refuse(ErrorCode::protocol_error);
  }
  if (!decoder_.done()) return std::nullopt;
  clear_read_deadline();
  buffer_.release();
  // A hang-up is told to a waiting reader in place of the callback; ask again.
  if (std::exchange(body_waited_, false)) stream_->on_hangup([this] { note_gone(); });
  return std::string_view{};
}

Result<void> ServerConnection::body_read_failed(net::IoResult io) {
  body_failed_ = true;
  keep_alive_ = false;
  gone_ = gone_ || io.status == net::IoStatus::end || io.error.code() != ErrorCode::timeout;
  if (io.status == net::IoStatus::end) {
    return fail(ErrorCode::closed, "the client closed the connection within the request body");
  }
  return fail(std::move(io.error));
}

net::Task<Result<std::string_view>> ServerConnection::read_body() {
  while (true) {
    if (!stream_) co_return fail(ErrorCode::closed);
    if (auto piece = take_body()) co_return std::move(*piece);
    if (std::exchange(continue_due_, false) && reply_ == Reply::none) {
      pending_.add(kContinue);
      if (pending_.push(*stream_) == PendingWrite::State::blocked) {
        if (Result<void> sent = co_await push_rest(); !sent) co_return fail(sent.error());
      }
    }
    net::IoResult io = stream_->try_read(buffer_.room(net::Buffer::kSize));
    if (io.status == net::IoStatus::ok) {
      buffer_.added(io.bytes);
      continue;
    }
    if (io.status == net::IoStatus::would_block) {
      buffer_.release();
      body_waited_ = true;
      set_body_deadline();
      Result<void> ready = co_await stream_->readable();
      if (ready) continue;
      io = net::IoResult::failed(std::move(ready.error()));
    }
    co_return fail(body_read_failed(std::move(io)).error());
  }
}

bool ServerConnection::will_close() const {
  if (!keep_alive_ || core_.draining) return true;
  if (decoder_.done()) return false;
  // A client that still waits for "100 Continue" may or may not send its body now; one with much
  // left to send is cheaper to end than to read.
  return continue_due_ || decoder_.length_left() > core_.config.drain_bytes_max;
}

void ServerConnection::write_head(const ResponseHead& head, const Framing& framing) {
  if (framing.kind == BodyKind::until_close || will_close()) keep_alive_ = false;
  ConnectionWord word = ConnectionWord::none;
  if (head.status == 101) {
    word = ConnectionWord::upgrade;
  } else if (!keep_alive_) {
    word = ConnectionWord::close;
  } else if (head_.version_minor == 0) {
    word = ConnectionWord::keep_alive;
  }
  out_head_.clear();
  core_.counters.fields_dropped +=
      append_response_head(out_head_, head, framing, word, core_.date());
}

Result<void> ServerConnection::write_failed() {
  keep_alive_ = false;
  write_deadline_ = net::kNoDeadline;
  return fail(pending_.error());
}

net::Task<Result<void>> ServerConnection::push_rest() {
  while (true) {
    set_write_deadline();
    Result<void> ready = co_await stream_->writable();
    if (!ready) {
      pending_.clear();
      keep_alive_ = false;
      write_deadline_ = net::kNoDeadline;
      co_return fail(std::move(ready.error()));
    }
    switch (pending_.push(*stream_)) {
      case PendingWrite::State::blocked:
        continue;
      case PendingWrite::State::done:
        write_deadline_ = net::kNoDeadline;
        co_return Result<void>();
      case PendingWrite::State::failed:
        co_return write_failed();
    }
  }
}

net::Task<Result<void>> ServerConnection::respond(const ResponseHead& head, std::string_view body) {
  if (reply_ != Reply::none || !stream_) {
    co_return fail(ErrorCode::invalid_argument, std::string(kAnswered));
  }
  const bool is_head = head_.method == "HEAD";
  Framing framing;
  if (status_has_body(head.status)) {
    framing = {BodyKind::length, body.size()};
    if (is_head && body.empty()) {
      const auto measured = given_length(head);
      framing = measured ? Framing{BodyKind::length, *measured} : Framing{};
    }
  }
  write_head(head, framing);
  reply_ = Reply::done;
  pending_.add(out_head_);
  if (!is_head && framing.kind == BodyKind::length) pending_.add(body);
  switch (pending_.push(*stream_)) {
    case PendingWrite::State::done:
      co_return Result<void>();
    case PendingWrite::State::failed:
      co_return write_failed();
    case PendingWrite::State::blocked:
      break;
  }
  co_return co_await push_rest();
}

net::Task<Result<void>> ServerConnection::begin(const ResponseHead& head) {
  if (reply_ != Reply::none || !stream_) {
    co_return fail(ErrorCode::invalid_argument, std::string(kAnswered));
  }
  Framing framing;
  if (status_has_body(head.status)) {
    const auto length = given_length(head);
    if (length) {
      framing = {BodyKind::length, *length};
    } else {
      framing.kind = head_.version_minor == 1 ? BodyKind::chunked : BodyKind::until_close;
    }
  }
  write_head(head, framing);
  reply_ = Reply::held;
  reply_framing_ = head_.method == "HEAD" ? Framing{} : framing;
  reply_left_ = reply_framing_.length;
  co_return Result<void>();
}

Result<void> ServerConnection::check_write(uint64_t size) {
  if (!stream_ || (reply_ != Reply::held && reply_ != Reply::streaming)) {
    return fail(ErrorCode::invalid_argument, "no answer has been begun");
  }
  if (reply_framing_.kind == BodyKind::length && size > reply_left_) {
    return fail(ErrorCode::invalid_argument, "the answer is longer than its content-length");
  }
  return {};
}

// Queues the head if it is still held, and the pieces in the reply's framing.
void ServerConnection::add_pieces(std::span<const std::string_view> pieces, uint64_t size) {
  if (reply_ == Reply::held) pending_.add(out_head_);
  reply_ = Reply::streaming;
  if (reply_framing_.kind == BodyKind::none || size == 0) return;
  const bool chunked = reply_framing_.kind == BodyKind::chunked;
  if (chunked) pending_.add(chunk_prefix(size, chunk_room_));
  for (const std::string_view piece : pieces) pending_.add(piece);
  if (chunked) pending_.add(kChunkSuffix);
  if (reply_framing_.kind == BodyKind::length) reply_left_ -= size;
}

net::Task<Result<void>> ServerConnection::write(std::span<const std::string_view> pieces) {
  uint64_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  if (Result<void> allowed = check_write(size); !allowed) co_return allowed;
  add_pieces(pieces, size);
  switch (pending_.push(*stream_)) {
    case PendingWrite::State::done:
      co_return Result<void>();
    case PendingWrite::State::failed:
      co_return write_failed();
    case PendingWrite::State::blocked:
      break;
  }
  co_return co_await push_rest();
}

net::Task<Result<void>> ServerConnection::write(std::string_view piece) {
  co_return co_await write(std::span(&piece, 1));
}

net::Task<Result<void>> ServerConnection::flush_head() {
  return write(std::string_view{});
}

net::Task<Result<void>> ServerConnection::finish() {
  return end_reply(kLastChunk);
}

net::Task<Result<void>> ServerConnection::finish(const HeaderList& trailers) {
  last_chunk_ = "0\r\n";
  for (const Header& field : trailers) {
    if (valid_name(field.name) && valid_value(field.value) && !is_connection_field(field.name)) {
      last_chunk_.append(field.name).append(": ").append(field.value).append("\r\n");
    } else {
      ++core_.counters.fields_dropped;
    }
  }
  last_chunk_.append("\r\n");
  return end_reply(last_chunk_);
}

net::Task<Result<void>> ServerConnection::end_reply(std::string_view last_chunk) {
  if (Result<void> allowed = check_write(0); !allowed) co_return allowed;
  if (reply_framing_.kind == BodyKind::length && reply_left_ > 0) {
    abort();
    co_return fail(ErrorCode::invalid_argument, "the answer is shorter than its content-length");
  }
  add_pieces({}, 0);
  reply_ = Reply::done;
  if (reply_framing_.kind == BodyKind::chunked) pending_.add(last_chunk);
  switch (pending_.push(*stream_)) {
    case PendingWrite::State::done:
      co_return Result<void>();
    case PendingWrite::State::failed:
      co_return write_failed();
    case PendingWrite::State::blocked:
      break;
  }
  co_return co_await push_rest();
}

void ServerConnection::abort() {
  if (aborted_ || !stream_) return;
  aborted_ = true;
  keep_alive_ = false;
  ++core_.counters.aborted;
  pending_.clear();
  // Where only the connection's end would end the answer, an orderly end would make it whole.
  if (reply_framing_.kind == BodyKind::until_close) {
    stream_->abort();
  } else {
    stream_->close();
  }
}

net::Task<Result<Upgraded>> ServerConnection::upgrade(const ResponseHead& head) {
  if (reply_ != Reply::none || !stream_ || !decoder_.done() || head.status != 101) {
    co_return fail(ErrorCode::invalid_argument, "this request cannot be upgraded");
  }
  write_head(head, {});
  reply_ = Reply::done;
  pending_.add(out_head_);
  if (const auto state = pending_.push(*stream_); state == PendingWrite::State::failed) {
    co_return fail(write_failed().error());
  } else if (state == PendingWrite::State::blocked) {
    if (Result<void> sent = co_await push_rest(); !sent) co_return fail(std::move(sent.error()));
  }
  timer_.cancel();
  stream_->on_hangup({});
  Upgraded upgraded{nullptr, std::string(buffer_.view())};
  buffer_.consume(buffer_.size());
  buffer_.release();
  upgraded.stream = std::move(stream_);
  co_return upgraded;
}

}  // namespace weir::http
