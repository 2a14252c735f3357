// Traffic scheduling: what each deployment's weight is and why, what changed, and the operator's
// word: pin, drain, unpin, dry run.
#include <fmt/format.h>

#include <algorithm>

#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "base/text.h"

namespace weir::admin {
namespace {

constexpr int64_t kHistoryMost = 1'000;

double rounded(double value) {
  return static_cast<double>(static_cast<int64_t>(value * 1000 + 0.5)) / 1000;
}

void write_verdict(json::Writer& w, const gateway::TrafficControl::Seen& seen) {
  const schedule::Verdict& v = seen.verdict;
  w.member("weight", int64_t{v.weight})
      .member("phase", schedule::to_string(v.phase))
      .member("cause", schedule::to_string(v.cause));
  w.key("factors")
      .begin_object()
      .member("base", rounded(static_cast<double>(v.base)))
      .member("health", rounded(static_cast<double>(v.health)))
      .member("warm_up", rounded(static_cast<double>(v.warm)))
      .member("capacity", rounded(static_cast<double>(v.capacity)))
      .member("zone", rounded(static_cast<double>(v.zone)))
      .end_object();
  w.member("evidence", rounded(static_cast<double>(v.evidence)))
      .member("latency_ratio", rounded(static_cast<double>(v.latency_ratio)))
      .member("held_back", v.held_back);
  w.key("quota_left");
  if (seen.budget) {
    w.number(static_cast<double>(*seen.budget) / schedule::kBudgetFull);
  } else {
    w.null();
  }
  w.key("pinned");
  if (v.pinned) {
    w.begin_object()
        .member("share", rounded(static_cast<double>(*v.pinned)))
        .member("until", rfc3339(seen.pinned_until_ms))
        .end_object();
  } else {
    w.null();
  }
}

void write_deployment(json::Writer& w, const gateway::TrafficControl& traffic,
                      const provider::Deployment& deployment, Nanoseconds now) {
  const Nanoseconds until = provider::parked_until(deployment);
  w.begin_object()
      .member("name", deployment.name)
      .member("priority", int64_t{deployment.priority})
      .member("in_flight", int64_t{deployment.state->in_flight.load(std::memory_order_relaxed)})
      .member("parked_ms",
              until > now ? std::chrono::duration_cast<Milliseconds>(until - now).count() : 0);
  if (const auto seen = traffic.seen(deployment.slot)) {
    write_verdict(w, *seen);
  } else {
    w.member("weight", int64_t{0});  // as configured
  }
  w.end_object();
}

Result<std::string> name_field(json::Value body, std::string_view name) {
  const auto text = body[name].as_string();
  if (!text || text->empty()) {
    return fail(ErrorCode::invalid_argument, fmt::format("{}: expected a name", name));
  }
  return std::string(*text);
}

Result<int64_t> time_field(json::Value body) {
  const auto seconds = body["for_s"].as_int64();
  if (!seconds) {
    return fail(ErrorCode::invalid_argument,
                "for_s: expected seconds; every pin and drain ends by itself");
  }
  return *seconds;
}

// Whether a model may be left without any deployment.
Result<bool> force_field(json::Value body) {
  const json::Value force = body["force"];
  if (!force.exists()) return false;
  const auto on = force.as_bool();
  if (!on) return fail(ErrorCode::invalid_argument, "force: expected true or false");
  return *on;
}

Result<void> only_fields(json::Value body, std::initializer_list<std::string_view> fields) {
  if (!body.is_object()) return fail(ErrorCode::invalid_argument, "expected a JSON object");
  for (const auto& [key, value] : body.members()) {
    if (std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
    return fail(ErrorCode::invalid_argument, fmt::format("there is no field \"{}\"", key));
  }
  return {};
}

Reply done(Backend& backend, const Request& request) {
  request.note->object =
      request.body[request.body["deployment"].exists() ? "deployment" : "model"].string_or("");
  request.note->after = request.body.raw();
  backend.publish_weights();
  return {.body = R"({"ok":true})"};
}

}  // namespace

net::Task<Result<Reply>> get_traffic(Backend& backend, const Request&) {
  const auto snapshot = backend.snapshot();
  const gateway::TrafficControl& traffic = backend.traffic();
  const schedule::Counters& counters = traffic.scheduler().counters();
  const Nanoseconds now = SystemClock().monotonic();
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("models").begin_array();
  for (const gateway::Model& model : snapshot->models) {
    w.begin_object()
        .member("name", model.name)
        .member("detector", schedule::to_string(model.schedule.detector))
        .member("dry_run", traffic.is_dry_run(model.slot));
    w.key("deployments").begin_array();
    for (const auto& deployment : model.pool.deployments()) {
      write_deployment(w, traffic, *deployment, now);
    }
    w.end_array().end_object();
  }
  w.end_array()
      .key("counters")
      .begin_object()
      .member("seconds", static_cast<int64_t>(counters.seconds))
      .member("cuts", static_cast<int64_t>(counters.cuts))
      .member("recoveries", static_cast<int64_t>(counters.recoveries))
      .member("cuts_denied", static_cast<int64_t>(counters.cuts_denied))
      .member("panics", static_cast<int64_t>(counters.panics))
      .end_object()
      .end_object();
  co_return reply;
}

net::Task<Result<Reply>> get_traffic_history(Backend& backend, const Request& request) {
  int64_t after = 0;
  if (const auto at = request.query.find("after"); at != request.query.end()) {
    const auto number = parse_int64(at->second);
    if (!number || *number < 0) {
      co_return fail(ErrorCode::invalid_argument, "after: expected the number of a change");
    }
    after = *number;
  }
  const auto model = request.query.find("model");
  const auto changes = backend.traffic().history(static_cast<uint64_t>(after));
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("changes").begin_array();
  int64_t count = 0;
  int64_t last = after;
  for (const auto& change : changes) {
    if (count == kHistoryMost) break;
    last = static_cast<int64_t>(change.number);
    if (model != request.query.end() && change.model != model->second) continue;
    ++count;
    w.begin_object()
        .member("number", last)
        .member("time", rfc3339(change.wall_ms))
        .member("model", change.model)
        .member("deployment", change.deployment)
        .member("from", int64_t{change.from})
        .member("to", int64_t{change.to})
        .member("dry_run", change.told_only)
        .member("reason", change.reason)
        .member("cause", change.cause)
        .member("sentence", change.sentence)
        .end_object();
  }
  w.end_array().member("next", last).end_object();
  co_return reply;
}

net::Task<Result<Reply>> post_traffic_pin(Backend& backend, const Request& request) {
  WEIR_CO_CHECK_OK(only_fields(request.body, {"model", "deployment", "share", "for_s", "force"}));
  WEIR_CO_TRY(const std::string model, name_field(request.body, "model"));
  WEIR_CO_TRY(const std::string deployment, name_field(request.body, "deployment"));
  const auto share = request.body["share"].as_double();
  if (!share) co_return fail(ErrorCode::invalid_argument, "share: expected a number from 0 to 1");
  WEIR_CO_TRY(const int64_t seconds, time_field(request.body));
  WEIR_CO_TRY(const bool force, force_field(request.body));
  WEIR_CO_CHECK_OK(backend.traffic().pin(model, deployment, *share, seconds, force));
  co_return done(backend, request);
}

net::Task<Result<Reply>> post_traffic_drain(Backend& backend, const Request& request) {
  WEIR_CO_CHECK_OK(only_fields(request.body, {"model", "deployment", "for_s", "force"}));
  WEIR_CO_TRY(const std::string model, name_field(request.body, "model"));
  WEIR_CO_TRY(const std::string deployment, name_field(request.body, "deployment"));
  WEIR_CO_TRY(const int64_t seconds, time_field(request.body));
  WEIR_CO_TRY(const bool force, force_field(request.body));
  WEIR_CO_CHECK_OK(backend.traffic().pin(model, deployment, 0, seconds, force));
  co_return done(backend, request);
}

net::Task<Result<Reply>> post_traffic_unpin(Backend& backend, const Request& request) {
  WEIR_CO_CHECK_OK(only_fields(request.body, {"model", "deployment"}));
  WEIR_CO_TRY(const std::string model, name_field(request.body, "model"));
  WEIR_CO_TRY(const std::string deployment, name_field(request.body, "deployment"));
  WEIR_CO_CHECK_OK(backend.traffic().unpin(model, deployment));
  co_return done(backend, request);
}

net::Task<Result<Reply>> post_traffic_dry_run(Backend& backend, const Request& request) {
  WEIR_CO_CHECK_OK(only_fields(request.body, {"model", "on"}));
  WEIR_CO_TRY(const std::string model, name_field(request.body, "model"));
  const auto on = request.body["on"].as_bool();
  if (!on) co_return fail(ErrorCode::invalid_argument, "on: expected true or false");
  WEIR_CO_CHECK_OK(backend.traffic().dry_run(model, *on));
  co_return done(backend, request);
}

}  // namespace weir::admin
