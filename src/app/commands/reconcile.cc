// weir reconcile: the ledger beside what a provider says it sold.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>

#include "app/commands.h"
#include "app/config/load.h"
#include "app/config/values.h"
#include "base/clock.h"
#include "base/json/writer.h"
#include "reconcile/account.h"
#include "reconcile/drift.h"
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
  const auto source = reconcile::source_of(arguments.argument(0));
  if (!source) {
    return fail(ErrorCode::invalid_argument,
                "SOURCE: expected openai, anthropic, azure, gcp or focus");
  }
  reconcile::ReadOptions options{.source = *source, .provider = arguments.value("provider")};
  if (arguments.argument(0) == "azure") options.provider = "azure_openai";
  if (config.currency && !config.currency->rates.empty()) {
    options.nano_per_usd[config.currency->code] = config.currency->rates.back().per_usd.nano();
  }
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

Result<int64_t> day_of(const Arguments& arguments, std::string_view option, int64_t otherwise) {
  if (!arguments.has(option)) return otherwise;
  const auto moment = parse_moment(arguments.value(option));
  if (!moment) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("--{}: expected a day such as 2026-11-01", option));
  }
  return store::day_of(moment->wall_ms);
}

Result<reconcile::DriftQuery> query_of(const Arguments& arguments, const Statement& statement) {
  reconcile::DriftQuery query;
  int64_t first = 0;
  int64_t last = -1;
  for (const reconcile::Line& line : statement.lines) {
    if (last < first || line.day < first) first = line.day;
    last = std::max(last, line.day);
  }
  WEIR_TRY(query.from_day, day_of(arguments, "from", first));
  WEIR_TRY(query.to_day, day_of(arguments, "to", last + 1));
  WEIR_TRY(query.today, day_of(arguments, "today", store::day_of(SystemClock().wall_ms())));
  return query;
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

void write_part(const Part& part, json::Writer& w) {
  w.begin_object()
      .member("kind", to_string(part.kind))
      .member("tokens", part.tokens)
      .member("cost_usd", part.cost.to_usd())
      .end_object();
}

std::string json_of(const Reconciliation& result, const Statement& statement) {
  std::string text;
  json::Writer w(text);
  w.begin_object()
      .member("ledger_cost_usd", result.ledger_cost.to_usd())
      .member("provider_cost_usd", result.provider_cost.to_usd());
  w.key("sums").begin_array();
  for (const auto& [kind, part] : result.sums) write_part(part, w);
  w.end_array().key("left_out").begin_object();
  for (const auto& [why, count] : statement.left_out) w.member(why, count);
  w.end_object().key("days").begin_array();
  for (const Drift& drift : result.drifts) {
    w.begin_object()
        .member("day", store::day_text(drift.day))
        .member("provider", drift.provider)
        .member("model", drift.model)
        .member("provisional", drift.provisional)
        .member("ledger_tokens", drift.ledger_tokens)
        .member("provider_tokens", drift.provider_tokens)
        .member("ledger_cost_usd", drift.ledger_cost.to_usd())
        .member("provider_cost_usd", drift.provider_cost.to_usd());
    w.key("parts").begin_array();
    for (const Part& part : drift.parts) write_part(part, w);
    w.end_array().end_object();
  }
  w.end_array().end_object();
  return text + "\n";
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
  const auto query = query_of(arguments, *statement);
  if (!query) return failed(query.error(), terminal);
  const auto account = reconcile::account_of(config.data_dir, query->from_day, query->to_day);
  if (!account) return failed(account.error(), terminal);
  const Reconciliation result = reconcile::reconcile(*account, *statement, *query);
  if (arguments.has("json")) {
    terminal.out << json_of(result, *statement);
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
  const bool drifted = std::ranges::any_of(
      result.sums, [](const auto& sum) { return reconcile::is_drift(sum.first); });
  return drifted ? kExitFailed : kExitDone;
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
