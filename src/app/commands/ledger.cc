// weir ledger: what finance takes away from a data directory, with or without a running server.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/config/load.h"
#include "app/config/values.h"
#include "ledger/export.h"
#include "store/day.h"

namespace weir::app {
namespace {

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir ledger: " << error.message() << "\n";
  return kExitFailed;
}

// The directory, and what the organization is called.
Result<Config> place_of(const Arguments& arguments, Terminal& terminal) {
  Config config;
  if (arguments.has("config")) {
    const std::string file = arguments.value("config");
    Loaded loaded = load_file(file, terminal.surroundings);
    if (!loaded.config) {
      std::string message;
      for (const Problem& problem : loaded.problems) {
        message += (message.empty() ? "" : "\n") + to_text(problem, file);
      }
      return fail(ErrorCode::invalid_argument, std::move(message));
    }
    config = std::move(*loaded.config);
  }
  if (arguments.has("data-dir")) config.data_dir = arguments.value("data-dir");
  return config;
}

int run_export(const Arguments& arguments, Terminal& terminal) {
  const auto config = place_of(arguments, terminal);
  if (!config) return failed(config.error(), terminal);
  const auto from = parse_moment(arguments.value("from"));
  const auto to = parse_moment(arguments.value("to"));
  if (!from || !to || from->wall_ms >= to->wall_ms) {
    return failed({ErrorCode::invalid_argument,
                   "--from, --to: expected two dates or times such as 2026-11-01, in that order"},
                  terminal);
  }
  const auto format = ledger::export_format_of(arguments.value("format"));
  if (!format) {
    return failed(
        {ErrorCode::invalid_argument, "--format: expected csv, jsonl, focus-1.2 or focus-1.4"},
        terminal);
  }
  ledger::ExportQuery query{.since_ms = from->wall_ms, .until_ms = to->wall_ms, .format = *format};
  if (!config->organization.name.empty()) query.organization = config->organization.name;
  if (config->currency) {
    query.currency = config->currency->code;
    for (const CurrencyRate& rate : config->currency->rates) {
      query.currency_rates.emplace_back(rate.valid_from.wall_ms, rate.per_usd.nano());
    }
  }
  std::ofstream file;
  if (arguments.has("output")) file.open(arguments.value("output"), std::ios::binary);
  std::ostream& out = arguments.has("output") ? file : terminal.out;
  const auto done = ledger::export_rows(
      ledger::LogReader(config->data_dir), query, [&out](std::string_view piece) -> Result<void> {
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
        if (out.flush()) return {};
        return fail(ErrorCode::io_error, "the output can not be written");
      });
  return done ? kExitDone : failed(done.error(), terminal);
}

}  // namespace

Command ledger_command() {
  return {
      .name = "ledger",
      .summary = "Export the ledger: one row a request, or a FOCUS table",
      .subcommands =
          {{.name = "export",
            .summary = "Write the rows of a time as CSV, JSON lines or FOCUS",
            .details = "FOCUS has a line per day and meter (input tokens, output tokens, ...) of "
                       "each key,\n"
                       "project, deployment and price. Its lines add up to the costs of the rows.",
            .options = {{"from", 0, "DATE", "Requests begun then or later (UTC)"},
                        {"to", 0, "DATE", "... and before this"},
                        {"format", 'f', "FORMAT", "csv, jsonl, focus-1.2 or focus-1.4", "csv"},
                        {"output", 'o', "FILE", "Write to this file, not to standard output"},
                        {"config", 'c', "FILE", "Use the data_dir of this configuration"},
                        {"data-dir", 0, "DIR", "Where the ledger lies", "./weir-data"}},
            .examples = {{"weir ledger export --from 2026-11-01 --to 2026-12-01 > november.csv",
                          "November, a line a request"},
                         {"weir ledger export --from 2026-11-01 --to 2026-12-01 -f focus-1.4 "
                          "-o focus.csv",
                          "The same as a FOCUS table"}},
            .run = run_export}},
  };
}

}  // namespace weir::app
