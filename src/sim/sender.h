// Sender: puts one answer on the wire at a model's pace, with whatever fault was asked for, and
// notes what went out in the call's record. Lives in the frame of the call; one loop, one thread.
// Limit: a stall that nobody ends ends after an hour.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "dialect/event_stream.h"
#include "http/exchange.h"
#include "net/loop.h"
#include "net/task.h"
#include "sim/call_log.h"
#include "sim/rate_limit.h"
#include "sim/script.h"
#include "sim/steps.h"
#include "sim/wire_stream.h"

namespace weir::sim {

struct AnswerHead {
  int status = 200;
  std::string content_type = "application/json";
  HeaderFields fields;
};

// What an answer takes: the input decides about the first token, the output about the rest.
struct Effort {
  Latency latency;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
};

class Sender {
 public:
  Sender(http::ServerExchange& exchange, net::Loop& loop, Wires& wires, Call& call, Random random);
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Streams leave in AWS's event stream; `chunks`: as InvokeModel frames them.
  void set_frames(bool chunks) { frames_.emplace(chunks); }
  // The fault outlives the sender.
  void set_fault(const Fault* fault) { fault_ = fault; }

  net::Task<void> whole(AnswerHead head, std::string body, Effort effort);
  net::Task<void> stream(AnswerHead head, std::unique_ptr<Steps> steps, Effort effort);

  // The client has gone away.
  bool gone() const { return gone_.is_set(); }
  // Sent to the end, in order.
  bool complete() const { return complete_; }
  // A fault has decided how this ended.
  bool broken() const { return broken_; }

 private:
  // How far before a fault of the stream strikes; nullopt when none will.
  std::optional<uint64_t> events_before_fault() const;
  bool fault_is(FaultKind kind) const { return fault_ != nullptr && fault_->kind == kind; }
  // Faults that keep even the head back. True when the answer is over.
  net::Task<bool> strike_before_head(AnswerHead& head, std::string* body);
  net::Task<bool> begin(const AnswerHead& head, std::optional<size_t> length);
  net::Task<bool> write(std::string_view bytes);
  net::Task<bool> write_events(std::string_view bytes);
  net::Task<void> finish();
  // The fault of a stream or of half a body; true when the answer goes on after it.
  net::Task<bool> strike();
  net::Task<bool> stall();
  // False when the client went away meanwhile.
  net::Task<bool> wait_until(Nanoseconds due);
  net::Task<bool> wait(Nanoseconds time);
  Nanoseconds jittered(Nanoseconds time, double jitter);
  void cut(bool reset);
  void note_first_byte();

  http::ServerExchange& exchange_;
  net::Loop& loop_;
  Wires& wires_;
  Call& call_;
  Random random_;
  const Fault* fault_ = nullptr;
  std::optional<dialect::SseToEventStream> frames_;
  net::Event gone_;
  Nanoseconds started_;
  bool struck_ = false;
  bool complete_ = false;
  bool broken_ = false;
};

}  // namespace weir::sim
