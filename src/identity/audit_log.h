// The audit log: every change that somebody made through the admin API or the shell, in
// data_dir/audit.db. Records are numbered without gaps, and each holds the hash of the one before
// it, so none can be changed, moved or removed without breaking the chain behind it; the last one
// is named by a signed head, and every kCheckpointEvery-th by a signed checkpoint, so the chain
// cannot be made anew or cut off at its end without the key. What an attacker with the key or an
// older copy of the whole file could still do is caught by an anchor kept elsewhere (verify).
//
// Several processes may append: each does so in one transaction. Control-plane threads only.
// Limits: kTextBytesMax of each text, the rest is cut and marked.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/audit_key.h"
#include "store/sqlite.h"

namespace weir::identity {

using AuditHash = std::array<uint8_t, 32>;

struct AuditRecord {
  int64_t number = 0;  // from 1; given by append()
  int64_t time_ms = 0;
  std::string actor;       // "ada", "admin.token"
  std::string actor_kind;  // "session", "token", "admin_token", "local", "shell"
  std::string address;     // from where; empty on a shell
  std::string action;      // "POST /api/v1/keys/{id}/rotate", "weir key rotate"
  std::string object;      // what it was done to: an id or a name
  int64_t status = 0;      // the answer's; of a command 0
  std::string before;      // JSON without secrets; empty: unknown or nothing
  std::string after;
};

struct AuditQuery {
  int64_t before = 0;  // records with a lower number; 0: from the newest
  int64_t limit = 100;
  std::string actor;
  std::string action;  // part of it
  std::string object;
  int64_t since_ms = 0;
  int64_t until_ms = INT64_MAX;
};

struct AuditHead {
  int64_t number = 0;  // 0: no record
  AuditHash hash{};
  std::string signature;
};

// The head of a log as somebody noted it down.
struct AuditAnchor {
  int64_t number = 0;
  AuditHash hash{};
};
// "57:9f86d0…": what `weir audit verify` prints and takes.
std::string to_text(const AuditAnchor& anchor);
Result<AuditAnchor> parse_anchor(std::string_view text);

struct AuditReport {
  int64_t records = 0;
  int64_t checkpoints = 0;
  AuditAnchor head;
  std::vector<std::string> problems;  // empty: it is what was written. At most kProblemsMax
};

class AuditLog {
 public:
  static constexpr int64_t kCheckpointEvery = 100;
  static constexpr size_t kTextBytesMax = 16 * 1024;
  static constexpr size_t kProblemsMax = 20;

  // Errors: io_error, corrupt, those of the key.
  static Result<AuditLog> open(const std::string& data_dir);

  // Whether a record could be written now: writes one's worth of pages and takes it back. Asked
  // before a change, so that none happens that would not be told.
  Result<void> ready();
  // The record's number.
  Result<int64_t> append(AuditRecord record);
  Result<std::vector<AuditRecord>> list(const AuditQuery& query);  // newest first
  Result<AuditHead> head();
  std::string public_pem() const { return key_.public_pem(); }
  uint64_t appended() const { return appended_; }
  uint64_t failed() const { return failed_; }

  // Reads the whole log. With a public key kept elsewhere one that was signed anew with another is
  // found, with an anchor one that was put back to an older state. Errors: not_found, corrupt.
  static Result<AuditReport> verify(const std::string& data_dir, const AuditKey& key,
                                    const std::optional<AuditAnchor>& anchor = {});

 private:
  Result<int64_t> write(AuditRecord record);
  AuditLog(store::Connection connection, AuditKey key)
      : connection_(std::move(connection)), key_(std::move(key)) {}
  store::Connection connection_;
  AuditKey key_;
  uint64_t appended_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace weir::identity
