// The HTML report: one file with its style and its drawings in it. The drawings are SVG made here,
// so nothing runs and nothing is fetched when it is opened.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/date.h"
#include "sim/bench_report.h"

namespace weir::sim {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 220;
constexpr double kLeft = 64;
constexpr double kBottom = 28;
constexpr double kTop = 10;
constexpr size_t kPointsMax = 900;

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--fg:#1b1f24;--dim:#667;--line:#d5d9e0;--bg:#fff;--a:#2563eb;--b:#16a34a;--c:#dc2626;--d:#b45309}
@media(prefers-color-scheme:dark){:root{--fg:#e6e9ef;--dim:#9aa3b2;--line:#333a45;--bg:#14171c;--a:#7aa2ff;--b:#4ade80;--c:#f87171;--d:#fbbf24}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:900px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}p,.dim{color:var(--dim)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line)}
td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto;display:block}
svg text{font-size:11px;fill:var(--dim)}.grid{stroke:var(--line);stroke-width:1}.s{fill:none;stroke-width:1.6}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.8rem;margin:1.2rem 0}
.tile{border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}.tile b{display:block;font-size:1.3rem}
.key span{margin-right:1.2rem}.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em}
)";

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

struct Point {
  double x, y;
};
struct Series {
  std::string_view name;
  std::string_view color;  // "a" to "d"
  std::vector<Point> points;
};

std::string number(double value) {
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.0f}k", value / 1e3);
  return value == std::floor(value) || value >= 100 ? fmt::format("{:.0f}", value)
                                                    : fmt::format("{:.2g}", value);
}

// 1, 2 or 5 times a power of ten, at least `value`.
double nice(double value) {
  if (value <= 0) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0, 10.0}) {
    if (step * power >= value) return step * power;
  }
  return value;
}

class Chart {
 public:
  Chart(std::vector<Series> series, bool log_x) : series_(std::move(series)), log_x_(log_x) {
    bool first = true;
    double x_end = 1;
    for (const Series& one : series_) {
      for (const Point& point : one.points) {
        x_from_ = first ? place(point.x) : std::min(x_from_, place(point.x));
        x_end = first ? place(point.x) : std::max(x_end, place(point.x));
        y_to_ = std::max(y_to_, point.y);
        first = false;
      }
    }
    x_to_ = std::max(x_end, x_from_ + 1e-9);
    y_to_ = nice(y_to_);
  }

  std::string draw(std::string_view x_name) const {
    std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">", kWidth, kHeight);
    for (int i = 0; i <= 4; ++i) {
      const double value = y_to_ * i / 4;
      const double at = y(value);
      out += fmt::format(
          "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
          "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
          kLeft, kWidth - 8, at, at, kLeft - 6, at + 4, number(value));
    }
    for (int i = 0; i <= 5; ++i) {
      const double value = x_from_ + (x_to_ - x_from_) * i / 5;
      const double told = log_x_ ? std::pow(10, value) : value;
      out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}{}</text>",
                         kLeft + (kWidth - kLeft - 8) * i / 5, kHeight - 8, number(told),
                         i == 5 ? fmt::format(" {}", x_name) : "");
    }
    for (const Series& one : series_) draw_line(one, out);
    out += "</svg><p class=\"key\">";
    for (const Series& one : series_) {
      out +=
          fmt::format("<span><i style=\"background:var(--{})\"></i>{}</span>", one.color, one.name);
    }
    return out + "</p>";
  }

 private:
  double place(double value) const { return log_x_ ? std::log10(std::max(value, 1e-3)) : value; }
  double x(double value) const {
    return kLeft + (place(value) - x_from_) / (x_to_ - x_from_) * (kWidth - kLeft - 8);
  }
  double y(double value) const {
    return kHeight - kBottom - value / y_to_ * (kHeight - kBottom - kTop);
  }

  void draw_line(const Series& one, std::string& out) const {
    const size_t step = one.points.size() / kPointsMax + 1;
    out += fmt::format("<polyline class=\"s\" style=\"stroke:var(--{})\" points=\"", one.color);
    for (size_t i = 0; i < one.points.size(); i += step) {
      // The highest of the points that share a place: spikes are what one looks for.
      double most = 0;
      for (size_t k = i; k < std::min(i + step, one.points.size()); ++k) {
        most = std::max(most, one.points[k].y);
      }
      out += fmt::format("{:.1f},{:.1f} ", x(one.points[i].x), y(most));
    }
    out += "\"/>";
  }

  std::vector<Series> series_;
  bool log_x_;
  double x_from_ = 0, x_to_ = 1, y_to_ = 0;
};

double ms(Nanoseconds time) {
  return static_cast<double>(time.count()) / 1e6;
}

Series by_second(std::string_view name, std::string_view color, const BenchReport& report,
                 const std::function<double(const BenchSecond&)>& value) {
  Series series{name, color, {}};
  for (size_t i = 0; i < report.seconds.size(); ++i) {
    series.points.push_back({static_cast<double>(i), value(report.seconds[i])});
  }
  return series;
}

Series share_by_time(std::string_view name, std::string_view color, const Histogram& histogram) {
  Series series{name, color, {}};
  uint64_t seen = 0;
  for (const Histogram::Bar& bar : histogram.bars()) {
    seen += bar.count;
    series.points.push_back({ms(bar.upper), 100.0 * static_cast<double>(seen) /
                                                static_cast<double>(histogram.count())});
  }
  return series;
}

