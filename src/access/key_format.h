// The form of a generated virtual key: "weir_sk_" + 32 characters of randomness (base 62, 190
// bits) + 6 characters of CRC-32 over what stands before, so a scanner for leaked secrets can tell
// one from any other text, and a mistyped key is refused without a lookup. Values; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace weir::access {

inline constexpr std::string_view kKeyPrefix = "weir_sk_";
inline constexpr size_t kKeyRandomLength = 32;
inline constexpr size_t kKeyChecksumLength = 6;
inline constexpr size_t kKeyLength = 46;
// A presented key longer than this is refused unread.
inline constexpr size_t kPresentedKeyMax = 512;

// A new key from the operating system's randomness; other secrets of that form have another
// prefix. Errors: unavailable.
Result<Secret> generate_key(std::string_view prefix = kKeyPrefix);
// Prefix, length, alphabet and checksum are right. Keys from configuration need not be.
bool is_well_formed(std::string_view key);
// For display: "weir_sk_...abcd" — the prefix when there is one, and the last four characters of
// keys of 16 characters or more.
std::string mask_key(std::string_view key, std::string_view prefix = kKeyPrefix);

}  // namespace weir::access
