// The fleet's HTTP API: routes as one table, and what their handlers share. Handlers run on the
// fleet's loop. Limits: ApiOptions; bodies that are being read count against one sum, beyond which
// a request is told to come again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/writer.h"
#include "base/result.h"
#include "base/secret.h"
#include "fleet/complaints.h"
#include "fleet/fleet.h"
#include "fleet/ticker.h"
#include "http/exchange.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/timer.h"
#include "observe/exposition.h"

namespace weir::fleet {

struct ApiOptions {
  Secret token{};  // for whatever changes something; empty: this machine only
  bool reads_need_token = false;
  bool standby = false;  // takes the ops of a primary
  uint64_t body_bytes_max = 32ULL << 20;
  uint64_t bodies_bytes_max = 512ULL << 20;           // of all requests at once
  uint32_t watchers_max = 10'000;                     // long polls and event streams at once
  uint32_t watch_seconds_max = 60;                    // of one long poll
  Nanoseconds keep_alive = std::chrono::seconds(15);  // of an event stream in silence
};

struct ApiCounters {
  uint64_t requests = 0;
  uint64_t unauthorized = 0;
  uint64_t bodies_refused = 0;  // over a limit
  uint64_t batches_json = 0;
  uint64_t batches_binary = 0;
  uint64_t batches_broken = 0;
  uint64_t samples_unreadable = 0;  // items of a JSON batch
  uint64_t samples_unnamed = 0;     // of services or endpoints that are not registered
  uint64_t watchers_refused = 0;
  uint64_t watchers_behind = 0;  // got a snapshot because the changes were gone
  uint64_t snapshots_sent = 0;
  uint64_t deltas_sent = 0;
  uint64_t not_modified = 0;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> fields = {};
  bool sent = false;  // the handler answered by itself
};

// What serves one table to its watchers: whom to wake, and the text that is made once for all.
struct Watched {
  std::set<net::Event*> waiting;
  uint64_t snapshot_version = 0;
  std::shared_ptr<const std::string> snapshot;
};

// A standby's place in the stream of its primary.
struct StandbyState {
  static constexpr Nanoseconds kTakeOver = std::chrono::seconds(10);  // of silence

  StandbyState(net::Loop& loop, Ticker& ticker);
  uint64_t stream = 0;
  uint64_t offset = 0;
  std::string pending;  // the beginning of an op whose end is still to come
  uint64_t ops = 0;
  uint64_t snapshots = 0;
  net::Timer take_over;
};

struct Api {
  Api(net::Loop& event_loop, Fleet& of, Ticker& beat, ApiOptions with);

  net::Loop& loop;
  Fleet& fleet;
  Ticker& ticker;
  ApiOptions options;
  ApiCounters counters;
  StandbyState standby;
  Complaints complaints;
  uint64_t bodies_bytes = 0;
  uint32_t watchers = 0;
  std::map<std::string, Watched, std::less<>> watched;  // those with watchers
  Subscription news;
  // More metrics, of what runs beside: publishers, the mirror, the state file.
  std::vector<std::function<void(observe::Exposition&)>> more_metrics;
};

struct Call {
  http::ServerExchange& exchange;
  std::vector<std::string> names;            // what stood for {...} in the path
  std::map<std::string, std::string> query;  // decoded
  std::string body;
};

using ApiHandler = net::Task<Result<Reply>> (*)(Api&, Call&);

struct ApiRoute {
  std::string_view method;
  std::string_view path;  // "/v1/fleet/services/{service}"
  std::string_view summary;
  ApiHandler handler;
  bool writes = false;
  std::string_view body_example = {};
};
// Every route, in the order of the reference.
std::span<const ApiRoute> api_routes();

// Serves one request: finds the route, checks who asks, reads the body, answers.
net::Task<void> serve_api(Api& api, http::ServerExchange& exchange);

Reply json_reply(std::string body, int status = 200);
std::string_view to_string(schedule::Intake intake);
// "30s", "5m", "12h", "7d", or seconds.
Result<uint32_t> parse_seconds(std::string_view text);
// "2026-11-22T14:33:17Z"
std::string time_text(uint32_t second);
// Members of an endpoint in tables: name, address, ... weight, health.
void write_endpoint(json::Writer& w, const EndpointInfo& info, uint16_t weight, Health health,
                    bool whole);

// api_registry.cc
net::Task<Result<Reply>> list_services(Api& api, Call& call);
net::Task<Result<Reply>> get_service(Api& api, Call& call);
net::Task<Result<Reply>> put_service(Api& api, Call& call);
net::Task<Result<Reply>> delete_service(Api& api, Call& call);
net::Task<Result<Reply>> list_endpoints(Api& api, Call& call);
net::Task<Result<Reply>> put_endpoint(Api& api, Call& call);
net::Task<Result<Reply>> delete_endpoint(Api& api, Call& call);
net::Task<Result<Reply>> post_preheated(Api& api, Call& call);
net::Task<Result<Reply>> put_pin(Api& api, Call& call);
net::Task<Result<Reply>> delete_pin(Api& api, Call& call);
net::Task<Result<Reply>> list_pins(Api& api, Call& call);
// api_samples.cc
net::Task<Result<Reply>> post_resolve(Api& api, Call& call);
net::Task<Result<Reply>> post_samples(Api& api, Call& call);
// api_weights.cc
net::Task<Result<Reply>> get_weights(Api& api, Call& call);
// api_mirror.cc
net::Task<Result<Reply>> put_mirror(Api& api, Call& call);
net::Task<Result<Reply>> post_mirror(Api& api, Call& call);
// api_sight.cc
net::Task<Result<Reply>> get_status(Api& api, Call& call);
net::Task<Result<Reply>> get_endpoint(Api& api, Call& call);
net::Task<Result<Reply>> get_history(Api& api, Call& call);
net::Task<Result<Reply>> list_verdicts(Api& api, Call& call);
net::Task<Result<Reply>> get_metrics(Api& api, Call& call);
// metrics.cc
std::string metrics_text(Api& api);

}  // namespace weir::fleet
