#include "net/tls_stream.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "net/address.h"

namespace weir::net {
namespace {

constexpr size_t kRecordMax = 16 * 1024;
constexpr size_t kOverflowMax = 64 * 1024;
constexpr size_t kCallMax = 64 * 1024;  // encrypted by one try_write

std::string name_text(const X509_NAME* name) {
  char text[256] = {};
  X509_NAME_oneline(name, text, sizeof text);
  return text;
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "?";
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

// "a.example, *.b.example": the names a certificate is for, five at most.
std::string names_of(X509* certificate) {
  constexpr int kNamesMax = 5;
  std::string out;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names);
  for (int i = 0; i < std::min(count, kNamesMax); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    if (!out.empty()) out += ", ";
    out.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
               static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  if (count > kNamesMax) out += ", ...";
  GENERAL_NAMES_free(names);
  return out.empty() ? name_text(X509_get_subject_name(certificate)) : out;
}

}  // namespace

// OpenSSL's view of the lower stream.
struct TlsStream::Bio {
  static TlsStream& owner(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, size_t size, size_t* got) {
    BIO_clear_retry_flags(bio);
    TlsStream& stream = owner(bio);
    IoResult result = stream.lower_->try_read({into, size});
    switch (result.status) {
      case IoStatus::ok:
        *got = result.bytes;
        return 1;
      case IoStatus::would_block:
        BIO_set_retry_read(bio);
        return 0;
      case IoStatus::end:
        stream.lower_ended_ = true;
        return 0;
      case IoStatus::failed:
        if (!stream.lower_error_) stream.lower_error_ = std::move(result.error);
        return 0;
    }
    return 0;
  }

  static int write(BIO* bio, const char* bytes, size_t size, size_t* taken) {
    BIO_clear_retry_flags(bio);
    TlsStream& stream = owner(bio);
    if (stream.overflow_.size() + size > kOverflowMax) {
      BIO_set_retry_write(bio);
      return 0;
    }
    std::string_view rest(bytes, size);
    while (stream.overflow_.empty() && !rest.empty()) {
      IoResult result = stream.lower_->try_write(rest);
      if (result.status == IoStatus::failed) {
        if (!stream.lower_error_) stream.lower_error_ = std::move(result.error);
        return 0;
      }
      if (result.status != IoStatus::ok) break;
      rest.remove_prefix(result.bytes);
    }
    stream.overflow_.append(rest);
    *taken = size;
    return 1;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return owner(bio).lower_ended_ ? 1 : 0;
    return 0;
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const methods = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir stream");
      WEIR_ASSERT(made != nullptr);
      BIO_meth_set_read_ex(made, &Bio::read);
      BIO_meth_set_write_ex(made, &Bio::write);
      BIO_meth_set_ctrl(made, &Bio::control);
      return made;
    }();
    return methods;
  }
};

TlsStream::TlsStream(std::unique_ptr<Stream> lower, SSL_CTX* context)
    : Stream(lower->loop()), lower_(std::move(lower)), ssl_(SSL_new(context)) {
  set_addresses(lower_->local_address(), lower_->peer_address());
  peer_name_ = lower_->peer_address();
  BIO* bio = BIO_new(Bio::method());
  WEIR_ASSERT(ssl_ != nullptr && bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  lower_->set_layer(this);
}

TlsStream::TlsStream(std::unique_ptr<Stream> lower, TlsClientContext& context,
                     const TlsConnectOptions& options)
    : TlsStream(std::move(lower), context.impl().ready()) {
  client_ = &context;
  set_up_client(options);
}

TlsStream::TlsStream(std::unique_ptr<Stream> lower, std::shared_ptr<const TlsServerContext> context)
    : TlsStream(std::move(lower), context->impl().ssl.get()) {
  server_ = std::move(context);
  SSL_set_accept_state(ssl_.get());
}

TlsStream::~TlsStream() {
  close();
}

void TlsStream::set_up_client(const TlsConnectOptions& options) {
  SSL* ssl = ssl_.get();
  SSL_set_connect_state(ssl);
  peer_name_ = fmt::format("{}:{}", options.host, options.port);
  const std::string alpn = alpn_wire(options.alpn);
  if (!alpn.empty()) {
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                        static_cast<unsigned>(alpn.size()));
  }
  const bool numeric = Address::parse(options.host, 0).has_value();
  std::string host = options.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.ends_with('.')) host.pop_back();  // certificates and SNI have no root dot
  if (!numeric) SSL_set_tlsext_host_name(ssl, host.c_str());
  if (options.verify) {
    X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str())
                              : X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
    // A name that cannot be set must not leave the check out: the handshake fails.
    bad_host_ = host.empty() || named != 1;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, &on_verify);
  } else {
    SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
  }
  // A resumed session is not verified again: what was not verified has a key of its own.
  session_key_ = fmt::format("{}|{}|{}", peer_name_, options.verify ? "verified" : "any", alpn);
  if (const SslSessionPtr session = client_->impl().sessions.take(session_key_)) {
    SSL_set_session(ssl, session.get());
  }
}

