#include "identity/audit_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace weir::identity {
namespace {

constexpr size_t kSignatureBytes = 64;
constexpr size_t kFileBytesMax = 4096;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Error system_error(const std::string& path, std::string_view doing) {
  return {ErrorCode::io_error,
          fmt::format("{}: can not {}: {}", path, doing, std::generic_category().message(errno))};
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

// Writes the key to a file of its own and links it to `path`: a start that is cut short leaves no
// half a key, and of two starts at once one wins.
Result<void> make_file(const std::string& path) {
  EVP_PKEY* made = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  const Bio bio(BIO_new(BIO_s_mem()));
  const bool written =
      made != nullptr && bio &&
      PEM_write_bio_PrivateKey(bio.get(), made, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  EVP_PKEY_free(made);
  if (!written) return fail(ErrorCode::unavailable, "the audit log's key cannot be made");
  std::string pem = text_of(bio.get());
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  const int file = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return fail(system_error(temporary, "make the file"));
  bool done = ::write(file, pem.data(), pem.size()) == static_cast<ssize_t>(pem.size()) &&
              ::fsync(file) == 0;
  Error error = system_error(temporary, "write the file");
  ::close(file);
  explicit_bzero(pem.data(), pem.size());
  if (done && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    error = system_error(path, "make the file");
    done = false;
  }
  ::unlink(temporary.c_str());
  if (!done) return fail(std::move(error));
  return {};
}

}  // namespace

void AuditKey::Free::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}
AuditKey::AuditKey(AuditKey&&) noexcept = default;
AuditKey& AuditKey::operator=(AuditKey&&) noexcept = default;
AuditKey::~AuditKey() = default;

Result<AuditKey> AuditKey::open(const std::string& data_dir) {
  const std::string path = data_dir + "/audit.key";
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) {
    WEIR_CHECK_OK(make_file(path));
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (file < 0) return fail(system_error(path, "read the file"));
  struct stat info{};
  std::string pem(kFileBytesMax, '\0');
  const bool known = ::fstat(file, &info) == 0;
  const ssize_t size = ::read(file, pem.data(), pem.size());
  ::close(file);
  if (!known || size < 0) return fail(system_error(path, "read the file"));
  if ((info.st_mode & 0077) != 0) {
    return fail(
        ErrorCode::permission_denied,
        fmt::format("{}: others may read this key; it must be 600: chmod 600 {}", path, path));
  }
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(size)));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr);
  explicit_bzero(pem.data(), pem.size());
  if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
    EVP_PKEY_free(key);
    return fail(ErrorCode::corrupt, fmt::format("{}: expected an Ed25519 private key in PEM form; "
                                                "restore it from a backup",
                                                path));
  }
  return AuditKey(key);
}

Result<AuditKey> AuditKey::from_public_pem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EVP_PKEY* key = PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr);
  if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
    EVP_PKEY_free(key);
    return fail(ErrorCode::invalid_argument, "expected an Ed25519 public key in PEM form");
  }
  return AuditKey(key);
}

Result<std::string> AuditKey::sign(std::string_view bytes) const {
  const Context context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  size_t size = signature.size();
  const bool done =
      context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(signature.data()), &size,
                     reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()) == 1;
  if (!done || size != kSignatureBytes) {
    return fail(ErrorCode::internal, "the audit log cannot be signed");
  }
  return signature;
}

bool AuditKey::verify(std::string_view bytes, std::string_view signature) const {
  const Context context(EVP_MD_CTX_new());
  return context && signature.size() == kSignatureBytes &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const uint8_t*>(signature.data()),
                          signature.size(), reinterpret_cast<const uint8_t*>(bytes.data()),
                          bytes.size()) == 1;
}

std::string AuditKey::public_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1) return {};
  return text_of(bio.get());
}

}  // namespace weir::identity
