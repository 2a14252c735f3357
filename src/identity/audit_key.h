// AuditKey: the Ed25519 key pair that signs the audit log's head and checkpoints. The private half
// lies in data_dir/audit.key (PEM, mode 0600, made on first use); the public one is printed by
// `weir audit key`, to be kept elsewhere. Immutable once open; one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;

namespace weir::identity {

class AuditKey {
 public:
  AuditKey(AuditKey&&) noexcept;
  AuditKey& operator=(AuditKey&&) noexcept;
  ~AuditKey();

  // Reads the key or makes it. Errors: io_error, corrupt, permission_denied where others may read
  // the file.
  static Result<AuditKey> open(const std::string& data_dir);
  // One that only verifies. Errors: invalid_argument.
  static Result<AuditKey> from_public_pem(std::string_view pem);

  Result<std::string> sign(std::string_view bytes) const;  // 64 bytes
  bool verify(std::string_view bytes, std::string_view signature) const;
  std::string public_pem() const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit AuditKey(evp_pkey_st* key) : key_(key) {}
  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace weir::identity
