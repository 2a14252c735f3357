#include "lab/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace weir::lab {
namespace {

// Differences that nobody would notice count as noise whatever the interval says.
constexpr double kFailedNoise = 0.0005;
constexpr double kP99Noise = 0.03;
constexpr double kRoundRobinSlack = 0.01;

// The median where it happened in most runs.
double median_of(const std::vector<Outcome>& outcomes, double Outcome::* field) {
  std::vector<double> values;
  for (const Outcome& o : outcomes)
    if (o.*field >= 0) values.push_back(o.*field);
  return values.size() * 2 > outcomes.size() ? median(values) : -1;
}

template <class F>
std::vector<double> each(const std::vector<Outcome>& outcomes, F&& f) {
  std::vector<double> out;
  out.reserve(outcomes.size());
  for (const Outcome& o : outcomes) out.push_back(f(o));
  return out;
}

Row summarize(std::vector<Outcome> outcomes) {
  Row row;
  row.failed = estimate(each(outcomes, [](const Outcome& o) { return o.failed_share(); }));
  row.p99_ms = estimate(each(outcomes, [](const Outcome& o) { return o.p99_ms; }));
  row.first_cut = median_of(outcomes, &Outcome::first_cut);
  row.moved = median_of(outcomes, &Outcome::moved);
  row.returned = median_of(outcomes, &Outcome::returned);
  row.found = median(each(outcomes, [](const Outcome& o) { return o.found; }));
  row.survivors_peak = median(each(outcomes, [](const Outcome& o) { return o.survivors_peak; }));
  row.refusals_429 =
      median(each(outcomes, [](const Outcome& o) { return static_cast<double>(o.refusals_429); }));
  for (const Outcome& o : outcomes) row.false_cuts += o.false_cuts;
  row.outcomes = std::move(outcomes);
  return row;
}

// Whether `mine` is not above `other` by more than the noise of the paired differences.
bool within_noise(const std::vector<double>& mine, const std::vector<double>& other, double slack) {
  std::vector<double> differences;
  for (size_t i = 0; i < mine.size(); ++i) differences.push_back(mine[i] - other[i]);
  const Estimate e = estimate(differences);
  return e.low <= slack || e.median <= slack;
}

const Row* row_of(const Results& results, std::string_view scenario, std::string_view policy) {
  for (size_t s = 0; s < results.scenarios.size(); ++s)
    for (size_t p = 0; p < results.policies.size(); ++p)
      if (results.scenarios[s].name == scenario && results.policies[p].name == policy)
        return &results.rows[s][p];
  return nullptr;
}

}  // namespace

Results run(const Experiment& experiment, const std::function<void(size_t, size_t)>& progress) {
  const size_t policies = experiment.policies.size();
  const size_t runs = experiment.scenarios.size() * policies * experiment.seeds;
  std::vector<Outcome> outcomes(runs);
  std::atomic<size_t> next = 0;
  std::atomic<size_t> done = 0;
  std::mutex report;
  const auto work = [&] {
    for (size_t i = next++; i < runs; i = next++) {
      const size_t seed = i % experiment.seeds;
      const size_t policy = i / experiment.seeds % policies;
      const size_t scenario = i / experiment.seeds / policies;
      outcomes[i] = simulate(experiment.scenarios[scenario], experiment.policies[policy], seed + 1,
                             seed == 0);
      const std::lock_guard lock(report);
      progress(++done, runs);
    }
  };
  std::vector<std::jthread> threads;
  for (uint32_t t = 1; t < experiment.jobs; ++t) threads.emplace_back(work);
  work();
  threads.clear();
  Results results{experiment.scenarios, experiment.policies, {}};
  size_t at = 0;
  for (size_t s = 0; s < experiment.scenarios.size(); ++s) {
    auto& rows = results.rows.emplace_back();
    for (size_t p = 0; p < policies; ++p) {
      std::vector<Outcome> mine;
      for (size_t seed = 0; seed < experiment.seeds; ++seed)
        mine.push_back(std::move(outcomes[at++]));
      rows.push_back(summarize(std::move(mine)));
    }
  }
  return results;
}

Standing standing(const Results& results, size_t scenario) {
  const std::vector<Row>& rows = results.rows[scenario];
  const auto failed = [](const Row& row) {
    return each(row.outcomes, [](const Outcome& o) { return o.failed_share(); });
  };
  const auto p99 = [](const Row& row) {
    return each(row.outcomes, [](const Outcome& o) { return o.p99_ms; });
  };
  size_t best_failed = 0;
  size_t best_p99 = 0;
  Standing out;
  for (size_t p = 1; p < rows.size(); ++p) {
    if (rows[p].failed.median < rows[best_failed].failed.median) best_failed = p;
    if (rows[p].p99_ms.median < rows[best_p99].p99_ms.median) best_p99 = p;
    if (results.policies[p].name == "round-robin") {
      const double slack = std::max(kFailedNoise, kRoundRobinSlack * rows[p].failed.median);
      out.no_worse_than_round_robin = within_noise(failed(rows[0]), failed(rows[p]), slack);
    }
  }
  out.best_failed = results.policies[best_failed].name;
  out.best_p99 = results.policies[best_p99].name;
  out.failed_best = within_noise(failed(rows[0]), failed(rows[best_failed]), kFailedNoise);
  out.p99_best =
      within_noise(p99(rows[0]), p99(rows[best_p99]), kP99Noise * rows[best_p99].p99_ms.median);
  return out;
}

