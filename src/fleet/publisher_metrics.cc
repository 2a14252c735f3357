// The publishers' part of /metrics of a fleet.
#include "fleet/publishers.h"

namespace weir::fleet {

void write_metrics(const PublisherFigures& figures, observe::Exposition& out) {
  const auto counter = [&out](std::string_view name, std::string_view help, uint64_t value) {
    out.family(name, "counter", help);
    out.sample(name, {}, value);
  };
  {
    const xds::Counters& c = figures.xds;
    out.family("weir_fleet_xds_streams", "gauge", "Streams of xDS clients, open now.");
    out.sample("weir_fleet_xds_streams", {}, c.streams_open);
    out.family("weir_fleet_xds_endpoints_left_out", "gauge",
               "Endpoints that xDS clients are not given: their address is a name.");
    out.sample("weir_fleet_xds_endpoints_left_out", {}, figures.xds_left_out);
    counter("weir_fleet_xds_streams_total", "Streams of xDS clients.", c.streams);
    counter("weir_fleet_xds_streams_refused_total", "Streams beyond the limit.", c.streams_refused);
    counter("weir_fleet_xds_requests_total", "Requests on streams of xDS.", c.requests);
    counter("weir_fleet_xds_requests_bad_total", "Requests that ended their stream.",
            c.requests_bad);
    counter("weir_fleet_xds_requests_stale_total", "Answers to a response that was not the last.",
            c.requests_stale);
    counter("weir_fleet_xds_types_unknown_total", "Requests for a type that Weir does not have.",
            c.types_unknown);
    counter("weir_fleet_xds_responses_total", "Responses sent.", c.responses);
    counter("weir_fleet_xds_responses_urgent_total", "Responses that did not wait their second.",
            c.responses_urgent);
    counter("weir_fleet_xds_resources_total", "Resources sent.", c.resources);
    counter("weir_fleet_xds_removals_total", "Removals of resources told.", c.removals);
    counter("weir_fleet_xds_acks_total", "Responses that clients took.", c.acks);
    counter("weir_fleet_xds_nacks_total", "Responses that clients refused.", c.nacks);
  }
  {
    const haproxy::AgentCounters& c = figures.agent;
    counter("weir_fleet_agent_checks_total", "Agent checks answered.", c.checks);
    counter("weir_fleet_agent_checks_unknown_total", "Agent checks of unknown names.", c.unknown);
    counter("weir_fleet_agent_checks_broken_total", "Agent checks without a whole name.", c.broken);
  }
  if (figures.sinks.empty()) return;
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help,
                        auto value) {
    out.family(name, type, help);
    for (const auto& sink : figures.sinks) {
      out.sample(name, {{"sink", sink.kind}, {"name", sink.name}},
                 static_cast<uint64_t>(value(sink.counters)));
    }
  };
  using C = SinkCounters;
  each("weir_fleet_sink_up", "gauge", "1 where the latest round of a sink went well.",
       [](const C& c) { return c.up ? 1 : 0; });
  each("weir_fleet_sink_endpoints_unmatched", "gauge",
       "Endpoints that the other side of a sink does not know, or has no room for.",
       [](const C& c) { return c.unmatched; });
  each("weir_fleet_sink_rounds_total", "counter", "Rounds of a sink.",
       [](const C& c) { return c.rounds; });
  each("weir_fleet_sink_failures_total", "counter", "Rounds of a sink that failed.",
       [](const C& c) { return c.failures; });
  each("weir_fleet_sink_changes_total", "counter", "Weights that a sink wrote.",
       [](const C& c) { return c.changes; });
  each("weir_fleet_sink_refused_total", "counter", "Changes that the other side did not take.",
       [](const C& c) { return c.refused; });
}

}  // namespace weir::fleet
