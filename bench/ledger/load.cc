// Hands rows to the ledger as workers do (noted in the journal, settled, through the queue), as
// fast as its writer takes them, and counts what is in the store afterwards. For bench/ledger.
//
//   weir-bench-rows DIRECTORY SECONDS PRODUCERS
//
// Rows are those of 200 keys of 24 teams, 10 models on 16 deployments, two tags, one in twenty not
// ended well. A producer waits while the writer is behind by half of its queue; a worker does not
// wait, it would drop. Prints one JSON object.
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "ledger/log_reader.h"
#include "ledger/request_log.h"
#include "store/day.h"
#include "store/sqlite.h"

namespace weir {
namespace {

constexpr size_t kKinds = 4096;
constexpr uint64_t kBehindMax = 4096;

int64_t nanoseconds(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return at.tv_sec * int64_t{1'000'000'000} + at.tv_nsec;
}

int64_t process_cpu_ns() {
  return nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
}

ledger::RequestRow row_of(Random& random) {
  ledger::RequestRow row;
  const auto key = random.below(200);
  const auto model = random.below(10);
  row.key_id = fmt::format("key_{:016x}", key * 0x9e3779b97f4a7c15);
  row.team = fmt::format("team-{}", key % 24);
  row.project = fmt::format("project-{}", key % 12);
  row.user = fmt::format("user-{}", random.below(100'000));
  row.tags = fmt::format(R"({{"env":"{}","feature":"f{}"}})", key % 2 == 0 ? "prod" : "test",
                         random.below(20));
  row.dialect = "openai_chat";
  row.endpoint = "/v1/chat/completions";
  row.model = row.model_asked = fmt::format("model-{}", model);
  row.deployment = fmt::format("model-{}/account-{}", model, random.below(model < 6 ? 2 : 1));
  row.account = "account-of-the-provider";
  row.provider = "openai";
  row.provider_model = fmt::format("model-{}-2026-11-20", model);
  row.attempts = 1;
  row.attempts_text =
      fmt::format(R"([{{"d":"{}","why":"weight","s":200,"ms":812}}])", row.deployment);
  row.status = random.below(20) == 0 ? 429 : 200;
  row.outcome = row.status == 200 ? ledger::Outcome::ok : ledger::Outcome::error;
  if (row.status != 200) row.error_code = "rate_limit_exceeded";
  row.streamed = random.below(2) == 0;
  row.total_us = 200'000 + random.below(5'000'000);
  row.ttft_us = row.total_us / 4;
  row.upstream_us = row.total_us - 300;
  row.usage.input = random.below(4000);
  row.usage.output = random.below(800);
  row.usage.service_tier = "default";
  row.usage.reported = true;
  row.cost = Money::from_nano(random.below(10'000'000));
  row.list_cost = row.cost;
  row.cost_state = ledger::CostState::final;
  row.price_row = fmt::format("openai/model-{}-2026-11-20@2026-11-20", model);
  row.rates = R"({"input":2500000,"cache_read":1250000,"output":10000000})";
  row.bytes_in = 4000;
  row.bytes_out = 2000;
  return row;
}

ledger::RowView view_of(const ledger::RequestRow& row) {
  ledger::RowView view;
  view.key_id = row.key_id;
  view.team = row.team;
  view.project = row.project;
  view.user = row.user;
  view.tags = row.tags;
  view.dialect = row.dialect;
  view.endpoint = row.endpoint;
  view.model_asked = row.model_asked;
  view.model = row.model;
  view.deployment = row.deployment;
  view.account = row.account;
  view.provider = row.provider;
  view.provider_model = row.provider_model;
  view.attempts = row.attempts;
  view.attempts_text = row.attempts_text;
  view.status = row.status;
  view.outcome = row.outcome;
  view.error_code = row.error_code;
  view.streamed = row.streamed;
  view.total_us = row.total_us;
  view.ttft_us = row.ttft_us;
  view.upstream_us = row.upstream_us;
  view.usage = row.usage;
  view.cost = row.cost;
  view.list_cost = row.list_cost;
  view.cost_state = row.cost_state;
  view.price_row = row.price_row;
  view.rates = row.rates;
  view.bytes_in = row.bytes_in;
  view.bytes_out = row.bytes_out;
  return view;
}

struct Produced {
  uint64_t rows = 0;
  uint64_t refused = 0;
  int64_t cpu_ns = 0;
  std::vector<uint32_t> note_ns;
  std::vector<uint32_t> submit_ns;
};

int64_t percentile(std::vector<uint32_t>& list, size_t of_a_thousand) {
  if (list.empty()) return 0;
  const size_t at = std::min(list.size() - 1, list.size() * of_a_thousand / 1000);
  std::nth_element(list.begin(), list.begin() + static_cast<ptrdiff_t>(at), list.end());
  return list[at];
}

int64_t rows_in(const std::string& directory) {
  int64_t rows = 0;
  for (const int64_t day : store::days_on_disk(directory, "requests")) {
    auto file = store::Connection::open(store::day_file(directory, "requests", day),
                                        store::OpenMode::read_only);
    if (file) rows += file->query_int64("SELECT count(*) FROM request")->value_or(0);
  }
  return rows;
}

int64_t rows_in_sums(const std::string& directory) {
  int64_t rows = 0;
  const auto sums = ledger::LogReader(directory).sums({});
  for (const auto& line : sums ? *sums : std::vector<ledger::Sums>()) rows += line.requests;
  return rows;
}

int run(const std::string& directory, int64_t seconds, uint32_t producers) {
  const SystemClock clock;
  ledger::LogOptions options;
  options.data_dir = directory;
  options.ports = producers;
  auto opened = ledger::RequestLog::open(options, clock);
  if (!opened) {
    fmt::print(stderr, "{}\n", opened.error().message());
    return 1;
  }
  ledger::RequestLog& log = **opened;
  std::vector<Produced> made(producers);
  std::atomic<uint64_t> submitted{0};
  Random random(1);
  std::vector<ledger::RequestRow> kinds;
  for (size_t i = 0; i < kKinds; ++i) kinds.push_back(row_of(random));

  const int64_t cpu_before = process_cpu_ns();
  const int64_t began = nanoseconds(CLOCK_MONOTONIC);
  std::vector<std::thread> threads;
  for (uint32_t number = 0; number < producers; ++number) {
    threads.emplace_back([&, number] {
      Produced& mine = made[number];
      IdMaker ids(static_cast<uint8_t>(number));
      ledger::LogPort& port = log.port(number);
      const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
      for (size_t i = number * 17; nanoseconds(CLOCK_MONOTONIC) < began + seconds * 1'000'000'000;
           ++i) {
        if (i % 64 == 0) {
          while (submitted.load() > log.health().rows_written + kBehindMax) {
            // Sleeps: it is the writer's real speed that is waited for.
            ::nanosleep(&pause, nullptr);
          }
        }
        ledger::RowView row = view_of(kinds[i % kKinds]);
        row.id = ids.make(clock.wall_ms());
        row.start_ms = row.id.wall_ms();
        const int64_t before = nanoseconds(CLOCK_MONOTONIC);
        port.note(row);
        const int64_t noted = nanoseconds(CLOCK_MONOTONIC);
        mine.refused += port.submit(std::move(row)) ? 0 : 1;
        mine.submit_ns.push_back(static_cast<uint32_t>(nanoseconds(CLOCK_MONOTONIC) - noted));
        mine.note_ns.push_back(static_cast<uint32_t>(noted - before));
        ++mine.rows;
        submitted.fetch_add(1);
      }
      mine.cpu_ns = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto flushed = log.flush(std::chrono::seconds(60));
  const int64_t took = nanoseconds(CLOCK_MONOTONIC) - began;
  int64_t writer_ns = process_cpu_ns() - cpu_before;
  Produced all;
  for (Produced& part : made) {
    writer_ns -= part.cpu_ns;
    all.rows += part.rows;
    all.refused += part.refused;
    all.note_ns.insert(all.note_ns.end(), part.note_ns.begin(), part.note_ns.end());
    all.submit_ns.insert(all.submit_ns.end(), part.submit_ns.begin(), part.submit_ns.end());
  }
  const ledger::LogHealth health = log.health();
  log.stop();
  const int64_t stored = rows_in(directory);
  const double rows = static_cast<double>(all.rows);
  fmt::print(
      R"({{"rows":{},"stored":{},"in_sums":{},"refused":{},"dropped":{},"commits":{},"seconds":{:.2f},)"
      R"("rows_s":{:.0f},"writer_cpu_us_row":{:.2f},"rows_per_writer_cpu_s":{:.0f},)"
      R"("note_ns_p50":{},"note_ns_p99":{},"submit_ns_p50":{},"submit_ns_p99":{},"flushed":{}}})"
      "\n",
      all.rows, stored, rows_in_sums(directory), all.refused, health.rows_dropped, health.commits,
      static_cast<double>(took) / 1e9, rows * 1e9 / static_cast<double>(took),
      static_cast<double>(writer_ns) / 1e3 / rows, rows * 1e9 / static_cast<double>(writer_ns),
      percentile(all.note_ns, 500), percentile(all.note_ns, 990), percentile(all.submit_ns, 500),
      percentile(all.submit_ns, 990), flushed.has_value());
  return 0;
}

}  // namespace
}  // namespace weir

int main(int count, char** arguments) {
  if (count != 4) {
    std::fputs("weir-bench-rows DIRECTORY SECONDS PRODUCERS\n", stderr);
    return 2;
  }
  return weir::run(arguments[1], std::atoll(arguments[2]),
                   static_cast<uint32_t>(std::clamp(std::atoi(arguments[3]), 1, 16)));
}
