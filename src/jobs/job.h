// A job: long work of the control plane that is asked for and goes on by itself: an export, a
// re-rating, a reconciliation. Values; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::jobs {

enum class State : uint8_t { queued, running, done, failed, cancelled, interrupted };
std::string_view to_string(State state);
// Whether nothing more will happen to it.
constexpr bool is_over(State state) {
  return state != State::queued && state != State::running;
}

struct Job {
  int64_t id = 0;
  std::string kind;   // "export"
  std::string title;  // for a person: "Export of 2026-11-01 to 2026-12-01 as focus-1.4"
  State state = State::queued;
  int64_t done = 0;
  int64_t total = 0;  // 0: not known
  std::string unit;   // of both: "rows", "files"
  int64_t created_ms = 0;
  int64_t started_ms = 0;  // 0: not yet
  int64_t ended_ms = 0;
  std::string by;         // who asked for it
  std::string result;     // JSON object; empty where there is none
  std::string error;      // failed, interrupted: why
  std::string file_name;  // what a download is called; empty: it has no file
};

// What work has of its job. Runner's thread.
class Control {
 public:
  virtual ~Control() = default;
  // How far it is. Errors: cancelled, by which the work is to end.
  virtual Result<void> progress(int64_t done, int64_t total) = 0;
  // Where its file is to be written; empty where it has none.
  virtual const std::string& file_path() const = 0;
  // Who asked for it.
  virtual const std::string& by() const = 0;
};

// The job's result as a JSON object.
using Work = std::function<Result<std::string>(Control& control)>;

struct Order {
  std::string kind;
  std::string title;
  std::string unit;
  std::string by;
  std::string file_name;    // "weir-2026-11.csv" where the work writes a file
  uint64_t held_bytes = 0;  // of what was uploaded for it, kept in memory until it is over
  Work work;
};

}  // namespace weir::jobs
