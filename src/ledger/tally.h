// Tallies: sums kept ready in each day's file, so that a page over a month reads some thousand
// lines whatever the number of requests. A tally is of one dimension alone ("all", "key", "model",
// ..., "tag:NAME"), by the day, by the hour and, of all requests together, by the minute; beside
// them stand a rollup of whole days and histograms of times, whose buckets are 1/16 of an octave
// wide (a percentile read from them is off by 3 % at most).
//
// Written by the log's writer, some time after the rows: sums of a second cost as much as those of
// one row. Which rows wait for it is in the file (table untallied), so that none is counted twice
// or never. Read by LogReader and Series. Limits:
// kTagsPerRow tags of a row and kTagsPerDay different ones a day, values of kTagBytes; further ones
// are in no tally of their own.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "ledger/log_schema.h"
#include "ledger/row.h"
#include "store/sqlite.h"

namespace weir::ledger {

enum class TallyLevel : uint8_t { day = 0, hour = 1, minute = 2 };

// "CREATE TABLE ..." of all of them.
std::string tally_tables_sql();
// Fills tallies and day rollups from the table rollup, without tags, minutes and times.
std::string tally_from_rollup_sql();

// The bucket of a time in microseconds, and the middle of a bucket.
int64_t time_bucket(int64_t us);
int64_t bucket_middle(int64_t bucket);

// How often each bucket was met. As bytes: pairs of the distance to the next bucket and its count,
// LEB128.
class Histogram {
 public:
  static constexpr size_t kBuckets = 1024;

  void add(int64_t bucket, int64_t count);
  void add(const Histogram& more);
  // Adds what bytes() gave; bytes that are none add as far as they can be read.
  void add(std::string_view bytes);
  std::string bytes() const;
  int64_t count() const { return count_; }
  // The middle of the bucket in which that share of a hundred is reached; 0 when empty.
  int64_t percentile(int64_t percent) const;

 private:
  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  size_t first_ = kBuckets;  // the buckets that were met lie from here
  size_t end_ = 0;           // to before here
};

// What is to be added to one day's file, between two writes, and what the file remembers: the
// statements, and which tags it knows.
class TallyWriter {
 public:
  static constexpr size_t kTagsPerRow = 16;
  static constexpr size_t kTagsPerDay = 10'000;
  static constexpr size_t kTagBytes = 128;

  TallyWriter() = default;
  // Tallies what is in the file already where nobody has: a file of an older version, or what a
  // killed process left in the table untallied.
  static Result<TallyWriter> open(store::Connection& connection);

  // A row that was inserted.
  template <class Text>
  void add(const BasicRow<Text>& row);
  // More for a line of the hourly rollup, and for the tallies.
  void add(const RollupKey& key, const RollupSums& sums);
  bool empty() const { return lines_.empty(); }
  // Writes what was added since the last clear(), within the caller's transaction; to be cleared
  // when that is committed.
  Result<void> write();
  void clear();

 private:
  struct Key {
    std::string dimension;
    TallyLevel level = TallyLevel::day;
    int64_t at = 0;  // days, hours or minutes since the epoch
    std::string value;
    auto operator<=>(const Key&) const = default;
  };
  struct TimesKey {
    std::string value;  // a model; empty: all
    TallyLevel level = TallyLevel::hour;
    int64_t at = 0;
    auto operator<=>(const TimesKey&) const = default;
  };
  struct Times {
    Histogram total;
    Histogram ttft;
  };
  // A line of the hourly rollup, and where its rows' times go.
  struct Line {
    RollupKey key;
    RollupSums sums;
    Times* hour = nullptr;
    Times* model_hour = nullptr;
  };
  struct Minute {
    int64_t at = -1;
    RollupSums* sums = nullptr;
    Times* times = nullptr;
  };
  enum class Rollups : uint8_t { write, leave };

  Result<void> tally_all(store::Connection& connection);
  Result<void> tally_left(store::Connection& connection);
  template <class Text>
  Line& line_of(const BasicRow<Text>& row);
  Line& line_of(RollupKey key);
  const std::vector<RollupSums*>& tag_sums(std::string_view tags, int64_t hour);
  void add_times(int64_t us, Histogram Times::* histogram, Line& line);
  void spread(const RollupKey& key, const RollupSums& sums, std::map<Key, RollupSums>& tallies,
              std::map<RollupKey, RollupSums>& days) const;
  Result<void> write(Rollups rollups);

  store::Statement upsert_;
  store::Statement upsert_rollup_;
  store::Statement select_times_;
  store::Statement replace_times_;
  store::Statement upsert_day_;
  std::unordered_set<std::string> tags_;
  std::unordered_map<std::string, Line> lines_;  // by the fields of their keys, one after another
  std::map<Key, RollupSums> sums_;               // of minutes and tags; the others come of lines_
  std::map<TimesKey, Times> times_;
  std::unordered_map<std::string, std::vector<RollupSums*>> tag_sums_;  // by hour and row's tags
  Line* line_ = nullptr;  // of the row before: most rows belong to the same one
  Minute minute_;
  std::string name_;  // of the line that is looked for: its room is kept
};

}  // namespace weir::ledger
