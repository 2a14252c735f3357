#include "fleet/keeper.h"

#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "store/zstd.h"

namespace weir::fleet {
namespace {

constexpr size_t kSnapshotMost = size_t{8} << 30;
constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE fleet_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
     "INSERT INTO fleet_meta VALUES ('epoch', 0);"
     "CREATE TABLE fleet_snapshot (part INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
     "CREATE TABLE fleet_ops (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"},
};
// Blobs have a limit of a gigabyte.
constexpr size_t kPartBytes = size_t{16} << 20;

}  // namespace

Result<std::unique_ptr<Keeper>> Keeper::open(const std::string& data_dir) {
  std::unique_ptr<Keeper> keeper(new Keeper);
  WEIR_CHECK_OK(store::make_private_directory(data_dir));
  WEIR_TRY(keeper->lock_, store::DirectoryLock::take(data_dir));
  WEIR_TRY(keeper->db_, store::Connection::open(data_dir + "/fleet.db", store::OpenMode::create));
  WEIR_CHECK_OK(keeper->db_.migrate("fleet", kMigrations));
  WEIR_CHECK_OK(
      keeper->db_.execute("UPDATE fleet_meta SET value = value + 1 WHERE name = 'epoch'"));
  WEIR_TRY(const auto epoch,
           keeper->db_.query_int64("SELECT value FROM fleet_meta WHERE name = 'epoch'"));
  keeper->epoch_ = static_cast<uint64_t>(epoch.value_or(1));
  return keeper;
}

Keeper::~Keeper() {
  stop();
}

Result<Keeper::Found> Keeper::find() {
  Found found;
  std::string compressed;
  WEIR_TRY(auto parts, db_.prepare("SELECT bytes FROM fleet_snapshot ORDER BY part"));
  while (true) {
    WEIR_TRY(const bool row, parts.step());
    if (!row) break;
    compressed += parts.column_blob(0);
  }
  if (!compressed.empty()) {
    WEIR_TRY(found.snapshot, store::decompress(compressed, kSnapshotMost));
  }
  WEIR_TRY(auto ops, db_.prepare("SELECT bytes FROM fleet_ops ORDER BY number"));
  while (true) {
    WEIR_TRY(const bool row, ops.step());
    if (!row) break;
    found.ops += ops.column_blob(0);
  }
  return found;
}

void Keeper::start() {
  thread_ = std::thread([this] { work(); });
}

void Keeper::keep_ops(std::string ops) {
  const std::lock_guard lock(mutex_);
  if (waiting_ + ops.size() > kWaitingMost) {
    changes_lost_ += ops.size();
    return;
  }
  waiting_ += ops.size();
  ops_.push_back(std::move(ops));
  given_.notify_one();
}

void Keeper::keep_snapshot(std::string bytes) {
  const std::lock_guard lock(mutex_);
  busy_ = true;
  ops_.clear();
  waiting_ = 0;
  snapshot_ = std::make_unique<std::string>(std::move(bytes));
  given_.notify_one();
}

void Keeper::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    given_.notify_one();
  }
  thread_.join();
}

Keeper::Stats Keeper::stats() const {
  return {.snapshots = snapshots_,
          .snapshot_bytes = snapshot_bytes_,
          .changes_lost = changes_lost_,
          .failures = failures_};
}

void Keeper::work() {
  while (true) {
    std::vector<std::string> ops;
    std::unique_ptr<std::string> snapshot;
    bool ending = false;
    {
      std::unique_lock lock(mutex_);
      given_.wait(lock, [this] { return ending_ || snapshot_ != nullptr || !ops_.empty(); });
      ops.swap(ops_);
      snapshot.swap(snapshot_);
      waiting_ = 0;
      ending = ending_;
    }
    if (!ops.empty() || snapshot != nullptr) {
      if (const auto written = write(ops, snapshot.get()); !written) {
        ++failures_;
        log::error("fleet_state_not_written", {{"error", written.error().message()}});
      }
    }
    if (snapshot != nullptr) busy_ = false;
    if (ending) return;
  }
}

Result<void> Keeper::write(const std::vector<std::string>& ops, const std::string* snapshot) {
  std::string compressed;
  if (snapshot != nullptr) {
    store::Compressor compressor(1);
    WEIR_TRY(compressed, compressor.compress(*snapshot));
  }
  WEIR_TRY(auto transaction, store::Transaction::begin(db_));
  if (snapshot != nullptr) {
    WEIR_CHECK_OK(db_.execute("DELETE FROM fleet_snapshot"));
    WEIR_CHECK_OK(db_.execute("DELETE FROM fleet_ops"));
    WEIR_TRY(auto insert, db_.prepare("INSERT INTO fleet_snapshot (bytes) VALUES (?1)"));
    for (size_t at = 0; at < compressed.size(); at += kPartBytes) {
      insert.bind_blob(1, std::string_view(compressed).substr(at, kPartBytes));
      WEIR_CHECK_OK(insert.run());
    }
  }
  // Those that came with a snapshot came after it.
  WEIR_TRY(auto insert, db_.prepare("INSERT INTO fleet_ops (bytes) VALUES (?1)"));
  for (const std::string& some : ops) {
    insert.bind_blob(1, some);
    WEIR_CHECK_OK(insert.run());
  }
  WEIR_CHECK_OK(transaction.commit());
  if (snapshot != nullptr) {
    ++snapshots_;
    snapshot_bytes_ = compressed.size();
  }
  return {};
}

}  // namespace weir::fleet
