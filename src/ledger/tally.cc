#include "ledger/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
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
      "total BLOB NOT NULL, ttft BLOB NOT NULL, PRIMARY KEY(value, level, at)) WITHOUT ROWID;",
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

void Histogram::add(int64_t bucket, int64_t count) {
  if (counts_.empty()) counts_.resize(kBuckets);
  counts_[static_cast<size_t>(std::clamp<int64_t>(bucket, 0, kBuckets - 1))] += count;
  count_ += count;
}

void Histogram::add(const Histogram& more) {
  for (size_t bucket = 0; bucket < more.counts_.size(); ++bucket) {
    if (more.counts_[bucket] != 0) add(static_cast<int64_t>(bucket), more.counts_[bucket]);
  }
}

void Histogram::add(std::string_view bytes) {
  const auto number = [&]() -> std::optional<int64_t> {
    int64_t value = 0;
    for (int shift = 0; shift < 56 && !bytes.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      value |= int64_t{byte & 0x7F} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  };
  int64_t bucket = 0;
  for (;;) {
    const auto distance = number();
    const auto count = distance ? number() : std::nullopt;
    if (!count || *distance > static_cast<int64_t>(kBuckets)) return;
    bucket += *distance;
    add(bucket, *count);
  }
}

std::string Histogram::bytes() const {
  std::string text;
  const auto number = [&](int64_t value) {
    for (; value >= 0x80; value >>= 7) text += static_cast<char>((value & 0x7F) | 0x80);
    text += static_cast<char>(value);
  };
  size_t before = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    if (counts_[bucket] == 0) continue;
    number(static_cast<int64_t>(bucket - before));
    number(counts_[bucket]);
    before = bucket;
  }
  return text;
}

int64_t Histogram::percentile(int64_t percent) const {
  int64_t left = std::max<int64_t>((count_ * percent + 99) / 100, 1);
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    left -= counts_[bucket];
    if (left <= 0) return bucket_middle(static_cast<int64_t>(bucket));
  }
  return 0;
}

Result<TallyWriter> TallyWriter::open(store::Connection& connection) {
  TallyWriter writer;
  WEIR_TRY(writer.upsert_,
           connection.prepare(upsert_sums_sql("tally", "dimension, level, at, value", 4)));
  WEIR_TRY(writer.upsert_day_, connection.prepare(upsert_rollup_sql("rollup_day")));
  WEIR_TRY(writer.select_times_,
           connection.prepare("SELECT total, ttft FROM times WHERE value=?1 AND level=?2 AND "
                              "at=?3"));
  WEIR_TRY(writer.replace_times_,
           connection.prepare("INSERT OR REPLACE INTO times(value, level, at, total, ttft) "
                              "VALUES(?1,?2,?3,?4,?5)"));
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
  const auto at = [&](int64_t us, Histogram Times::* histogram) {
    const int64_t bucket = time_bucket(us);
    (times_[{"", TallyLevel::minute, minute}].*histogram).add(bucket, 1);
    (times_[{"", TallyLevel::hour, hour}].*histogram).add(bucket, 1);
    if (!row.model.empty()) {
      (times_[{row.model, TallyLevel::hour, hour}].*histogram).add(bucket, 1);
    }
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
  for (auto& [key, times] : times_) {
    select_times_.reset();
    select_times_.bind(1, key.value).bind(2, static_cast<int64_t>(key.level)).bind(3, key.at);
    WEIR_TRY(const bool there, select_times_.step());
    if (there) {
      times.total.add(select_times_.column_blob(0));
      times.ttft.add(select_times_.column_blob(1));
    }
    select_times_.reset();
    const std::string total = times.total.bytes();
    const std::string ttft = times.ttft.bytes();
    replace_times_.bind(1, key.value)
        .bind(2, static_cast<int64_t>(key.level))
        .bind(3, key.at)
        .bind_blob(4, total)
        .bind_blob(5, ttft);
    WEIR_CHECK_OK(replace_times_.run());
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
