#include "ledger/log_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "ledger/log_schema.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

// Zero: there is no such file.
ino_t inode_of(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 ? about.st_ino : 0;
}

}  // namespace

LogFile::~LogFile() {
  if (files_ && connection_) files_->keep(std::move(*this));
}

LogFile& LogFile::operator=(LogFile&& other) noexcept {
  LogFile before;
  std::swap(before.files_, files_);
  std::swap(before.path_, path_);
  std::swap(before.inode_, inode_);
  std::swap(before.connection_, connection_);
  files_ = std::move(other.files_);
  path_ = std::move(other.path_);
  inode_ = other.inode_;
  connection_ = std::move(other.connection_);
  return *this;
}

Result<LogFile> LogFiles::requests(int64_t day) {
  return open(store::day_file(data_dir_, kRequestsPrefix, day), "tally");
}

Result<LogFile> LogFiles::captures(int64_t day) {
  return open(store::day_file(data_dir_, kCapturesPrefix, day), "capture");
}

Result<LogFile> LogFiles::meta() {
  return open(data_dir_ + "/meta.db", "tally");
}

Result<LogFile> LogFiles::open(std::string path, std::string_view table) {
  LogFile file;
  file.inode_ = inode_of(path);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = kept_.find(path); found != kept_.end()) {
      Kept kept = std::move(found->second);
      kept_.erase(found);
      // A file that was removed, or moved aside and begun again, is another one.
      if (kept.inode == file.inode_) file.connection_ = std::move(kept.connection);
    }
  }
  if (!file.connection_) {
    auto opened = store::Connection::open(path, store::OpenMode::read_only);
    if (!opened) {
      if (opened.error().code() == ErrorCode::not_found) return LogFile();
      return fail(std::move(opened).error());
    }
    WEIR_TRY(const auto found,
             opened->query_int64(fmt::format(
                 "SELECT 1 FROM sqlite_master WHERE type='table' AND name='{}'", table)));
    if (!found) return LogFile();
    WEIR_CHECK_OK(opened->execute("PRAGMA cache_size=-512"));
    file.connection_ = std::make_unique<store::Connection>(std::move(*opened));
  }
  file.path_ = std::move(path);
  file.files_ = shared_from_this();
  return file;
}

void LogFiles::keep(LogFile&& file) {
  const std::lock_guard lock(mutex_);
  kept_.insert_or_assign(
      std::move(file.path_),
      Kept{.connection = std::move(file.connection_), .inode = file.inode_, .used = ++uses_});
  if (kept_.size() <= kOpenMax) return;
  kept_.erase(
      std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.used; }));
}

}  // namespace weir::ledger
