#include "ledger/log_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/log.h"
#include "ledger/row_codec.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr size_t kFilesOpenMax = 3;

// Opens a day file. One that is not a database any more is moved aside: a damaged file must not
// keep the requests of the rest of the day from being written.
Result<store::Connection> open_day(const std::string& path,
                                   std::span<const store::Migration> migrations, int busy_ms) {
  for (int attempt = 0;; ++attempt) {
    auto connection = store::Connection::open(path, store::OpenMode::create, busy_ms);
    Result<void> ready = connection ? connection->migrate("ledger", migrations)
                                    : Result<void>(fail(connection.error()));
    if (ready) return connection;
    if (ready.error().code() != ErrorCode::corrupt || attempt > 0) return fail(ready.error());
    connection = fail(ErrorCode::corrupt);  // closes it
    std::string aside = path + ".corrupt";
    std::error_code error;
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::rename(path + suffix, aside + suffix, error);
    }
    log::error("ledger_file_corrupt", {{"file", path}, {"moved_to", aside}});
  }
}

}  // namespace

// Batches are numbered on from a place that no other process has: one may have died between a batch
// and its sums.
LogWriter::LogWriter(const LogOptions& options)
    : options_(options),
      compressor_(options.capture_level),
      next_batch_(std::chrono::duration_cast<std::chrono::microseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count()
                  << 8) {}

LogWriter::~LogWriter() {
  for (auto* files : {&requests_, &captures_}) {
    for (auto& [day, file] : *files) settle(file);
  }
}

// Closing brings everything into the one file only when nobody reads it: readers keep theirs open.
void LogWriter::settle(DayFile& file) {
  if (auto done = write_sums(file); !done) {
    log::warn("ledger_sums_late", {{"file", file.path}, {"reason", done.error().message()}});
  }
  if (auto done = file.connection.execute("PRAGMA wal_checkpoint(PASSIVE)"); !done) {
    log::debug("ledger_checkpoint_failed", {{"reason", done.error().message()}});
  }
}

Result<LogWriter::DayFile*> LogWriter::requests_of(int64_t day) {
  auto found = requests_.find(day);
  if (found != requests_.end()) return &found->second;
  DayFile file;
  file.path = store::day_file(options_.data_dir, kRequestsPrefix, day);
  WEIR_TRY(file.connection, open_day(file.path, requests_migrations(), busy_ms()));
  // Sums of many keys and indexes touch more pages than SQLite would keep, and a page that changes
  // with every commit is copied from the log into the file the less often the longer the log is.
  WEIR_CHECK_OK(file.connection.execute("PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=4000"));
  WEIR_TRY(file.feed, store::Feed::attach(file.connection, kRequestFeed, kRequestColumnCount));
  WEIR_TRY(file.insert, file.connection.prepare(insert_requests_sql()));
  WEIR_TRY(file.insert_untallied,
           file.connection.prepare("INSERT INTO untallied(batch, ids) VALUES(?1, ?2)"));
  WEIR_TRY(file.delete_untallied,
           file.connection.prepare("DELETE FROM untallied WHERE batch>=?1 AND batch<?2"));
  WEIR_TRY(file.tallies, TallyWriter::open(file.connection));
  return &requests_.emplace(day, std::move(file)).first->second;
}

Result<LogWriter::DayFile*> LogWriter::captures_of(int64_t day) {
  auto found = captures_.find(day);
  if (found != captures_.end()) return &found->second;
  DayFile file;
  file.path = store::day_file(options_.data_dir, kCapturesPrefix, day);
  WEIR_TRY(file.connection, open_day(file.path, captures_migrations(), busy_ms()));
  WEIR_TRY(file.insert,
           file.connection.prepare("INSERT OR REPLACE INTO capture(id, request, response, "
                                   "request_content_type, response_content_type, request_bytes, "
                                   "response_bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  return &captures_.emplace(day, std::move(file)).first->second;
}

Result<void> LogWriter::prepare(int64_t wall_ms) {
  WEIR_CHECK_OK(requests_of(store::day_of(wall_ms)));
  // Files of an older version are read beside the new ones, by the same statements.
  for (int64_t day : store::days_on_disk(options_.data_dir, kRequestsPrefix)) {
    const std::string path = store::day_file(options_.data_dir, kRequestsPrefix, day);
    auto ready = open_day(path, requests_migrations(), busy_ms());
    const auto tallied = ready ? TallyWriter::open(*ready) : fail(ready.error());
    if (!tallied) {
      log::warn("ledger_file_unreadable", {{"file", path}, {"reason", tallied.error().message()}});
    }
  }
  WEIR_TRY(store::Connection meta,
           store::Connection::open(options_.data_dir + "/meta.db", store::OpenMode::create));
  return meta.migrate("ledger", meta_migrations());
}

Result<void> LogWriter::write(std::span<RequestRow> rows) {
  std::vector<std::string> records(rows.size());
  std::vector<RowView> views;
  for (size_t i = 0; i < rows.size(); ++i) {
    encode_row(rows[i], records[i]);
    WEIR_TRY(RowView view, view_row(records[i]));
    view.captured = rows[i].captured;
    view.capture = std::move(rows[i].capture);
    views.push_back(std::move(view));
  }
  auto done = write(std::span(views));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].captured = views[i].captured;
    rows[i].capture = std::move(views[i].capture);
  }
  WEIR_CHECK_OK(std::move(done));
  return write_sums();
}

