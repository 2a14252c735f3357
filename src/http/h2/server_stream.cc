#include "http/h2/server_stream.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weir::http::h2 {

namespace {

constexpr uint64_t kProgressBytes = 1024;
constexpr std::string_view kAnswered = "this request has been answered";

std::optional<uint64_t> given_length(const ResponseHead& head) {
  return parse_uint64(head.headers.get("content-length"));
}

}  // namespace

ServerStream::ServerStream(ServerSession& session, int32_t id)
    : session_(session),
      id_(id),
      started_(session.loop_.now()),
      gone_wakeup_(*this),
      body_limit_(session.core_.config.body_bytes_max),
      in_event_(session.loop_),
      out_event_(session.loop_) {}

ServerStream::~ServerStream() {
  session_.dropped(in_.size() + piece_.size());
  if (running_) --session_.core_.counters.requests_running;
}

void ServerStream::take_head(const HeadOutcome& outcome, bool ended) {
  in_ended_ = ended;
  if (outcome.state == ParseState::error) {
    ++session_.core_.counters.head_faults[static_cast<size_t>(outcome.fault)];
    refuse_status_ = outcome.status;
    return;
  }
  // Without a length and without an end the body is as long as it is.
  if (!ended && head_.framing.kind == BodyKind::none &&
      !head_.headers.find("content-length").has_value()) {
    head_.framing = {BodyKind::chunked, 0};
  }
  head_.expects_continue = false;
}

void ServerStream::take_data(std::string_view bytes) {
  arrived_ += bytes.size();
  if (discarding_) {
    session_.consumed(id_, bytes.size());
    if (arrived_ > body_limit_ && !closed_) {
      nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
    }
    return;
  }
  in_.append(bytes);
  in_event_.set();
}

void ServerStream::take_end() {
  in_ended_ = true;
  read_deadline_ = net::kNoDeadline;
  in_event_.set();
}

void ServerStream::close(uint32_t error_code) {
  if (closed_) return;
  closed_ = true;
  read_deadline_ = write_deadline_ = net::kNoDeadline;
  out_.clear();
  if (error_code == NGHTTP2_PROTOCOL_ERROR && !in_ended_) body_error_ = ErrorCode::protocol_error;
  const bool well = error_code == NGHTTP2_NO_ERROR && reply_ == Reply::done;
  if (!well && !aborted_) note_gone();
  in_event_.set();
  out_event_.set();
}

net::Task<void> ServerStream::run() {
  ServerCounters& counters = session_.core_.counters;
  if (refuse_status_ != 0) {
    if (!in_ended_) discard_body();
    co_await refuse(refuse_status_);
  } else {
    ++counters.requests;
    ++counters.requests_running;
    running_ = true;
    co_await session_.core_.handler(*this);
    running_ = false;
    --counters.requests_running;
    gone_callback_ = nullptr;
    gone_wakeup_.unlink();
    if (reply_ == Reply::none && !closed_ && !aborted_) {
      ++counters.unanswered;
      co_await refuse(500);
    }
  }
  settle();
}

net::Task<void> ServerStream::refuse(int status) {
  const RequestHead* head = head_.target.empty() ? nullptr : &head_;
  const ErrorReply reply = session_.core_.error_reply(status, head);
  reply_ = Reply::none;
  ResponseHead answer;
  answer.status = status;
  answer.headers.add("content-type", reply.content_type);
  static_cast<void>(co_await respond(answer, reply.body));
}

// The handler has ended: so does the answer, one way or another, and what is left of the request is
// read away within the limit, or refused.
void ServerStream::settle() {
  if (closed_) return;
  if (reply_ != Reply::done) abort();
  if (!in_ended_ && !aborted_) {
    if (!discarding_) discard_body();
    const bool long_rest =
        head_.framing.kind == BodyKind::length && head_.framing.length > body_limit_;
    if (long_rest) {
      nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
    }
  }
  session_.flush();
}

void ServerStream::discard_body() {
  discarding_ = true;
  session_.consumed(id_, in_.size() + piece_.size());
  in_.clear();
  piece_.clear();
  body_limit_ = arrived_ + session_.limits_.drain_bytes_max;
  read_deadline_ = session_.loop_.deadline_in(session_.core_.config.body_timeout);
  session_.arm(read_deadline_);
}

