// Keeper: the state of a fleet on disk, fleet.db in data_dir: one snapshot, compressed, and the
// changes of the registry since. A thread of its own writes; the fleet's loop hands it bytes and
// never waits. Each start takes a new epoch, so versions of tables grow whatever was lost. A killed
// process loses what changed in weights since the last snapshot and in the registry in the last
// second. Limits: kWaitingMost bytes on their way; changes beyond are dropped, counted, and made
// good by the next snapshot.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "store/directory_lock.h"
#include "store/sqlite.h"

namespace weir::fleet {

class Keeper {
 public:
  static constexpr size_t kWaitingMost = size_t{64} << 20;

  struct Found {
    std::string snapshot;  // empty: none
    std::string ops;       // since that snapshot
  };
  struct Stats {
    uint64_t snapshots = 0;
    uint64_t snapshot_bytes = 0;  // of the newest, compressed
    uint64_t changes_lost = 0;    // bytes of changes that found no room
    uint64_t failures = 0;        // writes that the disk refused
  };

  // Makes the directory where it is missing, and takes the next epoch. already_exists: another
  // process has it.
  static Result<std::unique_ptr<Keeper>> open(const std::string& data_dir);
  ~Keeper();

  uint64_t epoch() const { return epoch_; }
  // Before start().
  Result<Found> find();
  void start();

  // The fleet's loop. Changes since the last call, in order.
  void keep_ops(std::string ops);
  // Replaces the snapshot and all changes given before.
  void keep_snapshot(std::string bytes);
  // Whether the last snapshot is still being written.
  bool busy() const { return busy_; }
  Stats stats() const;
  // Writes what waits, and ends the thread.
  void stop();

 private:
  Keeper() = default;
  void work();
  Result<void> write(const std::vector<std::string>& ops, const std::string* snapshot);

  store::DirectoryLock lock_;
  store::Connection db_;  // the thread's, once started
  uint64_t epoch_ = 0;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable given_;
  std::vector<std::string> ops_;  // under mutex_, as the three below
  std::unique_ptr<std::string> snapshot_;
  size_t waiting_ = 0;
  bool ending_ = false;
  std::atomic<bool> busy_{false};
  std::atomic<uint64_t> snapshots_{0}, snapshot_bytes_{0}, changes_lost_{0}, failures_{0};
};

}  // namespace weir::fleet
