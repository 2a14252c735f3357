#include "admin/events.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json/writer.h"
#include "http/headers.h"
#include "net/timer.h"

namespace weir::admin {

namespace {

std::string event_text(uint64_t rows, uint64_t changes, uint64_t generation, bool ledger_ok) {
  std::string data;
  json::Writer(data)
      .begin_object()
      .member("rows", static_cast<int64_t>(rows))
      .member("changes", static_cast<int64_t>(changes))
      .member("config_generation", static_cast<int64_t>(generation))
      .member("ledger_ok", ledger_ok)
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
            .ledger_ok = health.ok};
  for (const auto& change : backend_.traffic().history(changes_before)) {
    now.changes = std::max(now.changes, change.number);
  }
  return now;
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
  std::string text = event_text(told.rows, told.changes, told.generation, told.ledger_ok);
  int quiet = 0;
  bool gone = false;
  exchange.on_client_gone([&gone] { gone = true; });
  for (int pauses = 0; !gone && pauses < kPausesMax; ++pauses) {
    if (!text.empty() && !co_await exchange.write(text)) co_return;
    co_await net::sleep(loop_, kPause);
    const State now = state(told.changes);
    text.clear();
    if (now != told) {
      text = event_text(now.rows, now.changes, now.generation, now.ledger_ok);
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

}  // namespace weir::admin
