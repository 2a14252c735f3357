#include "admin/events.h"

#include <fmt/format.h>

#include <algorithm>

#include "admin/routes.h"
#include "base/json/writer.h"
#include "http/headers.h"
#include "net/timer.h"

namespace weir::admin {

namespace {

std::string event_text(uint64_t rows, uint64_t changes, uint64_t generation, bool ledger_ok,
                       uint64_t jobs) {
  std::string data;
  json::Writer(data)
      .begin_object()
      .member("rows", static_cast<int64_t>(rows))
      .member("changes", static_cast<int64_t>(changes))
      .member("config_generation", static_cast<int64_t>(generation))
      .member("ledger_ok", ledger_ok)
      .member("jobs", jobs)
      .end_object();
  return fmt::format("event: changed\ndata: {}\n\n", data);
}

}  // namespace

Events::State Events::state(uint64_t changes_before) const {
  const ledger::LogHealth health = backend_.ledger_health();
  // A page that hears of rows asks for sums, too.
  State now{.rows = health.rows_summed,
            .changes = changes_before,
            .generation = backend_.snapshot()->generation,
            .ledger_ok = health.ok,
            .jobs = backend_.jobs().version()};
  for (const auto& change : backend_.traffic().history(changes_before)) {
    now.changes = std::max(now.changes, change.number);
  }
  return now;
}

// Who listens may be anybody who is signed in: how far it is, and nothing of what it is about.
std::string Events::job_events(Told& told) const {
  std::string text;
  Told now;
  for (const jobs::Job& job : backend_.jobs().list()) {
    now[job.id] = {job.state, job.done};
    const auto before = told.find(job.id);
    const bool news = before == told.end() ? !jobs::is_over(job.state) || !told.empty()
                                           : before->second != now[job.id];
    if (!news) continue;
    text += "event: job\ndata: ";
    json::Writer(text)
        .begin_object()
        .member("id", fmt::format("{}", job.id))
        .member("kind", job.kind)
        .member("state", jobs::to_string(job.state))
        .member("done", job.done)
        .member("total", job.total)
        .member("unit", job.unit)
        .end_object();
    text += "\n\n";
  }
  told = std::move(now);
  return text;
}

net::Task<void> Events::serve(http::ServerExchange& exchange) {
  http::HeaderMap fields;
  fields.set("cache-control", "no-store");
  fields.set("x-content-type-options", "nosniff");
  if (running_ >= kStreamsMax) {
    fields.set("content-type", "application/json");
    fields.set("retry-after", "30");
    const http::ResponseHead head{.status = 503, .reason = {}, .headers = fields.list()};
    (void)co_await exchange.respond(
        head, R"({"error":{"code":"busy","message":"Too many pages listen for events."}})");
    co_return;
  }
  fields.set("content-type", "text/event-stream");
  const http::ResponseHead head{.status = 200, .reason = {}, .headers = fields.list()};
  if (!co_await exchange.begin(head)) co_return;
  struct Running {
    explicit Running(uint32_t& count) : count_(count) { ++count_; }
    ~Running() { --count_; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    uint32_t& count_;
  } const running(running_);
  co_await stream(exchange);
}

net::Task<void> Events::stream(http::ServerExchange& exchange) {
  State told = state(0);
  Told jobs;
  std::string text =
      event_text(told.rows, told.changes, told.generation, told.ledger_ok, told.jobs) +
      job_events(jobs);
  int quiet = 0;
  bool gone = false;
  exchange.on_client_gone([&gone] { gone = true; });
  for (int pauses = 0; !gone && pauses < kPausesMax; ++pauses) {
    if (!text.empty() && !co_await exchange.write(text)) co_return;
    co_await net::sleep(loop_, kPause);
    const State now = state(told.changes);
    text.clear();
    if (now != told) {
      text = event_text(now.rows, now.changes, now.generation, now.ledger_ok, now.jobs);
      if (now.jobs != told.jobs) text += job_events(jobs);
      told = now;
      quiet = 0;
    } else if (++quiet >= kPausesPerComment) {
      text = ": here\n\n";
      quiet = 0;
    }
  }
  exchange.on_client_gone({});
  if (!gone) (void)co_await exchange.finish();
}

// For the table: the server answers who may ask by Events.
net::Task<Result<Reply>> get_events(Backend&, const Request&) {
  co_return fail(ErrorCode::unavailable, "the events are sent as a stream");
}

}  // namespace weir::admin
