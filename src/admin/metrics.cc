// /metrics: every worker's counters, summed here. Names and units follow Prometheus' conventions;
// docs/reference/metrics.md lists them.
#include "admin/metrics.h"

#include "admin/routes.h"
#include "base/log.h"
#include "http/head.h"
#include "observe/exposition.h"

namespace weir::admin {
namespace {

using gateway::DeploymentCounters;
using gateway::ModelCounters;
using observe::Exposition;

struct Sum {
  std::vector<DeploymentCounters> deployments;
  std::vector<ModelCounters> models;
};

void add(DeploymentCounters& to, const DeploymentCounters& from) {
  for (size_t i = 0; i < to.attempts.size(); ++i) to.attempts[i] += from.attempts[i];
  to.tokens_input += from.tokens_input;
  to.tokens_cache_read += from.tokens_cache_read;
  to.tokens_output += from.tokens_output;
  to.cost_nano += from.cost_nano;
  to.probe_cost_nano += from.probe_cost_nano;
  for (size_t i = 0; i < to.probes.size(); ++i) to.probes[i] += from.probes[i];
  to.unpriced += from.unpriced;
  to.first_token_s.add(from.first_token_s);
  to.duration_s.add(from.duration_s);
}

void add(ModelCounters& to, const ModelCounters& from) {
  for (size_t i = 0; i < to.requests.size(); ++i) to.requests[i] += from.requests[i];
  to.retries += from.retries;
  to.retries_refused += from.retries_refused;
  to.fallbacks += from.fallbacks;
}

Sum sum_of(const std::vector<WorkerSample>& samples, const SlotNames& names) {
  Sum sum;
  sum.deployments.resize(names.deployments.size());
  sum.models.resize(names.models.size());
  for (const WorkerSample& sample : samples) {
    const auto& deployments = sample.gateway.deployments;
    for (size_t i = 0; i < std::min(deployments.size(), sum.deployments.size()); ++i) {
      add(sum.deployments[i], deployments[i]);
    }
    const auto& models = sample.gateway.models;
    for (size_t i = 0; i < std::min(models.size(), sum.models.size()); ++i) {
      add(sum.models[i], models[i]);
    }
  }
  return sum;
}

template <class Read>
uint64_t total(const std::vector<WorkerSample>& samples, Read read) {
  uint64_t sum = 0;
  for (const WorkerSample& sample : samples) sum += read(sample);
  return sum;
}

void write_models(Exposition& out, const Sum& sum, const SlotNames& names) {
  out.family("weir_requests_total", "counter", "Requests for a model, by how they ended.");
  for (size_t i = 0; i < sum.models.size(); ++i) {
    for (size_t outcome = 0; outcome < gateway::kOutcomes; ++outcome) {
      const uint64_t count = sum.models[i].requests[outcome];
      if (count == 0) continue;
      out.sample("weir_requests_total",
                 {{"model", names.models[i]},
                  {"outcome", to_string(static_cast<ledger::Outcome>(outcome))}},
                 count);
    }
  }
  const auto each = [&](std::string_view name, std::string_view help, auto read) {
    out.family(name, "counter", help);
    for (size_t i = 0; i < sum.models.size(); ++i) {
      out.sample(name, {{"model", names.models[i]}}, read(sum.models[i]));
    }
  };
  each("weir_retries_total", "Attempts beyond the first.",
       [](const ModelCounters& model) { return model.retries; });
  each("weir_retries_refused_total", "Retries not made because the retry budget was spent.",
       [](const ModelCounters& model) { return model.retries_refused; });
  each("weir_fallbacks_total", "Requests that went on to a fallback model.",
       [](const ModelCounters& model) { return model.fallbacks; });
}

void write_deployments(Exposition& out, const Sum& sum, const SlotNames& names) {
  out.family("weir_attempts_total", "counter",
             "Attempts at a deployment, by class of failure (none: answered).");
  for (size_t i = 0; i < sum.deployments.size(); ++i) {
    for (size_t failure = 0; failure < gateway::kFailureClasses; ++failure) {
      const uint64_t count = sum.deployments[i].attempts[failure];
      if (count == 0) continue;
      out.sample("weir_attempts_total",
                 {{"model", names.deployments[i].model},
                  {"deployment", names.deployments[i].name},
                  {"failure", to_string(static_cast<provider::FailureClass>(failure))}},
                 count);
    }
  }
  const auto each = [&](std::string_view name, std::string_view help, auto read) {
    out.family(name, "counter", help);
    for (size_t i = 0; i < sum.deployments.size(); ++i) {
      out.sample(name,
                 {{"model", names.deployments[i].model}, {"deployment", names.deployments[i].name}},
                 read(sum.deployments[i]));
    }
  };
  each("weir_input_tokens_total", "Input tokens, cached ones included.",
       [](const DeploymentCounters& d) { return d.tokens_input; });
  each("weir_cache_read_tokens_total", "Input tokens read from the provider's prompt cache.",
       [](const DeploymentCounters& d) { return d.tokens_cache_read; });
  each("weir_output_tokens_total", "Output tokens.",
       [](const DeploymentCounters& d) { return d.tokens_output; });
  each("weir_cost_usd_total", "Cost in US dollars by the price book.",
       [](const DeploymentCounters& d) { return static_cast<double>(d.cost_nano) * 1e-9; });
  each("weir_unpriced_requests_total", "Requests without a price in the price book.",
       [](const DeploymentCounters& d) { return d.unpriced; });
  out.family("weir_probes_total", "counter",
             "Calls of Weir's own at sick deployments, by what they came to.");
  for (size_t i = 0; i < sum.deployments.size(); ++i) {
    for (size_t end = 0; end < gateway::kProbeEnds; ++end) {
      const uint64_t count = sum.deployments[i].probes[end];
      if (count == 0) continue;
      out.sample("weir_probes_total",
                 {{"model", names.deployments[i].model},
                  {"deployment", names.deployments[i].name},
                  {"result", to_string(static_cast<gateway::ProbeEnd>(end))}},
                 count);
    }
  }
  each("weir_probe_cost_usd_total", "Of weir_cost_usd_total, what Weir's own calls cost.",
       [](const DeploymentCounters& d) { return static_cast<double>(d.probe_cost_nano) * 1e-9; });
  const auto histograms = [&](std::string_view name, std::string_view help, auto read) {
    out.family(name, "histogram", help);
    for (size_t i = 0; i < sum.deployments.size(); ++i) {
      out.histogram(
          name, {{"model", names.deployments[i].model}, {"deployment", names.deployments[i].name}},
          read(sum.deployments[i]));
    }
  };
  histograms("weir_first_token_seconds", "From the attempt's start to the first content.",
             [](const DeploymentCounters& d) { return d.first_token_s; });
  histograms("weir_attempt_seconds", "From the attempt's start to its end, answered ones.",
             [](const DeploymentCounters& d) { return d.duration_s; });
}

void write_health(Exposition& out, const gateway::Snapshot& snapshot) {
  const Nanoseconds now = SystemClock().monotonic();
  out.family("weir_deployment_open", "gauge",
             "1 while the deployment may be used, 0 while parked.");
  for (const gateway::Model& model : snapshot.models) {
    for (const auto& deployment : model.pool.deployments()) {
      const bool open = deployment->state->lease.is_open(now) &&
                        deployment->account->state->credential.is_open(now);
      out.sample("weir_deployment_open", {{"model", model.name}, {"deployment", deployment->name}},
                 uint64_t{open ? 1U : 0U});
    }
  }
  out.family("weir_deployment_in_flight", "gauge", "Attempts under way.");
  for (const gateway::Model& model : snapshot.models) {
    for (const auto& deployment : model.pool.deployments()) {
      out.sample("weir_deployment_in_flight",
                 {{"model", model.name}, {"deployment", deployment->name}},
                 uint64_t{deployment->state->in_flight.load(std::memory_order_relaxed)});
    }
  }
}

void write_traffic(Exposition& out, const gateway::Snapshot& snapshot,
                   const gateway::TrafficControl& traffic, const gateway::ProbePlan& probes,
                   const std::vector<WorkerSample>& samples) {
  const auto each = [&](std::string_view name, std::string_view help, auto read) {
    out.family(name, "gauge", help);
    for (const gateway::Model& model : snapshot.models) {
      for (const auto& deployment : model.pool.deployments()) {
        const auto seen = traffic.seen(deployment->slot);
        if (!seen) continue;
        const std::optional<double> value = read(*seen);
        if (value) {
          out.sample(name, {{"model", model.name}, {"deployment", deployment->name}}, *value);
        }
      }
    }
  };
  using Seen = gateway::TrafficControl::Seen;
  each("weir_deployment_weight", "Published weight; a configured weight of 1 is 1000.",
       [](const Seen& s) { return std::optional<double>(s.verdict.weight); });
  each("weir_deployment_health", "Health as a factor of the weight, 1 is well.",
       [](const Seen& s) { return std::optional<double>(s.verdict.health); });
  each("weir_deployment_capacity", "Capacity as a factor of the weight: refusals, quota.",
       [](const Seen& s) { return std::optional<double>(s.verdict.capacity); });
  each("weir_deployment_cut", "1 while found sick, 0.5 while coming back.", [](const Seen& s) {
    return std::optional<double>(s.verdict.phase == schedule::Phase::cut          ? 1.0
                                 : s.verdict.phase == schedule::Phase::recovering ? 0.5
                                                                                  : 0.0);
  });
  each("weir_deployment_quota_left",
       "Left of its scarcest rate limit, as last told by it; 1 is all.", [](const Seen& s) {
         return s.budget ? std::optional(static_cast<double>(*s.budget) / schedule::kBudgetFull)
                         : std::nullopt;
       });
  const auto one = [&](std::string_view name, std::string_view help, uint64_t value) {
    out.family(name, "counter", help);
    out.sample(name, {}, value);
  };
  const schedule::Counters& counters = traffic.scheduler().counters();
  one("weir_traffic_cuts_total", "Deployments found sick.", counters.cuts);
  one("weir_traffic_recoveries_total", "Deployments back in full health.", counters.recoveries);
  one("weir_traffic_cuts_denied_total", "Seconds in which a safety gate held a cut back.",
      counters.cuts_denied);
  one("weir_probes_held_back_total", "Times that an account's cap allowed no probe.",
      probes.held_back());
  const auto sum = [&](std::string_view name, std::string_view help, auto read) {
    one(name, help, total(samples, read));
  };
  sum("weir_spills_total", "Attempts at a lower priority: the higher had no capacity left.",
      [](const auto& s) { return s.traffic.spills; });
  sum("weir_unguarded_picks_total", "Attempts that no guard or budget would have let through.",
      [](const auto& s) { return s.traffic.unguarded; });
  sum("weir_parked_picks_total", "Attempts at a parked deployment, all being parked.",
      [](const auto& s) { return s.traffic.leases_hit; });
  sum("weir_account_limit_passed_over_total",
      "Times that a deployment was passed over for the configured limits of its account.",
      [](const auto& s) { return s.traffic.account_full; });
  out.family("weir_affinity_total", "counter",
             "Requests with a session or a long prompt, by where they went: home, the "
             "conversation's own place, or elsewhere for load.");
  const auto affinity = [&](std::string_view place, auto read) {
    out.sample("weir_affinity_total", {{"place", place}}, total(samples, read));
  };
  affinity("home", [](const auto& s) { return s.traffic.affinity_home; });
  affinity("own", [](const auto& s) { return s.traffic.affinity_own; });
  affinity("moved", [](const auto& s) { return s.traffic.affinity_moved; });
  sum("weir_hedges_total", "Second attempts beside one that took long to begin.",
      [](const auto& s) { return s.traffic.hedges; });
  sum("weir_hedges_won_total", "Of these, those that began first.",
      [](const auto& s) { return s.traffic.hedges_won; });
  sum("weir_hedges_refused_total", "Second attempts that the budget did not allow.",
      [](const auto& s) { return s.traffic.hedges_refused; });
}

void write_gateway(Exposition& out, const std::vector<WorkerSample>& samples) {
  static constexpr std::string_view kClasses[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  out.family("weir_responses_total", "counter", "Answers to clients by status class.");
  for (size_t i = 0; i < std::size(kClasses); ++i) {
    out.sample("weir_responses_total", {{"class", kClasses[i]}},
               total(samples, [i](const auto& s) { return s.gateway.statuses[i]; }));
  }
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto read) {
    out.family(name, type, help);
    out.sample(name, {}, total(samples, read));
  };
  one("weir_refused_keys_total", "counter", "Requests with a missing, unknown or expired key.",
      [](const auto& s) { return s.gateway.refused_keys; });
  one("weir_refused_limits_total", "counter", "Requests refused by a key's or team's limits.",
      [](const auto& s) { return s.gateway.refused_limits; });
  one("weir_refused_memory_total", "counter", "Requests refused because too many bodies are held.",
      [](const auto& s) { return s.gateway.refused_memory; });
  one("weir_client_aborts_total", "counter", "Clients that went away before their answer ended.",
      [](const auto& s) { return s.gateway.client_aborts; });
  out.family("weir_aborted_requests_total", "counter",
             "Requests with outcome aborted, by what became of the provider's answer (none: it had "
             "not begun, or was whole).");
  for (size_t i = 0; i < gateway::kAbortHandlings; ++i) {
    out.sample("weir_aborted_requests_total",
               {{"handling", to_string(static_cast<gateway::AbortHandling>(i))}},
               total(samples, [i](const auto& s) { return s.gateway.aborts[i]; }));
  }
  one("weir_drains_running", "gauge", "Streams read to their end after their clients left.",
      [](const auto& s) { return s.gateway.drains_running; });
  one("weir_drains_refused_total", "counter",
      "Streams cancelled instead of drained: 256 were being drained by the worker.",
      [](const auto& s) { return s.gateway.drains_refused; });
  one("weir_requests_running", "gauge", "Requests being served.",
      [](const auto& s) { return s.gateway.requests_running; });
  one("weir_body_bytes_held", "gauge", "Bytes of request and answer bodies in memory.",
      [](const auto& s) { return s.gateway.body_bytes_held; });
  one("weir_captures_cut_total", "counter", "Captured answers cut at capture.bytes_max.",
      [](const auto& s) { return s.gateway.captures_cut; });
}

// Who waits, where there is little room, and the buckets of end users.
void write_queue(Exposition& out, const gateway::Snapshot& snapshot,
                 const std::vector<WorkerSample>& samples) {
  const auto by_class = [&](std::string_view name, std::string_view type, std::string_view help,
                            auto read) {
    out.family(name, type, help);
    for (size_t i = 0; i < ledger::kPriorities; ++i) {
      out.sample(name, {{"priority", to_string(static_cast<ledger::Priority>(i))}},
                 total(samples, [&](const auto& s) { return read(s.queue[i]); }));
    }
  };
  by_class("weir_queue_waiting", "gauge",
           "Requests that wait for an account or a model that is full, by priority.",
           [](const auto& q) { return q.waiting; });
  by_class("weir_queue_waits_total", "counter", "Requests that began to wait.",
           [](const auto& q) { return q.waits; });
  out.family("weir_queue_ends_total", "counter",
             "Waits that ended: served, refused when their time was over (expired) or for a more "
             "important request (pushed_out), or left by the client or for another limit; and "
             "requests that found the queue full (refused).");
  const auto end = [&](std::string_view name, auto read) {
    for (size_t i = 0; i < ledger::kPriorities; ++i) {
      out.sample("weir_queue_ends_total",
                 {{"end", name}, {"priority", to_string(static_cast<ledger::Priority>(i))}},
                 total(samples, [&](const auto& s) { return read(s.queue[i]); }));
    }
  };
  end("served", [](const auto& q) { return q.served; });
  end("expired", [](const auto& q) { return q.expired; });
  end("pushed_out", [](const auto& q) { return q.pushed_out; });
  end("left", [](const auto& q) { return q.left; });
  end("refused", [](const auto& q) { return q.refused_full; });
  by_class("weir_queue_waited_microseconds_total", "counter", "Time spent waiting, in all.",
           [](const auto& q) { return q.waited_us; });
  const ledger::UserLimits::Counts users =
      snapshot.users == nullptr ? ledger::UserLimits::Counts{} : snapshot.users->counts();
  out.family("weir_user_limits", "gauge", "End users that have a bucket of their own.");
  out.sample("weir_user_limits", {}, users.buckets);
  out.family("weir_user_limits_reused_total", "counter",
             "Buckets of idle end users that were given to others.");
  out.sample("weir_user_limits_reused_total", {}, users.reused);
  out.family("weir_user_limits_untracked_total", "counter",
             "Requests whose end user found no bucket and was not limited as a user.");
  out.sample("weir_user_limits_untracked_total", {}, users.untracked);
}

void write_anomalies(Exposition& out, const ledger::AlertCounts& counts,
                     const AnomalyState& state) {
  out.family("weir_anomalies_total", "counter", "Anomalies found, by kind.");
  for (size_t i = 0; i < ledger::kAnomalyKinds; ++i) {
    out.sample("weir_anomalies_total", {{"kind", to_string(static_cast<ledger::AnomalyKind>(i))}},
               counts.anomalies[i]);
  }
  out.family("weir_anomalies_learning_hours", "gauge",
             "Hours of the ledger that the detector has still to learn after a start.");
  out.sample("weir_anomalies_learning_hours", {}, static_cast<uint64_t>(state.learning_hours));
  out.family("weir_anomalies_unwatched_total", "counter",
             "Hourly sums that the detector left out: more keys and models than it can hold.");
  out.sample("weir_anomalies_unwatched_total", {}, state.unwatched);
}

void write_http(Exposition& out, const std::vector<WorkerSample>& samples) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto read) {
    out.family(name, type, help);
    out.sample(name, {}, total(samples, read));
  };
  one("weir_http_connections_total", "counter", "Client connections accepted.",
      [](const auto& s) { return s.server.connections; });
  one("weir_http_connections_open", "gauge", "Client connections open.",
      [](const auto& s) { return s.server.connections_open; });
  one("weir_http_connections_refused_total", "counter", "Client connections over the limit.",
      [](const auto& s) { return s.server.connections_refused; });
  out.family("weir_http_head_faults_total", "counter", "Request heads refused, by what was wrong.");
  for (size_t i = 1; i < http::kHeadFaults; ++i) {
    out.sample("weir_http_head_faults_total",
               {{"fault", to_string(static_cast<http::HeadFault>(i))}},
               total(samples, [i](const auto& s) { return s.server.head_faults[i]; }));
  }
  out.family("weir_http_timeouts_total", "counter", "Client connections cut for being too slow.");
  const auto timeouts = [&](std::string_view phase, auto read) {
    out.sample("weir_http_timeouts_total", {{"phase", phase}}, total(samples, read));
  };
  timeouts("head", [](const auto& s) { return s.server.timeouts_head; });
  timeouts("body", [](const auto& s) { return s.server.timeouts_body; });
  timeouts("write", [](const auto& s) { return s.server.timeouts_write; });
  timeouts("idle", [](const auto& s) { return s.server.timeouts_idle; });
  one("weir_http2_connections_total", "counter", "Client connections that speak HTTP/2.",
      [](const auto& s) { return s.server.h2.connections; });
  one("weir_http2_resets_total", "counter", "Streams that clients reset.",
      [](const auto& s) { return s.server.h2.resets; });
  one("weir_http2_refused_streams_total", "counter", "Streams refused: too many at once.",
      [](const auto& s) { return s.server.h2.refused_streams; });
  one("weir_http2_malformed_total", "counter", "Streams reset for a message that is not HTTP.",
      [](const auto& s) { return s.server.h2.malformed; });
  out.family("weir_http2_faults_total", "counter",
             "Client connections ended for breaking the protocol or its limits.");
  for (size_t i = 0; i < http::h2::kFaults; ++i) {
    out.sample("weir_http2_faults_total", {{"fault", to_string(static_cast<http::h2::Fault>(i))}},
               total(samples, [i](const auto& s) { return s.server.h2.faults[i]; }));
  }
  one("weir_tls_handshakes_total", "counter", "TLS handshakes with clients.",
      [](const auto& s) { return s.tls_handshakes_in; });
  one("weir_upstream_tls_handshakes_total", "counter", "TLS handshakes with providers.",
      [](const auto& s) { return s.tls_handshakes_out; });
  one("weir_upstream_tls_resumed_total", "counter", "Of these, with a resumed session.",
      [](const auto& s) { return s.tls_resumed_out; });
  one("weir_upstream_connections_total", "counter", "Connections opened to providers.",
      [](const auto& s) { return s.client.connections_opened; });
  one("weir_upstream_connections_open", "gauge", "Connections to providers, idle ones included.",
      [](const auto& s) { return s.client.open; });
  one("weir_upstream_connections_idle", "gauge", "Idle connections to providers.",
      [](const auto& s) { return s.client.idle; });
  one("weir_upstream_connect_failures_total", "counter", "Connections that could not be opened.",
      [](const auto& s) { return s.client.connect_failures; });
  one("weir_upstream_reused_total", "counter", "Attempts on a kept connection.",
      [](const auto& s) { return s.client.reused; });
  one("weir_upstream_stale_retries_total", "counter",
      "Requests sent again: a kept connection was dead, or a stream was not taken.",
      [](const auto& s) { return s.client.stale_retries; });
  one("weir_upstream_http2_connections_total", "counter", "Of the connections, those of HTTP/2.",
      [](const auto& s) { return s.client.h2.connections; });
  one("weir_upstream_http2_streams_total", "counter", "Attempts over HTTP/2.",
      [](const auto& s) { return s.client.http2_streams; });
  one("weir_upstream_http2_goaways_total", "counter", "Connections that providers wound up.",
      [](const auto& s) { return s.client.http2_goaways; });
  one("weir_upstream_http2_ping_timeouts_total", "counter",
      "Connections to providers that answered no ping.",
      [](const auto& s) { return s.client.http2_ping_timeouts; });
}

