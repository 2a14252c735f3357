#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <future>
#include <system_error>

#include "base/check.h"
#include "base/log.h"

namespace weir::net {
namespace {

// Where distributions keep all roots in one file; it is read once, because OpenSSL's hashed
// directory would be read from disk in the middle of a handshake.
constexpr const char* kRootFiles[] = {
    "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",              // openSUSE
    "/etc/ssl/cert.pem",                   // BSDs, macOS
};

void set_common(SSL_CTX* ssl) {
  SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ssl, 1);  // head and body of a record by one call
}

// Where the system's roots lie, by the environment's word or by custom; empty: nobody knows.
std::string roots_file() {
  if (const char* file = std::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0')
    return file;
  for (const char* file : kRootFiles) {
    if (::access(file, R_OK) == 0) return file;
  }
  return {};
}

// The system's roots, read once for the whole process and on a thread of their own: a hundred and
// fifty certificates take 30 ms, which no start waits for. Whoever shakes hands before they are
// there does. Never changed afterwards, so that contexts share them.
class SystemRoots {
 public:
  static SystemRoots& get() {
    static SystemRoots roots;
    return roots;
  }
  X509_STORE* store() const { return store_; }
  void wait() const { read_.wait(); }

 private:
  SystemRoots() : store_(X509_STORE_new()) {
    WEIR_ASSERT(store_ != nullptr);
    read_ = std::async(std::launch::async, [store = store_] { read(store); });
  }
  ~SystemRoots() {
    read_.wait();
    X509_STORE_free(store_);
  }

  // Without any root, verification will say so.
  static void read(X509_STORE* store) {
    const std::string file = roots_file();
    if (file.empty()) {
      X509_STORE_set_default_paths(store);  // OpenSSL's own
      ERR_clear_error();
    } else if (X509_STORE_load_file(store, file.c_str()) != 1) {
      log::error("system_roots_unreadable", {{"file", file}, {"reason", take_openssl_error()}});
    }
  }

  X509_STORE* store_;
  std::future<void> read_;
};

// A file of somebody's own is read here and now, into a store that is this context's alone: what
// one account trusts is nobody else's affair.
Result<void> load_own_roots(SSL_CTX* ssl, const TlsClientOptions& options) {
  if (options.system_roots) {
    SystemRoots::get().wait();
    const STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(SystemRoots::get().store());
    for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
      X509* root = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
      if (root != nullptr) X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), root);
    }
  }
  if (!options.ca_file.empty() && SSL_CTX_load_verify_file(ssl, options.ca_file.c_str()) != 1) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("CA file {}: expected certificates in PEM form: {}", options.ca_file,
                            take_openssl_error()));
  }
  return {};
}

int refuse_passphrase(char*, int, int, void*) {
  return 0;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size, void* wire) {
  const auto& ours = *static_cast<const std::string*>(wire);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:#x}", code);
}

std::string alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) continue;
    wire += static_cast<char>(name.size());
    wire += name;
  }
  return wire;
}

void TlsSessionCache::remember(const std::string& key, SslSessionPtr session) {
  if (origins_max_ == 0) return;
  auto found = index_.find(key);
  if (found == index_.end()) {
    if (entries_.size() >= origins_max_) {
      index_.erase(entries_.back().key);
      entries_.pop_back();
    }
    entries_.push_front({key, {}});
    found = index_.emplace(entries_.front().key, entries_.begin()).first;
  } else {
    entries_.splice(entries_.begin(), entries_, found->second);
  }
  auto& sessions = found->second->sessions;
  if (sessions.size() >= kSessionsPerOrigin) sessions.erase(sessions.begin());
  sessions.push_back(std::move(session));
}

