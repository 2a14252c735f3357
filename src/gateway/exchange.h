// Exchange: one request on its way through the gateway. Every stage adds to it; none but the
// retry, which returns to plan, goes back. It lives in the coroutine frame of serve() and nobody
// else holds it. Settled exactly once, by settle(), whatever happened.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/principal.h"
#include "base/json/document.h"
#include "dialect/conversation.h"
#include "dialect/stream_event.h"
#include "gateway/route.h"
#include "gateway/worker.h"
#include "http/exchange.h"
#include "ledger/admission.h"
#include "ledger/cost.h"
#include "provider/failure.h"
#include "provider/pool.h"

namespace weir::gateway {

// One try at one deployment, for the ledger and the log.
struct AttemptRecord {
  const provider::Deployment* deployment = nullptr;  // lives as long as the snapshot
  provider::Choice choice = provider::Choice::weighted;
  provider::FailureClass failure = provider::FailureClass::none;
  int status = 0;  // the provider's; 0: none came
  // What the provider asked to wait before the next request.
  std::optional<Milliseconds> retry_after;
  // Refused here: this deployment cannot be told what the client asks. Nothing was sent.
  bool refused_here = false;
  // A time-out of the client's making, or of the attempts before.
  bool excused = false;
  // It was lost on a kept connection that may have been dead before: the next one, on a new
  // connection, counts as none of the allowed ones. At most one of an exchange.
  bool stale = false;
  // Another attempt beside it began to answer first.
  bool lost_race = false;
  Nanoseconds started{0};
  Nanoseconds ended{0};
  bool sent = false;  // the whole request went out, where no status came
  bool concluded = false;
  Ticket ticket;        // its place in the books of this worker's traffic
  bool closed = false;  // what it used and what it costs is known: close_attempt()
  dialect::Usage usage;
  ledger::Cost cost;
};

// The answer of a provider that is passed on although it is an error: its own bytes, where the
// client speaks the same dialect.
struct ForeignError {
  int status = 0;
  std::string content_type;
  std::string body;
};

class Drain;

struct Exchange {
  Exchange(Worker& worker_, http::ServerExchange& client_)
      : worker(worker_), client(client_), snapshot(worker_.snapshot) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Worker& worker;
  http::ServerExchange& client;
  std::shared_ptr<const Snapshot> snapshot;

  // accept
  Id id;
  std::string id_text;  // x-weir-request-id
  int64_t start_ms = 0;
  Nanoseconds started{0};
  Route route;

  // authenticate
  const access::Principal* principal = nullptr;

  // read
  std::string body;            // whole, or the part read before streaming began
  bool body_streamed = false;  // the rest of the body is still to be read from the client
  bool body_spent = false;     // ... and an attempt has begun to: it cannot be sent again
  bool body_is_json = false;
  int64_t batch_row = 0;    // of the batch that this request makes, where it was announced
  json::Document document;  // of `body`, when it is JSON
  std::string model_asked;
  bool model_named = false;  // by the request itself, not by x-weir-model or a default
  bool stream = false;
  bool client_wants_usage = false;  // stream_options.include_usage was the client's own wish
  std::string user;
  int64_t input_estimate = 0;   // tokens
  int64_t output_estimate = 0;  // tokens: the most it may answer, or a guess

  bool probe = false;  // a call of Weir's own, made to see whether a deployment is well (probe.h)

  // An id in the request belongs to this account: no other may serve it (pins.h).
  const provider::Account* pinned = nullptr;  // lives as long as the snapshot
  std::string pinned_by;                      // the id
  // The previous_response_id whose conversation was put into the request (recall.h).
  std::string recalled;

  // admit
  ledger::Admission admission;
  ledger::AdmitAnswer limits;
  bool limited = false;               // the key or its team has limits: tell them in headers
  bool model_full = false;            // refused for the model's own limits: worth waiting (queue.h)
  WaitQueue::Place* place = nullptr;  // while it waits
  Nanoseconds wait_until{0};

  // plan
  const Model* asked = nullptr;                       // the model the client named
  const Model* serving = nullptr;                     // it, or the fallback in use
  std::optional<dialect::Conversation> conversation;  // read once, when a translation needs it

  std::optional<AffinityKeys> affinity;  // of what it asks for; read when first needed

  // attempts
  std::vector<AttemptRecord> attempts;
  const provider::Deployment* deployment = nullptr;  // of the current or last attempt
  http::ClientExchange* upstream = nullptr;          // while one is under way
  http::ClientExchange* beside = nullptr;            // and a second one, while they race
  Drain* drain = nullptr;                            // while a stream is relayed
  bool client_gone = false;
  AbortHandling abort_handling = AbortHandling::none;
  std::optional<dialect::ApiError> error;  // what the client is or will be told
  std::optional<ForeignError> foreign_error;
  std::optional<Milliseconds> retry_after;
  std::string attempt_detail;  // what the log says of a failed attempt; no secret, no prompt
  dialect::Dropped dropped;    // what translation could not express

  // relay
  dialect::Usage usage;
  int64_t generated_bytes = 0;
  bool usage_local = false;   // counted here without a call (count_tokens estimates)
  Nanoseconds first_byte{0};  // of the answer to the client
  Nanoseconds upstream_time{0};
  Nanoseconds waited_behind{0};  // for the provider, behind the first content of a stream
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int status = 0;  // sent to the client; 0: nothing was
  ledger::Outcome outcome = ledger::Outcome::ok;
  std::string response_capture;
  std::string response_content_type;
  uint32_t journal_slot = ledger::Journal::kNoSlot;  // where its row lies until it is committed
  bool walked = false;  // to the end: else the frame was destroyed on the way, as Weir stopped
  bool settled = false;

  Nanoseconds now() const { return worker.loop.now(); }
  // A key or a model that says no is obeyed, whoever says yes.
  bool capturing() const {
    const auto of_key = principal == nullptr ? std::nullopt : principal->capture;
    const auto of_model = asked == nullptr ? std::nullopt : asked->capture;
    if (of_key == false || of_model == false) return false;
    return snapshot->capture.enabled || of_key == true || of_model == true;
  }
};

}  // namespace weir::gateway
