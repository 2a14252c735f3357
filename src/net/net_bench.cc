// What the loop costs: a round trip over loopback sockets, arming a timer, a nested await, a TLS
// round trip in memory. One thread plays both ends, so a round trip counts both sides' work.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/memory_stream.h"
#include "net/tcp.h"

namespace weir::net {
namespace {

using namespace std::chrono_literals;

// As http/ does it: readable, then a pooled buffer, then the bytes back.
Task<void> echo(Stream* stream) {
  while (co_await stream->readable()) {
    Buffer buffer = stream->loop().buffers().take();
    const IoResult got = stream->try_read(buffer.span());
    if (got.status == IoStatus::would_block) continue;
    if (got.status != IoStatus::ok) co_return;
    if (!co_await stream->write_all(std::string_view(buffer.data(), got.bytes))) co_return;
  }
}

Task<void> ping(Stream* stream, benchmark::State* state, Loop* loop, size_t size) {
  const std::string message(size, 'p');
  std::vector<char> buffer(64 * 1024);
  for (auto _ : *state) {
    if (!co_await stream->write_all(message)) co_return;
    for (size_t seen = 0; seen < size;) {
      auto got = co_await stream->read(buffer);
      if (!got || *got == 0) co_return;
      seen += *got;
    }
  }
  loop->stop();
}

void tcp_round_trip(benchmark::State& state) {
  SystemClock clock;
  Loop loop(clock);
  auto listener = Listener::open(loop, {.address = *Address::parse("127.0.0.1:0")});
  std::unique_ptr<Stream> server;
  (*listener)->start([&](std::unique_ptr<Stream> stream) { server = std::move(stream); });
  auto client = run_task(loop, connect(loop, (*listener)->address(), loop.deadline_in(5s)));
  loop.run_until([&] { return server != nullptr; });
  spawn(loop, echo(server.get()));
  spawn(loop, ping((*client)->get(), &state, &loop, static_cast<size_t>(state.range(0))));
  loop.run();
  loop.destroy_tasks();
}
BENCHMARK(tcp_round_trip)->Arg(64)->Arg(4096)->Unit(benchmark::kMicrosecond)->UseRealTime();

void memory_round_trip(benchmark::State& state) {
  SystemClock clock;
  Loop loop(clock);
  auto [a, b] = memory_pair(loop);
  spawn(loop, echo(b.get()));
  spawn(loop, ping(a.get(), &state, &loop, 64));
  loop.run();
  loop.destroy_tasks();
}
BENCHMARK(memory_round_trip);

// With that many others armed around it.
void timer_rearm(benchmark::State& state) {
  TimerWheel wheel(0ns);
  std::vector<std::unique_ptr<Timer>> others;
  for (int64_t i = 0; i < state.range(0); ++i) {
    others.push_back(std::make_unique<Timer>(wheel, [] {}));
    others.back()->arm(Milliseconds(i % 60'000));
  }
  Timer timer(wheel, [] {});
  int64_t after = 0;
  for (auto _ : state) timer.arm(Milliseconds(++after % 30'000));
}
BENCHMARK(timer_rearm)->Arg(0)->Arg(100'000);

void timer_fire(benchmark::State& state) {
  Nanoseconds now{0};
  TimerWheel wheel(now);
  uint64_t fired = 0;
  Timer timer(wheel, [&] { ++fired; });
  for (auto _ : state) {
    timer.arm(20ms);
    wheel.fire(now += 20ms);
  }
  benchmark::DoNotOptimize(fired);
}
BENCHMARK(timer_fire);

Task<int> leaf(int value) {
  co_return value + 1;
}
Task<void> nested(benchmark::State* state) {
  int value = 0;
  for (auto _ : *state) value = co_await leaf(value);
  benchmark::DoNotOptimize(value);
}
void nested_await(benchmark::State& state) {
  ManualClock clock;
  Loop loop(clock);
  run_task(loop, nested(&state));
}
BENCHMARK(nested_await);

void buffer_take(benchmark::State& state) {
  BufferPool pool;
  for (auto _ : state) benchmark::DoNotOptimize(pool.take().data());
}
BENCHMARK(buffer_take);

}  // namespace
}  // namespace weir::net
