// PinTable: which account made an id, for every worker at once. A provider knows a stored response,
// a file or a batch only in the account that made it, so a later call with its id must go there.
//
// A set-associative table of atomics, fixed in size (kWays slots to a set): find() and set() touch
// one set, take no lock and wait for nobody. A slot is guarded by a sequence number; a reader that
// meets a writer takes the slot for empty, a writer that meets another takes the next slot or, in
// the last instance, gives up (counted). A full set loses the pin that expires first (counted).
// Ids and accounts are held as hashes: 64 + 32 bits of the id, 32 bits of the account's name.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::state {

// The name of an account as the table holds it.
uint32_t account_hash(std::string_view name);

// A short text that stands for a long opaque one (encrypted reasoning), the same after a restart.
std::string digest_id(std::string_view opaque);

class PinTable {
 public:
  static constexpr size_t kWays = 8;
  explicit PinTable(size_t pins_max);  // rounded up to a power of two of sets

  void set(std::string_view id, uint32_t account, int64_t expires_ms, int64_t now_ms);
  void erase(std::string_view id);
  // The account's hash; nullopt for an id that is unknown or over its time.
  std::optional<uint32_t> find(std::string_view id, int64_t now_ms) const;

  // False as long as nothing was ever pinned: then nobody needs to look for ids.
  bool used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }
  uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }
  size_t capacity() const { return sets_ * kWays; }

 private:
  struct Slot {
    std::atomic<uint32_t> sequence{0};  // odd while it is written
    std::atomic<uint32_t> check{0};     // more of the id's hash
    std::atomic<uint64_t> tag{0};       // the id's hash; 0: empty
    std::atomic<uint64_t> value{0};     // account << 32 | minutes since the epoch of its end
  };
  struct Read {
    uint64_t tag = 0;
    uint32_t check = 0;
    uint64_t value = 0;
  };
  struct Key {
    uint64_t tag;
    uint32_t check;
  };
  static Key key_of(std::string_view id);
  Slot* set_of(const Key& key) const { return &slots_[(key.tag % sets_) * kWays]; }
  static std::optional<Read> read(const Slot& slot);
  static bool write(Slot& slot, const Key& key, uint64_t value);

  const size_t sets_;
  std::unique_ptr<Slot[]> slots_;
  std::atomic<bool> used_{false};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> missed_{0};
};

}  // namespace weir::state
