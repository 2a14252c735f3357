// What the readers of the log share: opening a file that may not be there, and conditions whose
// values are bound and never part of the SQL. For control-plane threads.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/sqlite.h"

namespace weir::ledger {

// A file that is not there (retention took it meanwhile), or whose writer has not made that table
// yet, is not an error but nullopt.
Result<std::optional<store::Connection>> open_log_file(const std::string& path,
                                                       std::string_view table);

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
