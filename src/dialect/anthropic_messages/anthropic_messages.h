// Anthropic messages, as Anthropic, Vertex AI, Bedrock and compatible servers speak it: what the
// files anthropic_messages_{request_read,request_write,reply,stream_read,stream_write}.cc share.
// Pure; any thread.
//
// Blocks of tools that the provider runs itself (server_tool_use, web_search_tool_result,
// code_execution_tool_result, mcp_tool_use, compaction, ...) have no counterpart elsewhere: they
// are native parts. What they cost is in the usage.
#pragma once

#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/codec.h"
#include "dialect/conversation.h"

namespace weir::dialect::anthropic_messages {

Result<Conversation> read_request(json::Value root, const Context& context);
Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped);
Result<Reply> read_reply(json::Value root);
std::string write_reply(const Reply& reply, const Context& context);
std::unique_ptr<StreamReader> make_stream_reader();
std::unique_ptr<StreamWriter> make_stream_writer(const Context& context);

// Models without structured output of their own are made to call a tool of this name whose input
// is the answer. The name is Weir's: a call of it in an answer is read as the text it stands for.
inline constexpr std::string_view kJsonToolName = "weir_json_response";

// --- citations (citations.cc) ---

// Stands where Anthropic has its own secret in a citation that another provider made. The mark of
// signature.h: who sends it on to Anthropic takes the citation out.
inline constexpr std::string_view kForeignCitation = "weir1.";

Citation read_citation(json::Value citation);
void read_citations(json::Value block, std::vector<Citation>& citations);
void write_citation(json::Writer& writer, const Citation& citation);
// Anthropic made it: it can be sent back there.
bool is_own(const Citation& citation);

// The block of a whole answer or of the history as a native part.
Part native_part(json::Value block);
// Whether the client takes the signature of a text (Gemini's) as a redacted_thinking block behind
// it: one that asked for thinking knows such blocks.
bool wants_text_signatures(const Context& context);

StopReason stop_of_stop_reason(std::string_view stop_reason);
// `calls`: the answer holds a tool call.
std::string_view stop_reason_of_stop(StopReason stop, bool calls);

// What a Claude model accepts, by its name (with the prefixes and suffixes of Vertex and Bedrock).
// A name that is not Claude's is a compatible server: the form of 2024 is the one they all know.
// Source: platform.claude.com, "Extended thinking", "Adaptive thinking", "Effort", "Structured
// outputs" and the migration guides, as of October 2026.
struct ModelTraits {
  // thinking {"type":"adaptive"} and output_config.effort instead of budget_tokens: 4.6 and later
  // (4.6 takes both and deprecates budgets; from Opus 4.7 and the fifth generation on, budgets are
  // answered with 400).
  bool adaptive_thinking = false;
  bool xhigh_effort = false;  // Opus 4.7 and later; before, the word above "high" is "max"
  // How thinking is turned off: by {"type":"disabled"}, by {"type":"between_tools"}, or not at all
  // (then a low effort is the least).
  enum class Off : uint8_t { disabled, between_tools, low_effort } thinking_off = Off::disabled;
  bool no_sampling = false;        // temperature, top_p and top_k are refused
  bool one_sampling = false;       // temperature or top_p, not both
  bool no_forced_tool = false;     // tool_choice any and tool are refused
  bool structured_output = false;  // output_config.format
};
ModelTraits traits_of(std::string_view model);

}  // namespace weir::dialect::anthropic_messages