void write_ledger(Exposition& out, const ledger::LogHealth& health,
                  const std::vector<WorkerSample>& samples) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       uint64_t value) {
    out.family(name, type, help);
    out.sample(name, {}, value);
  };
  one("weir_ledger_ok", "gauge", "1 while the store takes rows.", health.ok ? 1 : 0);
  one("weir_ledger_rows_total", "counter", "Ledger rows written.", health.rows_written);
  one("weir_ledger_rows_dropped_total", "counter", "Ledger rows lost: queue or spool full.",
      health.rows_dropped);
  one("weir_ledger_rows_refused_total", "counter", "Ledger rows a worker could not hand over.",
      total(samples, [](const auto& s) { return s.gateway.ledger_rows_dropped; }));
  one("weir_ledger_rows_spooled", "gauge", "Ledger rows waiting for the store.",
      health.rows_spooled);
  one("weir_ledger_journal_ok", "gauge", "1 while requests under way survive a kill.",
      health.journal_on ? 1 : 0);
  one("weir_ledger_rows_recovered", "gauge", "Rows that a killed process had left, at the start.",
      health.rows_recovered);
  one("weir_ledger_rows_unjournaled_total", "counter",
      "Requests that found no room in the journal.", health.rows_unjournaled);
  one("weir_ledger_store_errors_total", "counter", "Failed writes to the store.",
      health.store_errors);
  one("weir_log_lines_dropped_total", "counter", "Log lines lost: queue full.", log::dropped());
}

