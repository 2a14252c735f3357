// /metrics of the fleet. docs/reference/fleet-metrics.md is printed from this.
#include "fleet/api.h"
#include "observe/exposition.h"

namespace weir::fleet {
namespace {

double seconds(Nanoseconds t) {
  return std::chrono::duration<double>(t).count();
}

}  // namespace

std::string metrics_text(Api& api) {
  const schedule::Scheduler& scheduler = api.fleet.scheduler();
  const schedule::Counters& s = scheduler.counters();
  const ApiCounters& c = api.counters;
  const TickerStats& tick = api.ticker.stats();
  observe::Exposition e;
  const auto counter = [&e](std::string_view name, std::string_view help, uint64_t value) {
    e.family(name, "counter", help);
    e.sample(name, {}, value);
  };
  const auto gauge = [&e](std::string_view name, std::string_view help, double value) {
    e.family(name, "gauge", help);
    e.sample(name, {}, value);
  };
  gauge("weir_fleet_services", "Services registered.",
        static_cast<double>(api.fleet.services().size()));
  gauge("weir_fleet_endpoints", "Endpoints registered.", scheduler.endpoints());
  gauge("weir_fleet_reporters", "Reporters known by name.", api.fleet.registry().reporters());
  gauge("weir_fleet_reporters_set_aside", "Reporters that accuse nearly everybody alone, now.",
        static_cast<double>(scheduler.reporters_aside().size()));
  gauge("weir_fleet_coverage", "Share of the reporters of late that reported in the last second.",
        static_cast<double>(scheduler.coverage()));
  e.family("weir_fleet_samples_total", "counter", "Samples taken in, by what became of them.");
  for (size_t i = 0; i < schedule::kIntakes; ++i)
    e.sample("weir_fleet_samples_total", {{"intake", to_string(static_cast<schedule::Intake>(i))}},
             s.intake[i]);
  counter("weir_fleet_samples_unreadable_total", "Items of JSON batches that are no samples.",
          c.samples_unreadable);
  counter("weir_fleet_samples_unnamed_total",
          "Items of JSON batches whose service or endpoint is not registered.", c.samples_unnamed);
  e.family("weir_fleet_batches_total", "counter", "Batches of samples, by form.");
  e.sample("weir_fleet_batches_total", {{"form", "json"}}, c.batches_json);
  e.sample("weir_fleet_batches_total", {{"form", "binary"}}, c.batches_binary);
  counter("weir_fleet_batches_broken_total", "Batches that could not be read, or not to the end.",
          c.batches_broken);
  counter("weir_fleet_seconds_total", "Seconds judged.", s.seconds);
  counter("weir_fleet_seconds_skipped_total", "Seconds not judged, after a pause.",
          s.seconds_skipped);
  gauge("weir_fleet_evaluation_seconds", "What judging the newest second took.",
        seconds(tick.last));
  gauge("weir_fleet_evaluation_longest_seconds", "The longest of the last minute or so.",
        seconds(tick.longest));
  counter("weir_fleet_cuts_total", "Endpoints that left full health by evidence.", s.cuts);
  counter("weir_fleet_group_cuts_total", "Groups that did.", s.group_cuts);
  counter("weir_fleet_recoveries_total", "Endpoints that came back to full health.", s.recoveries);
  counter("weir_fleet_cuts_held_back_total",
          "Endpoint-seconds in which a safety gate held a cut back.", s.cuts_denied);
  counter("weir_fleet_set_aside_total", "Times a reporter was set aside.", s.reporters_set_aside);
  counter("weir_fleet_panics_total", "Times a service had too little weight left.", s.panics);
  counter("weir_fleet_breaker_trips_total", "Times the breaker of the whole fleet opened.",
          s.breaker_trips);
  gauge("weir_fleet_breaker_open", "1 while the breaker holds all cuts back.",
        scheduler.breaker_open() ? 1 : 0);
  counter("weir_fleet_weights_changed_total", "Changes of published weights.", s.weights_changed);
  gauge("weir_fleet_pins", "Pins and drains of operators.",
        static_cast<double>(api.fleet.pins().size()));
  gauge("weir_fleet_watchers", "Long polls and event streams open.", api.watchers);
  counter("weir_fleet_watchers_refused_total", "Watchers over the limit.", c.watchers_refused);
  counter("weir_fleet_watchers_behind_total",
          "Times a reader was too far behind for a delta and got a snapshot.", c.watchers_behind);
  e.family("weir_fleet_tables_sent_total", "counter", "Tables sent to readers, by form.");
  e.sample("weir_fleet_tables_sent_total", {{"form", "snapshot"}}, c.snapshots_sent);
  e.sample("weir_fleet_tables_sent_total", {{"form", "delta"}}, c.deltas_sent);
  e.sample("weir_fleet_tables_sent_total", {{"form", "not_modified"}}, c.not_modified);
  counter("weir_fleet_requests_total", "Requests of the API.", c.requests);
  counter("weir_fleet_unauthorized_total", "Requests without the token they need.", c.unauthorized);
  counter("weir_fleet_bodies_refused_total", "Bodies over a limit.", c.bodies_refused);
  gauge("weir_fleet_standby", "1 while this is a standby that follows its primary.",
        api.ticker.paused() ? 1 : 0);
  counter("weir_fleet_standby_ops_total", "Changes that a standby took from its primary.",
          api.standby.ops);
  counter("weir_fleet_standby_snapshots_total", "Whole states that it took.",
          api.standby.snapshots);
  for (const auto& more : api.more_metrics) more(e);
  return e.take();
}

}  // namespace weir::fleet
