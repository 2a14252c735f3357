// GET /api/v1/events: the feed by which a page hears that there is something new to ask for, as
// server-sent events. An event `changed` says how far things are (rows of the ledger, changes of
// weights, the configuration's generation, jobs) and is sent when one of these moved, kPause apart
// at least; an event `job` says how far a job is that moved; a comment keeps an idle stream open.
// It holds no backlog: whoever comes late hears the state of then.
//
// Control-plane thread. Limits: kStreamsMax streams at once; a stream's client that does not read
// is cut by the server's write time-out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "admin/backend.h"
#include "http/exchange.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::admin {

inline constexpr std::string_view kEventsPath = "/api/v1/events";

class Events {
 public:
  static constexpr uint32_t kStreamsMax = 64;
  static constexpr Nanoseconds kPause = std::chrono::seconds(1);
  static constexpr int kPausesPerComment = 15;
  // Then a stream ends, and who may still listen asks for another.
  static constexpr int kPausesMax = 600;

  Events(net::Loop& loop, Backend& backend) : loop_(loop), backend_(backend) {}

  // Answers the exchange; returns when the client has left.
  net::Task<void> serve(http::ServerExchange& exchange);

 private:
  struct State {
    uint64_t rows = 0;
    uint64_t changes = 0;
    uint64_t generation = 0;
    bool ledger_ok = true;
    uint64_t jobs = 0;
    bool operator==(const State&) const = default;
  };
  State state(uint64_t changes_before) const;
  // What each job looked like when it was told last, by its id.
  using Told = std::map<int64_t, std::pair<jobs::State, int64_t>>;
  std::string job_events(Told& told) const;
  net::Task<void> stream(http::ServerExchange& exchange);

  net::Loop& loop_;
  Backend& backend_;
  uint32_t running_ = 0;
};

}  // namespace weir::admin
