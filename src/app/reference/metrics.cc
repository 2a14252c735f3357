// docs/reference/metrics.md: what /metrics prints for one model with one deployment of which
// everything was counted once, read back into a table.
#include "admin/metrics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/reference/pages.h"

namespace weir::app {
namespace {

struct Family {
  std::string name, type, help;
  std::vector<std::pair<std::string, std::vector<std::string>>> labels;
};

// Labels whose values are the operator's own names, or without end.
constexpr std::string_view kOpenLabels[] = {"model", "deployment", "version", "le"};

std::string exposition() {
  gateway::Snapshot snapshot;
  auto account = std::make_shared<provider::Account>();
  account->state = std::make_shared<provider::AccountState>();
  auto deployment = std::make_shared<provider::Deployment>();
  deployment->account = std::move(account);
  deployment->state = std::make_shared<provider::DeploymentState>();
  gateway::Model model;
  model.pool = provider::Pool({std::move(deployment)});
  snapshot.models.push_back(std::move(model));
  gateway::TrafficControl traffic(std::chrono::seconds(100), 0, 1);
  traffic.configure(snapshot);
  schedule::Sample quota;
  quota.budget = 1;
  traffic.add({quota});

  const gateway::ProbePlan probes;

  admin::WorkerSample sample;
  gateway::DeploymentCounters& counters = sample.gateway.deployment(0);
  counters.attempts.fill(1);
  counters.probes.fill(1);
  counters.first_token_s.add(Nanoseconds{1});
  counters.duration_s.add(Nanoseconds{1});
  sample.gateway.model(0).requests.fill(1);
  const admin::SlotNames names{.deployments = {{}}, .models = {""}};
  const std::vector<admin::WorkerSample> samples = {std::move(sample)};
  return admin::metrics_text({.samples = samples,
                              .names = names,
                              .snapshot = snapshot,
                              .traffic = traffic,
                              .probes = probes,
                              .ledger = {},
                              .state = {},
                              .version = {}});
}

void add_labels(std::string_view text, Family& family) {
  // a="x",b="y": no value here holds a quote.
  while (!text.empty()) {
    const size_t equals = text.find("=\"");
    const size_t end = text.find('"', equals + 2);
    const std::string name(text.substr(0, equals));
    const std::string value(text.substr(equals + 2, end - equals - 2));
    auto at = std::find_if(family.labels.begin(), family.labels.end(),
                           [&](const auto& label) { return label.first == name; });
    if (at == family.labels.end()) at = family.labels.insert(at, {name, {}});
    const bool open =
        std::find(std::begin(kOpenLabels), std::end(kOpenLabels), name) != std::end(kOpenLabels);
    if (!open) at->second.push_back(value);
    text.remove_prefix(std::min(end + 2, text.size()));
  }
}

std::vector<Family> families(const std::string& exposed) {
  std::vector<Family> all;
  std::string_view text = exposed;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with("# HELP ")) {
      const std::string_view rest = line.substr(7);
      const size_t space = rest.find(' ');
      all.push_back(
          {std::string(rest.substr(0, space)), {}, std::string(rest.substr(space + 1)), {}});
    } else if (line.starts_with("# TYPE ")) {
      all.back().type = line.substr(line.rfind(' ') + 1);
    } else if (const size_t open = line.find('{'); open != std::string_view::npos) {
      add_labels(line.substr(open + 1, line.rfind('}') - open - 1), all.back());
    }
  }
  return all;
}

std::string labels_text(const Family& family) {
  std::vector<std::string> parts;
  for (const auto& [name, values] : family.labels) {
    if (name == "le") continue;
    parts.push_back(values.empty() ? fmt::format("`{}`", name)
                                   : fmt::format("`{}`: {}", name, fmt::join(values, " ")));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

constexpr std::string_view kIntroduction =
    R"(# Metrics

<!-- Printed by `weir reference metrics`. Do not edit: run
     `weir reference metrics > docs/reference/metrics.md`. -->

`GET /metrics` at the admin address, in Prometheus' text format. Units are base units: seconds, bytes,
US dollars. Counters start at zero with the process. With `admin.token` configured the scraper sends it
as `Authorization: Bearer …`. [operations.md](../operations.md) says what to alert on.

`model` is the configured name, `deployment` is `account/model`. A model and outcome, or a deployment
and failure class, that never occurred has no line.

| metric | type | labels | counts |
|---|---|---|---|
)";

}  // namespace

std::string metrics_table(const std::string& exposed) {
  std::string out;
  for (const Family& family : families(exposed)) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", family.name, family.type, labels_text(family),
                       family.help);
  }
  return out;
}

std::string metrics_page() {
  return std::string(kIntroduction) + metrics_table(exposition());
}

}  // namespace weir::app
