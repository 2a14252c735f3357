// StreamEvent: one step of a streamed answer in the form that all dialects share. A stream is
//
//   start, then for each part: part_start, deltas..., part_end; finish; usage (any time, merged
//   per field); end. ping may stand anywhere, error replaces what is left.
//
// Parts of one candidate do not overlap: readers of dialects that allow it (OpenAI's parallel tool
// calls by index) close one part before they open the next. Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/conversation.h"

namespace weir::dialect {

enum class EventKind : uint8_t {
  start,       // id, model
  part_start,  // part (0, 1, ...), part_kind; tool_call: id, name
  text_delta,  // text of a text, thinking or refusal part
  args_delta,  // fragment of a tool call's JSON arguments
  signature,   // signature of the thinking part or tool call that is open
  data,        // opaque payload of a redacted_thinking part, or base64 of an image/audio part
  citation,    // backs the text part that is open
  part_end,
  logprobs,  // OpenAI logprobs object as JSON text
  finish,    // stop, stop_sequence of a candidate
  usage,     // usage so far, cumulative
  ping,
  error,  // error: what happened after the stream had begun
  end,    // the terminator arrived: the stream is complete
};

// An error of a model API in neutral form. `type` is Weir's own class; writers map it to the
// client's vocabulary and keep the message.
enum class ApiErrorType : uint8_t {
  invalid_request,  // 400, 422
  authentication,   // 401
  permission,       // 403
  not_found,        // 404
  too_large,        // 413
  rate_limit,       // 429
  quota,            // 429/402 that waiting does not cure
  content_filter,   // 400 by policy
  server,           // 500
  unavailable,      // 502, 503
  overloaded,       // 529
  timeout,          // 504, 408
};
std::string_view to_string(ApiErrorType type);

struct ApiError {
  ApiErrorType type = ApiErrorType::server;
  int status = 500;  // HTTP status to answer with when nothing has been sent
  std::string message = {};
  std::string code = {};   // provider's or Weir's code: "model_not_found", "content_filter"
  std::string param = {};  // OpenAI: the parameter at fault
  bool operator==(const ApiError&) const = default;
};

struct StreamEvent {
  EventKind kind = EventKind::ping;
  uint32_t candidate = 0;
  uint32_t part = 0;
  PartKind part_kind = PartKind::text;
  StopReason stop = StopReason::unset;
  std::string text;  // delta, signature, data, logprobs; start: created time is in `created`
  std::string id;    // start: reply id; part_start of a tool call: call id
  std::string name;  // start: model; part_start of a tool call: tool name; finish: stop sequence
  std::string media_type;  // part_start of image, document or audio
  // part_start and signature: whose signature, opaque data or native block it is (Part::origin). A
  // native part is part_start (id, name) and one args_delta with its JSON.
  Dialect origin = Dialect::passthrough;
  bool freeform = false;  // part_start of a tool call: its deltas are text_delta, not args_delta
  Citation citation;
  int64_t created = 0;
  Usage usage;
  ApiError error;
  bool operator==(const StreamEvent&) const = default;
};

using StreamEvents = std::vector<StreamEvent>;

// Builds the whole Reply from events in order; the inverse is events_of(). Memory is that of the
// reply. Candidates beyond kCandidatesMax are passed over (no API gives more).
class ReplyBuilder {
 public:
  static constexpr uint32_t kCandidatesMax = 128;

  void add(const StreamEvent& event);
  const Reply& reply() const { return reply_; }
  Reply take() { return std::move(reply_); }

 private:
  Reply reply_;
};
StreamEvents events_of(const Reply& reply);

}  // namespace weir::dialect
