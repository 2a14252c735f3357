// The audit log: what is written is read back, and every way of tampering is found.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "identity/audit_log.h"
#include "store/temporary_directory.h"

namespace weir::identity {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int64_t kRecords = 250;  // two checkpoints and a rest

class AuditTest : public testing::Test {
 protected:
  void fill(int64_t records = kRecords) {
    auto log = AuditLog::open(directory_.path());
    ASSERT_TRUE(log) << log.error().message();
    for (int64_t i = 1; i <= records; ++i) {
      const auto number = log->append({.time_ms = i,
                                       .actor = i % 2 == 0 ? "ada" : "bob",
                                       .actor_kind = "session",
                                       .address = "192.0.2.1",
                                       .action = "POST /api/v1/keys",
                                       .object = fmt::format("key-{}", i),
                                       .status = 201,
                                       .before = "",
                                       .after = R"({"rpm":10})"});
      ASSERT_TRUE(number) << number.error().message();
      next_ = *number;
    }
  }
  AuditReport verify(const std::optional<AuditAnchor>& anchor = {}) {
    auto key = AuditKey::open(directory_.path());
    auto report = AuditLog::verify(directory_.path(), *key, anchor);
    EXPECT_TRUE(report) << report.error().message();
    return *report;
  }
  void tamper(const char* sql) {
    auto connection =
        store::Connection::open(directory_.path() + "/audit.db", store::OpenMode::read_write);
    const auto done = connection->execute(sql);
    ASSERT_TRUE(done) << done.error().message();
  }
  store::TemporaryDirectory directory_;
  int64_t next_ = 0;
};

TEST_F(AuditTest, WhatWasWrittenVerifiesAndIsListed) {
  fill();
  const AuditReport report = verify();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.records, kRecords);
  EXPECT_EQ(report.checkpoints, 2);
  EXPECT_THAT(verify(*parse_anchor(to_text(report.head))).problems, IsEmpty());
  auto log = AuditLog::open(directory_.path());
  const auto rows = log->list({.before = 200, .limit = 3, .actor = "ada"});
  ASSERT_EQ(rows->size(), 3U);
  EXPECT_EQ(rows->front().number, 198);
  EXPECT_EQ(rows->front().after, R"({"rpm":10})");
  EXPECT_EQ(log->list({.object = "key-7"})->size(), 1U);
  EXPECT_EQ(log->list({.action = "/keys", .since_ms = 10, .until_ms = 20})->size(), 10U);
  EXPECT_EQ(log->list({.action = "/users"})->size(), 0U);
  // Another start goes on where the last one ended.
  EXPECT_EQ(log->append({.actor = "ada"}), kRecords + 1);
  EXPECT_THAT(verify(report.head).problems, IsEmpty());
}

