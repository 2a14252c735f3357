#include "sim/bench.h"

#include <gtest/gtest.h>

#include "base/json/document.h"
#include "net/memory_stream.h"
#include "sim/bench_report.h"
#include "sim/bench_request.h"
#include "sim/simulator.h"

namespace weir::sim {
namespace {

// A simulator and a load on one manual clock.
class World {
 public:
  explicit World(SimConfig config = {}) : simulator(loop, std::move(config)), network(loop) {
    network.listen("sim", 80, [this](std::unique_ptr<net::MemoryStream> stream) {
      simulator.serve_connection(std::move(stream));
    });
  }
  ~World() {
    bench.reset();
    loop.destroy_tasks();
  }

  const BenchReport& run(BenchOptions options) {
    if (options.urls.empty()) options.urls = {"http://sim"};
    auto created = Bench::create(loop, network, std::move(options));
    EXPECT_TRUE(created) << created.error().message();
    bench = std::move(*created);
    EXPECT_TRUE(net::run_task(loop, bench->run()));
    loop.run_until_idle();
    return bench->report();
  }

  ManualClock clock;
  net::Loop loop{clock};
  Simulator simulator;
  net::MemoryNetwork network;
  std::unique_ptr<Bench> bench;
};

BenchOptions at_rate(double rate, int64_t seconds) {
  BenchOptions options;
  options.model = "m";
  options.shape.per_second = rate;
  options.shape.spacing = Spacing::constant;
  options.shape.prompt_tokens = 20;
  options.shape.output_tokens = 10;
  options.duration = std::chrono::seconds(seconds);
  options.steer_sim = true;
  return options;
}

SimConfig paced(int64_t first_ms, int64_t token_ms) {
  SimConfig config;
  config.latency.first_token = Milliseconds(first_ms);
  config.latency.token = Milliseconds(token_ms);
  return config;
}

void expect_near_ms(Nanoseconds value, double expected) {
  EXPECT_NEAR(static_cast<double>(value.count()) / 1e6, expected, expected / 100 + 0.01);
}

TEST(Bench, MeasuresThePaceOfTheModel) {
  World world(paced(200, 30));
  const BenchReport& report = world.run(at_rate(10, 5));
  EXPECT_EQ(report.intended, 50U);
  EXPECT_EQ(report.succeeded, 50U);
  EXPECT_EQ(report.failed, 0U);
  expect_near_ms(report.ttft.percentile(0.99), 200);
  expect_near_ms(report.itl.percentile(0.5), 30);
  expect_near_ms(report.tpot.percentile(0.5), 30);
  expect_near_ms(report.e2e.percentile(0.5), 200 + 9 * 30);
  EXPECT_EQ(report.output_tokens, 500);
  EXPECT_EQ(world.simulator.calls().totals().whole, 50U);
}

TEST(Bench, CountsWaitingFromTheIntendedStart) {
  // One connection, half a second a call, four calls a second: the tenth waits for nine others.
  World world(paced(500, 0));
  BenchOptions options = at_rate(4, 3);
  options.connections_max = 1;
  const BenchReport& report = world.run(options);
  EXPECT_EQ(report.succeeded, 12U);
  EXPECT_EQ(report.open_max, 1U);
  expect_near_ms(report.ttft.min(), 500);
  expect_near_ms(report.ttft.max(), 500.0 * 12 - 250 * 11);
  expect_near_ms(report.queue.max(), 500.0 * 11 - 250 * 11);
}

TEST(Bench, EveryDialectSucceeds) {
  for (const auto dialect : {dialect::Dialect::openai_chat, dialect::Dialect::openai_responses,
                             dialect::Dialect::anthropic_messages, dialect::Dialect::gemini,
                             dialect::Dialect::openai_embeddings}) {
    for (const bool stream : {true, false}) {
      World world(paced(10, 1));
      BenchOptions options = at_rate(5, 1);
      options.dialect = dialect;
      options.stream = stream;
      const BenchReport& report = world.run(options);
      EXPECT_EQ(report.succeeded, 5U)
          << dialect::to_string(dialect) << stream
          << (report.errors.empty() ? "" : report.errors.begin()->first);
    }
  }
}

TEST(Bench, GoodputAndWarmup) {
  SimConfig config = paced(100, 0);
  World world(config);
  world.simulator.add_rule(R"({"after":10,"times":5,"latency":{"first_token_ms":900}})");
  BenchOptions options = at_rate(10, 3);
  options.warmup = std::chrono::seconds(1);
  options.slo_ttft = Milliseconds(500);
  const BenchReport& report = world.run(options);
  EXPECT_EQ(report.succeeded, 30U);
  EXPECT_EQ(report.measured, 20U);
  EXPECT_EQ(report.good, 15U);
}

TEST(Bench, NamesFailures) {
  World world;
  world.simulator.add_rule(R"({"times":3,"fault":{"kind":"status","status":503}})");
  world.simulator.add_rule(R"({"times":2,"fault":{"kind":"truncate","after_events":2}})");
  world.simulator.add_rule(R"({"times":1,"fault":{"kind":"reset","after_events":2}})");
  world.simulator.add_rule(R"({"times":1,"fault":{"kind":"error_event"}})");
  world.simulator.add_rule(R"({"times":1,"fault":{"kind":"stall"}})");
  BenchOptions options = at_rate(10, 1);
  options.timeout = std::chrono::seconds(5);
  const BenchReport& report = world.run(options);
  EXPECT_EQ(report.failed, 8U);
  EXPECT_EQ(report.errors.at("status 503"), 3U);
  EXPECT_EQ(report.errors.at("truncated stream"), 2U);
  EXPECT_EQ(report.errors.at("within the answer: connection_reset"), 1U);
  EXPECT_EQ(report.errors.at("error event"), 1U);
  EXPECT_EQ(report.errors.at("timeout"), 1U);
  world.network.refuse("sim", 80, ErrorCode::connection_refused);
}

TEST(Bench, HoldsStreamsOpenAndCutsThem) {
  World world(paced(0, 1000));
  BenchOptions options = at_rate(1, 10);
  options.mode = BenchMode::streams;
  options.concurrency = 200;
  options.ramp = std::chrono::seconds(2);
  options.shape.output_tokens = 100;
  const BenchReport& report = world.run(options);
  EXPECT_EQ(report.open_max, 200U);
  EXPECT_EQ(report.open, 200U);
  EXPECT_EQ(report.unfinished, 200U);
  EXPECT_EQ(report.failed, 0U);
  EXPECT_EQ(report.elapsed, std::chrono::seconds(12));
  ASSERT_GE(report.seconds.size(), 12U);
  for (size_t i = 2; i < 11; ++i) EXPECT_EQ(report.seconds[i].open, 200U) << i;
  EXPECT_EQ(world.simulator.calls().totals().aborted, 200U);
}

TEST(Bench, ConcurrencyFinishesWhatItStarted) {
  World world(paced(100, 10));
  BenchOptions options = at_rate(1, 1);
  options.mode = BenchMode::concurrency;
  options.concurrency = 4;
  const BenchReport& report = world.run(options);
  EXPECT_EQ(report.started, report.succeeded);
  EXPECT_EQ(report.open_max, 4U);
  EXPECT_EQ(report.unfinished, 0U);
  EXPECT_EQ(report.succeeded, 24U);
}

TEST(Bench, PlaysATrace) {
  World world(paced(10, 0));
  BenchOptions options = at_rate(1, 10);
  options.mode = BenchMode::trace;
  options.trace = {
      {Milliseconds(0), 30, 4}, {Milliseconds(500), 60, 6}, {std::chrono::hours(1), 1, 1}};
  const BenchReport& report = world.run(options);
  EXPECT_EQ(report.succeeded, 2U);
  EXPECT_EQ(report.output_tokens, 10);
  EXPECT_EQ(report.input_tokens, 30 + 60 + 2 * 4);
}

TEST(Bench, StopEndsItAtOnce) {
  World world(paced(60'000, 0));
  BenchOptions options = at_rate(10, 1000);
  options.urls = {"http://sim"};
  auto bench = Bench::create(world.loop, world.network, options);
  ASSERT_TRUE(bench);
  net::Timer timer(world.loop, [&] { (*bench)->stop(); });
  timer.arm(std::chrono::seconds(3));
  EXPECT_TRUE(net::run_task(world.loop, (*bench)->run()));
  EXPECT_EQ((*bench)->report().elapsed, std::chrono::seconds(3));
  EXPECT_EQ((*bench)->report().unfinished, (*bench)->report().started);
}

TEST(Bench, Reports) {
  World world(paced(100, 10));
  const BenchReport& report = world.run(at_rate(5, 2));
  json::Document document;
  const std::string text = bench_json(world.bench->options(), report);
  ASSERT_TRUE(document.parse(text)) << text;
  EXPECT_EQ(document.root()["calls"]["succeeded"].as_int64(), 10);
  EXPECT_NEAR(*document.root()["latency_ms"]["ttft"]["p50"].as_double(), 100, 1);
  EXPECT_EQ(document.root()["seconds"].size(), report.seconds.size());
  const std::string html = bench_html(world.bench->options(), report);
  EXPECT_NE(html.find("<svg"), std::string::npos);
  EXPECT_EQ(html.find("http-equiv"), std::string::npos);
  EXPECT_EQ(html.find("src="), std::string::npos) << "the report fetches nothing";
  EXPECT_NE(bench_summary(world.bench->options(), report).find("10 succeeded"), std::string::npos);
}

TEST(Bench, Paths) {
  struct Case {
    dialect::Dialect dialect;
    std::string_view prefix;
    std::string_view path;
  };
  for (const Case& c :
       {Case{dialect::Dialect::openai_chat, "", "/v1/chat/completions"},
        Case{dialect::Dialect::openai_chat, "/v1/", "/v1/chat/completions"},
        Case{dialect::Dialect::openai_chat, "/openai/v1", "/openai/v1/chat/completions"},
        Case{dialect::Dialect::anthropic_messages, "/v1", "/v1/messages"},
        Case{dialect::Dialect::anthropic_messages, "/anthropic", "/anthropic/v1/messages"},
        Case{dialect::Dialect::gemini, "", "/v1beta/models/demo:streamGenerateContent?alt=sse"}}) {
    BenchOptions options;
    options.dialect = c.dialect;
    EXPECT_EQ(bench_path(options, c.prefix), c.path);
  }
}

}  // namespace
}  // namespace weir::sim
