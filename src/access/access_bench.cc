// What it costs a request to be recognized: the keyed hash and the look-up, among 10 and 100,000
// keys, of a key that is known and of one that is not.
#include <benchmark/benchmark.h>

#include "access/key_format.h"
#include "access/key_table.h"

namespace weir::access {
namespace {

void hash_key(benchmark::State& state) {
  KeyHasher hasher(Secret(std::string(32, 's')));
  std::string key(generate_key()->reveal());
  for (auto _ : state) benchmark::DoNotOptimize(hasher.hash(key));
}
BENCHMARK(hash_key);

void find_key(benchmark::State& state) {
  auto hasher = std::make_shared<const KeyHasher>(Secret(std::string(32, 's')));
  std::vector<KeyEntry> entries;
  std::vector<std::string> keys;
  for (int64_t i = 0; i < state.range(0); ++i) {
    keys.emplace_back(generate_key()->reveal());
    Principal principal;
    principal.key_id = std::to_string(i);
    entries.push_back({hasher->hash(keys.back()), std::move(principal)});
  }
  auto table = KeyTable::build(hasher, std::move(entries));
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table->find(keys[at], 0));
    at = (at + 7919) % keys.size();
  }
}
BENCHMARK(find_key)->Arg(10)->Arg(100'000);

void refuse_key(benchmark::State& state) {
  auto hasher = std::make_shared<const KeyHasher>(Secret(std::string(32, 's')));
  std::vector<KeyEntry> entries;
  for (int i = 0; i < 1000; ++i) {
    entries.push_back({hasher->hash(std::to_string(i)), Principal()});
  }
  auto table = KeyTable::build(hasher, std::move(entries));
  std::string key(generate_key()->reveal());
  for (auto _ : state) benchmark::DoNotOptimize(table->find(key, 0));
}
BENCHMARK(refuse_key);

}  // namespace
}  // namespace weir::access
