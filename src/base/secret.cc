#include "base/secret.h"

#include <string.h>

namespace weir {

bool Secret::equals(std::string_view other) const {
  if (value_.size() != other.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < other.size(); ++i) {
    difference |= static_cast<unsigned char>(value_[i] ^ other[i]);
  }
  return difference == 0;
}

void Secret::wipe() {
  // All the string has room for: a moved-from short string is empty and still holds its bytes.
  value_.resize(value_.capacity());
  explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

}  // namespace weir
