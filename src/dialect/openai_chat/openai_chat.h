// OpenAI chat completions, as OpenAI, Azure and the many compatible servers speak it: what the
// files openai_chat_{request,reply,stream}.cc share. Pure; any thread.
//
// Three things that the API itself cannot say are carried in members that the field has agreed on:
//   - Thinking: `reasoning_content` (DeepSeek, xAI, Moonshot, vLLM), a string. Read too as
//     `reasoning`. Its signature, without which Anthropic refuses to have the thinking back, and
//     redacted thinking are in `reasoning_details` (OpenRouter): entries {"type":"reasoning.text",
//     "text","signature","index"} and {"type":"reasoning.encrypted","data","index"}, signature and
//     data marked with their maker (signature.h). A client that sends the assistant message back
//     as it got it loses nothing.
//   - Gemini's thought signature of a tool call: `extra_content.google.thought_signature` on the
//     call (Google's own OpenAI-compatible form).
//   - Images that a model makes: `images`, a list of image_url parts (OpenRouter).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/codec.h"
#include "dialect/conversation.h"

namespace weir::dialect::openai_chat {

Result<Conversation> read_request(json::Value root, const Context& context);
Result<std::string> write_request(const Conversation& conversation, const Context& context,
                                  Dropped& dropped);
Result<Reply> read_reply(json::Value root);
std::string write_reply(const Reply& reply, const Context& context);
std::unique_ptr<StreamReader> make_stream_reader();
std::unique_ptr<StreamWriter> make_stream_writer(const Context& context);

// The thinking of an assistant message (of a request or an answer) in `parts`. A signature that
// belongs to the message's text (Gemini's) comes back as a part of its own, for sign_text().
std::optional<Part> read_thinking(json::Value message, std::vector<Part>& parts);
void sign_text(std::vector<Part>& parts, std::optional<Part> signature);
// Takes the mark, or what `format` says of the maker, off an entry of reasoning_details.
void read_detail_field(Part& part, json::Value detail, std::string_view field);
// `reasoning_content`, and `reasoning_details` where there is more to keep than text.
void write_thinking(json::Writer& writer, const std::vector<Part>& parts);
// One entry of reasoning_details.
void write_thinking_detail(json::Writer& writer, const Part& part, size_t index);

// One entry of a message's tool_calls; `path` is only for the message of a wrong type.
Part read_tool_call(json::Value call);
// `custom`: as a call of a custom tool, else of a function.
void write_tool_call(json::Writer& writer, const Part& call, bool custom);
// {"google":{"thought_signature":...}}
void write_extra_content(json::Writer& writer, std::string_view signature);

// `annotations`: what backs the text. Positions count from the message's beginning; `before` is the
// number of characters in front of the part.
Citation read_annotation(json::Value annotation, int64_t before);
// False (nothing written) for what has no address. `length`: characters of the part.
bool write_annotation(json::Writer& writer, const Citation& citation, int64_t before,
                      int64_t length);

// `user` and `service_tier`, the same in both of OpenAI's request forms.
void write_user_and_tier(json::Writer& writer, const Conversation& conversation, Dropped& dropped);

// The image_url entries of `images`.
void read_images(json::Value message, std::vector<Part>& parts);
void write_image_part(json::Writer& writer, const Part& image);

StopReason stop_of_finish_reason(std::string_view finish_reason);
std::string_view finish_reason_of_stop(StopReason stop);
// The stop sequence that was hit, where the server tells (vLLM's stop_reason, SGLang's
// matched_stop); "" where not.
std::string matched_stop_of(json::Value choice);

// What a model refuses, by its name: reasoning models take no sampling parameters, others no
// reasoning_effort. A name that is not OpenAI's says nothing.
struct ModelTraits {
  bool reasoning = false;     // o1, o3, o4, gpt-5 and later
  bool no_reasoning = false;  // gpt-3.5, gpt-4, gpt-4o, gpt-4.1, the gpt-5 chat models
};
ModelTraits traits_of(std::string_view model);

}  // namespace weir::dialect::openai_chat
