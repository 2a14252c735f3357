#include <fmt/format.h>

#include <utility>

#include "dialect/event_stream.h"
#include "dialect/relay/meter.h"
#include "dialect/sse.h"
#include "dialect/translate.h"
#include "gateway/drain.h"
#include "gateway/pins.h"
#include "gateway/relay.h"
#include "gateway/responses_tap.h"

namespace weir::gateway {
namespace {

using dialect::ApiError;
using dialect::EventKind;
using provider::FailureClass;

// What may come before the first content (role, message_start, pings, comments) is held back up to
// here; a provider that sends more of it is relayed from then on.
constexpr size_t kHeldBytesMax = 64 * 1024;

// Takes a provider's stream piece by piece and gives what the client shall see: the same bytes or
// translated events. One object per attempt.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  virtual Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) = 0;
  // The provider's bytes have ended.
  virtual void finish(std::vector<std::string_view>& out) = 0;
  virtual bool has_content() const = 0;
  virtual bool complete() const = 0;
  // An error that the provider sent inside the stream.
  virtual const ApiError* error() const = 0;
  // Whether feed() already gave the client the bytes that tell error().
  virtual bool error_was_told() const = 0;
  // What follows an error that was told is part of the form, too: a JSON array must be closed.
  virtual bool goes_on_behind_error() const { return false; }
  virtual void collect(Exchange& x) const = 0;
  // The bytes that tell the client an error behind what feed() has given it.
  virtual std::string tell(const ApiError& error, const Exchange& x) = 0;
};

class SameDialect final : public StreamSource {
 public:
  SameDialect(dialect::Dialect dialect, bool strip_usage_chunk, bool array)
      : meter_(dialect::make_relay_meter(dialect, {.strip_usage_chunk = strip_usage_chunk})),
        array_(array) {}
  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override {
    return meter_->feed(bytes, out);
  }
  void finish(std::vector<std::string_view>& out) override { meter_->finish(out); }
  bool has_content() const override { return meter_->has_content(); }
  bool complete() const override { return meter_->complete(); }
  const ApiError* error() const override { return meter_->error() ? &*meter_->error() : nullptr; }
  bool error_was_told() const override { return true; }
  bool goes_on_behind_error() const override { return array_; }
  void collect(Exchange& x) const override {
    x.usage = meter_->usage();
    x.generated_bytes = meter_->generated_bytes();
  }
  std::string tell(const ApiError& error, const Exchange& x) override {
    if (!array_) return meter_->broken_off(error, x.route.error_dialect, x.id_text);
    // Only whole elements were let through, and at least one: the content that began the answer.
    return fmt::format(",\r\n{}\r\n]",
                       dialect::write_error(x.route.error_dialect, error, x.id_text));
  }

 private:
  std::unique_ptr<dialect::RelayMeter> meter_;
  const bool array_;  // Gemini's stream as one JSON array
};

class Translated final : public StreamSource {
 public:
  Translated(dialect::Dialect from, dialect::Dialect to, const dialect::Context& context)
      : reader_(dialect::make_stream_reader(from)),
        writer_(dialect::make_stream_writer(to, context)) {}

  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override {
    text_.clear();
    WEIR_CHECK_OK(sse_.feed(bytes, [this](const dialect::SseEvent& event) { take(event); }));
    if (!text_.empty()) out.push_back(text_);
    return {};
  }
  void finish(std::vector<std::string_view>& out) override {
    text_.clear();
    if (auto rest = sse_.finish([this](const dialect::SseEvent& event) { take(event); }); rest) {
      events_.clear();
      reader_->finish(events_);
      // That the end came too early is judged and told below, the same way for all sources.
      std::erase_if(events_, [](const auto& event) { return event.kind == EventKind::error; });
      write();
    }
    if (!text_.empty()) out.push_back(text_);
  }
  bool has_content() const override { return content_; }
  bool complete() const override { return complete_; }
  const ApiError* error() const override { return error_ ? &*error_ : nullptr; }
  bool error_was_told() const override { return true; }
  void collect(Exchange& x) const override {
    x.usage = usage_;
    x.generated_bytes = generated_;
  }
  std::string tell(const ApiError& error, const Exchange& /*x*/) override {
    std::string told;
    writer_->write({.kind = EventKind::error, .error = error}, told);
    return told;
  }

