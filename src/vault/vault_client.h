// HashiCorp Vault over its HTTP API, as far as Weir asks it: one request, one JSON answer. Blocks
// its thread on a loop of its own, for kVaultTimeout at most, so it is for start, reload and the
// shell, never for a worker; after a time-out the next calls within kVaultTimeout fail at once.
// Answers up to 1 MiB.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace weir::vault {

inline constexpr Milliseconds kVaultTimeout{5'000};

struct VaultAddress {
  std::string url;  // "https://vault.example.com:8200"
  Secret token;
  std::string name_space;  // Vault Enterprise; empty: none
  std::string ca_file;     // empty: the system's roots
};

// The body of a 2xx answer; "" of a 204. `path` stands behind /v1/. Errors: unavailable, timeout,
// not_found (404), permission_denied (403), protocol_error, and those of the connection.
Result<Secret> ask_vault(const VaultAddress& vault, std::string_view method, std::string_view path,
                         std::string_view body);
// data.{member} of an answer. Errors: protocol_error.
Result<Secret> text_of_vault(const Secret& answer, std::string_view member);
// A field of a secret in a KV engine: "secret/data/openai" is version 2, "kv/openai" version 1.
Result<Secret> read_vault_field(const VaultAddress& vault, std::string_view path,
                                std::string_view field);

}  // namespace weir::vault
