#include "base/date.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace weir {
namespace {

namespace chrono = std::chrono;

constexpr int64_t kSecondMs = 1000;
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kLastMs = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Moment {
  int year;
  unsigned month;
  unsigned day;
  unsigned weekday;
  int hour;
  int minute;
  int second;
  int millisecond;
};

Moment take_apart(int64_t wall_ms) {
  wall_ms = std::clamp<int64_t>(wall_ms, 0, kLastMs);
  const chrono::sys_days day{chrono::days(wall_ms / kDayMs)};
  const chrono::year_month_day date(day);
  const auto rest = static_cast<int>(wall_ms % kDayMs);
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          chrono::weekday(day).c_encoding(),
          rest / 3'600'000,
          rest / 60'000 % 60,
          rest / 1000 % 60,
          rest % 1000};
}

std::optional<int64_t> put_together(int64_t year, unsigned month, int64_t day, int64_t hour,
                                    int64_t minute, int64_t second) {
  const chrono::year_month_day date{chrono::year(static_cast<int>(year)), chrono::month(month),
                                    chrono::day(static_cast<unsigned>(day))};
  if (year < 1970 || year > 9999 || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  const int64_t days = chrono::sys_days(date).time_since_epoch().count();
  return days * kDayMs + ((hour * 60 + minute) * 60 + second) * kSecondMs;
}

// Takes a text apart from the front; once something is missing, ok() stays false.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : left_(text) {}

  int64_t digits(size_t count) {
    int64_t value = 0;
    if (left_.size() < count) ok_ = false;
    for (size_t i = 0; ok_ && i < count; ++i) {
      if (left_[i] < '0' || left_[i] > '9') ok_ = false;
      value = value * 10 + (left_[i] - '0');
    }
    if (ok_) left_.remove_prefix(count);
    return ok_ ? value : 0;
  }
  void skip(std::string_view expected) {
    if (!try_skip(expected)) ok_ = false;
  }
  bool try_skip(std::string_view expected) {
    if (!ok_ || !left_.starts_with(expected)) return false;
    left_.remove_prefix(expected.size());
    return true;
  }
  // 1 to 12, or 0.
  unsigned month() {
    for (unsigned i = 0; i < kMonths.size(); ++i) {
      if (try_skip(kMonths[i])) return i + 1;
    }
    ok_ = false;
    return 0;
  }
  bool next_is_digit() const {
    return !left_.empty() && left_.front() >= '0' && left_.front() <= '9';
  }
  bool done() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

struct TimeOfDay {
  int64_t hour;
  int64_t minute;
  int64_t second;
};

TimeOfDay read_time(Cursor& cursor) {
  TimeOfDay time{};
  time.hour = cursor.digits(2);
  cursor.skip(":");
  time.minute = cursor.digits(2);
  cursor.skip(":");
  time.second = cursor.digits(2);
  return time;
}

// "06 Nov 1994 08:49:37 GMT"
std::optional<int64_t> parse_imf(std::string_view text) {
  Cursor cursor(text);
  const int64_t day = cursor.digits(2);
  cursor.skip(" ");
  const unsigned month = cursor.month();
  cursor.skip(" ");
  const int64_t year = cursor.digits(4);
  cursor.skip(" ");
  const TimeOfDay time = read_time(cursor);
  cursor.skip(" GMT");
  if (!cursor.done()) return std::nullopt;
  return put_together(year, month, day, time.hour, time.minute, time.second);
}

// "06-Nov-94 08:49:37 GMT"
std::optional<int64_t> parse_rfc850(std::string_view text) {
  Cursor cursor(text);
  const int64_t day = cursor.digits(2);
  cursor.skip("-");
  const unsigned month = cursor.month();
  cursor.skip("-");
  const int64_t year = cursor.digits(2);
  cursor.skip(" ");
  const TimeOfDay time = read_time(cursor);
  cursor.skip(" GMT");
  if (!cursor.done()) return std::nullopt;
  return put_together(year < 70 ? 2000 + year : 1900 + year, month, day, time.hour, time.minute,
                      time.second);
}

// "Nov  6 08:49:37 1994"
std::optional<int64_t> parse_asctime(std::string_view text) {
  Cursor cursor(text);
  const unsigned month = cursor.month();
  cursor.skip(" ");
  const int64_t day = cursor.try_skip(" ") ? cursor.digits(1) : cursor.digits(2);
  cursor.skip(" ");
  const TimeOfDay time = read_time(cursor);
  cursor.skip(" ");
  const int64_t year = cursor.digits(4);
  if (!cursor.done()) return std::nullopt;
  return put_together(year, month, day, time.hour, time.minute, time.second);
}

}  // namespace

void append_rfc3339(std::string& out, int64_t wall_ms) {
  const Moment m = take_apart(wall_ms);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", m.year,
                 m.month, m.day, m.hour, m.minute, m.second, m.millisecond);
}

std::string rfc3339(int64_t wall_ms) {
  std::string out;
  append_rfc3339(out, wall_ms);
  return out;
}

std::optional<int64_t> parse_rfc3339(std::string_view text) {
  Cursor cursor(text);
  const int64_t year = cursor.digits(4);
  cursor.skip("-");
  const auto month = static_cast<unsigned>(cursor.digits(2));
  cursor.skip("-");
  const int64_t day = cursor.digits(2);
  if (!cursor.try_skip("T") && !cursor.try_skip("t")) cursor.skip(" ");
  const TimeOfDay time = read_time(cursor);
  int64_t millisecond = 0;
  if (cursor.try_skip(".")) {
    int64_t scale = 100;
    millisecond = cursor.digits(1) * scale;
    while (cursor.next_is_digit()) {
      scale /= 10;
      millisecond += cursor.digits(1) * scale;
    }
  }
  int64_t offset_minutes = 0;
  if (!cursor.try_skip("Z") && !cursor.try_skip("z")) {
    const bool west = cursor.try_skip("-");
    if (!west) cursor.skip("+");
    const int64_t hours = cursor.digits(2);
    cursor.skip(":");
    const int64_t minutes = cursor.digits(2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
  }
  if (!cursor.done()) return std::nullopt;
  const auto local = put_together(year, month, day, time.hour, time.minute, time.second);
  if (!local) return std::nullopt;
  return *local + millisecond - offset_minutes * 60 * kSecondMs;
}

std::string http_date(int64_t wall_ms) {
  const Moment m = take_apart(wall_ms);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[m.weekday], m.day,
                     kMonths[m.month - 1], m.year, m.hour, m.minute, m.second);
}

std::optional<int64_t> parse_http_date(std::string_view text) {
  // The name of the day adds nothing: skip it, and tell the forms apart by what follows.
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space < 3) return std::nullopt;
  const std::string_view rest = text.substr(space + 1);
  if (text[space - 1] != ',') return parse_asctime(rest);
  return rest.size() > 2 && rest[2] == '-' ? parse_rfc850(rest) : parse_imf(rest);
}

}  // namespace weir
