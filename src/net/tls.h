// TLS over a Stream by OpenSSL: TLS 1.2 and 1.3, certificates and host names verified, SNI, ALPN,
// session resumption, no renegotiation, no compression. The TLS stream reads and writes the lower
// stream directly (no copy through a BIO pair) and keeps no buffer while idle.
//
// TlsClientContext belongs to one loop: it holds the roots and a bounded cache of sessions per
// origin. TlsServerContext is immutable and may be shared by all workers; to reload certificates,
// load a new one: running connections keep the old. Share TicketKeys so that resumption survives
// reloads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/stream.h"

namespace weir::net {

struct TlsClientOptions {
  std::string ca_file{};              // PEM; trusted in addition to the system roots
  bool system_roots = true;           // false: ca_file alone
  size_t session_origins_max = 1024;  // least recently used out first; two sessions each
};

class TlsClientContext {
 public:
  struct Counters {
    uint64_t handshakes = 0;  // completed
    uint64_t resumed = 0;     // of these, with a remembered session
    uint64_t failed = 0;
  };

  // invalid_argument names the file and what is wrong with it.
  static Result<std::unique_ptr<TlsClientContext>> create(TlsClientOptions options = {});
  ~TlsClientContext();
  const Counters& counters() const;

  class Impl;
  Impl& impl() { return *impl_; }

 private:
  explicit TlsClientContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Random keys that encrypt session tickets; make them once per process.
struct TlsTicketKeys {
  std::array<unsigned char, 80> bytes{};
  static TlsTicketKeys random();
};

struct TlsServerOptions {
  std::string certificate_file{};                // PEM, leaf first, then the chain
  std::string key_file{};                        // PEM
  std::vector<std::string> alpn = {"http/1.1"};  // in order of preference
  TlsTicketKeys ticket_keys = TlsTicketKeys::random();
};

class TlsServerContext {
 public:
  // invalid_argument names the file and what is wrong: unreadable, no match of key and certificate.
  static Result<std::shared_ptr<const TlsServerContext>> load(const TlsServerOptions& options);
  ~TlsServerContext();
  // When the leaf certificate ends, as wall milliseconds.
  int64_t not_after_ms() const;

  class Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit TlsServerContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct TlsConnectOptions {
  std::string host{};               // verified, and sent as SNI unless it is an IP address
  uint16_t port = 443;              // with the host, names the session cache's entry
  std::vector<std::string> alpn{};  // empty: no ALPN
  bool verify = true;
};

// Handshakes over the lower stream. timeout at the deadline, otherwise tls_failure (the message
// says with which host and why) or the lower stream's error. The context outlives the stream.
Task<Result<std::unique_ptr<Stream>>> tls_connect(std::unique_ptr<Stream> lower,
                                                  TlsClientContext& context,
                                                  TlsConnectOptions options, Deadline deadline);
Task<Result<std::unique_ptr<Stream>>> tls_accept(std::unique_ptr<Stream> lower,
                                                 std::shared_ptr<const TlsServerContext> context,
                                                 Deadline deadline);

}  // namespace weir::net
