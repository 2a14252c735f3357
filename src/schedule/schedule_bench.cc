// What an evaluation costs by fleet size and group size, what it holds in memory, what a sample
// costs to take in, and what a pick costs.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <memory>

#include "base/random.h"
#include "schedule/local_view.h"
#include "schedule/picker.h"
#include "schedule/scheduler.h"

namespace weir::schedule {
namespace {

double resident_mb() {
  long pages = 0;
  long resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  (void)std::fclose(file);
  return static_cast<double>(resident) * 4096 / 1e6;
}

std::unique_ptr<Scheduler> fleet(uint32_t endpoints, uint32_t per_group,
                                 uint32_t groups_a_service) {
  auto scheduler = std::make_unique<Scheduler>(Policy{}, Limits{}, 1000);
  ServiceId service = 0;
  for (uint32_t g = 0; g < endpoints / per_group; ++g) {
    if (g % groups_a_service == 0) service = *scheduler->add_service();
    const GroupId group = *scheduler->add_group(service, {.expected = per_group});
    for (uint32_t i = 0; i < per_group; ++i)
      (void)*scheduler->add_endpoint(group, {.host = (g * per_group + i) / 8});
  }
  return scheduler;
}

Sample sample(uint32_t endpoint, uint32_t second, Random& random) {
  Sample s{.endpoint = endpoint, .second = second, .reporter = endpoint};
  s.requests = 5 + random.below(10);
  s.errors = random.below(100) == 0 ? 1 : 0;
  s.ln_latency = (s.requests - s.errors) * (2500 + random.below(60));
  return s;
}

// Arguments: endpoints, endpoints per group. One in a thousand endpoints fails half of the time, so
// the rarer paths are paid for as well.
void evaluation(benchmark::State& state) {
  const double before = resident_mb();
  const auto endpoints = static_cast<uint32_t>(state.range(0));
  auto scheduler = fleet(endpoints, static_cast<uint32_t>(state.range(1)), 20);
  Random random(1);
  for (auto _ : state) {
    state.PauseTiming();
    for (uint32_t e = 0; e < endpoints; ++e) {
      Sample s = sample(e, scheduler->next_second(), random);
      if (e % 1000 == 7) s.errors = s.requests / 2, s.ln_latency /= 2;
      scheduler->ingest(s);
    }
    state.ResumeTiming();
    scheduler->evaluate();
  }
  state.counters["ns/endpoint"] = benchmark::Counter(
      static_cast<double>(endpoints) * static_cast<double>(state.iterations()) / 1e9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["MB"] = resident_mb() - before;
  state.counters["cut"] = static_cast<double>(scheduler->counters().cuts);
}
BENCHMARK(evaluation)
    ->Args({400'000, 200})
    ->Args({400'000, 20})
    ->Args({400'000, 4'000})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(20);
BENCHMARK(evaluation)->Args({4'000'000, 200})->Unit(benchmark::kMillisecond)->Iterations(3);

void ingest(benchmark::State& state) {
  const auto endpoints = static_cast<uint32_t>(state.range(0));
  auto scheduler = fleet(endpoints, 200, 20);
  Random random(1);
  uint32_t e = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(scheduler->ingest(sample(e, scheduler->next_second(), random)));
    if (++e == endpoints) {
      e = 0;
      state.PauseTiming();
      scheduler->evaluate();
      state.ResumeTiming();
    }
  }
}
BENCHMARK(ingest)->Arg(20'000)->Arg(400'000);

void pick_two(benchmark::State& state) {
  const auto n = static_cast<size_t>(state.range(0));
  std::vector<uint16_t> weights(n);
  std::vector<uint32_t> inflight(n);
  Random random(1);
  for (size_t i = 0; i < n; ++i) {
    weights[i] = static_cast<uint16_t>(1 + random.below(1000));
    inflight[i] = random.below(20);
  }
  const Picker picker(weights);
  for (auto _ : state)
    benchmark::DoNotOptimize(picker.pick(random.next(), [&](uint32_t at) { return inflight[at]; }));
}
BENCHMARK(pick_two)->Arg(10)->Arg(1'000)->Arg(100'000);

// The choice of a client: load, pace, guard and budget beside the weights.
void pick_local(benchmark::State& state) {
  const auto n = static_cast<uint32_t>(state.range(0));
  LocalView view(n);
  view.use(std::vector<uint16_t>(n, 1000));
  Random random(1);
  for (uint32_t i = 0; i < n; ++i)
    view.finished(i, 1, 0.1 + 0.01 * random.uniform(), 1, Ended::good);
  double now = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(view.pick(random.next(), now));
    now += 1e-6;
  }
}
BENCHMARK(pick_local)->Arg(10)->Arg(1'000);

void build_picker(benchmark::State& state) {
  std::vector<uint16_t> weights(static_cast<size_t>(state.range(0)), 1000);
  weights[1] = 10;
  for (auto _ : state) benchmark::DoNotOptimize(Picker(weights));
}
BENCHMARK(build_picker)->Arg(1'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::schedule