void write_alerts(Exposition& out, const ledger::AlertCounts& counts) {
  out.family("weir_budget_thresholds_total", "counter",
             "Times that 50, 80 or 100 % of a budget were reached.");
  out.sample("weir_budget_thresholds_total", {}, counts.reached);
  out.family("weir_budget_alerts_total", "counter",
             "Alerts by what became of them; failed counts attempts.");
  for (const auto& [result, count] :
       {std::pair{"sent", counts.sent}, std::pair{"failed", counts.failed},
        std::pair{"given_up", counts.given_up}, std::pair{"dropped", counts.dropped}}) {
    out.sample("weir_budget_alerts_total", {{"result", result}}, count);
  }
  out.family("weir_budget_alerts_pending", "gauge", "Alerts that wait for the webhook.");
  out.sample("weir_budget_alerts_pending", {}, counts.pending);
}

void write_sign_ins(Exposition& out, const identity::SignInCounts& counts) {
  out.family("weir_sign_ins_total", "counter",
             "Sign-ins by password, by how they ended; refused ones came while locked.");
  for (const auto& [result, count] :
       {std::pair{"ok", counts.succeeded}, std::pair{"failed", counts.failed},
        std::pair{"refused", counts.refused}}) {
    out.sample("weir_sign_ins_total", {{"result", result}}, count);
  }
  out.family("weir_sign_in_lockouts_total", "counter",
             "Times that a user's name or an address was locked after failed sign-ins.");
  out.sample("weir_sign_in_lockouts_total", {}, counts.lockouts);
}

