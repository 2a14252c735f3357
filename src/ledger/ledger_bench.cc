// What the ledger costs a request: admission and settling, pricing, handing a row over (on the
// worker), and writing it (on the writer's thread, CPU time per row).
#include <benchmark/benchmark.h>
#include <time.h>

#include "ledger/admission.h"
#include "ledger/log_writer.h"
#include "ledger/price_book.h"
#include "ledger/price_memo.h"
#include "ledger/request_log.h"
#include "ledger/row_codec.h"
#include "ledger/tally.h"
#include "store/day.h"
#include "store/temporary_directory.h"

namespace weir::ledger {
namespace {

constexpr int64_t kNow = 1'795'348'800'000;

RequestRow typical_row(Id id) {
  RequestRow row;
  row.id = id;
  row.start_ms = id.wall_ms();
  row.key_id = "search-prod";
  row.team = "search";
  row.dialect = "openai_chat";
  row.endpoint = "/v1/chat/completions";
  row.model_asked = "gpt-4o";
  row.model = "gpt-4o";
  row.deployment = "gpt-4o/openai-main";
  row.account = "openai-main";
  row.provider = "openai";
  row.provider_model = "gpt-4o-2024-11-20";
  row.attempts = 1;
  row.attempts_text = R"([{"d":"gpt-4o/openai-main","s":200,"ms":812}])";
  row.status = 200;
  row.total_us = 812'345;
  row.usage.input = 1200;
  row.usage.output = 300;
  row.usage.service_tier = "default";
  row.cost = Money::from_nano(6'000'000);
  row.price_row = "openai/gpt-4o-2024-11-20@2024-11-20";
  return row;
}

void take_request(benchmark::State& state) {
  static RequestRate rate(1'000'000'000);
  int64_t now = 1;
  for (auto _ : state) benchmark::DoNotOptimize(rate.take(Nanoseconds(now += 100)));
}
BENCHMARK(take_request)->ThreadRange(1, 2);

void reserve_and_settle_tokens(benchmark::State& state) {
  static TokenRate rate(int64_t{1} << 40);
  int64_t now = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rate.reserve(1000, Nanoseconds(now += 100)));
    rate.settle(1000, 100, Nanoseconds(now));
  }
}
BENCHMARK(reserve_and_settle_tokens)->ThreadRange(1, 2);

void admit_key_and_team(benchmark::State& state) {
  static std::shared_ptr<LimitCells> cells[2] = {std::make_shared<LimitCells>(),
                                                 std::make_shared<LimitCells>()};
  if (state.thread_index() == 0) {
    for (auto& c : cells) {
      c->apply({.requests_per_minute = 1'000'000'000,
                .tokens_per_minute = int64_t{1} << 40,
                .concurrency = 10'000,
                .budgets = {{Money::from_nano(int64_t{1} << 50), BudgetWindow::month}}});
    }
  }
  int64_t now = 1;
  AdmitAnswer answer;
  for (auto _ : state) {
    const Subject subjects[2] = {cells[0], cells[1]};
    Admission admission = admit(subjects,
                                {.tokens = 1000,
                                 .cost = Money::from_nano(1000),
                                 .now = Nanoseconds(now += 100),
                                 .wall_ms = kNow},
                                answer);
    admission.settle(100, Money::from_nano(10), Nanoseconds(now), kNow);
  }
}
BENCHMARK(admit_key_and_team)->ThreadRange(1, 2);

void find_price_and_cost(benchmark::State& state) {
  static const PriceBook book = *PriceBook::shipped();
  dialect::Usage usage;
  usage.input = 1200;
  usage.cache_read = 400;
  usage.output = 300;
  usage.reported = true;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        cost(usage, book, {.provider = "openai", .model = "gpt-4o-2024-11-20", .wall_ms = kNow}));
  }
}
BENCHMARK(find_price_and_cost);

// As a worker finds the rows of its deployments.
void find_price_again(benchmark::State& state) {
  static const PriceBook book = *PriceBook::shipped();
  PriceMemo memo;
  const PriceQuery query{.provider = "openai",
                         .model = "gpt-4o-2024-11-20",
                         .service_tier = "default",
                         .wall_ms = kNow};
  for (auto _ : state) benchmark::DoNotOptimize(memo.find(book, query, 3));
}
BENCHMARK(find_price_again);

// Noted in the journal before it is sent, settled, and handed to the writer, which throws it away.
void note_and_submit_row(benchmark::State& state) {
  store::TemporaryDirectory directory;
  SystemClock clock;
  LogOptions options;
  options.data_dir = directory.path();
  options.commit_interval = Milliseconds(1);
  options.spool_rows_max = 0;
  auto log = RequestLog::open(options, clock);
  IdMaker ids(0);
  std::string record;
  encode_row(typical_row(ids.make(kNow)), record);
  uint64_t refused = 0;
  for (auto _ : state) {
    RowView row = *view_row(record);
    row.id = ids.make(kNow);
    (*log)->port(0).note(row);
    refused += (*log)->port(0).submit(std::move(row)) ? 0 : 1;
  }
  state.counters["refused"] = static_cast<double>(refused);
}
BENCHMARK(note_and_submit_row);

// What a row adds to the sums of its batch; the argument is how many keys the rows are of.
void tally_rows(benchmark::State& state) {
  store::TemporaryDirectory directory;
  LogOptions options;
  options.data_dir = directory.path();
  LogWriter writer(options);
  (void)writer.prepare(kNow);
  auto file = store::Connection::open(
      store::day_file(directory.path(), kRequestsPrefix, store::day_of(kNow)),
      store::OpenMode::read_write);
  auto tallies = TallyWriter::open(*file);
  IdMaker ids(0);
  std::vector<RequestRow> rows;
  for (int64_t i = 0; i < 1000; ++i) {
    rows.push_back(typical_row(ids.make(kNow)));
    rows.back().key_id += std::to_string(i * 7919 % state.range(0));
    rows.back().tags = R"({"env":"prod","feature":"chat"})";
  }
  size_t at = 0;
  for (auto _ : state) {
    tallies->add(rows[at]);
    at = at + 1 == rows.size() ? 0 : at + 1;
  }
}
BENCHMARK(tally_rows)->Arg(1)->Arg(200);

// The arguments are rows per transaction: 200 ms of 50, 1,000 and 20,000 requests a second.
void write_rows(benchmark::State& state) {
  store::TemporaryDirectory directory;
  LogOptions options;
  options.data_dir = directory.path();
  LogWriter writer(options);
  (void)writer.prepare(kNow);
  IdMaker ids(0);
  std::vector<RequestRow> rows;
  for (auto _ : state) {
    state.PauseTiming();
    rows.clear();
    for (int64_t i = 0; i < state.range(0); ++i) rows.push_back(typical_row(ids.make(kNow)));
    state.ResumeTiming();
    if (!writer.write(rows)) state.SkipWithError("write failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(write_rows)->Arg(10)->Arg(200)->Arg(4000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::ledger
