#include "ledger/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "ledger/admission.h"
#include "ledger/log_schema.h"
#include "store/day.h"
#include "store/zstd.h"

namespace weir::ledger {

namespace {

constexpr uint32_t kPageMax = 1000;
constexpr size_t kContentMax = size_t{256} << 20;

// Conditions of a WHERE with the texts to bind, so that no value is ever part of the SQL.
class Where {
 public:
  void number(std::string_view condition, int64_t value) {
    add(fmt::format("{}{}", condition, value));
  }
  void text(std::string_view column, const std::string& value) {
    if (value.empty()) return;
    texts_.push_back(&value);
    add(fmt::format("{}=?{}", column, texts_.size()));
  }
  const std::string& sql() const { return sql_; }
  void bind(store::Statement& statement) const {
    for (size_t i = 0; i < texts_.size(); ++i) {
      statement.bind(static_cast<int>(i + 1), std::string_view(*texts_[i]));
    }
  }

 private:
  void add(const std::string& condition) {
    sql_ += (sql_.empty() ? " WHERE " : " AND ") + condition;
  }
  std::string sql_;
  std::vector<const std::string*> texts_;
};

// Opens a file of the log. A file that is not there (retention took it meanwhile), or whose writer
// has not made the tables yet, is not an error.
Result<std::optional<store::Connection>> open_if_there(const std::string& path,
                                                       std::string_view table) {
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection) {
    if (connection.error().code() == ErrorCode::not_found) return std::nullopt;
    return fail(std::move(connection).error());
  }
  WEIR_TRY(auto found, connection->query_int64(fmt::format(
                           "SELECT 1 FROM sqlite_master WHERE type='table' AND name='{}'", table)));
  if (!found) return std::nullopt;
  return std::optional<store::Connection>(std::move(*connection));
}

std::string_view column_of(SumBy by) {
  switch (by) {
    case SumBy::none:
      return "''";
    case SumBy::key:
      return "key_id";
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
    case SumBy::hour:
      return "hour";
    case SumBy::day:
      return "hour/24";
  }
  return "''";
}

// The text of a group: hours and days as ISO, the rest as it is.
std::string group_text(SumBy by, const store::Statement& statement, int column) {
  if (by == SumBy::day) return store::day_text(statement.column_int64(column));
  if (by == SumBy::hour) {
    int64_t hour = statement.column_int64(column);
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

}  // namespace

Result<RowPage> LogReader::list(const RowFilter& filter) const {
  uint32_t limit = std::clamp<uint32_t>(filter.limit, 1, kPageMax);
  int64_t last_ms = filter.until_ms > 0 ? filter.until_ms - 1 : std::numeric_limits<int64_t>::max();
  if (filter.before) last_ms = std::min(last_ms, filter.before->wall_ms());
  Where where;
  if (filter.since_ms > 0) where.number("id>=", Id::first_at(filter.since_ms).value());
  if (filter.until_ms > 0) where.number("id<", Id::first_at(filter.until_ms).value());
  if (filter.before) where.number("id<", filter.before->value());
  where.text("key_id", filter.key_id);
  where.text("team", filter.team);
  where.text("project", filter.project);
  where.text("model", filter.model);
  where.text("deployment", filter.deployment);
  where.text("provider", filter.provider);
  where.text("user", filter.user);
  where.text("endpoint", filter.endpoint);
  where.text("dialect", filter.dialect);
  where.text("error_code", filter.error_code);
  if (filter.total_us_min > 0) where.number("total_us>=", filter.total_us_min);
  if (filter.outcome) where.number("outcome=", static_cast<int64_t>(*filter.outcome));
  if (filter.status_class > 0) where.number("status/100=", filter.status_class);

  RowPage page;
  std::vector<int64_t> days = store::days_on_disk(data_dir_, kRequestsPrefix);
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    if (*day > store::day_of(last_ms)) continue;
    if (filter.since_ms > 0 && *day < store::day_of(filter.since_ms)) break;
    WEIR_TRY(auto connection,
             open_if_there(store::day_file(data_dir_, kRequestsPrefix, *day), "request"));
    if (!connection) continue;
    // One more than asked for tells whether there is a next page.
    WEIR_TRY(store::Statement query,
             connection->prepare(fmt::format("{}{} ORDER BY id DESC LIMIT {}", select_request_sql(),
                                             where.sql(), limit + 1 - page.rows.size())));
    where.bind(query);
    for (;;) {
      WEIR_TRY(bool more, query.step());
      if (!more) break;
      page.rows.push_back(read_request(query));
    }
    if (page.rows.size() > limit) {
      page.rows.resize(limit);
      page.next = page.rows.back().id;
      break;
    }
  }
  return page;
}

Result<RequestRow> LogReader::get(Id id) const {
  std::string path = store::day_file(data_dir_, kRequestsPrefix, store::day_of(id.wall_ms()));
  WEIR_TRY(auto connection, open_if_there(path, "request"));
  if (connection) {
    WEIR_TRY(store::Statement query, connection->prepare(select_request_sql() + " WHERE id=?1"));
    query.bind(1, id.value());
    WEIR_TRY(bool found, query.step());
    if (found) return read_request(query);
  }
  return fail(ErrorCode::not_found, fmt::format("no request has the id {}", id.to_text()));
}

Result<StoredCapture> LogReader::get_capture(Id id) const {
  std::string path = store::day_file(data_dir_, kCapturesPrefix, store::day_of(id.wall_ms()));
  WEIR_TRY(auto connection, open_if_there(path, "capture"));
  if (connection) {
    WEIR_TRY(store::Statement query,
             connection->prepare("SELECT request, response, request_content_type, "
                                 "response_content_type, request_bytes, response_bytes "
                                 "FROM capture WHERE id=?1"));
    query.bind(1, id.value());
    WEIR_TRY(bool found, query.step());
    if (found) {
      StoredCapture capture;
      WEIR_TRY(capture.request, store::decompress(query.column_blob(0), kContentMax));
      WEIR_TRY(capture.response, store::decompress(query.column_blob(1), kContentMax));
      capture.request_content_type = query.column_text(2);
      capture.response_content_type = query.column_text(3);
      capture.request_bytes = query.column_int64(4);
      capture.response_bytes = query.column_int64(5);
      return capture;
    }
  }
  return fail(ErrorCode::not_found,
              fmt::format("no bodies are kept for the request {}", id.to_text()));
}

Result<std::vector<Sums>> LogReader::sums(const SumQuery& query) const {
  int64_t from = query.since_ms / kHourMs;
  int64_t to = query.until_ms > 0 ? (query.until_ms + kHourMs - 1) / kHourMs
                                  : std::numeric_limits<int64_t>::max();
  std::map<std::pair<std::string, std::string>, Sums> groups;
  auto collect = [&](store::Connection& connection, const std::string& more) -> Result<void> {
    Where where;
    where.number("hour>=", from);
    where.number("hour<", to);
    where.text("key_id", query.key_id);
    where.text("team", query.team);
    where.text("project", query.project);
    where.text("model", query.model);
    where.text("provider", query.provider);
    WEIR_TRY(store::Statement statement,
             connection.prepare(fmt::format("SELECT {}, {}, {} FROM rollup{}{} GROUP BY 1, 2",
                                            column_of(query.by), column_of(query.then_by),
                                            sum_rollup_columns(), where.sql(), more)));
    where.bind(statement);
    for (;;) {
      WEIR_TRY(bool found, statement.step());
      if (!found) return {};
      std::string group = group_text(query.by, statement, 0);
      std::string then_group = group_text(query.then_by, statement, 1);
      Sums& sums = groups[{group, then_group}];
      sums.group = std::move(group);
      sums.then_group = std::move(then_group);
      add(sums, read_rollup_sums(statement, 2));
    }
  };

  std::vector<int64_t> days = store::days_on_disk(data_dir_, kRequestsPrefix);
  std::string on_disk;
  size_t opened = 0;
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    on_disk += fmt::format("{}{}", on_disk.empty() ? "" : ",", *day);
    if (*day < from / 24 || *day > (to - 1) / 24) continue;
    if (++opened > query.days_max) break;
    WEIR_TRY(auto connection,
             open_if_there(store::day_file(data_dir_, kRequestsPrefix, *day), "rollup"));
    if (connection) WEIR_CHECK_OK(collect(*connection, ""));
  }
  // Days whose file is still there are counted from it alone: a drop that was interrupted leaves
  // them in both places.
  WEIR_TRY(auto meta, open_if_there(data_dir_ + "/meta.db", "rollup"));
  if (meta) WEIR_CHECK_OK(collect(*meta, fmt::format(" AND hour/24 NOT IN ({})", on_disk)));

