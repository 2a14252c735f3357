// Sink: a publisher that goes to a system which cannot ask: HAProxy, Dubbo's registry, Nacos. It
// works in rounds. A round compares what that system has with the tables as they are now and writes
// what differs; nothing is queued, so a system that was down catches up with the present and not
// with a backlog, and one that was restarted empty is filled again.
//
// Rounds are at least `interval` apart, unless a change is urgent (urgent.h); without changes there
// is one each `resync`. After a failure the next is 1 s later, then 2, 4 ... at most 60 s; the
// first failure is logged, and the end of the outage. One thread, the feed's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "fleet/feed.h"
#include "net/loop.h"
#include "net/task.h"

namespace weir::fleet {

struct SinkOptions {
  std::string kind;  // "haproxy"
  std::string name;  // which of them, for people
  std::vector<std::string> services;
  Nanoseconds interval = std::chrono::seconds(1);
  Nanoseconds resync = std::chrono::seconds(10);
  // While it says yes there are no rounds: somebody else, whose standby this is, has them.
  std::function<bool()> held{};
};

struct SinkCounters {
  uint64_t rounds = 0;
  uint64_t failures = 0;   // rounds that failed
  uint64_t changes = 0;    // weights written
  uint64_t refused = 0;    // changes that the other side did not take
  uint64_t unmatched = 0;  // endpoints that the other side does not know, in the latest round
  bool up = true;          // the latest round went well
};

class Sink {
 public:
  Sink(net::Loop& loop, Feed& feed, SinkOptions options);
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Begins with a round. The sink must not go while the loop is inside one of its rounds.
  void start();

  const SinkOptions& options() const { return options_; }
  const SinkCounters& counters() const { return counters_; }

 protected:
  virtual net::Task<Result<void>> round() = 0;
  // Derived destructors call it first: the rounds refer to what they are about to destroy.
  void stop() { tasks_.destroy_all(); }
  // Writes a line where the text is another than last time.
  void complain(std::string_view event, std::string_view text);
  // For a round that could not do all: another follows as soon as the interval allows.
  void again() { dirty_ = true; }

  net::Loop& loop_;
  Feed& feed_;
  SinkCounters counters_;

 private:
  void on_news(const News& news);
  // The configured services that are not registered, in words; empty where all are.
  std::string unknown_services() const;
  net::Task<void> run();

  const SinkOptions options_;
  std::map<std::string, std::shared_ptr<const ServiceView>, std::less<>> seen_;
  net::Event news_;
  bool dirty_ = true;
  bool urgent_ = false;
  std::map<std::string, std::string, std::less<>> complaints_;
  Subscription subscription_;
  net::TaskGroup tasks_;  // last: the tasks refer to all of the above
};

}  // namespace weir::fleet
