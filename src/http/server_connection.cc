// The life of a server connection: heads in, the handler, the way out. Bodies and answers are in
// server_exchange.cc.
#include "http/server_connection.h"

#include <utility>

namespace weir::http {

namespace {

// What a deadline counts as progress: a peer must move this much, or finish, to get a new one.
constexpr uint64_t kProgressBytes = 1024;
// A head larger than this is not worth keeping room for on an idle connection.
constexpr size_t kKeptHeadBytes = size_t{8} * 1024;
// How a client with prior knowledge begins (RFC 9113 §3.4). To HTTP/1.1's parser it is a fault, so
// that HTTP/1.1 pays nothing for the question.
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

ServerConnection::ServerConnection(ServerCore& core, std::unique_ptr<net::Stream> stream)
    : ServerLink(core),
      stream_(std::move(stream)),
      peer_(stream_->peer_address()),
      buffer_(core.loop.buffers()),
      timer_(core.loop, [this] { on_timer(); }),
      gone_wakeup_(*this) {}

ServerConnection::~ServerConnection() {
  if (running_) --core_.counters.requests_running;
}

net::Task<std::optional<Upgraded>> ServerConnection::run() {
  set_read_deadline(ReadPhase::idle, core_.config.idle_timeout);
  bool open = true;
  while (open) {
    HeadStep step = take_head();
    while (step == HeadStep::wait) {
      const Result<void> ready = co_await stream_->readable();
      step = ready ? take_head() : head_wait_failed(ready.error());
    }
    if (step == HeadStep::close) break;
    if (step == HeadStep::http2) {
      timer_.cancel();
      Upgraded preface{std::move(stream_), std::string(buffer_.view())};
      co_return preface;
    }
    if (step == HeadStep::refuse) {
      co_await refuse(refuse_status_);
      break;
    }
    start_request();
    co_await core_.handler(*this);
    open = settled() || co_await settle();
    if (open) {
      parse_next_ = !buffer_.empty();
      if (parse_next_) started_ = core_.loop.now();
      set_read_deadline(parse_next_ ? ReadPhase::head : ReadPhase::idle,
                        parse_next_ ? core_.config.head_timeout : core_.config.idle_timeout);
    }
  }
  co_await farewell();
  co_return std::nullopt;
}

void ServerConnection::stop_when_idle() {
  if (running_ || !buffer_.empty() || !stream_) return;
  if (read_phase_ == ReadPhase::idle) stream_->cancel_read(ErrorCode::cancelled);
}

void ServerConnection::cut() {
  if (stream_) stream_->close();
  note_gone();
}

ServerConnection::HeadStep ServerConnection::take_head() {
  const size_t limit = core_.config.head.head_bytes;
  while (true) {
    if (parse_next_) {
      parse_next_ = false;
      const HeadOutcome outcome = parse_request_head(buffer_.view(), core_.config.head, head_);
      if (outcome.state == ParseState::complete) {
        accept_head(outcome.consumed);
        return HeadStep::request;
      }
      if (outcome.state == ParseState::error && begins_http2()) {
        if (buffer_.size() >= kHttp2Preface.size()) return HeadStep::http2;
      } else if (outcome.state == ParseState::error) {
        ++core_.counters.head_faults[static_cast<size_t>(outcome.fault)];
        refuse_status_ = outcome.status;
        return HeadStep::refuse;
      }
    }
    if (core_.draining && buffer_.empty()) return HeadStep::close;
    const std::span<char> room = buffer_.room(limit);
    const net::IoResult io = stream_->try_read(room);
    switch (io.status) {
      case net::IoStatus::ok: {
        if (buffer_.empty()) {
          started_ = core_.loop.now();
          set_read_deadline(ReadPhase::head, core_.config.head_timeout);
          parse_next_ = true;
        }
        buffer_.added(io.bytes);
        // Only a line's end can complete or break a head further (see parse_request_head).
        const std::string_view news(room.data(), io.bytes);
        parse_next_ = parse_next_ || buffer_.size() >= limit || news.find('\n') != news.npos;
        break;
      }
      case net::IoStatus::would_block:
        buffer_.release();
        return HeadStep::wait;
      case net::IoStatus::end:
        return HeadStep::close;
      case net::IoStatus::failed:
        return head_wait_failed(io.error);
    }
  }
}

bool ServerConnection::begins_http2() const {
  if (!first_ || !core_.config.http2 || stream_->secure()) return false;
  const std::string_view bytes = buffer_.view().substr(0, kHttp2Preface.size());
  return kHttp2Preface.starts_with(bytes);
}

ServerConnection::HeadStep ServerConnection::head_wait_failed(const Error& error) {
  if (error.code() != ErrorCode::timeout || buffer_.empty()) return HeadStep::close;
  refuse_status_ = 408;
  return HeadStep::refuse;
}

void ServerConnection::accept_head(size_t consumed) {
  first_ = false;
  const std::string_view bytes = buffer_.view().substr(0, consumed);
  head_text_.assign(bytes);
  rebase(head_, bytes, head_text_.data());
  buffer_.consume(consumed);
}

void ServerConnection::start_request() {
  ++core_.counters.requests;
  ++core_.counters.requests_running;
  clear_read_deadline();
  running_ = true;
  decoder_ = BodyDecoder(head_.framing, /*allow_extensions=*/false);
  body_limit_ = core_.config.body_bytes_max;
  continue_due_ = head_.expects_continue && buffer_.empty();
  body_waited_ = false;
  body_failed_ = false;
  keep_alive_ = head_.keep_alive;
  reply_ = Reply::none;
  reply_framing_ = {};
  stream_->on_hangup([this] { note_gone(); });
  // A connection whose body has come holds no block while the handler works.
  if (decoder_.done()) buffer_.release();
}

bool ServerConnection::settled() {
  running_ = false;
  --core_.counters.requests_running;
  gone_callback_ = nullptr;
  gone_wakeup_.unlink();
  if (head_text_.capacity() > kKeptHeadBytes) std::string().swap(head_text_);
  return stream_ && !aborted_ && reply_ == Reply::done && keep_alive_ && decoder_.done();
}

net::Task<bool> ServerConnection::settle() {
  if (!stream_ || aborted_) co_return false;
  if (reply_ == Reply::none) {
    ++core_.counters.unanswered;
    co_await refuse(500);
    co_return false;
  }
  if (reply_ != Reply::done) {
    abort();
    co_return false;
  }
  if (!keep_alive_) co_return false;
  // The answer is out and the connection promised: read the rest of the body away.
  body_limit_ = decoder_.decoded() + core_.config.drain_bytes_max;
  while (!decoder_.done()) {
    const Result<std::string_view> piece = co_await read_body();
    if (!piece) co_return false;
  }
  clear_read_deadline();
  co_return true;
}

net::Task<void> ServerConnection::refuse(int status) {
  const RequestHead* head = head_.target.empty() ? nullptr : &head_;
  const ErrorReply reply = core_.error_reply(status, head);
  clear_read_deadline();
  keep_alive_ = false;
  reply_ = Reply::none;
  ResponseHead answer;
  answer.status = status;
  answer.headers.add("content-type", reply.content_type);
  // A client that does not take the answer has gone; there is nobody to tell.
  static_cast<void>(co_await respond(answer, reply.body));
}

net::Task<void> ServerConnection::farewell() {
  clear_read_deadline();
  if (!stream_ || stream_->closed()) co_return;
  const bool clean = decoder_.done() && buffer_.empty();
  stream_->shutdown_write();
  if (!clean) co_await linger();
  stream_->close();
}

// Closing with unread bytes would reset the connection and may take our last answer with it, so
// what the client still sends is read and dropped for a while.
net::Task<void> ServerConnection::linger() {
  set_read_deadline(ReadPhase::linger, core_.config.linger_timeout);
  buffer_.consume(buffer_.size());
  while (true) {
    const net::IoResult io = stream_->try_read(buffer_.room(net::Buffer::kSize));
    if (io.status == net::IoStatus::ok) continue;
    buffer_.release();
    if (io.status != net::IoStatus::would_block) co_return;
    if (const Result<void> ready = co_await stream_->readable(); !ready) co_return;
  }
}

void ServerConnection::GoneWakeup::tell(net::Wakeup& node) {
  static_cast<GoneWakeup&>(node).owner.note_gone();
}

void ServerConnection::note_gone() {
  if (!gone_ && running_) ++core_.counters.clients_gone;
  gone_ = true;
  // Moved out first: the callback may set another, or end what holds it.
  if (gone_callback_) std::exchange(gone_callback_, nullptr)();
}

void ServerConnection::on_client_gone(std::function<void()> callback) {
  gone_callback_ = std::move(callback);
  if (gone_ && gone_callback_) core_.loop.wake(gone_wakeup_);
}

void ServerConnection::set_read_deadline(ReadPhase phase, Nanoseconds after) {
  read_phase_ = phase;
  read_deadline_ = core_.loop.deadline_in(after);
  read_mark_ = stream_->bytes_read();
  arm(read_deadline_);
}

void ServerConnection::set_write_deadline() {
  if (write_deadline_ != net::kNoDeadline &&
      stream_->bytes_written() - write_mark_ < kProgressBytes) {
    return;
  }
  write_deadline_ = core_.loop.deadline_in(core_.config.write_timeout);
  write_mark_ = stream_->bytes_written();
  arm(write_deadline_);
}

void ServerConnection::set_body_deadline() {
  if (read_phase_ == ReadPhase::body && stream_->bytes_read() - read_mark_ < kProgressBytes) {
    return;
  }
  set_read_deadline(ReadPhase::body, core_.config.body_timeout);
}

// The timer is only ever moved forward; when it fires early it is armed again for what is due.
void ServerConnection::arm(net::Deadline deadline) {
  if (!timer_.armed() || timer_.deadline() > deadline) timer_.arm_at(deadline);
}

void ServerConnection::on_timer() {
  if (!stream_) return;
  const Nanoseconds now = core_.loop.now();
  if (read_phase_ != ReadPhase::none && read_deadline_ <= now) {
    switch (std::exchange(read_phase_, ReadPhase::none)) {
      case ReadPhase::idle:
        ++core_.counters.timeouts_idle;
        break;
      case ReadPhase::head:
        ++core_.counters.timeouts_head;
        break;
      case ReadPhase::body:
        ++core_.counters.timeouts_body;
        break;
      case ReadPhase::linger:
      case ReadPhase::none:
        break;
    }
    stream_->cancel_read(ErrorCode::timeout);
  }
  if (write_deadline_ <= now) {
    ++core_.counters.timeouts_write;
    write_deadline_ = net::kNoDeadline;
    stream_->cancel(ErrorCode::timeout);
  }
  if (read_phase_ != ReadPhase::none) arm(read_deadline_);
  if (write_deadline_ != net::kNoDeadline) arm(write_deadline_);
}

}  // namespace weir::http
