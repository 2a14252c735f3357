// What a prompt comes to: its pieces in the order a provider reads them, their tokens, and what of
// it a provider's prompt cache holds. One thread. Limit: the cache remembers `entries_max`
// prefixes, oldest out first.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "dialect/conversation.h"

namespace weir::sim {

// Tokens that every message costs beyond its text, and what an image, a page or a clip comes to.
inline constexpr int64_t kMessageTokens = 4;
inline constexpr int64_t kMediaTokens = 256;

struct PromptPiece {
  int64_t tokens = 0;
  uint64_t hash = 0;      // of everything up to and including this piece
  std::string cache_ttl;  // "5m" or "1h" where a cache breakpoint stands behind it; else empty
};
// Tools, system, then message by message; hashes begin with the model.
std::vector<PromptPiece> prompt_pieces(const dialect::Conversation& conversation);
int64_t prompt_tokens(const dialect::Conversation& conversation);

// Text of the last message of the user that has any; the tool results of the last message.
std::string last_user_text(const dialect::Conversation& conversation);
std::string last_tool_result(const dialect::Conversation& conversation);

// The results of tools that the user's side brought after the model's last turn, whether in one
// message or in several, and whatever text stands around them.
struct ToolResult {
  std::string name;  // of the tool, found by the call's id where the result does not say
  std::string text;
};
std::vector<ToolResult> latest_results(const dialect::Conversation& conversation);

class PromptCache {
 public:
  // Prompts without breakpoints are cached from this many tokens on, in steps of kStepTokens, as
  // OpenAI does it.
  static constexpr int64_t kAutomaticTokensMin = 1024;
  static constexpr int64_t kStepTokens = 128;

  explicit PromptCache(size_t entries_max = 4096) : entries_max_(entries_max) {}

  // The input side of the call's usage, and remembers the prompt. With breakpoints (Anthropic) what
  // stands before the furthest known one is read and what is new before the last one is written;
  // without, the messages but the last are read where they were seen before.
  dialect::Usage input_usage(const dialect::Conversation& conversation, dialect::Dialect dialect,
                             Nanoseconds now);

 private:
  bool known(uint64_t hash, Nanoseconds now) const;
  void remember(uint64_t hash, Nanoseconds until);
  void use_breakpoints(const std::vector<PromptPiece>& pieces, dialect::Usage& usage,
                       Nanoseconds now);
  void use_automatic(const std::vector<PromptPiece>& pieces, dialect::Usage& usage,
                     Nanoseconds now);

  size_t entries_max_;
  std::unordered_map<uint64_t, Nanoseconds> until_;
  std::deque<uint64_t> order_;
};

}  // namespace weir::sim
