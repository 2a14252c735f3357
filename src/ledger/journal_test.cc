#include "ledger/journal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "ledger/row_codec.h"
#include "ledger/sample_row.h"
#include "store/temporary_directory.h"

namespace weir::ledger {
namespace {

RequestRow row_at(int64_t ms) {
  IdMaker ids(0);
  return sample_row(ids.make(kNoon + ms));
}

std::unique_ptr<Journal> open(const store::TemporaryDirectory& directory, uint32_t slots = 8) {
  auto journal = Journal::open(directory.path() + "/journal.bin", 2, slots);
  EXPECT_TRUE(journal);
  return std::move(*journal);
}

std::string bytes_of_row(const RequestRow& row) {
  std::string bytes;
  encode_row(row, bytes);
  return bytes;
}

void note(JournalPort& port, RequestRow& row) {
  port.note(bytes_of_row(row), row.journal_slot);
}

void finish(JournalPort& port, RequestRow& row) {
  port.finish(bytes_of_row(row), row.journal_slot, row.cost.nano() > 0);
}

TEST(Journal, ARowIsReadAsItWasWritten) {
  const RequestRow row = row_at(0);
  const std::string bytes = bytes_of_row(row);
  auto read = decode_row(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(bytes_of_row(*read), bytes);
  EXPECT_EQ(read->usage, row.usage);
  EXPECT_EQ(read->cost, row.cost);
  EXPECT_EQ(read->project, "suggest");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_row(std::string_view(bytes).substr(0, size))) << size;
  }
}

TEST(Journal, AKilledProcessLeavesItsRequests) {
  store::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    auto journal = open(directory);
    journal->clear();
    RequestRow sent = row_at(1);
    sent.cost = Money::from_nano(9);
    note(journal->port(0), sent);
    sent.attempts = 2;
    note(journal->port(0), sent);
    RequestRow ended = row_at(2);
    note(journal->port(1), ended);
    ended.cost = Money::from_nano(7);
    finish(journal->port(1), ended);
    RequestRow committed = row_at(3);
    note(journal->port(1), committed);
    finish(journal->port(1), committed);
    journal->release(committed.journal_slot);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto journal = open(directory, 16);
  auto left = journal->take_left();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].id.wall_ms(), kNoon + 1);
  EXPECT_EQ(left[0].attempts, 2u);
  EXPECT_EQ(left[0].cost.nano(), 9);
  EXPECT_EQ(left[1].cost.nano(), 7);
  EXPECT_EQ(open(directory)->take_left().size(), 2u) << "until it is cleared";
  journal->clear();
  EXPECT_EQ(open(directory)->take_left().size(), 0u);
}

TEST(Journal, IsBoundedAndReusesItsSlots) {
  store::TemporaryDirectory directory;
  auto journal = open(directory);
  journal->clear();
  JournalPort& port = journal->port(1);
  for (int round = 0; round < 100; ++round) {
    std::vector<RequestRow> rows;
    for (int i = 0; i < 9; ++i) {
      rows.push_back(row_at(round * 10 + i));
      note(port, rows.back());
    }
    EXPECT_EQ(port.open(), 9u);
    for (RequestRow& row : rows) {
      finish(port, row);
      journal->release(row.journal_slot);
    }
    EXPECT_EQ(port.open(), 0u);
  }
  EXPECT_EQ(journal->unjournaled(), 100u) << "the ninth of each round, at its note alone";
}

TEST(Journal, LongRowsKeepTheirMoney) {
  store::TemporaryDirectory directory;
  auto journal = open(directory);
  journal->clear();
  RequestRow row = row_at(1);
  row.tags.assign(5'000, 't');
  row.attempts_text.assign(70'000, 'a');
  note(journal->port(0), row);
  journal.reset();
  const auto left = open(directory)->take_left();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].cost, row.cost);
  EXPECT_EQ(left[0].key_id, row.key_id);
  EXPECT_EQ(left[0].usage, row.usage);
}

TEST(Journal, DamagedRecordsAreLeftOut) {
  store::TemporaryDirectory directory;
  auto journal = open(directory);
  journal->clear();
  RequestRow row1 = row_at(1);
  note(journal->port(0), row1);
  RequestRow row2 = row_at(2);
  note(journal->port(1), row2);
  journal.reset();
  {
    std::fstream file(directory.path() + "/journal.bin",
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4096 + 100);
    file.put('\xff');
  }
  EXPECT_EQ(open(directory)->take_left().size(), 1u);
}

}  // namespace
}  // namespace weir::ledger
