// Scenario: a made-up service and what befalls it. Servers with workers, queues, cold starts and
// token budgets; clients that send to them; faults with a beginning and an end. Values only; a
// scenario and a seed say everything about a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::lab {

struct ServerShape {
  uint32_t workers = 4;
  double median_ms = 100;  // of the service time of a request, log-normal
  double sigma = 0.6;
  uint16_t zone = 0;
  uint16_t version = 0;
  // A model instead of a service: prompt tokens are read, answer tokens written.
  double prefill_ms_per_token = 0;
  double decode_ms_per_token = 0;
  double tokens_per_minute = 0;  // 0: without limit; else 429 beyond it
};

struct Fault {
  enum class Kind : uint8_t {
    errors,   // a share `size` of the requests fails, after `error_ms`
    slow,     // service takes `size` times as long
    refuse,   // no connection
    pause,    // nothing runs for `size` seconds out of each `period`
    restart,  // leaves for `size` seconds, announced; comes back cold
  };
  Kind kind = Kind::errors;
  uint32_t first = 0;  // servers first .. first+count-1
  uint32_t count = 1;
  double from = 60;
  double to = 120;
  double size = 0.5;
  double period = 0;     // flaps: on in the first half of each period; 0 is on throughout
  double error_ms = 0;   // 0: a failure takes as long as an answer
  int only_client = -1;  // the fault lies on the way from this client
};

struct Request {  // of a trace
  double at = 0;
  uint32_t prompt = 0;
  uint32_t answer = 0;
};

struct Scenario {
  std::string name;
  std::string about;
  std::vector<ServerShape> servers;
  std::vector<Fault> faults;
  double seconds = 180;
  double rate = 200;      // requests a second, over all clients
  double crowd_rate = 0;  // instead, between crowd_from and crowd_to
  double crowd_from = 0;
  double crowd_to = 0;
  uint32_t clients = 4;
  double timeout = 2;
  uint32_t retries = 0;        // on another server, after an error or a refusal
  std::vector<Request> trace;  // arrivals in place of rate
  // What there is to find, for the times to detect: servers below this number are sick.
  uint32_t sick = 0;
  double fault_at = 60;
  double fault_over = 120;
  bool counts_429 = false;
};

// The fault library. `traces` is the folder of the Azure LLM traces; without it the scenarios that
// need them are left out.
std::vector<Scenario> scenarios(const std::string& traces);

// Rows of an Azure LLM trace: arrivals in seconds from the first. Empty if it cannot be read.
std::vector<Request> read_trace(const std::string& path, double seconds, double speed);

}  // namespace weir::lab
