// Table: the published weights of one service as its readers see them: a version that only grows, a
// hash of the content, and the latest changes, so that a reader who is a little behind gets a delta
// and one who is far behind takes a snapshot. A weight is 0 only for an endpoint that is drained,
// pinned to nothing or still pre-heating. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace weir::schedule {

inline constexpr float kWeightUnit = 1000;  // published weight of base 1
inline constexpr float kBaseMost = 64;      // so that a weight fits 16 bits

struct WeightChange {
  uint64_t version = 0;
  uint32_t endpoint = 0;
  uint16_t weight = 0;
  bool removed = false;

  bool operator==(const WeightChange&) const = default;
};

class Table {
 public:
  Table(uint64_t epoch, uint32_t kept) : version_(epoch << 32), oldest_(version_), kept_(kept) {}

  // A table that continues from a version saved earlier.
  static Table at(uint64_t version, uint32_t kept) {
    Table table(0, kept);
    table.version_ = table.oldest_ = version;
    return table;
  }
  // An entry that was there already when the table was saved: no change of version.
  void put_silently(uint32_t endpoint, uint16_t weight);

  uint64_t version() const { return version_; }
  uint64_t hash() const { return hash_; }

  void put(uint32_t endpoint, std::optional<uint16_t> old, std::optional<uint16_t> weight);

  // What changed after `version`, oldest first; nothing where that is too long ago, or never was.
  std::optional<std::vector<WeightChange>> since(uint64_t version) const;

 private:
  uint64_t version_;
  uint64_t oldest_;  // changes after this one are kept
  uint64_t hash_ = 0;
  uint32_t kept_;
  std::vector<WeightChange> ring_;
  size_t next_ = 0;
};

}  // namespace weir::schedule
