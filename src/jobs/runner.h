// Runner: the jobs of a server, one after the other on one thread. Their records are kept in
// data_dir/jobs.db and the files they made in data_dir/jobs/, so that a job survives a page that is
// loaded again and a server that is started again; what ran when the process ended is `interrupted`
// then. Calls from the control plane's thread take a lock and, where a record is written,
// milliseconds; work never runs on the caller's thread.
//
// Limits: kWaitingMax jobs wait, with uploads of kHeldBytesMax together; kKeptMax records and the
// files of kFilesMax jobs are kept, the newest.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "jobs/job.h"
#include "store/sqlite.h"

namespace weir::jobs {

class Runner {
 public:
  static constexpr size_t kWaitingMax = 16;
  static constexpr uint64_t kHeldBytesMax = uint64_t{64} << 20;
  static constexpr size_t kKeptMax = 200;
  static constexpr size_t kFilesMax = 20;

  // `clock` outlives the runner. Errors: io_error, corrupt.
  static Result<std::unique_ptr<Runner>> open(const std::string& data_dir, const Clock& clock);
  ~Runner();  // stop()
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Errors: unavailable where too many wait.
  Result<Job> submit(Order order);
  std::vector<Job> list() const;  // newest first
  Result<Job> get(int64_t id) const;
  // A waiting job ends at once, a running one when its work hears of it. Errors: not_found,
  // invalid_argument where it is over.
  Result<Job> cancel(int64_t id);
  // Forgets a job that is over, with its file. Errors: not_found, invalid_argument.
  Result<void> remove(int64_t id);
  // Where a job's file lies. Errors: not_found, where it has none or not any more.
  Result<std::string> file_of(int64_t id) const;

  // Called on the runner's thread when a job is over, before its record says so.
  void on_end(std::function<void(const Job&)> call) { on_end_ = std::move(call); }

  // Grows with every change of any job.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  size_t waiting() const;
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // Cuts what runs, which becomes `interrupted`, and ends the thread.
  void stop();
  // For tests: waits until no job waits or runs.
  void wait_until_idle();

 private:
  struct Entry {
    Job job;
    Work work;
    uint64_t held_bytes = 0;
    bool cancelled = false;
  };
  class Running;

  Runner(std::string data_dir, const Clock& clock)
      : data_dir_(std::move(data_dir)), clock_(clock) {}
  Result<void> load();
  void run();
  void run_one(std::unique_lock<std::mutex>& lock, Entry& entry);
  Result<void> progress(Entry& entry, int64_t done, int64_t total);
  void write(const Job& job);
  void finish(Entry& entry, State state, std::string error);
  void tidy();
  void drop_file(Job& job);
  std::string path_of(const Job& job) const;
  Entry* next();

  const std::string data_dir_;
  const Clock& clock_;
  std::function<void(const Job&)> on_end_;
  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> refused_{0};
  mutable std::mutex mutex_;  // of everything below
  std::condition_variable changed_;
  std::map<int64_t, Entry> entries_;
  store::Connection connection_;
  int64_t last_id_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::jobs
