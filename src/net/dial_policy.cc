#include "net/dial_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::net {
namespace {

bool covers(std::string_view named, std::string_view host) {
  if (named == host) return true;
  return host.size() > named.size() && host.ends_with(named) &&
         host[host.size() - named.size() - 1] == '.';
}

}  // namespace

DialPolicy named_addresses(std::vector<std::string> internal) {
  return [internal = std::move(internal)](const Origin& origin,
                                          const Address& address) -> Result<void> {
    const AddressKind kind = address.kind();
    if (kind == AddressKind::public_internet) return {};
    const bool named = std::any_of(internal.begin(), internal.end(), [&](const auto& one) {
      return covers(one, origin.host) || one == address.host();
    });
    if (named) return {};
    const bool is_literal = Address::parse(origin.host, origin.port).has_value();
    if (is_literal && kind != AddressKind::link_local) return {};
    const bool is_short = !is_literal && origin.host.find('.') == std::string::npos;
    if (is_short && (kind == AddressKind::loopback || kind == AddressKind::private_use)) return {};
    return fail(ErrorCode::permission_denied,
                fmt::format("{}: {} is a {} address; where that is meant, name the host in "
                            "outgoing.internal",
                            origin.to_text(), address.host(), to_string(kind)));
  };
}

DialPolicy inside_addresses() {
  return [](const Origin& origin, const Address& address) -> Result<void> {
    // AWS has its metadata service at a private address, too.
    constexpr std::string_view kMetadata = "fd00:ec2::254";
    const AddressKind kind = address.kind();
    const bool inside = kind == AddressKind::private_use || kind == AddressKind::loopback;
    if (kind == AddressKind::public_internet || (inside && address.host() != kMetadata)) return {};
    return fail(
        ErrorCode::permission_denied,
        fmt::format("{}: {} is a {} address", origin.to_text(), address.host(), to_string(kind)));
  };
}

}  // namespace weir::net
