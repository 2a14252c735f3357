#include "ledger/log_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
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

LogWriter::LogWriter(const LogOptions& options)
    : options_(options), compressor_(options.capture_level) {}

LogWriter::~LogWriter() {
  for (auto* files : {&requests_, &captures_}) {
    for (auto& [day, file] : *files) settle(file);
  }
}

// Closing brings everything into the one file only when nobody reads it: readers keep theirs open.
void LogWriter::settle(DayFile& file) {
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
  WEIR_TRY(file.insert, file.connection.prepare(insert_request_sql()));
  WEIR_TRY(file.upsert, file.connection.prepare(upsert_rollup_sql()));
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
  std::map<int64_t, std::vector<RequestRow*>> days;
  for (RequestRow& row : rows) days[store::day_of(row.id.wall_ms())].push_back(&row);
  for (auto& [day, list] : days) {
    if (auto kept = write_captures(day, list); !kept) {
      // A capture is the lesser thing: the row goes on without it.
      log::warn("ledger_capture_failed", {{"reason", kept.error().message()}});
      for (RequestRow* row : list) {
        if (row->capture == nullptr) continue;
        ++totals_.captures_failed;
        row->capture.reset();
      }
    }
    WEIR_CHECK_OK(write_rows(day, list));
  }
  return {};
}

Result<void> LogWriter::write_captures(int64_t day, std::span<RequestRow*> rows) {
  if (std::none_of(rows.begin(), rows.end(), [](auto* row) { return row->capture != nullptr; })) {
    return {};
  }
  WEIR_TRY(DayFile * file, captures_of(day));
  size_t cap = static_cast<size_t>(std::max<int64_t>(options_.capture_message_bytes_max, 0));
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(file->connection));
  for (RequestRow* row : rows) {
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
  for (RequestRow* row : rows) {
    if (row->capture == nullptr) continue;
    row->captured = true;
    row->capture.reset();
    ++totals_.captures;
  }
  return {};
}

Result<void> LogWriter::write_rows(int64_t day, std::span<RequestRow*> rows) {
  WEIR_TRY(DayFile * file, requests_of(day));
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(file->connection));
  std::map<RollupKey, RollupSums> sums;
  file->tallies.clear();   // of a batch that failed
  auto line = sums.end();  // of the row before: most rows belong to the same one
  uint64_t inserted = 0;
  uint64_t unusable = 0;
  for (RequestRow* row : rows) {
    bind_request(file->insert, *row);
    auto done = file->insert.run();
    if (!done && done.error().code() == ErrorCode::limit_exceeded) {
      file->insert.reset();
      ++unusable;
      continue;
    }
    WEIR_CHECK_OK(std::move(done));
    if (file->connection.changes() == 0) continue;  // written before: it is in the rollup too
    if (line == sums.end() || !belongs_to(*row, line->first)) {
      line = sums.try_emplace(rollup_key(*row)).first;
    }
    line->second.add(*row);
    file->tallies.add(*row);
    ++inserted;
  }
  for (const auto& [key, sum] : sums) {
    bind_rollup(file->upsert, key, sum);
    WEIR_CHECK_OK(file->upsert.run());
    file->tallies.add(key, sum);
  }
  WEIR_CHECK_OK(file->tallies.write());
  WEIR_CHECK_OK(transaction.commit());
  totals_.rows += inserted;
  totals_.unusable += unusable;
  ++totals_.commits;
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
  Result<void> result;
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
