// The writing half of the request log, without threads or queues: takes batches of rows and puts
// them into the day files. Belongs to the log's writer thread; tests drive it directly. Limits:
// three day files open at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/log_schema.h"
#include "ledger/request_log.h"
#include "ledger/tally.h"
#include "store/feed.h"
#include "store/sqlite.h"
#include "store/zstd.h"

namespace weir::ledger {

class LogWriter {
 public:
  explicit LogWriter(const LogOptions& options);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Since the start, failed batches included as far as they came.
  struct Totals {
    uint64_t rows = 0;      // new rows; one that was there already does not count
    uint64_t summed = 0;    // of them, that are in the sums
    uint64_t unusable = 0;  // rows that SQLite can not hold (too big)
    uint64_t captures = 0;
    uint64_t captures_failed = 0;
    uint64_t commits = 0;
  };

  // Makes today's file and meta.db, so that a store that can not work is known at start.
  Result<void> prepare(int64_t wall_ms);
  // One transaction per day that occurs among the rows. Rows of days that were committed before an
  // error are written again by the retry, which changes nothing. Captures are stored first, and
  // taken off their rows. What the rows add to the sums is kept for write_sums(); should this
  // process be killed before, the next one that opens the file adds it.
  Result<void> write(std::span<RowView> rows);
  Result<void> write_sums();
  bool sums_wait() const;
  // Rows and sums.
  Result<void> write(std::span<RequestRow> rows);
  const Totals& totals() const { return totals_; }
  // Drops the files that are over their time, archiving their rollups. Errors: of the archiving;
  // the rest goes on.
  Result<void> drop_old(int64_t wall_ms);
  // Closes connections to old days, and to files that somebody removed.
  void close_unused();

 private:
  struct DayFile {
    std::unique_ptr<store::Feed> feed;  // outlives the connection
    store::Connection connection;
    store::Statement insert;
    store::Statement insert_untallied;
    store::Statement delete_untallied;
    TallyWriter tallies;
    int64_t first_batch = 0;  // of those that `tallies` holds
    int64_t batches = 0;
    std::string path;
  };

  Result<DayFile*> requests_of(int64_t day);
  Result<DayFile*> captures_of(int64_t day);
  Result<void> write_day(int64_t day, std::span<RowView*> rows);
  Result<void> insert_all(DayFile& file, std::span<RowView*> rows, bool& done);
  Result<void> insert_each(DayFile& file, std::span<RowView*> rows);
  Result<void> commit_rows(DayFile& file, store::Transaction transaction,
                           std::span<RowView*> inserted);
  Result<void> write_sums(DayFile& file);
  Result<void> write_captures(int64_t day, std::span<RowView*> rows);
  Result<void> archive(int64_t day);
  void settle(DayFile& file);
  int busy_ms() const { return static_cast<int>(options_.busy_timeout.count()); }

  const LogOptions options_;
  store::Compressor compressor_;
  Totals totals_;
  int64_t next_batch_ = 0;
  std::string ids_;  // of a batch: its room is kept
  std::map<int64_t, DayFile> requests_;
  std::map<int64_t, DayFile> captures_;
};

}  // namespace weir::ledger
