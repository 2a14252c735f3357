#include "app/commands/shell_audit.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <ostream>

#include "base/clock.h"
#include "identity/audit_log.h"

namespace weir::app {
namespace {

std::string login_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> room{};
  if (getpwuid_r(getuid(), &entry, room.data(), room.size(), &found) == 0 && found != nullptr) {
    return entry.pw_name;
  }
  return fmt::format("uid {}", getuid());
}

}  // namespace

void record_change(const std::string& data_folder, const ShellChange& change, Terminal& terminal) {
  auto log = identity::AuditLog::open(data_folder);
  Result<int64_t> done = fail(ErrorCode::internal);
  if (log) {
    done = log->append({.time_ms = SystemClock().wall_ms(),
                        .actor = login_name(),
                        .actor_kind = "shell",
                        .address = {},
                        .action = std::string(change.action),
                        .object = std::string(change.object),
                        .before = change.before,
                        .after = change.after});
  }
  if (log && done) return;
  terminal.err << "weir: done, but not in the audit log: "
               << (log ? done.error() : log.error()).message() << "\n";
}

}  // namespace weir::app
