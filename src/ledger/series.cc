#include "ledger/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/date.h"
#include "base/id.h"
#include "ledger/log_schema.h"
#include "store/day.h"
#include "store/sqlite.h"

namespace weir::ledger {

namespace {

constexpr int64_t kRangeMsMax = 400 * store::kDayMs;
// A step's sample: so many places spread over it, so many rows from each on.
constexpr int64_t kSamplePlaces = 4;
constexpr int64_t kSampleRows = 100;

// What was measured in one step.
struct Times {
  std::vector<int64_t> total;
  std::vector<int64_t> ttft;
};

// The value below which the share lies: the smallest of the ceil(share * n)-th. Reorders.
int64_t percentile(std::vector<int64_t>& values, int64_t percent) {
  if (values.empty()) return 0;
  const auto count = static_cast<int64_t>(values.size());
  const auto at = values.begin() + std::max<int64_t>((count * percent + 99) / 100, 1) - 1;
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Percentiles percentiles(std::vector<int64_t>& values) {
  return {.p50 = percentile(values, 50),
          .p95 = percentile(values, 95),
          .p99 = percentile(values, 99),
          .count = static_cast<int64_t>(values.size())};
}

class SeriesReader {
 public:
  SeriesReader(const LogReader& reader, const SeriesQuery& query)
      : reader_(reader), query_(query) {}

  Result<Series> read() {
    WEIR_TRY(const int64_t rows, rows_about());
    series_.exact = rows <= query_.rows_max;
    lay_out(series_.exact ? 1000 : kHourMs);
    WEIR_CHECK_OK(series_.exact ? read_rows() : read_hours());
    for (size_t i = 0; i < series_.points.size(); ++i) {
      Times& times = times_[i];
      std::ranges::copy(times.total, std::back_inserter(all_.total));
      std::ranges::copy(times.ttft, std::back_inserter(all_.ttft));
      finish(series_.points[i], times);
      add(series_.whole, series_.points[i]);
    }
    finish(series_.whole, all_);
    return std::move(series_);
  }

 private:
  void lay_out(int64_t least_ms) {
    const int64_t range = query_.until_ms - query_.since_ms;
    series_.step_ms = series_step_ms(range, query_.points, least_ms);
    series_.since_ms = query_.since_ms - query_.since_ms % series_.step_ms;
    const int64_t steps =
        (query_.until_ms - series_.since_ms + series_.step_ms - 1) / series_.step_ms;
    series_.points.resize(static_cast<size_t>(steps));
    times_.resize(static_cast<size_t>(steps));
  }

  // By the rollups, each hour for the part of it that is in the range.
  Result<int64_t> rows_about() {
    SumQuery sums = sums_query(SumBy::hour);
    WEIR_TRY(hours_, reader_.sums(sums));
    int64_t rows = 0;
    for (const Sums& hour : hours_) {
      const int64_t begin = parse_rfc3339(hour.group).value_or(0);
      const int64_t covered =
          std::min(begin + kHourMs, query_.until_ms) - std::max(begin, query_.since_ms);
      rows += hour.requests * std::clamp<int64_t>(covered, 0, kHourMs) / kHourMs;
    }
    return rows;
  }

  SumQuery sums_query(SumBy by) const {
    SumQuery sums{.since_ms = query_.since_ms, .until_ms = query_.until_ms, .by = by};
    sums.key_id = query_.key_id;
    sums.team = query_.team;
    sums.model = query_.model;
    sums.limit = 24 * 401;
    return sums;
  }

  SeriesPoint* point_at(int64_t wall_ms) {
    const int64_t at = (wall_ms - series_.since_ms) / series_.step_ms;
    if (wall_ms < series_.since_ms || at >= static_cast<int64_t>(series_.points.size())) {
      return nullptr;
    }
    return &series_.points[static_cast<size_t>(at)];
  }

  Result<void> read_hours() {
    for (const Sums& hour : hours_) {
      SeriesPoint* point = point_at(parse_rfc3339(hour.group).value_or(0));
      if (point == nullptr) continue;
      point->requests += hour.requests;
      point->errors += hour.errors;
      point->denied += hour.denied;
      point->input_tokens += hour.input_tokens;
      point->output_tokens += hour.output_tokens;
      point->cost += hour.cost;
    }
    const int64_t places = static_cast<int64_t>(series_.points.size()) * kSamplePlaces;
    const int64_t apart = series_.step_ms / kSamplePlaces;
    for (int64_t i = 0; i < places; ++i) {
      const int64_t from = series_.since_ms + i * apart;
      WEIR_CHECK_OK(scan(from, from + apart, kSampleRows, false));
    }
    return {};
  }

  Result<void> read_rows() {
    const int64_t rows_max = query_.rows_max * 2;  // rows_about() may be short of the newest
    return scan(series_.since_ms, query_.until_ms, rows_max, true);
  }

  // Rows begun in [from, until), at most `rows_max` of a day: their times, and where `sums` is set
  // everything else.
  Result<void> scan(int64_t from, int64_t until, int64_t rows_max, bool sums) {
    for (const int64_t day : store::days_on_disk(reader_.data_dir(), kRequestsPrefix)) {
      if (day < store::day_of(from) || day > store::day_of(until - 1)) continue;
      WEIR_TRY(store::Connection * connection, open(day));
      if (connection != nullptr) {
        WEIR_CHECK_OK(scan_day(*connection, from, until, rows_max, sums));
      }
    }
    return {};
  }

  // The day's file; one stays open for the next call. nullptr: it has no table yet, or is gone.
  Result<store::Connection*> open(int64_t day) {
    if (open_ && open_day_ == day) return &*open_;
    open_.reset();
    auto opened = store::Connection::open(store::day_file(reader_.data_dir(), kRequestsPrefix, day),
                                          store::OpenMode::read_only);
    if (!opened && opened.error().code() == ErrorCode::not_found) return nullptr;
    if (!opened) return fail(std::move(opened).error());
    WEIR_TRY(const auto table, opened->query_int64("SELECT 1 FROM sqlite_master WHERE "
                                                   "type='table' AND name='request'"));
    if (!table) return nullptr;
    open_.emplace(std::move(*opened));
    open_day_ = day;
    return &*open_;
  }

  Result<void> scan_day(store::Connection& connection, int64_t from, int64_t until,
                        int64_t rows_max, bool sums) {
    std::string sql = fmt::format(
        "SELECT id, status, outcome, streamed, total_us, ttft_us, "
        "input+cache_read+cache_write_5m+cache_write_1h+input_audio+input_image, "
        "output+output_audio+output_image, cost_nano FROM request WHERE id>={} AND id<{}",
        Id::first_at(from).value(), Id::first_at(until).value());
    int parameter = 0;
    const std::pair<std::string_view, const std::string*> filters[] = {
        {"key_id", &query_.key_id}, {"team", &query_.team}, {"model", &query_.model}};
    for (const auto& [column, value] : filters) {
      if (!value->empty()) sql += fmt::format(" AND {}=?{}", column, ++parameter);
    }
    WEIR_TRY(store::Statement rows,
             connection.prepare(fmt::format("{} ORDER BY id LIMIT {}", sql, rows_max)));
    parameter = 0;
    for (const auto& [column, value] : filters) {
      if (!value->empty()) rows.bind(++parameter, std::string_view(*value));
    }
    for (;;) {
      WEIR_TRY(const bool more, rows.step());
      if (!more) return {};
      take(rows, sums);
    }
  }

  void take(const store::Statement& row, bool sums) {
    SeriesPoint* point = point_at(Id(row.column_int64(0)).wall_ms());
    if (point == nullptr) return;
    const bool ok =
        row.column_int64(2) == static_cast<int64_t>(Outcome::ok) && row.column_int64(1) < 400;
    Times& times = times_[static_cast<size_t>(point - series_.points.data())];
    if (ok) {
      times.total.push_back(row.column_int64(4));
      if (row.column_int64(3) != 0 && row.column_int64(5) > 0) {
        times.ttft.push_back(row.column_int64(5));
      }
    }
    if (!sums) return;
    point->requests += 1;
    point->errors += ok ? 0 : 1;
    point->denied += row.column_int64(2) == static_cast<int64_t>(Outcome::denied) ? 1 : 0;
    point->input_tokens += row.column_int64(6);
    point->output_tokens += row.column_int64(7);
    point->cost += Money::from_nano(row.column_int64(8));
  }

  static void finish(SeriesPoint& point, Times& times) {
    point.total = percentiles(times.total);
    point.ttft = percentiles(times.ttft);
  }

  static void add(SeriesPoint& sum, const SeriesPoint& more) {
    sum.requests += more.requests;
    sum.errors += more.errors;
    sum.denied += more.denied;
    sum.input_tokens += more.input_tokens;
    sum.output_tokens += more.output_tokens;
    sum.cost += more.cost;
  }

  const LogReader& reader_;
  const SeriesQuery& query_;
  Series series_;
  std::vector<Sums> hours_;
  std::vector<Times> times_;
  Times all_;
  std::optional<store::Connection> open_;
  int64_t open_day_ = 0;
};

}  // namespace

int64_t series_step_ms(int64_t range_ms, int64_t points, int64_t least_ms) {
  constexpr int64_t kMinute = 60'000;
  constexpr int64_t kSteps[] = {1000,
                                2000,
                                5000,
                                10'000,
                                15'000,
                                30'000,
                                kMinute,
                                2 * kMinute,
                                5 * kMinute,
                                10 * kMinute,
                                15 * kMinute,
                                30 * kMinute,
                                kHourMs,
                                2 * kHourMs,
                                3 * kHourMs,
                                6 * kHourMs,
                                12 * kHourMs,
                                24 * kHourMs,
                                2 * store::kDayMs,
                                7 * store::kDayMs};
  for (const int64_t step : kSteps) {
    if (step >= least_ms && (range_ms + step - 1) / step <= points) return step;
  }
  return 28 * store::kDayMs;
}

Result<Series> read_series(const LogReader& reader, const SeriesQuery& query) {
  if (query.until_ms <= query.since_ms || query.until_ms - query.since_ms > kRangeMsMax) {
    return fail(ErrorCode::invalid_argument,
                "since and until: expected a range of at most 400 days");
  }
  SeriesQuery within = query;
  within.points = std::clamp<int64_t>(query.points, 1, SeriesQuery::kPointsMax);
  return SeriesReader(reader, within).read();
}

}  // namespace weir::ledger
