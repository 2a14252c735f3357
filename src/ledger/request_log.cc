#include "ledger/request_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/log.h"
#include "ledger/log_writer.h"
#include "ledger/row_codec.h"

namespace weir::ledger {

namespace {

constexpr Nanoseconds kRetryFirst = std::chrono::milliseconds(500);
constexpr Nanoseconds kRetryMost = std::chrono::seconds(5);
constexpr Nanoseconds kTidyEvery = std::chrono::seconds(1);
constexpr int64_t kRetentionEveryMs = 3'600'000;
constexpr size_t kSpoolKeptRows = 16'384;
constexpr size_t kSpoolKeptBytes = size_t{16} << 20;
// So many rows in a queue wake the writer before its next tick: what one thread wrote and the other
// reads is still in the processor's cache, and a burst of writing is short.
constexpr uint64_t kWakeRows = 1024;
// The writer has time, a request has not: where both want one core, the worker is asked first.
// A quarter of that core is still the writer's, several times what it needs.
constexpr int kWriterNice = 5;

// Wakes the writer; writing to it never blocks (it would take 2^64 wake-ups).
class WakeUp {
 public:
  WakeUp() : file_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~WakeUp() {
    if (file_ >= 0) ::close(file_);
  }
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  void signal() {
    uint64_t one = 1;
    (void)!::write(file_, &one, sizeof one);
  }
  void wait(Milliseconds at_most) {
    pollfd entry{file_, POLLIN, 0};
    (void)::poll(&entry, 1, static_cast<int>(at_most.count()));
    uint64_t count = 0;
    (void)!::read(file_, &count, sizeof count);
  }

 private:
  int file_;
};

}  // namespace

// One producer, one consumer. head_ and tail_ only grow; a position is the slot position & mask. A
// slot keeps its room from row to row: handing over allocates nothing, and nothing that one thread
// allocates is freed by the other.
struct LogPort::Ring {
  struct Slot {
    std::string record;
    std::unique_ptr<Capture> capture;
    int64_t size = 0;  // as counted when it came
    uint32_t journal_slot = Journal::kNoSlot;
  };
  // A record beyond this is rare, and its room not worth keeping.
  static constexpr size_t kKeptBytes = 4096;

  Ring(uint32_t rows_max, int64_t bytes_max_given, WakeUp& wake_up_given)
      : mask(std::bit_ceil(std::max<uint32_t>(rows_max, 2)) - 1),
        bytes_max(bytes_max_given),
        wake_at(std::min(mask / 2, kWakeRows)),
        wake_up(wake_up_given),
        slots(mask + 1) {}

  bool push(std::string_view record, std::unique_ptr<Capture> capture, uint32_t journal_slot) {
    auto size = static_cast<int64_t>(sizeof(Slot) + record.size());
    if (capture != nullptr) size += static_cast<int64_t>(bytes_of(*capture));
    uint64_t at = tail.load(std::memory_order_relaxed);
    // (1) Acquire pairs with (4): the slot has been emptied before we fill it again.
    uint64_t used = at - head.load(std::memory_order_acquire);
    if (used > mask || bytes.load(std::memory_order_relaxed) + size > bytes_max) {
      dropped.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    bytes.fetch_add(size, std::memory_order_relaxed);
    Slot& slot = slots[at & mask];
    slot.record.assign(record);
    slot.capture = std::move(capture);
    slot.size = size;
    slot.journal_slot = journal_slot;
    // (2) Release pairs with (3): who sees the new tail sees the row.
    tail.store(at + 1, std::memory_order_release);
    if (used == wake_at) wake_up.signal();
    return true;
  }

  // Hands every queued row to `take`, in order, which may move its capture away.
  template <class Take>
  void drain(Take&& take) {
    uint64_t from = head.load(std::memory_order_relaxed);
    uint64_t to = tail.load(std::memory_order_acquire);  // (3)
    for (; from != to; ++from) {
      Slot& slot = slots[from & mask];
      take(slot);
      if (slot.record.capacity() > kKeptBytes) std::string().swap(slot.record);
      bytes.fetch_sub(slot.size, std::memory_order_relaxed);
      head.store(from + 1, std::memory_order_release);  // (4)
    }
  }

  const uint64_t mask;
  const int64_t bytes_max;
  const uint64_t wake_at;  // so many rows: do not wait for the writer's next tick
  WakeUp& wake_up;
  std::vector<Slot> slots;
  alignas(64) std::atomic<uint64_t> head{0};  // written by the consumer
  alignas(64) std::atomic<uint64_t> tail{0};  // written by the producer
  std::atomic<uint64_t> dropped{0};
  alignas(64) std::atomic<int64_t> bytes{0};
};

LogPort::LogPort(std::unique_ptr<Ring> ring, JournalPort& journal)
    : ring_(std::move(ring)), journal_(journal) {}
LogPort::~LogPort() = default;
void LogPort::note(RowView& row) {
  encode_row(row, record_);
  journal_.note(record_, row.journal_slot);
}
template <class Row>
bool LogPort::hand_over(Row& row) {
  encode_row(row, record_);
  journal_.finish(record_, row.journal_slot, row.cost.nano() > 0);
  return ring_->push(record_, std::move(row.capture), row.journal_slot);
}
bool LogPort::submit(RowView&& row) {
  return hand_over(row);
}
bool LogPort::submit(RequestRow&& row) {
  return hand_over(row);
}
uint64_t LogPort::dropped() const {
  return ring_->dropped.load(std::memory_order_relaxed);
}

struct RequestLog::Impl {
  Impl(LogOptions options_given, const Clock& clock_given)
      : options(std::move(options_given)), clock(clock_given), writer(options) {}