std::optional<uint64_t> ServerStream::content_length() const {
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

std::optional<Result<std::string_view>> ServerStream::take_piece() {
  if (!piece_.empty()) {
    session_.consumed(id_, piece_.size());
    piece_.clear();
    session_.flush();
  }
  if (body_error_) return fail(*body_error_);
  const bool known = head_.framing.kind == BodyKind::length;
  if ((known && head_.framing.length > body_limit_) || handed_ + in_.size() > body_limit_) {
    body_error_ = ErrorCode::limit_exceeded;
    return fail(*std::exchange(body_error_, Error(ErrorCode::closed)));
  }
  if (!in_.empty()) {
    piece_.swap(in_);
    handed_ += piece_.size();
    return piece_;
  }
  if (in_ended_) return std::string_view{};
  if (closed_) {
    body_error_ = ErrorCode::closed;
    return fail(ErrorCode::closed, "the client ended the stream within the request body");
  }
  return std::nullopt;
}

net::Task<Result<std::string_view>> ServerStream::read_body() {
  while (true) {
    if (auto piece = take_piece()) co_return std::move(*piece);
    set_body_deadline();
    in_event_.reset();
    reading_ = true;
    co_await in_event_.wait();
    reading_ = false;
  }
}

void ServerStream::submit_head(bool with_body) {
  nghttp2_data_provider provider = session_.data_provider();
  const auto fields = fields_.view();
  nghttp2_submit_response(session_.session_, id_, fields.data(), fields.size(),
                          with_body ? &provider : nullptr);
  if (!with_body) out_.skip_end();
  fields_.clear();
}

net::Task<Result<void>> ServerStream::respond(const ResponseHead& head, std::string_view body) {
  if (reply_ != Reply::none || aborted_) {
    co_return fail(ErrorCode::invalid_argument, std::string(kAnswered));
  }
  if (closed_) co_return fail(ErrorCode::closed);
  const bool is_head = head_.method == "HEAD";
  Framing framing;
  if (status_has_body(head.status)) {
    framing = {BodyKind::length, body.size()};
    if (is_head && body.empty()) {
      const auto measured = given_length(head);
      framing = measured ? Framing{BodyKind::length, *measured} : Framing{};
    }
  }
  session_.core_.counters.fields_dropped +=
      response_fields(head, framing, session_.core_.date(), fields_);
  reply_ = Reply::done;
  const bool with_body = !is_head && framing.kind == BodyKind::length && !body.empty();
  if (with_body) {
    out_.add(body);
    out_.end();
  }
  submit_head(with_body);
  co_return co_await send();
}

net::Task<Result<void>> ServerStream::begin(const ResponseHead& head) {
  if (reply_ != Reply::none || aborted_) {
    co_return fail(ErrorCode::invalid_argument, std::string(kAnswered));
  }
  Framing framing;
  if (status_has_body(head.status)) {
    const auto length = given_length(head);
    framing = length ? Framing{BodyKind::length, *length} : Framing{BodyKind::chunked, 0};
  }
  session_.core_.counters.fields_dropped +=
      response_fields(head, framing, session_.core_.date(), fields_);
  reply_ = Reply::held;
  reply_framing_ = head_.method == "HEAD" ? Framing{} : framing;
  reply_left_ = reply_framing_.length;
  co_return Result<void>();
}

Result<void> ServerStream::check_write(uint64_t size) {
  if (aborted_ || (reply_ != Reply::held && reply_ != Reply::streaming)) {
    return fail(ErrorCode::invalid_argument, "no answer has been begun");
  }
  if (closed_) return fail(body_error_ ? *body_error_ : Error(ErrorCode::closed));
  if (reply_framing_.kind == BodyKind::length && size > reply_left_) {
    return fail(ErrorCode::invalid_argument, "the answer is longer than its content-length");
  }
  return {};
}

net::Task<Result<void>> ServerStream::write(std::span<const std::string_view> pieces) {
  uint64_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  if (Result<void> allowed = check_write(size); !allowed) co_return allowed;
  const bool with_body = reply_framing_.kind != BodyKind::none;
  if (with_body) {
    for (const std::string_view piece : pieces) out_.add(piece);
    if (reply_framing_.kind == BodyKind::length) reply_left_ -= size;
  }
  if (std::exchange(reply_, Reply::streaming) == Reply::held) {
    submit_head(with_body);
  } else if (out_.waiting()) {
    nghttp2_session_resume_data(session_.session_, id_);
  }
  co_return co_await send();
}

net::Task<Result<void>> ServerStream::write(std::string_view piece) {
  co_return co_await write(std::span(&piece, 1));
}

net::Task<Result<void>> ServerStream::flush_head() {
  return write(std::string_view{});
}

net::Task<Result<void>> ServerStream::finish() {
  if (Result<void> allowed = check_write(0); !allowed) co_return allowed;
  if (reply_framing_.kind == BodyKind::length && reply_left_ > 0) {
    abort();
    co_return fail(ErrorCode::invalid_argument, "the answer is shorter than its content-length");
  }
  if (std::exchange(reply_, Reply::done) == Reply::held) {
    submit_head(false);
  } else if (reply_framing_.kind != BodyKind::none) {
    out_.end();
    nghttp2_session_resume_data(session_.session_, id_);
  }
  co_return co_await send();
}

net::Task<Result<void>> ServerStream::finish(const HeaderList& trailers) {
  // A request for HEAD has no body, and what has a length ends with it.
  if (reply_framing_.kind != BodyKind::chunked) co_return co_await finish();
  if (Result<void> allowed = check_write(0); !allowed) co_return allowed;
  const bool held = std::exchange(reply_, Reply::done) == Reply::held;
  out_.end_with_trailers();
  if (held) submit_head(true);
  fields_.clear();
  for (const Header& field : trailers) {
    if (valid_name(field.name) && valid_value(field.value) && !is_connection_field(field.name)) {
      fields_.add(field.name, field.value);
    } else {
      ++session_.core_.counters.fields_dropped;
    }
  }
  nghttp2_session_resume_data(session_.session_, id_);
  co_return co_await send();
}

// Inside nghttp2, when it takes the body's end.
void ServerStream::submit_trailers() {
  const auto fields = fields_.view();
  nghttp2_submit_trailer(session_.session_, id_, fields.data(), fields.size());
}

// Waits until the session has taken all that is lent to it.
net::Task<Result<void>> ServerStream::send() {
  session_.flush();
  while (out_.waiting() && !closed_ && !aborted_) {
    set_write_deadline();
    out_event_.reset();
    co_await out_event_.wait();
  }
  write_deadline_ = net::kNoDeadline;
  // A stream that was closed behind a whole answer is one that went well.
  if (closed_ && (gone_ || aborted_)) {
    co_return fail(body_error_ ? *body_error_ : Error(ErrorCode::closed));
  }
  co_return Result<void>();
}

void ServerStream::abort() {
  if (aborted_ || closed_) return;
  aborted_ = true;
  ++session_.core_.counters.aborted;
  out_.clear();
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_INTERNAL_ERROR);
  session_.flush();
}

