// Relay: a provider's answer on its way to the client. Same dialect: the bytes pass, metered.
// Other dialect: events are read and written again. Nothing goes out before the first content has
// come, so that until then another attempt can be made; after it, a failure is told inside the
// stream in the client's dialect, and no terminator of success follows it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "dialect/stream_event.h"
#include "gateway/exchange.h"
#include "gateway/outgoing.h"
#include "http/exchange.h"
#include "net/task.h"
#include "net/timer.h"
#include "provider/failure.h"

namespace weir::gateway {

// The one timer of an attempt: each phase arms it anew, never beyond the request's total.
class AttemptTimer {
 public:
  AttemptTimer(Exchange& x, http::ClientExchange& upstream);
  // Fails the attempt with `timeout` when that phase lasts longer than `limit`.
  void arm(std::string_view phase, Milliseconds limit);
  // The client is waited for (it reads slowly, or sends slowly), which the server's own time-outs
  // bound: only the request's total time goes on.
  void wait_for_client();
  void cancel() { timer_.cancel(); }
  // It was the request's total time that ended the attempt.
  bool total_is_over() const { return total_is_over_; }

 private:
  void set(Nanoseconds after);
  void expire();

  Exchange& x_;
  http::ClientExchange& upstream_;
  std::string_view phase_;
  Milliseconds limit_{0};
  // What counts. Every event of a stream moves it on, so the timer is only ever moved forward: one
  // that fires early is armed again.
  net::Deadline deadline_ = net::kNoDeadline;
  bool total_ = false;  // what is armed is the end of the total time
  bool total_is_over_ = false;
  net::Timer timer_;
};

struct Relay {
  Exchange& x;
  const provider::Deployment& deployment;
  const Outgoing& outgoing;
  http::ClientExchange& upstream;
  const http::ResponseHead& head;  // the provider's
  AttemptTimer& timer;
  // The first piece of an event stream, where it was read already.
  std::optional<Result<std::string_view>> first = std::nullopt;
};

struct RelayEnd {
  provider::FailureClass failure = provider::FailureClass::none;
  dialect::ApiError error;  // meaningful on a failure
};

// An answer with status 2xx. Chooses among the ways below by what was asked and what came.
net::Task<RelayEnd> relay(Relay& r);

// The request as read for a translation, for the writers of its answer; nullptr where it was not.
const dialect::Conversation* asked_of(const Exchange& x);

// relay_whole.cc: read whole, checked, metered or translated, answered in one write.
net::Task<RelayEnd> relay_whole(Relay& r);
// relay_calls.cc: a request that takes several calls (Outgoing::calls()).
net::Task<RelayEnd> relay_calls(Relay& r);
// relay_stream.cc: server-sent events.
net::Task<RelayEnd> relay_stream(Relay& r);
// relay_bytes.cc: endpoints that Weir does not read (audio, files), of any size.
net::Task<RelayEnd> relay_bytes(Relay& r, std::string already_read);

// Answers are held until they are whole, so that a broken one can be tried elsewhere: up to here
// where they must be translated, and counted against the worker's memory.
inline constexpr size_t kTranslatedBytesMax = 64 * 1024 * 1024;
// The deployment's failure, in Weir's words.
RelayEnd failed(const Relay& r, provider::FailureClass failure, std::string_view detail);
// The bodies that are held have reached their limit: this request ends, and nobody is to blame.
RelayEnd no_memory(Exchange& x);
RelayEnd too_long(const Relay& r);
// Sends a whole answer, with its cost.
net::Task<RelayEnd> answer_whole(Relay& r, std::string_view type, std::string_view bytes);

// The provider's stream is server-sent events inside AWS's event stream.
bool in_frames(const Relay& r);

// The head of the client's answer: what of the provider's may pass, and Weir's own fields.
void answer_headers(const Relay& r, std::string_view content_type, http::AnswerFields& fields);
// Keeps what capture wants of the answer, within its limit.
void capture_response(Exchange& x, std::string_view bytes);
// Begins a streamed answer; false when the client is gone.
net::Task<bool> begin_stream(Relay& r, std::string_view content_type);
net::Task<bool> write_stream(Exchange& x, std::span<const std::string_view> pieces);

}  // namespace weir::gateway
