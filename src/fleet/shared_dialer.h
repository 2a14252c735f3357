// A dialer that asks another, which its owner keeps: for those that want one of their own. One
// thread; the other outlives it.
#pragma once

#include <memory>
#include <utility>

#include "net/dialer.h"

namespace weir::fleet {

class SharedDialer final : public net::Dialer {
 public:
  explicit SharedDialer(net::Dialer& to) : to_(to) {}
  net::Task<Result<std::unique_ptr<net::Stream>>> dial(net::Origin origin,
                                                       net::Deadline deadline) override {
    return to_.dial(std::move(origin), deadline);
  }

 private:
  net::Dialer& to_;
};

}  // namespace weir::fleet
