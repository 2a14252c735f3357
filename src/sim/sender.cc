#include "sim/sender.h"

#include <fmt/format.h>

#include <algorithm>

#include "dialect/errors.h"

namespace weir::sim {
namespace {

constexpr Nanoseconds kStallMax = std::chrono::hours(1);
constexpr Nanoseconds kBeforeReset = std::chrono::milliseconds(20);
constexpr size_t kOversizedBytes = size_t{128} * 1024;
constexpr size_t kDripBytes = 16;
// Faults of the middle of a stream strike here where the script does not say.
constexpr uint64_t kEventsBefore = 3;

constexpr std::string_view kGarbage = "\x16\x03\x01 this is not HTTP \xFF\xFE\r\n\r\n{{{";
constexpr std::string_view kGarbageBody =
    "<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>";

Nanoseconds times(Nanoseconds time, int64_t count) {
  return time * std::max<int64_t>(count, 0);
}

}  // namespace

Sender::Sender(http::ServerExchange& exchange, net::Loop& loop, Wires& wires, Call& call,
               Random random)
    : exchange_(exchange),
      loop_(loop),
      wires_(wires),
      call_(call),
      random_(random),
      gone_(loop),
      started_(loop.now()) {
  exchange_.on_client_gone([this] { gone_.set(); });
}

Nanoseconds Sender::jittered(Nanoseconds time, double jitter) {
  if (jitter <= 0 || time <= Nanoseconds(0)) return time;
  const double factor = 1 + jitter * (2 * random_.uniform() - 1);
  return Nanoseconds(static_cast<int64_t>(static_cast<double>(time.count()) * factor));
}

net::Task<bool> Sender::wait(Nanoseconds time) {
  if (time > Nanoseconds(0)) co_await gone_.wait_for(time);
  co_return !gone();
}

net::Task<bool> Sender::wait_until(Nanoseconds due) {
  co_return co_await wait(due - loop_.now());
}

void Sender::note_first_byte() {
  if (call_.first_byte_ms > 0) return;
  const auto taken = loop_.clock().monotonic() - exchange_.started();
  call_.first_byte_ms = std::max(0.001, static_cast<double>(taken.count()) / 1e6);
}

void Sender::cut(bool reset) {
  if (WireStream* wire = wires_.find(exchange_.peer()); wire != nullptr && reset) {
    wire->reset_on_close();
  }
  broken_ = true;
  exchange_.abort();
}

std::optional<uint64_t> Sender::events_before_fault() const {
  if (fault_ == nullptr || struck_) return std::nullopt;
  switch (fault_->kind) {
    case FaultKind::stall:
    case FaultKind::reset:
    case FaultKind::close:
    case FaultKind::truncate:
    case FaultKind::error_event:
      return fault_->after_events < 0 ? kEventsBefore : static_cast<uint64_t>(fault_->after_events);
    default:
      return std::nullopt;
  }
}

net::Task<bool> Sender::strike_before_head(AnswerHead& head, std::string* body) {
  if (fault_ == nullptr) co_return false;
  const bool early = fault_->after_events < 0;
  switch (fault_->kind) {
    case FaultKind::reset:
    case FaultKind::close:
      if (!early) co_return false;
      cut(fault_->kind == FaultKind::reset);
      co_return true;
    case FaultKind::stall:
      if (!early) co_return false;
      co_return !co_await stall();
    case FaultKind::garbage:
      if (WireStream* wire = wires_.find(exchange_.peer()); wire != nullptr) {
        wire->send_raw(fault_->body.empty() ? kGarbage : std::string_view(fault_->body));
      }
      cut(false);
      co_return true;
    case FaultKind::oversized_header:
      head.fields.emplace_back(
          "x-oversized", std::string(fault_->bytes > 0 ? fault_->bytes : kOversizedBytes, 'x'));
      broken_ = true;
      co_return false;
    case FaultKind::garbage_body:
      broken_ = true;
      head.content_type = fault_->content_type.empty() ? "text/html" : fault_->content_type;
      if (body != nullptr) *body = fault_->body.empty() ? kGarbageBody : fault_->body;
      co_return false;
    default:
      co_return false;
  }
}

// True when the answer goes on; one that does is not broken.
net::Task<bool> Sender::stall() {
  struck_ = true;
  const bool forever = fault_->duration == Nanoseconds(0);
  const bool there = co_await wait(forever ? kStallMax : fault_->duration);
  broken_ = forever || !there;
  co_return !broken_;
}

net::Task<bool> Sender::begin(const AnswerHead& head, std::optional<size_t> length) {
  http::ResponseHead out;
  out.status = head.status;
  out.headers.add("content-type", head.content_type);
  for (const auto& [name, value] : head.fields) out.headers.add(name, value);
  const std::string size = length ? std::to_string(*length) : std::string();
  if (length) out.headers.add("content-length", size);
  call_.status = head.status;
  if (!co_await exchange_.begin(out)) gone_.set();
  co_return !gone();
}

net::Task<bool> Sender::write(std::string_view bytes) {
  std::string frames;
  if (frames_) {
    if (!frames_->feed(bytes, frames)) co_return false;
    bytes = frames;
  }
  const bool slow = fault_is(FaultKind::slow);
  const size_t piece = fault_ != nullptr && fault_->bytes > 0 ? fault_->bytes : kDripBytes;
  while (!bytes.empty()) {
    const std::string_view part = slow ? bytes.substr(0, piece) : bytes;
    if (gone() || !co_await exchange_.write(part)) {
      gone_.set();
      co_return false;
    }
    note_first_byte();
    call_.bytes_sent += part.size();
    bytes.remove_prefix(part.size());
    if (slow && !co_await wait(fault_->pause)) co_return false;
  }
  co_return true;
}

net::Task<void> Sender::finish() {
  if (co_await exchange_.finish()) {
    note_first_byte();
    complete_ = true;
  } else {
    gone_.set();
  }
}

net::Task<bool> Sender::strike() {
  struck_ = true;
  broken_ = true;
  switch (fault_->kind) {
    case FaultKind::stall:
      if (!co_await exchange_.flush_head()) co_return false;
      co_return co_await stall();
    case FaultKind::reset:
    case FaultKind::close:
      static_cast<void>(co_await exchange_.flush_head());
      // A reset overtakes bytes on the way; these are to arrive.
      static_cast<void>(co_await wait(kBeforeReset));
      cut(fault_->kind == FaultKind::reset);
      co_return false;
    case FaultKind::error_event: {
      dialect::ApiError error;
      error.status = fault_->status;
      error.type = dialect::error_type_of_status(fault_->status);
      error.message =
          fault_->message.empty() ? "the simulator was told to fail here" : fault_->message;
      error.code = fault_->code;
      if (co_await write(dialect::write_stream_error(call_.dialect, error,
                                                     fmt::format("req_sim{}", call_.id)))) {
        co_await finish();
      }
      co_return false;
    }
    default:
      co_await finish();
      co_return false;
  }
}

net::Task<void> Sender::whole(AnswerHead head, std::string body, Effort effort) {
  frames_.reset();  // errors, too, of calls that asked for a stream
  if (co_await strike_before_head(head, &body)) co_return;
  const Latency& latency = effort.latency;
  const Nanoseconds time =
      jittered(latency.first_token + times(latency.input_token, effort.input_tokens) +
                   times(latency.token, effort.output_tokens - 1),
               latency.jitter);
  if (!co_await wait_until(started_ + time)) co_return;
  const bool cut_short = events_before_fault().has_value() && !fault_is(FaultKind::error_event);
  std::string_view bytes = body;
  size_t length = body.size();
  if (cut_short) bytes = bytes.substr(0, bytes.size() / 2);
  if (fault_is(FaultKind::truncate)) length = bytes.size();
  if (!co_await begin(head, length) || !co_await write(bytes)) co_return;
  if (cut_short) {
    if (!co_await strike()) co_return;
    if (!co_await write(std::string_view(body).substr(bytes.size()))) co_return;
  }
  call_.output_sent = effort.output_tokens;
  co_await finish();
}

// The events of one step, with the fault between them when its place has come.
net::Task<bool> Sender::write_events(std::string_view bytes) {
  const auto limit = events_before_fault();
  if (!limit) {
    call_.events_sent += count_events(bytes);
    co_return co_await write(bytes);
  }
  size_t cut_at = 0;
  while (call_.events_sent < *limit) {
    const size_t end = event_end(bytes, cut_at);
    if (end == std::string_view::npos) co_return co_await write(bytes);
    cut_at = end;
    ++call_.events_sent;
  }
  if (!co_await write(bytes.substr(0, cut_at)) || !co_await strike()) co_return false;
  bytes.remove_prefix(cut_at);
  call_.events_sent += count_events(bytes);
  co_return co_await write(bytes);
}

net::Task<void> Sender::stream(AnswerHead head, std::unique_ptr<Steps> steps, Effort effort) {
  if (co_await strike_before_head(head, nullptr)) co_return;
  const Latency& latency = effort.latency;
  Nanoseconds due =
      started_ + jittered(latency.first_token + times(latency.input_token, effort.input_tokens),
                          latency.jitter);
  if (fault_is(FaultKind::garbage_body)) {
    frames_.reset();
    co_await begin(head, kGarbageBody.size());
    if (co_await write(kGarbageBody)) co_await finish();
    co_return;
  }
  bool begun = false;
  // The head leaves with the first token; a fault that follows it at once brings it forward.
  std::string out;
  Step step;
  while (true) {
    out.clear();
    if (!steps->next(out, step)) break;
    due += step.wait;
    if (begun) due += jittered(times(latency.token, step.tokens), latency.jitter);
    const bool at_once = !begun && events_before_fault() == 0U;
    if (!at_once && !co_await wait_until(due)) co_return;
    if (!begun && !co_await begin(head, std::nullopt)) co_return;
    begun = true;
    if (!co_await write_events(out)) co_return;
    if (struck_) due = std::max(due, loop_.now());
    call_.output_sent += step.tokens;
  }
  if (!begun && !co_await begin(head, std::nullopt)) co_return;
  // A short answer may end before the fault was due: it strikes at the end all the same, so that a
  // script never passes for having worked.
  if (events_before_fault() && !co_await strike()) co_return;
  co_await finish();
}

}  // namespace weir::sim
