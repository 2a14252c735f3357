// Calendar days in UTC for files named by day, and their text. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::store {

inline constexpr int64_t kDayMs = 86'400'000;

// Days since 1970-01-01 of that wall time; rounds down before it too.
int64_t day_of(int64_t wall_ms);
// "2026-11-22".
std::string day_text(int64_t day);
// Reads "2026-11-22"; nullopt for anything else and for days that do not exist.
std::optional<int64_t> parse_day(std::string_view text);

// DIR/PREFIX-2026-11-22.db
std::string day_file(const std::string& directory, std::string_view prefix, int64_t day);
// The days for which such a file exists, ascending. Unreadable directories have none.
std::vector<int64_t> days_on_disk(const std::string& directory, std::string_view prefix);
// Removes a database file with its WAL and shared-memory files. False: the file is still there.
bool remove_database(const std::string& path);

}  // namespace weir::store
