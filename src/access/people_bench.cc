// What the number of keys and teams costs a request: the key's look-up and the taking and settling
// of all its limits (key, project, team, organization), with 10 keys in one team and with 10,000 in
// 1,000. Requests go round over all keys, so caches are of no more help than in a real day; "hot"
// asks for one key, as a single busy service does. bench/keys compares the two sizes.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "access/key_format.h"
#include "access/key_table.h"

namespace weir::access {
namespace {

struct Organization {
  std::vector<std::string> keys;
  ledger::LimitRegistry registry;
  KeyTable table;

  Organization(int64_t key_count, int64_t team_count) {
    auto hasher = std::make_shared<const KeyHasher>(Secret(std::string(32, 's')));
    const ledger::LimitRules rules{.requests_per_minute = int64_t{1} << 40,
                                   .tokens_per_minute = int64_t{1} << 50,
                                   .concurrency = int64_t{1} << 30,
                                   .budgets = {{.limit = Money::from_nano(int64_t{1} << 60),
                                                .window = ledger::BudgetWindow::month}}};
    std::vector<KeyEntry> entries;
    for (int64_t i = 0; i < key_count; ++i) {
      keys.emplace_back(generate_key()->reveal());
      Principal who;
      who.key_id = who.name = fmt::format("key-{}", i);
      who.team = fmt::format("team-{}", i % team_count);
      who.models = {"gpt-*", "claude-*"};
      who.key_limits = registry.get(ledger::key_subject(who.key_id), rules);
      who.team_limits = registry.get(ledger::team_subject(who.team), rules);
      who.organization_limits = registry.get(ledger::kOrganizationSubject, rules);
      entries.push_back({hasher->hash(keys.back()), std::move(who)});
    }
    table = *KeyTable::build(hasher, std::move(entries));
  }

  bool request(size_t key) const {
    const KeyTable::Answer answer = table.find(keys[key], 0);
    const auto payers = answer.principal->payers();
    ledger::AdmitAnswer admitted;
    ledger::Admission held = ledger::admit(
        payers, {.tokens = 1'000, .cost = Money::from_nano(10), .now = Nanoseconds(1)}, admitted);
    held.settle(900, Money::from_nano(9), Nanoseconds(2), 0);
    return admitted.allowed() && answer.principal->may_use("claude-sonnet");
  }
};

void governed_request(benchmark::State& state) {
  const Organization organization(state.range(0), state.range(1));
  size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(organization.request(at));
    at = (at + 7919) % organization.keys.size();
  }
}
BENCHMARK(governed_request)->Args({10, 1})->Args({10'000, 1'000});

void governed_request_hot(benchmark::State& state) {
  const Organization organization(state.range(0), state.range(1));
  const size_t at = organization.keys.size() / 2;
  for (auto _ : state) benchmark::DoNotOptimize(organization.request(at));
}
BENCHMARK(governed_request_hot)->Args({10, 1})->Args({10'000, 1'000});

}  // namespace
}  // namespace weir::access
