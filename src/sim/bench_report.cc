#include "sim/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/date.h"
#include "base/json/writer.h"

namespace weir::sim {
namespace {

double ms(Nanoseconds time) {
  return static_cast<double>(time.count()) / 1e6;
}

// Three digits are what a measurement is worth.
std::string ms_text(Nanoseconds time) {
  const double value = ms(time);
  return value >= 100 ? fmt::format("{:.0f}", value)
         : value >= 1 ? fmt::format("{:.1f}", value)
                      : fmt::format("{:.3f}", value);
}

struct Line {
  std::string_view name;
  const Histogram* histogram;
};

std::array<Line, 5> lines(const BenchReport& report) {
  return {Line{"ttft", &report.ttft}, Line{"itl", &report.itl}, Line{"tpot", &report.tpot},
          Line{"e2e", &report.e2e}, Line{"queue", &report.queue}};
}

void write_histogram(json::Writer& w, const Histogram& histogram) {
  w.begin_object().member("count", histogram.count()).member("mean", ms(histogram.mean()));
  w.member("min", ms(histogram.min()));
  for (const auto& [name, share] :
       {std::pair{"p50", 0.5}, std::pair{"p90", 0.9}, std::pair{"p95", 0.95},
        std::pair{"p99", 0.99}, std::pair{"p999", 0.999}}) {
    w.member(name, ms(histogram.percentile(share)));
  }
  w.member("max", ms(histogram.max())).end_object();
}

void write_options(json::Writer& w, const BenchOptions& options) {
  w.begin_object().key("urls").begin_array();
  for (const std::string& url : options.urls) w.string(url);
  w.end_array().member("dialect", dialect::to_string(options.dialect));
  w.member("model", options.model).member("stream", options.stream);
  w.member("mode", to_string(options.mode)).member("seed", options.seed);
  if (options.mode == BenchMode::rate) w.member("rate", options.shape.per_second);
  if (options.mode == BenchMode::concurrency || options.mode == BenchMode::streams) {
    w.member("concurrency", options.concurrency);
  }
  w.member("prompt_tokens", options.shape.prompt_tokens);
  w.member("output_tokens", options.shape.output_tokens);
  w.member("duration_s", ms(options.duration) / 1000).member("warmup_s", ms(options.warmup) / 1000);
  w.member("connections_max", options.connections_max);
  w.key("slo_ms").begin_object().member("ttft", ms(options.slo_ttft));
  w.member("tpot", ms(options.slo_tpot)).member("e2e", ms(options.slo_e2e)).end_object();
  w.end_object();
}

void write_seconds(json::Writer& w, const BenchReport& report) {
  w.begin_array();
  for (const BenchSecond& second : report.seconds) {
    std::vector<float> samples = second.ttft_ms;
    std::sort(samples.begin(), samples.end());
    w.begin_object().member("started", second.started).member("finished", second.finished);
    w.member("failed", second.failed).member("open", second.open);
    w.member("output_tokens", second.output_tokens);
    if (second.rss_bytes > 0) w.member("rss_bytes", second.rss_bytes);
    w.key("ttft_p50_ms");
    if (samples.empty()) {
      w.null();
    } else {
      w.number(static_cast<double>(samples[samples.size() / 2]));
    }
    w.end_object();
  }
  w.end_array();
}

}  // namespace

double per_second(const BenchReport& report, uint64_t count) {
  const double seconds = static_cast<double>(report.elapsed.count()) / 1e9;
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string bench_json(const BenchOptions& options, const BenchReport& report) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("format", "weir-bench/1").member("started", rfc3339(report.started_ms));
  w.member("elapsed_s", ms(report.elapsed) / 1000).key("options");
  write_options(w, options);
  w.key("calls").begin_object().member("intended", report.intended);
  w.member("started", report.started).member("succeeded", report.succeeded);
  w.member("failed", report.failed).member("unfinished", report.unfinished);
  w.member("dropped", report.dropped).member("measured", report.measured);
  w.member("good", report.good).member("open_at_end", report.open);
  w.member("open_max", report.open_max).end_object();
  w.key("per_second").begin_object().member("offered", per_second(report, report.intended));
  w.member("succeeded", per_second(report, report.succeeded));
  w.member("goodput", per_second(report, report.good));
  w.member("input_tokens", per_second(report, static_cast<uint64_t>(report.input_tokens)));
  w.member("output_tokens", per_second(report, static_cast<uint64_t>(report.output_tokens)));
  w.member("bytes_read", per_second(report, report.bytes_read)).end_object();
  w.key("latency_ms").begin_object();
  for (const Line& line : lines(report)) {
    w.key(line.name);
    write_histogram(w, *line.histogram);
  }
  w.end_object().key("errors").begin_object();
  for (const auto& [name, count] : report.errors) w.member(name, count);
  w.end_object().key("connections").begin_object();
  w.member("opened", report.client.connections_opened).member("reused", report.client.reused);
  w.member("failed", report.client.connect_failures);
  w.member("stale_retries", report.client.stale_retries).end_object().key("seconds");
  write_seconds(w, report);
  w.end_object();
  out.push_back('\n');
  return out;
}

std::string bench_summary(const BenchOptions& options, const BenchReport& report) {
  const bool open_loop = options.mode == BenchMode::rate || options.mode == BenchMode::trace;
  std::string out = fmt::format(
      "{} calls in {:.1f} s: {} succeeded, {} failed, {} cut at the end, {} never started\n",
      report.intended, ms(report.elapsed) / 1000, report.succeeded, report.failed,
      report.unfinished, report.dropped);
  out += fmt::format("  per second  {:.1f} calls, {:.1f} within the SLO, {:.0f} output tokens\n",
                     per_second(report, report.succeeded), per_second(report, report.good),
                     per_second(report, static_cast<uint64_t>(report.output_tokens)));
  out += fmt::format("  open        {} at most, {} when the load ended\n", report.open_max,
                     report.open);
  out += fmt::format("\n  {:<8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "ms", "mean", "p50", "p90",
                     "p99", "p99.9", "max");
  for (const Line& line : lines(report)) {
    const Histogram& h = *line.histogram;
    if (h.count() == 0) continue;
    out += fmt::format("  {:<8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", line.name,
                       ms_text(h.mean()), ms_text(h.percentile(0.5)), ms_text(h.percentile(0.9)),
                       ms_text(h.percentile(0.99)), ms_text(h.percentile(0.999)), ms_text(h.max()));
  }
  out += open_loop ? "\n  Times count from when a call was meant to start.\n"
                   : "\n  Closed loop: a slow server also slows the load down.\n";
  for (const auto& [name, count] : report.errors) out += fmt::format("  {:>8}  {}\n", count, name);
  return out;
}

}  // namespace weir::sim
