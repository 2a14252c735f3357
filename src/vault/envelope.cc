#include "vault/envelope.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

#include <memory>

namespace weir::vault {
namespace {

constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<void> randomize(std::string& bytes) {
  if (getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) return {};
  return fail(ErrorCode::io_error, "the system has no randomness");
}

Error not_sealed_so() {
  return {ErrorCode::corrupt,
          "the sealed text, its key or its place is not the one it was made with"};
}

}  // namespace

Result<Secret> random_key() {
  std::string bytes(kKeyBytes, '\0');
  WEIR_CHECK_OK(randomize(bytes));
  return Secret(std::move(bytes));
}

Result<std::string> seal(const Secret& key, std::string_view identity, std::string_view text) {
  if (key.reveal().size() != kKeyBytes || text.size() > kTextBytesMax) {
    return fail(ErrorCode::invalid_argument, "a key has 32 bytes and a text at most 1 MiB");
  }
  std::string sealed(kNonceBytes, '\0');
  WEIR_CHECK_OK(randomize(sealed));
  sealed.resize(kNonceBytes + text.size() + kTagBytes);
  auto* const out = reinterpret_cast<unsigned char*>(sealed.data());
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done = context != nullptr &&
                    EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr,
                                       bytes_of(key.reveal()), out) == 1 &&
                    EVP_EncryptUpdate(context.get(), nullptr, &size, bytes_of(identity),
                                      static_cast<int>(identity.size())) == 1 &&
                    EVP_EncryptUpdate(context.get(), out + kNonceBytes, &size, bytes_of(text),
                                      static_cast<int>(text.size())) == 1 &&
                    EVP_EncryptFinal_ex(context.get(), out + kNonceBytes + size, &size) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                                        out + kNonceBytes + text.size()) == 1;
  if (!done) return fail(ErrorCode::io_error, "AES-256-GCM failed");
  return sealed;
}

Result<Secret> open(const Secret& key, std::string_view identity, std::string_view sealed) {
  if (key.reveal().size() != kKeyBytes || sealed.size() < kNonceBytes + kTagBytes ||
      sealed.size() > kNonceBytes + kTextBytesMax + kTagBytes) {
    return fail(not_sealed_so());
  }
  const std::string_view cipher =
      sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string text(cipher.size(), '\0');
  const Context context(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key.reveal()),
                         bytes_of(sealed)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &size, bytes_of(identity),
                        static_cast<int>(identity.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), reinterpret_cast<unsigned char*>(text.data()), &size,
                        bytes_of(cipher), static_cast<int>(cipher.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), reinterpret_cast<unsigned char*>(text.data()) + size,
                          &size) == 1;
  if (!done) {
    explicit_bzero(text.data(), text.size());
    return fail(not_sealed_so());
  }
  return Secret(std::move(text));
}

}  // namespace weir::vault
