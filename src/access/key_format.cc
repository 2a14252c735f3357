#include "access/key_format.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

namespace weir::access {

namespace {

constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), bit by bit: run once per key made, and
// per presented key only for the log's reason of a refusal.
uint32_t crc32(std::string_view text) {
  uint32_t crc = 0xFFFFFFFF;
  for (char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320 & (0 - (crc & 1)));
  }
  return ~crc;
}

// Six base-62 digits hold 35.7 bits, so a CRC always fits.
std::string checksum_of(std::string_view text) {
  uint32_t crc = crc32(text);
  std::string digits(kKeyChecksumLength, '0');
  for (size_t i = kKeyChecksumLength; i-- > 0; crc /= 62) digits[i] = kAlphabet[crc % 62];
  return digits;
}

}  // namespace

Result<Secret> generate_key(std::string_view prefix) {
  std::string key(prefix);
  key.reserve(prefix.size() + kKeyRandomLength + kKeyChecksumLength);
  std::array<uint8_t, 64> bytes{};
  size_t at = bytes.size();
  while (key.size() < prefix.size() + kKeyRandomLength) {
    if (at == bytes.size()) {
      if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return fail(ErrorCode::unavailable, fmt::format("the operating system gives no randomness: "
                                                        "{}",
                                                        std::generic_category().message(errno)));
      }
      at = 0;
    }
    // 248 = 4 * 62: bytes above would favor the first letters.
    uint8_t byte = bytes[at++];
    if (byte < 248) key += kAlphabet[byte % 62];
  }
  key += checksum_of(key);
  explicit_bzero(bytes.data(), bytes.size());
  return Secret(std::move(key));
}

bool is_well_formed(std::string_view key) {
  if (key.size() != kKeyLength || !key.starts_with(kKeyPrefix)) return false;
  std::string_view rest = key.substr(kKeyPrefix.size());
  if (rest.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
  std::string_view body = key.substr(0, kKeyLength - kKeyChecksumLength);
  return key.substr(body.size()) == checksum_of(body);
}

std::string mask_key(std::string_view key, std::string_view prefix) {
  std::string masked(key.starts_with(prefix) ? prefix : std::string_view());
  masked += "...";
  if (key.size() >= 16) masked += key.substr(key.size() - 4);
  return masked;
}

}  // namespace weir::access
