// The insides of the TLS contexts and what tls_stream.cc needs of them. Private to net/.
#pragma once

#include <openssl/ssl.h>

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/tls.h"

namespace weir::net {

struct OpensslFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree>;
using SslPtr = std::unique_ptr<SSL, OpensslFree>;
using SslSessionPtr = std::unique_ptr<SSL_SESSION, OpensslFree>;

// The newest entry of OpenSSL's error queue in words; empties the queue.
std::string take_openssl_error();
// Protocol names as they go on the wire: each with its length before it.
std::string alpn_wire(const std::vector<std::string>& names);

// Sessions by origin, least recently used out first. TLS 1.3 tickets are handed out once.
class TlsSessionCache {
 public:
  explicit TlsSessionCache(size_t origins_max) : origins_max_(origins_max) {}
  void remember(const std::string& key, SslSessionPtr session);
  // Null when there is none that can still be used.
  SslSessionPtr take(const std::string& key);
  size_t origins() const { return entries_.size(); }

 private:
  static constexpr size_t kSessionsPerOrigin = 2;
  struct Entry {
    std::string key;
    std::vector<SslSessionPtr> sessions;  // newest last
  };
  size_t origins_max_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;  // keys lie in entries_
};

class TlsClientContext::Impl {
 public:
  explicit Impl(size_t origins_max) : sessions(origins_max) {}
  // For a handshake. The first ones of a process may have to wait for the system's roots.
  SSL_CTX* ready();

  SslContextPtr ssl;
  TlsSessionCache sessions;
  Counters counters;
  bool awaits_system_roots = false;
};

class TlsServerContext::Impl {
 public:
  SslContextPtr ssl;
  std::string alpn;  // as on the wire
  int64_t not_after_ms = 0;
};

// Called by OpenSSL with every new session of a client connection; lives in tls_stream.cc, which
// knows the connection's origin.
int remember_session(SSL* ssl, SSL_SESSION* session);

}  // namespace weir::net
