// A process that calls three endpoints of a service, of which the last fails half of its requests,
// and reports through examples/fleet/reporter.h until its standard input ends.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "reporter.h"

int main(int count, char** arguments) {
  if (count < 6) return 2;
  weir_example::Reporter reporter(
      {arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]});
  std::thread end([] {
    char byte = 0;
    while (read(0, &byte, 1) > 0) {
    }
  });
  end.detach();
  for (int i = 0; i < 20 * 600; ++i) {
    for (const char* endpoint : {"a", "b", "c", "unregistered"}) {
      auto call = reporter.begin(endpoint);
      const bool fails = endpoint[0] == 'c' && i % 2 == 0;
      call.end(fails ? weir_example::Outcome::error : weir_example::Outcome::ok);
    }
    // Sleeps: it stands for the time that calls take; the reporter works in real seconds.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto counters = reporter.counters();
    std::printf("%llu %llu %llu\n", static_cast<unsigned long long>(counters.batches),
                static_cast<unsigned long long>(counters.sent),
                static_cast<unsigned long long>(counters.dropped));
    if (std::fflush(stdout) != 0) break;
  }
  return 0;
}
