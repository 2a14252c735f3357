#include "http/client.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "http/client_exchange.h"
#include "http/client_pool.h"
#include "http/h2/stream_exchange.h"
#include "net/address.h"

namespace weir::http {

namespace {

struct OriginHash {
  size_t operator()(const Origin& origin) const {
    const size_t host = std::hash<std::string_view>()(origin.host);
    return host ^ (static_cast<size_t>(origin.port) << 1) ^ static_cast<size_t>(origin.tls);
  }
};

// Beyond this many pools those without a connection are dropped when one is added.
constexpr size_t kPoolsKept = 256;

// One request line and whole fields, as RequestBuilder makes them.
bool fit_to_send(const ClientRequest& request) {
  const std::string_view head = request.head;
  return head.ends_with("\r\n") && valid_name(head.substr(0, head.find(' '))) &&
         head.find("\r\n\r\n") == std::string_view::npos &&
         (!request.streamed || request.body.empty());
}

bool wants_upgrade(std::string_view head) {
  constexpr std::string_view kName = "\r\nupgrade:";
  for (size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
    if (starts_with_ignore_case(head.substr(at), kName)) return true;
  }
  return false;
}

bool offers_http2(const Origin& origin) {
  return std::ranges::find(origin.alpn, "h2") != origin.alpn.end();
}

}  // namespace

std::string host_field(const Origin& origin) {
  const bool v6 = origin.host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + origin.host + "]" : origin.host;
  if (origin.port != (origin.tls ? 443 : 80)) text += ":" + std::to_string(origin.port);
  return text;
}

Result<Origin> parse_origin(std::string_view url, std::string_view* rest) {
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::invalid_argument,
                "expected a URL like https://host[:port][/path], got "
                "\"" +
                    std::string(url) + "\": " + std::string(what));
  };
  Origin origin;
  std::string_view left = url;
  if (starts_with_ignore_case(left, "https://")) {
    origin.tls = true;
    left.remove_prefix(8);
  } else if (starts_with_ignore_case(left, "http://")) {
    left.remove_prefix(7);
  } else {
    return wrong("the scheme must be http or https");
  }
  const std::string_view authority = left.substr(0, left.find_first_of("/?#"));
  left.remove_prefix(authority.size());
  if (authority.find('@') != std::string_view::npos) return wrong("it must not hold credentials");
  const size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && authority.back() != ']';
  std::string_view host = has_port ? authority.substr(0, colon) : authority;
  origin.port = origin.tls ? 443 : 80;
  if (has_port) {
    const auto port = parse_uint64(authority.substr(colon + 1), 65'535);
    if (!port || *port == 0) return wrong("the port must be 1 to 65535");
    origin.port = static_cast<uint16_t>(*port);
  }
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool fits = host.find_first_not_of(bracketed ? "0123456789abcdefABCDEF:.%"
                                                     : "abcdefghijklmnopqrstuvwxyz"
                                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                       "0123456789.-_") == std::string_view::npos;
  if (host.empty() || !fits) return wrong("the host is not a name or an address");
  origin.host = to_lower(host);
  if (rest != nullptr) *rest = left;
  return origin;
}

class Client::Impl {
 public:
  Impl(net::Loop& loop, net::Dialer& dialer, ClientConfig config) : core(loop, dialer, config) {}

  net::Task<Result<std::unique_ptr<ClientExchange>>> start(const Origin& origin,
                                                           const ClientRequest& request) {
    if (!fit_to_send(request)) {
      co_return fail(ErrorCode::invalid_argument, "the request head is not one");
    }
    ++core.counters.requests;
    if (!offers_http2(origin)) co_return co_await start_http1(origin, request);
    if (wants_upgrade(request.head)) {
      Origin http1 = origin;
      http1.alpn.clear();
      co_return co_await start_http1(http1, request);
    }
    Pool& pool = pool_of(origin);
    auto exchange =
        std::make_unique<h2::StreamExchange>(core, pool.sessions, pool.http1.origin(), request);
    auto place = co_await pool.sessions.acquire(exchange->connect_timeout());
    if (!place) co_return fail(std::move(place.error()));
    if (place->reused) ++core.counters.reused;
    if (place->http1) {
      auto fallback = std::make_unique<Http1ClientExchange>(core, pool.http1, request);
      fallback->send_on(std::move(*place->http1), place->reused);
      co_return fallback;
    }
    exchange->send_on(std::move(place->session), place->reused);
    co_return exchange;
  }

  net::Task<Result<std::unique_ptr<ClientExchange>>> start_http1(const Origin& origin,
                                                                 const ClientRequest& request) {
    ClientPool& pool = pool_of(origin).http1;
    auto exchange = std::make_unique<Http1ClientExchange>(core, pool, request);
    if (auto idle = pool.take_idle()) {
      ++core.counters.reused;
      exchange->send_on(std::move(*idle), true);
      co_return exchange;
    }
    auto opened = co_await pool.open(core.loop.deadline_in(exchange->connect_timeout()));
    if (!opened) co_return fail(std::move(opened.error()));
    exchange->send_on(std::move(*opened), false);
    co_return exchange;
  }

  void close_idle(const Origin* origin) {
    for (auto& [key, pool] : pools_) {
      if (origin != nullptr && key != *origin) continue;
      pool->http1.close_idle();
      pool->sessions.close_idle();
    }
  }

  ClientCore core;

 private:
  struct Pool {
    Pool(ClientCore& its_core, const Origin& origin)
        : http1(its_core, origin), sessions(its_core, http1) {}
    ClientPool http1;
    h2::ClientSessions sessions;
  };

  Pool& pool_of(const Origin& origin) {
    const auto found = pools_.find(origin);
    if (found != pools_.end()) return *found->second;
    if (pools_.size() >= kPoolsKept) {
      std::erase_if(pools_, [](const auto& entry) { return entry.second->http1.unused(); });
    }
    auto& pool = pools_[origin];
    pool = std::make_unique<Pool>(core, origin);
    return *pool;
  }

  std::unordered_map<Origin, std::unique_ptr<Pool>, OriginHash> pools_;
};

Client::Client(net::Loop& loop, net::Dialer& dialer, ClientConfig config)
    : impl_(std::make_unique<Impl>(loop, dialer, config)) {}
Client::~Client() = default;

net::Task<Result<std::unique_ptr<ClientExchange>>> Client::start(const Origin& origin,
                                                                 const ClientRequest& request) {
  return impl_->start(origin, request);
}
void Client::close_idle() {
  impl_->close_idle(nullptr);
}
void Client::close_idle(const Origin& origin) {
  impl_->close_idle(&origin);
}
const ClientCounters& Client::counters() const {
  return impl_->core.counters;
}

}  // namespace weir::http
