// The figures of docs/keys-and-limits.md: ledger_bench --benchmark_filter=anomalies, from the top
// of the source tree.
#include <benchmark/benchmark.h>

#include "ledger/test_anomaly.h"

namespace weir::ledger {
namespace {

using namespace anomaly_test;

void report(benchmark::State& state, const Score& score) {
  state.counters["precision"] = score.precision();
  state.counters["recall"] = score.recall();
  state.counters["injected"] = score.injected;
  state.counters["false_a_key_week"] = (score.told - score.right) / score.key_weeks;
}

void anomalies_of_services(benchmark::State& state) {
  const Service service = kServices[state.range(0)];
  Score score;
  for (auto _ : state) score = measure(20, 5, SyntheticHours(service));
  state.SetLabel(std::string(name_of(service)));
  report(state, score);
}
BENCHMARK(anomalies_of_services)->DenseRange(0, 3)->Iterations(1)->Unit(benchmark::kMillisecond);

void anomalies_of_recorded_traffic(benchmark::State& state) {
  const std::string name = state.range(0) == 0 ? "code" : "conv";
  const RecordedHours hours("../shared/data/azure-llm-2023/" + name + ".csv");
  if (hours.empty()) {
    state.SkipWithError("no ../shared/data/azure-llm-2023 here");
    return;
  }
  Score score;
  for (auto _ : state) score = measure(20, 9, hours);
  state.SetLabel("Azure 2023, " + name);
  report(state, score);
}
BENCHMARK(anomalies_of_recorded_traffic)
    ->DenseRange(0, 1)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::ledger
