// SQLite behind RAII and Result: connection, statement, transaction, migrations. A Connection and
// its statements belong to one thread at a time. Nothing here is for the data plane: every call
// may touch the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace weir::store {

// One prepared statement. Bind positions and columns count from 1 and from 0, as SQLite's do.
// Text and blobs are not copied by bind: they must live until the next reset().
class Statement {
 public:
  Statement() = default;

  Statement& bind(int position, int64_t value);
  Statement& bind(int position, std::string_view text);
  Statement& bind_blob(int position, std::string_view bytes);
  Statement& bind_null(int position);
  // True: a row is there to read. False: done. Errors: see error_of() below.
  Result<bool> step();
  // Steps to the end and resets: for statements without rows.
  Result<void> run();
  void reset();

  int64_t column_int64(int column) const;
  // Valid until the next step() or reset().
  std::string_view column_text(int column) const;
  std::string_view column_blob(int column) const;
  bool column_is_null(int column) const;

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_error_ = 0;
};

enum class OpenMode : uint8_t { read_only, read_write, create };

struct Migration {
  int version;      // 1, 2, 3, ... without gaps
  const char* sql;  // one or more statements
};

class Connection {
 public:
  Connection() = default;
  // WAL, synchronous=NORMAL, foreign keys on; waits up to `busy_ms` for another writer.
  // Files are made with mode 0600. Errors: not_found (read_only and absent), io_error, corrupt.
  static Result<Connection> open(const std::string& path, OpenMode mode, int busy_ms = 2000);

  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the first row; nullopt without one.
  Result<std::optional<int64_t>> query_int64(std::string_view sql);
  Result<std::string> query_text(std::string_view sql);
  // Brings the room's tables from their stored version to the last of `migrations`, in one
  // transaction. A file written by a newer Weir is refused (invalid_argument). Several rooms may
  // share a file.
  Result<void> migrate(std::string_view room, std::span<const Migration> migrations);

  int64_t changes() const;  // rows of the last INSERT, UPDATE or DELETE
  explicit operator bool() const { return handle_ != nullptr; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

// Begins at once (IMMEDIATE), rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection);
  Transaction(Transaction&& other) noexcept : connection_(other.connection_) {
    other.connection_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

// SQLite's result code as ours: busy and locked -> unavailable, full -> io_error, ... The message
// has the file and SQLite's text.
Error error_of(sqlite3* handle, int code, std::string_view doing);

}  // namespace weir::store
