// The keyed hash under which virtual keys are stored and looked up: HMAC-SHA-256 with a secret of
// this installation, kept in data_dir/key_hash.secret (32 bytes, mode 0600, made on first start).
// Without that file a stolen database tells nothing about the keys, not even by guessing.
//
// A KeyHasher is immutable: the HMAC's two inner states are computed once and copied per call.
// hash() may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace weir::access {

using KeyHash = std::array<uint8_t, 32>;

class KeyHasher {
 public:
  explicit KeyHasher(const Secret& secret);
  KeyHasher(KeyHasher&&) noexcept;
  KeyHasher& operator=(KeyHasher&&) noexcept;
  ~KeyHasher();

  // Reads the installation's secret or makes it. Errors: io_error, permission_denied when others
  // can read the file, corrupt when it has the wrong size.
  static Result<KeyHasher> open(const std::string& data_dir);

  KeyHash hash(std::string_view key) const;
  // One of its own, by which a kept hash is known to be of this hasher (KeptHash).
  uint64_t number() const { return number_; }

 private:
  struct State;
  uint64_t number_;
  std::unique_ptr<State> state_;
};

// Equal, in time that does not depend on the bytes.
bool equal_hash(const KeyHash& a, const KeyHash& b);

}  // namespace weir::access
