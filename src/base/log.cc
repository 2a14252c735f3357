#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <thread>

#include "base/check.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "base/log_queue.h"
#include "base/utf8.h"

namespace weir::log {

namespace detail {
std::atomic<Level> lowest{Level::off};
}

namespace {

constexpr std::chrono::seconds kStopWait{2};
constexpr size_t kBatchBytes = 64 * 1024;
constexpr size_t kLineBytesGuess = 256;

std::atomic<uint64_t> dropped_lines{0};

std::string format_line(int64_t wall_ms, Level level, std::string_view event, Fields fields) {
  std::string line;
  line.reserve(kLineBytesGuess);
  line += "{\"time\":\"";
  append_rfc3339(line, wall_ms);
  line += "\",\"level\":\"";
  line += to_string(level);
  line += "\",\"event\":";
  json::append_quoted(line, event);
  for (const Field& field : fields) {
    line.push_back(',');
    json::append_quoted(line, field.key);
    line.push_back(':');
    field.value.append_to(line);
  }
  line += "}\n";
  return line;
}

int64_t now_ms() {
  return SystemClock().wall_ms();
}

Result<int> open_output(const std::string& path) {
  if (path.empty()) return STDERR_FILENO;
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return fail(ErrorCode::io_error,
                fmt::format("cannot open the log file {}: {}", path, std::strerror(errno)));
  }
  return fd;
}

// The queue with its thread. Never freed, because a caller may still be about to push: there is
// one for each start(), so one in a process that is no test.
class Logger {
 public:
  Logger(const Options& options, int fd)
      : queue_(options.lines_max, options.bytes_max), path_(options.path), fd_(fd) {}

  void run_thread() {
    // Signals are for the threads that expect them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void push(std::string line) {
    if (!queue_.push(line)) dropped_lines.fetch_add(1, std::memory_order_relaxed);
    wake_if_asleep();
  }

  void reopen() {
    reopen_.store(true, std::memory_order_relaxed);
    wake_if_asleep();
  }

  void stop() {
    stopping_.store(true, std::memory_order_relaxed);
    wake_if_asleep();
    std::unique_lock lock(mutex_);
    if (done_.wait_for(lock, kStopWait, [this] { return finished_; })) {
      lock.unlock();
      thread_.join();
    } else {
      thread_.detach();
    }
  }

 private:
  // Whatever a caller did before its exchange is seen by the thread that reads its value, or the
  // caller reads `true` and wakes the thread: nothing is left lying unseen.
  void wake_if_asleep() {
    if (!asleep_.exchange(false, std::memory_order_acq_rel)) return;
    wakes_.fetch_add(1, std::memory_order_release);
    wakes_.notify_one();
  }

  void run() {
    while (true) {
      const uint32_t wakes = wakes_.load(std::memory_order_acquire);
      write_out();
      asleep_.exchange(true, std::memory_order_acq_rel);
      if (!queue_.empty() || reopen_.load(std::memory_order_relaxed)) continue;
      if (stopping_.load(std::memory_order_relaxed)) break;
      wakes_.wait(wakes, std::memory_order_acquire);
    }
    if (fd_ != STDERR_FILENO) ::close(fd_);
    const std::lock_guard lock(mutex_);
    finished_ = true;
    done_.notify_all();
  }

  void write_out() {
    if (reopen_.exchange(false, std::memory_order_relaxed)) open_again();
    std::string line;
    do {
      batch_.clear();
      batch_lines_ = 0;
      while (batch_.size() < kBatchBytes && queue_.pop(line)) {
        batch_ += line;
        ++batch_lines_;
      }
      tell_dropped();
      write_batch();
    } while (!batch_.empty());
  }

  void tell_dropped() {
    const uint64_t dropped_now = dropped_lines.load(std::memory_order_relaxed);
    if (dropped_now == dropped_told_) return;
    batch_ += format_line(now_ms(), Level::warn, "log_lines_dropped",
                          {{"count", dropped_now - dropped_told_}, {"total", dropped_now}});
    dropped_told_ = dropped_now;
  }

  void write_batch() {
    std::string_view left = batch_;
    while (!left.empty()) {
      const ssize_t written = ::write(fd_, left.data(), left.size());
      if (written > 0) {
        left.remove_prefix(static_cast<size_t>(written));
      } else if (errno == EAGAIN) {
        pollfd wait{fd_, POLLOUT, 0};
        ::poll(&wait, 1, 1000);  // stderr may have been made non-blocking by whoever shares it
      } else if (errno != EINTR) {
        // Nowhere to complain. Told later, should the output come back (a full disk may).
        dropped_lines.fetch_add(batch_lines_, std::memory_order_relaxed);
        return;
      }
    }
  }

