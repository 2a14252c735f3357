// Rough sizes of a request before the call: for reservations, and for calls that end before the
// provider has told its usage. Pure.
#pragma once

#include <cstdint>

#include "base/json/document.h"

namespace weir::gateway {

// Input tokens of a request body in any dialect: the text of its strings over four, a flat count
// for what looks like an image or a file in base64.
int64_t estimate_input_tokens(json::Value root);

// The most tokens the answer may have by the request's own limit, or kOutputGuess.
inline constexpr int64_t kOutputGuess = 1000;
int64_t estimate_output_tokens(json::Value root);

// What a budget holds for an answer whose length the request leaves open.
inline constexpr int64_t kOutputUnlimited = 4096;
bool limits_output(json::Value root);
// How often the provider may use tools of its own that it bills apiece (searches in the web and in
// files): as the request bounds it (max_uses, max_tool_calls), else kToolUses for each such tool.
inline constexpr int64_t kToolUses = 10;
int64_t tool_uses_asked(json::Value root);
// "n", Gemini's "candidateCount", or 1.
int64_t answers_asked(json::Value root);

}  // namespace weir::gateway
