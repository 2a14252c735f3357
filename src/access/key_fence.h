// KeyFence: from where a key may be used, and for which kinds of request. Only keys that are fenced
// in have one, so the others pay one comparison with null. Immutable; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weir::access {

inline constexpr size_t kRangesMax = 256;

// A block of addresses, "192.0.2.0/24", "2001:db8::/32" or one address. IPv4 addresses inside IPv6
// (::ffff:192.0.2.1) are judged as IPv4.
class IpRange {
 public:
  // Errors: invalid_argument; also where bits behind the prefix are set.
  static Result<IpRange> parse(std::string_view text);
  bool holds(const std::array<uint8_t, 16>& address) const;

 private:
  std::array<uint8_t, 16> bytes_{};  // IPv4 as ::ffff:a.b.c.d
  uint8_t bits_ = 128;
};

// The address as sixteen bytes; nullopt where it is none.
std::optional<std::array<uint8_t, 16>> parse_ip(std::string_view text);
bool any_holds(std::span<const IpRange> ranges, std::string_view ip);

// The client's address, behind the proxies that are trusted: of X-Forwarded-For, read from its end,
// the first that is no such proxy. Empty where what a trusted proxy says is no address.
std::string_view client_ip(std::string_view peer_ip, std::string_view forwarded_for,
                           std::span<const IpRange> trusted);

struct KeyFence {
  std::vector<IpRange> addresses;      // empty: any
  std::vector<std::string> endpoints;  // kinds of request ("generate", "embed"); empty: any

  // Errors: invalid_argument, that names what is wrong.
  static Result<KeyFence> make(std::span<const std::string> addresses,
                               std::span<const std::string> endpoints);
  bool admits(std::string_view ip) const { return addresses.empty() || any_holds(addresses, ip); }
  bool serves(std::string_view endpoint) const;
};

// The kinds of request that a key may be fenced to.
std::span<const std::string_view> endpoint_names();

}  // namespace weir::access
