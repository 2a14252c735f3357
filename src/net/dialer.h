// Dialer: from an Origin to a connected Stream. The interface is what clients take, so tests hand
// them a MemoryNetwork; SystemDialer is resolver, then TCP to the addresses in turn (a new attempt
// every 250 ms while none has answered, as in RFC 8305; the first to connect wins), then TLS.
// A policy sees each resolved address before it is used and may refuse it. One loop, one thread.
// Limit: the first 8 addresses of a name are tried.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/address.h"
#include "net/stream.h"

namespace weir::net {

class Resolver;
class TlsClientContext;

struct Origin {
  std::string host{};
  uint16_t port = 0;
  bool tls = false;
  std::vector<std::string> alpn{};  // offered when tls; empty: none
  bool tls_verify = true;

  // "https://host:port", the default port left out.
  std::string to_text() const;
  auto operator<=>(const Origin&) const = default;
};

class Dialer {
 public:
  virtual ~Dialer() = default;
  // dns_failure, connection_refused, timeout, tls_failure, permission_denied (policy) or io_error.
  virtual Task<Result<std::unique_ptr<Stream>>> dial(Origin origin, Deadline deadline) = 0;
};

// Success, or permission_denied with the reason. Empty policies allow everything.
using DialPolicy = std::function<Result<void>(const Origin& origin, const Address& address)>;
// Refuses everything but the public internet: loopback, private, link-local (metadata services),
// reserved. For destinations that users supply.
Result<void> deny_internal_addresses(const Origin& origin, const Address& address);

class SystemDialer final : public Dialer {
 public:
  // All three outlive the dialer and what it dialled.
  SystemDialer(Loop& loop, Resolver& resolver, TlsClientContext& tls, DialPolicy policy = {});
  Task<Result<std::unique_ptr<Stream>>> dial(Origin origin, Deadline deadline) override;

 private:
  Loop& loop_;
  Resolver& resolver_;
  TlsClientContext& tls_;
  DialPolicy policy_;
};

}  // namespace weir::net
