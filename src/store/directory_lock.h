// DirectoryLock: this process alone writes the files of a directory. Two servers with one data_dir
// would make the same request ids, and the ledger takes a row with a known id for one that it has
// already. The kernel lets go of the lock however the process ends, so nothing is left to clean up.
// Readers and the shell's commands need no lock: SQLite has its own.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace weir::store {

// Makes the directory, and those above it, where it is missing: for its owner alone (0700). One
// that is there stays as it is. io_error.
Result<void> make_private_directory(const std::string& path);

class DirectoryLock {
 public:
  // Errors: already_exists when another process has it, io_error, permission_denied. A file system
  // without locks (some network ones) is taken to be used by one server.
  static Result<DirectoryLock> take(const std::string& directory);
  DirectoryLock() = default;
  DirectoryLock(DirectoryLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~DirectoryLock();

 private:
  int file_ = -1;
};

}  // namespace weir::store
