// The request log: rows from the workers' queues into one SQLite file per UTC day, by one writer
// thread that commits in groups. Layout of data_dir:
//
// - requests-2026-11-22.db: rows of requests begun then, and their hourly rollups (one transaction)
// - captures-2026-11-22.db: kept bodies, zstd
// - meta.db: rollups of days whose file was dropped, and other rooms' tables
// - journal.bin: requests on their way and rows that are not committed yet (journal.h)
//
// A worker hands a row over through its own LogPort: a bounded ring, no lock, no wait, no system
// call but an occasional wake-up of the writer. Rows that do not fit are dropped and counted. The
// writer commits at most `commit_interval` after a row came, and adds it to the sums at most
// `sums_interval` after that: WAL with synchronous=NORMAL. A killed
// process loses nothing: what was not committed is in the journal and becomes rows at the next
// start. A power cut may lose recent rows, and corrupts nothing.
// When the disk fails rows wait in a bounded spool and are retried; health() and the process log
// tell. A day file that is found corrupt is moved aside and a new one begun.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/row.h"

namespace weir::ledger {

struct LogOptions {
  std::string data_dir;           // must exist
  uint32_t ports = 1;             // one per producing thread
  uint32_t port_rows_max = 8192;  // per port; rounded up to a power of two
  int64_t port_bytes_max = int64_t{64} << 20;
  uint32_t spool_rows_max = 200'000;
  int64_t spool_bytes_max = int64_t{256} << 20;
  Milliseconds commit_interval{200};
  Milliseconds sums_interval{1000};
  uint32_t commit_rows_max = 4096;  // one transaction
  Milliseconds busy_timeout{2000};  // for a file that another process has locked
  uint32_t journal_slots = 16'384;  // requests under way, all ports together; 0: no journal
  int64_t capture_message_bytes_max = int64_t{1} << 20;  // of a body, before compression
  int capture_level = 3;                                 // zstd
  int32_t retention_days = 90;                           // request files; 0 keeps all
  int32_t capture_retention_days = 7;
};

struct LogHealth {
  bool ok = true;
  std::string problem;  // what fails and what was kept, empty when ok
  uint64_t rows_written = 0;
  uint64_t rows_summed = 0;   // of these, that are in the sums
  uint64_t rows_dropped = 0;  // queue or spool full
  uint64_t rows_spooled = 0;  // waiting for the store, now
  uint64_t captures_written = 0;
  uint64_t captures_dropped = 0;
  uint64_t commits = 0;
  uint64_t store_errors = 0;
  uint64_t rows_recovered = 0;    // at the start: what a killed process had left
  uint64_t rows_unjournaled = 0;  // requests that found no room in the journal
  bool journal_on = false;
  int64_t last_commit_ms = 0;  // wall time; 0: none yet
};

// One producer's end. Belongs to that producer's thread.
class LogPort {
 public:
  ~LogPort();
  // Before a request goes out: its row, should the process be killed before the request has ended.
  // Sets its journal_slot, which the next note() and the submit() of that request take along.
  void note(RowView& row);
  // Never waits. False: the queue is full, the row is gone and counted; what the journal has of it
  // becomes a row at the next start.
  bool submit(RowView&& row);
  bool submit(RequestRow&& row);
  uint64_t dropped() const;
  // Whether the store took what came last; while it does not, rows wait.
  bool store_works() const { return store_works_.load(std::memory_order_relaxed); }

 private:
  friend class RequestLog;
  struct Ring;
  template <class Row>
  bool hand_over(Row& row);
  LogPort(std::unique_ptr<Ring> ring, JournalPort& journal);
  std::unique_ptr<Ring> ring_;
  JournalPort& journal_;
  std::string record_;                   // of the row at hand: its room is kept
  std::atomic<bool> store_works_{true};  // told by the writer thread
};

class RequestLog {
 public:
  // Opens or makes the files, applies migrations and starts the writer thread. A store that can
  // not be opened is an error here (io_error, corrupt); later failures only show in health().
  // `clock` must outlive the log; it is read on the writer thread.
  static Result<std::unique_ptr<RequestLog>> open(LogOptions options, const Clock& clock);
  ~RequestLog();

  LogPort& port(uint32_t index);
  LogHealth health() const;  // any thread
  // Waits until every row submitted before is committed or the time is over. Not for workers.
  // Errors: timeout, unavailable (the store fails; rows are still spooled).
  Result<void> flush(Milliseconds timeout);
  // Writes what is queued, closes. Called by the destructor too. Rows that are submitted after it
  // stay in the queue and are lost.
  void stop();

 private:
  struct Impl;
  explicit RequestLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::ledger