Result<void> LogWriter::write(std::span<RowView> rows) {
  std::map<int64_t, std::vector<RowView*>> days;
  for (RowView& row : rows) days[store::day_of(row.id.wall_ms())].push_back(&row);
  for (auto& [day, list] : days) {
    if (auto kept = write_captures(day, list); !kept) {
      // A capture is the lesser thing: the row goes on without it.
      log::warn("ledger_capture_failed", {{"reason", kept.error().message()}});
      for (RowView* row : list) {
        if (row->capture == nullptr) continue;
        ++totals_.captures_failed;
        row->capture.reset();
      }
    }
    WEIR_CHECK_OK(write_day(day, list));
  }
  return {};
}

Result<void> LogWriter::write_captures(int64_t day, std::span<RowView*> rows) {
  if (std::none_of(rows.begin(), rows.end(), [](auto* row) { return row->capture != nullptr; })) {
    return {};
  }
  WEIR_TRY(DayFile * file, captures_of(day));
  size_t cap = static_cast<size_t>(std::max<int64_t>(options_.capture_message_bytes_max, 0));
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(file->connection));
  for (RowView* row : rows) {
    if (row->capture == nullptr) continue;
    const Capture& capture = *row->capture;
    std::string_view request = std::string_view(capture.request).substr(0, cap);
    std::string_view response = std::string_view(capture.response).substr(0, cap);
    auto whole = [](int64_t told, const std::string& text) {
      return std::max(told, static_cast<int64_t>(text.size()));
    };
    WEIR_TRY(std::string packed_request, compressor_.compress(request));
    WEIR_TRY(std::string packed_response, compressor_.compress(response));
    file->insert.bind(1, row->id.value())
        .bind_blob(2, packed_request)
        .bind_blob(3, packed_response)
        .bind(4, capture.request_content_type)
        .bind(5, capture.response_content_type)
        .bind(6, whole(capture.request_bytes, capture.request))
        .bind(7, whole(capture.response_bytes, capture.response));
    WEIR_CHECK_OK(file->insert.run());
  }
  WEIR_CHECK_OK(transaction.commit());
  for (RowView* row : rows) {
    if (row->capture == nullptr) continue;
    row->captured = true;
    row->capture.reset();
    ++totals_.captures;
  }
  return {};
}

Result<void> LogWriter::write_day(int64_t day, std::span<RowView*> rows) {
  WEIR_TRY(DayFile * file, requests_of(day));
  bool done = false;
  WEIR_CHECK_OK(insert_all(*file, rows, done));
  return done ? Result<void>() : insert_each(*file, rows);
}

// All rows by one statement; not done, and nothing changed, where one of them can not be inserted
// or was there before.
Result<void> LogWriter::insert_all(DayFile& file, std::span<RowView*> rows, bool& done) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(file.connection));
  file.feed->set(rows.size(),
                 [rows](size_t at, store::Feed::Row& cells) { feed_request(cells, *rows[at]); });
  auto inserted = file.insert.run();
  file.feed->set(0, {});
  if (!inserted && inserted.error().code() == ErrorCode::limit_exceeded) {
    file.insert.reset();
    return {};
  }
  WEIR_CHECK_OK(std::move(inserted));
  if (file.connection.changes() != static_cast<int64_t>(rows.size())) return {};
  done = true;
  return commit_rows(file, std::move(transaction), rows);
}

Result<void> LogWriter::insert_each(DayFile& file, std::span<RowView*> rows) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(file.connection));
  std::vector<RowView*> fresh;
  uint64_t unusable = 0;
  for (RowView* row : rows) {
    file.feed->set(1, [row](size_t, store::Feed::Row& cells) { feed_request(cells, *row); });
    auto inserted = file.insert.run();
    file.feed->set(0, {});
    if (!inserted && inserted.error().code() == ErrorCode::limit_exceeded) {
      file.insert.reset();
      ++unusable;
      continue;
    }
    WEIR_CHECK_OK(std::move(inserted));
    // One that was written before is in the sums, too.
    if (file.connection.changes() != 0) fresh.push_back(row);
  }
  WEIR_CHECK_OK(commit_rows(file, std::move(transaction), fresh));
  totals_.unusable += unusable;
  return {};
}