net::Task<Result<Upgraded>> ServerStream::upgrade(const ResponseHead&) {
  co_return fail(ErrorCode::invalid_argument, "a request of HTTP/2 cannot be upgraded");
}

void ServerStream::GoneWakeup::tell(net::Wakeup& node) {
  auto& owner = static_cast<GoneWakeup&>(node).owner;
  // Moved out first: the callback may set another, or end what holds it.
  if (owner.gone_callback_) std::exchange(owner.gone_callback_, nullptr)();
}

void ServerStream::note_gone() {
  if (gone_) return;
  gone_ = true;
  if (running_) ++session_.core_.counters.clients_gone;
  if (gone_callback_) session_.loop_.wake(gone_wakeup_);
}

void ServerStream::on_client_gone(std::function<void()> callback) {
  gone_callback_ = std::move(callback);
  if (gone_ && gone_callback_) session_.loop_.wake(gone_wakeup_);
}

void ServerStream::set_body_deadline() {
  if (read_deadline_ != net::kNoDeadline && arrived_ - read_mark_ < kProgressBytes) {
    return session_.arm(read_deadline_);
  }
  read_deadline_ = session_.loop_.deadline_in(session_.core_.config.body_timeout);
  read_mark_ = arrived_;
  session_.arm(read_deadline_);
}

void ServerStream::set_write_deadline() {
  if (write_deadline_ != net::kNoDeadline && out_.taken() - write_mark_ < kProgressBytes) return;
  write_deadline_ = session_.loop_.deadline_in(session_.core_.config.write_timeout);
  write_mark_ = out_.taken();
  session_.arm(write_deadline_);
}

net::Deadline ServerStream::next_deadline() const {
  const bool read_counts = reading_ || discarding_;
  return std::min(read_counts ? read_deadline_ : net::kNoDeadline, write_deadline_);
}

void ServerStream::timer_due(Nanoseconds now) {
  ServerCounters& counters = session_.core_.counters;
  if ((reading_ || discarding_) && read_deadline_ <= now) {
    read_deadline_ = net::kNoDeadline;
    if (discarding_) {
      nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
    } else {
      ++counters.timeouts_body;
      body_error_ = ErrorCode::timeout;
      in_event_.set();
    }
  }
  if (write_deadline_ <= now) {
    // Writers are woken only when all is taken: some progress earns another deadline.
    if (out_.taken() - write_mark_ >= kProgressBytes) {
      write_deadline_ = net::kNoDeadline;
      set_write_deadline();
      return;
    }
    write_deadline_ = net::kNoDeadline;
    ++counters.timeouts_write;
    body_error_ = ErrorCode::timeout;
    aborted_ = true;
    out_.clear();
    nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
    out_event_.set();
    note_gone();
  }
}

}  // namespace weir::http::h2
