#include "store/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

namespace weir::store {

namespace {

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::corrupt;
    case SQLITE_CONSTRAINT:
      return ErrorCode::already_exists;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorCode::permission_denied;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_ERROR:
      return ErrorCode::internal;
    case SQLITE_TOOBIG:
      return ErrorCode::limit_exceeded;
    default:
      return ErrorCode::io_error;
  }
}

// Makes the file with mode 0600 before SQLite would make it with the process's umask. The WAL and
// shared-memory files take over the mode of the database file. One that is there is not opened:
// closing it would drop the locks that this process's connections hold on it.
Result<void> make_private_file(const std::string& path) {
  int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) return {};
  if (file < 0) {
    return fail(
        errno == EACCES || errno == EROFS ? ErrorCode::permission_denied : ErrorCode::io_error,
        fmt::format("{}: can not make the database file: {}", path,
                    std::generic_category().message(errno)));
  }
  ::close(file);
  return {};
}

}  // namespace

Error error_of(sqlite3* handle, int code, std::string_view doing) {
  const char* file = handle ? sqlite3_db_filename(handle, "main") : nullptr;
  const char* text = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  return {code_of(code),
          fmt::format("{}: {}: {} (SQLite {})", file ? file : "database", doing, text, code)};
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int position, int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_.get(), position, value);
  return *this;
}

Statement& Statement::bind(int position, std::string_view text) {
  // A null pointer would bind NULL; an empty view need not have a pointer.
  bind_error_ |= sqlite3_bind_text64(statement_.get(), position, text.data() ? text.data() : "",
                                     text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int position, std::string_view bytes) {
  bind_error_ |= sqlite3_bind_blob64(statement_.get(), position, bytes.data() ? bytes.data() : "",
                                     bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_null(int position) {
  bind_error_ |= sqlite3_bind_null(statement_.get(), position);
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* handle = sqlite3_db_handle(statement_.get());
  if (bind_error_ != 0) {
    int error = bind_error_;
    bind_error_ = 0;
    return fail(error_of(handle, error, "bind"));
  }
  int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = error_of(handle, sqlite3_extended_errcode(handle), "step");
  sqlite3_reset(statement_.get());
  return fail(std::move(error));
}

Result<void> Statement::run() {
  for (;;) {
    WEIR_TRY(bool more, step());
    if (!more) break;
  }
  reset();
  return {};
}

void Statement::reset() {
  bind_error_ = 0;
  sqlite3_reset(statement_.get());
}

int64_t Statement::column_int64(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::column_text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::column_blob(int column) const {
  const void* blob = sqlite3_column_blob(statement_.get(), column);
  if (blob == nullptr) return {};
  return {static_cast<const char*>(blob),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::column_is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Connection::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

Result<Connection> Connection::open(const std::string& path, OpenMode mode, int busy_ms) {
  // Nobody asks how much memory SQLite uses; counting it would cost a mutex, shared by all threads,
  // at every allocation. Refused, and no matter, where SQLite runs already.
  static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)uncounted;
  if (mode == OpenMode::create) {
    WEIR_CHECK_OK(make_private_file(path));
  } else if (::access(path.c_str(), F_OK) != 0) {
    return fail(ErrorCode::not_found, fmt::format("{}: no such database", path));
  }
  // One thread at a time uses a connection, so SQLite's own mutexes are not needed.
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
              (mode == OpenMode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  sqlite3* raw = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Connection connection;
  connection.handle_.reset(raw);
  if (code != SQLITE_OK) return fail(error_of(raw, code, "open"));
  sqlite3_busy_timeout(raw, busy_ms);
  if (mode == OpenMode::read_only) {
    WEIR_CHECK_OK(connection.execute("PRAGMA query_only=1"));
  } else {
    // NORMAL: the file is never corrupted by a power cut, and commits need no fsync.
    WEIR_CHECK_OK(connection.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
        "PRAGMA journal_size_limit=67108864"));
  }
  return connection;
}

Result<void> Connection::execute(const char* sql) {
  int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code, "execute"));
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get(), code, "prepare"));
  return Statement(statement);
}

Result<std::optional<int64_t>> Connection::query_int64(std::string_view sql) {
  WEIR_TRY(Statement statement, prepare(sql));
  WEIR_TRY(bool found, statement.step());
  if (!found || statement.column_is_null(0)) return std::optional<int64_t>();
  return std::optional<int64_t>(statement.column_int64(0));
}

Result<std::string> Connection::query_text(std::string_view sql) {
  WEIR_TRY(Statement statement, prepare(sql));
  WEIR_TRY(bool found, statement.step());
  return found ? std::string(statement.column_text(0)) : std::string();
}

int64_t Connection::changes() const {
  return sqlite3_changes64(handle_.get());
}

Result<void> Connection::migrate(std::string_view room, std::span<const Migration> migrations) {
  WEIR_TRY(Transaction transaction, Transaction::begin(*this));
  WEIR_CHECK_OK(
      execute("CREATE TABLE IF NOT EXISTS schema_version("
              "room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"));
  int64_t have = 0;
  {
    WEIR_TRY(Statement query, prepare("SELECT version FROM schema_version WHERE room=?1"));
    query.bind(1, room);
    WEIR_TRY(bool found, query.step());
    if (found) have = query.column_int64(0);
  }
  int64_t want = migrations.empty() ? 0 : migrations.back().version;
  if (have == want) return transaction.commit();
  if (have > want) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: the tables of '{}' have version {}, this program knows up to {}: "
                            "they were written by a newer weir; use that one, or another data_dir",
                            sqlite3_db_filename(handle_.get(), "main"), room, have, want));
  }
  for (const Migration& migration : migrations) {
    if (migration.version > have) WEIR_CHECK_OK(execute(migration.sql));
  }
  WEIR_TRY(Statement update,
           prepare("INSERT OR REPLACE INTO schema_version(room, version) VALUES(?1, ?2)"));
  update.bind(1, room).bind(2, want);
  WEIR_CHECK_OK(update.run());
  return transaction.commit();
}

Result<Transaction> Transaction::begin(Connection& connection) {
  WEIR_CHECK_OK(connection.execute("BEGIN IMMEDIATE"));
  return Transaction(connection);
}

Transaction::~Transaction() {
  // After some errors (disk full) SQLite has rolled back by itself; a second one only fails.
  if (connection_ != nullptr) (void)connection_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  Connection* connection = connection_;
  auto done = connection->execute("COMMIT");
  if (done) connection_ = nullptr;
  return done;
}

}  // namespace weir::store
