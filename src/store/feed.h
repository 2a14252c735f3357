// Feed: rows from memory as a virtual table, for "INSERT INTO t SELECT * FROM feed". A thousand
// rows are one statement: binding them one by one and opening the table and its indexes for each of
// them would cost about as much as writing them. Belongs to its connection's thread; must outlive
// the connection. The cells must live until the statement is run. Limit: kColumnsMax.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/sqlite.h"

namespace weir::store {

class Feed {
 public:
  static constexpr size_t kColumnsMax = 64;

  struct Cell {
    const char* text = nullptr;  // nullptr: a number
    int64_t value = 0;           // the number, or the size of the text
  };
  // Gives the cells of one row, one after the other.
  class Row {
   public:
    explicit Row(Cell* at) : at_(at) {}
    void number(int64_t value) { *at_++ = {nullptr, value}; }
    void text(std::string_view value) {
      *at_++ = {value.data() != nullptr ? value.data() : "", static_cast<int64_t>(value.size())};
    }

   private:
    Cell* at_;
  };
  using Fill = std::function<void(size_t row, Row& cells)>;

  // Makes the table `name` with that many columns in this connection, for nobody else.
  static Result<std::unique_ptr<Feed>> attach(Connection& connection, const char* name,
                                              size_t columns);
  // What the next statements read.
  void set(size_t rows, Fill fill);

 private:
  friend struct FeedModule;
  explicit Feed(size_t columns) : columns_(columns) {}

  const size_t columns_;
  size_t rows_ = 0;
  Fill fill_;
};

}  // namespace weir::store
