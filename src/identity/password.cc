#include "identity/password.h"

#include <argon2.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "base/text.h"

namespace weir::identity {
namespace {

constexpr size_t kSaltBytes = 16;
constexpr size_t kHashBytes = 32;

}  // namespace

Result<void> check_password(const Secret& password, std::string_view user_name) {
  const std::string_view text = password.reveal();
  if (text.size() < kPasswordBytesMin || text.size() > kPasswordBytesMax) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a password has {} to {} bytes; a sentence is easy to remember",
                            kPasswordBytesMin, kPasswordBytesMax));
  }
  if (equals_ignore_case(text, user_name) && text.size() == user_name.size()) {
    return fail(ErrorCode::invalid_argument, "a password must differ from the user's name");
  }
  return {};
}

Result<std::string> hash_password(const Secret& password, const PasswordCost& cost) {
  std::array<uint8_t, kSaltBytes> salt{};
  if (getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size())) {
    return fail(ErrorCode::unavailable, "the operating system gives no randomness");
  }
  std::string encoded(
      argon2_encodedlen(cost.passes, cost.memory_kib, 1, kSaltBytes, kHashBytes, Argon2_id), '\0');
  const std::string_view text = password.reveal();
  const int done =
      argon2id_hash_encoded(cost.passes, cost.memory_kib, 1, text.data(), text.size(), salt.data(),
                            salt.size(), kHashBytes, encoded.data(), encoded.size());
  if (done != ARGON2_OK) {
    return fail(ErrorCode::unavailable,
                fmt::format("the password cannot be hashed: {}", argon2_error_message(done)));
  }
  // The length counts the terminator.
  encoded.resize(encoded.find('\0'));
  return encoded;
}

bool verify_password(std::string_view hash, const Secret& password) {
  const std::string text(hash);
  const std::string_view bytes = password.reveal();
  return argon2id_verify(text.c_str(), bytes.data(), bytes.size()) == ARGON2_OK;
}

}  // namespace weir::identity
