#include "dialect/reasoning.h"

#include <array>

namespace weir::dialect {
namespace {

struct Row {
  std::string_view effort;
  int64_t budget;      // what the word asks for
  int64_t budget_max;  // the largest budget that reads as this word
};

constexpr std::array<Row, 6> kRows = {{
    {"none", 0, 0},
    {"minimal", 1024, 1024},
    {"low", 2048, 4096},
    {"medium", 8192, 12288},
    {"high", 16384, 24576},
    {"xhigh", 32768, INT64_MAX},
}};

}  // namespace

std::optional<int64_t> budget_of_effort(std::string_view effort) {
  if (effort == "max") effort = "xhigh";
  for (const Row& row : kRows) {
    if (row.effort == effort) return row.budget;
  }
  return std::nullopt;
}

std::string_view effort_of_budget(int64_t budget_tokens) {
  if (budget_tokens < 0) return "";
  for (const Row& row : kRows) {
    if (budget_tokens <= row.budget_max) return row.effort;
  }
  return "";
}

std::optional<int64_t> wanted_budget(const Reasoning& reasoning) {
  if (reasoning.budget_tokens) return reasoning.budget_tokens;
  return budget_of_effort(reasoning.effort);
}

std::string_view wanted_effort(const Reasoning& reasoning) {
  if (reasoning.effort == "max") return "xhigh";
  if (!reasoning.effort.empty()) return reasoning.effort;
  return reasoning.budget_tokens ? effort_of_budget(*reasoning.budget_tokens) : "";
}

}  // namespace weir::dialect
