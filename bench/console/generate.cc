// Writes a data directory with N requests spread over the days before a time, through the ledger's
// own writer: rows, rollups and tallies are those of a Weir that has served them. For
// bench/console.
//
//   weir-bench-ledger DIRECTORY ROWS DAYS UNTIL_MS
//
// Work goes up and down with the hour and is a third on weekends; 200 keys of 24 teams and 12
// projects, 10 models on 16 deployments, of which one fails more; some five in a hundred requests
// do not end well. The same arguments give the same rows.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/random.h"
#include "ledger/log_writer.h"
#include "store/day.h"

namespace weir {
namespace {

using ledger::Outcome;
using ledger::RequestRow;

constexpr size_t kBatch = 20'000;

struct ModelKind {
  const char* name;
  const char* provider;
  int deployments;
  int64_t nano_per_token;
};
constexpr std::array<ModelKind, 10> kModels{{{"gpt-4o", "openai", 3, 5000},
                                             {"gpt-4o-mini", "openai", 2, 400},
                                             {"claude-sonnet", "anthropic", 2, 6000},
                                             {"claude-haiku", "anthropic", 1, 1500},
                                             {"gemini-pro", "vertex_ai", 2, 4000},
                                             {"gemini-flash", "vertex_ai", 1, 300},
                                             {"llama-70b", "openai_compatible", 2, 200},
                                             {"qwen-72b", "openai_compatible", 1, 200},
                                             {"embed-large", "openai", 1, 100},
                                             {"rerank", "openai_compatible", 1, 50}}};

// How much happens in that hour, relative.
double weight_of(int64_t hour) {
  const double turn = static_cast<double>(hour % 24) / 24 * 6.283;
  const bool weekend = (hour / 24 + 4) % 7 == 0 || (hour / 24 + 4) % 7 == 6;
  return (1.2 - std::cos(turn)) * (weekend ? 0.33 : 1);
}

// Few are large: the product of two evens.
int64_t skewed(Random& random, int64_t most) {
  return 1 + static_cast<int64_t>(random.below(static_cast<uint32_t>(most)) * int64_t{1} *
                                  random.below(1000) / 1000);
}

RequestRow row_at(Id id, Random& random) {
  RequestRow row;
  row.id = id;
  row.start_ms = id.wall_ms();
  const int64_t key = skewed(random, 200) - 1;
  row.key_id = fmt::format("key-{:03}", key);
  row.team = fmt::format("team-{:02}", key % 24);
  row.project = fmt::format("project-{:02}", key % 12);
  row.user = fmt::format("user-{}", random.below(50'000));
  row.tags = fmt::format(R"({{"env":"{}","feature":"feature-{:02}"}})",
                         random.below(4) == 0 ? "staging" : "prod", random.below(40));
  row.dialect = "openai_chat";
  row.endpoint = "/v1/chat/completions";
  const size_t at = static_cast<size_t>(skewed(random, 10) - 1 + key) % kModels.size();
  const ModelKind& model = kModels[at];
  row.model = row.model_asked = row.provider_model = model.name;
  const uint64_t which = random.below(static_cast<uint32_t>(model.deployments));
  row.account = fmt::format("{}-{}", model.provider, which);
  row.deployment = fmt::format("{}/{}", row.account, model.name);
  row.provider = model.provider;
  row.attempts = 1;
  row.status = 200;
  row.streamed = random.below(3) != 0;
  row.ttft_us = 80'000 + skewed(random, 2'000'000);
  row.total_us = row.ttft_us + skewed(random, 20'000'000);
  row.upstream_us = row.total_us - 400;
  row.usage.input = skewed(random, 8000);
  row.usage.cache_read = random.below(3) == 0 ? skewed(random, 4000) : 0;
  row.usage.output = skewed(random, 1200);
  row.usage.reported = true;
  row.cost = row.list_cost = Money::from_nano(
      (row.usage.total_input() + 4 * row.usage.total_output()) * model.nano_per_token / 2);
  row.cost_state = ledger::CostState::final;
  row.price_row = fmt::format("{}/{}@2026-01-01", model.provider, model.name);
  row.rates = fmt::format(R"({{"input":{},"output":{}}})", model.nano_per_token * 500,
                          model.nano_per_token * 2000);
  row.config_generation = 1;
  row.bytes_in = row.usage.input * 4;
  row.bytes_out = row.usage.output * 5;
  const uint64_t fate = random.below(which == 1 ? 500 : 1000);
  if (fate < 12) {
    row.outcome = Outcome::error;
    row.status = fate < 8 ? 502 : 504;
    row.error_code = fate < 8 ? "provider_failed" : "timeout";
    row.attempts = 3;
  } else if (fate < 30) {
    row.outcome = Outcome::denied;
    row.status = 429;
    row.error_code = "rate_limited";
    row.attempts = 0;
  } else if (fate < 36) {
    row.outcome = Outcome::aborted;
  }
  if (row.status != 200) {
    row.usage = {};
    row.cost = row.list_cost = {};
    row.streamed = false;
    row.total_us /= 20;
    row.ttft_us = 0;
  }
  row.attempts_text = fmt::format(R"([{{"d":"{}","s":{},"ms":{}}}])", row.deployment, row.status,
                                  row.total_us / 1000);
  return row;
}

int generate(const std::string& directory, int64_t rows, int64_t days, int64_t until_ms) {
  ledger::LogOptions options;
  options.data_dir = directory;
  ledger::LogWriter writer(options);
  const int64_t last_hour = until_ms / ledger::kHourMs;
  const int64_t first_hour = last_hour - days * 24;
  double all = 0;
  for (int64_t hour = first_hour; hour < last_hour; ++hour) all += weight_of(hour);
  Random random(7);
  IdMaker ids(0);
  std::vector<RequestRow> batch;
  const auto write = [&] {
    auto written = writer.write(batch);
    if (!written) fmt::print(stderr, "{}\n", written.error().message());
    batch.clear();
    writer.close_unused();
    return written.has_value();
  };
  if (!writer.prepare(until_ms)) return 1;
  double upto = 0;
  int64_t made = 0;
  for (int64_t hour = first_hour; hour < last_hour; ++hour) {
    upto += weight_of(hour);
    const int64_t until =
        hour + 1 == last_hour ? rows : static_cast<int64_t>(static_cast<double>(rows) * upto / all);
    const int64_t count = until - made;
    for (int64_t i = 0; i < count; ++i) {
      batch.push_back(
          row_at(ids.make(hour * ledger::kHourMs + i * ledger::kHourMs / count), random));
      if (batch.size() >= kBatch && !write()) return 1;
    }
    made = until;
  }
  return write() ? 0 : 1;
}

}  // namespace
}  // namespace weir

int main(int count, char** arguments) {
  if (count != 5) {
    fmt::print(stderr, "weir-bench-ledger DIRECTORY ROWS DAYS UNTIL_MS\n");
    return 2;
  }
  return weir::generate(arguments[1], std::atoll(arguments[2]), std::atoll(arguments[3]),
                        std::atoll(arguments[4]));
}
