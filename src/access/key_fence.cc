#include "access/key_fence.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace weir::access {
namespace {

constexpr std::string_view kEndpoints[] = {"generate", "complete",     "respond",    "embed",
                                           "rerank",   "count_tokens", "passthrough"};
constexpr size_t kAddressTextMax = 45;
constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_v4(const std::array<uint8_t, 16>& bytes) {
  return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

}  // namespace

std::optional<std::array<uint8_t, 16>> parse_ip(std::string_view text) {
  std::array<uint8_t, 16> bytes{};
  if (text.empty() || text.size() > kAddressTextMax) return std::nullopt;
  const std::string copy(text);
  if (copy.find(':') != std::string::npos) {
    if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) != 1) return std::nullopt;
    return bytes;
  }
  std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
  if (inet_pton(AF_INET, copy.c_str(), bytes.data() + kMapped.size()) != 1) return std::nullopt;
  return bytes;
}

Result<IpRange> IpRange::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto bytes = parse_ip(text.substr(0, slash));
  const auto wrong = [&] {
    return fail(ErrorCode::invalid_argument,
                fmt::format("\"{}\" is neither an address nor a block such as 192.0.2.0/24", text));
  };
  if (!bytes) return wrong();
  IpRange range;
  range.bytes_ = *bytes;
  if (slash == std::string_view::npos) return range;
  const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  const auto bits = parse_uint64(text.substr(slash + 1), v4 ? 32 : 128);
  if (!bits) return wrong();
  range.bits_ = static_cast<uint8_t>(*bits + (v4 ? 96 : 0));
  // 192.0.2.1/24 is a slip: an address where a block was meant, or the other way around.
  for (size_t bit = range.bits_; bit < 128; ++bit) {
    if ((range.bytes_[bit / 8] >> (7 - bit % 8) & 1) != 0) return wrong();
  }
  return range;
}

bool IpRange::holds(const std::array<uint8_t, 16>& address) const {
  // ::/0 means every IPv6 address, and no IPv4 one.
  if (is_v4(address) && bits_ < 96) return false;
  const size_t whole = bits_ / 8;
  if (std::memcmp(bytes_.data(), address.data(), whole) != 0) return false;
  const size_t rest = bits_ % 8;
  if (rest == 0) return true;
  return ((bytes_[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

bool any_holds(std::span<const IpRange> ranges, std::string_view ip) {
  const auto address = parse_ip(ip);
  return address &&
         std::ranges::any_of(ranges, [&](const IpRange& range) { return range.holds(*address); });
}

std::string_view client_ip(std::string_view peer_ip, std::string_view forwarded_for,
                           std::span<const IpRange> trusted) {
  std::string_view ip = peer_ip;
  while (!forwarded_for.empty() && any_holds(trusted, ip)) {
    const size_t comma = forwarded_for.rfind(',');
    const size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    ip = trim(forwarded_for.substr(begin));
    forwarded_for = forwarded_for.substr(0, comma == std::string_view::npos ? 0 : comma);
    if (!parse_ip(ip)) return {};
  }
  return ip;
}

Result<KeyFence> KeyFence::make(std::span<const std::string> addresses,
                                std::span<const std::string> endpoints) {
  if (addresses.size() > kRangesMax) {
    return fail(ErrorCode::invalid_argument, fmt::format("at most {} addresses", kRangesMax));
  }
  KeyFence fence;
  for (const std::string& text : addresses) {
    WEIR_TRY(fence.addresses.emplace_back(), IpRange::parse(text));
  }
  for (const std::string& name : endpoints) {
    if (std::ranges::find(kEndpoints, name) == std::end(kEndpoints)) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("there is no endpoint \"{}\"; there are {}", name,
                              fmt::join(kEndpoints, ", ")));
    }
    fence.endpoints.push_back(name);
  }
  return fence;
}

bool KeyFence::serves(std::string_view endpoint) const {
  return endpoints.empty() || std::ranges::find(endpoints, endpoint) != endpoints.end();
}

std::span<const std::string_view> endpoint_names() {
  return kEndpoints;
}

}  // namespace weir::access
