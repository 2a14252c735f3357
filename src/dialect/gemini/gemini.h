// Gemini's generateContent, as the Gemini API and Vertex AI speak it: what the files
// gemini_{parts,request_read,request_write,reply,stream_read,stream_write}.cc share. Pure; any
// thread.
//
// Choices, where the API leaves one:
//   - Function calls without an id get one: in answers from responseId and the call's place, in a
//     client's history from its place. Responses without an id answer the first open call of their
//     name. Towards the provider calls and responses carry no id: name and order tell, on every
//     version of the API.
//   - A functionCall without thoughtSignature, first of its turn, gets Google's documented sentinel
//     where the model may be Gemini 3 or later, which refuses the turn otherwise.
//   - Thinking of the history is not sent: its signatures are not portable between providers, and
//     the only ones that Gemini insists on are those of function calls.
//   - Signatures of plain text parts are not kept: optional to Google, unknown to everyone else.
//   - Schemas travel as JSON Schema (parametersJsonSchema, responseJsonSchema); what a client gives
//     in the OpenAPI subset (`parameters`, `responseSchema`) is translated.
//   - Images and files by URL are fileData; the media type is told by the address where the client
//     gave none.
//   - The provider's arguments in pieces (partialArgs) are put together and told as one delta.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/codec.h"
#include "dialect/conversation.h"
#include "dialect/gemini/words.h"

namespace weir::dialect::gemini {

Result<Conversation> read_request(json::Value root, const Context& context);
Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped);
Result<Reply> read_reply(json::Value root);
std::string write_reply(const Reply& reply, const Context& context);
std::unique_ptr<StreamReader> make_stream_reader();
std::unique_ptr<StreamWriter> make_stream_writer(const Context& context);

// Google's word for "this call was not made by Gemini: do not check its signature".
inline constexpr std::string_view kForeignSignature = "skip_thought_signature_validator";

// The kind of a file by its media type: image, audio, or document for everything else.
PartKind kind_of_media(std::string_view media_type);
// inlineData or fileData; nullopt for any other part.
std::optional<Part> read_media(json::Value part);
// {"inlineData":...}, {"fileData":...} or {"text":...} for an image, audio or document. False
// (nothing written) where the part has nothing that Gemini could take.
bool write_media(json::Writer& writer, const Part& part);

// One part of an answer to a client.
void write_reply_part(json::Writer& writer, const Part& part);
void write_usage(json::Writer& writer, const Usage& usage);

// A stable id from the answer's id and the call's place in it: "call_" and 24 hex digits.
std::string call_id(std::string_view response_id, std::string_view name, uint32_t candidate,
                    size_t ordinal);

// An OpenAPI-subset schema ("type":"OBJECT", nullable, int64 as text) as JSON Schema.
std::string json_schema_of(json::Value schema);

// logprobsResult <-> OpenAI's logprobs object, as JSON text; "" where there is nothing.
std::string openai_logprobs_of(json::Value logprobs_result);
std::string gemini_logprobs_of(std::string_view openai_logprobs);

// What a model is known to take, by its name ("gemini-2.5-flash-lite", "publishers/google/models/
// gemini-3-pro-preview"). major 0: unknown, thought to be recent.
struct ModelTraits {
  int major = 0;
  int minor = 0;
  bool flash = false;
  bool lite = false;
  bool at_least_3() const { return major == 0 || major >= 3; }
};
ModelTraits traits_of(std::string_view model);

}  // namespace weir::dialect::gemini
