// weir-lab: the laboratory as a program. Prints the table, writes the report; exits with 1 if a
// demand does not hold.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "lab/day.h"
#include "lab/experiment.h"

namespace {

using namespace weir::lab;

constexpr const char* kHelp =
    "weir-lab [OPTIONS]\n\n"
    "  --seeds N          runs of each scenario and policy (default 3; 30 for the full report)\n"
    "  --jobs N           threads (default: one per core)\n"
    "  --scenario NAME    only this one; may be repeated\n"
    "  --policy NAME      only this one beside weir; may be repeated\n"
    "  --traces FOLDER    the Azure LLM traces, conv.csv and code.csv\n"
    "  --html FILE        where the report goes\n"
    "  --explain          print why each weight changed, of the first seed\n"
    "  --day              instead: a day without faults, and how many false cuts it brings\n"
    "  --endpoints N      of that day (default 400000)\n"
    "  --seconds N        of that day (default 86400)\n";

struct Options {
  Experiment experiment;
  std::vector<std::string> scenarios;
  std::vector<std::string> policies;
  std::string traces;
  std::string html;
  bool explain = false;
  bool day = false;
  Day the_day;
};

bool number(const std::string& text, uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out > 0;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// False with a message on stderr if the arguments make no sense.
bool parse(int argc, char** argv, Options& o) {
  o.experiment.seeds = 3;
  o.experiment.jobs = std::max(1U, std::thread::hardware_concurrency());
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--explain" || option == "--day") {
      (option == "--day" ? o.day : o.explain) = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const std::string value = argv[++i];
    if (option == "--scenario")
      o.scenarios.push_back(value);
    else if (option == "--policy")
      o.policies.push_back(value);
    else if (option == "--traces")
      o.traces = value;
    else if (option == "--html")
      o.html = value;
    else if (option == "--seeds"       ? !number(value, o.experiment.seeds)
             : option == "--jobs"      ? !number(value, o.experiment.jobs)
             : option == "--endpoints" ? !number(value, o.the_day.endpoints)
             : option == "--seconds"   ? !number(value, o.the_day.seconds)
                                       : true)
      return false;
  }
  return true;
}

int day(const Options& o) {
  const DayResult r = run_day(o.the_day, [&](uint32_t second) {
    if (second % 600 == 0) fmt::print(stderr, "\r{} of {} s", second, o.the_day.seconds);
  });
  fmt::print(stderr, "\r");
  fmt::print(
      "{} endpoints, {} s, {} endpoint-seconds: {} false cuts, {} of groups, {} denied "
      "(evidence asked for: {:.1f})\n",
      o.the_day.endpoints, o.the_day.seconds, r.endpoint_seconds, r.cuts, r.group_cuts, r.denied,
      r.evidence_needed);
  return r.cuts + r.group_cuts <= 1 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, o)) {
    fmt::print(stderr, "{}", kHelp);
    return 2;
  }
  if (o.day) return day(o);
  for (Scenario& s : scenarios(o.traces))
    if (o.scenarios.empty() || contains(o.scenarios, s.name))
      o.experiment.scenarios.push_back(std::move(s));
  for (const BalancerKind& kind : balancers())
    if (kind.name == "weir" || o.policies.empty() || contains(o.policies, kind.name))
      o.experiment.policies.push_back(kind);
  if (o.experiment.scenarios.empty()) {
    fmt::print(stderr, "no scenario of that name\n");
    return 2;
  }
  const Results results = run(o.experiment, [](size_t done, size_t all) {
    if (done % 16 == 0 || done == all) fmt::print(stderr, "\r{} of {} runs", done, all);
  });
  fmt::print(stderr, "\r                      \r");
  fmt::print("{}", table(results));
  if (o.explain) {
    for (size_t s = 0; s < results.scenarios.size(); ++s) {
      fmt::print("\n{}\n", results.scenarios[s].name);
      for (const std::string& line : results.rows[s][0].outcomes[0].sentences)
        fmt::print("  {}\n", line);
    }
  }
  if (!o.html.empty()) {
    std::ofstream file(o.html);
    file << html(results);
    if (!file.flush()) {
      fmt::print(stderr, "cannot write {}\n", o.html);
      return 2;
    }
    fmt::print("report: {}\n", o.html);
  }
  for (const Demand& d : demands(results))
    if (!d.holds) return 1;
  return 0;
}
