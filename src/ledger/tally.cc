#include "ledger/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
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

template <class Text>
bool ended_well(const BasicRow<Text>& row) {
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
  const auto at = static_cast<size_t>(std::clamp<int64_t>(bucket, 0, kBuckets - 1));
  counts_[at] += count;
  count_ += count;
  first_ = std::min(first_, at);
  end_ = std::max(end_, at + 1);
}

void Histogram::add(const Histogram& more) {
  for (size_t bucket = more.first_; bucket < more.end_; ++bucket) {
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
  for (size_t bucket = first_; bucket < end_; ++bucket) {
    if (counts_[bucket] == 0) continue;
    number(static_cast<int64_t>(bucket - before));
    number(counts_[bucket]);
    before = bucket;
  }
  return text;
}

int64_t Histogram::percentile(int64_t percent) const {
  int64_t left = std::max<int64_t>((count_ * percent + 99) / 100, 1);
  for (size_t bucket = first_; bucket < end_; ++bucket) {
    left -= counts_[bucket];
    if (left <= 0) return bucket_middle(static_cast<int64_t>(bucket));
  }
  return 0;
}

Result<TallyWriter> TallyWriter::open(store::Connection& connection) {
  TallyWriter writer;
  WEIR_TRY(writer.upsert_,
           connection.prepare(upsert_sums_sql("tally", "dimension, level, at, value", 4)));
  WEIR_TRY(writer.upsert_rollup_, connection.prepare(upsert_rollup_sql()));
  WEIR_TRY(writer.upsert_day_, connection.prepare(upsert_rollup_sql("rollup_day")));
  WEIR_TRY(writer.select_times_,
           connection.prepare("SELECT total, ttft FROM times WHERE value=?1 AND level=?2 AND "
                              "at=?3"));
  WEIR_TRY(writer.replace_times_,
           connection.prepare("INSERT OR REPLACE INTO times(value, level, at, total, ttft) "
                              "VALUES(?1,?2,?3,?4,?5)"));
  {
    WEIR_TRY(store::Statement tags,
             connection.prepare("SELECT dimension, value FROM tally WHERE dimension>='tag:' AND "
                                "dimension<'tag;' AND level=0"));
    for (;;) {
      WEIR_TRY(const bool more, tags.step());
      if (!more) break;
      writer.tags_.insert(fmt::format("{}={}", tags.column_text(0), tags.column_text(1)));
    }
  }
  WEIR_TRY(const auto left, connection.query_int64("SELECT EXISTS(SELECT 1 FROM untallied)"));
  if (left.value_or(0) != 0) {
    WEIR_CHECK_OK(writer.tally_left(connection));
  } else {
    WEIR_TRY(const auto empty, connection.query_int64("SELECT NOT EXISTS(SELECT 1 FROM tally) AND "
                                                      "EXISTS(SELECT 1 FROM request)"));
    if (empty.value_or(0) != 0) WEIR_CHECK_OK(writer.tally_all(connection));
  }
  return writer;
}

// The rollup of such a file is there already.
Result<void> TallyWriter::tally_all(store::Connection& connection) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection));
  WEIR_TRY(store::Statement rows, connection.prepare(select_request_sql() + " ORDER BY id"));
  for (size_t count = 1;; ++count) {
    WEIR_TRY(const bool more, rows.step());
    if (more) add(read_request(rows));
    if (!more || count % kRetallyRows == 0) {
      WEIR_CHECK_OK(write(Rollups::leave));
      clear();
    }
    if (!more) break;
  }
  rows.reset();
  return transaction.commit();
}

Result<void> TallyWriter::tally_left(store::Connection& connection) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection));
  WEIR_TRY(store::Statement batches, connection.prepare("SELECT ids FROM untallied"));
  WEIR_TRY(store::Statement row, connection.prepare(select_request_sql() + " WHERE id=?1"));
  for (;;) {
    WEIR_TRY(const bool more, batches.step());
    if (!more) break;
    std::string_view ids = batches.column_blob(0);
    for (int64_t id = 0; ids.size() >= sizeof id; ids.remove_prefix(sizeof id)) {
      std::memcpy(&id, ids.data(), sizeof id);
      row.bind(1, id);
      WEIR_TRY(const bool found, row.step());
      if (found) add(read_request(row));
      row.reset();
    }
  }
  batches.reset();
  WEIR_CHECK_OK(write());
  clear();
  WEIR_CHECK_OK(connection.execute("DELETE FROM untallied"));
  return transaction.commit();
}

TallyWriter::Line& TallyWriter::line_of(RollupKey key) {
  const std::string* const texts[] = {&key.key_id, &key.team,       &key.project,
                                      &key.model,  &key.deployment, &key.provider};
  name_.assign(reinterpret_cast<const char*>(&key.hour), sizeof key.hour);
  name_.append(reinterpret_cast<const char*>(&key.status_class), sizeof key.status_class);
  for (const std::string* text : texts) name_.append(*text).append(1, '\0');
  Line& line = lines_[name_];
  line.key = std::move(key);
  return line;
}

template <class Text>
TallyWriter::Line& TallyWriter::line_of(const BasicRow<Text>& row) {
  if (line_ != nullptr && belongs_to(row, line_->key)) return *line_;
  const int64_t hour = row.id.wall_ms() / kHourMs;
  const int64_t status_class = row.status / 100;
  name_.assign(reinterpret_cast<const char*>(&hour), sizeof hour);
  name_.append(reinterpret_cast<const char*>(&status_class), sizeof status_class);
  for (const std::string_view text :
       {std::string_view(row.key_id), std::string_view(row.team), std::string_view(row.project),
        std::string_view(row.model), std::string_view(row.deployment),
        std::string_view(row.provider)}) {
    name_.append(text).append(1, '\0');
  }
  const auto [at, fresh] = lines_.try_emplace(name_);
  if (fresh) at->second.key = rollup_key(row);
  line_ = &at->second;
  return *line_;
}

