// Amazon Bedrock's Converse and ConverseStream: what the files
// bedrock_converse/{blocks,model,reply,request_read,request_write,stream_read,stream_write}.cc
// share. Pure; any thread. Source: the service's own API model (bedrock-runtime 2023-09-30) and the
// Bedrock user guide.
//
// No client speaks it to Weir: requests are read, and answers written, for the simulator and for
// round trips. The model's name stands in the path, so a request's reader takes it from Context.
// A stream is server-sent events here, named as Bedrock's events are; event_stream.h has the
// frames. Choices, where the API leaves one, are in docs/dialects.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/codec.h"
#include "dialect/conversation.h"

namespace weir::dialect::bedrock_converse {

Result<Conversation> read_request(json::Value root, const Context& context);
Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped);
Result<Reply> read_reply(json::Value root);
std::string write_reply(const Reply& reply, const Context& context);
std::unique_ptr<StreamReader> make_stream_reader();
std::unique_ptr<StreamWriter> make_stream_writer(const Context& context);

StopReason stop_of_stop_reason(std::string_view stop_reason);
// `calls`: the answer holds a tool call.
std::string_view stop_reason_of_stop(StopReason stop, bool calls);
void write_usage(json::Writer& writer, const Usage& usage);

// What a model on Bedrock accepts, by its id ("us.anthropic.claude-sonnet-4-5-20250929-v1:0",
// "amazon.nova-pro-v1:0", ARNs of inference profiles that hold such an id). Of a name that says
// nothing (the ARN of an application inference profile) nothing is held back.
struct ModelTraits {
  enum class Family : uint8_t { other, claude, nova, nova2, llama, mistral, cohere, gpt_oss };
  Family family = Family::other;
  bool forced_tool = true;         // toolChoice any and tool
  bool result_status = true;       // toolResult.status
  bool cache_points = true;        // cachePoint in system and messages
  bool tool_cache_points = true;   // ... and behind tools
  bool structured_output = false;  // outputConfig.textFormat
};
ModelTraits traits_of(std::string_view model);

// --- blocks ---

// The `format` word of an image, document or sound; "" where Bedrock has none for it.
std::string_view format_of(const Part& part);
// Whether the block can be written: a format, and bytes or an s3:// address.
bool has_source(const Part& part);
// {"format":...,"source":{...}}; with the name for a document.
void write_source_block(json::Writer& writer, const Part& part, std::string_view document_name);
// The value of an `image`, `document` or `audio` member. What is lost is noted.
Part read_source_block(PartKind kind, json::Value block, const std::string& path, Dropped& dropped);

// Names of documents hold letters, digits, single blanks, hyphens, parentheses and brackets.
std::string document_name(std::string_view name);
// Ids of calls are 1 to 64 letters, digits and "_.:-"; others get one that is made from them.
std::string tool_use_id(std::string_view id);

// {"toolSpec":...}; a schema that is none, or says no type, becomes an object's.
void write_tool_spec(json::Writer& writer, std::string_view name, std::string_view description,
                     std::string_view schema, bool strict);
// The client's pairs as "requestMetadata", as far as they fit: they appear in the invocation logs.
void write_request_metadata(json::Writer& writer, std::string_view metadata, Dropped& dropped);

// The citation of a citationsContent block or delta.
Citation read_citation(json::Value citation);
void write_citation(json::Writer& writer, const Citation& citation);

}  // namespace weir::dialect::bedrock_converse
