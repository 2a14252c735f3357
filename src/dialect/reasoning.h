// The one table between effort words (OpenAI, Anthropic's output_config.effort, Gemini's
// thinkingLevel) and thinking budgets in tokens (Anthropic's budget_tokens, Gemini's
// thinkingBudget). docs/dialects.md shows it to users. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dialect/conversation.h"

namespace weir::dialect {

//   effort   budget   from budgets
//   none          0   0
//   minimal    1024   1 .. 1024
//   low        2048   1025 .. 4096
//   medium     8192   4097 .. 12288
//   high      16384   12289 .. 24576
//   xhigh     32768   24577 and more
//
// "max" (Anthropic) reads as xhigh.

// The budget of an effort word; nullopt for a word that is not in the table.
std::optional<int64_t> budget_of_effort(std::string_view effort);
// The effort word nearest to a budget; "" for -1 (the model decides).
std::string_view effort_of_budget(int64_t budget_tokens);

// What the client asked for in either measure, whichever it gave. The budget is nullopt where only
// an unknown word was given or nothing; -1 = the model decides.
std::optional<int64_t> wanted_budget(const Reasoning& reasoning);
// "" where the model decides.
std::string_view wanted_effort(const Reasoning& reasoning);

}  // namespace weir::dialect
