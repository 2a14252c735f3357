// Items of an answer as JSON text, at any moment of their growth: what the writer of whole answers
// and streams puts together. Pure; any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/json/writer.h"
#include "dialect/openai_responses/openai_responses.h"

namespace weir::dialect::openai_responses {

// One content of a message: a text with what backs it, or a refusal.
struct Content {
  PartKind kind = PartKind::text;
  bool open = true;
  std::string text;
  std::string annotations;  // separated by commas
  int64_t annotation_count = 0;
  std::string logprobs;  // separated by commas
};
void write_content(json::Writer& writer, const Content& content);
std::string message_item(std::string_view id, const std::deque<Content>& contents,
                         std::string_view status);

// One part of a reasoning item's summary, and the item; `field` is its encrypted_content.
void write_summary(json::Writer& writer, std::string_view text);
std::string reasoning_item(std::string_view id, std::string_view summary, std::string_view field);

struct Call {
  std::string_view id;
  std::string_view call_id;
  const CallForm& form;
  std::string_view arguments;  // of a custom tool: its input
};
std::string call_item(const Call& call, std::string_view status);

// A picture that the model made; `data` is base64.
std::string image_item(std::string_view id, std::string_view media_type, std::string_view data);

}  // namespace weir::dialect::openai_responses
