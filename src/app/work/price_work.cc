#include "app/work/price_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "app/config/values.h"
#include "app/price_overrides.h"
#include "base/clock.h"
#include "ledger/scale.h"
#include "store/day.h"

namespace weir::app {
namespace {

using ledger::MeterChange;
using ledger::PriceDifference;
using ledger::PriceRow;

Result<ledger::CatalogueQuery> query_of(const CatalogueOrder& order) {
  const auto kind = ledger::catalogue_kind_of(order.source);
  if (!kind) {
    return fail(ErrorCode::invalid_argument, "source: expected litellm, models.dev or portkey");
  }
  ledger::CatalogueQuery query{.kind = *kind};
  query.valid_from_ms = store::day_of(SystemClock().wall_ms()) * store::kDayMs;
  if (!order.valid_from.empty()) {
    const auto moment = parse_moment(order.valid_from);
    if (!moment || moment->wall_ms % store::kDayMs != 0) {
      return fail(ErrorCode::invalid_argument, "valid_from: expected a day such as 2026-11-22");
    }
    query.valid_from_ms = moment->wall_ms;
  }
  query.portkey_provider = order.whose;
  for (const auto& [theirs, ours] : order.providers) query.providers[theirs] = ours;
  return query;
}

}  // namespace

Result<ComparedCatalogue> compare_catalogue(const Config& config, const CatalogueOrder& order,
                                            std::string_view text) {
  ComparedCatalogue made;
  WEIR_TRY(made.query, query_of(order));
  WEIR_TRY(made.catalogue, ledger::read_catalogue(text, made.query));
  WEIR_TRY(const ledger::PriceBook book, price_book(config));
  // A row of some hours is no row of the day: its noon is asked.
  made.comparison =
      ledger::compare_prices(book, made.catalogue, made.query.valid_from_ms + store::kDayMs / 2);
  return made;
}

bool is_wanted(const PriceDifference& difference, const CatalogueOrder& order) {
  if (!order.provider.empty() && difference.row.provider != order.provider) return false;
  if (!order.model.empty() && difference.row.model.find(order.model) == std::string::npos) {
    return false;
  }
  return !difference.book_row.empty() || order.with_new;
}

std::string title_of(const PriceRow& row) {
  std::string text = fmt::format("{} {}", row.provider, row.model);
  if (!row.service_tier.empty()) text += fmt::format(" tier={}", row.service_tier);
  if (!row.location.empty()) text += fmt::format(" location={}", row.location);
  return text;
}

// Pico-dollars per token are micro-dollars per million tokens.
std::string usd_per_million(int64_t pico_per_token) {
  return Money::from_nano(pico_per_token * 1'000).to_usd();
}

void write_difference(json::Writer& w, const PriceDifference& difference) {
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

Result<std::vector<PriceRow>> read_price_file(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::vector<PriceRow>();
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return fail(ErrorCode::not_found, fmt::format("cannot read {}", path));
  if (size > ledger::Catalogue::kTextMax) {
    return fail(ErrorCode::limit_exceeded, fmt::format("{} is larger than 64 MiB", path));
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return fail(ErrorCode::io_error, fmt::format("cannot read {}", path));
  return ledger::parse_price_csv(text, path);
}

// Rows of the file that the new ones stand in place of go; the others stay, past prices included.
Result<void> write_price_file(const std::string& path, std::vector<PriceRow> rows,
                              std::vector<PriceRow> fresh) {
  std::erase_if(rows, [&fresh](const PriceRow& row) {
    return std::ranges::any_of(fresh, [&row](const PriceRow& one) { return one.id == row.id; });
  });
  rows.insert(rows.end(), std::make_move_iterator(fresh.begin()),
              std::make_move_iterator(fresh.end()));
  const std::string beside = path + ".new";
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << ledger::to_price_csv(rows);
    if (!file.flush()) return fail(ErrorCode::io_error, fmt::format("cannot write {}", beside));
  }
  std::error_code error;
  std::filesystem::rename(beside, path, error);
  if (error) return fail(ErrorCode::io_error, fmt::format("cannot write {}", path));
  return {};
}

std::string imported_prices_path(const std::string& data_dir) {
  return data_dir + "/prices.csv";
}

Result<void> add_imported_prices(Config& config) {
  WEIR_TRY(std::vector<PriceRow> rows, read_price_file(imported_prices_path(config.data_dir)));
  for (PriceRow& row : rows) {
    const bool known = std::ranges::any_of(
        config.file_prices, [&row](const PriceRow& one) { return one.id == row.id; });
    if (!known) config.file_prices.push_back(std::move(row));
  }
  return {};
}

}  // namespace weir::app
