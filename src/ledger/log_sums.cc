// LogReader::sums: by the tallies of one dimension where that is all that is asked for, else by the
// rollups; whole days by their own lines, the hours at the ends one by one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "ledger/log_reader.h"
#include "ledger/log_schema.h"
#include "ledger/tally.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// The dimension's name in the tallies; empty: none.
std::string dimension_of(SumBy by, const std::string& tag) {
  switch (by) {
    case SumBy::key:
      return "key";
    case SumBy::team:
      return "team";
    case SumBy::project:
      return "project";
    case SumBy::model:
      return "model";
    case SumBy::deployment:
      return "deployment";
    case SumBy::provider:
      return "provider";
    case SumBy::tag:
      return "tag:" + tag;
    default:
      return {};
  }
}

// The text of a group: hours and days as ISO, the rest as it is.
std::string group_text(SumBy by, const store::Statement& statement, int column) {
  if (by == SumBy::day) return store::day_text(statement.column_int64(column));
  if (by == SumBy::hour) {
    const int64_t hour = statement.column_int64(column);
    return fmt::format("{}T{:02}:00:00Z", store::day_text(hour / 24), hour % 24);
  }
  return std::string(statement.column_text(column));
}

void add(Sums& sums, const RollupSums& more) {
  sums.requests += more.requests;
  sums.errors += more.errors;
  sums.aborted += more.aborted;
  sums.denied += more.denied;
  sums.unpriced += more.unpriced;
  sums.estimated += more.estimated;
  sums.input_tokens += more.input_tokens;
  sums.cache_read_tokens += more.cache_read_tokens;
  sums.cache_write_tokens += more.cache_write_tokens;
  sums.output_tokens += more.output_tokens;
  sums.reasoning_tokens += more.reasoning_tokens;
  sums.cost += Money::from_nano(more.cost_nano);
  sums.total_us += more.total_us;
  sums.ttft_us += more.ttft_us;
  sums.ttft_count += more.ttft_count;
}

// Lines of one level in [from, to), counted in its unit.
struct Part {
  TallyLevel level;
  int64_t from;
  int64_t to;
};

class Summing {
 public:
  Summing(const LogReader& reader, const SumQuery& query)
      : data_dir_(reader.data_dir()), files_(reader.files()), query_(query) {}

  Result<std::vector<Sums>> read() {
    WEIR_CHECK_OK(choose_table());
    split();
    const std::vector<int64_t> days = store::days_on_disk(data_dir_, kRequestsPrefix);
    std::string on_disk;
    size_t opened = 0;
    for (auto day = days.rbegin(); day != days.rend(); ++day) {
      on_disk += fmt::format("{}{}", on_disk.empty() ? "" : ",", *day);
      if (*day < from_ / 24 || *day > (to_ - 1) / 24) continue;
      if (++opened > query_.days_max) break;
      WEIR_TRY(const LogFile file, files_.requests(*day));
      for (const Part& part : parts_) {
        const int64_t unit = part.level == TallyLevel::day ? 1 : 24;
        if (!file || part.from >= (*day + 1) * unit || part.to <= *day * unit) continue;
        WEIR_CHECK_OK(collect(*file, part, ""));
      }
    }
    // Days whose file is still there are counted from it alone: a drop that was interrupted leaves
    // them in both places.
    WEIR_TRY(const LogFile meta, files_.meta());
    for (const Part& part : parts_) {
      if (!meta) break;
      WEIR_CHECK_OK(collect(*meta, part, on_disk));
    }
    std::vector<Sums> list;
    for (auto& [key, sums] : groups_) {
      if (list.size() >= query_.limit) break;
      list.push_back(std::move(sums));
    }
    return list;
  }

 private:
  // One dimension at most: the tallies; more: the rollups, which know no tags.
  Result<void> choose_table() {
    std::set<std::string> dimensions;
    for (const SumBy by : {query_.by, query_.then_by}) {
      if (std::string name = dimension_of(by, query_.tag); !name.empty()) dimensions.insert(name);
    }
    for (const auto& [name, value] : filters()) {
      if (value->empty()) continue;
      dimensions.insert(std::string(name));
      filter_ = *value;
    }
    by_tally_ = dimensions.size() <= 1;
    dimension_ = dimensions.empty() ? "all" : *dimensions.begin();
    const bool tag = query_.by == SumBy::tag || query_.then_by == SumBy::tag;
    if (tag && (!by_tally_ || query_.tag.empty())) {
      return fail(ErrorCode::invalid_argument,
                  "by tag: expected the tag's name, and no other grouping or filter beside it");
    }
    return {};
  }

  std::vector<std::pair<std::string_view, const std::string*>> filters() const {
    return {{"key", &query_.key_id},
            {"team", &query_.team},
            {"project", &query_.project},
            {"model", &query_.model},
            {"provider", &query_.provider}};
  }

