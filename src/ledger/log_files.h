// What the readers of the log share: the files, held open from one question to the next, and
// conditions whose values are bound and never part of the SQL. Any thread; a file that is lent
// belongs to who has it until it is given back. Limits: kOpenMax files are kept open.
#pragma once

#include <fmt/format.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sqlite.h"

namespace weir::ledger {

class LogFiles;

// A file on loan; empty where there is none.
class LogFile {
 public:
  LogFile() = default;
  ~LogFile();
  LogFile(LogFile&& other) noexcept = default;
  LogFile& operator=(LogFile&& other) noexcept;

  explicit operator bool() const { return connection_ != nullptr; }
  store::Connection* get() const { return connection_.get(); }
  store::Connection* operator->() const { return connection_.get(); }
  store::Connection& operator*() const { return *connection_; }

 private:
  friend class LogFiles;
  std::shared_ptr<LogFiles> files_;
  std::string path_;
  ino_t inode_ = 0;
  std::unique_ptr<store::Connection> connection_;
};

class LogFiles : public std::enable_shared_from_this<LogFiles> {
 public:
  static constexpr size_t kOpenMax = 48;

  explicit LogFiles(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  // A day's requests or captures, and the sums of days that were dropped. A file that is not there
  // (retention took it meanwhile), or whose writer has not made its tables yet, is no error but
  // empty.
  Result<LogFile> requests(int64_t day);
  Result<LogFile> captures(int64_t day);
  Result<LogFile> meta();

 private:
  friend class LogFile;
  struct Kept {
    std::unique_ptr<store::Connection> connection;
    ino_t inode = 0;
    uint64_t used = 0;
  };

  Result<LogFile> open(std::string path, std::string_view table);
  void keep(LogFile&& file);

  const std::string data_dir_;
  std::mutex mutex_;
  std::map<std::string, Kept> kept_;
  uint64_t uses_ = 0;
};

// Conditions of a WHERE, with the texts to bind from ?`first` on. The texts must outlive it.
class Where {
 public:
  explicit Where(int first = 1) : first_(first) {}
  void add(std::string_view condition) {
    sql_ += sql_.empty() ? " WHERE " : " AND ";
    sql_ += condition;
  }
  void number(std::string_view condition, int64_t value) {
    add(fmt::format("{}{}", condition, value));
  }
  void text(std::string_view column, const std::string& value) {
    if (!value.empty()) equals(column, value);
  }
  void equals(std::string_view column, const std::string& value) {
    add(fmt::format("{}=?{}", column, first_ + static_cast<int>(texts_.size())));
    texts_.push_back(&value);
  }
  const std::string& sql() const { return sql_; }
  void bind(store::Statement& statement) const {
    for (size_t i = 0; i < texts_.size(); ++i) {
      statement.bind(first_ + static_cast<int>(i), std::string_view(*texts_[i]));
    }
  }

 private:
  int first_;
  std::string sql_;
  std::vector<const std::string*> texts_;
};

}  // namespace weir::ledger
