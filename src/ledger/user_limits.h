// Limits of end users: every user of a key, project or team has a bucket of its own, found by a
// hash of whose user it is and of the user's name. A table of fixed size, shared by all workers
// without a lock: who uses a bucket holds a reference to it for as long as the request is in
// flight, and a bucket is given to another user only when nobody holds it and it is whole again. A
// whole bucket is as good as a new one, so forgetting it changes nothing for its user.
//
// Limits: kUsersMax buckets, in windows of kWindow. A user whose window is full of buckets in use
// is not limited as a user (the limits of key, project and team hold all the same), and counted.
// Two users share a bucket by chance of about n^2 / 2^49 for n users at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "ledger/admission.h"

namespace weir::ledger {

class UserLimits : public std::enable_shared_from_this<UserLimits> {
 public:
  static constexpr size_t kWindow = 16;
  static constexpr size_t kUsersMax = 65'536;

  // `key` is random, so that nobody can choose names that meet in one window. `users` is rounded
  // up to a power of two of at least one window.
  static std::shared_ptr<UserLimits> make(HashKey key, size_t users = kUsersMax);

  // The bucket of that user among the users of `subject`, with the rates of `rules`. Null where
  // there is no room. Any thread; the bucket is held until the last copy of the pointer is gone.
  std::shared_ptr<RateCells> cells_of(std::string_view subject, std::string_view user,
                                      const LimitRules& rules, Nanoseconds now);

  struct Counts {
    uint64_t buckets = 0;    // given to a user, in use or not
    uint64_t reused = 0;     // taken from a user whose bucket was whole, since the start
    uint64_t untracked = 0;  // requests that found no bucket
  };
  Counts counts() const;

 private:
  // One cache line. The word: tag of 36 bits (0: free), whether it is being claimed, references,
  // and a change count, so that a compare-exchange fails when others came and went in between.
  struct alignas(64) Bucket {
    std::atomic<uint64_t> word{0};
    RateCells cells;
  };

  UserLimits(HashKey key, size_t users);
  Bucket* find(Bucket* window, uint64_t tag, Nanoseconds now);
  Bucket* claim(Bucket* window, uint64_t tag, Nanoseconds now);
  enum class Rival : uint8_t { none, claimed };
  Rival look_for_rival(Bucket* window, const Bucket* mine, uint64_t tag);

  HashKey key_;
  size_t windows_ = 0;
  std::unique_ptr<Bucket[]> buckets_;
  std::atomic<uint64_t> given_{0};
  std::atomic<uint64_t> reused_{0};
  std::atomic<uint64_t> untracked_{0};
};

}  // namespace weir::ledger
