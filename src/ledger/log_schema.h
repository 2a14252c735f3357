// The tables of the request log and how a row is laid into them: used by the writer and the
// reader of the log, by nobody else.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ledger/row.h"
#include "store/feed.h"
#include "store/sqlite.h"

namespace weir::ledger {

inline constexpr std::string_view kRequestsPrefix = "requests";
inline constexpr std::string_view kCapturesPrefix = "captures";
inline constexpr int64_t kHourMs = 3'600'000;

std::span<const store::Migration> requests_migrations();
std::span<const store::Migration> captures_migrations();
std::span<const store::Migration> meta_migrations();

// "INSERT OR IGNORE INTO request(...) VALUES(...)": a row written twice is one row.
std::string insert_request_sql();
// Binds every column; the row must live until the statement is run.
void bind_request(store::Statement& statement, const RequestRow& row);
// "INSERT OR IGNORE INTO request(...) SELECT * FROM feed_of_requests": many rows at once, from the
// connection's feed of that name with kRequestColumnCount columns.
inline constexpr const char* kRequestFeed = "feed_of_requests";
inline constexpr int kRequestColumnCount = 47;
std::string insert_requests_sql();
void feed_request(store::Feed::Row& cells, const RowView& row);
// "SELECT <every column> FROM request", to be continued with a WHERE.
std::string select_request_sql();
RequestRow read_request(const store::Statement& statement);

// One line of the hourly rollup: what it is about, and the sums.
struct RollupKey {
  int64_t hour = 0;  // since the epoch
  std::string key_id;
  std::string team;
  std::string project;
  std::string model;
  std::string deployment;
  std::string provider;
  int64_t status_class = 0;
  auto operator<=>(const RollupKey&) const = default;
};

struct RollupSums {
  int64_t requests = 0;
  int64_t errors = 0;
  int64_t aborted = 0;
  int64_t denied = 0;
  int64_t unpriced = 0;
  int64_t estimated = 0;
  int64_t input_tokens = 0;
  int64_t cache_read_tokens = 0;
  int64_t cache_write_tokens = 0;
  int64_t output_tokens = 0;
  int64_t reasoning_tokens = 0;
  int64_t cost_nano = 0;
  int64_t total_us = 0;
  int64_t ttft_us = 0;
  int64_t ttft_count = 0;

  template <class Text>
  void add(const BasicRow<Text>& row);
  void add(const RollupSums& more);
};

template <class Text>
RollupKey rollup_key(const BasicRow<Text>& row);
// Whether that is the row's key, without making one.
template <class Text>
bool belongs_to(const BasicRow<Text>& row, const RollupKey& key);
// Adds the sums to the line of that key, in the requests file: in the table rollup, or rollup_day.
std::string upsert_rollup_sql(std::string_view table = "rollup");
void bind_rollup(store::Statement& statement, const RollupKey& key, const RollupSums& sums);
// The same for any table with the sum columns behind the `keys` columns named.
std::string upsert_sums_sql(std::string_view table, std::string_view key_columns, int keys);
void bind_sums(store::Statement& statement, int first, const RollupSums& sums);
std::span<const std::string_view> sum_columns();
// The sum columns as "sum(requests), sum(errors), ..." and reading them, from `first` on.
std::string sum_rollup_columns();
RollupSums read_rollup_sums(const store::Statement& statement, int first);

}  // namespace weir::ledger
