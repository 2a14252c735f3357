#include "ledger/tally.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "base/json/document.h"

namespace weir::ledger {

namespace {

constexpr int kSubBits = 4;  // sixteen buckets an octave
constexpr int64_t kMinuteMs = 60'000;
constexpr size_t kRetallyRows = 20'000;

constexpr std::pair<std::string_view, std::string RollupKey::*> kDimensions[] = {
    {"key", &RollupKey::key_id},
    {"team", &RollupKey::team},
    {"project", &RollupKey::project},
    {"model", &RollupKey::model},
    {"deployment", &RollupKey::deployment},
    {"provider", &RollupKey::provider},
};

std::string_view column_of(std::string_view dimension) {
  return dimension == "key" ? "key_id" : dimension;
}

std::string sum_columns_declared() {
  std::string text;
  for (const std::string_view column : sum_columns()) {
    text += fmt::format(", {} INTEGER NOT NULL", column);
  }
  return text;
}

bool ended_well(const RequestRow& row) {
  return row.outcome == Outcome::ok && row.status < 400;
}

}  // namespace

std::string tally_tables_sql() {
  return fmt::format(
      "CREATE TABLE tally(dimension TEXT NOT NULL, level INTEGER NOT NULL, at INTEGER NOT NULL, "
      "value TEXT NOT NULL{0}, PRIMARY KEY(dimension, level, at, value)) WITHOUT ROWID;"
      "CREATE TABLE rollup_day(hour INTEGER NOT NULL, key_id TEXT NOT NULL, team TEXT NOT NULL, "
      "project TEXT NOT NULL, model TEXT NOT NULL, deployment TEXT NOT NULL, "
      "provider TEXT NOT NULL, status_class INTEGER NOT NULL{0}, "
      "PRIMARY KEY(hour, key_id, team, project, model, deployment, provider, status_class)) "
      "WITHOUT ROWID;"
      "CREATE TABLE times(value TEXT NOT NULL, level INTEGER NOT NULL, at INTEGER NOT NULL, "
      "bucket INTEGER NOT NULL, total INTEGER NOT NULL, ttft INTEGER NOT NULL, "
      "PRIMARY KEY(value, level, at, bucket)) WITHOUT ROWID;",
      sum_columns_declared());
}

std::string tally_from_rollup_sql() {
  std::string sql = fmt::format(
      "INSERT INTO rollup_day SELECT hour/24*24, key_id, team, project, model, deployment, "
      "provider, status_class, {} FROM rollup GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;",
      sum_rollup_columns());
  const auto fill = [&](std::string_view dimension, std::string_view value) {
    for (const auto& [level, at] :
         {std::pair{TallyLevel::day, "hour/24"}, {TallyLevel::hour, "hour"}}) {
      sql += fmt::format("INSERT INTO tally SELECT '{}', {}, {}, {}, {} FROM rollup GROUP BY 3, 4;",
                         dimension, static_cast<int>(level), at, value, sum_rollup_columns());
    }
  };
  fill("all", "''");
  for (const auto& [dimension, member] : kDimensions) fill(dimension, column_of(dimension));
  return sql;
}

int64_t time_bucket(int64_t us) {
  if (us < (1 << kSubBits)) return us < 0 ? 0 : us;
  const int exponent = static_cast<int>(std::bit_width(static_cast<uint64_t>(us))) - 1 - kSubBits;
  return ((int64_t{exponent} + 1) << kSubBits) + ((us >> exponent) - (1 << kSubBits));
}

int64_t bucket_middle(int64_t bucket) {
  if (bucket < (1 << kSubBits)) return bucket;
  const int64_t exponent = (bucket >> kSubBits) - 1;
  const int64_t low = ((bucket & ((1 << kSubBits) - 1)) + (1 << kSubBits)) << exponent;
  return low + ((int64_t{1} << exponent) >> 1);
}

Result<TallyWriter> TallyWriter::open(store::Connection& connection) {
  TallyWriter writer;
  WEIR_TRY(writer.upsert_,
           connection.prepare(upsert_sums_sql("tally", "dimension, level, at, value", 4)));
  WEIR_TRY(writer.upsert_day_, connection.prepare(upsert_rollup_sql("rollup_day")));
  WEIR_TRY(writer.upsert_times_,
           connection.prepare("INSERT INTO times(value, level, at, bucket, total, ttft) "
                              "VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT DO UPDATE SET "
                              "total=total+excluded.total, ttft=ttft+excluded.ttft"));
  WEIR_TRY(const auto empty, connection.query_int64("SELECT NOT EXISTS(SELECT 1 FROM tally) AND "
                                                    "EXISTS(SELECT 1 FROM request)"));
  if (empty.value_or(0) != 0) WEIR_CHECK_OK(writer.tally_all(connection));
  WEIR_TRY(store::Statement tags,
           connection.prepare("SELECT dimension, value FROM tally WHERE dimension>='tag:' AND "
                              "dimension<'tag;' AND level=0"));
  for (;;) {
    WEIR_TRY(const bool more, tags.step());
    if (!more) return writer;
    writer.tags_.insert(fmt::format("{}={}", tags.column_text(0), tags.column_text(1)));
  }
}

Result<void> TallyWriter::tally_all(store::Connection& connection) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection));
  std::map<RollupKey, RollupSums> lines;
  WEIR_TRY(store::Statement rows, connection.prepare(select_request_sql() + " ORDER BY id"));
  for (size_t count = 1;; ++count) {
    WEIR_TRY(const bool more, rows.step());
    if (more) {
      const RequestRow row = read_request(rows);
      add(row);
      lines[rollup_key(row)].add(row);
    }
    if (!more || count % kRetallyRows == 0) {
      for (const auto& [key, sums] : lines) add(key, sums);
      lines.clear();
      WEIR_CHECK_OK(write());
    }
    if (!more) break;
  }
  rows.reset();
  return transaction.commit();
}