std::vector<Demand> demands(const Results& results) {
  std::vector<Demand> out;
  const std::string_view weir = results.policies[0].name;
  const auto with = [&](std::string_view scenario, auto&& f) {
    if (const Row* row = row_of(results, scenario, weir)) f(*row);
  };
  const auto seconds = [](double s) { return s < 0 ? "never" : fmt::format("{:.0f} s", s); };
  with("error-half", [&](const Row& r) {
    out.push_back({"error node (p = 0.5, 10 rps): first cut within 5 s, median",
                   seconds(r.first_cut), r.first_cut >= 0 && r.first_cut <= 5});
  });
  with("slow-5x", [&](const Row& r) {
    out.push_back({"5 times slower node: first cut within 10 s, median", seconds(r.first_cut),
                   r.first_cut >= 0 && r.first_cut <= 10});
  });
  with("sick-40", [&](const Row& r) {
    const Row* sigma = row_of(results, "sick-40", "sigma3-minute");
    out.push_back({"40 % of a group sick: 95 % found; three sigma finds none",
                   fmt::format("{:.0f} %; three sigma {:.0f} %", 100 * r.found,
                               sigma == nullptr ? 0 : 100 * sigma->found),
                   r.found >= 0.95 && (sigma == nullptr || sigma->found == 0)});
  });
  with("storm", [&](const Row& r) {
    out.push_back({"storm of a shared dependency: no cut", fmt::format("{:.0f} cuts", r.false_cuts),
                   r.false_cuts == 0});
  });
  with("steady", [&](const Row& r) {
    out.push_back(
        {"no fault: no cut", fmt::format("{:.0f} cuts", r.false_cuts), r.false_cuts == 0});
  });
  with("zone-loss", [&](const Row& r) {
    out.push_back({"lost zone: nine tenths moved within 10 s, survivors at most 0.85 utilized",
                   fmt::format("{}, {:.2f}", seconds(r.moved), r.survivors_peak),
                   r.moved >= 0 && r.moved <= 10 && r.survivors_peak <= 0.85});
  });
  with("rolling-restart", [&](const Row& r) {
    const Row* steady = row_of(results, "steady", weir);
    if (steady == nullptr) return;
    const double ratio = r.p99_ms.median / steady->p99_ms.median;
    out.push_back({"rolling restart: p99 at most 1.2 times the steady one",
                   fmt::format("{:.2f} times", ratio), ratio <= 1.2});
  });
  with("llm-429", [&](const Row& r) {
    const Row* cooldown = row_of(results, "llm-429", "litellm");
    if (cooldown == nullptr || cooldown->refusals_429 == 0) return;
    const double avoided = 1 - r.refusals_429 / cooldown->refusals_429;
    out.push_back({"429 storm: 95 % of the refusals of a cooldown policy avoided",
                   fmt::format("{:.0f} against {:.0f}: {:.0f} %", r.refusals_429,
                               cooldown->refusals_429, 100 * avoided),
                   avoided >= 0.95});
  });
  size_t best = 0;
  std::string worse;
  for (size_t s = 0; s < results.scenarios.size(); ++s) {
    const Standing st = standing(results, s);
    if (st.failed_best && st.p99_best) ++best;
    if (!st.no_worse_than_round_robin) worse += " " + results.scenarios[s].name;
  }
  out.push_back({"never more than 1 % worse than round robin in users' errors",
                 worse.empty() ? "never" : "in" + worse, worse.empty()});
  out.push_back({"errors and p99 best or within noise of it in 80 % of the scenarios",
                 fmt::format("{} of {}", best, results.scenarios.size()),
                 best * 10 >= results.scenarios.size() * 8});
  return out;
}

std::string table(const Results& results) {
  std::string out;
  const auto time = [](double s) { return s < 0 ? std::string("-") : fmt::format("{:.0f}", s); };
  for (size_t s = 0; s < results.scenarios.size(); ++s) {
    const Scenario& scenario = results.scenarios[s];
    const Standing st = standing(results, s);
    out += fmt::format("\n{}: {}\n", scenario.name, scenario.about);
    out += fmt::format("  {:<14} {:>22} {:>24} {:>5} {:>5} {:>5} {:>6} {:>5}{}\n", "policy",
                       "failed %", "p99 ms", "cut", "moved", "back", "found", "false",
                       scenario.counts_429 ? "   429s" : "");
    for (size_t p = 0; p < results.policies.size(); ++p) {
      const Row& r = results.rows[s][p];
      out += fmt::format(
          "  {:<14} {:>8.3f} [{:.3f}, {:.3f}] {:>8.0f} [{:.0f}, {:.0f}]{:>9} {:>5} {:>5} {:>6.2f} "
          "{:>5.0f}",
          results.policies[p].name, 100 * r.failed.median, 100 * r.failed.low, 100 * r.failed.high,
          r.p99_ms.median, r.p99_ms.low, r.p99_ms.high, time(r.first_cut), time(r.moved),
          time(r.returned), r.found, r.false_cuts);
      if (scenario.counts_429) out += fmt::format(" {:>6.0f}", r.refusals_429);
      out += '\n';
    }
    out += fmt::format("  least errors: {}{}; lowest p99: {}{}\n", st.best_failed,
                       st.failed_best ? " (weir within noise)" : " (WEIR BEHIND)", st.best_p99,
                       st.p99_best ? " (weir within noise)" : " (WEIR BEHIND)");
  }
  out += "\ndemands\n";
  for (const Demand& d : demands(results))
    out += fmt::format("  {} {}: {}\n", d.holds ? "ok  " : "FAIL", d.text, d.measured);
  return out;
}

}  // namespace weir::lab
