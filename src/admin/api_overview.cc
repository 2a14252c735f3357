// The overview: what happened in a range of time, as totals and as series to plot.
#include <fmt/format.h>

#include "admin/routes.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "ledger/series.h"

namespace weir::admin {

namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kTimeMsMax = 253'402'300'799'999;  // 9999-12-31: later is a mistake

Result<int64_t> number_of(const Request& request, const std::string& name, int64_t fallback,
                          int64_t most) {
  const auto at = request.query.find(name);
  if (at == request.query.end()) return fallback;
  const auto value = parse_int64(at->second);
  if (value && *value >= 0 && *value <= most) return *value;
  return fail(ErrorCode::invalid_argument,
              fmt::format("{}: expected a number from 0 to {}", name, most));
}

std::string text_of(const Request& request, const std::string& name) {
  const auto at = request.query.find(name);
  return at == request.query.end() ? std::string() : at->second;
}

void write_percentiles(json::Writer& w, std::string_view name,
                       const ledger::Percentiles& percentiles) {
  w.key(name)
      .begin_object()
      .member("p50", percentiles.p50)
      .member("p95", percentiles.p95)
      .member("p99", percentiles.p99)
      .member("count", percentiles.count)
      .end_object();
}

template <typename Of>
void write_column(json::Writer& w, std::string_view name, const ledger::Series& series, Of of) {
  w.key(name).begin_array();
  for (const ledger::SeriesPoint& point : series.points) w.number(of(point));
  w.end_array();
}

// Columns rather than points: a plot takes them as they are. Times are null where none was
// measured, so that a line has a gap there and not a zero.
void write_times(json::Writer& w, std::string_view name, const ledger::Series& series,
                 ledger::Percentiles ledger::SeriesPoint::* times,
                 int64_t ledger::Percentiles::* which) {
  w.key(name).begin_array();
  for (const ledger::SeriesPoint& point : series.points) {
    (point.*times).count > 0 ? w.number(point.*times.*which) : w.null();
  }
  w.end_array();
}

void write_series(json::Writer& w, const ledger::Series& series) {
  using ledger::Percentiles;
  using ledger::SeriesPoint;
  w.key("series").begin_object();
  write_column(w, "requests", series, [](const SeriesPoint& p) { return p.requests; });
  write_column(w, "errors", series, [](const SeriesPoint& p) { return p.errors; });
  write_column(w, "denied", series, [](const SeriesPoint& p) { return p.denied; });
  write_column(w, "input_tokens", series, [](const SeriesPoint& p) { return p.input_tokens; });
  write_column(w, "output_tokens", series, [](const SeriesPoint& p) { return p.output_tokens; });
  write_column(w, "cost_nano_usd", series, [](const SeriesPoint& p) { return p.cost.nano(); });
  write_times(w, "total_p50_us", series, &SeriesPoint::total, &Percentiles::p50);
  write_times(w, "total_p95_us", series, &SeriesPoint::total, &Percentiles::p95);
  write_times(w, "total_p99_us", series, &SeriesPoint::total, &Percentiles::p99);
  write_times(w, "ttft_p50_us", series, &SeriesPoint::ttft, &Percentiles::p50);
  write_times(w, "ttft_p95_us", series, &SeriesPoint::ttft, &Percentiles::p95);
  write_times(w, "ttft_p99_us", series, &SeriesPoint::ttft, &Percentiles::p99);
  w.end_object();
}

void write_totals(json::Writer& w, const ledger::SeriesPoint& whole) {
  w.key("totals")
      .begin_object()
      .member("requests", whole.requests)
      .member("errors", whole.errors)
      .member("denied", whole.denied)
      .member("input_tokens", whole.input_tokens)
      .member("output_tokens", whole.output_tokens)
      .member("cost_usd", whole.cost.to_usd());
  write_percentiles(w, "total_us", whole.total);
  write_percentiles(w, "ttft_us", whole.ttft);
  w.end_object();
}

}  // namespace

net::Task<Result<Reply>> get_overview(Backend& backend, const Request& request) {
  ledger::SeriesQuery query;
  const int64_t now_ms = SystemClock().wall_ms();
  const auto until = number_of(request, "until", now_ms, kTimeMsMax);
  if (!until) co_return fail(until.error());
  const auto since = number_of(request, "since", *until - kHourMs, kTimeMsMax);
  if (!since) co_return fail(since.error());
  const auto points = number_of(request, "points", 120, ledger::SeriesQuery::kPointsMax);
  if (!points) co_return fail(points.error());
  query.since_ms = *since;
  query.until_ms = *until;
  query.points = *points;
  query.key_id = text_of(request, "key");
  query.team = text_of(request, "team");
  query.model = text_of(request, "model");
  auto series = ledger::read_series(backend.ledger(), query);
  if (!series) co_return fail(std::move(series).error());

  const ledger::LogHealth health = backend.ledger_health();
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object()
      .member("now_ms", now_ms)
      .member("since_ms", series->since_ms)
      .member("until_ms", query.until_ms)
      .member("step_ms", series->step_ms)
      .member("exact", series->exact)
      .member("config_generation", static_cast<int64_t>(backend.snapshot()->generation))
      .member("ledger_ok", health.ok)
      .member("ledger_problem", health.problem);
  write_totals(w, series->whole);
  write_series(w, *series);
  w.end_object();
  co_return reply;
}

}  // namespace weir::admin
