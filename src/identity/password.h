// Passwords as Argon2id hashes (RFC 9106) in their usual text form, "$argon2id$v=19$m=...". Hashing
// takes a tenth of a second and 64 MiB by intent, so it is done on a thread of its own
// (password_thread.h), never on a loop. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace weir::identity {

inline constexpr size_t kPasswordBytesMin = 12;
inline constexpr size_t kPasswordBytesMax = 256;

// RFC 9106's second recommended choice, on one lane.
struct PasswordCost {
  uint32_t passes = 3;
  uint32_t memory_kib = 65'536;
};

// Length, and that it is not the user's own name. Errors: invalid_argument.
Result<void> check_password(const Secret& password, std::string_view user_name);
// With a fresh salt of 16 bytes. Errors: unavailable (no randomness, no memory).
Result<std::string> hash_password(const Secret& password, const PasswordCost& cost);
// Compares in time that does not depend on the bytes. False for a hash that cannot be read.
bool verify_password(std::string_view hash, const Secret& password);

}  // namespace weir::identity
