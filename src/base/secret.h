// Secret: a string that does not print, does not compare early, and is wiped when it goes. For
// provider credentials, tokens and hash keys. Values only; any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      value_ = other.value_;
    }
    return *this;
  }
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      value_ = std::move(other.value_);
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  bool empty() const { return value_.empty(); }
  // The one way to the bytes; the name is easy to search for. Never hand the result to a log.
  std::string_view reveal() const { return value_; }
  // Compares in time that depends on the lengths alone.
  bool equals(std::string_view other) const;

 private:
  void wipe();
  std::string value_;
};

}  // namespace weir