 private:
  void take(const dialect::SseEvent& event) {
    events_.clear();
    reader_->read(event, events_);
    write();
  }
  void write() {
    for (const dialect::StreamEvent& event : events_) {
      switch (event.kind) {
        case EventKind::text_delta:
        case EventKind::args_delta:
        case EventKind::data:
          content_ = content_ || !event.text.empty();
          generated_ += static_cast<int64_t>(event.text.size());
          break;
        case EventKind::part_start:
          content_ = content_ || event.part_kind == dialect::PartKind::tool_call;
          break;
        case EventKind::finish:
          content_ = true;
          break;
        case EventKind::start:
        case EventKind::usage:
          usage_.merge(event.usage);
          break;
        case EventKind::end:
          complete_ = true;
          break;
        case EventKind::error:
          if (!error_) error_ = event.error;
          break;
        default:
          break;
      }
      writer_->write(event, text_);
    }
  }

  dialect::SseReader sse_;
  std::unique_ptr<dialect::StreamReader> reader_;
  std::unique_ptr<dialect::StreamWriter> writer_;
  dialect::StreamEvents events_;
  std::string text_;
  dialect::Usage usage_;
  std::optional<ApiError> error_;
  int64_t generated_ = 0;
  bool content_ = false;
  bool complete_ = false;
};

// What another source reads, out of AWS's frames.
class InFrames final : public StreamSource {
 public:
  InFrames(std::unique_ptr<StreamSource> inner, dialect::Dialect dialect)
      : inner_(std::move(inner)), frames_(dialect) {}

  Result<void> feed(std::string_view bytes, std::vector<std::string_view>& out) override {
    events_.clear();
    auto unpacked = frames_.feed(bytes, events_);
    // What stood in front of a broken frame is good.
    WEIR_CHECK_OK(inner_->feed(events_, out));
    return unpacked;
  }
  void finish(std::vector<std::string_view>& out) override { inner_->finish(out); }
  bool has_content() const override { return inner_->has_content(); }
  bool complete() const override { return inner_->complete(); }
  const ApiError* error() const override { return inner_->error(); }
  bool error_was_told() const override { return inner_->error_was_told(); }
  void collect(Exchange& x) const override { inner_->collect(x); }
  std::string tell(const ApiError& error, const Exchange& x) override {
    return inner_->tell(error, x);
  }

 private:
  std::unique_ptr<StreamSource> inner_;
  dialect::EventStreamToSse frames_;
  std::string events_;  // what the inner source's views point into
};

std::unique_ptr<StreamSource> make_inner_source(const Relay& r) {
  const Exchange& x = r.x;
  if (!r.outgoing.translated()) {
    return std::make_unique<SameDialect>(r.outgoing.provider_dialect(),
                                         r.outgoing.strip_usage_chunk(), !r.outgoing.client_sse());
  }
  return std::make_unique<Translated>(r.outgoing.provider_dialect(), x.route.dialect,
                                      dialect::Context{.model = x.model_asked,
                                                       .request_id = x.id_text,
                                                       .now_s = x.start_ms / 1000,
                                                       .asked = asked_of(x),
                                                       .include_usage = x.client_wants_usage,
                                                       .sse = r.outgoing.client_sse()});
}

std::unique_ptr<StreamSource> make_source(const Relay& r) {
  auto source = make_inner_source(r);
  if (!in_frames(r)) return source;
  return std::make_unique<InFrames>(std::move(source), r.outgoing.provider_dialect());
}

struct Failure {
  FailureClass kind = FailureClass::none;
  ApiError error;
  bool told = false;  // the client has seen it
};

Failure failure_of(const Relay& r, FailureClass kind, std::string_view detail) {
  return {kind, provider::error_of(kind, r.deployment.name, detail), false};
}

// What went wrong in the stream so far, if anything.
Failure judge(const Relay& r, const StreamSource& source, const Error* read_error, bool ended) {
  if (source.complete()) return {};
  if (const ApiError* error = source.error()) {
    return {provider::classify_status(error->status, *error), *error, source.error_was_told()};
  }
  if (read_error != nullptr) {
    return failure_of(r, provider::classify_error(*read_error, true), read_error->message());
  }
  if (ended) return failure_of(r, FailureClass::truncated, "no terminator");
  return {};
}

struct Piece {
  size_t bytes = 0;
  bool last = false;    // nothing follows it
  bool failed = false;  // the provider broke off
};

// Whether the stream goes on behind this piece for the sake of its usage alone: the client is gone.
bool reads_on(Drain& drain, const StreamSource& source, const Piece& read) {
  if (source.complete()) drain.set_whole();
  if (read.last && !drain.running()) return false;
  if (!drain.begin()) return false;
  if (read.failed) drain.set_failed();
  return !read.last && drain.take(read.bytes);
}

// Hands over what was used when the relay ends.
class Collecting {
 public:
  Collecting(const StreamSource& source, Exchange& x) : source_(source), x_(x) {}
  ~Collecting() {
    source_.collect(x_);
    // Counts told on the way (Anthropic's message_start, Gemini's every chunk) are not the
    // answer's.
    if (!source_.complete()) x_.usage.reported = false;
  }
  Collecting(const Collecting&) = delete;
  Collecting& operator=(const Collecting&) = delete;

