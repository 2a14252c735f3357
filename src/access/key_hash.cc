#include "access/key_hash.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace weir::access {

namespace {

constexpr size_t kBlock = 64;  // of SHA-256
constexpr size_t kSecretSize = 32;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Error system_error(const std::string& path, std::string_view doing) {
  ErrorCode code = errno == EACCES || errno == EPERM || errno == EROFS
                       ? ErrorCode::permission_denied
                       : ErrorCode::io_error;
  return {code,
          fmt::format("{}: can not {}: {}", path, doing, std::generic_category().message(errno))};
}

// Writes a fresh secret to a file of its own and links it to `path`: a start that is cut short
// never leaves half a secret, and of two starts at once one wins.
Result<void> make_secret(const std::string& path) {
  std::string bytes(kSecretSize, '\0');
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail(system_error(path, "get randomness"));
  }
  std::string temporary = fmt::format("{}.{}", path, ::getpid());
  int file = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return fail(system_error(temporary, "make the file"));
  bool written = ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                 ::fsync(file) == 0;
  Error error = system_error(temporary, "write the file");
  ::close(file);
  if (written && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    error = system_error(path, "make the file");
    written = false;
  }
  ::unlink(temporary.c_str());
  if (!written) return fail(std::move(error));
  return {};
}

}  // namespace

// HMAC (RFC 2104): H((secret ^ opad) || H((secret ^ ipad) || key)). Both prefixes are one block
// each, so their states are computed once and every hash costs two compressions and two copies.
struct KeyHasher::State {
  Context inner;
  Context outer;
};

KeyHasher::KeyHasher(const Secret& secret) : state_(std::make_unique<State>()) {
  static std::atomic<uint64_t> last_number{0};
  number_ = last_number.fetch_add(1, std::memory_order_relaxed) + 1;
  std::string_view bytes = secret.reveal();
  WEIR_ASSERT(bytes.size() <= kBlock);
  auto prefix = [&](uint8_t pad) {
    std::array<uint8_t, kBlock> block;
    block.fill(pad);
    for (size_t i = 0; i < bytes.size(); ++i) block[i] ^= static_cast<uint8_t>(bytes[i]);
    Context context(EVP_MD_CTX_new());
    WEIR_ASSERT(context != nullptr &&
                EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1 &&
                EVP_DigestUpdate(context.get(), block.data(), block.size()) == 1);
    explicit_bzero(block.data(), block.size());
    return context;
  };
  state_->inner = prefix(0x36);
  state_->outer = prefix(0x5c);
}

KeyHasher::KeyHasher(KeyHasher&&) noexcept = default;
KeyHasher& KeyHasher::operator=(KeyHasher&&) noexcept = default;
KeyHasher::~KeyHasher() = default;

Result<KeyHasher> KeyHasher::open(const std::string& data_dir) {
  std::string path = data_dir + "/key_hash.secret";
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) {
    WEIR_CHECK_OK(make_secret(path));
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (file < 0) return fail(system_error(path, "read the file"));
  struct stat info{};
  std::string bytes(kSecretSize + 1, '\0');
  bool known = ::fstat(file, &info) == 0;
  ssize_t size = ::read(file, bytes.data(), bytes.size());
  ::close(file);
  if (!known || size < 0) return fail(system_error(path, "read the file"));
  if ((info.st_mode & 0077) != 0) {
    explicit_bzero(bytes.data(), bytes.size());
    return fail(ErrorCode::permission_denied,
                fmt::format("{}: others may read this secret (mode {:o}); it must be 600: "
                            "chmod 600 {}",
                            path, info.st_mode & 0777, path));
  }
  if (size != static_cast<ssize_t>(kSecretSize)) {
    return fail(ErrorCode::corrupt,
                fmt::format("{}: expected {} bytes, found {}. Without the right secret no stored "
                            "key can be recognized: restore the file from a backup, or remove it "
                            "and make the keys again",
                            path, kSecretSize, size));
  }
  bytes.resize(kSecretSize);
  Secret secret(bytes);
  explicit_bzero(bytes.data(), bytes.size());
  return KeyHasher(secret);
}

KeyHash KeyHasher::hash(std::string_view key) const {
  // Allocating a context costs more than the hash: each thread keeps one.
  static thread_local Context scratch(EVP_MD_CTX_new());
  KeyHash inner;
  KeyHash result;
  bool done = EVP_MD_CTX_copy_ex(scratch.get(), state_->inner.get()) == 1 &&
              EVP_DigestUpdate(scratch.get(), key.data(), key.size()) == 1 &&
              EVP_DigestFinal_ex(scratch.get(), inner.data(), nullptr) == 1 &&
              EVP_MD_CTX_copy_ex(scratch.get(), state_->outer.get()) == 1 &&
              EVP_DigestUpdate(scratch.get(), inner.data(), inner.size()) == 1 &&
              EVP_DigestFinal_ex(scratch.get(), result.data(), nullptr) == 1;
  WEIR_ASSERT(done);
  return result;
}

bool equal_hash(const KeyHash& a, const KeyHash& b) {
  uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<uint8_t>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace weir::access
