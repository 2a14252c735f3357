// Complaints: log lines about what reporters send, at most one for each reason in ten seconds, with
// how many were left unsaid. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace weir::fleet {

class Complaints {
 public:
  explicit Complaints(Nanoseconds every = std::chrono::seconds(10)) : every_(every) {}

  // Logs `event` at warn, or counts it.
  void say(Nanoseconds now, std::string_view event, std::string_view reason, std::string_view who,
           std::string_view what, uint64_t count = 1);

 private:
  struct Last {
    Nanoseconds at{0};
    uint64_t unsaid = 0;
    bool said = false;
  };
  Nanoseconds every_;
  std::map<std::string, Last, std::less<>> by_reason_;  // reasons are a fixed few
};

}  // namespace weir::fleet
