// Conversation: one model call's input, and Reply: its whole answer, in the one form that every
// dialect is read into and written from. A dialect reader fills what its wire format can say; a
// dialect writer writes what its format can express and records the rest in `Dropped`.
//
// JSON that Weir must not reinterpret (schemas, tool arguments, numbers of the client) is kept as
// source text. Plain values, no I/O; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/usage.h"

namespace weir::dialect {

// What could not be kept or expressed: one short field path each ("top_k",
// "messages[3].content[0].video_url"). Told to the client in the x-weir-dropped header.
using Dropped = std::vector<std::string>;

// Wire formats of whole APIs. `passthrough` is every endpoint that Weir relays without reading.
enum class Dialect : uint8_t {
  openai_chat,
  openai_responses,
  openai_completions,
  openai_embeddings,
  anthropic_messages,
  gemini,
  bedrock_converse,  // of providers only: no client speaks it to Weir
  passthrough,
};
std::string_view to_string(Dialect dialect);

enum class Role : uint8_t { user, assistant };

enum class PartKind : uint8_t {
  text,
  image,
  document,  // PDF and other files
  audio,
  tool_call,          // assistant: id, name, json = arguments (an object's text, "{}" when empty)
  tool_result,        // user: id of the call, children = content, is_error
  thinking,           // assistant: text + signature
  redacted_thinking,  // assistant: opaque data in `data`
  refusal,            // assistant: text
  native,  // a block that only its own dialect has (a tool that the provider runs): json = its
           // source text, origin = that dialect. Written back to that dialect only
};

// A cache breakpoint behind this part (Anthropic cache_control). ttl "5m" or "1h".
struct CacheControl {
  std::string ttl = {};
  bool operator==(const CacheControl&) const = default;
};

// What backs a stretch of an answer's text. Positions count Unicode code points and are -1 where
// unknown.
struct Citation {
  enum class Kind : uint8_t { url, document, file };
  Kind kind = Kind::url;
  std::string url = {};
  std::string title = {};       // of the page or document
  std::string cited_text = {};  // the words of the source
  std::string file_id = {};
  std::string unit = {};        // document: what source_* count: "char", "page", "block"
  int64_t document_index = -1;  // document: which of the request's documents
  int64_t source_start = -1, source_end = -1;  // in the source, end exclusive
  int64_t text_start = -1, text_end = -1;      // in the answer's part, end exclusive
  std::string native = {};  // the dialect's own object as JSON text, for its own clients
  bool operator==(const Citation&) const = default;
};

struct Part {
  PartKind kind = PartKind::text;
  std::string text = {};  // text, thinking, refusal; document: plain text instead of data
  std::string id = {};    // tool_call, tool_result: the call's id; image, document: provider file
                          // id; thinking: id of Responses' reasoning item
  std::string name = {};  // tool_call, tool_result (where known): tool name; document: file name
  std::string json = {};  // tool_call: arguments as JSON text
  std::string media_type = {};  // image, document, audio: "image/png"
  std::string data = {};        // image, document, audio: base64; redacted_thinking: opaque
  std::string url = {};         // image, document: URL instead of data
  std::string detail = {};      // image: OpenAI's "low" | "high" | "auto"
  // thinking: the provider's signature or Responses' encrypted_content; tool_call and text:
  // Gemini's thoughtSignature
  std::string signature = {};
  // The dialect of the provider that made `signature`, `data` of redacted_thinking or `json` of a
  // native part; nobody else can read them. passthrough = not known
  Dialect origin = Dialect::passthrough;
  bool freeform = false;  // tool_call: its input is `text`, not JSON (OpenAI's custom tools)
  bool is_error = false;  // tool_result
  std::vector<Part> children = {};       // tool_result: text, images and documents
  std::vector<Citation> citations = {};  // text
  std::optional<CacheControl> cache = {};

