#include "ledger/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/date.h"
#include "base/id.h"
#include "ledger/log_files.h"
#include "ledger/log_schema.h"
#include "ledger/tally.h"
#include "store/day.h"
#include "store/sqlite.h"

namespace weir::ledger {

namespace {

constexpr int64_t kRangeMsMax = 400 * store::kDayMs;
// A step's sample: so many places spread over it, so many rows from each on.
constexpr int64_t kSamplePlaces = 4;
constexpr int64_t kSampleRows = 100;
constexpr int64_t kMinuteMs = 60'000;
// Up to this range steps are of minutes: longer ones would read too many lines.
constexpr int64_t kMinutesRangeMs = 36 * kHourMs;

// What was measured in one step.
struct Times {
  std::vector<int64_t> total;
  std::vector<int64_t> ttft;
};

Percentiles percentiles(const Histogram& times) {
  return {.p50 = times.percentile(50),
          .p95 = times.percentile(95),
          .p99 = times.percentile(99),
          .count = times.count()};
}

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
    const bool all = query_.key_id.empty() && query_.team.empty() && query_.model.empty();
    // Rows of one key or team lie far apart: each is a page of the file to read.
    series_.exact = rows <= (all ? query_.rows_max : query_.rows_max / 4);
    const bool minutes = all && query_.until_ms - query_.since_ms <= kMinutesRangeMs;
    lay_out(series_.exact ? 1000 : minutes ? kMinuteMs : kHourMs);
    if (!series_.exact && query_.key_id.empty() && query_.team.empty()) {
      WEIR_CHECK_OK(read_tallies(minutes ? TallyLevel::minute : TallyLevel::hour));
      return std::move(series_);
    }
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

  void take_hours() {
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
  }

  // Sums and histograms, of all requests or of one model.
  Result<void> read_tallies(TallyLevel level) {
    if (level == TallyLevel::hour) take_hours();
    std::vector<std::pair<Histogram, Histogram>> steps(series_.points.size());
    std::pair<Histogram, Histogram> all;
    const auto read = [&](store::Connection& file, int64_t from_ms, int64_t to_ms) -> Result<void> {
      const int64_t unit = level == TallyLevel::minute ? kMinuteMs : kHourMs;
      if (level == TallyLevel::minute) WEIR_CHECK_OK(read_minutes(file, from_ms, to_ms));
      WEIR_TRY(store::Statement lines,
               file.prepare("SELECT at, total, ttft FROM times WHERE value=?1 AND "
                            "level=?2 AND at>=?3 AND at<?4"));
      lines.bind(1, std::string_view(query_.model))
          .bind(2, static_cast<int64_t>(level))
          .bind(3, from_ms / unit)
          .bind(4, (to_ms + unit - 1) / unit);
      for (;;) {
        WEIR_TRY(const bool more, lines.step());
        if (!more) return {};
        const SeriesPoint* point = point_at(lines.column_int64(0) * unit);
        if (point == nullptr) continue;
        auto& step = steps[static_cast<size_t>(point - series_.points.data())];
        step.first.add(lines.column_blob(1));
        step.second.add(lines.column_blob(2));
      }
    };
    const std::vector<int64_t> days = store::days_on_disk(reader_.data_dir(), kRequestsPrefix);
    const int64_t first = days.empty() ? 0 : days.front() * store::kDayMs;
    if (series_.since_ms < first || days.empty()) {  // days whose file was dropped
      WEIR_TRY(const LogFile meta, reader_.files().meta());
      if (meta) {
        WEIR_CHECK_OK(read(*meta, series_.since_ms,
                           days.empty() ? query_.until_ms : std::min(query_.until_ms, first)));
      }
    }
    for (const int64_t day : days) {
      const int64_t from = std::max(day * store::kDayMs, series_.since_ms);
      const int64_t to = std::min((day + 1) * store::kDayMs, query_.until_ms);
      if (from >= to) continue;
      WEIR_TRY(store::Connection * file, open(day));
      if (file != nullptr) WEIR_CHECK_OK(read(*file, from, to));
    }
    for (size_t i = 0; i < steps.size(); ++i) {
      all.first.add(steps[i].first);
      all.second.add(steps[i].second);
      series_.points[i].total = percentiles(steps[i].first);
      series_.points[i].ttft = percentiles(steps[i].second);
      add(series_.whole, series_.points[i]);
    }
    series_.whole.total = percentiles(all.first);
    series_.whole.ttft = percentiles(all.second);
    return {};
  }

