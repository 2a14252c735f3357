#include "state/pin_table.h"

#include <fmt/format.h>

#include <bit>

namespace weir::state {
namespace {

constexpr int64_t kMinuteMs = 60'000;

// FNV-1a with a finish that spreads the low bits: stable over processes, which std::hash need not
// be.
uint64_t hash(std::string_view text, uint64_t seed) {
  uint64_t h = 0xcbf29ce484222325ULL ^ seed;
  for (const char c : text) {
    h ^= static_cast<unsigned char>(c);
    h *= 0x100000001b3ULL;
  }
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  return h ^ (h >> 33);
}

uint64_t minute_of(int64_t wall_ms) {
  return wall_ms <= 0 ? 0 : static_cast<uint64_t>(wall_ms / kMinuteMs) & 0xffffffffU;
}

}  // namespace

uint32_t account_hash(std::string_view name) {
  return static_cast<uint32_t>(hash(name, 0x61636374));
}

std::string digest_id(std::string_view opaque) {
  // What is random in such a text stands at its beginning; the end tells versions of it apart.
  constexpr size_t kHead = 1024;
  constexpr size_t kTail = 128;
  std::string sample(opaque.substr(0, kHead));
  if (opaque.size() > kHead) {
    sample += opaque.substr(opaque.size() - std::min(kTail, opaque.size() - kHead));
  }
  return fmt::format("enc_{:x}_{:016x}{:016x}", opaque.size(), hash(sample, 1), hash(sample, 2));
}

PinTable::PinTable(size_t pins_max)
    : sets_(std::bit_ceil(std::max<size_t>(pins_max / kWays, 1))),
      slots_(std::make_unique<Slot[]>(sets_ * kWays)) {}

PinTable::Key PinTable::key_of(std::string_view id) {
  return {std::max<uint64_t>(hash(id, 3), 1), static_cast<uint32_t>(hash(id, 4))};
}

std::optional<PinTable::Read> PinTable::read(const Slot& slot) {
  // Acquire on every load keeps them in this order; the fields are written between two changes of
  // the sequence number.
  const uint32_t before = slot.sequence.load(std::memory_order_acquire);
  const Read read{slot.tag.load(std::memory_order_acquire),
                  slot.check.load(std::memory_order_acquire),
                  slot.value.load(std::memory_order_acquire)};
  const uint32_t after = slot.sequence.load(std::memory_order_acquire);
  if (before != after || before % 2 != 0) return std::nullopt;
  return read;
}

bool PinTable::write(Slot& slot, const Key& key, uint64_t value) {
  uint32_t sequence = slot.sequence.load(std::memory_order_relaxed);
  if (sequence % 2 != 0 ||
      !slot.sequence.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acq_rel)) {
    return false;
  }
  // Release: whoever sees one of these sees the odd number before them.
  slot.tag.store(key.tag, std::memory_order_release);
  slot.check.store(key.check, std::memory_order_release);
  slot.value.store(value, std::memory_order_release);
  slot.sequence.store(sequence + 2, std::memory_order_release);
  return true;
}

void PinTable::set(std::string_view id, uint32_t account, int64_t expires_ms, int64_t now_ms) {
  const Key key = key_of(id);
  const uint64_t now = minute_of(now_ms);
  const uint64_t value = uint64_t{account} << 32 | minute_of(expires_ms);
  Slot* const set = set_of(key);
  used_.store(true, std::memory_order_relaxed);
  Slot* best = nullptr;
  uint64_t best_end = ~uint64_t{0};
  bool best_live = false;
  for (size_t i = 0; i < kWays; ++i) {
    const auto there = read(set[i]);
    if (!there) continue;
    if (there->tag == key.tag && there->check == key.check) {
      if (!write(set[i], key, value)) missed_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    const uint64_t end = there->tag == 0 ? 0 : there->value & 0xffffffffU;
    if (end >= best_end) continue;
    best = &set[i];
    best_end = end;
    best_live = there->tag != 0 && end > now;
  }
  if (best == nullptr || !write(*best, key, value)) {
    missed_.fetch_add(1, std::memory_order_relaxed);
  } else if (best_live) {
    evicted_.fetch_add(1, std::memory_order_relaxed);
  }
}

void PinTable::erase(std::string_view id) {
  const Key key = key_of(id);
  Slot* const set = set_of(key);
  for (size_t i = 0; i < kWays; ++i) {
    const auto there = read(set[i]);
    if (there && there->tag == key.tag && there->check == key.check) write(set[i], {0, 0}, 0);
  }
}

std::optional<uint32_t> PinTable::find(std::string_view id, int64_t now_ms) const {
  const Key key = key_of(id);
  const Slot* const set = set_of(key);
  for (size_t i = 0; i < kWays; ++i) {
    const auto there = read(set[i]);
    if (!there || there->tag != key.tag || there->check != key.check) continue;
    if ((there->value & 0xffffffffU) <= minute_of(now_ms)) return std::nullopt;
    return static_cast<uint32_t>(there->value >> 32);
  }
  return std::nullopt;
}

}  // namespace weir::state
