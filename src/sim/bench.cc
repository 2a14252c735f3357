#include "sim/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/json/document.h"
#include "dialect/relay/meter.h"
#include "sim/bench_request.h"

namespace weir::sim {
namespace {

constexpr size_t kWaitingMax = 100'000;
constexpr size_t kSecondsMax = 86'400;
constexpr size_t kErrorBodyMax = size_t{64} * 1024;
// A worker whose calls fail at once must not spin.
constexpr Nanoseconds kAfterFailure = std::chrono::milliseconds(100);

http::ClientConfig client_config(const BenchOptions& options) {
  http::ClientConfig config;
  config.connections_per_origin_max = static_cast<size_t>(options.connections_max) + 1;
  config.idle_per_origin_max = static_cast<size_t>(options.connections_max);
  config.connect_timeout = std::min<Nanoseconds>(options.timeout, std::chrono::seconds(30));
  return config;
}

// Pages in memory, from the second field of statm; 0 where there is no such process.
uint64_t resident_bytes(int pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  uint64_t size = 0;
  uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::string_view to_string(BenchMode mode) {
  switch (mode) {
    case BenchMode::rate:
      return "rate";
    case BenchMode::trace:
      return "trace";
    case BenchMode::concurrency:
      return "concurrency";
    case BenchMode::streams:
      return "streams";
  }
  return "rate";
}

struct Bench::Target {
  http::Origin origin;
  std::string head;
};

// One call under way; counts itself as running, and as unfinished when its frame is destroyed.
class Bench::Running {
 public:
  Running(Bench& bench, const Due& due)
      : due_(due), timer(bench.loop_, [this] { time_out(); }), bench_(bench) {
    ++bench_.running_;
    ++bench_.report_.started;
    ++bench_.second().started;
    BenchReport& report = bench_.report_;
    report.open_max = std::max(report.open_max, bench_.running_);
  }
  ~Running() {
    --bench_.running_;
    if (!settled) ++bench_.report_.unfinished;
    bench_.wake_.set();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void time_out() {
    timed_out = true;
    if (exchange != nullptr) exchange->cancel(ErrorCode::timeout);
  }

  const Due due_;
  net::Timer timer;
  http::ClientExchange* exchange = nullptr;
  std::shared_ptr<const std::string> body;
  Nanoseconds sent{0}, first{0}, last{0};  // first and last content
  int64_t generated = 0;                   // bytes of content
  int64_t arrivals = 0;                    // reads that brought content
  dialect::Usage usage;
  bool timed_out = false;
  bool settled = false;

 private:
  Bench& bench_;
};

Bench::Bench(net::Loop& loop, net::Dialer& dialer, BenchOptions options,
             std::vector<Target> targets)
    : loop_(loop),
      options_(std::move(options)),
      targets_(std::move(targets)),
      client_(loop, dialer, client_config(options_)),
      random_(options_.seed),
      samples_(options_.seed),
      stopped_(loop),
      wake_(loop),
      calls_(loop),
      watch_(loop) {}

Bench::~Bench() {
  watch_.destroy_all();
  calls_.destroy_all();
}

Result<std::unique_ptr<Bench>> Bench::create(net::Loop& loop, net::Dialer& dialer,
                                             BenchOptions options) {
  if (options.urls.empty()) return fail(ErrorCode::invalid_argument, "there is no URL to call");
  std::vector<Target> targets;
  for (const std::string& url : options.urls) {
    std::string_view prefix;
    WEIR_TRY(http::Origin origin, http::parse_origin(url, &prefix));
    origin.tls_verify = options.tls_verify;
    std::string head = bench_head(options, prefix, http::host_field(origin));
    targets.push_back({std::move(origin), std::move(head)});
  }
  return std::unique_ptr<Bench>(new Bench(loop, dialer, std::move(options), std::move(targets)));
}

BenchSecond& Bench::second() {
  const auto index = static_cast<size_t>(std::max<int64_t>(
      0, std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - began_).count()));
  auto& seconds = report_.seconds;
  if (index >= seconds.size()) seconds.resize(std::min(index + 1, kSecondsMax));
  return seconds[std::min(index, kSecondsMax - 1)];
}

Arrival Bench::usual_arrival() {
  return {loop_.now() - began_, options_.shape.prompt_tokens, options_.shape.output_tokens};
}

// Calls of the same size share one body: ten thousand streams hold one copy.
std::shared_ptr<const std::string> Bench::body_for(const Arrival& arrival) {
  const bool usual = arrival.prompt_tokens == options_.shape.prompt_tokens &&
                     arrival.output_tokens == options_.shape.output_tokens;
  const bool shared =
      usual && (options_.mode == BenchMode::streams || options_.mode == BenchMode::concurrency);
  if (shared && usual_body_) return usual_body_;
  auto body = std::make_shared<const std::string>(bench_body(options_, arrival, random_));
  if (shared) usual_body_ = body;
  return body;
}

net::Task<void> Bench::run() {
  began_ = loop_.now();
  report_.started_ms = loop_.clock().wall_ms();
  watch_.spawn(watch_seconds());
  if (options_.mode == BenchMode::rate || options_.mode == BenchMode::trace) {
    co_await run_open();
  } else {
    co_await run_closed();
  }
  report_.open = running_;
  // Streams are held until the time is over and cut then; other calls may end.
  const net::Deadline until = loop_.deadline_in(options_.grace);
  while (running_ > 0 && !cut_ && options_.mode != BenchMode::streams) {
    wake_.reset();
    if (!co_await wake_.wait_for(until - loop_.now())) break;
  }
  report_.elapsed = loop_.now() - began_;
  const auto whole_seconds = static_cast<size_t>(report_.elapsed / std::chrono::seconds(1));
  if (report_.seconds.size() < std::min(whole_seconds, kSecondsMax)) {
    report_.seconds.resize(std::min(whole_seconds, kSecondsMax));
    report_.seconds.back().open = running_;
  }
  watch_.destroy_all();
  calls_.destroy_all();
  report_.client = client_.counters();
}

void Bench::stop() {
  cut_ = true;
  stopped_.set();
  wake_.set();
}

void Bench::start_waiting() {
  while (!waiting_.empty() && running_ < options_.connections_max) {
    const Due due = waiting_.front();
    waiting_.pop_front();
    calls_.spawn(call(due));
  }
}

net::Task<void> Bench::run_open() {
  const auto arrivals = options_.mode == BenchMode::trace
                            ? arrivals_by_trace(std::move(options_.trace))
                            : arrivals_by_rate(options_.shape, options_.seed);
  std::optional<Arrival> next = arrivals->next();
  const Nanoseconds end = began_ + options_.duration;
  while (!stopped_.is_set()) {
    while (next && began_ + next->at <= loop_.now() && began_ + next->at < end) {
      ++report_.intended;
      if (waiting_.size() < kWaitingMax) {
        waiting_.push_back({began_ + next->at, *next});
      } else {
        ++report_.dropped;
      }
      next = arrivals->next();
    }
    start_waiting();
    const bool more = next && began_ + next->at < end;
    if (!more && waiting_.empty()) co_return;
    if (!more && loop_.now() >= end + options_.grace) break;
    wake_.reset();
    co_await wake_.wait_for((more ? began_ + next->at : end + options_.grace) - loop_.now());
  }
  report_.dropped += waiting_.size();
  waiting_.clear();
}

net::Task<void> Bench::run_closed() {
  const auto count = static_cast<int64_t>(options_.concurrency);
  for (int64_t i = 0; i < count; ++i) {
    calls_.spawn(worker(options_.ramp * i / std::max<int64_t>(count, 1)));
  }
  const Nanoseconds end = began_ + options_.ramp + options_.duration;
  co_await stopped_.wait_for(end - loop_.now());
  stopped_.set();
}

net::Task<void> Bench::worker(Nanoseconds first) {
  if (co_await stopped_.wait_for(first)) co_return;
  const Nanoseconds end = began_ + options_.ramp + options_.duration;
  while (!stopped_.is_set() && loop_.now() < end) {
    ++report_.intended;
    const uint64_t failed = report_.failed;
    co_await call({loop_.now(), usual_arrival()});
    if (report_.failed > failed && co_await stopped_.wait_for(kAfterFailure)) co_return;
  }
}

net::Task<void> Bench::watch_seconds() {
  for (size_t i = 1; i < kSecondsMax; ++i) {
    co_await net::sleep_until(loop_, began_ + std::chrono::seconds(i));
    // The second that has just ended, however late this runs.
    if (report_.seconds.size() < i) report_.seconds.resize(i);
    BenchSecond& now = report_.seconds[i - 1];
    now.open = running_;
    if (options_.watch_pid > 0) now.rss_bytes = resident_bytes(options_.watch_pid);
  }
}

net::Task<void> Bench::call(Due due) {
  Running running(*this, due);
  running.timer.arm_at(due.intended + options_.timeout);
  running.sent = loop_.now();
  const std::string error = co_await attempt(running);
  finish(running, running.timed_out ? "timeout" : error);
}

// The kind of failure, or nothing.
net::Task<std::string> Bench::attempt(Running& running) {
  const Target& target = targets_[next_target_++ % targets_.size()];
  running.body = body_for(running.due_.arrival);
  const std::string_view body = *running.body;
  const http::ClientRequest request{.head = target.head, .body = std::span(&body, 1)};
  auto started = co_await client_.start(target.origin, request);
  if (!started) co_return fmt::format("connect: {}", to_string(started.error().code()));
  http::ClientExchange& exchange = **started;
  running.exchange = &exchange;
  if (running.timed_out) exchange.cancel(ErrorCode::timeout);
  std::string error;
  auto response = co_await exchange.response();
  if (!response) {
    error = fmt::format("before the answer: {}", to_string(response.error().code()));
  } else if (const int status = (*response)->status; status != 200) {
    error = fmt::format("status {}", status);
    size_t size = 0;
    while (size < kErrorBodyMax) {
      const auto piece = co_await exchange.read_body();
      if (!piece || piece->empty()) break;
      size += piece->size();
    }
  } else if ((*response)->headers.get("content-type").starts_with("text/event-stream")) {
    error = co_await read_stream(running, exchange);
  } else {
    error = co_await read_whole(running, exchange);
  }
  running.exchange = nullptr;
  co_return error;
}

void Bench::note_arrival(Running& running, int64_t generated) {
  if (generated <= running.generated) return;
  running.generated = generated;
  const Nanoseconds now = loop_.now();
  const bool first = running.arrivals++ == 0;
  if (first) running.first = now;
  if (running.due_.intended - began_ >= options_.warmup) {
    if (first) {
      note_first(now - running.due_.intended);
    } else {
      report_.itl.add(now - running.last);
    }
  }
  running.last = now;
}

void Bench::note_first(Nanoseconds ttft) {
  report_.ttft.add(ttft);
  BenchSecond& now = second();
  const float sample = static_cast<float>(ttft.count()) / 1e6F;
  ++now.first_tokens;
  if (now.ttft_ms.size() < BenchSecond::kSamples) {
    now.ttft_ms.push_back(sample);
    return;
  }
  // Every call has the same chance to be among the samples.
  const uint32_t place = samples_.below(static_cast<uint32_t>(now.first_tokens));
  if (place < BenchSecond::kSamples) now.ttft_ms[place] = sample;
}

net::Task<std::string> Bench::read_stream(Running& running, http::ClientExchange& exchange) {
  const auto meter = dialect::make_relay_meter(options_.dialect, {});
  if (!meter) co_return "unexpected stream";
  std::vector<std::string_view> pieces;
  while (true) {
    const auto piece = co_await exchange.read_body();
    if (!piece) co_return fmt::format("within the answer: {}", to_string(piece.error().code()));
    if (piece->empty()) break;
    report_.bytes_read += piece->size();
    pieces.clear();
    if (!meter->feed(*piece, pieces)) co_return "malformed stream";
    note_arrival(running, meter->generated_bytes());
  }
  pieces.clear();
  meter->finish(pieces);
  running.usage = meter->usage();
  if (meter->error()) co_return "error event";
  co_return meter->complete() ? "" : "truncated stream";
}

net::Task<std::string> Bench::read_whole(Running& running, http::ClientExchange& exchange) {
  std::string body;
  while (true) {
    const auto piece = co_await exchange.read_body();
    if (!piece) co_return fmt::format("within the answer: {}", to_string(piece.error().code()));
    if (piece->empty()) break;
    report_.bytes_read += piece->size();
    body.append(*piece);
  }
  note_arrival(running, static_cast<int64_t>(body.size()));
  running.usage = dialect::read_usage(options_.dialect, body);
  json::Document document;
  co_return document.parse(body) ? "" : "malformed body";
}

void Bench::finish(Running& running, const std::string& error) {
  running.settled = true;
  running.timer.cancel();
  BenchSecond& now = second();
  report_.input_tokens += running.usage.total_input();
  report_.output_tokens += running.usage.total_output();
  now.output_tokens += running.usage.total_output();
  if (!error.empty()) {
    ++report_.failed;
    ++now.failed;
    ++report_.errors[error];
    return;
  }
  ++report_.succeeded;
  ++now.finished;
  const Nanoseconds intended = running.due_.intended;
  if (intended - began_ < options_.warmup) return;
  ++report_.measured;
  const Nanoseconds ttft = running.first - intended;
  const Nanoseconds e2e = loop_.now() - intended;
  const int64_t tokens = running.usage.total_output();
  Nanoseconds tpot{0};
  report_.queue.add(running.sent - intended);
  report_.e2e.add(e2e);
  if (running.arrivals > 1 && tokens > 1) {
    tpot = (running.last - running.first) / (tokens - 1);
    report_.tpot.add(tpot);
  }
  const auto keeps = [](Nanoseconds slo, Nanoseconds value) {
    return slo <= Nanoseconds(0) || value <= slo;
  };
  if (keeps(options_.slo_ttft, ttft) && keeps(options_.slo_tpot, tpot) &&
      keeps(options_.slo_e2e, e2e)) {
    ++report_.good;
  }
}

}  // namespace weir::sim
