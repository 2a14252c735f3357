// Time-ordered 63-bit ids: 42 bits of wall milliseconds since 2020-01-01 (139 years), 8 bits of
// maker (worker), 13 bits of sequence within the millisecond. Positive as int64, so an id is a
// SQLite rowid, sorts by time, and is found again without an index of its own.
// IdMaker belongs to one thread and is given the wall time; ids are unique per maker number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

class Id {
 public:
  static constexpr int64_t kEpochMs = 1'577'836'800'000;  // 2020-01-01T00:00:00Z
  constexpr Id() = default;
  constexpr explicit Id(int64_t value) : value_(value) {}
  // The smallest id of that millisecond: for ranges by time.
  static Id first_at(int64_t wall_ms);
  // Thirteen characters of Crockford base 32, e.g. "0d5k3x8v4w0g1"; sorts as the number does.
  std::string to_text() const;
  static std::optional<Id> from_text(std::string_view text);

  constexpr int64_t value() const { return value_; }
  constexpr int64_t wall_ms() const { return (value_ >> 21) + kEpochMs; }
  constexpr auto operator<=>(const Id&) const = default;

 private:
  int64_t value_ = 0;
};

class IdMaker {
 public:
  explicit IdMaker(uint8_t maker) : maker_(maker) {}
  // A fresh id for that time. Never goes backwards: when the wall clock does, or a millisecond's
  // 8,192 ids are used up, it counts on from the last one.
  Id make(int64_t wall_ms);

 private:
  uint8_t maker_;
  int64_t last_ms_ = 0;
  uint32_t sequence_ = 0;
};

}  // namespace weir
