// CallLog: the simulator's own account of every call it answered, for tests to hold a gateway's
// ledger against: what was asked, what went out, in what state it ended. Calls appear when they
// end. One thread. Limit: `calls_max` calls are kept, oldest out first and counted; totals count
// all.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/writer.h"
#include "dialect/usage.h"
#include "sim/route.h"

namespace weir::sim {

enum class Outcome : uint8_t {
  whole,    // answered to the end
  failed,   // answered with an error status, or broken by a fault
  aborted,  // the client went away before the end
};
std::string_view to_string(Outcome outcome);

struct Call {
  uint64_t id = 0;  // 1, 2, ... in order of arrival
  Outcome outcome = Outcome::whole;
  Endpoint endpoint = Endpoint::unknown;
  dialect::Dialect dialect = dialect::Dialect::passthrough;
  std::string method, path, query, peer;
  std::string model;  // as the call named it
  bool stream = false;
  std::string key_hash;     // 16 hex digits of the key's FNV-1a hash; empty: no key
  std::string key_last4;    // its last four characters
  std::string fault;        // what was injected: "status", "stall", "rate_limit", ...
  uint64_t rule = 0;        // the rule that decided; 0: none
  int status = 0;           // 0: no head went out
  dialect::Usage usage;     // of the whole answer, as the provider would bill it
  int64_t output_sent = 0;  // output tokens that went out before an abort or fault
  uint64_t request_bytes = 0;
  uint64_t bytes_sent = 0;                                   // of the body
  uint64_t events_sent = 0;                                  // of a stream
  int64_t started_ms = 0, ended_ms = 0;                      // wall time
  double first_byte_ms = 0;                                  // after the start; 0: none went out
  std::vector<std::pair<std::string, std::string>> headers;  // those of interest
  std::string request;                                       // the body, where the log keeps bodies
};

void write_call(json::Writer& writer, const Call& call);

struct Totals {
  uint64_t calls = 0, whole = 0, failed = 0, aborted = 0;
  int64_t input = 0, cached = 0, cache_write = 0, output = 0, reasoning = 0, output_sent = 0;
  uint64_t request_bytes = 0, bytes_sent = 0;

  void add(const Call& call);
};
void write_totals(json::Writer& writer, const Totals& totals);

class CallLog {
 public:
  explicit CallLog(size_t calls_max) : calls_max_(calls_max) {}

  void add(Call call);
  // Calls in the order they ended.
  const std::deque<Call>& calls() const { return calls_; }
  const Totals& totals() const { return totals_; }
  // By the model that was called. At most 1,000 names; the others under "(other)".
  const std::map<std::string, Totals>& models() const { return models_; }
  uint64_t dropped() const { return dropped_; }
  // Forgets calls and totals.
  void clear();

 private:
  size_t calls_max_;
  std::deque<Call> calls_;
  Totals totals_;
  std::map<std::string, Totals> models_;
  uint64_t dropped_ = 0;
};

}  // namespace weir::sim
