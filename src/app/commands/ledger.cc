// weir ledger: what finance takes away from a data directory, with or without a running server.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/config/load.h"
#include "app/config/values.h"
#include "app/price_overrides.h"
#include "ledger/export.h"
#include "ledger/rerate.h"
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

// What a row was priced as: its deployment's base model, at its account's place.
ledger::PricedAs priced_as(const Config& config, const ledger::RequestRow& row) {
  ledger::PricedAs as{.model = row.provider_model, .location = {}};
  for (const Account& account : config.accounts) {
    if (account.name != row.account) continue;
    as.location = account.provider == Provider::bedrock ? account.region : account.location;
  }
  for (const Model& model : config.models) {
    if (model.name != row.model) continue;
    for (const Deployment& deployment : model.deployments) {
      if (deployment.account != row.account || deployment.base_model.empty()) continue;
      const std::string& sent = !deployment.deployment.empty() ? deployment.deployment
                                : !deployment.model.empty()    ? deployment.model
                                                               : model.name;
      if (sent == row.provider_model) as.model = deployment.base_model;
    }
  }
  return as;
}

void print(const std::string& name, const ledger::RerateSum& sum, Terminal& terminal) {
  terminal.out << fmt::format("{:<40} {:>10} rows  {:>16} -> {:>16} USD\n", name, sum.rows,
                              sum.before.to_usd(), sum.after.to_usd());
}

int run_rerate(const Arguments& arguments, Terminal& terminal) {
  const auto config = place_of(arguments, terminal);
  if (!config) return failed(config.error(), terminal);
  const auto from = parse_moment(arguments.value("from"));
  const auto to = parse_moment(arguments.value("to"));
  if (!from || !to || from->wall_ms >= to->wall_ms) {
    return failed({ErrorCode::invalid_argument,
                   "--from, --to: expected two dates or times such as 2026-11-01, in that order"},
                  terminal);
  }
  const auto book = price_book(*config);
  if (!book) return failed(book.error(), terminal);
  const bool dry_run = arguments.has("dry-run");
  const auto report = ledger::rerate(
      {.data_dir = config->data_dir,
       .since_ms = from->wall_ms,
       .until_ms = to->wall_ms,
       .dry_run = dry_run,
       .priced_as = [&config](const ledger::RequestRow& row) { return priced_as(*config, row); }},
      *book);
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

}  // namespace

Command ledger_command() {
  return {
      .name = "ledger",
      .summary = "Export the ledger, or price a part of it anew",
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
            .run = run_rerate}},
  };
}

}  // namespace weir::app
