// Plain little-endian fields for state files and the mirror: appended to a string, and taken off
// the front of a view again, strictly. Pure; any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir::fleet {

template <class T>
  requires std::is_arithmetic_v<T>
void put_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void put_text(std::string& out, std::string_view text) {
  put_number(out, static_cast<uint32_t>(text.size()));
  out += text;
}

// Reads until something does not fit; then everything after is empty and ok() false.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : left_(bytes) {}

  template <class T>
    requires std::is_arithmetic_v<T>
  T number() {
    T value{};
    if (left_.size() < sizeof value) {
      ok_ = false;
      left_ = {};
      return value;
    }
    if constexpr (std::is_same_v<T, bool>) {
      value = left_[0] != 0;
    } else {
      std::memcpy(&value, left_.data(), sizeof value);
    }
    left_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view text() {
    const auto size = number<uint32_t>();
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const std::string_view out = left_.substr(0, size);
    left_.remove_prefix(size);
    return out;
  }
  // A count of things that take at least `bytes` each.
  uint32_t count(size_t bytes) {
    const auto n = number<uint32_t>();
    if (n <= left_.size() / bytes) return n;
    ok_ = false;
    left_ = {};
    return 0;
  }
  void need(bool holds) { ok_ = ok_ && holds; }
  bool ok() const { return ok_; }
  bool empty() const { return left_.empty(); }
  std::string_view left() const { return left_; }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace weir::fleet
