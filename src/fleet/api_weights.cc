// Tables out: snapshot, delta, long poll, and the event stream. A watcher that is slow costs no
// memory: nothing is queued for it, it gets what changed since the version it has, or a snapshot
// where that is too long ago.
#include <fmt/format.h>

#include "base/text.h"
#include "fleet/api.h"

namespace weir::fleet {
namespace {

std::string etag_of(const ServiceView& view) {
  return fmt::format("\"{}-{:016x}\"", view.version, view.hash);
}

void write_head(json::Writer& w, const ServiceView& view) {
  w.begin_object()
      .member("service", view.name)
      .member("version", fmt::format("{}", view.version))
      .member("hash", fmt::format("{:016x}", view.hash))
      .member("lease_seconds", view.lease_seconds)
      .member("dry_run", view.dry_run);
}

// Is registered with the table's watchers while it lives.
class Watcher {
 public:
  Watcher(Api& api, std::string service) : wake(api.loop), api_(api), service_(std::move(service)) {
    api_.watched[service_].waiting.insert(&wake);
    ++api_.watchers;
  }
  ~Watcher() {
    const auto at = api_.watched.find(service_);
    at->second.waiting.erase(&wake);
    if (at->second.waiting.empty()) api_.watched.erase(at);
    --api_.watchers;
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  net::Event wake;

 private:
  Api& api_;
  std::string service_;
};

std::shared_ptr<const std::string> snapshot_text(Api& api, const ServiceView& view) {
  const auto watched = api.watched.find(view.name);
  if (watched != api.watched.end() && watched->second.snapshot != nullptr &&
      watched->second.snapshot_version == view.version)
    return watched->second.snapshot;
  auto text = std::make_shared<std::string>();
  json::Writer w(*text);
  write_head(w, view);
  w.member("kind", "snapshot").key("endpoints").begin_array();
  for (const EndpointView& e : view.endpoints) write_endpoint(w, *e.info, e.weight, e.health, true);
  w.end_array().end_object();
  if (watched != api.watched.end()) {
    watched->second.snapshot = text;
    watched->second.snapshot_version = view.version;
  }
  return text;
}

std::string delta_text(Api& api, const ServiceView& view, uint64_t since,
                       const std::vector<Change>& changes) {
  std::string text;
  json::Writer w(text);
  write_head(w, view);
  w.member("kind", "delta").member("since", fmt::format("{}", since));
  w.key("endpoints").begin_array();
  for (const Change& c : changes)
    if (!c.removed) write_endpoint(w, *c.info, c.weight, api.fleet.health(c.number), c.fresh);
  w.end_array().key("removed").begin_array();
  for (const Change& c : changes)
    if (c.removed) w.string(c.info->name);
  w.end_array().end_object();
  return text;
}

// What brings a reader from `since` to the view; nullopt of `since` is a reader without a table.
std::shared_ptr<const std::string> update_text(Api& api, const ServiceView& view,
                                               std::optional<uint64_t> since) {
  if (since) {
    if (const auto changes = api.fleet.changes(view.name, *since)) {
      ++api.counters.deltas_sent;
      return std::make_shared<const std::string>(delta_text(api, view, *since, *changes));
    }
    ++api.counters.watchers_behind;
  }
  ++api.counters.snapshots_sent;
  return snapshot_text(api, view);
}

Result<std::optional<uint64_t>> read_version(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto version = parse_uint64(text);
  if (!version) return fail(ErrorCode::invalid_argument, "since: expected the version of a table");
  return version;
}

net::Task<Result<Reply>> stream(Api& api, Call& call, std::optional<uint64_t> since) {
  http::ServerExchange& exchange = call.exchange;
  const std::string service = call.names[0];
  Watcher watcher(api, service);
  exchange.on_client_gone([&watcher] { watcher.wake.set(); });
  http::ResponseHead head;
  head.headers = {{"content-type", "text/event-stream"},
                  {"cache-control", "no-store"},
                  {"x-accel-buffering", "no"}};
  Reply done;
  done.sent = true;
  if (!co_await exchange.begin(head) || !co_await exchange.flush_head()) co_return done;
  while (!exchange.client_gone()) {
    watcher.wake.reset();
    const auto view = api.fleet.view(service);
    if (view == nullptr) {
      (void)co_await exchange.write("event: gone\ndata: {}\n\n");
      break;
    }
    if (!since || *since != view->version) {
      const bool delta = since && api.fleet.changes(service, *since).has_value();
      const auto text = update_text(api, *view, since);
      const std::string event =
          fmt::format("id: {}\nevent: {}\ndata: ", view->version, delta ? "delta" : "snapshot");
      const std::string_view pieces[] = {event, *text, "\n\n"};
      if (!co_await exchange.write(pieces)) co_return done;
      since = view->version;
      continue;
    }
    const bool woken = co_await watcher.wake.wait_for(api.options.keep_alive);
    if (!woken && !co_await exchange.write(": still here\n\n")) co_return done;
  }
  (void)co_await exchange.finish();
  co_return done;
}

}  // namespace

net::Task<Result<Reply>> get_weights(Api& api, Call& call) {
  const std::string service = call.names[0];
  const http::RequestHead& head = call.exchange.head();
  const bool streams = head.headers.get("accept").find("text/event-stream") != std::string::npos;
  WEIR_CO_TRY(std::optional<uint64_t> since,
              read_version(streams && head.headers.find("last-event-id")
                               ? head.headers.get("last-event-id")
                               : std::string_view(call.query["since"])));
  uint32_t wait = 0;
  if (const auto given = call.query.find("wait"); given != call.query.end()) {
    WEIR_CO_TRY(wait, parse_seconds(given->second));
    wait = std::min(wait, api.options.watch_seconds_max);
  }
  auto view = api.fleet.view(service);
  if (view == nullptr)
    co_return fail(ErrorCode::not_found, fmt::format("there is no service \"{}\"", service));
  if ((streams || wait > 0) && api.watchers >= api.options.watchers_max) {
    ++api.counters.watchers_refused;
    co_return fail(ErrorCode::unavailable,
                   fmt::format("there are {} watchers, which is the limit", api.watchers));
  }
  if (streams) co_return co_await stream(api, call, since);
  const std::string_view known = head.headers.get("if-none-match");
  const auto current = [&] {
    return (since && *since == view->version) || (!known.empty() && known == etag_of(*view));
  };
  if (current() && wait > 0) {
    Watcher watcher(api, service);
    call.exchange.on_client_gone([&watcher] { watcher.wake.set(); });
    (void)co_await watcher.wake.wait_for(std::chrono::seconds(wait));
    call.exchange.on_client_gone({});
    view = api.fleet.view(service);
    if (view == nullptr)
      co_return fail(ErrorCode::not_found, fmt::format("service \"{}\" is gone", service));
  }
  Reply reply;
  reply.fields.emplace_back("etag", etag_of(*view));
  reply.fields.emplace_back("weir-version", fmt::format("{}", view->version));
  reply.fields.emplace_back("weir-lease-seconds", fmt::format("{}", view->lease_seconds));
  if (current()) {
    ++api.counters.not_modified;
    reply.status = 304;
    co_return reply;
  }
  reply.body = *update_text(api, *view, since);
  co_return reply;
}

}  // namespace weir::fleet