  Result<void> read_minutes(store::Connection& file, int64_t from_ms, int64_t to_ms) {
    WEIR_TRY(store::Statement lines,
             file.prepare("SELECT at, requests, errors, denied, input_tokens, output_tokens, "
                          "cost_nano FROM tally WHERE dimension='all' AND level=2 AND at>=?1 "
                          "AND at<?2"));
    lines.bind(1, from_ms / kMinuteMs).bind(2, (to_ms + kMinuteMs - 1) / kMinuteMs);
    for (;;) {
      WEIR_TRY(const bool more, lines.step());
      if (!more) return {};
      SeriesPoint* point = point_at(lines.column_int64(0) * kMinuteMs);
      if (point == nullptr) continue;
      point->requests += lines.column_int64(1);
      point->errors += lines.column_int64(2);
      point->denied += lines.column_int64(3);
      point->input_tokens += lines.column_int64(4);
      point->output_tokens += lines.column_int64(5);
      point->cost += Money::from_nano(lines.column_int64(6));
    }
  }

  // Sums by the hour, and a sample of the rows: evenly spread however early its time is over, for
  // the places are gone through in large steps.
  Result<void> read_hours() {
    take_hours();
    const int64_t places = static_cast<int64_t>(series_.points.size()) * kSamplePlaces;
    const int64_t apart = series_.step_ms / kSamplePlaces;
    int64_t stride = places * 5 / 8 + 1;
    while (std::gcd(stride, places) != 1) ++stride;
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < places; ++i) {
      const auto took = std::chrono::steady_clock::now() - begin;
      if (took > std::chrono::microseconds(SeriesQuery::kSampleUs)) return {};
      const int64_t from = series_.since_ms + i * stride % places * apart;
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
    for (int64_t day = store::day_of(from); day <= store::day_of(until - 1); ++day) {
      WEIR_TRY(store::Connection * connection, open(day));
      if (connection != nullptr) {
        WEIR_CHECK_OK(scan_day(*connection, from, until, rows_max, sums));
      }
    }
    return {};
  }

  // The day's file, which stays with us. nullptr: it has no table yet, or is gone.
  Result<store::Connection*> open(int64_t day) {
    auto& file = open_[day];
    if (!file) {
      WEIR_TRY(file, reader_.files().requests(day));
    }
    return file->get();
  }

  Result<void> scan_day(store::Connection& connection, int64_t from, int64_t until,
                        int64_t rows_max, bool sums) {
    std::string sql = fmt::format(
        "SELECT id, status, outcome, streamed, total_us, ttft_us, "
        "input+cache_read+cache_write_5m+cache_write_1h+input_audio+input_image, "
        "output+output_audio+output_image, cost_nano, corrects FROM request "
        "WHERE id>={} AND id<{}",
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
    if (row.column_int64(9) != 0) {  // a correction is no request
      if (sums) point->cost += Money::from_nano(row.column_int64(8));
      return;
    }
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
  std::map<int64_t, std::optional<LogFile>> open_;  // by day; as many as the range has
};

}  // namespace

int64_t series_step_ms(int64_t range_ms, int64_t points, int64_t least_ms) {
  constexpr int64_t kSteps[] = {1000,
                                2000,
                                5000,
                                10'000,
                                15'000,
                                30'000,
                                kMinuteMs,
                                2 * kMinuteMs,
                                5 * kMinuteMs,
                                10 * kMinuteMs,
                                15 * kMinuteMs,
                                30 * kMinuteMs,
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
