// Records: what an administrator made through the API or the shell and the configuration takes in
// (accounts with their credentials, models), sealed one by one, in data_dir/vault.db. Kind and name
// are readable there, nothing else. Each call is one transaction; a server and the shell may use
// the file at once. Control-plane threads. At most 4,096 records of 256 KiB.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "store/sqlite.h"
#include "vault/key_ring.h"

namespace weir::vault {

struct Record {
  std::string kind;  // "account", "model"
  std::string name;
  Secret text;  // JSON
  std::string key_id;
  int64_t created_ms = 0;
  int64_t changed_ms = 0;
};

// A record that this ring cannot open.
struct Unreadable {
  std::string kind;
  std::string name;
  Error error;
};

struct Listing {
  std::vector<Record> records;  // by kind and name
  std::vector<Unreadable> unreadable;
};

class Records {
 public:
  static constexpr size_t kRecordsMax = 4096;
  static constexpr size_t kTextMax = 256 * 1024;

  // Whether the directory has records: what need not be opened need not be made.
  static bool exist(const std::string& data_dir);
  // Errors: io_error, corrupt.
  static Result<Records> open(const std::string& data_dir, std::shared_ptr<KeyRing> ring);
  void use(std::shared_ptr<KeyRing> ring) { ring_ = std::move(ring); }
  std::shared_ptr<KeyRing> ring() const { return ring_; }

  Result<Listing> list();
  // Makes or replaces. Errors: limit_exceeded.
  Result<void> put(std::string_view kind, std::string_view name, const Secret& text,
                   int64_t wall_ms);
  Result<void> remove(std::string_view kind, std::string_view name);  // not_found

  struct Rewrapped {
    size_t changed = 0;
    size_t current = 0;  // were under the current key already
  };
  // Wraps every record's data key under the ring's current key. One transaction a record: what was
  // done stays done, and others read and write in between. Errors: those of the first that fails.
  Result<Rewrapped> rewrap();
  // Differs from the last answer when another connection has changed the file since.
  Result<int64_t> foreign_changes();

 private:
  Records(store::Connection connection, std::shared_ptr<KeyRing> ring)
      : connection_(std::move(connection)), ring_(std::move(ring)) {}
  store::Connection connection_;
  std::shared_ptr<KeyRing> ring_;
};

}  // namespace weir::vault
