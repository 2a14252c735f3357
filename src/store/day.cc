#include "store/day.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>

namespace weir::store {

namespace {

std::optional<int> digits(std::string_view text) {
  int value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

}  // namespace

int64_t day_of(int64_t wall_ms) {
  int64_t day = wall_ms / kDayMs;
  return wall_ms % kDayMs < 0 ? day - 1 : day;
}

std::string day_text(int64_t day) {
  std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::optional<int64_t> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return {};
  auto year = digits(text.substr(0, 4));
  auto month = digits(text.substr(5, 2));
  auto day = digits(text.substr(8, 2));
  if (!year || !month || !day) return {};
  std::chrono::year_month_day date{std::chrono::year(*year),
                                   std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return {};
  return std::chrono::sys_days(date).time_since_epoch().count();
}

std::string day_file(const std::string& directory, std::string_view prefix, int64_t day) {
  return fmt::format("{}/{}-{}.db", directory, prefix, day_text(day));
}

std::vector<int64_t> days_on_disk(const std::string& directory, std::string_view prefix) {
  std::vector<int64_t> days;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.size() != prefix.size() + 14 || !name.starts_with(prefix) ||
        name[prefix.size()] != '-' || !name.ends_with(".db")) {
      continue;
    }
    if (auto day = parse_day(std::string_view(name).substr(prefix.size() + 1, 10))) {
      days.push_back(*day);
    }
  }
  std::sort(days.begin(), days.end());
  return days;
}

bool remove_database(const std::string& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  bool gone = !error;
  std::filesystem::remove(path + "-wal", error);
  std::filesystem::remove(path + "-shm", error);
  return gone;
}

}  // namespace weir::store