TEST_F(AuditTest, EveryWayOfTamperingIsFound) {
  struct Case {
    const char* sql;
    const char* problem;
  };
  const Case cases[] = {
      {"UPDATE record SET actor='eve' WHERE number=17", "record 17 "},
      {"UPDATE record SET after='{\"rpm\":1000}' WHERE number=17", "record 17 "},
      {"UPDATE record SET before='x', after='' WHERE number=17", "record 17 "},
      {"UPDATE record SET time_ms=time_ms+1 WHERE number=250", "record 250 "},
      {"UPDATE record SET status=403 WHERE number=1", "record 1 "},
      // Bytes moved from one text to the next one.
      {"UPDATE record SET actor='ad', actor_kind='asession' WHERE number=18", "record 18 "},
      {"UPDATE record SET hash=zeroblob(32) WHERE number=30", "record 30 "},
      {"UPDATE record SET hash=x'00' WHERE number=30", "record 30 "},
      {"DELETE FROM record WHERE number=17", "records 17 to 17 are missing"},
      {"DELETE FROM record WHERE number=1", "records 1 to 1 are missing"},
      {"DELETE FROM record WHERE number=250", "the last one is 249"},
      {"DELETE FROM record WHERE number>100", "the last one is 100"},
      {"DELETE FROM record", "the last one is 0"},
      {"DELETE FROM head", "the head names record 0"},
      {"DELETE FROM checkpoint WHERE number=100", "checkpoint 100 is missing"},
      {"UPDATE checkpoint SET signature=zeroblob(64) WHERE number=200", "checkpoint 200 is not"},
      {"UPDATE head SET signature=zeroblob(64)", "the head is not signed"},
      // Two records change places.
      {"UPDATE record SET number=-1 WHERE number=17; UPDATE record SET number=17 WHERE number=18; "
       "UPDATE record SET number=18 WHERE number=-1",
       "record 17 "},
      // One removed and the rest moved up.
      {"DELETE FROM record WHERE number=17; UPDATE record SET number=-number WHERE number>17; "
       "UPDATE record SET number=-number-1 WHERE number<0; UPDATE head SET number=249",
       "record 17 "},
      // One put in between.
      {"UPDATE record SET number=-number WHERE number>17; UPDATE record SET number=-number+1 WHERE "
       "number<0; INSERT INTO record SELECT 18, time_ms, 'eve', actor_kind, address, action, "
       "object, status, before, after, hash FROM record WHERE number=17",
       "record 18 "},
      // The end cut off, and a checkpoint passed off as the head.
      {"DELETE FROM record WHERE number>100; UPDATE head SET number=100, hash=(SELECT hash FROM "
       "record WHERE number=100), signature=(SELECT signature FROM checkpoint WHERE number=100); "
       "DELETE FROM checkpoint WHERE number>100",
       "the head is not signed"},
      {"UPDATE checkpoint SET signature=(SELECT signature FROM checkpoint WHERE number=100) WHERE "
       "number=200",
       "checkpoint 200 is not"},
  };
  fill();
  std::filesystem::create_directory(directory_.path() + "/kept");
  for (const char* file : {"/audit.db", "/audit.db-wal"}) {
    if (!std::filesystem::exists(directory_.path() + file)) continue;
    std::filesystem::copy(directory_.path() + file, directory_.path() + "/kept" + file);
  }
  for (const auto& [sql, expected] : cases) {
    tamper(sql);
    std::string problems;
    for (const std::string& problem : verify().problems) problems += problem + "\n";
    EXPECT_THAT(problems, HasSubstr(expected)) << sql;
    for (const char* file : {"/audit.db-wal", "/audit.db-shm"}) {
      std::filesystem::remove(directory_.path() + file);
    }
    for (const char* file : {"/audit.db", "/audit.db-wal"}) {
      if (!std::filesystem::exists(directory_.path() + "/kept" + file)) continue;
      std::filesystem::copy(directory_.path() + "/kept" + file, directory_.path() + file,
                            std::filesystem::copy_options::overwrite_existing);
    }
    ASSERT_THAT(verify().problems, IsEmpty());
  }
}

TEST_F(AuditTest, ALogSignedAnewIsFoundByTheKeyAndOnePutBackByTheAnchor) {
  fill(40);
  const std::string kept_key = AuditLog::open(directory_.path())->public_pem();
  const AuditAnchor early = verify().head;
  fill(20);
  const AuditAnchor late = verify().head;
  // Another log with a key of its own, put in the place of this one.
  store::TemporaryDirectory other;
  {
    auto log = AuditLog::open(other.path());
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(log->append({.actor = "nobody"}));
  }
  const auto key = AuditKey::from_public_pem(kept_key);
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_THAT(AuditLog::verify(directory_.path(), *key, late)->problems, IsEmpty());
  EXPECT_THAT(AuditLog::verify(other.path(), *key)->problems,
              ElementsAre("the head is not signed with this key"));
  EXPECT_THAT(AuditLog::verify(other.path(), *AuditKey::open(other.path()), early)->problems,
              ElementsAre("record 40 differs from the anchor"));
  tamper("DELETE FROM record WHERE number>50");
  EXPECT_THAT(AuditLog::verify(directory_.path(), *key, late)->problems,
              testing::Contains("the anchor is record 60, the last one here is 50"));
  EXPECT_FALSE(AuditKey::from_public_pem("-----BEGIN PUBLIC KEY-----\n"));
  for (const char* text : {"", "7", "7:", "0:00", "x:00", ":00", "7:zz"}) {
    EXPECT_FALSE(parse_anchor(text)) << text;
  }
}

TEST_F(AuditTest, TwoProcessesAppendToOneChain) {
  auto one = AuditLog::open(directory_.path());
  auto two = AuditLog::open(directory_.path());
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(one->append({.actor = "server"}), 2 * i + 1);
    EXPECT_EQ(two->append({.actor = "shell"}), 2 * i + 2);
  }
  EXPECT_THAT(verify().problems, IsEmpty());
}

TEST_F(AuditTest, LongTextsAreCutAndTheKeyIsPrivate) {
  auto log = AuditLog::open(directory_.path());
  ASSERT_TRUE(log->append({.after = std::string(AuditLog::kTextBytesMax * 3, 'x')}));
  EXPECT_THAT(log->list({})->front().after, HasSubstr("(cut)"));
  EXPECT_LT(log->list({})->front().after.size(), AuditLog::kTextBytesMax + 20);
  EXPECT_THAT(verify().problems, IsEmpty());
  const std::string path = directory_.path() + "/audit.key";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(AuditLog::open(directory_.path()).error().code(), ErrorCode::permission_denied);
}

}  // namespace
}  // namespace weir::identity
