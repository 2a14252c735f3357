// Sockets of this machine that have a path for an address ("unix:/run/x.sock"), as Addresses, and a
// dialer that always goes to one of them. One loop, one thread.
#pragma once

#include <string_view>

#include "net/address.h"
#include "net/dialer.h"

namespace weir::net {

// invalid_argument where the path is empty or longer than the kernel takes (107 bytes).
Result<Address> local_address(std::string_view path);

// Goes to one address, whatever origin it is given.
class FixedDialer final : public Dialer {
 public:
  FixedDialer(Loop& loop, const Address& address) : loop_(loop), address_(address) {}
  Task<Result<std::unique_ptr<Stream>>> dial(Origin origin, Deadline deadline) override;

 private:
  Loop& loop_;
  Address address_;
};

}  // namespace weir::net
