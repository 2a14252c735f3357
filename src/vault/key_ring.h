// KeyRing: the key-encryption keys that records are sealed under. One is current, the others still
// open what they sealed, so that a key is changed while everything goes on: add the new one, rewrap
// (records.h), drop the old one. A key lies here as bytes (from a file or the environment), or at a
// HashiCorp Vault, whose Transit engine wraps and unwraps and never gives it away.
// Control-plane threads; a Transit key asks the network and may block for kVaultTimeout.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "vault/vault_client.h"

namespace weir::vault {

class Wrapper {
 public:
  virtual ~Wrapper() = default;
  // Tells it from others, and says nothing about it: "local:5f0c1a2b3c4d5e6f", "transit:weir".
  virtual const std::string& id() const = 0;
  virtual Result<std::string> wrap(const Secret& data_key) = 0;
  virtual Result<Secret> unwrap(std::string_view wrapped) = 0;
};

// 32 bytes as such, in hex or in base64. Errors: invalid_argument.
Result<std::unique_ptr<Wrapper>> local_wrapper(const Secret& key);
// POST {address}/v1/{mount}/encrypt/{key} and decrypt/{key}.
std::unique_ptr<Wrapper> transit_wrapper(VaultAddress vault, std::string mount, std::string key);

// The key in data_dir/secrets.key, made at first use (mode 0600): for those who name none.
// Errors: io_error, permission_denied where others may read it.
Result<Secret> key_of_directory(const std::string& data_dir);

class KeyRing {
 public:
  // The first one is current.
  explicit KeyRing(std::vector<std::unique_ptr<Wrapper>> wrappers)
      : wrappers_(std::move(wrappers)) {}

  struct Wrapped {
    std::string key_id;
    std::string bytes;
  };
  const std::string& current() const { return wrappers_.front()->id(); }
  Result<Wrapped> wrap(const Secret& data_key);
  // Errors: not_found where this ring has no key of that id; corrupt.
  Result<Secret> unwrap(const Wrapped& wrapped);

 private:
  std::vector<std::unique_ptr<Wrapper>> wrappers_;
};

}  // namespace weir::vault
