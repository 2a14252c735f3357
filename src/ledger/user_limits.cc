#include "ledger/user_limits.h"

#include <bit>
#include <string>

namespace weir::ledger {

namespace {

// tag 36 | claiming 1 | change count 13 | references 14
constexpr uint64_t kReferencesMax = (uint64_t{1} << 14) - 1;
constexpr uint64_t kChange = uint64_t{1} << 14;
constexpr uint64_t kChangeMask = ((uint64_t{1} << 13) - 1) << 14;
constexpr uint64_t kClaiming = uint64_t{1} << 27;
constexpr int kTagShift = 28;
// How often a claim that others broke off is tried anew.
constexpr int kClaimsMax = 8;

uint64_t tag_of(uint64_t word) {
  return word >> kTagShift;
}
uint64_t references(uint64_t word) {
  return word & kReferencesMax;
}
// The word with its change count one on.
uint64_t changed(uint64_t word) {
  return (word & ~kChangeMask) | ((word + kChange) & kChangeMask);
}

bool is_whole(const RateCells& cells, Nanoseconds now) {
  return cells.requests.is_whole(now) && cells.tokens.is_whole(now) &&
         cells.concurrency.in_flight() == 0;
}

}  // namespace

std::shared_ptr<UserLimits> UserLimits::make(HashKey key, size_t users) {
  return std::shared_ptr<UserLimits>(new UserLimits(key, users));
}

UserLimits::UserLimits(HashKey key, size_t users)
    : key_(key), windows_(std::bit_ceil((users + kWindow - 1) / kWindow)) {
  buckets_ = std::make_unique<Bucket[]>(windows_ * kWindow);
}

// Takes a reference to the user's bucket, where there is one.
UserLimits::Bucket* UserLimits::find(Bucket* window, uint64_t tag, Nanoseconds /*now*/) {
  for (Bucket* bucket = window; bucket != window + kWindow; ++bucket) {
    uint64_t word = bucket->word.load(std::memory_order_acquire);
    while (tag_of(word) == tag && (word & kClaiming) == 0 && references(word) < kReferencesMax) {
      if (bucket->word.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
        return bucket;
      }
    }
  }
  return nullptr;
}

// Whether another bucket of the window has been given to the same user; claims of others for that
// user are broken off.
UserLimits::Rival UserLimits::look_for_rival(Bucket* window, const Bucket* mine, uint64_t tag) {
  for (Bucket* other = window; other != window + kWindow; ++other) {
    if (other == mine) continue;
    uint64_t word = other->word.load(std::memory_order_seq_cst);
    while (tag_of(word) == tag) {
      if ((word & kClaiming) == 0) return Rival::claimed;
      const uint64_t free = changed(word) & kChangeMask;
      if (other->word.compare_exchange_weak(word, free, std::memory_order_seq_cst)) break;
    }
  }
  return Rival::none;
}

// Two workers may look for a new user at once, and there must be one bucket. (1) A claim is written
// into the word, (2) then the window is searched for another bucket of that user: one that is given
// wins, one that is being claimed is broken off, (3) then the claim is made good, which fails where
// another broke it off. All in one total order: of two claims, either the later one's search sees
// the earlier one, or the earlier one's search sees the later one.
UserLimits::Bucket* UserLimits::claim(Bucket* window, uint64_t tag, Nanoseconds now) {
  for (Bucket* bucket = window; bucket != window + kWindow; ++bucket) {
    uint64_t word = bucket->word.load(std::memory_order_acquire);
    if (references(word) > 0 || (word & kClaiming) != 0) continue;
    // Read before the exchange: whoever uses the bucket in between changes the word.
    if (!is_whole(bucket->cells, now)) continue;
    const bool had_user = tag_of(word) != 0;
    const uint64_t claim = (changed(word) & kChangeMask) | (tag << kTagShift) | kClaiming | 1;
    if (!bucket->word.compare_exchange_strong(word, claim, std::memory_order_seq_cst)) {
      return nullptr;
    }
    if (had_user) given_.fetch_sub(1, std::memory_order_relaxed);
    uint64_t mine = claim;
    if (look_for_rival(window, bucket, tag) == Rival::claimed) {
      bucket->word.compare_exchange_strong(mine, changed(claim) & kChangeMask,
                                           std::memory_order_seq_cst);
      return nullptr;
    }
    if (!bucket->word.compare_exchange_strong(mine, claim & ~kClaiming,
                                              std::memory_order_seq_cst)) {
      return nullptr;
    }
    given_.fetch_add(1, std::memory_order_relaxed);
    if (had_user) reused_.fetch_add(1, std::memory_order_relaxed);
    return bucket;
  }
  return nullptr;
}

std::shared_ptr<RateCells> UserLimits::cells_of(std::string_view subject, std::string_view user,
                                                const LimitRules& rules, Nanoseconds now) {
  std::string name;
  name.reserve(subject.size() + 1 + user.size());
  name.append(subject).push_back('\0');
  name.append(user);
  const uint64_t hash = keyed_hash(key_, name);
  const uint64_t tag = std::max<uint64_t>(hash >> kTagShift, 1);
  Bucket* window = &buckets_[(hash & (windows_ - 1)) * kWindow];
  for (int i = 0; i < kClaimsMax; ++i) {
    Bucket* bucket = find(window, tag, now);
    if (bucket == nullptr) bucket = claim(window, tag, now);
    if (bucket == nullptr) continue;
    bucket->cells.apply_rates(rules);
    return {&bucket->cells, [self = shared_from_this(), bucket](RateCells*) {
              uint64_t word = bucket->word.load(std::memory_order_relaxed);
              // Release: who takes the bucket over sees what was charged to it.
              while (!bucket->word.compare_exchange_weak(
                  word, changed(word) - 1, std::memory_order_release, std::memory_order_relaxed)) {
              }
            }};
  }
  untracked_.fetch_add(1, std::memory_order_relaxed);
  return nullptr;
}

UserLimits::Counts UserLimits::counts() const {
  return {.buckets = given_.load(std::memory_order_relaxed),
          .reused = reused_.load(std::memory_order_relaxed),
          .untracked = untracked_.load(std::memory_order_relaxed)};
}

}  // namespace weir::ledger
