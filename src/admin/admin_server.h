// AdminServer: the admin API (/api/v1/...), /metrics, /healthz and the console's files, on the
// control plane's loop. Every route is a row of one table (routes.h), from which its document
// (/api/v1/openapi.json) is made. Queries of the store run here and may take milliseconds; nothing
// of the data plane waits for this thread.
//
// Who may ask: door.h; what each may do: the permission of the route (routes.h).
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "admin/backend.h"
#include "admin/door.h"
#include "admin/events.h"
#include "admin/forward.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/server.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tcp.h"

namespace weir::admin {

class AdminServer {
 public:
  // Request bodies are limited to this.
  static constexpr uint64_t kBodyBytesMax = 1024 * 1024;

  // `backend` and `loop` outlive the server. io_error names the address.
  static Result<std::unique_ptr<AdminServer>> start(net::Loop& loop, const net::Address& address,
                                                    Secret token, Backend& backend);
  // Without a listener: for tests, which serve in-memory connections.
  AdminServer(net::Loop& loop, Secret token, Backend& backend);
  ~AdminServer();

  http::Server& server() { return server_; }
  net::Address address() const { return address_; }
  // The client by which the console's calls of models go out; none: they are refused. It outlives
  // the server.
  void set_client(http::Client& client) { forward_ = std::make_unique<Forward>(client); }
  // From the next request on. With an empty one the server must listen on loopback only, or be
  // told that others can reach it: then nobody gets in without signing in.
  void set_token(Secret token) { door_.token = std::move(token); }
  // How browsers reach it, where that is not the address it listens on.
  void set_public_url(std::string url) { door_.public_url = std::move(url); }
  void set_reachable(bool reachable) { door_.reachable = reachable; }

 private:
  net::Task<void> serve(http::ServerExchange& exchange);
  bool may_ask(const http::RequestHead& head);

  Door door_;
  std::unique_ptr<Forward> forward_;
  Backend& backend_;
  Events events_;
  http::Server server_;
  net::Address address_;
};

}  // namespace weir::admin
