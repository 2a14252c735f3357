// A reverse proxy of Weir's own server and client and nothing else: request through, response
// through, failures cut. The tests of the two sides together and the bench's bare relay use it.
// The request's body is held whole; the response's is handed on piece by piece.
#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "http/server.h"

namespace weir::http {

inline net::Task<void> refuse(ServerExchange& down, const Error& error) {
  ResponseHead head;
  head.status = 502;
  static_cast<void>(co_await down.respond(head, to_string(error.code())));
}

inline net::Task<void> relay(Client& client, const Origin& origin, ServerExchange& down) {
  std::string body;
  while (true) {
    const Result<std::string_view> piece = co_await down.read_body();
    if (!piece) co_return;
    if (piece->empty()) break;
    body.append(*piece);
  }
  RequestBuilder head(down.head().method, down.head().target, host_field(origin));
  head.relay(down.head().headers);
  const std::string_view whole = body;
  ClientRequest request{.head = head.text()};
  request.body = {&whole, 1};
  auto up = co_await client.start(origin, request);
  if (!up) co_return co_await refuse(down, up.error());
  down.on_client_gone([exchange = up->get()] { exchange->cancel(ErrorCode::cancelled); });
  const auto response = co_await (*up)->response();
  if (!response) co_return co_await refuse(down, response.error());
  static_cast<void>(co_await down.begin(**response));
  while (true) {
    const Result<std::string_view> piece = co_await (*up)->read_body();
    if (!piece) {
      down.abort();
      co_return;
    }
    if (piece->empty()) break;
    if (!co_await down.write(*piece)) co_return;
  }
  static_cast<void>(co_await down.finish());
  down.on_client_gone({});
}

}  // namespace weir::http
