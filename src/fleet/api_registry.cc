// The registry over HTTP: services, endpoints, pins.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/json/document.h"
#include "base/log.h"
#include "fleet/api.h"

namespace weir::fleet {
namespace {

constexpr uint32_t kPinSecondsMost = 7 * 86'400;
constexpr json::Limits kBodyLimits{.depth_max = 8, .nodes_max = 8'000'000};

Result<json::Value> parse(json::Document& document, const std::string& body) {
  if (body.empty()) return json::Value();
  WEIR_CHECK_OK(document.parse(body, kBodyLimits));
  if (!document.root().is_object())
    return fail(ErrorCode::invalid_argument, "expected a JSON object");
  return document.root();
}

Result<void> read_text(const json::Value& object, std::string_view name, std::string& out) {
  const json::Value value = object[name];
  if (!value) return {};
  auto text = value.as_string();
  if (!text) return fail(ErrorCode::invalid_argument, fmt::format("{}: expected a text", name));
  out = std::move(*text);
  return {};
}

Result<void> read_flag(const json::Value& object, std::string_view name, bool& out) {
  const json::Value value = object[name];
  if (!value) return {};
  const auto flag = value.as_bool();
  if (!flag)
    return fail(ErrorCode::invalid_argument, fmt::format("{}: expected true or false", name));
  out = *flag;
  return {};
}

template <class T>
Result<void> read_whole(const json::Value& object, std::string_view name, T& out, int64_t most) {
  const json::Value value = object[name];
  if (!value) return {};
  const auto number = value.as_int64();
  if (!number || *number < 0 || *number > most)
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: expected a whole number up to {}", name, most));
  out = static_cast<T>(*number);
  return {};
}

Result<EndpointSpec> read_endpoint(const json::Value& object, std::string name) {
  if (!object.is_object())
    return fail(ErrorCode::invalid_argument, "expected an object with address and port");
  // Who registers itself while its service has traffic is cold, unless it says otherwise.
  EndpointSpec spec;
  spec.cold = true;
  spec.info.name = std::move(name);
  WEIR_CHECK_OK(read_text(object, "name", spec.info.name));
  WEIR_CHECK_OK(read_text(object, "address", spec.info.address));
  WEIR_CHECK_OK(read_whole(object, "port", spec.info.port, 65'535));
  WEIR_CHECK_OK(read_text(object, "version", spec.info.version));
  WEIR_CHECK_OK(read_text(object, "zone", spec.info.zone));
  WEIR_CHECK_OK(read_text(object, "hardware", spec.info.hardware));
  WEIR_CHECK_OK(read_text(object, "host", spec.info.host));
  WEIR_CHECK_OK(read_whole(object, "weight", spec.weight, 6'400));
  WEIR_CHECK_OK(read_flag(object, "cold", spec.cold));
  WEIR_CHECK_OK(read_flag(object, "preheat", spec.preheat));
  WEIR_CHECK_OK(read_text(object, "start", spec.start));
  return spec;
}

std::string_view put_text(Put put) {
  constexpr std::string_view kNames[] = {"unchanged", "added", "changed", "restarted"};
  return kNames[static_cast<size_t>(put)];
}

Result<uint32_t> service_number(Api& api, const std::string& name) {
  if (const auto number = api.fleet.registry().find_service(name)) return *number;
  return fail(ErrorCode::not_found, fmt::format("there is no service \"{}\"", name));
}

void write_service(json::Writer& w, Api& api, uint32_t number) {
  const ServiceEntry& entry = api.fleet.registry().service(number);
  const auto& scheduler = api.fleet.scheduler();
  uint32_t by_health[4] = {};
  for (const auto& [name, endpoint] : entry.by_name)
    ++by_health[static_cast<size_t>(api.fleet.health(endpoint))];
  w.begin_object()
      .member("name", entry.spec.name)
      .member("dry_run", entry.spec.dry_run)
      .member("detector", schedule::to_string(entry.spec.detector))
      .member("declared", entry.declared)
      .member("version", fmt::format("{}", scheduler.table(number).version()))
      .member("endpoints", entry.by_name.size());
  for (size_t h = 0; h < 4; ++h) w.member(to_string(static_cast<Health>(h)), by_health[h]);
  w.member("panic", scheduler.panic(number))
      .member("gates", schedule::gates_text(scheduler.gates(number)))
      .end_object();
}

Result<std::string> put_endpoints(Api& api, const std::string& service, const json::Value& root) {
  uint32_t counts[4] = {};
  uint32_t removed = 0;
  std::string problems;
  json::Writer w(problems);
  w.begin_array();
  uint32_t failed = 0;
  std::unordered_set<std::string> named;
  uint32_t index = 0;
  for (const json::Value item : root["endpoints"].elements()) {
    auto spec = read_endpoint(item, "");
    auto put =
        spec ? api.fleet.put_endpoint(service, *spec) : Result<Put>(fail(std::move(spec).error()));
    if (put) {
      ++counts[static_cast<size_t>(*put)];
      named.insert(spec->info.name);
    } else if (++failed <= 10) {
      w.begin_object().member("index", index).member("message", put.error().message()).end_object();
    }
    ++index;
  }
  w.end_array();
  bool replace = false;
  WEIR_CHECK_OK(read_flag(root, "replace", replace));
  if (replace && failed == 0) {
    std::vector<std::string> gone;
    const uint32_t number = *api.fleet.registry().find_service(service);
    for (const auto& [name, endpoint] : api.fleet.registry().service(number).by_name)
      if (!named.contains(std::string(name)) && !api.fleet.registry().member(endpoint).declared)
        gone.emplace_back(name);
    std::sort(gone.begin(), gone.end());
    for (const std::string& name : gone) {
      WEIR_CHECK_OK(api.fleet.remove_endpoint(service, name));
      ++removed;
    }
  }
  std::string out;
  json::Writer result(out);
  result.begin_object();
  for (size_t i = 0; i < 4; ++i) result.member(put_text(static_cast<Put>(i)), counts[i]);
  result.member("removed", removed).member("refused", failed).member_raw("problems", problems);
  result.end_object();
  return out;
}

}  // namespace

net::Task<Result<Reply>> list_services(Api& api, Call&) {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("services").begin_array();
  for (const std::string& name : api.fleet.services())
    write_service(w, api, *api.fleet.registry().find_service(name));
  w.end_array().end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> get_service(Api& api, Call& call) {
  WEIR_CO_TRY(const uint32_t number, service_number(api, call.names[0]));
  std::string body;
  json::Writer w(body);
  write_service(w, api, number);
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> put_service(Api& api, Call& call) {
  json::Document document;
  WEIR_CO_TRY(const json::Value root, parse(document, call.body));
  ServiceSpec spec{.name = call.names[0]};
  bool declared = false;
  if (const auto known = api.fleet.registry().find_service(spec.name)) {
    spec = api.fleet.registry().service(*known).spec;
    declared = api.fleet.registry().service(*known).declared;
  }
  WEIR_CO_CHECK_OK(read_flag(root, "dry_run", spec.dry_run));
  if (const json::Value given = root["detector"]; given) {
    const auto detector = parse_detector(given.string_or(""));
    if (!detector)
      co_return fail(ErrorCode::invalid_argument,
                     "detector: expected sequential, sigma3, envoy_success_rate or "
                     "consecutive_errors");
    spec.detector = *detector;
  }
  WEIR_CO_TRY(const Put put, api.fleet.put_service(spec, declared));
  WEIR_CO_TRY(const std::string endpoints, put_endpoints(api, spec.name, root));
  if (put != Put::unchanged)
    log::info("fleet_service",
              {{"service", spec.name}, {"put", put_text(put)}, {"dry_run", spec.dry_run}});
  std::string body;
  json::Writer(body)
      .begin_object()
      .member("service", put_text(put))
      .member_raw("endpoints", endpoints)
      .end_object();
  co_return json_reply(std::move(body), put == Put::added ? 201 : 200);
}

net::Task<Result<Reply>> delete_service(Api& api, Call& call) {
  WEIR_CO_TRY(const uint32_t number, service_number(api, call.names[0]));
  if (api.fleet.registry().service(number).declared)
    co_return fail(ErrorCode::already_exists,
                   "this service stands in the configuration file: take it out there");
  WEIR_CO_CHECK_OK(api.fleet.remove_service(call.names[0]));
  log::info("fleet_service", {{"service", call.names[0]}, {"put", "removed"}});
  co_return json_reply(R"({"removed":true})");
}

net::Task<Result<Reply>> list_endpoints(Api& api, Call& call) {
  const auto view = api.fleet.view(call.names[0]);
  if (view == nullptr)
    co_return fail(ErrorCode::not_found, fmt::format("there is no service \"{}\"", call.names[0]));
  std::string body;
  json::Writer w(body);
  w.begin_object().key("endpoints").begin_array();
  for (const EndpointView& e : view->endpoints)
    write_endpoint(w, *e.info, e.weight, e.health, true);
  w.end_array().end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> put_endpoint(Api& api, Call& call) {
  json::Document document;
  WEIR_CO_TRY(const json::Value root, parse(document, call.body));
  WEIR_CO_TRY(EndpointSpec spec, read_endpoint(root, call.names[1]));
  if (spec.info.name != call.names[1])
    co_return fail(ErrorCode::invalid_argument, "name: the path says another one");
  // A service begins with its first endpoint.
  if (!api.fleet.registry().find_service(call.names[0]))
    WEIR_CO_CHECK_OK(api.fleet.put_service({.name = call.names[0]}));
  WEIR_CO_TRY(const Put put, api.fleet.put_endpoint(call.names[0], spec));
  const uint32_t service = *api.fleet.registry().find_service(call.names[0]);
  std::string body;
  json::Writer(body)
      .begin_object()
      .member("endpoint", put_text(put))
      .member("number", *api.fleet.registry().find(service, call.names[1]))
      .end_object();
  co_return json_reply(std::move(body), put == Put::added ? 201 : 200);
}

net::Task<Result<Reply>> delete_endpoint(Api& api, Call& call) {
  WEIR_CO_CHECK_OK(api.fleet.remove_endpoint(call.names[0], call.names[1]));
  co_return json_reply(R"({"removed":true})");
}

net::Task<Result<Reply>> post_preheated(Api& api, Call& call) {
  WEIR_CO_CHECK_OK(api.fleet.preheated(call.names[0], call.names[1]));
  co_return json_reply(R"({"preheated":true})");
}

net::Task<Result<Reply>> put_pin(Api& api, Call& call) {
  json::Document document;
  WEIR_CO_TRY(const json::Value root, parse(document, call.body));
  const auto share = root["share"].as_double();
  const auto text = root["for"].as_string();
  if (!share || !(*share >= 0 && *share <= 1))
    co_return fail(ErrorCode::invalid_argument, "share: expected a number from 0 (drained) to 1");
  if (!text)
    co_return fail(ErrorCode::invalid_argument,
                   "for: expected a time such as \"30m\": a pin must expire");
  WEIR_CO_TRY(const uint32_t seconds, parse_seconds(*text));
  if (seconds == 0 || seconds > kPinSecondsMost)
    co_return fail(ErrorCode::invalid_argument, "for: expected at least a second, at most 7d");
  PinInfo pin{.service = call.names[0],
              .endpoint = call.names[1],
              .share = static_cast<float>(*share),
              .expiry = api.fleet.next_second() + seconds,
              .reason = {}};
  WEIR_CO_CHECK_OK(read_text(root, "reason", pin.reason));
  WEIR_CO_CHECK_OK(api.fleet.pin(pin));
  log::info("fleet_pin", {{"service", pin.service},
                          {"endpoint", pin.endpoint},
                          {"share", *share},
                          {"until", time_text(pin.expiry)},
                          {"reason", pin.reason}});
  std::string body;
  json::Writer(body)
      .begin_object()
      .member("share", *share)
      .member("until", time_text(pin.expiry))
      .end_object();
  co_return json_reply(std::move(body));
}

net::Task<Result<Reply>> delete_pin(Api& api, Call& call) {
  WEIR_CO_CHECK_OK(api.fleet.unpin(call.names[0], call.names[1]));
  log::info("fleet_unpin", {{"service", call.names[0]}, {"endpoint", call.names[1]}});
  co_return json_reply(R"({"unpinned":true})");
}

net::Task<Result<Reply>> list_pins(Api& api, Call&) {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("pins").begin_array();
  for (const PinInfo& pin : api.fleet.pins()) {
    w.begin_object()
        .member("service", pin.service)
        .member("endpoint", pin.endpoint)
        .member("share", double{pin.share})
        .member("until", time_text(pin.expiry))
        .member("reason", pin.reason)
        .end_object();
  }
  w.end_array().end_object();
  co_return json_reply(std::move(body));
}

}  // namespace weir::fleet
