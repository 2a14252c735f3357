// Bench: a load of model calls, and what it measured. Open loop by rate or trace: a call's times
// are counted from the moment it was meant to start, also when it had to wait for a connection, so
// a slow server cannot hide its worst moments (coordinated omission). Closed loop by concurrency,
// and a mode that holds that many streams open for a time.
//
// Lives on its loop's thread; loop and dialer outlive it. A stream costs its connection, a relay
// meter and a coroutine frame, a few KiB. Limits: connections_max calls at once, 100,000 waiting,
// 86,400 seconds of history.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "dialect/conversation.h"
#include "http/client.h"
#include "net/dialer.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/timer.h"
#include "sim/arrivals.h"
#include "sim/histogram.h"

namespace weir::sim {

enum class BenchMode : uint8_t { rate, trace, concurrency, streams };
std::string_view to_string(BenchMode mode);

struct BenchOptions {
  // Base URLs as the SDKs take them; several are used in turn, which also gives more local ports.
  std::vector<std::string> urls;
  std::string key;
  std::vector<std::pair<std::string, std::string>> headers;
  dialect::Dialect dialect = dialect::Dialect::openai_chat;
  std::string model = "demo";
  bool stream = true;

  BenchMode mode = BenchMode::rate;
  RateShape shape;             // rate; the sizes count in every mode but trace
  std::vector<Arrival> trace;  // trace
  uint64_t concurrency = 16;   // concurrency, streams
  Nanoseconds ramp{0};         // concurrency, streams: over which they are opened
  Nanoseconds duration = std::chrono::seconds(10);
  Nanoseconds warmup{0};  // calls meant to start before this are made, not measured
  Nanoseconds timeout = std::chrono::seconds(120);  // of one call
  Nanoseconds grace = std::chrono::seconds(30);     // for what runs at the end
  uint64_t connections_max = 20'000;
  uint64_t seed = 1;
  bool steer_sim = false;  // "#sim tokens=N" in the prompt: the simulator answers that long
  bool tls_verify = true;
  int watch_pid = 0;  // whose resident memory goes into the report

  // What a good call keeps to; 0: not asked for.
  Nanoseconds slo_ttft{0}, slo_tpot{0}, slo_e2e{0};
};

struct BenchSecond {
  uint64_t started = 0, finished = 0, failed = 0;
  uint64_t first_tokens = 0;
  uint64_t open = 0;  // at the end of the second
  int64_t output_tokens = 0;
  uint64_t rss_bytes = 0;      // of watch_pid
  std::vector<float> ttft_ms;  // a sample, at most kSamples
  static constexpr size_t kSamples = 64;
};

struct BenchReport {
  Nanoseconds elapsed{0};
  int64_t started_ms = 0;  // wall time
  uint64_t intended = 0;   // calls that were due
  uint64_t started = 0, succeeded = 0, failed = 0;
  uint64_t unfinished = 0;  // running when the load ended and grace was over; cut, not failed
  uint64_t dropped = 0;     // never started: too many were waiting
  uint64_t good = 0;        // succeeded within the SLO
  uint64_t measured = 0;    // succeeded after the warm-up
  uint64_t open = 0, open_max = 0;
  int64_t input_tokens = 0, output_tokens = 0;
  uint64_t bytes_read = 0;
  // After the warm-up: ttft and itl of every call as it goes, the others of those that succeeded.
  Histogram ttft, itl, tpot, e2e, queue;
  std::map<std::string, uint64_t> errors;
  std::vector<BenchSecond> seconds;
  http::ClientCounters client;
};

class Bench {
 public:
  // invalid_argument where a URL is wrong or there is none.
  static Result<std::unique_ptr<Bench>> create(net::Loop& loop, net::Dialer& dialer,
                                               BenchOptions options);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Until the load is over or stop().
  net::Task<void> run();
  // Starts nothing more and cuts what runs.
  void stop();
  const BenchReport& report() const { return report_; }
  const BenchOptions& options() const { return options_; }

 private:
  struct Target;
  struct Due {
    Nanoseconds intended;  // on the loop's clock
    Arrival arrival;
  };
  class Running;

  Bench(net::Loop& loop, net::Dialer& dialer, BenchOptions options, std::vector<Target> targets);
  net::Task<void> run_open();
  net::Task<void> run_closed();
  net::Task<void> worker(Nanoseconds first);
  net::Task<void> watch_seconds();
  net::Task<void> call(Due due);
  net::Task<std::string> attempt(Running& running);
  net::Task<std::string> read_stream(Running& running, http::ClientExchange& exchange);
  net::Task<std::string> read_whole(Running& running, http::ClientExchange& exchange);
  void start_waiting();
  void note_arrival(Running& running, int64_t generated);
  void note_first(Nanoseconds ttft);
  void finish(Running& running, const std::string& error);
  std::shared_ptr<const std::string> body_for(const Arrival& arrival);
  Arrival usual_arrival();
  BenchSecond& second();

  net::Loop& loop_;
  BenchOptions options_;
  std::vector<Target> targets_;
  http::Client client_;
  Random random_;   // of prompts: the same load for the same seed
  Random samples_;  // of which calls are drawn
  BenchReport report_;
  Nanoseconds began_{0};
  std::deque<Due> waiting_;
  uint64_t running_ = 0;
  uint64_t next_target_ = 0;
  bool cut_ = false;  // stop() was called
  std::shared_ptr<const std::string> usual_body_;
  net::Event stopped_;
  net::Event wake_;  // a call has ended, or the load is over
  net::TaskGroup calls_;
  net::TaskGroup watch_;
};

}  // namespace weir::sim
