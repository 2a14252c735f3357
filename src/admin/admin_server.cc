#include "admin/admin_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "admin/console.h"
#include "admin/page.h"
#include "admin/routes.h"
#include "base/log.h"
#include "http/management.h"

namespace weir::admin {
namespace {

constexpr size_t kFilePiece = 64 * 1024;

http::ServerConfig server_config() {
  http::ServerConfig config;
  config.body_bytes_max = AdminServer::kBodyBytesMax;
  config.connections_max = 256;
  return config;
}

// "ip:port" without the port.
std::string address_of(std::string_view peer) {
  const size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return std::string(peer);
  peer = peer.substr(0, colon);
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  return std::string(peer);
}

struct Match {
  const Route* route = nullptr;
  bool path_known = false;
  std::vector<std::string> names;  // what stood for {...} in the path
};

Match match(const http::RequestHead& head) {
  Match found;
  for (const Route& route : routes()) {
    if (!http::fits(route.path, head.path, found.names)) continue;
    found.path_known = true;
    if (route.method != head.method) continue;
    found.route = &route;
    return found;
  }
  return found;
}

net::Task<Result<std::string>> read_all(http::ServerExchange& exchange) {
  std::string body;
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) co_return fail(std::move(piece).error());
    if (piece->empty()) co_return body;
    body += *piece;
  }
}

net::Task<Reply> call(Backend& backend, const Door& door, http::ServerExchange& exchange,
                      const Match& found, identity::Actor actor, AuditNote& note) {
  const http::RequestHead& head = exchange.head();
  if (found.route->body_bytes_max > 0) exchange.set_body_limit(found.route->body_bytes_max);
  const uint64_t most = exchange.body_limit();
  auto body = co_await read_all(exchange);
  if (!body) {
    co_return error_reply(413, "too_large", fmt::format("The body is over {} MiB.", most >> 20));
  }
  json::Document document;
  if (!body->empty()) {
    if (auto parsed = document.parse(*body); !parsed) {
      co_return error_reply(400, "invalid_json", parsed.error().message());
    }
  }
  const Request request{.method = head.method,
                        .path_value = found.names.empty() ? "" : found.names.front(),
                        .query = http::parse_query(head.query),
                        .body = document.root(),
                        .actor = std::move(actor),
                        .address = address_of(exchange.peer()),
                        .cookie_name = std::string(door.cookie_name()),
                        .oidc_cookie = std::string(door.cookie(head, door.oidc_cookie_name())),
                        .secure = door.secure(),
                        .note = &note};
  auto reply = co_await found.route->handler(backend, request);
  if (reply) co_return std::move(*reply);
  const Error& error = reply.error();
  co_return error_reply(http::status_of(error.code()), to_string(error.code()), error.message());
}

net::Task<void> send_file(http::ServerExchange& exchange, ConsoleReply file) {
  file.headers.set("x-content-type-options", "nosniff");
  file.headers.set("referrer-policy", "no-referrer");
  const http::ResponseHead head{
      .status = file.status, .reason = {}, .headers = file.headers.list()};
  // A client that is gone needs no answer.
  (void)co_await exchange.respond(head, file.body);
}

// A file, piece by piece as the client takes it. One that grew since is cut, one that shrank ends
// the connection.
net::Task<void> stream_file(http::ServerExchange& exchange, const std::string& path,
                            http::HeaderMap fields) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  uint64_t left = std::filesystem::file_size(path, error);
  if (!file || error) {
    fields.set("content-type", "application/json");
    const http::ResponseHead head{.status = 404, .reason = {}, .headers = fields.list()};
    (void)co_await exchange.respond(head, http::error_body("not_found", "The file is gone."));
    co_return;
  }
  fields.set("content-length", fmt::format("{}", left));
  const http::ResponseHead head{.status = 200, .reason = {}, .headers = fields.list()};
  if (!co_await exchange.begin(head)) co_return;
  std::string piece(kFilePiece, '\0');
  while (left > 0) {
    file.read(piece.data(), static_cast<std::streamsize>(std::min<uint64_t>(left, kFilePiece)));
    const auto got = static_cast<size_t>(file.gcount());
    if (got == 0) {
      exchange.abort();
      co_return;
    }
    left -= got;
    if (!co_await exchange.write(std::string_view(piece).substr(0, got))) co_return;
  }
  (void)co_await exchange.finish();
}