  void run();
  void collect();
  bool write_pending(bool last);
  Result<void> write_batch(size_t done, size_t count);
  void drop_written(size_t done);
  void failed(const Error& error);
  void publish();
  void tidy();
  void report_drops();

  const LogOptions options;
  const Clock& clock;
  WakeUp wake_up;
  std::unique_ptr<Journal> journal;
  uint64_t recovered = 0;
  std::vector<std::unique_ptr<LogPort>> ports;
  LogWriter writer;
  std::atomic<bool> stopping{false};

  // The writer thread's own. Rows that wait lie one behind the other in `records`.
  struct Spooled {
    size_t at = 0;
    size_t size = 0;
    std::unique_ptr<Capture> capture;
    uint32_t journal_slot = Journal::kNoSlot;
    bool captured = false;  // by a write that failed later
    int64_t bytes() const {
      return static_cast<int64_t>(sizeof(Spooled) + size + (capture ? bytes_of(*capture) : 0));
    }
  };
  std::string records;
  std::vector<Spooled> spool;
  std::vector<RowView> batch;  // of the write at hand
  int64_t spool_bytes = 0;
  Nanoseconds sums_at{0};  // 0: none wait
  Nanoseconds retry_at{0};
  Nanoseconds retry_wait{kRetryFirst};
  Nanoseconds tidy_at{0};
  int64_t retention_at_ms = 0;
  uint64_t drops_reported = 0;

  // Written by the writer thread, read by health().
  std::atomic<uint64_t> rows_written{0};
  std::atomic<uint64_t> rows_summed{0};
  std::atomic<uint64_t> spool_dropped{0};
  std::atomic<uint64_t> rows_unusable{0};
  std::atomic<uint64_t> spooled{0};
  std::atomic<uint64_t> captures_written{0};
  std::atomic<uint64_t> captures_dropped{0};
  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> store_errors{0};
  std::atomic<int64_t> last_commit_ms{0};

  std::mutex mutex;  // control threads and the writer thread; never a worker
  std::condition_variable flushed;
  uint64_t flushes_asked = 0;
  uint64_t flushes_done = 0;
  std::string problem;  // of the store; empty: works
  ErrorCode problem_code = ErrorCode::unavailable;

