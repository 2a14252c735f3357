// OpenAI Responses, as OpenAI, Azure and xAI speak it: what the files of this folder share. Pure;
// any thread.
//
// An answer is a list of items. A message item is one or several text and refusal parts (their id
// is the item's; parts without one that follow each other are one item), a reasoning item is a
// thinking part, a call is a tool call. Items of tools that the provider runs are native parts.
//
// Tools that the client runs under a type of its own (local_shell, shell, apply_patch) and the
// functions of a namespace are functions in a Conversation; Tool::format keeps what they were, and
// the calls of such a tool are told in its own words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/codec.h"
#include "dialect/conversation.h"

namespace weir::dialect::openai_responses {

Result<Conversation> read_request(json::Value root, const Context& context);
Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped);
Result<Reply> read_reply(json::Value root);
std::string write_reply(const Reply& reply, const Context& context);
std::unique_ptr<StreamReader> make_stream_reader();
std::unique_ptr<StreamWriter> make_stream_writer(const Context& context);

// --- items (items.cc) ---

// An item that the model makes, of an answer or of the history: message, reasoning, calls, pictures
// and what only this dialect has.
void read_output_item(json::Value item, std::vector<Part>& parts);
// Whether the client must act on that item (run a tool) before the model can go on.
bool is_client_call(json::Value item);
// Why an incomplete response is.
StopReason stop_of_incomplete(json::Value response);
// The text of a reasoning item: its content where it has some, else its summary.
std::string text_of_reasoning(json::Value item);
// encrypted_content of a reasoning item, and what it held. What nobody signed is marked as such:
// OpenAI looks up every reasoning item that it is given and refuses the request where it is not
// its own, so those have to be told apart when the client comes to OpenAI with them (unmark.h).
std::string reasoning_field_of(const Part& part);
void read_reasoning_field(Part& part, std::string_view field);
// The name that the call has in a Conversation: that of its namespace in front.
std::string full_name(json::Value call);
std::string full_name(std::string_view space, std::string_view name);
// An annotation of an output text; native keeps what has no field of its own.
Citation read_annotation(json::Value annotation);
// `text_length` (code points) stands in for positions that are not known.
void write_annotation(json::Writer& writer, const Citation& citation, int64_t text_length);
int64_t code_points(std::string_view text);

// --- tools (tools.cc) ---

// A tool that the client runs under a type of its own.
struct ClientTool {
  std::string_view type;         // of the tool, and its name as a function
  std::string_view call;         // type of the item that calls it ...
  std::string_view prefix;       // ... and how its id begins
  std::string_view output;       // type of the item that answers
  std::string_view arguments;    // member of the call that holds the arguments
  std::string_view description;  // to models that do not know it
  std::string_view schema;
};
const ClientTool* client_tool_of_type(std::string_view type);
const ClientTool* client_tool_of_call(std::string_view type);
const ClientTool* client_tool_of_output(std::string_view type);

// Entries of `tools`, back from what the request reader made of them.
void write_tools(json::Writer& writer, const std::vector<Tool>& tools);
void write_tool_choice(json::Writer& writer, const Conversation& conversation);
void write_text_config(json::Writer& writer, const ResponseFormat& format,
                       std::string_view verbosity);

// What a call of the tool is in this dialect.
enum class CallKind : uint8_t { function, custom, client };
struct CallForm {
  CallKind kind = CallKind::function;
  const ClientTool* client = nullptr;
  std::string name = {};  // without its namespace
  std::string name_space = {};
};
// `tools` are those of the request; a call that names none of them is a function's.
CallForm form_of_call(const std::vector<Tool>& tools, std::string_view name, bool freeform);
// The text input of a custom tool, from the arguments of the function that stood for it.
std::string input_of_arguments(std::string_view json);
// The `action` or `operation` of a client's own tool.
void write_client_arguments(json::Writer& writer, const ClientTool& tool, std::string_view json);

// --- the Response object (response.cc) ---

enum class Status : uint8_t { in_progress, completed, incomplete, failed };

// Says the answer as far as it is known, with the request repeated in it.
class ResponseWriter {
 public:
  explicit ResponseWriter(const Context& context);

  std::string id;  // "resp_" and the request's id where it is known: nobody else has the same
  std::string model;
  int64_t created = 0;
  Usage usage;

  // `output`: the items so far, separated by commas. `stop` says why it is incomplete, `error` why
  // it failed.
  void write(json::Writer& writer, Status status, std::string_view output, StopReason stop,
             const ApiError* error) const;

 private:
  const Conversation* const asked_;
  const int64_t now_s_;
};

}  // namespace weir::dialect::openai_responses