Result<void> LogWriter::commit_rows(DayFile& file, store::Transaction transaction,
                                    std::span<RowView*> inserted) {
  if (!inserted.empty()) {
    ids_.clear();
    for (const RowView* row : inserted) {
      const int64_t id = row->id.value();
      ids_.append(reinterpret_cast<const char*>(&id), sizeof id);
    }
    file.insert_untallied.bind(1, next_batch_).bind_blob(2, ids_);
    WEIR_CHECK_OK(file.insert_untallied.run());
  }
  WEIR_CHECK_OK(transaction.commit());
  ++totals_.commits;
  totals_.rows += inserted.size();
  if (inserted.empty()) return {};
  for (const RowView* row : inserted) file.tallies.add(*row);
  if (file.batches++ == 0) file.first_batch = next_batch_;
  ++next_batch_;
  return {};
}

bool LogWriter::sums_wait() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const auto& entry) { return entry.second.batches > 0; });
}

Result<void> LogWriter::write_sums() {
  for (auto& [day, file] : requests_) WEIR_CHECK_OK(write_sums(file));
  totals_.summed = totals_.rows;
  return {};
}

Result<void> LogWriter::write_sums(DayFile& file) {
  if (file.batches == 0) return {};
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(file.connection));
  file.delete_untallied.bind(1, file.first_batch).bind(2, next_batch_);
  WEIR_CHECK_OK(file.delete_untallied.run());
  // Where they are gone, another process has opened the file and added them to its sums.
  if (file.connection.changes() > 0) WEIR_CHECK_OK(file.tallies.write());
  WEIR_CHECK_OK(transaction.commit());
  file.tallies.clear();
  file.batches = 0;
  return {};
}

Result<void> LogWriter::archive(int64_t day) {
  std::string path = store::day_file(options_.data_dir, kRequestsPrefix, day);
  WEIR_TRY(store::Connection meta,
           store::Connection::open(options_.data_dir + "/meta.db", store::OpenMode::create));
  WEIR_CHECK_OK(meta.migrate("ledger", meta_migrations()));
  {
    WEIR_TRY(store::Statement attach, meta.prepare("ATTACH ?1 AS day"));
    attach.bind(1, path);
    WEIR_CHECK_OK(attach.run());
  }
  // Replacing, not adding: a crash between this and the removal of the file repeats both.
  WEIR_CHECK_OK(
      meta.execute("INSERT OR REPLACE INTO main.rollup SELECT * FROM day.rollup;"
                   "INSERT OR REPLACE INTO main.rollup_day SELECT * FROM day.rollup_day;"
                   "INSERT OR REPLACE INTO main.tally SELECT * FROM day.tally WHERE level<2;"
                   "INSERT OR REPLACE INTO main.times SELECT * FROM day.times WHERE level<2"));
  return meta.execute("DETACH day");
}

Result<void> LogWriter::drop_old(int64_t wall_ms) {
  int64_t today = store::day_of(wall_ms);
  Result<void> result = write_sums();  // before they are archived
  if (options_.retention_days > 0) {
    for (int64_t day : store::days_on_disk(options_.data_dir, kRequestsPrefix)) {
      if (day > today - options_.retention_days) break;
      requests_.erase(day);
      auto archived = archive(day);
      // A file without readable rollups is past its time all the same.
      if (!archived && archived.error().code() != ErrorCode::corrupt) {
        result = std::move(archived);
        continue;
      }
      store::remove_database(store::day_file(options_.data_dir, kRequestsPrefix, day));
      log::info("ledger_day_dropped", {{"day", store::day_text(day)}});
    }
  }
  if (options_.capture_retention_days > 0) {
    for (int64_t day : store::days_on_disk(options_.data_dir, kCapturesPrefix)) {
      if (day > today - options_.capture_retention_days) break;
      captures_.erase(day);
      store::remove_database(store::day_file(options_.data_dir, kCapturesPrefix, day));
    }
  }
  return result;
}

void LogWriter::close_unused() {
  for (auto* files : {&requests_, &captures_}) {
    while (files->size() > kFilesOpenMax) {
      settle(files->begin()->second);
      files->erase(files->begin());
    }
    // Rows written to a file that was unlinked would be lost without an error.
    std::erase_if(*files,
                  [](const auto& entry) { return ::access(entry.second.path.c_str(), F_OK) != 0; });
  }
}

}  // namespace weir::ledger
