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
//   - Thinking of the history is sent where Gemini signed it. Signatures of other makers travel
//     through Gemini's clients marked (signature.h).
//   - Schemas travel as JSON Schema (parametersJsonSchema, responseJsonSchema) without references;
//     what a client gives in the OpenAPI subset (`parameters`, `responseSchema`) is translated.
//   - A stream's chunks may come back as contents of their own: neighbors of the model's role are
//     one turn, and their texts one text.
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

// An executableCode, a server's toolCall and the like: a part that only this API has.
Part native_part(json::Value value);

// One part of an answer to a client.
void write_reply_part(json::Writer& writer, const Part& part);
void write_usage(json::Writer& writer, const Usage& usage);

// A stable id from the answer's id and the call's place in it: "call_" and 24 hex digits.
std::string call_id(std::string_view response_id, std::string_view name, uint32_t candidate,
                    size_t ordinal);

// An OpenAPI-subset schema ("type":"OBJECT", nullable, int64 as text) as JSON Schema.
std::string json_schema_of(json::Value schema);

// A JSON schema as the API takes it best: local references written out as far as they are not
// circular, `const` as an `enum` of one, no `$schema`. Text that is no object, and a schema that
// would grow beyond kSchemaBytesMax, comes back compact but as it is.
inline constexpr size_t kSchemaBytesMax = 1024 * 1024;
std::string plain_schema(std::string_view schema);

// --- grounding.cc ---

// groundingMetadata and citationMetadata of a candidate whose texts are `text`; the part that is
// cited begins `before` bytes into it.
inline constexpr size_t kGroundedBytesMax = 1024 * 1024;  // of text that is kept to find positions
std::vector<Citation> read_grounding(json::Value candidate, std::string_view text, size_t before);
// A citation and the part of the text (bytes) that its positions count in.
struct Grounded {
  const Citation* citation = nullptr;
  size_t begin = 0;
  size_t end = 0;
};
// The member groundingMetadata; nothing where no citation has an address.
void write_grounding(json::Writer& writer, const std::vector<Grounded>& citations,
                     std::string_view text);

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
