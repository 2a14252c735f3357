// Keeper: what one call leaves for a later one. Pins (see PinTable) and records are written to
// state.db in data_dir by one thread, which also reads records back; workers give it letters and
// wait for nothing but an answer they asked for, in a coroutine.
//
// A record is found from the moment keep() returned, on any worker: letters are taken in the order
// of giving, and what was kept last stays in memory. Limits: kLettersMax letters and
// kLetterBytesMax bytes on the way, kRecentBytesMax of records in memory, kPendingMax changes while
// the disk fails; beyond them pins and records are dropped and counted. On disk: Options. A killed
// process loses what was given in its last kCommitInterval.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/task.h"
#include "state/mailbox.h"
#include "state/pin_table.h"
#include "state/record.h"

namespace weir::state {

struct Options {
  std::string data_dir;  // must exist
  size_t pins_max = 262'144;
  Milliseconds pin_retention{30LL * 86'400'000};
  bool responses = true;  // keep answers that Weir made for the Responses API
  Milliseconds response_retention{30LL * 86'400'000};
  uint64_t bytes_max = 1ULL << 30;  // records on disk, compressed
  bool threaded = true;             // false: everything happens inside the calls (tests)
};

// A copy of the counters below.
struct KeeperSample {
  bool healthy = true;
  uint64_t pins = 0;
  uint64_t pins_evicted = 0;
  uint64_t records = 0;
  uint64_t records_evicted = 0;
  uint64_t dropped = 0;  // by full queues
  uint64_t store_errors = 0;
  uint64_t finds_timed_out = 0;
  uint64_t bytes_on_disk = 0;
};

// Counters and gauges; any thread reads them.
struct KeeperCounters {
  std::atomic<uint64_t> pins{0};             // learned
  std::atomic<uint64_t> records{0};          // kept
  std::atomic<uint64_t> letters_dropped{0};  // the mailbox was full
  std::atomic<uint64_t> changes_dropped{0};  // the disk failed for too long
  std::atomic<uint64_t> records_evicted{0};  // over bytes_max
  std::atomic<uint64_t> store_errors{0};     //
  std::atomic<uint64_t> finds_timed_out{0};  //
  std::atomic<uint64_t> bytes_on_disk{0};    // gauge: of records
};

class Keeper {
 public:
  static constexpr size_t kLettersMax = 65'536;
  static constexpr size_t kLetterBytesMax = 256ULL << 20;
  static constexpr size_t kRecentBytesMax = 64ULL << 20;
  static constexpr size_t kPendingMax = 100'000;
  static constexpr size_t kRecordBytesMax = 64ULL << 20;
  static constexpr Milliseconds kCommitInterval{100};
  static constexpr Milliseconds kFindPatience{5'000};

  // Opens or makes state.db and reads the pins. A damaged file is moved aside. `clock` outlives the
  // keeper; it is read on the keeper's thread.
  static Result<std::unique_ptr<Keeper>> open(Options options, const Clock& clock);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  const Options& options() const { return options_; }
  const PinTable& pins() const { return pins_; }
  const KeeperCounters& counters() const { return counters_; }
  KeeperSample sample() const;
  // The disk took everything at the last try.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }

  // Any thread; none of these waits. False: there is no room, it is not kept.
  bool pin(std::string id, std::string_view account, int64_t now_ms);
  void unpin(std::string id);
  bool keep(Record record);
  void remove(std::string id);

  // The record of that id, or nullopt. `take`: and it is gone, so that only one caller gets it.
  // Resumes on `loop`. Errors: unavailable (no room, stopped), timeout, or the disk's.
  net::Task<Result<std::optional<Record>>> find(net::Loop& loop, std::string id, RecordKind kind,
                                                bool take = false);

  // Resumes on `loop` when all that was given before is on disk; false where it could not be
  // written or nobody answered in time.
  net::Task<bool> flush(net::Loop& loop);

  // Writes what was given and ends; later letters are refused. Before the loops that wait in find()
  // are destroyed. The destructor does it too.
  void stop();

 private:
  struct Impl;
  struct Pin {
    std::string id;
    std::string account;
    int64_t expires_ms;
  };
  struct Unpin {
    std::string id;
  };
  struct Remove {
    std::string id;
  };
  using Found = Result<std::optional<Record>>;
  struct Find {
    std::string id;
    RecordKind kind;
    bool take;
    std::function<void(Found)> done;
  };
  struct Flush {
    std::function<void(bool)> done;
  };
  using Letter = std::variant<Pin, Unpin, Record, Remove, Find, Flush>;

  Keeper(Options options, const Clock& clock);
  bool give(Letter letter, size_t bytes);

  const Options options_;
  PinTable pins_;
  KeeperCounters counters_;
  std::atomic<bool> healthy_{true};
  std::atomic<bool> stopped_{false};
  Mailbox<Letter> mailbox_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::state
