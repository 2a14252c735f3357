#include "store/feed.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

namespace weir::store {

struct FeedTable : sqlite3_vtab {
  Feed* feed = nullptr;
};

struct FeedCursor : sqlite3_vtab_cursor {
  size_t row = 0;
  std::array<Feed::Cell, Feed::kColumnsMax> cells;
};

struct FeedModule {
  static FeedCursor& cursor_of(sqlite3_vtab_cursor* base) {
    return static_cast<FeedCursor&>(*base);
  }
  static Feed& feed_of(sqlite3_vtab_cursor* base) {
    return *static_cast<FeedTable*>(base->pVtab)->feed;
  }

  static int connect(sqlite3* handle, void* feed, int, const char* const*, sqlite3_vtab** table,
                     char**) {
    std::string columns;
    for (size_t i = 0; i < static_cast<Feed*>(feed)->columns_; ++i) {
      columns += fmt::format("{}c{}", i == 0 ? "" : ",", i);
    }
    const int code =
        sqlite3_declare_vtab(handle, fmt::format("CREATE TABLE feed({})", columns).c_str());
    if (code != SQLITE_OK) return code;
    auto made = std::make_unique<FeedTable>();
    made->feed = static_cast<Feed*>(feed);
    *table = made.release();
    return SQLITE_OK;
  }
  static int disconnect(sqlite3_vtab* table) {
    delete static_cast<FeedTable*>(table);
    return SQLITE_OK;
  }
  static int best_index(sqlite3_vtab*, sqlite3_index_info* info) {
    info->estimatedCost = 1'000;
    return SQLITE_OK;
  }
  static int open(sqlite3_vtab*, sqlite3_vtab_cursor** cursor) {
    *cursor = std::make_unique<FeedCursor>().release();
    return SQLITE_OK;
  }
  static int close(sqlite3_vtab_cursor* cursor) {
    delete static_cast<FeedCursor*>(cursor);
    return SQLITE_OK;
  }
  static int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
    return move_to(cursor, 0);
  }
  static int next(sqlite3_vtab_cursor* cursor) {
    return move_to(cursor, cursor_of(cursor).row + 1);
  }
  static int move_to(sqlite3_vtab_cursor* base, size_t row) {
    FeedCursor& cursor = cursor_of(base);
    const Feed& feed = feed_of(base);
    cursor.row = row;
    if (row >= feed.rows_) return SQLITE_OK;
    Feed::Row cells(cursor.cells.data());
    feed.fill_(row, cells);
    return SQLITE_OK;
  }
  static int at_end(sqlite3_vtab_cursor* cursor) {
    return cursor_of(cursor).row >= feed_of(cursor).rows_ ? 1 : 0;
  }
  static int column(sqlite3_vtab_cursor* cursor, sqlite3_context* result, int column) {
    const Feed::Cell& cell = cursor_of(cursor).cells[static_cast<size_t>(column)];
    if (cell.text == nullptr) {
      sqlite3_result_int64(result, cell.value);
    } else {
      sqlite3_result_text64(result, cell.text, static_cast<sqlite3_uint64>(cell.value),
                            SQLITE_STATIC, SQLITE_UTF8);
    }
    return SQLITE_OK;
  }
  static int row_id(sqlite3_vtab_cursor* cursor, sqlite3_int64* id) {
    *id = static_cast<sqlite3_int64>(cursor_of(cursor).row);
    return SQLITE_OK;
  }

  // Without xCreate the table is there by itself and nobody can make another one.
  static constexpr sqlite3_module kModule = {.iVersion = 0,
                                             .xCreate = nullptr,
                                             .xConnect = connect,
                                             .xBestIndex = best_index,
                                             .xDisconnect = disconnect,
                                             .xDestroy = nullptr,
                                             .xOpen = open,
                                             .xClose = close,
                                             .xFilter = filter,
                                             .xNext = next,
                                             .xEof = at_end,
                                             .xColumn = column,
                                             .xRowid = row_id};
};

Result<std::unique_ptr<Feed>> Feed::attach(Connection& connection, const char* name,
                                           size_t columns) {
  if (columns == 0 || columns > kColumnsMax) {
    return fail(ErrorCode::invalid_argument, fmt::format("a feed of {} columns", columns));
  }
  std::unique_ptr<Feed> feed(new Feed(columns));
  const int code = sqlite3_create_module_v2(connection.handle(), name, &FeedModule::kModule,
                                            feed.get(), nullptr);
  if (code != SQLITE_OK) return fail(error_of(connection.handle(), code, "feed"));
  return feed;
}

void Feed::set(size_t rows, Fill fill) {
  rows_ = rows;
  fill_ = std::move(fill);
}

}  // namespace weir::store
