// The key table: presented key -> Principal in O(1), immutable, one per configuration snapshot,
// shared by all workers. The key is hashed with the installation's secret (0.13 us with
// SHA instructions) and the hash is looked up; the table never holds a key. Because an attacker can
// not compute the hash, neither the probe length nor the position in the table tells anything about
// a key; the last step compares all 32 bytes in constant time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "access/key_hash.h"
#include "access/principal.h"
#include "base/kept_hash.h"
#include "base/result.h"

namespace weir::access {

struct KeyEntry {
  KeyHash hash;
  Principal principal;
};

class KeyTable {
 public:
  // An empty table refuses every key. `hasher` is shared by all tables.
  KeyTable() = default;
  // Several entries may have one key_id (a rotated key and the one before it). Errors:
  // already_exists when two entries have the same hash (one key given twice).
  static Result<KeyTable> build(std::shared_ptr<const KeyHasher> hasher,
                                std::vector<KeyEntry> entries);

  // Why a key was refused is told to the operator's log, never to the client.
  enum class Refusal : uint8_t { none, missing, malformed, unknown, expired };
  struct Answer {
    const Principal* principal = nullptr;  // lives as long as the table
    Refusal refusal = Refusal::none;
  };
  // `kept`, if given, spares the hash of a key that was found before; who it stands for, and
  // whether it still does, is looked up each time.
  Answer find(std::string_view presented, int64_t wall_ms, KeptHash* kept = nullptr) const;

  std::span<const KeyEntry> entries() const { return entries_; }
  // Walks all entries: for the control plane. The first of that id, or null.
  const Principal* find_by_id(std::string_view key_id) const;

 private:
  std::shared_ptr<const KeyHasher> hasher_;
  std::vector<KeyEntry> entries_;
  std::vector<uint32_t> slots_;  // open addressing by the hash's first bytes; 0: free, else index+1
};

std::string_view to_string(KeyTable::Refusal refusal);

}  // namespace weir::access