  std::vector<Sums> list;
  for (auto& [key, sums] : groups) {
    if (list.size() >= query.limit) break;
    list.push_back(std::move(sums));
  }
  return list;
}

Result<void> remember_spending(const LogReader& reader, int64_t wall_ms, LimitRegistry& registry) {
  std::map<std::string, SpentBefore> spent;
  const int64_t first_day = store::day_of(wall_ms) - static_cast<int64_t>(Budgets::kDaysKept) + 1;
  SumQuery query{};
  query.limit = std::numeric_limits<uint32_t>::max();
  query.days_max = std::numeric_limits<size_t>::max();
  for (const SumBy by : {SumBy::key, SumBy::project, SumBy::team, SumBy::none}) {
    const auto subject = [&](const std::string& group) {
      switch (by) {
        case SumBy::key:
          return key_subject(group);
        case SumBy::project:
          return project_subject(group);
        case SumBy::team:
          return team_subject(group);
        default:
          return std::string(kOrganizationSubject);
      }
    };
    query.by = by;
    query.then_by = SumBy::day;
    WEIR_TRY(const std::vector<Sums> sums, reader.sums(query));
    for (const Sums& sum : sums) {
      if (sum.group.empty() && by != SumBy::none) continue;
      SpentBefore& before = spent[subject(sum.group)];
      before.total += sum.cost;
      const int64_t day = store::parse_day(sum.then_group).value_or(0);
      if (day >= first_day) before.days.emplace_back(day, sum.cost);
    }
  }
  for (auto& [subject, before] : spent) registry.remember(subject, std::move(before));
  return {};
}

}  // namespace weir::ledger
