// weir prices diff, weir prices import: what the catalogues of others say beside the price book.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>

#include "app/commands/download.h"
#include "app/commands/prices.h"
#include "app/work/price_work.h"
#include "base/json/writer.h"
#include "ledger/scale.h"

namespace weir::app {
namespace {

using ledger::Catalogue;
using ledger::MeterChange;
using ledger::PriceComparison;
using ledger::PriceDifference;
using ledger::PriceRow;

constexpr size_t kRefusalsShown = 20;

int failed(const Error& error, Terminal& terminal) {
  terminal.err << "weir prices: " << error.message() << "\n";
  return kExitFailed;
}

Result<std::string> text_of(const std::string& place) {
  if (place.starts_with("https://") || place.starts_with("http://")) return download(place);
  std::error_code error;
  const auto size = std::filesystem::file_size(place, error);
  if (error) return fail(ErrorCode::not_found, fmt::format("cannot read {}", place));
  if (size > Catalogue::kTextMax) {
    return fail(ErrorCode::limit_exceeded, fmt::format("{} is larger than 64 MiB", place));
  }
  std::ifstream file(place, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return fail(ErrorCode::io_error, fmt::format("cannot read {}", place));
  return text;
}

// "https://configs.portkey.ai/pricing/vertex-ai.json" -> "vertex-ai".
std::string stem_of(const std::string& place) {
  return std::filesystem::path(place).stem().string();
}

Result<CatalogueOrder> order_of(const Arguments& arguments) {
  CatalogueOrder order{
      .source = arguments.argument(0),
      .whose = arguments.has("of") ? arguments.value("of") : stem_of(arguments.argument(1)),
      .valid_from = arguments.value("valid-from"),
      .provider = arguments.value("provider"),
      .model = arguments.value("model"),
      .with_new = arguments.has("new")};
  for (const std::string& mapping : arguments.values("map")) {
    const size_t equals = mapping.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == mapping.size()) {
      return fail(ErrorCode::invalid_argument,
                  "--map: expected THEIRS=OURS such as groq=openai_compatible");
    }
    order.providers[mapping.substr(0, equals)] = mapping.substr(equals + 1);
  }
  return order;
}

// Tool calls are counted by the thousand, tokens by the million.
std::string price_text(const MeterChange& change, int64_t price) {
  return usd_per_million(price) + (change.meter == "tool_call" ? "/1000 calls" : "");
}

void print(const PriceDifference& difference, Terminal& terminal) {
  terminal.out << title_of(difference.row) << (difference.book_row.empty() ? " (new)" : "") << ":";
  for (const MeterChange& change : difference.changes) {
    terminal.out << " " << change.meter;
    if (change.above != 0) terminal.out << fmt::format(">{}", change.above);
    terminal.out << " ";
    if (change.before) terminal.out << price_text(change, *change.before) << " -> ";
    terminal.out << price_text(change, change.after);
    terminal.out << (&change == &difference.changes.back() ? "" : ",");
  }
  if (!difference.suspicious.empty()) terminal.out << "  SUSPICIOUS: " << difference.suspicious;
  terminal.out << "\n";
}

void print_refusals(const Catalogue& catalogue, Terminal& terminal) {
  for (size_t i = 0; i < std::min(catalogue.refused.size(), kRefusalsShown); ++i) {
    const auto& refused = catalogue.refused[i];
    terminal.err << fmt::format("not taken: {} {}: {}\n", refused.provider, refused.model,
                                refused.why);
  }
  if (catalogue.refused.size() > kRefusalsShown) {
    terminal.err << fmt::format("not taken: {} more\n", catalogue.refused.size() - kRefusalsShown);
  }
}

Result<ComparedCatalogue> compare(const Arguments& arguments, const CatalogueOrder& order,
                                  const Config& config) {
  WEIR_TRY(const std::string text, text_of(arguments.argument(1)));
  return compare_catalogue(config, order, text);
}

int run_diff(const Arguments& arguments, Terminal& terminal) {
  const auto config = prices_config(arguments, terminal);
  if (!config) return kExitFailed;
  const auto order = order_of(arguments);
  if (!order) return failed(order.error(), terminal);
  const auto compared = compare(arguments, *order, *config);
  if (!compared) return failed(compared.error(), terminal);
  const auto& [catalogue, comparison, query] = *compared;
  std::string out;
  json::Writer w(out);
  w.begin_array();
  size_t shown = 0;
  size_t fresh = 0;
  for (const PriceDifference& difference : comparison.differences) {
    fresh += difference.book_row.empty() ? 1 : 0;
    if (!is_wanted(difference, *order)) continue;
    ++shown;
    if (arguments.has("json")) {
      write_difference(w, difference);
    } else {
      print(difference, terminal);
    }
  }
  w.end_array();
  if (arguments.has("json")) terminal.out << out << "\n";
  print_refusals(catalogue, terminal);
  terminal.err << fmt::format(
      "{} rows agree, {} differ, {} are not in the book{}; refused {}, other providers {}, not by "
      "the token {}, variants {}\n",
      comparison.same, comparison.differences.size() - fresh, fresh,
      arguments.has("new") ? "" : " (see --new)", catalogue.refused.size(), catalogue.elsewhere,
      catalogue.not_tokens, catalogue.variants);
  return shown == 0 ? kExitDone : kExitFailed;
}

int run_import(const Arguments& arguments, Terminal& terminal) {
  auto config = prices_config(arguments, terminal);
  if (!config) return kExitFailed;
  const std::string path = arguments.value("output");
  if (path.empty()) {
    return failed({ErrorCode::invalid_argument, "-o FILE: expected the price file to write"},
                  terminal);
  }
  const auto order = order_of(arguments);
  if (!order) return failed(order.error(), terminal);
  auto known = read_price_file(path);
  if (!known) return failed(known.error(), terminal);
  std::vector<PriceRow> rows = std::move(*known);
  config->file_prices = rows;
  auto compared = compare(arguments, *order, *config);
  if (!compared) return failed(compared.error(), terminal);
  std::vector<PriceRow> taken;
  size_t suspicious = 0;
  for (PriceDifference& difference : compared->comparison.differences) {
    if (!is_wanted(difference, *order)) continue;
    if (!difference.suspicious.empty() && !arguments.has("accept-suspicious")) {
      ++suspicious;
      terminal.err << fmt::format("not taken: {}: {}\n", title_of(difference.row),
                                  difference.suspicious);
      continue;
    }
    if (!arguments.has("quiet")) print(difference, terminal);
    taken.push_back(std::move(difference.row));
  }
  print_refusals(compared->catalogue, terminal);
  const size_t count = taken.size();
  if (count > 0) {
    if (auto written = write_price_file(path, std::move(rows), std::move(taken)); !written) {
      return failed(written.error(), terminal);
    }
  }
  terminal.err << fmt::format("{} rows written to {}, valid from {}; {} suspicious, {} refused\n",
                              count, path, ledger::price_date(compared->query.valid_from_ms),
                              suspicious, compared->catalogue.refused.size());
  return kExitDone;
}

const std::vector<Argument> kArguments = {
    {"SOURCE", "Whose form it has: litellm, models.dev or portkey"},
    {"FILE", "The catalogue, or its https:// address"}};

std::vector<Option> options_with(std::vector<Option> more) {
  std::vector<Option> options = {
      {"config", 'c', "FILE", "Compare with the prices of this configuration, too"},
      {"provider", 'p', "NAME", "Only this provider's"},
      {"model", 'm', "TEXT", "Only models with this in their name"},
      {"new", 0, "", "Models too that the book does not have"},
      {"map", 0, "THEIRS=OURS", "Read one more provider, such as groq=openai_compatible"},
      {"of", 0, "NAME", "portkey: whose file it is, where its name does not tell"},
      {"valid-from", 0, "DATE", "The day from which the prices hold", ""}};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

}  // namespace

Command prices_diff_command() {
  return {
      .name = "diff",
      .summary = "Compare a price catalogue with the price book",
      .details =
          "Prints what differs, per model and meter, in dollars per million tokens. Exits "
          "with 1 where\nsomething differs, for CI.",
      .arguments = kArguments,
      .options = options_with({{"json", 0, "", "Print one JSON array"}}),
      .examples = {{"weir prices diff litellm model_prices_and_context_window.json",
                    "What LiteLLM has otherwise"},
                   {"weir prices diff models.dev https://models.dev/api.json -p openai",
                    "OpenAI's prices as models.dev has them today"}},
      .run = run_diff,
  };
}

Command prices_import_command() {
  return {
      .name = "import",
      .summary = "Write a catalogue's prices into a price file",
      .details =
          "Adds a dated row for each price that differs from the book, and with --new for "
          "each model\nthat it lacks, to a file that price_files of weir.yaml names. Rows "
          "of earlier days stay, so\nthat past requests keep their price. A price that is "
          "negative or absurd is not taken; one\nthat jumps by 20 times or becomes free "
          "only with --accept-suspicious.",
      .arguments = kArguments,
      .options = options_with({{"output", 'o', "FILE", "The price file, which may exist"},
                               {"accept-suspicious", 0, "", "Take jumps and free prices, too"},
                               {"quiet", 'q', "", "Do not list what is taken"}}),
      .examples = {{"weir prices import litellm prices.json -o prices.csv",
                    "Take over what changed"},
                   {"weir prices import portkey openai.json -o prices.csv --new -m gpt-",
                    "With models that the book does not know"}},
      .run = run_import,
  };
}

}  // namespace weir::app
