// Sight: what the fleet knows and why it did what it did.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "fleet/api.h"

namespace weir::fleet {
namespace {

constexpr size_t kHistoryMost = 1'000;

// Bits of detectors that would cut, as their names.
void write_counterfactual(json::Writer& w, uint8_t bits) {
  w.key("also_say_cut").begin_array();
  for (unsigned d = 1; d < 4; ++d)
    if ((bits & 1U << d) != 0) w.string(schedule::to_string(static_cast<schedule::Detector>(d)));
  w.end_array();
}

void write_verdict(json::Writer& w, const schedule::Verdict& v) {
  w.member("phase", schedule::to_string(v.phase))
      .member("cause", schedule::to_string(v.cause))
      .member("health_factor", double{v.health})
      .member("evidence", double{v.evidence})
      .member("latency_ratio", double{v.latency_ratio})
      .member("held_back", v.held_back)
      .member("disputed", v.disputed)
      .member("grey", v.grey)
      .member("chronic", v.chronic)
      .member("group_cut", v.group_cut);
  write_counterfactual(w, v.counterfactual);
}

// The sentence without its leading second, which stands beside it as a time.
std::string text_of(Api& api, const schedule::Record& record) {
  std::string text = api.fleet.sentence(record);
  const size_t colon = text.find(": ");
  return colon == std::string::npos ? text : text.substr(colon + 2);
}

void write_record(json::Writer& w, Api& api, const schedule::Record& r) {
  w.begin_object()
      .member("time", time_text(r.second))
      .member("service", api.fleet.registry().service(r.service).spec.name)
      .member("old", r.old_weight)
      .member("new", r.new_weight)
      .member("reason", schedule::to_string(r.reason))
      .member("level", schedule::to_string(r.level))
      .member("cause", schedule::to_string(r.cause))
      .member("dry_run", r.dry_run)
      .member("sentence", text_of(api, r))
      .key("evidence")
      .begin_object()
      .member("score", double{r.evidence})
      .member("needed", double{r.threshold})
      .member("requests", double{r.requests})
      .member("errors", double{r.errors})
      .member("peer_error_rate", double{r.peer_rate})
      .member("latency_ratio", double{r.latency_ratio})
      .member("peers", r.peers)
      .member("reporters", r.reporters)
      .end_object()
      .key("factors")
      .begin_object()
      .member("health", double{r.health})
      .member("warm", double{r.warm})
      .member("capacity", double{r.capacity})
      .member("zone", double{r.zone})
      .end_object()
      .member("gates", schedule::gates_text(r.gates));
  write_counterfactual(w, r.counterfactual);
  w.end_object();
}

Result<size_t> read_limit(Call& call) {
  const std::string& text = call.query["limit"];
  if (text.empty()) return size_t{50};
  const auto limit = parse_uint64(text, kHistoryMost);
  if (!limit || *limit == 0)
    return fail(ErrorCode::invalid_argument, fmt::format("limit: expected 1 to {}", kHistoryMost));
  return static_cast<size_t>(*limit);
}

}  // namespace

net::Task<Result<Reply>> get_status(Api& api, Call&) {
  const schedule::Scheduler& scheduler = api.fleet.scheduler();
  const schedule::Counters& counters = scheduler.counters();
  const TickerStats& tick = api.ticker.stats();
  std::string body;
  json::Writer w(body);
  w.begin_object()
      .member("time", time_text(api.fleet.next_second()))
      .member("services", api.fleet.services().size())
      .member("endpoints", scheduler.endpoints())
      .member("reporters", api.fleet.registry().reporters())
      .member("watchers", api.watchers)
      .member("coverage", double{scheduler.coverage()})
      .member("evidence_needed", double{scheduler.evidence_needed()})
      .member("breaker_open", scheduler.breaker_open())
      .member("standby", api.ticker.paused())
      .member("hash", fmt::format("{:016x}", api.fleet.hash()))
      .member("evaluation_ms", std::chrono::duration<double, std::milli>(tick.last).count())
      .member("seconds", counters.seconds)
      .member("seconds_skipped", counters.seconds_skipped)
      .key("samples")
      .begin_object();
  for (size_t i = 0; i < schedule::kIntakes; ++i)
    w.member(to_string(static_cast<schedule::Intake>(i)), counters.intake[i]);
  w.end_object()
      .member("cuts", counters.cuts)
      .member("group_cuts", counters.group_cuts)
      .member("recoveries", counters.recoveries)
      .member("cuts_held_back", counters.cuts_denied)
      .member("weights_changed", counters.weights_changed)
      .key("reporters_set_aside")
      .begin_array();
  for (const uint32_t reporter : scheduler.reporters_aside())
    w.string(api.fleet.registry().reporter_name(reporter));
  w.end_array().end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> get_endpoint(Api& api, Call& call) {
  const Registry& registry = api.fleet.registry();
  const auto service = registry.find_service(call.names[0]);
  const auto number = service ? registry.find(*service, call.names[1]) : std::nullopt;
  if (!number)
    co_return fail(ErrorCode::not_found, fmt::format("service \"{}\" has no endpoint \"{}\"",
                                                     call.names[0], call.names[1]));
  WEIR_CO_TRY(const size_t limit, read_limit(call));
  const Member& member = registry.member(*number);
  const schedule::Standing standing = api.fleet.scheduler().standing(*number);
  WEIR_CO_TRY(const schedule::Verdict verdict, api.fleet.scheduler().verdict(*number));
  std::string body;
  json::Writer w(body);
  w.begin_object()
      .member("service", call.names[0])
      .member("name", member.info->name)
      .member("address", member.info->address)
      .member("port", member.info->port)
      .member("version", member.info->version)
      .member("zone", member.info->zone)
      .member("hardware", member.info->hardware)
      .member("host", member.info->host)
      .member("number", *number)
      .member("weight", standing.weight)
      .member("full_weight", standing.full)
      .member("health", to_string(api.fleet.health(*number)));
  write_verdict(w, verdict);
  w.key("pin");
  const auto pins = api.fleet.pins();
  const auto pin = std::find_if(pins.begin(), pins.end(), [&](const PinInfo& p) {
    return p.service == call.names[0] && p.endpoint == call.names[1];
  });
  if (pin == pins.end()) {
    w.null();
  } else {
    w.begin_object()
        .member("share", double{pin->share})
        .member("until", time_text(pin->expiry))
        .member("reason", pin->reason)
        .end_object();
  }
  w.key("changes").begin_array();
  auto records = api.fleet.history(*service, *number, limit);
  std::reverse(records.begin(), records.end());
  for (const schedule::Record& record : records) write_record(w, api, record);
  w.end_array().end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> get_history(Api& api, Call& call) {
  uint32_t service = schedule::kNone;
  if (!call.names.empty()) {
    const auto number = api.fleet.registry().find_service(call.names[0]);
    if (!number)
      co_return fail(ErrorCode::not_found,
                     fmt::format("there is no service \"{}\"", call.names[0]));
    service = *number;
  }
  WEIR_CO_TRY(const size_t limit, read_limit(call));
  auto records = api.fleet.history(service, schedule::kNone, limit);
  std::reverse(records.begin(), records.end());
  std::string body;
  json::Writer w(body);
  w.begin_object().key("changes").begin_array();
  for (const schedule::Record& record : records) write_record(w, api, record);
  w.end_array().end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> list_verdicts(Api& api, Call& call) {
  const Registry& registry = api.fleet.registry();
  const std::string& only = call.query["service"];
  if (!only.empty() && !registry.find_service(only))
    co_return fail(ErrorCode::not_found, fmt::format("there is no service \"{}\"", only));
  std::string body;
  json::Writer w(body);
  size_t left = kHistoryMost;
  w.begin_object().key("verdicts").begin_array();
  for (const std::string& name : api.fleet.services()) {
    if (!only.empty() && name != only) continue;
    for (const schedule::Verdict& v :
         api.fleet.scheduler().verdicts(*registry.find_service(name))) {
      if (left-- == 0) break;
      w.begin_object()
          .member("service", name)
          .member("endpoint", registry.member(v.endpoint).info->name)
          .member("weight", v.weight);
      write_verdict(w, v);
      w.end_object();
    }
    if (left == SIZE_MAX) break;
  }
  w.end_array().member("more", left == SIZE_MAX).end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> get_metrics(Api& api, Call&) {
  co_return Reply{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                  .body = metrics_text(api)};
}

}  // namespace weir::fleet
