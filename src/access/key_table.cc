#include "access/key_table.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <unordered_set>

#include "access/key_format.h"

namespace weir::access {

namespace {

size_t place_of(const KeyHash& hash) {
  uint64_t first = 0;
  std::memcpy(&first, hash.data(), sizeof first);
  return first;
}

}  // namespace

bool Principal::may_use(std::string_view model) const {
  if (models.empty()) return true;
  for (const std::string& allowed : models) {
    if (allowed.ends_with('*')
            ? model.starts_with(std::string_view(allowed).substr(0, allowed.size() - 1))
            : model == allowed) {
      return true;
    }
  }
  return false;
}

std::string_view to_string(KeyTable::Refusal refusal) {
  switch (refusal) {
    case KeyTable::Refusal::none:
      return "none";
    case KeyTable::Refusal::missing:
      return "missing";
    case KeyTable::Refusal::malformed:
      return "malformed";
    case KeyTable::Refusal::unknown:
      return "unknown";
    case KeyTable::Refusal::expired:
      return "expired";
  }
  return "unknown";
}

Result<KeyTable> KeyTable::build(std::shared_ptr<const KeyHasher> hasher,
                                 std::vector<KeyEntry> entries) {
  KeyTable table;
  table.hasher_ = std::move(hasher);
  table.entries_ = std::move(entries);
  // At most half full, so that probes are short.
  table.slots_.assign(std::bit_ceil(table.entries_.size() * 2 + 2), 0);
  size_t mask = table.slots_.size() - 1;
  for (uint32_t i = 0; i < table.entries_.size(); ++i) {
    const KeyEntry& entry = table.entries_[i];
    size_t place = place_of(entry.hash) & mask;
    for (; table.slots_[place] != 0; place = (place + 1) & mask) {
      const KeyEntry& other = table.entries_[table.slots_[place] - 1];
      if (equal_hash(other.hash, entry.hash)) {
        return fail(ErrorCode::already_exists,
                    fmt::format("the keys '{}' and '{}' have the same value: each needs its own",
                                other.principal.name, entry.principal.name));
      }
    }
    table.slots_[place] = i + 1;
  }
  return table;
}

KeyTable::Answer KeyTable::find(std::string_view presented, int64_t wall_ms, KeptHash* kept) const {
  if (presented.empty()) return {nullptr, Refusal::missing};
  if (presented.size() > kPresentedKeyMax) return {nullptr, Refusal::malformed};
  if (slots_.empty()) return {nullptr, Refusal::unknown};
  const KeyHash* const known = kept != nullptr ? kept->find(presented, hasher_->number()) : nullptr;
  const KeyHash hash = known != nullptr ? *known : hasher_->hash(presented);
  size_t mask = slots_.size() - 1;
  for (size_t place = place_of(hash) & mask; slots_[place] != 0; place = (place + 1) & mask) {
    const KeyEntry& entry = entries_[slots_[place] - 1];
    if (!equal_hash(entry.hash, hash)) continue;
    if (kept != nullptr && known == nullptr) kept->keep(presented, hasher_->number(), hash);
    if (entry.principal.expired(wall_ms)) return {nullptr, Refusal::expired};
    return {&entry.principal, Refusal::none};
  }
  bool mistyped = presented.starts_with(kKeyPrefix) && !is_well_formed(presented);
  return {nullptr, mistyped ? Refusal::malformed : Refusal::unknown};
}

const Principal* KeyTable::find_by_id(std::string_view key_id) const {
  for (const KeyEntry& entry : entries_) {
    if (entry.principal.key_id == key_id) return &entry.principal;
  }
  return nullptr;
}

}  // namespace weir::access
