// Compaction: gives back the room that the files of past days hold and do not need, after captures
// or rows were removed or a crash left a long write-ahead log. Today's files are the writer's and
// stay as they are. For a command or a job, beside a running server; a file that somebody has
// locked is left for the next time, and so is one that the disk has no room to write a second time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace weir::ledger {

struct CompactQuery {
  std::string data_dir = {};
  int64_t today = 0;
  // Hears before each file; its errors end the compaction between two files.
  std::function<Result<void>(int64_t done, int64_t total)> progress = {};
};

struct CompactReport {
  int64_t files = 0;
  int64_t compacted = 0;
  int64_t left = 0;  // locked, damaged, or no room
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;
};

Result<CompactReport> compact(const CompactQuery& query);

}  // namespace weir::ledger