  std::thread thread;
};

void RequestLog::Impl::collect() {
  for (auto& port : ports) {
    port->ring_->drain([this](LogPort::Ring::Slot& slot) {
      Spooled row{.at = records.size(),
                  .size = slot.record.size(),
                  .capture = std::move(slot.capture),
                  .journal_slot = slot.journal_slot};
      if (spool.size() >= options.spool_rows_max ||
          spool_bytes + row.bytes() > options.spool_bytes_max) {
        spool_dropped.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      spool_bytes += row.bytes();
      records += slot.record;
      spool.push_back(std::move(row));
    });
  }
  spooled.store(spool.size(), std::memory_order_relaxed);
}

void RequestLog::Impl::failed(const Error& error) {
  uint64_t errors = store_errors.fetch_add(1, std::memory_order_relaxed) + 1;
  std::string text = fmt::format(
      "the request log can not be written: {}; {} rows are kept and "
      "written when it works again",
      error.message(), spool.size());
  bool first = false;
  {
    std::lock_guard lock(mutex);
    first = problem.empty();
    problem = text;
    problem_code = error.code();
  }
  for (const auto& port : ports) port->store_works_.store(false, std::memory_order_relaxed);
  if (first) log::error("ledger_store_failed", {{"reason", error.message()}, {"errors", errors}});
  retry_at = clock.monotonic() + retry_wait;
  retry_wait = std::min(retry_wait * 2, kRetryMost);
}

void RequestLog::Impl::publish() {
  const LogWriter::Totals& totals = writer.totals();
  rows_written.store(totals.rows, std::memory_order_relaxed);
  rows_summed.store(totals.summed, std::memory_order_relaxed);
  rows_unusable.store(totals.unusable, std::memory_order_relaxed);
  captures_written.store(totals.captures, std::memory_order_relaxed);
  captures_dropped.store(totals.captures_failed, std::memory_order_relaxed);
  commits.store(totals.commits, std::memory_order_relaxed);
}

// The rows from the `done`th on, as many as one transaction takes; their captures go along and, of
// a write that fails, come back.
Result<void> RequestLog::Impl::write_batch(size_t done, size_t count) {
  batch.clear();
  for (Spooled& from : std::span(spool).subspan(done, count)) {
    auto row = view_row(std::string_view(records).substr(from.at, from.size));
    if (!row) return fail(row.error());
    row->captured = from.captured;
    row->capture = std::move(from.capture);
    batch.push_back(std::move(*row));
  }
  auto written = writer.write(std::span(batch));
  publish();
  if (written) return {};
  for (size_t i = 0; i < count; ++i) {
    // A capture that was stored before the failure is off its row, not carried twice.
    spool[done + i].captured = batch[i].captured;
    spool[done + i].capture = std::move(batch[i].capture);
  }
  return written;
}

void RequestLog::Impl::drop_written(size_t done) {
  if (done == spool.size()) {
    spool.clear();
    records.clear();
    spool_bytes = 0;
    if (spool.capacity() > kSpoolKeptRows) std::vector<Spooled>().swap(spool);
    if (records.capacity() > kSpoolKeptBytes) std::string().swap(records);
    return;
  }
  if (done == 0) return;
  const size_t bytes = spool[done].at;
  spool.erase(spool.begin(), spool.begin() + static_cast<ptrdiff_t>(done));
  records.erase(0, bytes);
  spool_bytes = 0;
  for (Spooled& row : spool) {
    row.at -= bytes;
    spool_bytes += row.bytes();
  }
}

// False: the store failed and rows or sums are left.
bool RequestLog::Impl::write_pending(bool last) {
  if (!last && retry_at.count() != 0 && clock.monotonic() < retry_at) return spool.empty();
  size_t done = 0;
  while (done < spool.size()) {
    const size_t count =
        std::min<size_t>(spool.size() - done, std::max(options.commit_rows_max, 1u));
    if (auto written = write_batch(done, count); !written) {
      drop_written(done);
      failed(written.error());
      return false;
    }
    for (size_t i = 0; i < count; ++i) journal->release(spool[done + i].journal_slot);
    done += count;
    spooled.store(spool.size() - done, std::memory_order_relaxed);
    last_commit_ms.store(clock.wall_ms(), std::memory_order_relaxed);
  }
  drop_written(done);
  if (writer.sums_wait()) {
    if (sums_at.count() == 0) sums_at = clock.monotonic() + options.sums_interval;
    if (last || clock.monotonic() >= sums_at) {
      if (auto written = writer.write_sums(); !written) {
        failed(written.error());
        return false;
      }
      publish();
      sums_at = Nanoseconds(0);
    }
  }
  if (retry_at.count() != 0) {
    retry_at = Nanoseconds(0);
    retry_wait = kRetryFirst;
    {
      std::lock_guard lock(mutex);
      problem.clear();
    }
    for (const auto& port : ports) port->store_works_.store(true, std::memory_order_relaxed);
    log::info("ledger_store_works_again");
  }
  return true;
}

void RequestLog::Impl::report_drops() {
  uint64_t dropped = spool_dropped.load() + rows_unusable.load();
  for (auto& port : ports) dropped += port->dropped();
  if (dropped == drops_reported) return;
  log::error("ledger_rows_dropped", {{"rows", dropped - drops_reported}, {"total", dropped}});
  drops_reported = dropped;
}

void RequestLog::Impl::tidy() {
  Nanoseconds now = clock.monotonic();
  if (tidy_at.count() != 0 && now < tidy_at) return;
  tidy_at = now + kTidyEvery;
  report_drops();
  writer.close_unused();
  int64_t wall_ms = clock.wall_ms();
  if (wall_ms < retention_at_ms) return;
  retention_at_ms = wall_ms + kRetentionEveryMs;
  if (auto done = writer.drop_old(wall_ms); !done) {
    log::warn("ledger_retention_failed", {{"reason", done.error().message()}});
  }
}

void RequestLog::Impl::run() {
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kWriterNice);
  for (;;) {
    wake_up.wait(options.commit_interval);
    bool last = stopping.load(std::memory_order_acquire);
    uint64_t asked = 0;
    {
      std::lock_guard lock(mutex);
      asked = flushes_asked;
    }
    collect();
    bool whole = write_pending(last || asked != flushes_done);
    tidy();
    if (asked != flushes_done || last) {
      std::lock_guard lock(mutex);
      flushes_done = asked;
      flushed.notify_all();
    }
    if (!last) continue;
    if (!whole && !spool.empty()) log::error("ledger_rows_lost_at_stop", {{"rows", spool.size()}});
    return;
  }
}

Result<std::unique_ptr<RequestLog>> RequestLog::open(LogOptions options, const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(options), clock);
  WEIR_CHECK_OK(impl->writer.prepare(clock.wall_ms()));
  const uint32_t port_count = std::max(impl->options.ports, 1u);
  WEIR_TRY(impl->journal, Journal::open(impl->options.data_dir + "/journal.bin", port_count,
                                        impl->options.journal_slots / port_count));
  std::vector<RequestRow> left = impl->journal->take_left();
  if (!left.empty()) {
    WEIR_CHECK_OK(impl->writer.write(left));
    impl->recovered = impl->writer.totals().rows;
    log::warn("ledger_rows_recovered", {{"rows", impl->recovered}, {"records", left.size()}});
  }
  impl->journal->clear();
  for (uint32_t i = 0; i < port_count; ++i) {
    impl->ports.push_back(std::unique_ptr<LogPort>(
        new LogPort(std::make_unique<LogPort::Ring>(impl->options.port_rows_max,
                                                    impl->options.port_bytes_max, impl->wake_up),
                    impl->journal->port(i))));
  }
  Impl* running = impl.get();
  impl->thread = std::thread([running] { running->run(); });
  return std::unique_ptr<RequestLog>(new RequestLog(std::move(impl)));
}

RequestLog::RequestLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RequestLog::~RequestLog() {
  stop();
}

LogPort& RequestLog::port(uint32_t index) {
  return *impl_->ports[index % impl_->ports.size()];
}

LogHealth RequestLog::health() const {
  LogHealth health;
  health.rows_written = impl_->rows_written.load();
  health.rows_summed = impl_->rows_summed.load();
  health.rows_dropped = impl_->spool_dropped.load() + impl_->rows_unusable.load();
  for (const auto& port : impl_->ports) health.rows_dropped += port->dropped();
  health.rows_spooled = impl_->spooled.load();
  health.captures_written = impl_->captures_written.load();
  health.captures_dropped = impl_->captures_dropped.load();
  health.commits = impl_->commits.load();
  health.store_errors = impl_->store_errors.load();
  health.last_commit_ms = impl_->last_commit_ms.load();
  health.rows_recovered = impl_->recovered;
  health.rows_unjournaled = impl_->journal->unjournaled();
  health.journal_on = impl_->journal->is_on();
  std::lock_guard lock(impl_->mutex);
  health.problem = impl_->problem;
  health.ok = health.problem.empty();
  return health;
}

Result<void> RequestLog::flush(Milliseconds timeout) {
  std::unique_lock lock(impl_->mutex);
  uint64_t mine = ++impl_->flushes_asked;
  impl_->wake_up.signal();
  if (!impl_->flushed.wait_for(lock, timeout, [&] { return impl_->flushes_done >= mine; })) {
    return fail(ErrorCode::timeout, "the request log is still writing");
  }
  if (!impl_->problem.empty()) return fail(ErrorCode::unavailable, impl_->problem);
  return {};
}

void RequestLog::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->stopping.store(true, std::memory_order_release);
  impl_->wake_up.signal();
  impl_->thread.join();
}

}  // namespace weir::ledger
