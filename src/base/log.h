// The structured log: one JSON object per line, to stderr or a file. A caller formats its line and
// puts it in a bounded queue without a lock; one thread of the log's own writes. Nobody ever waits
// for the log: a line that finds the queue full is dropped and counted, and the next written line
// says how many were lost. Callable from any thread, also while the process ends.
//
//   log::info("listener_started", {{"address", address}, {"tls", true}, {"port", port}});
//   {"time":"2026-11-22T14:33:17.123Z","level":"info","event":"listener_started","address":...}
//
// Events are snake_case names that stay the same; what varies is a field. Secrets have no way in
// (Secret does not convert), and prompts and answers are never fields. A text longer than
// kTextBytesMax is cut. Until start() is called lines go nowhere.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace weir::log {

enum class Level : uint8_t { debug, info, warn, error, off };

std::string_view to_string(Level level);
std::optional<Level> parse_level(std::string_view name);

inline constexpr size_t kTextBytesMax = 4096;

// A field's value; refers to the text it was made from, which only has to live for the call.
class FieldValue {
 public:
  FieldValue(std::string_view text) : kind_(Kind::text), text_(text) {}
  FieldValue(const std::string& text) : FieldValue(std::string_view(text)) {}
  FieldValue(const char* text) : FieldValue(std::string_view(text == nullptr ? "" : text)) {}
  template <class T>
  FieldValue(const T*) = delete;  // would print as true
  FieldValue(bool value) : kind_(Kind::boolean), integer_(value ? 1 : 0) {}
  FieldValue(double value) : kind_(Kind::real), real_(value) {}
  template <std::integral T>
  FieldValue(T value)
      : kind_(std::signed_integral<T> ? Kind::integer : Kind::natural),
        integer_(static_cast<int64_t>(value)) {}

  void append_to(std::string& out) const;

 private:
  enum class Kind : uint8_t { text, boolean, integer, natural, real };
  Kind kind_;
  std::string_view text_;
  int64_t integer_ = 0;
  double real_ = 0;
};

struct Field {
  std::string_view key;
  FieldValue value;
};
using Fields = std::initializer_list<Field>;

namespace detail {
extern std::atomic<Level> lowest;  // lines below it go nowhere
}

inline bool enabled(Level level) {
  return level >= detail::lowest.load(std::memory_order_relaxed) && level != Level::off;
}

void write(Level level, std::string_view event, Fields fields = {});
inline void debug(std::string_view event, Fields fields = {}) {
  if (enabled(Level::debug)) write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  if (enabled(Level::info)) write(Level::info, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
  if (enabled(Level::warn)) write(Level::warn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  if (enabled(Level::error)) write(Level::error, event, fields);
}

struct Options {
  Level level = Level::info;
  std::string path;                 // empty: stderr; a file is appended to, made with mode 0640
  uint32_t lines_max = 8192;        // in the queue; rounded up to a power of two
  uint64_t bytes_max = 8ULL << 20;  // in the queue
};

// Opens the output and starts the writing thread. io_error where the file cannot be opened; calling
// it again ends the log before and starts the new one.
Result<void> start(const Options& options);
// Writes what is queued and ends the thread. Waits two seconds at most: an output that takes
// nothing does not hold up the exit.
void stop();

void set_level(Level level);
// Opens the file again by its path, for log rotation. Harmless when writing to stderr.
void reopen();
// Lines dropped since the process started.
uint64_t dropped();

// For tests: while it lives, lines are kept here instead of being written, with the time of `clock`
// where one is given. The threads that log must be gone before it is. One at a time.
class Capture {
 public:
  explicit Capture(Level level = Level::debug, const Clock* clock = nullptr);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  std::vector<std::string> lines() const;
  // How many lines have that event.
  size_t count(std::string_view event) const;
  // Whether any line holds that text anywhere: for "the secret is not in the log".
  bool contains(std::string_view text) const;

 private:
  friend void write(Level level, std::string_view event, Fields fields);
  void keep(std::string line, std::string_view event);

  const Clock* clock_;
  Level level_before_;
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> events_;
};

}  // namespace weir::log
