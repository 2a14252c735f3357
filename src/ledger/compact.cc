#include "ledger/compact.h"

#include <filesystem>
#include <vector>

#include "base/log.h"
#include "ledger/log_schema.h"
#include "store/day.h"
#include "store/sqlite.h"

namespace weir::ledger {
namespace {

constexpr int kBusyMs = 200;
// Of a file: less is not worth writing it again.
constexpr int64_t kWorthShare = 50;

int64_t bytes_of(const std::string& path) {
  int64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path + suffix, error);
    if (!error) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

bool has_room_for(const std::string& path) {
  std::error_code error;
  const auto space = std::filesystem::space(path, error);
  return !error && space.available > 2 * static_cast<uint64_t>(bytes_of(path));
}

Result<bool> compact_file(const std::string& path) {
  WEIR_TRY(store::Connection file,
           store::Connection::open(path, store::OpenMode::read_write, kBusyMs));
  WEIR_CHECK_OK(file.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  WEIR_TRY(const auto pages, file.query_int64("PRAGMA page_count"));
  WEIR_TRY(const auto free, file.query_int64("PRAGMA freelist_count"));
  if (free.value_or(0) * kWorthShare < pages.value_or(0)) return false;
  if (!has_room_for(path)) return fail(ErrorCode::limit_exceeded, "the disk has no room for it");
  WEIR_CHECK_OK(file.execute("VACUUM"));
  WEIR_CHECK_OK(file.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  return true;
}

}  // namespace

Result<CompactReport> compact(const CompactQuery& query) {
  std::vector<std::string> files;
  for (const std::string_view prefix : {kRequestsPrefix, kCapturesPrefix}) {
    for (const int64_t day : store::days_on_disk(query.data_dir, prefix)) {
      if (day < query.today) files.push_back(store::day_file(query.data_dir, prefix, day));
    }
  }
  CompactReport report;
  for (const std::string& path : files) {
    if (query.progress) {
      WEIR_CHECK_OK(query.progress(report.files, static_cast<int64_t>(files.size())));
    }
    ++report.files;
    report.bytes_before += bytes_of(path);
    const auto done = compact_file(path);
    if (done) {
      report.compacted += *done ? 1 : 0;
    } else {
      ++report.left;
      log::warn("ledger_file_not_compacted", {{"file", path}, {"reason", done.error().message()}});
    }
    report.bytes_after += bytes_of(path);
  }
  return report;
}

}  // namespace weir::ledger
