// The report as one HTML page without anything from outside: tables, and for each scenario and
// policy who got the traffic over time, of the first seed.
#include <fmt/format.h>

#include <algorithm>

#include "lab/experiment.h"

namespace weir::lab {
namespace {

constexpr double kWidth = 300;
constexpr double kHeight = 80;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

// One line per server: its share of the traffic, five seconds to a point; the sick in red.
std::string plot(const Scenario& scenario, const std::vector<std::vector<float>>& shares) {
  float most = 0;
  const size_t servers = shares.size();
  const size_t seconds = servers == 0 ? 0 : shares[0].size();
  constexpr size_t kStep = 5;
  std::vector<std::vector<float>> points(servers);
  for (size_t s = 0; s < servers; ++s) {
    for (size_t t = 0; t + kStep <= seconds; t += kStep) {
      float sum = 0;
      for (size_t i = 0; i < kStep; ++i) sum += shares[s][t + i] / kStep;
      points[s].push_back(sum);
      most = std::max(most, sum);
    }
  }
  std::string out = fmt::format("<svg viewBox='0 0 {} {}' width='{}' height='{}'>", kWidth, kHeight,
                                kWidth, kHeight);
  if (scenario.sick > 0) {
    const double scale = kWidth / scenario.seconds;
    out += fmt::format("<rect x='{:.1f}' y='0' width='{:.1f}' height='{}' class='fault'/>",
                       scenario.fault_at * scale, (scenario.fault_over - scenario.fault_at) * scale,
                       kHeight);
  }
  for (size_t i = 0; i < servers; ++i) {
    const size_t s = servers - 1 - i;  // the sick lie on top
    out += fmt::format("<polyline class='{}' points='", s < scenario.sick ? "sick" : "well");
    for (size_t t = 0; t < points[s].size(); ++t) {
      const double x =
          (static_cast<double>(t) + 0.5) * kWidth / static_cast<double>(points[s].size());
      const double y =
          kHeight - 2 - (kHeight - 4) * static_cast<double>(points[s][t] / std::max(most, 1e-6F));
      out += fmt::format("{:.1f},{:.1f} ", x, y);
    }
    out += "'/>";
  }
  return out + "</svg>";
}

std::string scenario_section(const Results& results, size_t s) {
  const Scenario& scenario = results.scenarios[s];
  const Standing st = standing(results, s);
  std::string out = fmt::format(
      "<h2 id='{0}'>{0}</h2><p>{1}.</p><table><tr><th>policy<th>failed %"
      "<th>p99 ms<th>first cut s<th>moved s<th>back s<th>found<th>false "
      "cuts<th>429s<th>share of the traffic</tr>",
      scenario.name, escaped(scenario.about));
  const auto time = [](double v) { return v < 0 ? std::string("–") : fmt::format("{:.0f}", v); };
  for (size_t p = 0; p < results.policies.size(); ++p) {
    const Row& r = results.rows[s][p];
    out += fmt::format(
        "<tr{}><td title='{}'>{}<td>{:.3f}<small> {:.3f}–{:.3f}</small><td>{:.0f}<small> "
        "{:.0f}–{:.0f}</small><td>{}<td>{}<td>{}<td>{:.2f}<td>{:.0f}<td>{:.0f}<td>{}</tr>",
        p == 0 ? " class='own'" : "", results.policies[p].about, results.policies[p].name,
        100 * r.failed.median, 100 * r.failed.low, 100 * r.failed.high, r.p99_ms.median,
        r.p99_ms.low, r.p99_ms.high, time(r.first_cut), time(r.moved), time(r.returned), r.found,
        r.false_cuts, r.refusals_429, plot(scenario, r.outcomes[0].shares));
  }
  out += fmt::format("</table><p>Least errors: {}{}. Lowest p99: {}{}.</p>", st.best_failed,
                     st.failed_best ? "" : " <b>(Weir behind)</b>", st.best_p99,
                     st.p99_best ? "" : " <b>(Weir behind)</b>");
  const auto& sentences = results.rows[s][0].outcomes[0].sentences;
  out += fmt::format("<details><summary>{} changes, explained</summary><ol>", sentences.size());
  for (size_t i = 0; i < std::min<size_t>(sentences.size(), 300); ++i)
    out += "<li>" + escaped(sentences[i]);
  return out + "</ol></details>";
}

}  // namespace

std::string html(const Results& results) {
  std::string out =
      "<!doctype html><meta charset='utf-8'><title>Weir: traffic scheduling laboratory</title>"
      "<style>body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:80em}"
      "table{border-collapse:collapse}td,th{padding:2px 8px;text-align:right;border-bottom:1px "
      "solid #8884}td:first-child,th:first-child{text-align:left}small{opacity:.6}.own{font-weight:"
      "600;background:#08f1}polyline{fill:none;stroke-width:1}.well{stroke:#4a90d9;opacity:.35}"
      ".sick{stroke:#d33}.fault{fill:#d331}.fail{color:#d33}svg{display:block}"
      "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}</style>"
      "<h1>Traffic scheduling laboratory</h1>";
  const size_t seeds = results.rows.empty() ? 0 : results.rows[0][0].outcomes.size();
  out += fmt::format(
      "<p>{} scenarios, {} policies, {} seeds: the same arrivals, service times and "
      "faults for every policy. Medians; in small type the bootstrap 95 % interval. "
      "Plots: share of the traffic by server, first seed; the sick in red while the "
      "fault lasts.</p><h2>Demands</h2><ul>",
      results.scenarios.size(), results.policies.size(), seeds);
  for (const Demand& d : demands(results))
    out += fmt::format("<li{}>{} {}: <b>{}</b>", d.holds ? "" : " class='fail'",
                       d.holds ? "✓" : "✗", escaped(d.text), escaped(d.measured));
  out += "</ul>";
  for (size_t s = 0; s < results.scenarios.size(); ++s) out += scenario_section(results, s);
  return out;
}

}  // namespace weir::lab
