#include "ledger/tally.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/random.h"
#include "ledger/log_reader.h"
#include "ledger/log_writer.h"
#include "ledger/row_codec.h"
#include "ledger/sample_row.h"
#include "ledger/series.h"
#include "store/day.h"

namespace weir::ledger {
namespace {

using store::TemporaryDirectory;

TEST(Tally, BucketsAreNarrowAndInOrder) {
  int64_t before = -1;
  for (int64_t us = 0; us < int64_t{1} << 40; us = us < 40 ? us + 1 : us + us / 21) {
    const int64_t bucket = time_bucket(us);
    EXPECT_GE(bucket, before);
    before = bucket;
    const int64_t off = std::abs(bucket_middle(bucket) - us);
    EXPECT_LE(off * 32, us) << us;
  }
  EXPECT_EQ(time_bucket(-5), 0);
  EXPECT_LT(before, 1024);
}

// The rows' writer alone, as of a process that is killed before it writes the sums.
int64_t requests_in_sums(const TemporaryDirectory& directory) {
  const auto sums = LogReader(directory.path()).sums({});
  EXPECT_TRUE(sums);
  return !sums || sums->empty() ? 0 : sums->front().requests;
}

class TallyLater : public testing::Test {
 protected:
  TallyLater() {
    IdMaker ids(0);
    for (int i = 0; i < 300; ++i) {
      std::string record;
      encode_row(sample_row(ids.make(kNoon + i)), record);
      records_.push_back(std::move(record));
    }
  }
  // Writes rows and not their sums.
  void write(LogWriter& writer, size_t from, size_t count) {
    std::vector<RowView> rows;
    for (size_t i = from; i < from + count; ++i) rows.push_back(*view_row(records_[i]));
    ASSERT_TRUE(writer.write(std::span(rows)));
  }

