// KeptHash: a secret text and the hash that was made of it, for a connection whose requests all
// show the same one: what is recognized need not be hashed again. One text of up to kTextMax bytes;
// it is overwritten by the next, and wiped when this goes. Compared in constant time, as those who
// share a connection need not share their secrets. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir {

class KeptHash {
 public:
  static constexpr size_t kTextMax = 128;
  using Hash = std::array<uint8_t, 32>;

  KeptHash() = default;
  KeptHash(const KeptHash&) = delete;
  KeptHash& operator=(const KeptHash&) = delete;
  ~KeptHash() { forget(); }

  // The hash that `maker` made of the text, or null. Makers have numbers other than 0.
  const Hash* find(std::string_view text, uint64_t maker) const {
    if (maker_ != maker || size_ != text.size()) return nullptr;
    uint8_t difference = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      difference |= static_cast<uint8_t>(text_[i] ^ text[i]);
    }
    return difference == 0 ? &hash_ : nullptr;
  }

  void keep(std::string_view text, uint64_t maker, const Hash& hash) {
    forget();
    if (text.empty() || text.size() > kTextMax) return;
    std::memcpy(text_.data(), text.data(), text.size());
    size_ = text.size();
    maker_ = maker;
    hash_ = hash;
  }

  void forget() {
    if (maker_ == 0) return;
    maker_ = 0;
    ::explicit_bzero(text_.data(), text_.size());
    ::explicit_bzero(hash_.data(), hash_.size());
  }

 private:
  uint64_t maker_ = 0;  // 0: none
  size_t size_ = 0;
  std::array<char, kTextMax> text_;
  Hash hash_;
};

}  // namespace weir
