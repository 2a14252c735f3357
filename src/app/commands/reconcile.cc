// weir reconcile: the ledger beside what a provider says it sold.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/config/load.h"
#include "app/work/reconcile_work.h"
#include "store/day.h"

namespace weir::app {
namespace {

using reconcile::Drift;
using reconcile::Part;
using reconcile::Reconciliation;
using reconcile::Statement;

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir reconcile: " << error.message() << "\n";
  return kExitFailed;
}

Result<std::string> text_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return fail(ErrorCode::not_found, fmt::format("cannot read {}", path));
  if (size > Statement::kTextMax) {
    return fail(ErrorCode::limit_exceeded, fmt::format("{} is larger than 256 MiB", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return fail(ErrorCode::io_error, fmt::format("cannot read {}", path));
  return text;
}

Result<Statement> read_files(const Arguments& arguments, const Config& config) {
  WEIR_TRY(const reconcile::ReadOptions options,
           read_options(config, arguments.argument(0), arguments.value("provider")));
  Statement statement;
  for (size_t i = 1; i < arguments.positional().size(); ++i) {
    const std::string& path = arguments.positional()[i];
    WEIR_TRY(const std::string text, text_of(path));
    if (auto read = reconcile::read_statement(text, options, statement); !read) {
      return fail(read.error().code(), fmt::format("{}: {}", path, read.error().message()));
    }
  }
  return statement;
}

Result<ReconcileDays> days_of(const Arguments& arguments) {
  ReconcileDays days;
  WEIR_TRY(days.from, parse_day_of(arguments.value("from"), "--from"));
  WEIR_TRY(days.to, parse_day_of(arguments.value("to"), "--to"));
  WEIR_TRY(days.today, parse_day_of(arguments.value("today"), "--today"));
  return days;
}

void print(const Drift& drift, Terminal& terminal) {
  terminal.out << fmt::format("{} {:<12} {:<32} tokens {:>12} {:>12}  USD {:>14} {:>14}",
                              store::day_text(drift.day), drift.provider, drift.model,
                              drift.ledger_tokens, drift.provider_tokens,
                              drift.ledger_cost.to_usd(), drift.provider_cost.to_usd());
  for (const Part& part : drift.parts) {
    terminal.out << fmt::format("  {} {:+} tokens {} USD", to_string(part.kind), part.tokens,
                                part.cost.to_usd());
  }
  terminal.out << (drift.provisional ? "  (provisional)\n" : "\n");
}

int run_reconcile(const Arguments& arguments, Terminal& terminal) {
  Config config;
  if (arguments.has("config")) {
    const std::string file = arguments.value("config");
    Loaded loaded = load_file(file, terminal.surroundings);
    for (const Problem& problem : loaded.problems) terminal.err << to_text(problem, file) << "\n";
    if (!loaded.config) return kExitFailed;
    config = std::move(*loaded.config);
  }
  if (arguments.has("data-dir")) config.data_dir = arguments.value("data-dir");
  const auto statement = read_files(arguments, config);
  if (!statement) return failed(statement.error(), terminal);
  const auto days = days_of(arguments);
  if (!days) return failed(days.error(), terminal);
  const auto compared = reconcile_with_ledger(config, *statement, drift_query(*statement, *days));
  if (!compared) return failed(compared.error(), terminal);
  const Reconciliation& result = *compared;
  if (arguments.has("json")) {
    terminal.out << reconciliation_json(result, *statement) << "\n";
  } else {
    for (const Drift& drift : result.drifts) {
      if (arguments.has("all") || !drift.parts.empty()) print(drift, terminal);
    }
    for (const auto& [kind, part] : result.sums) {
      terminal.out << fmt::format("{:<12} {:>+14} tokens {:>16} USD\n", to_string(kind),
                                  part.tokens, part.cost.to_usd());
    }
    terminal.out << fmt::format("ledger {} USD, provider {} USD\n", result.ledger_cost.to_usd(),
                                result.provider_cost.to_usd());
    for (const auto& [why, count] : statement->left_out) {
      terminal.err << fmt::format("left out: {} lines {}\n", count, why);
    }
  }
  return has_drift(result) ? kExitFailed : kExitDone;
}

}  // namespace

Command reconcile_command() {
  return {
      .name = "reconcile",
      .summary = "Lay the ledger beside what a provider says it sold",
      .details =
          "Compares tokens, then money, per provider, model and day, and says why they differ: "
          "traffic\nthat bypassed the gateway, a stale rate, another class of tokens, rounding, "
          "figures that are\nnot settled. Exits with 1 where a person has to look. Give costs and "
          "usage of a provider\ntogether: without tokens, money that differs stays unexplained.",
      .arguments = {{"SOURCE", "Whose export: openai, anthropic, azure, gcp or focus"},
                    {"FILE", "Exports of the same days", true, true}},
      .options = {{"config", 'c', "FILE", "data_dir and currency of this configuration"},
                  {"data-dir", 0, "DIR", "Where the ledger lies", "./weir-data"},
                  {"from", 0, "DATE", "First day; else the first of the export"},
                  {"to", 0, "DATE", "Day behind the last; else that of the export"},
                  {"today", 0, "DATE", "When the export was made; younger days are provisional"},
                  {"provider", 'p', "NAME", "focus: only this provider's lines"},
                  {"all", 'a', "", "Days that agree, too"},
                  {"json", 0, "", "Print one JSON object"}},
      .examples = {{"weir reconcile openai costs.json usage.json", "OpenAI's costs and usage"},
                   {"weir reconcile azure part_0_0001.csv",
                    "An export of Azure's cost management"}},
      .run = run_reconcile,
  };
}

}  // namespace weir::app
