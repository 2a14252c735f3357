// weir bench: the load generator.
#include <fmt/format.h>

#include <array>
#include <csignal>
#include <ostream>

#include "app/commands.h"
#include "base/text.h"
#include "net/signals.h"
#include "sim/bench_command.h"
#include "sim/process.h"

namespace weir::app {
namespace {

using dialect::Dialect;
using sim::BenchMode;

struct DialectName {
  std::string_view name;
  Dialect dialect;
};
constexpr std::array kDialects = {
    DialectName{"chat", Dialect::openai_chat},
    DialectName{"completions", Dialect::openai_completions},
    DialectName{"responses", Dialect::openai_responses},
    DialectName{"embeddings", Dialect::openai_embeddings},
    DialectName{"messages", Dialect::anthropic_messages},
    DialectName{"gemini", Dialect::gemini},
};

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::invalid_argument, std::move(message));
}

template <class T, class Parse>
Result<void> read(const Arguments& arguments, std::string_view option, T& into, Parse parse) {
  if (!arguments.has(option)) return {};
  auto parsed = parse(arguments.value(option));
  if (!parsed) {
    return wrong(fmt::format("--{}: '{}' is not what it takes", option, arguments.value(option)));
  }
  into = static_cast<T>(*parsed);
  return {};
}

Result<void> read_dialect(const Arguments& arguments, sim::BenchOptions& bench) {
  const std::string name = arguments.value("dialect");
  for (const DialectName& one : kDialects) {
    if (one.name != name) continue;
    bench.dialect = one.dialect;
    return {};
  }
  return wrong(
      fmt::format("--dialect: no such dialect '{}'; there are chat, completions, responses, "
                  "embeddings, messages and gemini",
                  name));
}

Result<void> read_mode(const Arguments& arguments, sim::BenchOptions& bench) {
  const auto whole = [](const std::string& text) { return parse_uint64(text, 1'000'000); };
  int modes = 0;
  for (const std::string_view name : {"rate", "trace", "concurrency", "streams"}) {
    modes += arguments.has(name) ? 1 : 0;
  }
  if (modes > 1) return wrong("give one of --rate, --trace, --concurrency and --streams");
  if (arguments.has("concurrency")) bench.mode = BenchMode::concurrency;
  if (arguments.has("streams")) bench.mode = BenchMode::streams;
  WEIR_CHECK_OK(read(arguments, "concurrency", bench.concurrency, whole));
  WEIR_CHECK_OK(read(arguments, "streams", bench.concurrency, whole));
  WEIR_CHECK_OK(read(arguments, "rate", bench.shape.per_second, sim::parse_number));
  if (bench.shape.per_second <= 0) return wrong("--rate: expected more than 0");
  if (!arguments.has("trace")) return {};
  bench.mode = BenchMode::trace;
  double speed = 1;
  WEIR_CHECK_OK(read(arguments, "speed", speed, sim::parse_number));
  if (speed <= 0) return wrong("--speed: expected more than 0");
  const std::string path = arguments.value("trace");
  WEIR_TRY(const std::string text, sim::read_file(path));
  auto trace = sim::parse_trace(text, speed);
  if (!trace) return wrong(fmt::format("{}: {}", path, trace.error().message()));
  bench.trace = std::move(*trace);
  return {};
}

Result<void> read_headers(const Arguments& arguments, sim::BenchOptions& bench) {
  for (const std::string& header : arguments.values("header")) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos) return wrong("--header: expected 'name: value'");
    bench.headers.emplace_back(header.substr(0, colon),
                               std::string(trim(std::string_view(header).substr(colon + 1))));
  }
  return {};
}

Result<sim::BenchCommandOptions> read_options(const Arguments& arguments) {
  sim::BenchCommandOptions options;
  sim::BenchOptions& bench = options.bench;
  const auto whole = [](const std::string& text) { return parse_uint64(text, INT64_MAX); };
  bench.urls = arguments.positional();
  if (bench.urls.empty()) bench.urls = {"http://127.0.0.1:8080"};
  bench.key = arguments.value("key");
  bench.model = arguments.value("model");
  bench.stream = !arguments.has("whole");
  bench.steer_sim = arguments.has("steer-sim");
  bench.tls_verify = !arguments.has("insecure");
  WEIR_CHECK_OK(read_dialect(arguments, bench));
  WEIR_CHECK_OK(read_mode(arguments, bench));
  WEIR_CHECK_OK(read_headers(arguments, bench));
  if (arguments.has("constant")) bench.shape.spacing = sim::Spacing::constant;
  WEIR_CHECK_OK(read(arguments, "prompt-tokens", bench.shape.prompt_tokens, whole));
  WEIR_CHECK_OK(read(arguments, "output-tokens", bench.shape.output_tokens, whole));
  WEIR_CHECK_OK(read(arguments, "spread", bench.shape.spread, sim::parse_share));
  WEIR_CHECK_OK(read(arguments, "duration", bench.duration, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "ramp", bench.ramp, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "warmup", bench.warmup, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "timeout", bench.timeout, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "grace", bench.grace, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "connections", bench.connections_max, whole));
  WEIR_CHECK_OK(read(arguments, "seed", bench.seed, whole));
  WEIR_CHECK_OK(read(arguments, "slo-ttft", bench.slo_ttft, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "slo-tpot", bench.slo_tpot, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "slo-e2e", bench.slo_e2e, sim::parse_duration));
  WEIR_CHECK_OK(read(arguments, "watch-pid", bench.watch_pid, whole));
  if (arguments.has("failures-max")) {
    WEIR_CHECK_OK(read(arguments, "failures-max", options.failures_max.emplace(), whole));
  }
  options.json_path = arguments.value("json");
  options.html_path = arguments.value("html");
  return options;
}

