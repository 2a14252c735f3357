// Reading usage objects: every spelling that providers have for "what this call consumed", into the
// one Usage whose classes do not overlap. The only place that knows which count includes which.
// Missing, negative, absurd and ill-typed numbers read as 0. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json/document.h"
#include "dialect/usage.h"

namespace weir::dialect {

// `usage` of chat completions, completions, embeddings and responses, of OpenAI and of everybody
// who took its form. prompt_tokens includes cached and audio tokens, completion_tokens includes
// reasoning, but for servers (xAI) whose total_tokens says that reasoning comes on top. Known
// besides OpenAI's own: DeepSeek's prompt_cache_hit_tokens, Mistral's num_cached_tokens, Moonshot's
// cached_tokens, Alibaba's cache_creation_input_tokens, xAI's num_server_side_tools_used.
Usage usage_of_openai(json::Value usage);
// The usage of a whole chat or completions body or chunk: `usage`, else Groq's `x_groq.usage`, else
// that of a choice, where Moonshot's streams have it; with
// the `service_tier` that stands beside it. Unreported where there is none (or null).
Usage usage_of_openai_body(json::Value body);
// The same for a Response object; billed web and file searches are counted from its `output`.
Usage usage_of_openai_response(json::Value response);

// `usage` of Anthropic messages: input_tokens excludes cache reads and writes. Tokens of compaction
// iterations are billed and missing from the top level: they are added.
Usage usage_of_anthropic(json::Value usage);
// Takes the next `usage` of a stream (message_start, message_delta) into what is known so far, per
// field. Needed instead of Usage::merge because message_delta tells cache writes without the
// five-minute/one-hour split that message_start had.
void merge_usage_of_anthropic(Usage& known, json::Value usage);

// `usageMetadata` of Gemini (camelCase or snake_case). promptTokenCount includes cached tokens;
// thoughts and tool-use prompts come on top of candidates and prompt.
Usage usage_of_gemini(json::Value metadata);
// Of a whole body: generateContent's `usageMetadata` (of the last element where the body is the
// array of a stream), `metadata` of batched embeddings, token counts of Vertex predictions.
Usage usage_of_gemini_body(json::Value body);

// `usage` and `serviceTier` of a Converse answer or of a stream's `metadata`. inputTokens excludes
// cache reads and writes; cacheDetails splits the writes by how long they are kept.
Usage usage_of_converse_body(json::Value body);

// For streams whose usage objects are whole and cumulative (OpenAI, Gemini): the newer replaces the
// older, side by side: an input side of all zeros replaces nothing, nor does such an output side.
void replace_usage(Usage& known, const Usage& newer);

// Tier names that mean the ordinary price ("standard", "on_demand") as "default", others lowercase.
std::string canonical_service_tier(std::string_view name);
// Takes the tier that an answer names, if it names one.
void add_service_tier(Usage& usage, json::Value name);

}  // namespace weir::dialect