void write_oidc(Exposition& out, const identity::OidcCounts& counts) {
  const auto one = [&out](std::string_view name, std::string_view type, std::string_view help,
                          uint64_t value) {
    out.family(name, type, help);
    out.sample(name, {}, value);
  };
  out.family("weir_oidc_sign_ins_total", "counter",
             "Sign-ins that came back from the identity provider, by how they ended.");
  out.sample("weir_oidc_sign_ins_total", {{"result", "ok"}}, counts.succeeded);
  out.sample("weir_oidc_sign_ins_total", {{"result", "refused"}}, counts.failed);
  one("weir_oidc_pending", "gauge", "Sign-ins that are at the identity provider.", counts.pending);
  one("weir_oidc_pending_dropped_total", "counter",
      "Sign-ins that were forgotten because too many were under way.", counts.pending_dropped);
  one("weir_oidc_key_fetches_total", "counter", "Readings of the identity provider's keys.",
      counts.key_fetches);
  one("weir_oidc_key_fetch_failures_total", "counter", "Those that failed.",
      counts.key_fetch_failures);
}

void write_audit(Exposition& out, uint64_t records, uint64_t failures) {
  out.family("weir_audit_records_total", "counter",
             "Changes by the admin API that the audit log took.");
  out.sample("weir_audit_records_total", {}, records);
  out.family("weir_audit_failures_total", "counter",
             "Records that it could not take: changes refused for that (audit_unwritable in the "
             "log), or not told (audit_unwritten).");
  out.sample("weir_audit_failures_total", {}, failures);
}

