// Which addresses outgoing connections may use: the public internet, and what somebody has named. A
// name is resolved by servers that others run, at every connection anew, so what counts is the
// address that is about to be used (dialer.h), never the name alone. Any thread.
#pragma once

#include <string>
#include <vector>

#include "net/dialer.h"

namespace weir::net {

// Allows
// - public addresses;
// - an address that is written in the origin itself (http://10.0.0.7:8000), but for link-local
// ones;
// - loopback for "localhost", private and loopback addresses for names without a dot, which no
//   public server knows (containers, services);
// - any address for hosts in `internal`: names, each with all below it, and addresses.
// Everything else is permission_denied: private, link-local (metadata services), reserved.
DialPolicy named_addresses(std::vector<std::string> internal);

// For servers that stand inside as a rule and that whoever runs Weir has named one by one (Vault,
// the members and registries of a fleet): public, private and loopback addresses. Link-local
// (metadata services) and reserved ones are permission_denied.
DialPolicy inside_addresses();

}  // namespace weir::net
