// Writing usage objects: the one Usage in the two forms that clients know. The inverse of
// usage_json.h as far as the form can say it. Pure; any thread.
#pragma once

#include "base/json/writer.h"
#include "dialect/usage.h"

namespace weir::dialect {

// `usage` of chat completions and completions: prompt_tokens = everything that went in, cached and
// written included; completion_tokens = everything that came out.
void write_usage_openai(json::Writer& writer, const Usage& usage);

// `usage` of responses: the same counts under other names.
void write_usage_openai_responses(json::Writer& writer, const Usage& usage);

// `usage` of Anthropic messages: input_tokens without what was read from or written to the cache.
void write_usage_anthropic(json::Writer& writer, const Usage& usage);

}  // namespace weir::dialect