int remember_session(SSL* ssl, SSL_SESSION* session) {
  auto& stream = *static_cast<TlsStream*>(SSL_get_app_data(ssl));
  stream.client_->impl().sessions.remember(stream.session_key_, SslSessionPtr(session));
  return 1;  // the reference is ours now
}

int TlsStream::on_verify(int ok, X509_STORE_CTX* store) {
  if (ok == 1) return 1;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& stream = *static_cast<TlsStream*>(SSL_get_app_data(ssl));
  const int number = X509_STORE_CTX_get_error(store);
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  std::string problem = X509_verify_cert_error_string(number);
  if (certificate != nullptr) {
    switch (number) {
      case X509_V_ERR_HOSTNAME_MISMATCH:
      case X509_V_ERR_IP_ADDRESS_MISMATCH:
        problem += fmt::format(" (the certificate is for {})", names_of(certificate));
        break;
      case X509_V_ERR_CERT_HAS_EXPIRED:
        problem += fmt::format(" (ended {})", time_text(X509_get0_notAfter(certificate)));
        break;
      case X509_V_ERR_CERT_NOT_YET_VALID:
        problem += fmt::format(" (begins {})", time_text(X509_get0_notBefore(certificate)));
        break;
      default:
        problem +=
            fmt::format(" (subject {}, issuer {})", name_text(X509_get_subject_name(certificate)),
                        name_text(X509_get_issuer_name(certificate)));
    }
  }
  if (stream.verify_problem_.empty()) stream.verify_problem_ = std::move(problem);
  return 0;
}

Task<Result<void>> TlsStream::handshake(Deadline deadline) {
  Timer timer(loop(), [this] {
    cancel({ErrorCode::timeout, fmt::format("TLS with {}: no handshake in time", peer_name_)});
  });
  timer.arm_at(deadline);
  if (bad_host_) {
    co_return fail(ErrorCode::tls_failure,
                   fmt::format("TLS with {}: not a host name to verify", peer_name_));
  }
  while (true) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done == 1) break;
    const int ssl_error = SSL_get_error(ssl_.get(), done);
    if (ssl_error != SSL_ERROR_WANT_READ) {
      broken_ = true;
      if (client_ != nullptr) ++client_->impl().counters.failed;
      co_return fail(handshake_error(ssl_error));
    }
    read_blocked_ = true;
    if (auto ready = co_await readable(); !ready) {
      if (client_ != nullptr) ++client_->impl().counters.failed;
      co_return fail(std::move(ready).error());
    }
  }
  established_ = true;
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &size);
  if (size > 0) alpn_.assign(reinterpret_cast<const char*>(protocol), size);
  if (client_ != nullptr) {
    auto& counters = client_->impl().counters;
    ++counters.handshakes;
    if (SSL_session_reused(ssl_.get()) == 1) ++counters.resumed;
  }
  co_return Result<void>();
}

Error TlsStream::handshake_error(int ssl_error) {
  if (lower_error_) {
    return {lower_error_->code(),
            fmt::format("TLS with {}: {}", peer_name_, lower_error_->message())};
  }
  std::string reason;
  const unsigned long code = ERR_peek_last_error();
  if (!verify_problem_.empty()) {
    reason = fmt::format("certificate not accepted: {}", verify_problem_);
  } else if (lower_ended_) {
    reason = "the peer ended the connection during the handshake";
  } else if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
             (ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
              ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST)) {
    reason = "the peer does not speak TLS on this port";
  } else {
    reason = code == 0 ? fmt::format("SSL error {}", ssl_error) : take_openssl_error();
  }
  ERR_clear_error();
  return {ErrorCode::tls_failure, fmt::format("TLS with {}: {}", peer_name_, reason)};
}

Error TlsStream::stream_error(int ssl_error, std::string_view doing) {
  broken_ = true;
  if (lower_error_) return *lower_error_;
  if (lower_ended_) {
    return {ErrorCode::connection_reset,
            fmt::format("{} {}: the connection ended without close_notify", doing, peer_name_)};
  }
  const std::string reason =
      ERR_peek_last_error() == 0 ? fmt::format("SSL error {}", ssl_error) : take_openssl_error();
  return {ErrorCode::tls_failure, fmt::format("{} {}: {}", doing, peer_name_, reason)};
}

IoResult TlsStream::read_record(std::span<char> into) {
  ERR_clear_error();
  size_t got = 0;
  const int done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
  if (done == 1) {
    read_blocked_ = false;  // more may lie decrypted
    return IoResult::ok(got);
  }
  switch (const int ssl_error = SSL_get_error(ssl_.get(), done)) {
    case SSL_ERROR_WANT_READ:
      read_blocked_ = true;
      return IoResult::blocked();
    case SSL_ERROR_ZERO_RETURN:
      return IoResult::end();
    default:
      return IoResult::failed(stream_error(ssl_error, "TLS read from"));
  }
}