  void open_again() {
    const Result<int> opened = open_output(path_);
    if (opened) {
      if (fd_ != STDERR_FILENO) ::close(fd_);
      fd_ = *opened;
    } else {
      batch_ = format_line(now_ms(), Level::error, "log_reopen_failed",
                           {{"error", opened.error().message()}});
      batch_lines_ = 1;
      write_batch();
    }
  }

  LineQueue queue_;
  const std::string path_;
  int fd_;
  std::atomic<bool> asleep_{false};
  std::atomic<uint32_t> wakes_{0};
  std::atomic<bool> reopen_{false};
  std::atomic<bool> stopping_{false};
  // The writing thread's own.
  std::string batch_;
  uint64_t batch_lines_ = 0;
  uint64_t dropped_told_ = dropped_lines.load(std::memory_order_relaxed);
  // Between stop() and the end of the thread.
  std::mutex mutex_;
  std::condition_variable done_;
  bool finished_ = false;
  std::thread thread_;
};

std::atomic<Logger*> installed{nullptr};
std::atomic<Capture*> capturing{nullptr};
std::mutex control;  // start() and stop() only

std::vector<std::unique_ptr<Logger>>& all_loggers() {
  static auto& loggers = *new std::vector<std::unique_ptr<Logger>>;
  return loggers;
}

void stop_installed() {
  if (Logger* logger = installed.exchange(nullptr, std::memory_order_acq_rel)) logger->stop();
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
    case Level::off:
      break;
  }
  return "off";
}

std::optional<Level> parse_level(std::string_view name) {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
    if (name == to_string(level)) return level;
  }
  return std::nullopt;
}

void FieldValue::append_to(std::string& out) const {
  json::Writer writer(out);
  switch (kind_) {
    case Kind::boolean:
      writer.boolean(integer_ != 0);
      return;
    case Kind::integer:
      writer.number(integer_);
      return;
    case Kind::natural:
      writer.number(static_cast<uint64_t>(integer_));
      return;
    case Kind::real:
      writer.number(real_);
      return;
    case Kind::text:
      break;
  }
  if (text_.size() <= kTextBytesMax) {
    writer.string(text_);
  } else {
    writer.string(std::string(utf8_truncate(text_, kTextBytesMax)) + "…");
  }
}

void write(Level level, std::string_view event, Fields fields) {
  if (!enabled(level)) return;
  if (Capture* capture = capturing.load(std::memory_order_acquire)) {
    const int64_t now = capture->clock_ != nullptr ? capture->clock_->wall_ms() : now_ms();
    capture->keep(format_line(now, level, event, fields), event);
  } else if (Logger* logger = installed.load(std::memory_order_acquire)) {
    logger->push(format_line(now_ms(), level, event, fields));
  }
}

Result<void> start(const Options& options) {
  const std::lock_guard lock(control);
  WEIR_TRY(const int fd, open_output(options.path));
  stop_installed();
  auto& logger = all_loggers().emplace_back(std::make_unique<Logger>(options, fd));
  logger->run_thread();
  installed.store(logger.get(), std::memory_order_release);
  detail::lowest.store(options.level, std::memory_order_relaxed);
  return {};
}

void stop() {
  const std::lock_guard lock(control);
  detail::lowest.store(Level::off, std::memory_order_relaxed);
  stop_installed();
}

void set_level(Level level) {
  detail::lowest.store(level, std::memory_order_relaxed);
}

void reopen() {
  const std::lock_guard lock(control);
  if (Logger* logger = installed.load(std::memory_order_acquire)) logger->reopen();
}

uint64_t dropped() {
  return dropped_lines.load(std::memory_order_relaxed);
}

Capture::Capture(Level level, const Clock* clock)
    : clock_(clock), level_before_(detail::lowest.load(std::memory_order_relaxed)) {
  WEIR_ASSERT(capturing.exchange(this, std::memory_order_acq_rel) == nullptr);
  set_level(level);
}

Capture::~Capture() {
  set_level(level_before_);
  capturing.store(nullptr, std::memory_order_release);
}

void Capture::keep(std::string line, std::string_view event) {
  line.pop_back();  // the line feed
  const std::lock_guard lock(mutex_);
  lines_.push_back(std::move(line));
  events_.emplace_back(event);
}

std::vector<std::string> Capture::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

size_t Capture::count(std::string_view event) const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(std::count(events_.begin(), events_.end(), event));
}

bool Capture::contains(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(lines_.begin(), lines_.end(), [text](const std::string& line) {
    return line.find(text) != std::string::npos;
  });
}

}  // namespace weir::log
