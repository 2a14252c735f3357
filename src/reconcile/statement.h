// What providers say they sold, read from their exports into lines of one form: OpenAI's costs and
// usage pages, Anthropic's cost and usage reports, Google's billing export as JSON lines, and FOCUS
// as CSV (Azure's cost management export, Google's and Amazon's, our own). Each tells tokens, or
// money, or both. Nothing is guessed: a line that cannot be understood is counted and named.
// Pure; untrusted text. Limits: 256 MiB a file, 2,000,000 lines, 16 KiB a CSV field.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "ledger/price_book.h"

namespace weir::reconcile {

enum class Source : uint8_t { openai, anthropic, gcp, focus };
std::optional<Source> source_of(std::string_view text);

struct Line {
  int64_t day = 0;       // UTC, since the epoch
  std::string provider;  // as accounts have it: "openai", "vertex_ai"
  std::string model;     // as the export names it, or its meter's whole name
  std::string tier;      // "", "batch", "flex", "priority"
  std::optional<ledger::UsageClass> meter;
  std::optional<int64_t> tokens;
  std::optional<Money> cost;
};

struct Statement {
  static constexpr size_t kTextMax = size_t{256} << 20;
  static constexpr size_t kLinesMax = 2'000'000;

  std::vector<Line> lines;
  // Why lines were left out, and how many: "in EUR", "not of a model".
  std::map<std::string, int64_t> left_out;
};

struct ReadOptions {
  Source source = Source::openai;
  std::string provider = {};  // FOCUS: whose it is, where a line does not tell
  // What a US dollar was worth in other currencies, in billionths: {"EUR", 920'000'000}.
  std::map<std::string, int64_t> nano_per_usd = {};
};

// Adds the file's lines. Errors: invalid_argument (not such an export, with the place),
// limit_exceeded.
Result<void> read_statement(std::string_view text, const ReadOptions& options, Statement& into);

// Used by the readers. A decimal amount in that currency as dollars; nothing, and counted, where
// there is no rate.
std::optional<Money> dollars(std::string_view amount, int exponent, std::string_view currency,
                             const ReadOptions& options, Statement& into);
// Which tokens a meter's name tells of: "gpt-4o-0806-cchd-Inp-glbl" -> cache_read.
std::optional<ledger::UsageClass> meter_of(std::string_view name);
std::string tier_of(std::string_view name);

Result<void> read_openai(std::string_view text, const ReadOptions& options, Statement& into);
Result<void> read_anthropic(std::string_view text, const ReadOptions& options, Statement& into);
Result<void> read_gcp(std::string_view text, const ReadOptions& options, Statement& into);
Result<void> read_focus(std::string_view text, const ReadOptions& options, Statement& into);

}  // namespace weir::reconcile