SslSessionPtr TlsSessionCache::take(const std::string& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  auto& sessions = found->second->sessions;
  const int64_t now_s = std::time(nullptr);
  while (!sessions.empty()) {
    SSL_SESSION* newest = sessions.back().get();
    const int64_t ends_s = int64_t{SSL_SESSION_get_time(newest)} + SSL_SESSION_get_timeout(newest);
    if (SSL_SESSION_is_resumable(newest) == 0 || ends_s <= now_s) {
      sessions.pop_back();
      continue;
    }
    if (SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
      SSL_SESSION_up_ref(newest);
      return SslSessionPtr(newest);
    }
    SslSessionPtr out = std::move(sessions.back());
    sessions.pop_back();
    return out;
  }
  return nullptr;
}

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::create(TlsClientOptions options) {
  auto impl = std::make_unique<Impl>(options.session_origins_max);
  impl->ssl.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* ssl = impl->ssl.get();
  WEIR_ASSERT(ssl != nullptr);
  set_common(ssl);
  const char* named = std::getenv("SSL_CERT_FILE");
  if (options.system_roots && named != nullptr && *named != '\0' && ::access(named, R_OK) != 0) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("SSL_CERT_FILE {}: {}", named, std::generic_category().message(errno)));
  }
  impl->awaits_system_roots = options.system_roots && options.ca_file.empty();
  if (impl->awaits_system_roots) {
    SSL_CTX_set1_cert_store(ssl, SystemRoots::get().store());
  } else {
    WEIR_CHECK_OK(load_own_roots(ssl, options));
  }
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ssl, &remember_session);
  return std::unique_ptr<TlsClientContext>(new TlsClientContext(std::move(impl)));
}

SSL_CTX* TlsClientContext::Impl::ready() {
  if (awaits_system_roots) {
    SystemRoots::get().wait();
    awaits_system_roots = false;
  }
  return ssl.get();
}

TlsClientContext::TlsClientContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsClientContext::~TlsClientContext() = default;
const TlsClientContext::Counters& TlsClientContext::counters() const {
  return impl_->counters;
}

TlsTicketKeys TlsTicketKeys::random() {
  TlsTicketKeys keys;
  WEIR_ASSERT(RAND_bytes(keys.bytes.data(), static_cast<int>(keys.bytes.size())) == 1);
  return keys;
}

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::load(
    const TlsServerOptions& options) {
  const auto bad = [](std::string message) {
    return fail(ErrorCode::invalid_argument, std::move(message));
  };
  auto impl = std::make_unique<Impl>();
  impl->ssl.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* ssl = impl->ssl.get();
  WEIR_ASSERT(ssl != nullptr);
  set_common(ssl);
  SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20");  // TLS 1.2; 1.3 has its own list
  SSL_CTX_set_default_passwd_cb(ssl, &refuse_passphrase);       // never ask on the terminal

  if (SSL_CTX_use_certificate_chain_file(ssl, options.certificate_file.c_str()) != 1) {
    return bad(fmt::format("certificate file {}: expected PEM, the server's certificate first: {}",
                           options.certificate_file, take_openssl_error()));
  }
  if (SSL_CTX_use_PrivateKey_file(ssl, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(ssl) != 1) {
    return bad(
        fmt::format("key file {}: expected the unencrypted PEM key of the certificate in {}: {}",
                    options.key_file, options.certificate_file, take_openssl_error()));
  }
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(ssl)), &end) == 1) {
    impl->not_after_ms = int64_t{::timegm(&end)} * 1000;
  }

  impl->alpn = alpn_wire(options.alpn);
  if (!impl->alpn.empty()) SSL_CTX_set_alpn_select_cb(ssl, &select_alpn, &impl->alpn);
  // Sessions travel in tickets: nothing is kept here, and any worker can resume any session.
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  constexpr unsigned char kSessionContext[] = "weir";
  SSL_CTX_set_session_id_context(ssl, kSessionContext, sizeof kSessionContext - 1);
  TlsTicketKeys keys = options.ticket_keys;
  SSL_CTX_set_tlsext_ticket_keys(ssl, keys.bytes.data(), static_cast<long>(keys.bytes.size()));
  return std::shared_ptr<const TlsServerContext>(new TlsServerContext(std::move(impl)));
}

TlsServerContext::TlsServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServerContext::~TlsServerContext() = default;
int64_t TlsServerContext::not_after_ms() const {
  return impl_->not_after_ms;
}

}  // namespace weir::net
