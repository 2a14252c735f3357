// weir ledger: what finance takes away from a data directory, with or without a running server.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/config/load.h"
#include "app/work/ledger_work.h"
#include "app/work/price_work.h"
#include "base/clock.h"
#include "ledger/compact.h"
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
  WEIR_CHECK_OK(add_imported_prices(config));
  return config;
}

Result<DateRange> period_of(const Arguments& arguments) {
  return parse_period(arguments.value("from"), arguments.value("to"), "--from, --to");
}

int run_export(const Arguments& arguments, Terminal& terminal) {
  const auto config = place_of(arguments, terminal);
  if (!config) return failed(config.error(), terminal);
  const auto period = period_of(arguments);
  if (!period) return failed(period.error(), terminal);
  const auto query = export_query(*config, *period, arguments.value("format"));
  if (!query) return failed(query.error(), terminal);
  std::ofstream file;
  if (arguments.has("output")) file.open(arguments.value("output"), std::ios::binary);
  std::ostream& out = arguments.has("output") ? file : terminal.out;
  const auto done = ledger::export_rows(
      ledger::LogReader(config->data_dir), *query, [&out](std::string_view piece) -> Result<void> {
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
        if (out.flush()) return {};
        return fail(ErrorCode::io_error, "the output can not be written");
      });
  return done ? kExitDone : failed(done.error(), terminal);
}

void print(const std::string& name, const ledger::RerateSum& sum, Terminal& terminal) {
  terminal.out << fmt::format("{:<40} {:>10} rows  {:>16} -> {:>16} USD\n", name, sum.rows,
                              sum.before.to_usd(), sum.after.to_usd());
}

int run_rerate(const Arguments& arguments, Terminal& terminal) {
  const auto config = place_of(arguments, terminal);
  if (!config) return failed(config.error(), terminal);
  const auto period = period_of(arguments);
  if (!period) return failed(period.error(), terminal);
  const bool dry_run = arguments.has("dry-run");
  const auto report = rerate_period(*config, *period, dry_run);
  if (!report) return failed(report.error(), terminal);
  for (const auto& [name, sum] : report->by_model) {
    print(fmt::format("{} {}", name.first, name.second), sum, terminal);
  }
  print(dry_run ? "would be corrected" : "corrected", report->all, terminal);
  terminal.err << fmt::format(
      "{} rows with usage: {} cost the same, {} have no price in the book, {} can not be told "
      "apart\n",
      report->rows, report->same, report->unpriced, report->unknown);
  return kExitDone;
}

int run_compact(const Arguments& arguments, Terminal& terminal) {
  const auto config = place_of(arguments, terminal);
  if (!config) return failed(config.error(), terminal);
  const auto report = ledger::compact(
      {.data_dir = config->data_dir, .today = store::day_of(SystemClock().wall_ms())});
  if (!report) return failed(report.error(), terminal);
  terminal.out << fmt::format("{} files of past days: {} written anew, {} left; {} -> {} bytes\n",
                              report->files, report->compacted, report->left, report->bytes_before,
                              report->bytes_after);
  return kExitDone;
}

}  // namespace

Command ledger_command() {
  return {
      .name = "ledger",
      .summary = "Export the ledger, price a part of it anew, compact its files",
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
            .run = run_export},
           {.name = "rerate",
            .summary = "Price the requests of a time anew, by corrections",
            .details =
                "Writes a correction for each row that costs otherwise by the price book of today "
                "and the\nconfiguration's prices and terms. No row is changed, and a second run "
                "corrects nothing. A\nrunning server sees corrections at once in its sums, and in "
                "what budgets have spent after\na restart.",
            .options = {{"from", 0, "DATE", "Requests begun then or later (UTC)"},
                        {"to", 0, "DATE", "... and before this"},
                        {"dry-run", 'n', "", "Only say what would be corrected"},
                        {"config", 'c', "FILE", "Prices, terms, deployments and data_dir"},
                        {"data-dir", 0, "DIR", "Where the ledger lies", "./weir-data"}},
            .examples = {{"weir ledger rerate --from 2026-11-01 --to 2026-12-01 -c weir.yaml -n",
                          "What November would cost by the prices of today"}},
            .run = run_rerate},
           {.name = "compact",
            .summary = "Give back the room that files of past days do not need",
            .details = "Files that another process has locked, and those that the disk has no room "
                       "to write\nanew, are left for the next time. A server may run.",
            .options = {{"config", 'c', "FILE", "Use the data_dir of this configuration"},
                        {"data-dir", 0, "DIR", "Where the ledger lies", "./weir-data"}},
            .examples = {{"weir ledger compact -c weir.yaml", "After captures were removed"}},
            .run = run_compact}},
  };
}

}  // namespace weir::app
