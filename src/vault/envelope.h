// Envelope: AES-256-GCM over one record, under a data key of its own. The data key is wrapped by a
// key-encryption key (key_ring.h), so that changing that one touches no record's text. What a
// record is (`identity`) is authenticated with it: a sealed text moved to another record does not
// open. Pure but for the system's randomness; any thread. Texts up to 1 MiB.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace weir::vault {

inline constexpr size_t kKeyBytes = 32;
inline constexpr size_t kTextBytesMax = 1 << 20;

// 32 random bytes. Errors: io_error.
Result<Secret> random_key();

// nonce (12) | cipher text | tag (16). Errors: invalid_argument (size of key or text), io_error.
Result<std::string> seal(const Secret& key, std::string_view identity, std::string_view text);
// Errors: corrupt where key, identity or bytes are not the ones of seal().
Result<Secret> open(const Secret& key, std::string_view identity, std::string_view sealed);

}  // namespace weir::vault