void TallyWriter::add(const RequestRow& row) {
  sums_[{"all", TallyLevel::minute, row.id.wall_ms() / kMinuteMs, ""}].add(row);
  if (!row.tags.empty()) add_tags(row);
  if (ended_well(row) && row.corrects.value() == 0) add_times(row);
}

void TallyWriter::add_tags(const RequestRow& row) {
  json::Document document;
  if (!document.parse(row.tags, {.depth_max = 8, .nodes_max = 256})) return;
  size_t taken = 0;
  for (const auto& [name, value] : document.root().members()) {
    const auto text = value.as_string();
    if (!text || text->size() > kTagBytes || name.size() > kTagBytes) continue;
    if (++taken > kTagsPerRow) return;
    std::string dimension = fmt::format("tag:{}", name);
    std::string known = fmt::format("{}={}", dimension, *text);
    if (!tags_.contains(known)) {
      if (tags_.size() >= kTagsPerDay) continue;
      tags_.insert(std::move(known));
    }
    const int64_t hour = row.id.wall_ms() / kHourMs;
    sums_[{dimension, TallyLevel::hour, hour, *text}].add(row);
    sums_[{std::move(dimension), TallyLevel::day, hour / 24, *text}].add(row);
  }
}

void TallyWriter::add_times(const RequestRow& row) {
  const int64_t hour = row.id.wall_ms() / kHourMs;
  const int64_t minute = row.id.wall_ms() / kMinuteMs;
  const auto at = [&](int64_t us, int64_t Times::* count) {
    const int64_t bucket = time_bucket(us);
    times_[{"", TallyLevel::minute, minute, bucket}].*count += 1;
    times_[{"", TallyLevel::hour, hour, bucket}].*count += 1;
    if (!row.model.empty()) times_[{row.model, TallyLevel::hour, hour, bucket}].*count += 1;
  };
  at(row.total_us, &Times::total);
  if (row.streamed && row.ttft_us > 0) at(row.ttft_us, &Times::ttft);
}

void TallyWriter::add(const RollupKey& key, const RollupSums& sums) {
  RollupKey day = key;
  day.hour = key.hour / 24 * 24;
  days_[std::move(day)].add(sums);
  const auto both = [&](std::string_view dimension, const std::string& value) {
    sums_[{std::string(dimension), TallyLevel::hour, key.hour, value}].add(sums);
    sums_[{std::string(dimension), TallyLevel::day, key.hour / 24, value}].add(sums);
  };
  both("all", "");
  for (const auto& [dimension, member] : kDimensions) both(dimension, key.*member);
}

Result<void> TallyWriter::write() {
  for (const auto& [key, sums] : sums_) {
    upsert_.bind(1, key.dimension)
        .bind(2, static_cast<int64_t>(key.level))
        .bind(3, key.at)
        .bind(4, key.value);
    bind_sums(upsert_, 5, sums);
    WEIR_CHECK_OK(upsert_.run());
  }
  for (const auto& [key, sums] : days_) {
    bind_rollup(upsert_day_, key, sums);
    WEIR_CHECK_OK(upsert_day_.run());
  }
  for (const auto& [key, times] : times_) {
    upsert_times_.bind(1, key.value)
        .bind(2, static_cast<int64_t>(key.level))
        .bind(3, key.at)
        .bind(4, key.bucket)
        .bind(5, times.total)
        .bind(6, times.ttft);
    WEIR_CHECK_OK(upsert_times_.run());
  }
  clear();
  return {};
}

void TallyWriter::clear() {
  sums_.clear();
  times_.clear();
  days_.clear();
}

}  // namespace weir::ledger
