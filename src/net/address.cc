#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace weir::net {
namespace {

struct Block {
  uint32_t prefix;
  unsigned bits;
  AddressKind kind;
};

// IANA IPv4 special-purpose registry, as of 2024; the first match counts.
constexpr std::array kBlocksV4 = {
    Block{0x00000000, 8, AddressKind::unspecified},
    Block{0x7F000000, 8, AddressKind::loopback},
    Block{0x0A000000, 8, AddressKind::private_use},
    Block{0xAC100000, 12, AddressKind::private_use},
    Block{0xC0A80000, 16, AddressKind::private_use},
    Block{0x64400000, 10, AddressKind::private_use},  // 100.64/10, shared (RFC 6598)
    Block{0xA9FE0000, 16, AddressKind::link_local},
    Block{0xC0000000, 24, AddressKind::reserved},  // 192.0.0/24, protocol assignments
    Block{0xC0000200, 24, AddressKind::reserved},  // documentation
    Block{0xC6336400, 24, AddressKind::reserved},
    Block{0xCB007100, 24, AddressKind::reserved},
    Block{0xC6120000, 15, AddressKind::reserved},  // benchmarking
    Block{0xC0586300, 24, AddressKind::reserved},  // 192.88.99/24, 6to4 relays
    Block{0xE0000000, 4, AddressKind::reserved},   // multicast
    Block{0xF0000000, 4, AddressKind::reserved},   // future use, broadcast
};

AddressKind kind_v4(uint32_t address) {
  for (const Block& block : kBlocksV4) {
    if ((address ^ block.prefix) >> (32 - block.bits) == 0) return block.kind;
  }
  return AddressKind::public_internet;
}

uint32_t read_u32(const unsigned char* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

AddressKind kind_v6(const unsigned char (&a)[16]) {
  const auto zero = [&](size_t from, size_t to) {
    return std::all_of(a + from, a + to, [](unsigned char byte) { return byte == 0; });
  };
  if (zero(0, 15)) {
    if (a[15] == 0) return AddressKind::unspecified;
    if (a[15] == 1) return AddressKind::loopback;
  }
  // ::ffff:0:0/96 mapped, ::/96 compatible, 64:ff9b::/96 NAT64: what counts is the IPv4 address.
  if (zero(0, 10) && a[10] == 0xFF && a[11] == 0xFF) return kind_v4(read_u32(a + 12));
  if (zero(0, 12)) return kind_v4(read_u32(a + 12));
  if (read_u32(a) == 0x0064FF9B) {
    return zero(4, 12) ? kind_v4(read_u32(a + 12)) : AddressKind::private_use;
  }
  if (a[0] == 0x20 && a[1] == 0x02) return kind_v4(read_u32(a + 2));  // 6to4
  if (a[0] == 0xFE && (a[1] & 0xC0) == 0x80) return AddressKind::link_local;
  if (a[0] == 0xFE && (a[1] & 0xC0) == 0xC0) return AddressKind::private_use;  // site-local
  if ((a[0] & 0xFE) == 0xFC) return AddressKind::private_use;
  if (read_u32(a) == 0x20010000) return AddressKind::reserved;  // Teredo
  if (read_u32(a) == 0x20010DB8) return AddressKind::reserved;  // documentation
  if ((a[0] & 0xE0) != 0x20) return AddressKind::reserved;      // not global unicast
  return AddressKind::public_internet;
}

Result<uint16_t> parse_port(std::string_view text, std::string_view whole) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("\"{}\": expected a port from 0 to 65535 after the colon", whole));
  }
  return port;
}

}  // namespace

std::string_view to_string(AddressKind kind) {
  switch (kind) {
    case AddressKind::public_internet:
      return "public";
    case AddressKind::loopback:
      return "loopback";
    case AddressKind::private_use:
      return "private";
    case AddressKind::link_local:
      return "link-local";
    case AddressKind::unspecified:
      return "unspecified";
    case AddressKind::reserved:
      return "reserved";
  }
  return "?";
}

Result<HostPort> parse_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, fmt::format("\"{}\": expected host:port", text));
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("\"{}\": an IPv6 host needs brackets, as in [::1]:8080", text));
  }
  WEIR_TRY(const uint16_t port, parse_port(text.substr(colon + 1), text));
  return HostPort{std::string(host), port};
}

Result<Address> Address::parse(std::string_view host, uint16_t port) {
  std::string name(host);
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  if (in_addr v4; ::inet_pton(AF_INET, name.c_str(), &v4) == 1) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr = v4;
    out.sin_port = htons(port);
    return from_sockaddr(reinterpret_cast<const sockaddr*>(&out), sizeof out);
  }
  if (in6_addr v6; ::inet_pton(AF_INET6, name.c_str(), &v6) == 1) {
    sockaddr_in6 out{};
    out.sin6_family = AF_INET6;
    out.sin6_addr = v6;
    out.sin6_port = htons(port);
    return from_sockaddr(reinterpret_cast<const sockaddr*>(&out), sizeof out);
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("\"{}\": expected an IPv4 or IPv6 address", host));
}

Result<Address> Address::parse(std::string_view host_and_port) {
  WEIR_TRY(HostPort parts, parse_host_port(host_and_port));
  if (parts.host == "localhost") parts.host = "127.0.0.1";
  if (parts.host.empty() || parts.host == "*") parts.host = "0.0.0.0";
  return parse(parts.host, parts.port);
}

Address Address::from_sockaddr(const sockaddr* address, socklen_t length) {
  Address out;
  out.size_ = std::min<socklen_t>(length, sizeof out.storage_);
  std::memcpy(&out.storage_, address, out.size_);
  return out;
}

uint16_t Address::port() const {
  if (is_v6()) return ntohs(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
  return 0;
}

void Address::set_port(uint16_t port) {
  if (is_v6()) reinterpret_cast<sockaddr_in6&>(storage_).sin6_port = htons(port);
  if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage_).sin_port = htons(port);
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v6()) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr, text,
                sizeof text);
  } else if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage_).sin_addr, text,
                sizeof text);
  } else if (family() == AF_UNIX) {
    return reinterpret_cast<const sockaddr_un&>(storage_).sun_path;
  }
  return text;
}

std::string Address::to_text() const {
  if (family() == AF_UNIX) return "unix:" + host();
  return is_v6() ? fmt::format("[{}]:{}", host(), port()) : fmt::format("{}:{}", host(), port());
}

AddressKind Address::kind() const {
  if (is_v6()) return kind_v6(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr.s6_addr);
  if (family() != AF_INET) return AddressKind::unspecified;
  return kind_v4(ntohl(reinterpret_cast<const sockaddr_in&>(storage_).sin_addr.s_addr));
}

bool Address::operator==(const Address& other) const {
  return family() == other.family() && port() == other.port() && host() == other.host();
}

}  // namespace weir::net
