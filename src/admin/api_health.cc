// GET /api/v1/health: every queue, buffer, spool and cache with what it holds, may hold and had to
// drop; the disk; the threads; and what is wrong, with what to do.
#include <fmt/format.h>

#include <optional>

#include "admin/routes.h"
#include "base/json/writer.h"
#include "base/log.h"

namespace weir::admin {
namespace {

// Below this the operator is told: a busy day's file is larger.
constexpr uint64_t kLowSpace = uint64_t{1} << 30;

struct Item {
  std::string_view name;
  std::string_view kind;  // "queue", "spool", "buffer", "cache", "connections"
  std::string_view unit;
  std::optional<uint64_t> length;  // now
  std::optional<uint64_t> limit;
  uint64_t dropped = 0;  // or refused, since the start
};

struct Problem {
  std::string_view severity;  // "error", "warning"
  std::string what;
  std::string message;
  std::string_view todo;
  int64_t time_ms = 0;  // 0: now
};

struct Sums {
  uint64_t bodies = 0;
  uint64_t bodies_refused = 0;
  uint64_t connections = 0;
  uint64_t connections_refused = 0;
  uint64_t upstream = 0;
  uint64_t upstream_refused = 0;
  uint64_t drains_refused = 0;
};

Sums sums_of(const std::vector<WorkerSample>& samples) {
  Sums sums;
  for (const WorkerSample& sample : samples) {
    sums.bodies += sample.gateway.body_bytes_held;
    sums.bodies_refused += sample.gateway.refused_memory;
    sums.connections += sample.server.connections_open;
    sums.connections_refused += sample.server.connections_refused;
    sums.upstream += sample.client.open;
    sums.upstream_refused += sample.client.refused_by_limit;
    sums.drains_refused += sample.gateway.drains_refused;
  }
  return sums;
}

std::vector<Item> items_of(Backend& backend, const std::vector<WorkerSample>& samples) {
  const ledger::LogHealth ledger = backend.ledger_health();
  const ledger::LogOptions limits;
  const state::KeeperSample state = backend.state_sample();
  const ledger::AlertCounts alerts = backend.alert_counts();
  const Sums sums = sums_of(samples);
  return {
      {"ledger_spool", "spool", "rows", ledger.rows_spooled, limits.spool_rows_max,
       ledger.rows_dropped},
      {"ledger_journal", "buffer", "requests", std::nullopt, limits.journal_slots,
       ledger.rows_unjournaled},
      {"captures", "queue", "bodies", std::nullopt, std::nullopt, ledger.captures_dropped},
      {"log_lines", "queue", "lines", std::nullopt, log::Options{}.lines_max, log::dropped()},
      {"alerts", "queue", "messages", alerts.pending, ledger::AlertBook::kPendingMax,
       alerts.dropped},
      {"jobs", "queue", "jobs", backend.jobs().waiting(), jobs::Runner::kWaitingMax,
       backend.jobs().refused()},
      {"request_bodies", "buffer", "bytes", sums.bodies,
       gateway::Worker::kBodyBytesHeldMax * samples.size(), sums.bodies_refused},
      {"drained_streams", "buffer", "streams", std::nullopt,
       gateway::Worker::kDrainsMax * samples.size(), sums.drains_refused},
      {"client_connections", "connections", "connections", sums.connections, std::nullopt,
       sums.connections_refused},
      {"provider_connections", "connections", "connections", sums.upstream, std::nullopt,
       sums.upstream_refused},
      {"pins", "cache", "ids", state.pins, std::nullopt, state.pins_evicted},
      {"kept_responses", "cache", "bytes", state.bytes_on_disk, std::nullopt,
       state.records_evicted},
      {"state_mailbox", "queue", "letters", std::nullopt, std::nullopt, state.dropped},
  };
}

std::vector<Problem> problems_of(Backend& backend) {
  std::vector<Problem> found;
  const store::DirectoryHealth disk = backend.disk();
  const ledger::LogHealth ledger = backend.ledger_health();
  if (!disk.writable) {
    found.push_back({"error", "disk_unwritable", disk.problem,
                     "Requests are served and their rows wait in memory, which is bounded: make "
                     "room on the disk or let it be written again. Nothing must be restarted."});
  } else if (disk.total_bytes > 0 && disk.free_bytes < kLowSpace) {
    found.push_back({"warning", "disk_low",
                     fmt::format("{} MiB are left below data_dir", disk.free_bytes >> 20),
                     "Make room, or shorten ledger.retention and capture.retention."});
  }
  if (!ledger.ok && disk.writable) {
    found.push_back({"error", "ledger_failing", ledger.problem,
                     "The file it names is locked or damaged: see which process has it open."});
  }
  if (ledger.rows_dropped > 0) {
    found.push_back({"error", "rows_dropped",
                     fmt::format("{} rows of requests are lost", ledger.rows_dropped),
                     "Their cost is in no report and no budget: reconcile these days with the "
                     "provider's statement."});
  }
  if (!backend.state_sample().healthy) {
    found.push_back({"error", "state_failing", "state.db cannot be written",
                     "Stored responses and the accounts of files and batches are kept in memory "
                     "only: look at the disk."});
  }
  const ledger::AlertCounts alerts = backend.alert_counts();
  if (alerts.given_up > 0) {
    found.push_back({"warning", "alerts_given_up",
                     fmt::format("{} alerts of budgets could not be delivered", alerts.given_up),
                     "Look at alerts.webhook and at what answers there."});
  }
  if (backend.audit().failed() > 0) {
    found.push_back({"error", "audit_failing",
                     fmt::format("{} records could not be written", backend.audit().failed()),
                     "Look at the disk; the log has each of them."});
  }
  if (log::dropped() > 0) {
    found.push_back({"warning", "log_dropped", fmt::format("{} lines", log::dropped()),
                     "The output of the log takes them too slowly: write to a file (log.file)."});
  }
  if (const auto rollback = backend.rolled_back()) {
    found.push_back({"warning", "rolled_back",
                     fmt::format("generation {} runs, not the file", rollback->generation),
                     "Change the file, or reload it, to end that.", rollback->since_ms});
  }
  for (const RecentError& error : backend.recent_errors()) {
    found.push_back({"warning", error.what, error.message,
                     "The log has it under this name. It is told for a day.", error.time_ms});
  }
  return found;
}

void write_count(json::Writer& w, std::string_view name, const std::optional<uint64_t>& count) {
  w.key(name);
  count ? w.number(*count) : w.null();
}

void write_thread(json::Writer& w, std::string_view name, uint64_t count, bool ok,
                  std::string_view state) {
  w.begin_object()
      .member("name", name)
      .member("count", count)
      .member("ok", ok)
      .member("state", state)
      .end_object();
}

void write_threads(json::Writer& w, Backend& backend, size_t workers) {
  const ledger::LogHealth ledger = backend.ledger_health();
  bool busy = false;
  for (const jobs::Job& job : backend.jobs().list()) busy |= job.state == jobs::State::running;
  w.key("threads").begin_array();
  write_thread(w, "worker", workers, true, "serving");
  write_thread(w, "control_plane", 1, true, "serving");
  write_thread(w, "ledger_writer", 1, ledger.ok, ledger.ok ? "writing" : "retrying");
  const bool keeper = backend.state_sample().healthy;
  write_thread(w, "keeper", 1, keeper, keeper ? "writing" : "retrying");
  write_thread(w, "jobs", 1, true, busy ? "busy" : "idle");
  w.end_array();
}

}  // namespace

net::Task<Result<Reply>> get_health(Backend& backend, const Request&) {
  const std::vector<WorkerSample> samples = co_await backend.sample();
  const std::vector<Problem> problems = problems_of(backend);
  const store::DirectoryHealth disk = backend.disk();
  const ledger::LogHealth ledger = backend.ledger_health();
  bool ok = true;
  for (const Problem& problem : problems) ok = ok && problem.severity != "error";
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().member("ok", ok).key("problems").begin_array();
  for (const Problem& problem : problems) {
    w.begin_object()
        .member("severity", problem.severity)
        .member("what", problem.what)
        .member("message", problem.message)
        .member("todo", problem.todo)
        .member("time_ms", problem.time_ms)
        .end_object();
  }
  w.end_array().key("store").begin_object();
  w.member("writable", disk.writable)
      .member("problem", disk.problem)
      .member("free_bytes", disk.free_bytes)
      .member("total_bytes", disk.total_bytes)
      .member("rows_written", ledger.rows_written)
      .member("rows_spooled", ledger.rows_spooled)
      .member("rows_dropped", ledger.rows_dropped)
      .member("rows_recovered", ledger.rows_recovered)
      .member("errors", ledger.store_errors)
      .member("last_commit_ms", ledger.last_commit_ms)
      .end_object();
  write_threads(w, backend, samples.size());
  w.key("items").begin_array();
  for (const Item& item : items_of(backend, samples)) {
    w.begin_object().member("name", item.name).member("kind", item.kind).member("unit", item.unit);
    write_count(w, "length", item.length);
    write_count(w, "limit", item.limit);
    w.member("dropped", item.dropped).end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

}  // namespace weir::admin