template <class Text>
void TallyWriter::add(const BasicRow<Text>& row) {
  Line& line = line_of(row);
  line.sums.add(row);
  const int64_t minute = row.id.wall_ms() / kMinuteMs;
  if (minute_.at != minute) {
    minute_ = {minute, &sums_[{"all", TallyLevel::minute, minute, ""}], nullptr};
  }
  minute_.sums->add(row);
  if (!row.tags.empty()) {
    for (RollupSums* sums : tag_sums(row.tags, line.key.hour)) sums->add(row);
  }
  if (!ended_well(row) || row.corrects.value() != 0) return;
  add_times(row.total_us, &Times::total, line);
  if (row.streamed && row.ttft_us > 0) add_times(row.ttft_us, &Times::ttft, line);
}
template void TallyWriter::add(const RequestRow& row);
template void TallyWriter::add(const RowView& row);

// Where a row with these tags is added.
const std::vector<RollupSums*>& TallyWriter::tag_sums(std::string_view tags, int64_t hour) {
  name_.assign(reinterpret_cast<const char*>(&hour), sizeof hour);
  name_.append(tags);
  const auto [at, fresh] = tag_sums_.try_emplace(name_);
  json::Document document;
  if (!fresh || !document.parse(tags, {.depth_max = 8, .nodes_max = 256})) return at->second;
  size_t taken = 0;
  for (const auto& [name, value] : document.root().members()) {
    const auto text = value.as_string();
    if (!text || text->size() > kTagBytes || name.size() > kTagBytes) continue;
    if (++taken > kTagsPerRow) break;
    std::string dimension = fmt::format("tag:{}", name);
    std::string known = fmt::format("{}={}", dimension, *text);
    if (!tags_.contains(known)) {
      if (tags_.size() >= kTagsPerDay) continue;
      tags_.insert(std::move(known));
    }
    at->second.push_back(&sums_[{dimension, TallyLevel::hour, hour, *text}]);
    at->second.push_back(&sums_[{std::move(dimension), TallyLevel::day, hour / 24, *text}]);
  }
  return at->second;
}

void TallyWriter::add_times(int64_t us, Histogram Times::* histogram, Line& line) {
  const int64_t bucket = time_bucket(us);
  if (minute_.times == nullptr) {
    minute_.times = &times_[{"", TallyLevel::minute, minute_.at}];
  }
  if (line.hour == nullptr) line.hour = &times_[{"", TallyLevel::hour, line.key.hour}];
  if (line.model_hour == nullptr && !line.key.model.empty()) {
    line.model_hour = &times_[{line.key.model, TallyLevel::hour, line.key.hour}];
  }
  (minute_.times->*histogram).add(bucket, 1);
  (line.hour->*histogram).add(bucket, 1);
  if (line.model_hour != nullptr) (line.model_hour->*histogram).add(bucket, 1);
}

void TallyWriter::add(const RollupKey& key, const RollupSums& sums) {
  line_of(key).sums.add(sums);
}

// What a line of the rollup is to the tallies and to the rollup of its day.
void TallyWriter::spread(const RollupKey& key, const RollupSums& sums,
                         std::map<Key, RollupSums>& tallies,
                         std::map<RollupKey, RollupSums>& days) const {
  RollupKey day = key;
  day.hour = key.hour / 24 * 24;
  days[std::move(day)].add(sums);
  const auto both = [&](std::string_view dimension, const std::string& value) {
    tallies[{std::string(dimension), TallyLevel::hour, key.hour, value}].add(sums);
    tallies[{std::string(dimension), TallyLevel::day, key.hour / 24, value}].add(sums);
  };
  both("all", "");
  for (const auto& [dimension, member] : kDimensions) both(dimension, key.*member);
}

Result<void> TallyWriter::write() {
  return write(Rollups::write);
}

Result<void> TallyWriter::write(Rollups rollups) {
  std::map<Key, RollupSums> tallies;
  std::map<RollupKey, RollupSums> days;
  for (const auto& [name, line] : lines_) {
    spread(line.key, line.sums, tallies, days);
    if (rollups == Rollups::leave) continue;
    bind_rollup(upsert_rollup_, line.key, line.sums);
    WEIR_CHECK_OK(upsert_rollup_.run());
  }
  for (const std::map<Key, RollupSums>* lines : {&tallies, &sums_}) {
    for (const auto& [key, sums] : *lines) {
      upsert_.bind(1, key.dimension)
          .bind(2, static_cast<int64_t>(key.level))
          .bind(3, key.at)
          .bind(4, key.value);
      bind_sums(upsert_, 5, sums);
      WEIR_CHECK_OK(upsert_.run());
    }
  }
  for (const auto& [key, sums] : days) {
    bind_rollup(upsert_day_, key, sums);
    WEIR_CHECK_OK(upsert_day_.run());
  }
  for (const auto& [key, added] : times_) {
    Times times = added;
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
  return {};
}

void TallyWriter::clear() {
  lines_.clear();
  sums_.clear();
  times_.clear();
  tag_sums_.clear();
  line_ = nullptr;
  minute_ = {};
}

}  // namespace weir::ledger