void write_state(Exposition& out, const state::KeeperSample& sample,
                 const std::vector<WorkerSample>& samples) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       uint64_t value) {
    out.family(name, type, help);
    out.sample(name, {}, value);
  };
  one("weir_state_ok", "gauge", "1 while state.db takes what is to be kept.",
      sample.healthy ? 1 : 0);
  one("weir_pins_learned_total", "counter", "Ids remembered with the account that made them.",
      sample.pins);
  one("weir_pins_evicted_total", "counter", "Ids forgotten before their time: the table was full.",
      sample.pins_evicted);
  one("weir_pins_followed_total", "counter", "Requests that an id in them sent to its account.",
      total(samples, [](const auto& s) { return s.gateway.pins_followed; }));
  one("weir_pins_lost_total", "counter", "Requests refused because the id's account is gone.",
      total(samples, [](const auto& s) { return s.gateway.pins_lost; }));
  one("weir_responses_kept_total", "counter", "Answers and batches kept for a later call.",
      sample.records);
  one("weir_responses_recalled_total", "counter", "Requests continued from a kept answer.",
      total(samples, [](const auto& s) { return s.gateway.responses_recalled; }));
  one("weir_responses_evicted_total", "counter",
      "Kept answers dropped before their time: state.bytes_max.", sample.records_evicted);
  one("weir_batches_settled_total", "counter", "Batches whose cost was put on the ledger.",
      total(samples, [](const auto& s) { return s.gateway.batches_settled; }));
  one("weir_state_bytes", "gauge", "Bytes of kept answers on disk.", sample.bytes_on_disk);
  one("weir_state_dropped_total", "counter", "Ids and answers not kept: a queue was full.",
      sample.dropped);
  one("weir_state_errors_total", "counter", "Failed reads and writes of state.db.",
      sample.store_errors);
  one("weir_state_timeouts_total", "counter", "Kept answers that could not be read in time.",
      sample.finds_timed_out);
}

}  // namespace

