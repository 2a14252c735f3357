// weir prices: the price book in force, shipped rows and overrides.
#include "app/commands/prices.h"

#include <fmt/format.h>

#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/config/load.h"
#include "app/config/values.h"
#include "app/price_overrides.h"
#include "app/work/price_work.h"
#include "base/json/writer.h"
#include "ledger/price_book.h"

namespace weir::app {
namespace {

using ledger::PriceRow;
using ledger::UsageClass;

constexpr std::array kClasses{
    UsageClass::input,          UsageClass::cache_read,  UsageClass::cache_write_5m,
    UsageClass::cache_write_1h, UsageClass::output,      UsageClass::input_audio,
    UsageClass::output_audio,   UsageClass::input_image, UsageClass::output_image};

bool matches(const PriceRow& row, const Arguments& arguments) {
  const std::string text = arguments.argument(0);
  if (!text.empty() && row.model.find(text) == std::string::npos) return false;
  const std::string provider = arguments.value("provider");
  return provider.empty() || row.provider == provider;
}

void print_row(const PriceRow& row, Terminal& terminal) {
  std::string line = fmt::format("{} {}", row.provider, row.model);
  if (!row.service_tier.empty()) line += fmt::format(" tier={}", row.service_tier);
  if (!row.location.empty()) line += fmt::format(" location={}", row.location);
  if (row.valid_from_ms != 0) line += fmt::format(" from={}", format_moment({row.valid_from_ms}));
  if (!row.hours.always()) line += " at some hours";
  line += ":";
  for (const UsageClass usage_class : kClasses) {
    const auto& rate = row.rates[usage_class];
    if (rate) line += fmt::format(" {}={}", to_string(usage_class), usd_per_million(*rate));
  }
  if (!row.context_tiers.empty()) {
    line += fmt::format(" (more above {} tokens)", row.context_tiers.front().prompt_tokens_above);
  }
  terminal.out << line << "\n";
}

void write_row(const PriceRow& row, json::Writer& w) {
  w.begin_object().member("id", std::string_view(row.id));
  w.member("provider", std::string_view(row.provider));
  w.member("model", std::string_view(row.model));
  w.member("service_tier", std::string_view(row.service_tier));
  w.member("location", std::string_view(row.location));
  w.member("valid_from", std::string_view(format_moment({row.valid_from_ms})));
  w.key("usd_per_million").begin_object();
  for (const UsageClass usage_class : kClasses) {
    const auto& rate = row.rates[usage_class];
    if (rate) w.member(to_string(usage_class), std::string_view(usd_per_million(*rate)));
  }
  w.end_object();
  w.member("source", std::string_view(row.source)).end_object();
}

int run_prices(const Arguments& arguments, Terminal& terminal) {
  const auto config = prices_config(arguments, terminal);
  if (!config) return kExitFailed;
  const auto book = price_book(*config);
  if (!book) {
    terminal.err << "weir: " << book.error().message() << "\n";
    return kExitFailed;
  }
  std::string out;
  json::Writer w(out);
  w.begin_array();
  size_t found = 0;
  for (const PriceRow& row : book->rows()) {
    if (!matches(row, arguments)) continue;
    ++found;
    if (arguments.has("json")) {
      write_row(row, w);
    } else {
      print_row(row, terminal);
    }
  }
  w.end_array();
  if (arguments.has("json")) terminal.out << out << "\n";
  if (found > 0 || arguments.has("json")) return kExitDone;
  terminal.err << "weir: no price for that; its requests are recorded as unpriced until prices in "
                  "weir.yaml\nhas one: weir config explain prices\n";
  return kExitFailed;
}

}  // namespace

std::optional<Config> prices_config(const Arguments& arguments, Terminal& terminal) {
  if (!arguments.has("config")) return Config{};
  const std::string file = arguments.value("config");
  Loaded loaded = load_file(file, terminal.surroundings);
  for (const Problem& problem : loaded.problems) terminal.err << to_text(problem, file) << "\n";
  if (loaded.config) {
    if (auto added = add_imported_prices(*loaded.config); !added) {
      terminal.err << "weir: " << added.error().message() << "\n";
      return std::nullopt;
    }
  }
  return std::move(loaded.config);
}

Command prices_command() {
  return {
      .name = "prices",
      .summary = "Show the price book, in US dollars per million tokens",
      .details =
          "The rows shipped with Weir, each with the date from which it holds and the page it\n"
          "was read from, and before them the overrides and price files of a configuration.",
      .arguments = {{"MODEL", "A part of a model's name", false}},
      .options = {{"provider", 'p', "NAME", "Only this provider's"},
                  {"config", 'c', "FILE", "With the overrides of this configuration"},
                  {"json", 0, "", "Print one JSON array, with sources"}},
      .examples = {{"weir prices gpt-4o", "All rows of models with gpt-4o in the name"},
                   {"weir prices -p anthropic --json", "For a spreadsheet"}},
      .run = run_prices,
      .subcommands = {prices_import_command(), prices_diff_command()},
  };
}

}  // namespace weir::app
