#include "store/sqlite.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "store/temporary_directory.h"

namespace weir::store {
namespace {

constexpr Migration kOne[] = {{1, "CREATE TABLE t(a INTEGER, b TEXT, c BLOB)"}};
constexpr Migration kTwo[] = {{1, "CREATE TABLE t(a INTEGER, b TEXT, c BLOB)"},
                              {2, "ALTER TABLE t ADD COLUMN d INTEGER NOT NULL DEFAULT 7"}};

TEST(Sqlite, WritesAndReadsEveryType) {
  TemporaryDirectory directory;
  auto connection = Connection::open(directory.path() + "/a.db", OpenMode::create);
  ASSERT_TRUE(connection) << connection.error().message();
  ASSERT_TRUE(connection->migrate("room", kOne));
  auto insert = connection->prepare("INSERT INTO t VALUES(?1, ?2, ?3)");
  ASSERT_TRUE(insert);
  std::string blob("\0\x01\xff", 3);
  ASSERT_TRUE(
      insert->bind(1, int64_t{INT64_MIN}).bind(2, std::string_view()).bind_blob(3, blob).run());
  ASSERT_TRUE(insert->bind(1, int64_t{2}).bind(2, "text").bind_null(3).run());
  EXPECT_EQ(connection->changes(), 1);
  auto query = connection->prepare("SELECT a, b, c FROM t ORDER BY a");
  ASSERT_TRUE(query);
  ASSERT_TRUE(query->step().value());
  EXPECT_EQ(query->column_int64(0), INT64_MIN);
  EXPECT_FALSE(query->column_is_null(1)) << "empty text is not NULL";
  EXPECT_EQ(query->column_blob(2), blob);
  ASSERT_TRUE(query->step().value());
  EXPECT_EQ(query->column_text(1), "text");
  EXPECT_TRUE(query->column_is_null(2));
  EXPECT_FALSE(query->step().value());
  EXPECT_EQ(connection->query_int64("SELECT count(*) FROM t").value(), 2);
  EXPECT_EQ(connection->query_int64("SELECT a FROM t WHERE a=5").value(), std::nullopt);
}

TEST(Sqlite, IsInWalModeAndPrivate) {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/a.db";
  auto connection = Connection::open(path, OpenMode::create);
  ASSERT_TRUE(connection);
  ASSERT_TRUE(connection->execute("CREATE TABLE t(a)"));
  EXPECT_EQ(connection->query_text("PRAGMA journal_mode").value(), "wal");
  EXPECT_EQ(connection->query_int64("PRAGMA synchronous").value(), 1);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(stat((path + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
}

// Whether another process would find a lock of this one on the file, asked by a child.
bool is_locked_for_others(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0 || fcntl(file, F_GETLK, &lock) != 0) _exit(2);
    _exit(lock.l_type == F_UNLCK ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < 2);
  return WEXITSTATUS(status) == 1;
}

// A process that closes any descriptor of a file loses all its locks on it. Without its lock
// another process takes itself for the last user, removes the WAL, and what this one then writes
// is gone: see "How To Corrupt An SQLite Database File", 2.2.
TEST(Sqlite, OpeningAFileAgainKeepsTheLocksOnIt) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/a.db";
  auto first = Connection::open(path, OpenMode::create);
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->execute("CREATE TABLE t(a)"));
  ASSERT_TRUE(is_locked_for_others(path));
  auto second = Connection::open(path, OpenMode::create);
  ASSERT_TRUE(second);
  EXPECT_TRUE(is_locked_for_others(path));
  second = fail(ErrorCode::closed);
  EXPECT_TRUE(is_locked_for_others(path));
}

TEST(Sqlite, MigratesForwardAndRefusesNewer) {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/a.db";
  {
    auto connection = Connection::open(path, OpenMode::create);
    ASSERT_TRUE(connection->migrate("room", kOne));
    ASSERT_TRUE(connection->execute("INSERT INTO t(a) VALUES(1)"));
  }
  {
    auto connection = Connection::open(path, OpenMode::create);
    ASSERT_TRUE(connection->migrate("room", kTwo));
    ASSERT_TRUE(connection->migrate("room", kTwo)) << "twice is once";
    EXPECT_EQ(connection->query_int64("SELECT d FROM t").value(), 7);
    constexpr Migration kOther[] = {{1, "CREATE TABLE other(x)"}};
    ASSERT_TRUE(connection->migrate("other", kOther)) << "rooms count apart";
  }
  auto connection = Connection::open(path, OpenMode::create);
  auto refused = connection->migrate("room", kOne);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument);
}

TEST(Sqlite, AFailedMigrationLeavesNothingBehind) {
  TemporaryDirectory directory;
  auto connection = Connection::open(directory.path() + "/a.db", OpenMode::create);
  constexpr Migration kBroken[] = {{1, "CREATE TABLE t(a)"}, {2, "CREATE TABLE t(a)"}};
  EXPECT_FALSE(connection->migrate("room", kBroken));
  EXPECT_EQ(connection->query_int64("SELECT count(*) FROM sqlite_master").value(), 0);
}

TEST(Sqlite, TransactionsRollBackUnlessCommitted) {
  TemporaryDirectory directory;
  auto connection = Connection::open(directory.path() + "/a.db", OpenMode::create);
  ASSERT_TRUE(connection->execute("CREATE TABLE t(a UNIQUE)"));
  {
    auto transaction = Transaction::begin(*connection);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(connection->execute("INSERT INTO t VALUES(1)"));
  }
  EXPECT_EQ(connection->query_int64("SELECT count(*) FROM t").value(), 0);
  {
    auto transaction = Transaction::begin(*connection);
    ASSERT_TRUE(connection->execute("INSERT INTO t VALUES(1)"));
    ASSERT_TRUE(transaction->commit());
  }
  EXPECT_EQ(connection->query_int64("SELECT count(*) FROM t").value(), 1);
  auto twice = connection->execute("INSERT INTO t VALUES(1)");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code(), ErrorCode::already_exists);
}

TEST(Sqlite, TellsErrorsApart) {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/a.db";
  EXPECT_EQ(Connection::open(path, OpenMode::read_only).error().code(), ErrorCode::not_found);
  EXPECT_EQ(Connection::open(directory.path() + "/no/a.db", OpenMode::create).error().code(),
            ErrorCode::io_error);
  std::ofstream(directory.path() + "/text.db") << std::string(4096, 'x');
  EXPECT_EQ(Connection::open(directory.path() + "/text.db", OpenMode::create).error().code(),
            ErrorCode::corrupt);

  auto first = Connection::open(path, OpenMode::create, 0);
  auto second = Connection::open(path, OpenMode::create, 0);
  ASSERT_TRUE(first->execute("CREATE TABLE t(a)"));
  auto held = Transaction::begin(*first);
  ASSERT_TRUE(held);
  auto busy = Transaction::begin(*second);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), ErrorCode::unavailable);

  auto reader = Connection::open(path, OpenMode::read_only);
  ASSERT_TRUE(reader) << "a writer does not block readers";
  EXPECT_EQ(reader->query_int64("SELECT count(*) FROM t").value(), 0);
  EXPECT_EQ(reader->execute("INSERT INTO t VALUES(1)").error().code(),
            ErrorCode::permission_denied);
  EXPECT_EQ(reader->execute("SELEKT").error().code(), ErrorCode::internal);
}

}  // namespace
}  // namespace weir::store
