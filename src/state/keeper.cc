#include "state/keeper.h"

#include <list>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "state/shelf.h"

namespace weir::state {
namespace {

constexpr Milliseconds kRetryAfter{1'000};
constexpr Milliseconds kTidyEvery{60'000};
constexpr size_t kTransactionMax = 4'096;

}  // namespace

// The keeper's thread: the records kept last, the changes not written yet, and the disk.
struct Keeper::Impl {
  Impl(Keeper& keeper_given, const Clock& clock_given, Shelf shelf_given)
      : keeper(keeper_given), clock(clock_given), shelf(std::move(shelf_given)) {}

  void run() {
    while (!keeper.stopped_.load(std::memory_order_acquire)) {
      keeper.mailbox_.wait(pending.empty() ? kRetryAfter : kCommitInterval);
      take_letters();
      if (!pending.empty() && clock.monotonic() >= write_at) write();
      if (clock.monotonic() >= tidy_at) tidy();
    }
    finish();
  }
  void finish() {
    take_letters();
    write();
  }
  void take_letters() {
    for (Letter& letter : keeper.mailbox_.take()) handle(std::move(letter));
  }

  void handle(Letter letter) {
    if (auto* pin = std::get_if<Pin>(&letter)) {
      add(PutPin{std::move(pin->id), std::move(pin->account), pin->expires_ms});
    } else if (auto* unpin = std::get_if<Unpin>(&letter)) {
      add(DropPin{std::move(unpin->id)});
    } else if (auto* record = std::get_if<Record>(&letter)) {
      remember(record->id, *record);
      add(std::move(*record));
    } else if (auto* remove = std::get_if<Remove>(&letter)) {
      drop(remove->id);
    } else if (auto* flush = std::get_if<Flush>(&letter)) {
      write();
      flush->done(pending.empty());
    } else {
      Find& find = std::get<Find>(letter);
      Found found = look_up(find.id, find.kind);
      if (found && *found && find.take) drop(find.id);
      find.done(std::move(found));
    }
  }

  void drop(const std::string& id) {
    remember(id, std::nullopt);
    add(DropRecord{id});
  }

  // nullopt: it is gone, whatever the disk still has.
  void remember(const std::string& id, std::optional<Record> record) {
    forget(id);
    const size_t bytes = id.size() + (record ? record->bytes() : 0) + 64;
    recent.push_front({id, std::move(record), bytes});
    recent_by_id[id] = recent.begin();
    recent_bytes += bytes;
    while (recent_bytes > kRecentBytesMax && recent.size() > 1) {
      // What the disk does not know yet must be found here.
      write();
      forget(recent.back().id);
    }
  }
  void forget(const std::string& id) {
    const auto at = recent_by_id.find(id);
    if (at == recent_by_id.end()) return;
    recent_bytes -= at->second->bytes;
    recent.erase(at->second);
    recent_by_id.erase(at);
  }

  Found look_up(const std::string& id, RecordKind kind) {
    std::optional<Record> record;
    if (const auto at = recent_by_id.find(id); at != recent_by_id.end()) {
      record = at->second->record;
    } else {
      auto stored = shelf.find(id, kind);
      if (!stored) {
        keeper.counters_.store_errors.fetch_add(1, std::memory_order_relaxed);
        return fail(std::move(stored).error());
      }
      record = std::move(*stored);
    }
    if (!record || record->kind != kind || record->expires_ms <= clock.wall_ms()) {
      return std::optional<Record>();
    }
    return record;
  }

  void add(Change change) {
    if (pending.empty()) write_at = clock.monotonic() + kCommitInterval;
    if (pending.size() >= kPendingMax) {
      keeper.counters_.changes_dropped.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    pending.push_back(std::move(change));
    if (!keeper.options_.threaded) write();
  }

  void write() {
    while (!pending.empty()) {
      const size_t count = std::min(pending.size(), kTransactionMax);
      if (auto written = shelf.write(std::span(pending).first(count)); !written) {
        keeper.counters_.store_errors.fetch_add(1, std::memory_order_relaxed);
        if (keeper.healthy_.exchange(false, std::memory_order_relaxed)) {
          log::error("state_store_failed", {{"reason", written.error().message()}});
        }
        write_at = clock.monotonic() + kRetryAfter;
        return;
      }
      if (!keeper.healthy_.exchange(true, std::memory_order_relaxed)) {
        log::info("state_store_recovered", {});
      }
      pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(count));
    }
  }

  void tidy() {
    tidy_at = clock.monotonic() + kTidyEvery;
    const Options& options = keeper.options_;
    const auto evicted = shelf.tidy(clock.wall_ms(), options.pins_max, options.bytes_max);
    const auto bytes = shelf.record_bytes();
    if (!evicted || !bytes) {
      keeper.counters_.store_errors.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    keeper.counters_.records_evicted.fetch_add(*evicted, std::memory_order_relaxed);
    keeper.counters_.bytes_on_disk.store(*bytes, std::memory_order_relaxed);
  }

  struct Recent {
    std::string id;
    std::optional<Record> record;
    size_t bytes;
  };

  Keeper& keeper;
  const Clock& clock;
  Shelf shelf;
  std::vector<Change> pending;
  Nanoseconds write_at{0};
  Nanoseconds tidy_at{0};
  std::list<Recent> recent;  // the newest first
  std::unordered_map<std::string, std::list<Recent>::iterator> recent_by_id;
  size_t recent_bytes = 0;
  std::thread thread;
};

Keeper::Keeper(Options options, const Clock& /*clock*/)
    : options_(std::move(options)),
      pins_(options_.pins_max),
      mailbox_(kLettersMax, kLetterBytesMax) {}

Result<std::unique_ptr<Keeper>> Keeper::open(Options options, const Clock& clock) {
  WEIR_TRY(Shelf shelf, Shelf::open(options.data_dir + "/state.db"));
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(options), clock));
  const int64_t now = clock.wall_ms();
  WEIR_CHECK_OK(
      shelf.each_pin(now, keeper->options_.pins_max,
                     [&](std::string_view id, std::string_view account, int64_t expires_ms) {
                       keeper->pins_.set(id, account_hash(account), expires_ms, now);
                     }));
  keeper->impl_ = std::make_unique<Impl>(*keeper, clock, std::move(shelf));
  if (keeper->options_.threaded) {
    keeper->impl_->thread = std::thread([impl = keeper->impl_.get()] { impl->run(); });
  }
  return keeper;
}

Keeper::~Keeper() {
  stop();
}

KeeperSample Keeper::sample() const {
  const auto value = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {.healthy = healthy(),
          .pins = value(counters_.pins),
          .pins_evicted = pins_.evicted() + pins_.missed(),
          .records = value(counters_.records),
          .records_evicted = value(counters_.records_evicted),
          .dropped = value(counters_.letters_dropped) + value(counters_.changes_dropped),
          .store_errors = value(counters_.store_errors),
          .finds_timed_out = value(counters_.finds_timed_out),
          .bytes_on_disk = value(counters_.bytes_on_disk)};
}

void Keeper::stop() {
  if (impl_ == nullptr || stopped_.exchange(true, std::memory_order_acq_rel)) return;
  mailbox_.wake();
  if (impl_->thread.joinable()) {
    impl_->thread.join();
  } else {
    impl_->finish();
  }
}

bool Keeper::give(Letter letter, size_t bytes) {
  if (stopped_.load(std::memory_order_acquire)) return false;
  if (!options_.threaded) {
    impl_->handle(std::move(letter));
    return true;
  }
  if (mailbox_.give(std::move(letter), bytes)) return true;
  counters_.letters_dropped.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool Keeper::pin(std::string id, std::string_view account, int64_t now_ms) {
  const int64_t expires_ms = now_ms + options_.pin_retention.count();
  pins_.set(id, account_hash(account), expires_ms, now_ms);
  counters_.pins.fetch_add(1, std::memory_order_relaxed);
  const size_t bytes = id.size() + account.size() + 64;
  return give(Pin{std::move(id), std::string(account), expires_ms}, bytes);
}

void Keeper::unpin(std::string id) {
  pins_.erase(id);
  const size_t bytes = id.size() + 64;
  give(Unpin{std::move(id)}, bytes);
}

bool Keeper::keep(Record record) {
  const size_t bytes = record.bytes();
  if (bytes > kRecordBytesMax) {
    counters_.letters_dropped.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  counters_.records.fetch_add(1, std::memory_order_relaxed);
  return give(std::move(record), bytes);
}

void Keeper::remove(std::string id) {
  const size_t bytes = id.size() + 64;
  give(Remove{std::move(id)}, bytes);
}

net::Task<Result<std::optional<Record>>> Keeper::find(net::Loop& loop, std::string id,
                                                      RecordKind kind, bool take) {
  struct Ticket {
    explicit Ticket(net::Loop& loop) : done(loop) {}
    net::Event done;
    std::optional<Found> found;
  };
  auto ticket = std::make_shared<Ticket>(loop);
  const size_t bytes = id.size() + 128;
  Find letter{std::move(id), kind, take, [ticket, &loop](Found found) {
                auto held = std::make_shared<Found>(std::move(found));
                loop.post([ticket, held] {
                  ticket->found = std::move(*held);
                  ticket->done.set();
                });
              }};
  if (!give(std::move(letter), bytes)) {
    co_return fail(ErrorCode::unavailable, "what is kept cannot be read at the moment");
  }
  const bool answered = co_await ticket->done.wait_for(kFindPatience);
  if (!answered || !ticket->found) {
    counters_.finds_timed_out.fetch_add(1, std::memory_order_relaxed);
    co_return fail(ErrorCode::timeout, "what is kept could not be read in time");
  }
  co_return std::move(*ticket->found);
}

net::Task<bool> Keeper::flush(net::Loop& loop) {
  struct Ticket {
    explicit Ticket(net::Loop& loop) : done(loop) {}
    net::Event done;
    bool written = false;
  };
  auto ticket = std::make_shared<Ticket>(loop);
  Flush letter{[ticket, &loop](bool written) {
    loop.post([ticket, written] {
      ticket->written = written;
      ticket->done.set();
    });
  }};
  if (!give(std::move(letter), 64)) co_return false;
  static_cast<void>(co_await ticket->done.wait_for(kFindPatience));
  co_return ticket->written;
}

}  // namespace weir::state
