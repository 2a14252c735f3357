// Script: what a simulated provider is told to do other than answer by itself. A script is a list
// of rules; the first one that fits a call and has calls left decides it: a fault, a scripted
// answer, or recorded bytes served as they are. Rules can be added and taken away while the
// simulator runs. One thread. Limits: 1,000 rules; the bytes of a rule are those of the request
// that brought it.
//
// A rule as JSON (every member but one of fault, reply and raw may be left out):
//
//   {"match": "weather",              text in the last user message
//    "tool": "Read",                  a tool that the call offers
//    "system": "You are",             text in the system prompt
//    "result_of": "Read",             a tool whose result the last turn brought
//    "result": "the word is",         text in the results that it brought
//    "take": {"after": "word is ", "until": "."},  finds text there (where it brought none: in the
//                                     user's), which "${taken}" in reply stands for
//    "model": "gpt-4o", "dialect": "openai_chat", "endpoint": "chat", "path": "/deployments/",
//    "key": "last characters of the key", "stream": true,
//    "after": 2, "times": 3,          leave the first two such calls alone, act on three (0: all)
//    "rate": 0.05,                    act on this share of the calls, by the seed
//    "fault": {"kind": "status", "status": 429, "retry_after": "2"},
//    "reply": {"text": "...", "thinking": "...", "refusal": "...", "stop": "max_tokens",
//              "tool_calls": [{"name": "get_weather", "arguments": {"city": "Oslo"}},
//                             {"name": "apply_patch", "input": "text for a custom tool"}],
//              "usage": {"input": 10, "cached": 5, "output": 7, "reasoning": 2}},
//    "raw": {"chunks": [...]},        see RawReply
//    "latency": {"first_token_ms": 300, "token_ms": 20}}
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json/document.h"
#include "base/random.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/usage.h"
#include "sim/route.h"

namespace weir::sim {

// How long an answer takes: first token after first_token + input tokens x input_token, then one
// token every `token`; each wait is stretched or shrunk by up to `jitter` of itself.
struct Latency {
  Nanoseconds first_token{0};
  Nanoseconds input_token{0};
  Nanoseconds token{0};
  double jitter = 0;  // 0..1
};

enum class FaultKind : uint8_t {
  status,            // an error answer: `status`, in the caller's dialect
  content_filter,    // 400, as Azure and OpenAI refuse a prompt
  stall,             // nothing more comes
  reset,             // the connection is reset
  close,             // the connection is closed in the middle of the body
  truncate,          // the body ends in order, but the answer in it does not: JSON cut in half, a
                     // stream without its terminator
  error_event,       // an error event in the middle of a stream
  garbage,           // bytes that are no HTTP
  garbage_body,      // 200 with a body that is no JSON
  oversized_header,  // a header field of `bytes`
  slow,              // the body drips: `bytes` every `pause`
};
std::string_view to_string(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::status;
  int status = 500;
  std::string retry_after;     // retry-after, as given: "2" or a date
  std::string retry_after_ms;  // Azure's header
  std::string message;
  std::string code;
  std::string body;  // status, garbage: instead of the dialect's own
  std::string content_type;
  // stall, reset, close, truncate, error_event: how many events of a stream go out before; -1: not
  // even the head (where that can be), for error_event and truncate half of the answer.
  int64_t after_events = -1;
  Nanoseconds duration{0};                            // stall: goes on after this long; 0: never
  size_t bytes = 0;                                   // oversized_header, slow; 0: what is usual
  Nanoseconds pause = std::chrono::milliseconds(50);  // slow
};

struct ScriptedReply {
  std::vector<dialect::Part> parts;  // in order: thinking, text, refusal, tool calls
  dialect::StopReason stop = dialect::StopReason::unset;  // unset: what the parts say
  std::string model;                                      // as the provider names it
  std::optional<int64_t> input, cached, cache_write, output, reasoning;
  std::optional<int64_t> tokens;  // without parts: how long a made-up text is
};

// Recorded bytes. A body is sent as it is; chunks are put into the dialect's SSE form ("event:"
// from the chunk's type for Anthropic and Responses, "data: [DONE]" behind chat and completions).
//   {"status": 200, "content_type": "...", "headers": {"x-request-id": "..."},
//    "body": "text", "body_base64": "...", "json": {...},       one of these for a whole body
//    "chunks": [{...}, {...}], "lines": "one chunk's JSON per line",  or of these for a stream
//    "terminator": true, "crlf": false, "split": 0, "pause_ms": 0}
struct RawReply {
  int status = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<std::string> chunks;  // JSON texts
  bool stream = false;
  bool terminator = true;  // [DONE] where the dialect has it
  bool crlf = false;       // line ends of the events; Gemini's are always
  size_t split = 0;        // bytes per write; 0: event by event
  Nanoseconds pause{0};    // between writes
};

// The text between two others; until the end of the line where `until` is empty.
struct Take {
  std::string after, until;
};

struct Rule {
  uint64_t id = 0;  // given by Script::add
  std::string name;
  std::string match, model, endpoint, path, key;
  std::string tool, system, result_of, result;  // of the conversation
  std::optional<Take> take;
  std::optional<dialect::Dialect> dialect;
  std::optional<bool> stream;
  uint64_t after = 0;
  uint64_t times = 0;  // 0: no end
  double rate = 1;
  std::optional<Latency> latency;
  std::optional<Fault> fault;
  std::optional<ScriptedReply> reply;
  std::optional<RawReply> raw;
};

// What rules look at. The conversation is null for calls that are none; it outlives the facts.
struct CallFacts {
  Endpoint endpoint = Endpoint::unknown;
  dialect::Dialect dialect = dialect::Dialect::passthrough;
  std::string_view model, path, key, last_user_text;
  bool stream = false;
  const dialect::Conversation* conversation = nullptr;
};

// What the rule takes from the call; nothing where it is not there.
std::optional<std::string> take_text(const Take& take, const CallFacts& facts);
// The reply with `taken` in the places of "${taken}": text as it is, JSON as part of a string.
ScriptedReply fill_reply(ScriptedReply reply, std::string_view taken);

class Script {
 public:
  static constexpr size_t kRulesMax = 1000;

  // Behind the rules that are there. Gives the rule's id; limit_exceeded at kRulesMax.
  Result<uint64_t> add(Rule rule);
  // Whether there was one.
  bool remove(uint64_t id);
  void clear() { entries_.clear(); }
  // The rule for this call, which is counted; null where none fits.
  std::shared_ptr<const Rule> pick(const CallFacts& facts, Random& random);

  struct State {
    std::shared_ptr<const Rule> rule;
    uint64_t fitted = 0;  // calls that it fitted
    uint64_t hits = 0;    // calls that it decided
  };
  const std::vector<State>& rules() const { return entries_; }

 private:
  std::vector<State> entries_;
  uint64_t next_id_ = 1;
};

// invalid_argument names the member: "fault.kind: no such fault 'stat' (did you mean 'status'?)".
Result<Rule> parse_rule(json::Value value);
// One rule, an array of rules, or {"rules": [...]}.
Result<std::vector<Rule>> parse_rules(json::Value value);
Result<Latency> parse_latency(json::Value value);

}  // namespace weir::sim