  TemporaryDirectory directory_;
  std::vector<std::string> records_;
};

TEST_F(TallyLater, SumsComeWhenTheyAreAskedFor) {
  LogWriter writer(options_in(directory_));
  EXPECT_FALSE(writer.sums_wait());
  write(writer, 0, 100);
  write(writer, 50, 150);  // half a batch is there already
  EXPECT_TRUE(writer.sums_wait());
  EXPECT_EQ(requests_in_sums(directory_), 0);
  ASSERT_TRUE(writer.write_sums());
  EXPECT_FALSE(writer.sums_wait());
  EXPECT_EQ(requests_in_sums(directory_), 200);
}

TEST_F(TallyLater, WhatAKilledProcessLeftIsAddedOnce) {
  const pid_t child = ::fork();
  if (child == 0) {
    LogWriter writer(options_in(directory_));
    write(writer, 0, 100);
    (void)writer.write_sums();
    write(writer, 100, 120);
    write(writer, 220, 80);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(requests_in_sums(directory_), 100);
  for (int start = 0; start < 2; ++start) {
    LogWriter writer(options_in(directory_));
    ASSERT_TRUE(writer.prepare(kNoon));
    EXPECT_EQ(requests_in_sums(directory_), 300);
  }
}

TEST_F(TallyLater, WhatAnotherProcessAddedMeanwhileIsNotAddedTwice) {
  LogWriter writer(options_in(directory_));
  write(writer, 0, 100);
  {
    LogWriter other(options_in(directory_));
    ASSERT_TRUE(other.prepare(kNoon));
    EXPECT_EQ(requests_in_sums(directory_), 100);
  }
  ASSERT_TRUE(writer.write_sums());
  EXPECT_EQ(requests_in_sums(directory_), 100);
  write(writer, 100, 100);
  ASSERT_TRUE(writer.write_sums());
  EXPECT_EQ(requests_in_sums(directory_), 200);
}

// Rows of four days with two tags; written in batches of 37.
class TallyTest : public testing::Test {
 protected:
  TallyTest() {
    IdMaker ids(0);
    Random random(3);
    for (int i = 0; i < 400; ++i) {
      rows_.push_back(sample_row(ids.make(kNoon + i * (store::kDayMs / 100)), random.next()));
      RequestRow& row = rows_.back();
      row.key_id = fmt_key(random.below(5));
      row.model = random.below(2) == 0 ? "a" : "b";
      row.tags = i % 4 == 0   ? ""
                 : i % 2 == 0 ? R"({"env":"prod","n":1})"
                              : R"({"env":"\u0074est"})";
      row.total_us = 1000 + random.below(5'000'000);
      row.cost = Money::from_nano(random.below(1'000'000));
      if (random.below(10) == 0) row.outcome = Outcome::error;
    }
    LogWriter writer(options_in(directory_));
    for (size_t i = 0; i < rows_.size(); i += 37) {
      EXPECT_TRUE(writer.write(std::span(rows_).subspan(i, std::min<size_t>(37, 400 - i))));
    }
    EXPECT_TRUE(writer.write(std::span(rows_).subspan(0, 100))) << "again: changes nothing";
  }
  static std::string fmt_key(uint64_t n) { return "key-" + std::to_string(n); }

  TemporaryDirectory directory_;
  std::vector<RequestRow> rows_;
  LogReader reader_{directory_.path()};
};

TEST_F(TallyTest, EveryGroupingAddsUpToTheRows) {
  // From within a day to within another: hours at both ends, whole days between.
  const int64_t since = rows_[40].start_ms / kHourMs * kHourMs;
  const int64_t until = rows_[350].start_ms / kHourMs * kHourMs;
  std::map<std::string, int64_t> want;
  Money cost;
  for (const RequestRow& row : rows_) {
    if (row.start_ms < since || row.start_ms >= until) continue;
    cost += row.cost;
    want["all"] += 1;
    want["key:" + row.key_id] += 1;
    want["model:" + row.model] += 1;
    want["both:" + row.key_id + row.model] += 1;
    if (!row.tags.empty())
      want[row.tags.find("prod") != std::string::npos ? "tag:prod" : "tag:test"]++;
  }
  const auto sums = [&](SumBy by, SumBy then_by = SumBy::none) {
    SumQuery query{.since_ms = since, .until_ms = until, .by = by, .then_by = then_by};
    if (by == SumBy::tag) query.tag = "env";
    auto answer = reader_.sums(query);
    EXPECT_TRUE(answer);
    return *answer;
  };
  EXPECT_EQ(sums(SumBy::none).at(0).cost, cost);
  EXPECT_EQ(sums(SumBy::none).at(0).requests, want["all"]);
  for (const Sums& sum : sums(SumBy::key)) EXPECT_EQ(sum.requests, want["key:" + sum.group]);
  for (const Sums& sum : sums(SumBy::model)) EXPECT_EQ(sum.requests, want["model:" + sum.group]);
  EXPECT_EQ(sums(SumBy::tag).size(), 2u);
  for (const Sums& sum : sums(SumBy::tag)) EXPECT_EQ(sum.requests, want["tag:" + sum.group]);
  for (const Sums& sum : sums(SumBy::key, SumBy::model)) {
    EXPECT_EQ(sum.requests, want["both:" + sum.group + sum.then_group]);
  }
  int64_t by_day = 0;
  for (const Sums& sum : sums(SumBy::model, SumBy::day)) by_day += sum.requests;
  EXPECT_EQ(by_day, want["all"]);
  EXPECT_EQ(reader_.sums({.since_ms = since, .until_ms = until, .model = "a"})->at(0).requests,
            want["model:a"]);
  EXPECT_EQ(reader_.tag_names(since, until)->size(), 1u) << "a number is no tag";
  EXPECT_FALSE(reader_.sums({.by = SumBy::tag, .tag = "env", .team = "search"}));
  EXPECT_FALSE(reader_.sums({.by = SumBy::tag}));
}

TEST_F(TallyTest, AFileOfAnOlderVersionIsTalliedWhenItIsOpened) {
  const auto before = reader_.sums({.by = SumBy::tag, .tag = "env"});
  const SeriesQuery range{
      .since_ms = rows_[0].start_ms, .until_ms = rows_[399].start_ms + 1, .rows_max = 10};
  const auto series = read_series(reader_, range);
  for (const int64_t day : store::days_on_disk(directory_.path(), kRequestsPrefix)) {
    auto file = store::Connection::open(store::day_file(directory_.path(), kRequestsPrefix, day),
                                        store::OpenMode::read_write);
    ASSERT_TRUE(file->execute("DELETE FROM tally; DELETE FROM times; DELETE FROM rollup_day"));
  }
  ASSERT_NE(reader_.sums({.by = SumBy::tag, .tag = "env"})->size(), before->size());
  ASSERT_TRUE(LogWriter(options_in(directory_)).prepare(kNoon));
  const auto after = reader_.sums({.by = SumBy::tag, .tag = "env"});
  ASSERT_EQ(after->size(), before->size());
  for (size_t i = 0; i < after->size(); ++i) EXPECT_EQ(after->at(i).cost, before->at(i).cost);
  const auto again = read_series(reader_, range);
  EXPECT_EQ(again->whole.total.p95, series->whole.total.p95);
  EXPECT_GT(again->whole.total.p95, 0);
  EXPECT_EQ(again->whole.cost, series->whole.cost);
}

TEST_F(TallyTest, DaysThatAreDroppedKeepTheirTallies) {
  const auto before = reader_.sums({.by = SumBy::tag, .tag = "env"});
  auto both = reader_.sums({.by = SumBy::key, .then_by = SumBy::model});
  LogOptions options = options_in(directory_);
  options.retention_days = 2;
  LogWriter writer(options);
  ASSERT_TRUE(writer.prepare(kNoon));
  ASSERT_TRUE(writer.drop_old(kNoon + 4 * store::kDayMs));
  EXPECT_LT(store::days_on_disk(directory_.path(), kRequestsPrefix).size(), 4u);
  const auto after = reader_.sums({.by = SumBy::tag, .tag = "env"});
  ASSERT_EQ(after->size(), before->size());
  for (size_t i = 0; i < after->size(); ++i) EXPECT_EQ(after->at(i).cost, before->at(i).cost);
  const auto both_after = reader_.sums({.by = SumBy::key, .then_by = SumBy::model});
  ASSERT_EQ(both_after->size(), both->size());
  for (size_t i = 0; i < both->size(); ++i) EXPECT_EQ(both_after->at(i).cost, both->at(i).cost);
}

TEST_F(TallyTest, PercentilesOfHistogramsAreNearThoseOfTheRows) {
  SeriesQuery query{.since_ms = rows_[0].start_ms, .until_ms = rows_[399].start_ms + 1};
  for (const char* model : {"", "a"}) {
    query.model = model;
    query.rows_max = SeriesQuery::kRowsMax;
    const auto exact = read_series(reader_, query);
    query.rows_max = 10;
    const auto near = read_series(reader_, query);
    ASSERT_TRUE(exact && near);
    EXPECT_TRUE(exact->exact);
    EXPECT_FALSE(near->exact);
    EXPECT_EQ(exact->whole.total.count, near->whole.total.count);
    for (const auto which : {&Percentiles::p50, &Percentiles::p95, &Percentiles::p99}) {
      const double want = static_cast<double>(exact->whole.total.*which);
      EXPECT_NEAR(static_cast<double>(near->whole.total.*which), want, want / 30);
    }
    EXPECT_EQ(exact->whole.requests, near->whole.requests);
  }
}

TEST_F(TallyTest, ASearchThatEndsInTimeGoesOnWhereItStopped) {
  const RowFilter filters[] = {{.model = "a"},
                               {.user = "user-17"},
                               {.outcome = Outcome::error},
                               {.key_id = "key-3", .model = "b"},
                               {.team = "nobody"},
                               {.total_us_min = 2'000'000}};
  for (RowFilter filter : filters) {
    filter.limit = 1000;
    const auto whole = reader_.list(filter);
    ASSERT_TRUE(whole);
    filter.budget_us = 1;  // over after every piece
    filter.limit = 9;
    std::vector<RequestRow> found;
    int pages = 0;
    for (; pages < 5000; ++pages) {
      auto page = reader_.list(filter);
      ASSERT_TRUE(page);
      ASSERT_LE(page->rows.size(), 9u);
      for (RequestRow& row : page->rows) found.push_back(std::move(row));
      if (!page->next) break;
      if (filter.before) ASSERT_LT(*page->next, *filter.before);
      filter.before = page->next;
    }
    ASSERT_EQ(found.size(), whole->rows.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].id, whole->rows[i].id);
    if (filter.team == "nobody") EXPECT_EQ(pages, 0) << "the tallies know that there is none";
  }
}

}  // namespace
}  // namespace weir::ledger