int run(const Arguments& arguments, Terminal& terminal) {
  net::block_signals({SIGINT, SIGTERM});
  auto options = read_options(arguments);
  if (!options) {
    terminal.err << "weir bench: " << options.error().message() << "\n";
    return kExitUsage;
  }
  return sim::run_bench(std::move(*options), terminal.out, terminal.err);
}

}  // namespace

Command bench_command() {
  return {
      .name = "bench",
      .summary = "Put a load on a model API and measure it",
      .details =
          "Open loop by --rate or --trace: times count from when a call was meant to start, so a\n"
          "slow server cannot hide its worst moments. Closed loop by --concurrency. --streams\n"
          "holds that many streams open for the duration and fails on the first that breaks.\n"
          "Stops by itself; Ctrl-C stops it early and still reports. Several URLs are used in\n"
          "turn (more than 28,000 connections need more than one address).",
      .arguments = {{"URL", "Base URL as the SDKs take it; default http://127.0.0.1:8080", false,
                     true}},
      .options = {{"model", 'm', "NAME", "Model to call", "demo"},
                  {"dialect", 'd', "NAME",
                   "chat, completions, responses, embeddings, messages or gemini", "chat"},
                  {"key", 'k', "KEY", "API key"},
                  {"header", 0, "HEADER", "Another header, 'name: value'. Repeatable"},
                  {"whole", 0, "", "Ask for whole answers instead of streams"},
                  {"rate", 'r', "NUMBER", "Calls per second, at random (Poisson) times (1)"},
                  {"constant", 0, "", "--rate at even distances"},
                  {"trace", 0, "FILE", "Play a CSV of TIMESTAMP,ContextTokens,GeneratedTokens"},
                  {"speed", 0, "NUMBER", "Play the trace this much faster (1)"},
                  {"concurrency", 'c', "NUMBER", "Keep so many calls running"},
                  {"streams", 0, "NUMBER", "Hold so many streams open"},
                  {"ramp", 0, "TIME", "Open them over this time (0)"},
                  {"duration", 't', "TIME", "How long the load lasts (10s)"},
                  {"warmup", 0, "TIME", "Leave calls of this first time out of the figures (0)"},
                  {"prompt-tokens", 0, "NUMBER", "Length of the prompts (100)"},
                  {"output-tokens", 0, "NUMBER", "max_tokens of the answers (50)"},
                  {"spread", 0, "SHARE", "How far the two may be off (0)"},
                  {"steer-sim", 0, "", "Have weir sim answer exactly that long"},
                  {"timeout", 0, "TIME", "Give a call up after this (120s)"},
                  {"grace", 0, "TIME", "For calls that run when the load ends (30s)"},
                  {"connections", 0, "NUMBER", "Connections at most (20000)"},
                  {"slo-ttft", 0, "TIME", "Goodput: first token within this"},
                  {"slo-tpot", 0, "TIME", "Goodput: each further token within this"},
                  {"slo-e2e", 0, "TIME", "Goodput: whole answer within this"},
                  {"failures-max", 0, "NUMBER", "Exit with 1 when more calls fail"},
                  {"watch-pid", 0, "PID", "Put this process's memory into the report"},
                  {"seed", 0, "NUMBER", "Decides times and prompts (1)"},
                  {"insecure", 0, "", "Do not verify certificates"},
                  {"json", 0, "FILE", "Write the figures as JSON; - for standard output"},
                  {"html", 0, "FILE", "Write a report with charts"}},
      .examples =
          {{"weir bench -r 50 -t 30s", "50 calls a second at the gateway on this machine"},
           {"weir bench -r 20 --slo-ttft 500ms --html report.html https://api.example.com/v1",
            "Goodput of a provider, with charts"},
           {"weir bench --streams 10000 --ramp 10s -t 60s", "Hold ten thousand streams"},
           {"weir bench --trace conv.csv --speed 10", "Play a recorded hour in six minutes"}},
      .run = run,
  };
}

}  // namespace weir::app