// What the audit log is to know of an exchange.
struct Trail {
  bool closed = false;  // it cannot be written: nothing was done that it would tell of
  identity::Actor::Kind kind = identity::Actor::Kind::nobody;
  std::string who;
  std::string action;
  AuditNote note;
};

bool changes(const http::RequestHead& head) {
  return head.method != "GET" && head.method != "HEAD";
}

Reply unwritable() {
  return error_reply(503, "audit_unwritable",
                     "The audit log cannot be written, so nothing is changed or shown that it "
                     "must tell of. The log says why; is the disk of data_dir full?");
}

// Whoever signs in must be able to see what is wrong: sessions change nothing that others see.
bool goes_without_audit(std::string_view path) {
  return path == "/api/v1/sign_in" || path == "/api/v1/sign_out";
}

// A change that could not be told afterwards is not made.
bool may_change(Backend& backend, Trail& trail) {
  const auto ready = backend.audit().ready();
  if (ready) return true;
  trail.closed = true;
  log::error(
      "audit_unwritable",
      {{"problem", ready.error().message()}, {"actor", trail.who}, {"refused", trail.action}});
  return false;
}

net::Task<Reply> answer(Backend& backend, const Door& door, http::ServerExchange& exchange,
                        Trail& trail) {
  const http::RequestHead& head = exchange.head();
  if (head.path == "/healthz") co_return Reply{.body = R"({"status":"ok"})"};
  if (!door.admits(head)) {
    co_return error_reply(403, "forbidden",
                          "Without admin.token the admin API answers only to this machine.");
  }
  if (const Page* page = find_page(head.path); page != nullptr && head.method == "GET") {
    co_return Reply{.content_type = std::string(page->content_type),
                    .body = std::string(page->body)};
  }
  auto actor = door.recognize(head, backend.people(), SystemClock().wall_ms());
  if (!actor) co_return error_reply(503, "unavailable", actor.error().message());
  trail.who = actor->name;
  trail.kind = actor->kind;
  const Match found = match(head);
  trail.action =
      fmt::format("{} {}", head.method, found.route != nullptr ? found.route->path : head.path);
  if (!found.names.empty()) trail.note.object = found.names.front();
  // Whoever is nobody does not learn which paths there are.
  const auto needed =
      found.route != nullptr ? found.route->permission : identity::Permission::signed_in;
  if (auto refused = door.refuse(head, *actor, needed, backend.people())) {
    co_return std::move(*refused);
  }
  if (found.route != nullptr) {
    if (changes(head) && !goes_without_audit(found.route->path) && !may_change(backend, trail)) {
      co_return unwritable();
    }
    co_return co_await call(backend, door, exchange, found, std::move(*actor), trail.note);
  }
  if (found.path_known) {
    co_return error_reply(405, "method_not_allowed",
                          fmt::format("{} is not a method of this path.", head.method));
  }
  co_return error_reply(404, "not_found",
                        "No such path. GET /api/v1/openapi.json lists all of them.");
}

// A record that cannot be written is told by the log in full, and counted. False for it.
bool note_down(Backend& backend, Trail& trail, std::string address, int status) {
  identity::AuditRecord record{.time_ms = SystemClock().wall_ms(),
                               .actor = trail.who,
                               .actor_kind = std::string(identity::to_string(trail.kind)),
                               .address = std::move(address),
                               .action = trail.action,
                               .object = std::move(trail.note.object),
                               .status = status,
                               .before = std::move(trail.note.before),
                               .after = std::move(trail.note.after)};
  const auto done = backend.audit().append(record);
  if (done && *done % identity::AuditLog::kCheckpointEvery == 0) {
    // An anchor outside of the file, for who keeps the log elsewhere.
    if (const auto head = backend.audit().head()) {
      log::info("audit_checkpoint",
                {{"anchor", to_text(identity::AuditAnchor{head->number, head->hash})}});
    }
  }
  if (!done) {
    log::error("audit_unwritten", {{"problem", done.error().message()},
                                   {"actor", record.actor},
                                   {"actor_kind", record.actor_kind},
                                   {"address", record.address},
                                   {"action", record.action},
                                   {"object", record.object},
                                   {"status", record.status},
                                   {"before", record.before},
                                   {"after", record.after}});
  }
  return done.has_value();
}

}  // namespace

