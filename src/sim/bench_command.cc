#include "sim/bench_command.h"

#include <csignal>
#include <ostream>

#include "net/dialer.h"
#include "net/resolver.h"
#include "net/signals.h"
#include "net/tls.h"
#include "sim/bench_report.h"
#include "sim/process.h"

namespace weir::sim {
namespace {

// Descriptors that are not streams: epoll, logs, reports.
constexpr uint64_t kDescriptorsAside = 64;

bool has_tls(const BenchOptions& options) {
  for (const std::string& url : options.urls) {
    if (url.starts_with("https:")) return true;
  }
  return false;
}

int report(const BenchCommandOptions& options, const Bench& bench, std::ostream& out,
           std::ostream& err) {
  const BenchReport& result = bench.report();
  const std::string json = bench_json(bench.options(), result);
  if (options.json_path == "-") {
    out << json;
  } else {
    out << bench_summary(bench.options(), result);
  }
  out.flush();
  const auto write = [&err](const std::string& path, const std::string& text) {
    if (path.empty() || path == "-") return true;
    const auto written = write_file(path, text);
    if (!written) err << "weir bench: " << written.error().message() << "\n";
    return written.has_value();
  };
  const bool json_written = write(options.json_path, json);
  const bool html_written = write(options.html_path, bench_html(bench.options(), result));
  const bool streams = bench.options().mode == BenchMode::streams;
  const uint64_t failures_max = options.failures_max.value_or(streams ? 0 : UINT64_MAX);
  const bool useful = result.succeeded > 0 || (streams && result.open > 0);
  return json_written && html_written && useful && result.failed <= failures_max ? 0 : 1;
}

}  // namespace

int run_bench(BenchCommandOptions options, std::ostream& out, std::ostream& err) {
  const uint64_t descriptors = raise_descriptor_limit();
  const bool closed =
      options.bench.mode == BenchMode::concurrency || options.bench.mode == BenchMode::streams;
  const uint64_t wanted = closed ? options.bench.concurrency : options.bench.connections_max;
  if (wanted + kDescriptorsAside > descriptors) {
    if (closed) {
      err << "weir bench: " << wanted << " connections need more descriptors than the "
          << descriptors << " this process may open (ulimit -n)\n";
      return 1;
    }
    options.bench.connections_max = descriptors - kDescriptorsAside;
  }
  if (closed) options.bench.connections_max = wanted;
  SystemClock clock;
  net::Loop loop(clock);
  auto resolver = net::CaresResolver::create(loop);
  auto tls = net::TlsClientContext::create({.system_roots = has_tls(options.bench)});
  if (!resolver || !tls) {
    err << "weir bench: " << (resolver ? tls.error().message() : resolver.error().message())
        << "\n";
    return 1;
  }
  net::SystemDialer dialer(loop, **resolver, **tls);
  auto bench = Bench::create(loop, dialer, options.bench);
  if (!bench) {
    err << "weir bench: " << bench.error().message() << "\n";
    return 1;
  }
  const auto signals =
      net::Signals::open(loop, {SIGINT, SIGTERM}, [&bench](int) { (*bench)->stop(); });
  if (!signals) {
    err << "weir bench: " << signals.error().message() << "\n";
    return 1;
  }
  net::TaskGroup tasks(loop);
  bool over = false;
  tasks.spawn([](Bench& its_bench, net::Loop& its_loop, bool& its_over) -> net::Task<void> {
    co_await its_bench.run();
    its_over = true;
    its_loop.stop();
  }(**bench, loop, over));
  if (!over) loop.run();
  const int code = report(options, **bench, out, err);
  tasks.destroy_all();
  bench->reset();
  return code;
}

}  // namespace weir::sim