Series ttft_by_second(std::string_view name, std::string_view color, const BenchReport& report,
                      double share) {
  Series series{name, color, {}};
  for (size_t i = 0; i < report.seconds.size(); ++i) {
    std::vector<float> samples = report.seconds[i].ttft_ms;
    if (samples.empty()) continue;
    std::sort(samples.begin(), samples.end());
    const auto at = static_cast<size_t>(share * static_cast<double>(samples.size() - 1));
    series.points.push_back({static_cast<double>(i), static_cast<double>(samples[at])});
  }
  return series;
}

void tile(std::string& out, std::string_view name, const std::string& value) {
  out +=
      fmt::format("<div class=\"tile\"><span class=\"dim\">{}</span><b>{}</b></div>", name, value);
}

void row(std::string& out, std::string_view name, const Histogram& h) {
  if (h.count() == 0) return;
  out += fmt::format("<tr><td>{}</td>", name);
  for (const Nanoseconds value :
       {h.mean(), h.percentile(0.5), h.percentile(0.9), h.percentile(0.95), h.percentile(0.99),
        h.percentile(0.999), h.max()}) {
    out += fmt::format("<td>{:.2f}</td>", ms(value));
  }
  out += "</tr>";
}

void tiles(std::string& out, const BenchReport& report) {
  out += "<div class=\"tiles\">";
  tile(out, "calls", std::to_string(report.intended));
  tile(out, "succeeded", std::to_string(report.succeeded));
  tile(out, "failed", std::to_string(report.failed));
  tile(out, "calls per second", fmt::format("{:.1f}", per_second(report, report.succeeded)));
  tile(out, "goodput per second", fmt::format("{:.1f}", per_second(report, report.good)));
  tile(out, "output tokens per second",
       fmt::format("{:.0f}", per_second(report, static_cast<uint64_t>(report.output_tokens))));
  tile(out, "open at most", std::to_string(report.open_max));
  tile(out, "never started", std::to_string(report.dropped));
  out += "</div>";
}

}  // namespace

std::string bench_html(const BenchOptions& options, const BenchReport& report) {
  std::string out = fmt::format(
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>weir bench</title>"
      "<meta name=\"viewport\" content=\"width=device-width\"><style>{}</style>"
      "<h1>weir bench: {} {}</h1><p>{} · {} · {} · {:.1f} s · {}</p>",
      kStyle, escape(options.model), to_string(options.mode), rfc3339(report.started_ms),
      escape(options.urls.empty() ? "" : options.urls.front()), dialect::to_string(options.dialect),
      ms(report.elapsed) / 1000, options.stream ? "streamed" : "whole answers");
  tiles(out, report);
  out +=
      "<h2>Latency in milliseconds</h2><table><tr><th></th><th>mean</th><th>p50</th><th>p90</th>"
      "<th>p95</th><th>p99</th><th>p99.9</th><th>max</th></tr>";
  row(out, "time to first token", report.ttft);
  row(out, "between tokens", report.itl);
  row(out, "time per output token", report.tpot);
  row(out, "end to end", report.e2e);
  row(out, "waited for a connection", report.queue);
  out += "</table><p>Times count from the moment a call was meant to start.</p>";
  if (report.ttft.count() > 0) {
    out += "<h2>Share of calls by time (%)</h2>";
    std::vector<Series> shares = {share_by_time("first token", "a", report.ttft)};
    if (report.e2e.count() > 0) shares.push_back(share_by_time("end to end", "b", report.e2e));
    if (report.itl.count() > 0) shares.push_back(share_by_time("between tokens", "d", report.itl));
    out += Chart(std::move(shares), true).draw("ms");
    out += "<h2>Time to first token, by second (ms)</h2>";
    out +=
        Chart({ttft_by_second("p50", "a", report, 0.5), ttft_by_second("p95", "d", report, 0.95)},
              false)
            .draw("s");
  }
  out += "<h2>Calls by second</h2>";
  out += Chart({by_second("started", "a", report,
                          [](const BenchSecond& s) { return static_cast<double>(s.started); }),
                by_second("finished", "b", report,
                          [](const BenchSecond& s) { return static_cast<double>(s.finished); }),
                by_second("failed", "c", report,
                          [](const BenchSecond& s) { return static_cast<double>(s.failed); })},
               false)
             .draw("s");
  out += "<h2>Open at once</h2>";
  out += Chart({by_second("open", "a", report,
                          [](const BenchSecond& s) { return static_cast<double>(s.open); })},
               false)
             .draw("s");
  if (options.watch_pid > 0) {
    out += fmt::format("<h2>Resident memory of process {} (MiB)</h2>", options.watch_pid);
    out += Chart({by_second("resident", "d", report,
                            [](const BenchSecond& s) {
                              return static_cast<double>(s.rss_bytes) / (1 << 20);
                            })},
                 false)
               .draw("s");
  }
  if (!report.errors.empty()) {
    out += "<h2>Failures</h2><table><tr><th>what</th><th>calls</th></tr>";
    for (const auto& [name, count] : report.errors) {
      out += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape(name), count);
    }
    out += "</table>";
  }
  return out + "</html>\n";
}

}  // namespace weir::sim
