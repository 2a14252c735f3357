// TlsStream: TLS as a layer over another Stream. OpenSSL reads and writes the lower stream through
// a BIO of ours that calls it directly. What the lower stream does not take of an encrypted record
// waits here (one record, 16 KiB and a little) and leaves by itself when it can; until then no more
// is accepted. Private to net/.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/stream.h"
#include "net/tls_context.h"

namespace weir::net {

class TlsStream final : public Stream, private Stream::Layer {
 public:
  // The client context outlives the stream.
  TlsStream(std::unique_ptr<Stream> lower, TlsClientContext& context,
            const TlsConnectOptions& options);
  TlsStream(std::unique_ptr<Stream> lower, std::shared_ptr<const TlsServerContext> context);
  ~TlsStream() override;

  // Both directions are usable once this succeeds.
  Task<Result<void>> handshake(Deadline deadline);

  std::string_view negotiated_protocol() const override { return alpn_; }
  bool secure() const override { return true; }
  size_t unflushed() const override { return overflow_.size(); }

 private:
  friend int remember_session(SSL* ssl, SSL_SESSION* session);
  struct Bio;

  TlsStream(std::unique_ptr<Stream> lower, SSL_CTX* context);
  void set_up_client(const TlsConnectOptions& options);
  IoResult do_read(std::span<char> into) override;
  IoResult do_write(std::span<const std::string_view> pieces) override;
  void do_shutdown_write() override;
  void do_close() override;
  void do_abort() override;
  bool read_ready() const override;
  bool write_ready() const override;
  void on_lower_readable() override;
  void on_lower_writable() override;
  void on_lower_hangup() override { notify_hangup(); }

  IoResult read_record(std::span<char> into);
  IoResult write_record(std::string_view bytes);
  void flush_overflow();
  void send_close_notify();
  Error handshake_error(int ssl_error);
  Error stream_error(int ssl_error, std::string_view doing);
  static int on_verify(int ok, X509_STORE_CTX* store);

  std::unique_ptr<Stream> lower_;
  std::shared_ptr<const TlsServerContext> server_;  // keeps what the SSL refers to
  TlsClientContext* client_ = nullptr;
  SslPtr ssl_;
  std::string peer_name_;    // for messages: "api.example.com:443"
  std::string session_key_;  // client: where sessions are remembered
  std::string alpn_;
  std::string overflow_;          // encrypted, not yet taken by the lower stream
  std::optional<IoResult> held_;  // an end or failure that followed bytes already handed over
  std::optional<Error> lower_error_;
  std::string verify_problem_;
  bool read_blocked_ = false;  // OpenSSL wants more than the lower stream had
  bool lower_ended_ = false;
  bool established_ = false;
  bool broken_ = false;  // after a fatal error OpenSSL must not be asked to say goodbye
  bool fin_pending_ = false;
  bool bad_host_ = false;
};

}  // namespace weir::net
