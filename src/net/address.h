// Address: an IPv4 or IPv6 address with a port, and what kind of network it belongs to. Values
// only.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::net {

enum class AddressKind : uint8_t {
  public_internet,
  loopback,     // 127/8, ::1
  private_use,  // RFC 1918, RFC 6598 shared space, fc00::/7
  link_local,   // 169.254/16, fe80::/10: cloud metadata services live here
  unspecified,  // 0/8, ::
  reserved,     // multicast, broadcast, documentation, benchmarking and other special blocks
};
std::string_view to_string(AddressKind kind);

class Address {
 public:
  Address() = default;
  // A numeric host ("127.0.0.1", "::1", "[::1]"); no names.
  static Result<Address> parse(std::string_view host, uint16_t port);
  // "127.0.0.1:8080", "[::1]:8080"; "localhost:80" means 127.0.0.1, ":80" and "*:80" mean 0.0.0.0.
  static Result<Address> parse(std::string_view host_and_port);
  static Address from_sockaddr(const sockaddr* address, socklen_t length);

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  int family() const { return storage_.ss_family; }
  bool is_v6() const { return family() == AF_INET6; }
  uint16_t port() const;
  void set_port(uint16_t port);
  std::string host() const;     // "127.0.0.1", "::1"
  std::string to_text() const;  // "127.0.0.1:80", "[::1]:80"
  // IPv4 addresses inside IPv6 forms (mapped, NAT64, 6to4) are judged as the IPv4 address.
  AddressKind kind() const;
  bool operator==(const Address& other) const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// Splits "host:port" or "[v6]:port"; the host may be a name. invalid_argument says what is missing.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);

}  // namespace weir::net
