// The key store: virtual keys made through the admin API or the shell, in data_dir/meta.db. Only
// the keyed hash is stored; the key itself is shown once, when it is made. For control-plane
// threads; each call is one transaction. Keys declared in the configuration file are not here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/key_hash.h"
#include "access/key_table.h"
#include "base/result.h"
#include "base/secret.h"
#include "ledger/admission.h"
#include "ledger/priority.h"
#include "store/sqlite.h"

namespace weir::access {

// Limits for a part of what is asked for.
struct PartRules {
  static constexpr size_t kModelsMax = 100;
  std::vector<std::pair<std::string, ledger::LimitRules>> models = {};  // no budgets
  ledger::LimitRules users = {};                                        // of each end user
  bool operator==(const PartRules&) const = default;
};

// What a person decides about a key.
struct KeySpec {
  std::string name;  // unique among the keys that are not revoked; 1..128 bytes
  std::string team = {};
  std::string project = {};
  std::vector<std::string> models = {};
  std::vector<std::pair<std::string, std::string>> tags = {};
  ledger::LimitRules limits = {};
  PartRules parts = {};
  std::optional<ledger::Priority> priority = {};  // absent: its project's, its team's
  std::string owner = {};                   // who answers for it: a person or a service account
  std::optional<bool> capture = {};         // absent: as the configuration says
  std::vector<std::string> addresses = {};  // from where; empty: anywhere
  std::vector<std::string> endpoints = {};  // for which kinds of request; empty: all
  int64_t expires_ms = 0;
};

struct StoredKey {
  std::string id;
  KeySpec spec;
  std::string masked;
  KeyHash hash{};
  // After a rotation the old key stays valid until then, beside the new one.
  std::optional<KeyHash> previous_hash;
  int64_t previous_until_ms = 0;
  int64_t created_ms = 0;
  int64_t revoked_ms = 0;  // 0: in force
};

struct NewKey {
  StoredKey stored;
  Secret key;  // shown once
};

// The key's entries for a KeyTable: none when it is revoked, two while a rotation overlaps.
void append_entries(const StoredKey& key, std::shared_ptr<ledger::LimitCells> key_limits,
                    std::vector<KeyEntry>& entries);

class KeyStore {
 public:
  // Opens data_dir/meta.db and brings its tables up to date. Errors: io_error, corrupt.
  static Result<KeyStore> open(const std::string& data_dir,
                               std::shared_ptr<const KeyHasher> hasher);

  // Errors: invalid_argument (name), already_exists.
  Result<NewKey> create(const KeySpec& spec, int64_t wall_ms);
  // A number that differs from the last answer when another connection has changed the file since
  // (SQLite's data_version): `weir key` beside a running server. This one's own changes do not
  // count.
  Result<int64_t> foreign_changes();
  // Newest first.
  Result<std::vector<StoredKey>> list(bool with_revoked = false);
  Result<StoredKey> get(std::string_view id);                          // not_found
  Result<StoredKey> update(std::string_view id, const KeySpec& spec);  // not_found, already_exists
  // At once and for good. Errors: not_found.
  Result<void> revoke(std::string_view id, int64_t wall_ms);
  // A new key under the same id; the old one is valid for `overlap_ms` more.
  Result<NewKey> rotate(std::string_view id, int64_t wall_ms, int64_t overlap_ms);

 private:
  KeyStore(store::Connection connection, std::shared_ptr<const KeyHasher> hasher)
      : connection_(std::move(connection)), hasher_(std::move(hasher)) {}
  store::Connection connection_;
  std::shared_ptr<const KeyHasher> hasher_;
};

}  // namespace weir::access