Reply error_reply(int status, std::string_view code, std::string_view message) {
  return {.status = status, .body = http::error_body(code, message)};
}

AdminServer::AdminServer(net::Loop& loop, Secret token, Backend& backend)
    : door_{.token = std::move(token), .public_url = {}},
      backend_(backend),
      events_(loop, backend),
      server_(loop, server_config(),
              [this](http::ServerExchange& exchange) { return serve(exchange); }) {}

AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::start(net::Loop& loop,
                                                        const net::Address& address, Secret token,
                                                        Backend& backend) {
  auto admin = std::make_unique<AdminServer>(loop, std::move(token), backend);
  net::ListenOptions options;
  options.address = address;
  options.reuse_port = false;
  WEIR_TRY(auto listener, net::Listener::open(loop, options));
  admin->address_ = listener->address();
  admin->server_.listen(std::move(listener));
  return admin;
}

// The call is the data plane's: what it may do is the virtual key's affair.
bool AdminServer::may_ask(const http::RequestHead& head) {
  if (!door_.admits(head)) return false;
  const auto actor = door_.recognize(head, backend_.people(), SystemClock().wall_ms());
  return actor && !door_.refuse(head, *actor, identity::Permission::signed_in, backend_.people());
}

net::Task<void> AdminServer::serve(http::ServerExchange& exchange) {
  const http::RequestHead& request = exchange.head();
  // Files hold no secret and need no token, but only this machine sees them where there is none.
  if (door_.admits(request)) {
    if (auto file = Console::embedded().answer(request)) {
      co_await send_file(exchange, std::move(*file));
      co_return;
    }
  }
  if (forward_ && request.path.starts_with(kForwardPath) && may_ask(request)) {
    co_await forward_->serve(exchange, backend_.public_address());
    co_return;
  }
  if (request.path == kEventsPath && request.method == "GET" && may_ask(request)) {
    co_await events_.serve(exchange);
    co_return;
  }
  Trail trail;
  Reply reply = co_await answer(backend_, door_, exchange, trail);
  // Before the answer: whoever has it finds the record there.
  if (!trail.note.actor.empty()) {
    trail.who = trail.note.actor;
    trail.kind = identity::Actor::Kind::session;
  }
  const bool told = changes(request) || trail.note.record;
  if (!trail.closed && told && trail.kind != identity::Actor::Kind::nobody &&
      !note_down(backend_, trail, address_of(exchange.peer()), reply.status) && !changes(request) &&
      trail.note.actor.empty()) {
    reply = unwritable();
  }
  http::HeaderMap fields;
  for (const auto& [name, value] : reply.headers) fields.set(name, value);
  fields.set("content-type", reply.content_type);
  fields.set("cache-control", "no-store");
  fields.set("x-content-type-options", "nosniff");
  fields.set("content-security-policy",
             "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
  fields.set("referrer-policy", "no-referrer");
  if (exchange.head().method != "GET") {
    log::info("admin", {{"method", exchange.head().method},
                        {"path", exchange.head().path},
                        {"by", trail.who},
                        {"status", reply.status}});
  }
  if (!reply.file.empty()) {
    co_await stream_file(exchange, reply.file, std::move(fields));
    co_return;
  }
  const http::ResponseHead head{.status = reply.status, .reason = {}, .headers = fields.list()};
  // A client that is gone needs no answer.
  (void)co_await exchange.respond(head, reply.body);
}

}  // namespace weir::admin