  bool operator==(const Part&) const = default;
};

struct Message {
  Role role = Role::user;
  std::vector<Part> parts = {};
  std::string name = {};  // OpenAI's participant name
  bool operator==(const Message&) const = default;
};

struct Tool {
  std::string name = {};
  std::string description = {};
  std::string schema = {};  // JSON Schema of the arguments, as source text; empty = no parameters
  std::optional<bool> strict = {};
  std::optional<CacheControl> cache = {};
  // OpenAI's custom tool: its input is text; `format` is its grammar's object as JSON text. To a
  // dialect without them it is a function with one string, "input".
  bool freeform = false;
  std::string format = {};
  // A tool that the provider runs (web search, code interpreter): the whole object as JSON text and
  // the dialect that knows it; `name` is its type there.
  std::string native = {};
  Dialect origin = Dialect::passthrough;
  bool operator==(const Tool&) const = default;
};

enum class ToolChoiceKind : uint8_t { unset, automatic, none, required, named };
struct ToolChoice {
  ToolChoiceKind kind = ToolChoiceKind::unset;
  std::string name = {};  // named
  bool operator==(const ToolChoice&) const = default;
};

enum class FormatKind : uint8_t { unset, text, json_object, json_schema };
struct ResponseFormat {
  FormatKind kind = FormatKind::unset;
  std::string name = {};  // json_schema: OpenAI requires one; "response" where absent
  std::string description = {};
  std::string schema = {};  // JSON Schema as source text
  std::optional<bool> strict = {};
  bool operator==(const ResponseFormat&) const = default;
};

// How much the model shall think. Either an effort word or a token budget, whichever the client's
// dialect has; writers convert by the table in docs/dialects.md.
struct Reasoning {
  std::string effort = {};  // "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | ""
  std::optional<int64_t> budget_tokens = {};  // 0 = off, -1 = the model decides
  std::optional<bool> include_thoughts = {};  // the answer shall carry the thinking
  std::string summary = {};                   // Responses: "auto" | "concise" | "detailed"
  bool operator==(const Reasoning&) const = default;
};

struct Conversation {
  std::string model;  // as the client named it
  std::vector<Part> system;
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  std::optional<bool> parallel_tool_calls;

  // Numbers stay as the client's text ("0.7"), empty = not given.
  std::string temperature, top_p, top_k, frequency_penalty, presence_penalty, seed;
  std::optional<int64_t> max_output_tokens;
  std::optional<int64_t> candidates;  // n / candidateCount
  std::vector<std::string> stop;
  ResponseFormat format;
  std::optional<Reasoning> reasoning;
  std::optional<bool> logprobs;
  std::optional<int64_t> top_logprobs;
  std::string user;  // end-user id: OpenAI user / safety_identifier, Anthropic metadata
  std::string service_tier;
  std::string metadata;          // the client's own pairs: a JSON object's text (OpenAI)
  std::string verbosity;         // "low" | "medium" | "high" (OpenAI)
  std::string prompt_cache_key;  // OpenAI
  // Responses: the answer that this call goes on from, whether the answer shall be kept (its
  // default is true) and whether the reasoning shall come encrypted, to be sent back.
  std::string previous_response_id;
  std::optional<bool> store;
  bool encrypted_reasoning = false;
  bool stream = false;
  bool stream_usage = false;  // the client asked for usage in the stream (OpenAI)
  Dropped dropped;  // what the reader could not keep; write_request() passes it on to its caller

  bool operator==(const Conversation&) const = default;
};

// Why an answer ended, over all dialects.
enum class StopReason : uint8_t {
  unset,
  end_turn,
  max_tokens,
  stop_sequence,
  tool_use,
  content_filter,  // the provider withheld it
  refusal,         // the model declined (Anthropic `refusal`)
  pause_turn,      // Anthropic: the client shall send the turn again
  context_window,  // the context window is full
  malformed_tool_call,
  other,
};

struct Candidate {
  std::vector<Part> parts = {};
  StopReason stop = StopReason::unset;
  std::string stop_sequence = {};  // the one that was hit
  std::string logprobs = {};       // OpenAI's object as JSON text, where asked for
  bool operator==(const Candidate&) const = default;
};

struct Reply {
  std::string id;
  std::string model;    // as the provider named it
  int64_t created = 0;  // Unix seconds; 0 = unknown
  std::vector<Candidate> candidates;
  Usage usage;
  bool operator==(const Reply&) const = default;
};

}  // namespace weir::dialect
