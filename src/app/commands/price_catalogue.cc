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
#include "app/config/values.h"
#include "app/price_overrides.h"
#include "base/clock.h"
#include "base/json/writer.h"
#include "ledger/catalogue/compare.h"
#include "ledger/scale.h"
#include "store/day.h"

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

Result<ledger::CatalogueQuery> query_of(const Arguments& arguments) {
  const auto kind = ledger::catalogue_kind_of(arguments.argument(0));
  if (!kind) {
    return fail(ErrorCode::invalid_argument, "SOURCE: expected litellm, models.dev or portkey");
  }
  ledger::CatalogueQuery query{.kind = *kind};
  const int64_t today = store::day_of(SystemClock().wall_ms()) * store::kDayMs;
  query.valid_from_ms = today;
  if (arguments.has("valid-from")) {
    const auto moment = parse_moment(arguments.value("valid-from"));
    if (!moment || moment->wall_ms % store::kDayMs != 0) {
      return fail(ErrorCode::invalid_argument, "--valid-from: expected a day such as 2026-11-22");
    }
    query.valid_from_ms = moment->wall_ms;
  }
  query.portkey_provider =
      arguments.has("of") ? arguments.value("of") : stem_of(arguments.argument(1));
  for (const std::string& mapping : arguments.values("map")) {
    const size_t equals = mapping.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == mapping.size()) {
      return fail(ErrorCode::invalid_argument,
                  "--map: expected THEIRS=OURS such as groq=openai_compatible");
    }
    query.providers[mapping.substr(0, equals)] = mapping.substr(equals + 1);
  }
  return query;
}

bool wanted(const PriceDifference& difference, const Arguments& arguments) {
  const std::string provider = arguments.value("provider");
  if (!provider.empty() && difference.row.provider != provider) return false;
  const std::string model = arguments.value("model");
  if (!model.empty() && difference.row.model.find(model) == std::string::npos) return false;
  return !difference.book_row.empty() || arguments.has("new");
}

std::string title_of(const PriceRow& row) {
  std::string text = fmt::format("{} {}", row.provider, row.model);
  if (!row.service_tier.empty()) text += fmt::format(" tier={}", row.service_tier);
  if (!row.location.empty()) text += fmt::format(" location={}", row.location);
  return text;
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

void write(const PriceDifference& difference, json::Writer& w) {
  w.begin_object()
      .member("provider", difference.row.provider)
      .member("model", difference.row.model)
      .member("service_tier", difference.row.service_tier)
      .member("location", difference.row.location)
      .member("book_row", difference.book_row)
      .member("suspicious", difference.suspicious);
  w.key("changes").begin_array();
  for (const MeterChange& change : difference.changes) {
    w.begin_object().member("meter", change.meter).member("above_tokens", change.above);
    w.key("before");
    if (change.before) {
      w.string(usd_per_million(*change.before));
    } else {
      w.null();
    }
    w.member("after", usd_per_million(change.after)).end_object();
  }
  w.end_array().end_object();
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

struct Compared {
  Catalogue catalogue;
  PriceComparison comparison;
  ledger::CatalogueQuery query;
};

Result<Compared> compare(const Arguments& arguments, const Config& config) {
  Compared made;
  WEIR_TRY(made.query, query_of(arguments));
  WEIR_TRY(const std::string text, text_of(arguments.argument(1)));
  WEIR_TRY(made.catalogue, ledger::read_catalogue(text, made.query));
  WEIR_TRY(const ledger::PriceBook book, price_book(config));
  // A row of some hours is no row of the day: its noon is asked.
  made.comparison =
      ledger::compare_prices(book, made.catalogue, made.query.valid_from_ms + store::kDayMs / 2);
  return made;
}

int run_diff(const Arguments& arguments, Terminal& terminal) {
  const auto config = prices_config(arguments, terminal);
  if (!config) return kExitFailed;
  const auto compared = compare(arguments, *config);
  if (!compared) return failed(compared.error(), terminal);
  const auto& [catalogue, comparison, query] = *compared;
  std::string out;
  json::Writer w(out);
  w.begin_array();
  size_t shown = 0;
  size_t fresh = 0;
  for (const PriceDifference& difference : comparison.differences) {
    fresh += difference.book_row.empty() ? 1 : 0;
    if (!wanted(difference, arguments)) continue;
    ++shown;
    if (arguments.has("json")) {
      write(difference, w);
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

// Rows of the file that the new ones stand in place of go; the others stay, past prices included.
void merge(std::vector<PriceRow>& rows, std::vector<PriceRow> fresh) {
  std::erase_if(rows, [&fresh](const PriceRow& row) {
    return std::ranges::any_of(fresh, [&row](const PriceRow& one) { return one.id == row.id; });
  });
  rows.insert(rows.end(), std::make_move_iterator(fresh.begin()),
              std::make_move_iterator(fresh.end()));
}

// Whole or not at all: a server may read it at any time.
Result<void> replace_file(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush()) return fail(ErrorCode::io_error, fmt::format("cannot write {}", beside));
  }
  std::error_code error;
  std::filesystem::rename(beside, path, error);
  if (error) return fail(ErrorCode::io_error, fmt::format("cannot write {}", path));
  return {};
}

int run_import(const Arguments& arguments, Terminal& terminal) {
  auto config = prices_config(arguments, terminal);
  if (!config) return kExitFailed;
  const std::string path = arguments.value("output");
  if (path.empty()) {
    return failed({ErrorCode::invalid_argument, "-o FILE: expected the price file to write"},
                  terminal);
  }
  std::vector<PriceRow> rows;
  if (std::filesystem::exists(path)) {
    const auto text = text_of(path);
    if (!text) return failed(text.error(), terminal);
    auto known = ledger::parse_price_csv(*text, path);
    if (!known) return failed(known.error(), terminal);
    rows = std::move(*known);
  }
  config->file_prices = rows;
  auto compared = compare(arguments, *config);
  if (!compared) return failed(compared.error(), terminal);
  std::vector<PriceRow> taken;
  size_t suspicious = 0;
  for (PriceDifference& difference : compared->comparison.differences) {
    if (!wanted(difference, arguments)) continue;
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
    merge(rows, std::move(taken));
    if (auto written = replace_file(path, ledger::to_price_csv(rows)); !written) {
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
