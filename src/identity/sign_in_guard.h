// SignInGuard: holds back whoever guesses passwords. Failures are counted by user name and by
// address; after a few in a row every further attempt must wait, twice as long each time, whether
// its password is right or not. A success clears the name. Tables are bounded: when one is full its
// longest untouched entry goes. One thread; the caller gives the time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace weir::identity {

struct SignInCounts {
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t lockouts = 0;  // times a name or an address was locked
  uint64_t refused = 0;   // attempts while locked, or with too many waiting
};

class SignInGuard {
 public:
  static constexpr uint32_t kNameFailures = 5;
  static constexpr uint32_t kAddressFailures = 20;
  static constexpr Nanoseconds kFirstLock = std::chrono::seconds(30);
  static constexpr Nanoseconds kLongestLock = std::chrono::minutes(15);
  // What is left alone that long is forgotten.
  static constexpr Nanoseconds kMemory = std::chrono::hours(1);
  static constexpr size_t kEntriesMax = 4096;

  // How long an attempt must wait; zero: it may be made, and counts as a failure from now on until
  // succeeded() takes that back, so that attempts side by side do not slip through.
  Nanoseconds begin(std::string_view name, std::string_view address, Nanoseconds now);
  // How long the next attempt must wait; counts nothing.
  Nanoseconds left(std::string_view name, std::string_view address, Nanoseconds now) const;
  void succeeded(std::string_view name, std::string_view address);
  // The attempt was not made after all: nothing was learned from it.
  void not_made(std::string_view name, std::string_view address);

  const SignInCounts& counts() const { return counts_; }
  size_t entries() const { return names_.size() + addresses_.size(); }

 private:
  struct Entry {
    uint32_t failures = 0;
    Nanoseconds touched{0};
    Nanoseconds locked_until{0};
  };
  using Table = std::unordered_map<std::string, Entry>;

  Entry& entry(Table& table, std::string_view key, Nanoseconds now) const;
  void count(Entry& entry, uint32_t allowed, Nanoseconds now);

  Table names_;
  Table addresses_;
  SignInCounts counts_;
};

}  // namespace weir::identity
