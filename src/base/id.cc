#include "base/id.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kTextLength = 13;
constexpr uint32_t kSequences = 1U << 13;

}  // namespace

Id Id::first_at(int64_t wall_ms) {
  const int64_t ms = std::clamp<int64_t>(wall_ms - kEpochMs, 0, (int64_t{1} << 42) - 1);
  return Id(ms << 21);
}

std::string Id::to_text() const {
  std::string text(kTextLength, '0');
  auto rest = static_cast<uint64_t>(value_);
  for (size_t i = kTextLength; i-- > 0; rest >>= 5) text[i] = kAlphabet[rest & 31];
  return text;
}

std::optional<Id> Id::from_text(std::string_view text) {
  if (text.size() != kTextLength || text[0] > '7') return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 5 | digit;
  }
  return Id(static_cast<int64_t>(value));
}

Id IdMaker::make(int64_t wall_ms) {
  if (wall_ms > last_ms_) {
    last_ms_ = wall_ms;
    sequence_ = 0;
  } else if (++sequence_ == kSequences) {
    ++last_ms_;
    sequence_ = 0;
  }
  return Id(Id::first_at(last_ms_).value() | int64_t{maker_} << 13 | sequence_);
}

}  // namespace weir