  void split() {
    from_ = query_.since_ms / kHourMs;
    to_ = query_.until_ms > 0 ? (query_.until_ms + kHourMs - 1) / kHourMs : kForever;
    if (query_.by == SumBy::hour || query_.then_by == SumBy::hour) {
      parts_ = {{TallyLevel::hour, from_, to_}};
      return;
    }
    const int64_t first_day = (from_ + 23) / 24;
    const int64_t end_day = to_ / 24;
    if (first_day >= end_day) {
      parts_ = {{TallyLevel::hour, from_, to_}};
      return;
    }
    parts_.push_back({TallyLevel::day, first_day, end_day});
    if (from_ < first_day * 24) parts_.push_back({TallyLevel::hour, from_, first_day * 24});
    if (end_day * 24 < to_ && to_ != kForever) {
      parts_.push_back({TallyLevel::hour, end_day * 24, to_});
    }
  }

  std::string column_of(SumBy by, TallyLevel level) const {
    // A rollup counts hours in its lines of days, too.
    const bool in_days = by_tally_ && level == TallyLevel::day;
    const std::string_view at = by_tally_ ? "at" : "hour";
    if (by == SumBy::none) return "''";
    if (by == SumBy::hour) return std::string(at);
    if (by == SumBy::day) return in_days ? std::string(at) : fmt::format("{}/24", at);
    if (by_tally_) return "value";
    return by == SumBy::key ? "key_id" : dimension_of(by, {});
  }

  Result<void> collect(store::Connection& connection, const Part& part,
                       const std::string& days_not) {
    Where where;
    const bool day = part.level == TallyLevel::day;
    std::string_view table = "tally";
    // Lines of a tally are few: they are added up here. Those of a rollup, there.
    const std::string columns =
        by_tally_ ? fmt::format("{}", fmt::join(sum_columns(), ", ")) : sum_rollup_columns();
    if (by_tally_) {
      where.equals("dimension", dimension_);
      where.number("level=", static_cast<int64_t>(part.level));
      where.number("at>=", part.from);
      where.number("at<", part.to);
      where.text("value", filter_);
      if (!days_not.empty())
        where.add(fmt::format("{} NOT IN ({})", day ? "at" : "at/24", days_not));
    } else {
      table = day ? "rollup_day" : "rollup";
      const int64_t unit = day ? 24 : 1;
      where.number("hour>=", part.from * unit);
      where.number("hour<", part.to > kForever / unit ? kForever : part.to * unit);
      for (const auto& [name, value] : filters()) {
        where.text(name == "key" ? "key_id" : name, *value);
      }
      if (!days_not.empty()) where.add(fmt::format("hour/24 NOT IN ({})", days_not));
    }
    WEIR_TRY(store::Statement statement,
             connection.prepare(fmt::format(
                 "SELECT {}, {}, {} FROM {}{} GROUP BY 1, 2", column_of(query_.by, part.level),
                 column_of(query_.then_by, part.level), sum_rollup_columns(), table, where.sql())));
    where.bind(statement);
    for (;;) {
      WEIR_TRY(const bool found, statement.step());
      if (!found) return {};
      std::string group = group_text(query_.by, statement, 0);
      std::string then_group = group_text(query_.then_by, statement, 1);
      Sums& sums = groups_[{group, then_group}];
      sums.group = std::move(group);
      sums.then_group = std::move(then_group);
      add(sums, read_rollup_sums(statement, 2));
    }
  }

  const std::string& data_dir_;
  LogFiles& files_;
  const SumQuery& query_;
  bool by_tally_ = true;
  std::string dimension_;
  std::string filter_;
  int64_t from_ = 0;
  int64_t to_ = 0;
  std::vector<Part> parts_;
  std::map<std::pair<std::string, std::string>, Sums> groups_;
};

}  // namespace

Result<std::vector<Sums>> LogReader::sums(const SumQuery& query) const {
  return Summing(*this, query).read();
}

Result<std::vector<std::string>> LogReader::tag_names(int64_t since_ms, int64_t until_ms) const {
  std::set<std::string> names;
  const auto read = [&](const LogFile& file) -> Result<void> {
    if (!file) return {};
    WEIR_TRY(store::Statement statement,
             file->prepare("SELECT DISTINCT dimension FROM tally WHERE dimension>='tag:' AND "
                           "dimension<'tag;' AND level=0 AND at>=?1 AND at<=?2 LIMIT 1000"));
    statement.bind(1, store::day_of(since_ms)).bind(2, store::day_of(until_ms));
    for (;;) {
      WEIR_TRY(const bool more, statement.step());
      if (!more) return {};
      names.insert(std::string(statement.column_text(0).substr(4)));
    }
  };
  for (const int64_t day : store::days_on_disk(data_dir_, kRequestsPrefix)) {
    if (day < store::day_of(since_ms) || day > store::day_of(until_ms)) continue;
    WEIR_TRY(const LogFile file, files_->requests(day));
    WEIR_CHECK_OK(read(file));
  }
  WEIR_TRY(const LogFile meta, files_->meta());
  WEIR_CHECK_OK(read(meta));
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace weir::ledger