std::string metrics_text(const MetricsInput& in) {
  const Sum sum = sum_of(in.samples, in.names);
  Exposition out;
  out.family("weir_build_info", "gauge", "Version of this binary.");
  out.sample("weir_build_info", {{"version", in.version}}, uint64_t{1});
  out.family("weir_config_generation", "gauge", "Generation of the running configuration.");
  out.sample("weir_config_generation", {}, in.snapshot.generation);
  out.family("weir_start_time_seconds", "gauge", "Unix time of the start.");
  out.sample("weir_start_time_seconds", {}, static_cast<double>(in.started_ms) * 1e-3);
  write_models(out, sum, in.names);
  write_deployments(out, sum, in.names);
  write_health(out, in.snapshot);
  write_traffic(out, in.snapshot, in.traffic, in.probes, in.samples);
  write_gateway(out, in.samples);
  write_http(out, in.samples);
  write_ledger(out, in.ledger, in.samples);
  write_alerts(out, in.alerts);
  write_anomalies(out, in.alerts, in.anomalies);
  write_queue(out, in.snapshot, in.samples);
  write_sign_ins(out, in.sign_ins);
  write_oidc(out, in.oidc);
  write_audit(out, in.audit_records, in.audit_failures);
  write_state(out, in.state, in.samples);
  return out.take();
}

net::Task<Result<Reply>> get_metrics(Backend& backend, const Request&) {
  const std::vector<WorkerSample> samples = co_await backend.sample();
  const auto snapshot = backend.snapshot();
  const std::shared_ptr<identity::Oidc> oidc = backend.people().oidc();
  co_return Reply{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                  .body = metrics_text({.samples = samples,
                                        .names = backend.slot_names(),
                                        .snapshot = *snapshot,
                                        .traffic = backend.traffic(),
                                        .probes = backend.probes(),
                                        .ledger = backend.ledger_health(),
                                        .alerts = backend.alert_counts(),
                                        .anomalies = backend.anomaly_state(),
                                        .sign_ins = backend.people().counts(),
                                        .oidc = oidc ? oidc->counts() : identity::OidcCounts{},
                                        .audit_records = backend.audit().appended(),
                                        .audit_failures = backend.audit().failed(),
                                        .state = backend.state_sample(),
                                        .version = backend.version(),
                                        .started_ms = backend.started_ms()})};
}

}  // namespace weir::admin
