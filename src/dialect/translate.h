// The one door to translation: a reader and a writer per dialect, chosen by a table. No pair of
// dialects has code of its own; readers and writers meet in Conversation, Reply and StreamEvent.
// Pure functions over bytes, no I/O; stream objects belong to one stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"
#include "dialect/sse.h"
#include "dialect/stream_event.h"

namespace weir::dialect {

// What a reader or writer needs to know beyond the bytes.
struct Context {
  std::string model = {};       // request writers: the provider's model name; reply writers: the
                                // name to show to the client
  std::string request_id = {};  // reply writers: source of ids where the provider gave none
  int64_t now_s = 0;            // reply writers: `created` where the provider gave none
  bool stream = false;          // request readers: Gemini tells streaming in the path, not the body
  int64_t default_max_tokens = 4096;  // request writers: Anthropic requires max_tokens
  // request writers: the model behind a deployment's name (Azure), where configured; what it
  // accepts decides what is written. Empty = model
  std::string base_model = {};
  // openai_compatible servers: which spelling of the token limit the target takes.
  bool max_completion_tokens = true;
  bool stream_options = true;  // openai_compatible servers: the target knows stream_options
  // openai_compatible servers that want their own members of an earlier answer back (DeepSeek's
  // reasoning_content, Gemini's extra_content). Others refuse a request that holds them.
  bool replay_reasoning = false;
  // reply and stream writers: the request that is answered, where known. Responses repeats it in
  // its answer; custom tools are told from functions by it. Outlives the writer.
  const Conversation* asked = nullptr;
  bool include_usage = true;  // reply writers: the client asked for usage in the stream (OpenAI)
  // stream writers: the client takes server-sent events; else one JSON array (Gemini only)
  bool sse = true;
};

// Whether a client that speaks `from` can be served by a provider that speaks `to` (false for the
// dialects that are only relayed: the functions below answer invalid_argument, an empty text or a
// null pointer for them).
bool can_translate(Dialect from, Dialect to);

// A request body in the client's dialect -> Conversation. `root` is the parsed body.
// invalid_argument names the field: "messages[2].content: expected a string or an array of parts".
Result<Conversation> read_request(Dialect dialect, json::Value root, const Context& context);

// Conversation -> request body of the provider's dialect. What cannot be expressed is appended to
// `dropped`; what would be refused outright by the target (no messages) is invalid_argument.
Result<std::string> write_request(Dialect dialect, const Conversation& conversation,
                                  const Context& context, Dropped& dropped);

// A whole answer of a provider (status 200) -> Reply, and Reply -> body in the client's dialect.
Result<Reply> read_reply(Dialect dialect, json::Value root);
std::string write_reply(Dialect dialect, const Reply& reply, const Context& context);

// A streamed answer, event by event. read() appends what the provider's event means; unknown
// events are passed over. Malformed JSON in an event is an `error` StreamEvent. finish() is called
// when the provider's bytes end: without a terminator before, it appends an `error` event
// (ApiErrorType::unavailable, "the provider's stream ended early").
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  virtual void read(const SseEvent& event, StreamEvents& out) = 0;
  virtual void finish(StreamEvents& out) = 0;
};
std::unique_ptr<StreamReader> make_stream_reader(Dialect dialect);

// Writes SSE bytes for the client. After an `error` event nothing more is written: no terminator
// of success ever follows a failure.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  virtual void write(const StreamEvent& event, std::string& out) = 0;
};
std::unique_ptr<StreamWriter> make_stream_writer(Dialect dialect, const Context& context);

// Errors. read_error understands the error body of any provider (also non-JSON text: the status
// decides); `type_told` is what a header says of its type (AWS). write_error gives the body in the
// client's dialect; write_stream_error the bytes that tell an error inside a stream that has begun.
ApiError read_error(Dialect dialect, int status, std::string_view body,
                    std::string_view type_told = {});
// The HTTP status that tells the error in the client's dialect: Anthropic's 529 is a 503 to others.
int error_status(Dialect dialect, const ApiError& error);
std::string write_error(Dialect dialect, const ApiError& error, std::string_view request_id);
std::string write_stream_error(Dialect dialect, const ApiError& error, std::string_view request_id);

}  // namespace weir::dialect