 private:
  const StreamSource& source_;
  Exchange& x_;
};

}  // namespace

net::Task<RelayEnd> relay_stream(Relay& r) {
  Exchange& x = r.x;
  const std::unique_ptr<StreamSource> source = make_source(r);
  // Whatever way this frame goes: an answer that is cut by Weir's own end is billed as well.
  const Collecting collecting(*source, x);
  Drain drain(x, *r.deployment.account, r.upstream);
  std::optional<ResponsesTap> tap;
  if (x.route.operation == provider::Operation::respond ||
      (!r.outgoing.translated() && may_make_container(x))) {
    tap.emplace(x, r.outgoing.translated());
  }
  std::string held;
  std::vector<std::string_view> out;
  bool begun = false;
  bool all_told = false;  // the client has the dialect's own end
  Failure failure;
  while (true) {
    r.timer.arm(begun ? "data" : "first token",
                begun ? x.asked->timeouts.idle : x.asked->timeouts.first_token);
    const Nanoseconds asked = x.now();
    std::optional<Result<std::string_view>> early = std::exchange(r.first, std::nullopt);
    auto piece = early ? std::move(*early) : co_await r.upstream.read_body();
    if (begun) x.waited_behind += x.now() - asked;
    out.clear();
    const bool ended = piece && piece->empty();
    std::optional<Error> read_error;
    if (!piece) {
      read_error = piece.error();
    } else if (ended) {
      source->finish(out);
    } else if (auto fed = source->feed(*piece, out); !fed) {
      read_error = fed.error();
    }
    if (tap) {
      for (const std::string_view bytes : out) tap->feed(bytes);
    }
    if (read_error || ended || source->error() != nullptr) {
      failure = judge(r, *source, read_error ? &*read_error : nullptr, ended);
    } else if (failure.kind != FailureClass::none) {
      failure = {};
    }
    const Piece read{.bytes = piece ? piece->size() : 0,
                     .last = ended || read_error || failure.kind != FailureClass::none,
                     .failed = failure.kind != FailureClass::none};
    if (x.client_gone) {
      if (!reads_on(drain, *source, read)) break;
      continue;
    }
    if (!begun) {
      if (failure.kind != FailureClass::none && !source->has_content()) {
        co_return RelayEnd{failure.kind, failure.error};
      }
      for (const std::string_view bytes : out) held += bytes;
      const bool ready = source->has_content() || source->complete() || ended || read_error ||
                         held.size() > kHeldBytesMax;
      if (!ready) continue;
      begun = true;
      x.upstream_time = x.now() - x.started;
      const std::string_view type = r.outgoing.translated() || in_frames(r)
                                        ? r.outgoing.translated_stream_type()
                                        : r.head.headers.get("content-type");
      if (!co_await begin_stream(r, type)) {
        if (!reads_on(drain, *source, read)) break;
        continue;
      }
      out.assign(1, held);
    }
    r.timer.wait_for_client();
    if (!out.empty() && !out.front().empty() && !co_await write_stream(x, out)) {
      if (!reads_on(drain, *source, read)) break;
      continue;
    }
    all_told = source->complete();
    if (all_told) drain.set_whole();
    if (ended || read_error) break;
    if (failure.kind != FailureClass::none && !(failure.told && source->goes_on_behind_error())) {
      break;
    }
  }
  // SDKs hang up at the terminator without waiting for HTTP's own end.
  if (all_told) x.client_gone = false;
  if (x.client_gone) co_return RelayEnd{};
  if (failure.kind == FailureClass::none) {
    if (!co_await x.client.finish() && !all_told) x.client_gone = true;
    co_return RelayEnd{};
  }
  if (failure.kind == FailureClass::cancelled && x.client.client_gone()) {
    x.client_gone = true;
    co_return RelayEnd{};
  }
  if (!failure.told) {
    const std::string told = source->tell(failure.error, x);
    const std::string_view bytes = told;
    if (!co_await write_stream(x, {&bytes, 1})) co_return RelayEnd{failure.kind, failure.error};
  }
  if (!co_await x.client.finish()) x.client_gone = true;
  co_return RelayEnd{failure.kind, failure.error};
}

}  // namespace weir::gateway
