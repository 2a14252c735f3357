#include "fleet/api.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/date.h"
#include "base/log.h"
#include "base/text.h"
#include "http/management.h"

namespace weir::fleet {
namespace {

Reply error_reply(int status, std::string_view code, std::string_view message) {
  return {.status = status, .body = http::error_body(code, message)};
}

// Keeps the sum of bodies that are being read or worked on.
class Held {
 public:
  explicit Held(Api& api) : api_(api) {}
  ~Held() { api_.bodies_bytes -= bytes_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  bool add(size_t bytes) {
    if (api_.bodies_bytes + bytes > api_.options.bodies_bytes_max) return false;
    api_.bodies_bytes += bytes;
    bytes_ += bytes;
    return true;
  }

 private:
  Api& api_;
  size_t bytes_ = 0;
};

net::Task<Reply> call_route(Api& api, http::ServerExchange& exchange, const ApiRoute& route,
                            std::vector<std::string> names) {
  Call call{.exchange = exchange,
            .names = std::move(names),
            .query = http::parse_query(exchange.head().query),
            .body = {}};
  Held held(api);
  const bool mirrors = route.handler == put_mirror || route.handler == post_mirror;
  const uint64_t most = mirrors ? api.options.bodies_bytes_max : api.options.body_bytes_max;
  exchange.set_body_limit(most);
  while (true) {
    const auto piece = co_await exchange.read_body();
    if (!piece && piece.error().code() == ErrorCode::limit_exceeded) {
      ++api.counters.bodies_refused;
      co_return error_reply(413, "too_large", fmt::format("The body is over {} bytes.", most));
    }
    if (!piece) co_return error_reply(400, "bad_body", piece.error().message());
    if (piece->empty()) break;
    if (!held.add(piece->size())) {
      ++api.counters.bodies_refused;
      Reply busy = error_reply(503, "busy", "Too many bodies at once; try again.");
      busy.fields.emplace_back("retry-after", "1");
      co_return busy;
    }
    call.body += *piece;
  }
  auto reply = co_await route.handler(api, call);
  if (reply) co_return std::move(*reply);
  const Error& error = reply.error();
  co_return error_reply(http::status_of(error.code()), to_string(error.code()), error.message());
}

net::Task<Reply> answer(Api& api, http::ServerExchange& exchange) {
  const http::RequestHead& head = exchange.head();
  if (head.path == "/healthz") co_return Reply{.body = R"({"status":"ok"})"};
  const ApiRoute* found = nullptr;
  bool path_known = false;
  std::vector<std::string> names;
  for (const ApiRoute& route : api_routes()) {
    if (!http::fits(route.path, head.path, names)) continue;
    path_known = true;
    if (route.method != head.method) continue;
    found = &route;
    break;
  }
  if (found == nullptr && path_known)
    co_return error_reply(405, "method_not_allowed",
                          fmt::format("{} is not a method of this path.", head.method));
  if (found == nullptr)
    co_return error_reply(404, "not_found",
                          "No such path. docs/reference/fleet-api.md lists all of them.");
  if (api.options.token.empty()) {
    if (!http::is_local_request(head)) {
      ++api.counters.unauthorized;
      co_return error_reply(403, "forbidden",
                            "Without `token` in the configuration the fleet answers only to this "
                            "machine.");
    }
  } else if ((found->writes || api.options.reads_need_token) &&
             !http::presents_token(head, api.options.token)) {
    ++api.counters.unauthorized;
    api.complaints.say(api.loop.now(), "fleet_unauthorized", "token", exchange.peer(), head.path);
    co_return error_reply(401, "unauthorized",
                          "Send the fleet's token as \"Authorization: Bearer ...\" (`token` in the "
                          "configuration).");
  }
  const bool mirrors = found->handler == put_mirror || found->handler == post_mirror;
  if (found->writes && !mirrors && api.ticker.paused())
    co_return error_reply(503, "standby", "This is a standby that follows its primary: ask that.");
  co_return co_await call_route(api, exchange, *found, std::move(names));
}

const std::vector<ApiRoute>& table() {
  static const std::vector<ApiRoute> kRoutes = {
      {"GET", "/v1/fleet/status", "The second, endpoints, reporters, verdicts, counters",
       get_status},
      {"GET", "/v1/fleet/services", "Services with their endpoints' number and health",
       list_services},
      {"GET", "/v1/fleet/services/{service}", "One service: groups, panic, gates, version",
       get_service},
      {"PUT", "/v1/fleet/services/{service}",
       "Registers or changes a service; `endpoints` are registered too, and with `replace` all "
       "others of it deregistered",
       put_service, true,
       R"({"dry_run":false,"detector":"sequential","replace":false,"endpoints":[{"name":"a-1","address":"10.0.0.1","port":8080,"zone":"z1","version":"2.1"}]})"},
      {"DELETE", "/v1/fleet/services/{service}", "Deregisters a service with its endpoints",
       delete_service, true},
      {"GET", "/v1/fleet/services/{service}/endpoints", "Endpoints with weight and health",
       list_endpoints},
      {"GET", "/v1/fleet/services/{service}/endpoints/{endpoint}",
       "Explains one endpoint: verdict, factors, and its changes as sentences", get_endpoint},
      {"PUT", "/v1/fleet/services/{service}/endpoints/{endpoint}",
       "Registers or changes an endpoint; another `start` means that it restarted", put_endpoint,
       true,
       R"({"address":"10.0.0.1","port":8080,"version":"2.1","zone":"z1","hardware":"c7","host":"node-4","weight":100,"cold":true,"preheat":false,"start":"1763822000"})"},
      {"DELETE", "/v1/fleet/services/{service}/endpoints/{endpoint}", "Deregisters an endpoint",
       delete_endpoint, true},
      {"POST", "/v1/fleet/services/{service}/endpoints/{endpoint}/preheated",
       "Its warm-up set has run: slow start begins", post_preheated, true},
      {"PUT", "/v1/fleet/services/{service}/endpoints/{endpoint}/pin",
       "Sets its share of the base weight, 0 to 1, whatever the evidence says, for at most 7 days",
       put_pin, true, R"({"share":0,"for":"30m","reason":"disk replacement"})"},
      {"DELETE", "/v1/fleet/services/{service}/endpoints/{endpoint}/pin", "Ends a pin or drain",
       delete_pin, true},
      {"GET", "/v1/fleet/pins", "All pins and drains, with their end", list_pins},
      {"GET", "/v1/fleet/services/{service}/weights",
       "The table: `?since=VERSION` gives changes, `&wait=30s` waits for one; an event stream with "
       "`Accept: text/event-stream`",
       get_weights},
      {"GET", "/v1/fleet/services/{service}/history",
       "Changes of weights, newest first, as sentences; `?limit=`", get_history},
      {"GET", "/v1/fleet/history", "The same over all services", get_history},
      {"GET", "/v1/fleet/verdicts", "Endpoints that are not simply well; `?service=`",
       list_verdicts},
      {"POST", "/v1/fleet/resolve", "The handshake of binary batches: names to numbers",
       post_resolve, true,
       R"({"reporter":"client-7","service":"search","endpoints":["a-1","a-2"]})"},
      {"POST", "/v1/fleet/samples",
       "Samples as JSON, or as a binary batch (application/vnd.weir.samples)", post_samples, true,
       R"({"reporter":"client-7","samples":[{"service":"search","endpoint":"a-1","second":1763822000,"requests":41,"errors":1,"latency_ms":12.5,"inflight":3}]})"},
      {"PUT", "/v1/fleet/mirror", "A primary's whole state, to its standby", put_mirror, true},
      {"POST", "/v1/fleet/mirror", "What changed at the primary since, in order", post_mirror,
       true},
      {"GET", "/metrics", "Counters for Prometheus", get_metrics},
  };
  return kRoutes;
}

}  // namespace

std::span<const ApiRoute> api_routes() {
  return table();
}

Api::Api(net::Loop& event_loop, Fleet& of, Ticker& beat, ApiOptions with)
    : loop(event_loop), fleet(of), ticker(beat), options(std::move(with)), standby(loop, ticker) {
  news = fleet.subscribe([this](const News& what) {
    for (const std::string& service : what.changed) {
      const auto at = watched.find(service);
      if (at == watched.end()) continue;
      for (net::Event* watcher : at->second.waiting) watcher->set();
    }
  });
}

std::string time_text(uint32_t second) {
  std::string text = rfc3339(int64_t{second} * 1000);
  // Whole seconds need no fraction.
  if (const size_t dot = text.find('.'); dot != std::string::npos)
    text.erase(dot, text.size() - dot - 1);
  return text;
}

Reply json_reply(std::string body, int status) {
  return {.status = status, .body = std::move(body)};
}

std::string_view to_string(schedule::Intake intake) {
  constexpr std::string_view kNames[schedule::kIntakes] = {
      "accepted", "unknown_endpoint", "implausible", "late",
      "early",    "duplicate",        "set_aside",   "too_many"};
  return kNames[static_cast<size_t>(intake)];
}

Result<uint32_t> parse_seconds(std::string_view text) {
  uint64_t unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 's':
        text.remove_suffix(1);
        break;
      case 'm':
        unit = 60;
        text.remove_suffix(1);
        break;
      case 'h':
        unit = 3'600;
        text.remove_suffix(1);
        break;
      case 'd':
        unit = 86'400;
        text.remove_suffix(1);
        break;
      default:
        break;
    }
  }
  const auto number = parse_uint64(text, 1'000'000);
  if (!number)
    return fail(ErrorCode::invalid_argument, "expected a time such as 30s, 15m, 2h or 1d");
  return static_cast<uint32_t>(std::min<uint64_t>(*number * unit, 0x7fff'ffff));
}

void write_endpoint(json::Writer& w, const EndpointInfo& info, uint16_t weight, Health health,
                    bool whole) {
  w.begin_object().member("name", info.name);
  if (whole) {
    w.member("address", info.address).member("port", info.port);
    if (!info.zone.empty()) w.member("zone", info.zone);
    if (!info.version.empty()) w.member("version", info.version);
  }
  w.member("weight", weight).member("health", to_string(health)).end_object();
}

net::Task<void> serve_api(Api& api, http::ServerExchange& exchange) {
  ++api.counters.requests;
  const Reply reply = co_await answer(api, exchange);
  if (reply.sent) co_return;
  http::HeaderMap fields;
  if (reply.status != 304 && reply.status != 204) fields.set("content-type", reply.content_type);
  fields.set("cache-control", "no-store");
  for (const auto& [name, value] : reply.fields) fields.set(name, value);
  http::ResponseHead head;
  head.status = reply.status;
  head.headers = fields.list();
  (void)co_await exchange.respond(head, reply.body);
}

}  // namespace weir::fleet