IoResult TlsStream::do_read(std::span<char> into) {
  if (held_) return *held_;
  // Records are small when they carry a token each: take all that are here.
  size_t total = 0;
  while (total < into.size()) {
    IoResult result = read_record(into.subspan(total));
    if (result.status == IoStatus::ok) {
      total += result.bytes;
      continue;
    }
    if (result.status != IoStatus::would_block) held_ = result;
    if (total == 0) return result;
    break;
  }
  return IoResult::ok(total);
}

IoResult TlsStream::write_record(std::string_view bytes) {
  ERR_clear_error();
  size_t taken = 0;
  const int done = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &taken);
  if (done == 1) return IoResult::ok(taken);
  return IoResult::failed(stream_error(SSL_get_error(ssl_.get(), done), "TLS write to"));
}

IoResult TlsStream::do_write(std::span<const std::string_view> pieces) {
  if (lower_error_) return IoResult::failed(*lower_error_);
  if (broken_) return IoResult::failed(ErrorCode::tls_failure);
  size_t total = 0;
  size_t index = 0;
  size_t offset = 0;  // into pieces[index]
  Buffer gathered;
  while (overflow_.empty() && index < pieces.size() && total < kCallMax) {
    std::string_view record = pieces[index].substr(offset, kRecordMax);
    const bool last = index + 1 == pieces.size();
    if (record.empty()) {
      ++index;
      offset = 0;
      continue;
    }
    if (record.size() < kRecordMax && !last) {
      // Several small pieces make one record: one encryption, one call to the kernel.
      if (!gathered) gathered = loop().buffers().take();
      size_t size = 0;
      size_t from = offset;
      for (size_t i = index; i < pieces.size() && size < kRecordMax; ++i, from = 0) {
        const std::string_view piece = pieces[i].substr(from, kRecordMax - size);
        std::memcpy(gathered.data() + size, piece.data(), piece.size());
        size += piece.size();
      }
      record = {gathered.data(), size};
    }
    IoResult result = write_record(record);
    if (result.status != IoStatus::ok) return result;
    total += result.bytes;
    for (offset += result.bytes; index < pieces.size() && offset >= pieces[index].size(); ++index) {
      offset -= pieces[index].size();
    }
  }
  return total > 0 || overflow_.empty() ? IoResult::ok(total) : IoResult::blocked();
}

bool TlsStream::read_ready() const {
  return held_.has_value() || !read_blocked_ || Stream::read_ready(*lower_);
}

bool TlsStream::write_ready() const {
  return overflow_.empty() || lower_error_.has_value();
}

void TlsStream::on_lower_readable() {
  read_blocked_ = false;
  notify_readable();
}

void TlsStream::on_lower_writable() {
  flush_overflow();
  if (!overflow_.empty()) return;
  if (std::exchange(fin_pending_, false)) lower_->shutdown_write();
  notify_writable();
}

void TlsStream::flush_overflow() {
  size_t sent = 0;
  while (sent < overflow_.size()) {
    IoResult result = lower_->try_write(std::string_view(overflow_).substr(sent));
    if (result.status == IoStatus::ok) {
      sent += result.bytes;
      continue;
    }
    if (result.status == IoStatus::failed) {
      if (!lower_error_) lower_error_ = std::move(result.error);
      sent = overflow_.size();  // nobody will ever take it
    }
    break;
  }
  if (sent == overflow_.size()) {
    overflow_ = {};  // with its memory: an idle connection holds no buffer
  } else {
    overflow_.erase(0, sent);
  }
}

void TlsStream::send_close_notify() {
  if (!established_ || broken_ || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void TlsStream::do_shutdown_write() {
  send_close_notify();
  if (overflow_.empty()) {
    lower_->shutdown_write();
  } else {
    fin_pending_ = true;
  }
}

void TlsStream::do_abort() {
  lower_->abort();
}

void TlsStream::do_close() {
  send_close_notify();
  lower_->close();
}

Task<Result<std::unique_ptr<Stream>>> tls_connect(std::unique_ptr<Stream> lower,
                                                  TlsClientContext& context,
                                                  TlsConnectOptions options, Deadline deadline) {
  auto stream = std::make_unique<TlsStream>(std::move(lower), context, options);
  WEIR_CO_CHECK_OK(co_await stream->handshake(deadline));
  co_return std::unique_ptr<Stream>(std::move(stream));
}

Task<Result<std::unique_ptr<Stream>>> tls_accept(std::unique_ptr<Stream> lower,
                                                 std::shared_ptr<const TlsServerContext> context,
                                                 Deadline deadline) {
  auto stream = std::make_unique<TlsStream>(std::move(lower), std::move(context));
  WEIR_CO_CHECK_OK(co_await stream->handshake(deadline));
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace weir::net
