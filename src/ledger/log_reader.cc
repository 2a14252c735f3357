#include "ledger/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <chrono>
#include <limits>
#include <map>

#include "ledger/admission.h"
#include "ledger/corrections.h"
#include "ledger/log_schema.h"
#include "store/day.h"
#include "store/zstd.h"

namespace weir::ledger {

namespace {

constexpr uint32_t kPageMax = 1000;
constexpr int kLooksMax = 4;
constexpr size_t kContentMax = size_t{256} << 20;

using Steady = std::chrono::steady_clock;

int64_t us_since(Steady::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begin).count();
}

// Looks for rows from the newest on, hour by hour where a tally says that there are any, in pieces
// whose length follows how long the last one took: a search can end in time between two of them.
class Search {
 public:
  Search(const LogReader& reader, const RowFilter& filter)
      : data_dir_(reader.data_dir()),
        files_(reader.files()),
        filter_(filter),
        limit_(std::clamp<uint32_t>(filter.limit, 1, kPageMax)) {
    const auto text = [&](std::string_view column, std::string_view dimension,
                          const std::string& value) {
      where_.text(column, value);
      if (!value.empty() && !dimension.empty()) tallied_.emplace_back(dimension, &value);
    };
    text("key_id", "key", filter.key_id);
    text("team", "team", filter.team);
    text("project", "project", filter.project);
    text("model", "model", filter.model);
    text("deployment", "deployment", filter.deployment);
    text("provider", "provider", filter.provider);
    text("endpoint", "", filter.endpoint);
    text("dialect", "", filter.dialect);
    // A partial index serves a condition that has its own, word for word.
    text("user", "", filter.user);
    if (!filter.user.empty()) where_.add("user<>''");
    text("error_code", "", filter.error_code);
    if (!filter.error_code.empty()) where_.add("error_code<>''");
    if (filter.outcome) {
      where_.number("outcome=", static_cast<int64_t>(*filter.outcome));
      if (*filter.outcome != Outcome::ok) where_.add("outcome<>0");
    }
    if (filter.status_class >= 4) where_.add("status>=400");
    if (filter.status_class > 0) where_.number("status/100=", filter.status_class);
    if (filter.total_us_min > 0) where_.number("total_us>=", filter.total_us_min);
    if (!filter.corrections) where_.number("corrects=", 0);
  }

  Result<RowPage> run() {
    int64_t end_ms = std::numeric_limits<int64_t>::max();
    if (filter_.until_ms > 0) end_ms = filter_.until_ms;
    if (filter_.before) {
      const int64_t ms = filter_.before->wall_ms();
      end_ms = std::min(end_ms, Id::first_at(ms) < *filter_.before ? ms + 1 : ms);
    }
    const std::vector<int64_t> days = store::days_on_disk(data_dir_, kRequestsPrefix);
    for (auto day = days.rbegin(); day != days.rend(); ++day) {
      const int64_t begin_ms = *day * store::kDayMs;
      if (begin_ms >= end_ms) continue;
      if (begin_ms + store::kDayMs <= filter_.since_ms) break;
      WEIR_CHECK_OK(search_day(*day, std::max(begin_ms, filter_.since_ms),
                               std::min(begin_ms + store::kDayMs, end_ms)));
      if (page_.next) break;
    }
    return std::move(page_);
  }

 private:
  Result<void> search_day(int64_t day, int64_t from_ms, int64_t to_ms) {
    WEIR_TRY(const LogFile connection, files_.requests(day));
    if (!connection) return {};
    WEIR_TRY(const std::bitset<24> hours, hours_of(*connection, day));
    WEIR_TRY(store::Statement query,
             connection->prepare(
                 fmt::format("{}{} ORDER BY id DESC LIMIT ?3", select_request_sql(), where_sql())));
    const int64_t day_ms = day * store::kDayMs;
    const auto hour_of = [&](int64_t ms) { return static_cast<size_t>((ms - day_ms) / kHourMs); };
    while (to_ms > from_ms && !page_.next) {
      size_t hour = hour_of(to_ms - 1);
      if (!hours[hour]) {
        to_ms = day_ms + static_cast<int64_t>(hour) * kHourMs;
        continue;
      }
      while (hour > 0 && hours[hour - 1]) --hour;
      int64_t begin = std::max(from_ms, day_ms + static_cast<int64_t>(hour) * kHourMs);
      if (filter_.budget_us > 0) begin = std::max(begin, to_ms - piece_ms_);
      WEIR_CHECK_OK(search_piece(query, begin, to_ms));
      to_ms = begin;
    }
    return {};
  }

  std::string where_sql() const {
    return " WHERE id>=?1 AND id<?2" +
           (where_.sql().empty() ? "" : " AND " + where_.sql().substr(7));
  }

  // The hours of a day in which there is anything to find.
  Result<std::bitset<24>> hours_of(store::Connection& connection, int64_t day) {
    std::bitset<24> hours;
    hours.flip();
    for (const auto& [dimension, value] : tallied_) {
      WEIR_TRY(store::Statement any,
               connection.prepare("SELECT 1 FROM tally WHERE dimension=?1 AND level=0 AND at=?2 "
                                  "AND value=?3"));
      any.bind(1, dimension).bind(2, day).bind(3, std::string_view(*value));
      WEIR_TRY(const bool found, any.step());
      if (!found) return std::bitset<24>();
      WEIR_TRY(store::Statement lines,
               connection.prepare("SELECT at FROM tally WHERE dimension=?1 AND level=1 AND "
                                  "value=?2"));
      lines.bind(1, dimension).bind(2, std::string_view(*value));
      std::bitset<24> there;
      for (;;) {
        WEIR_TRY(const bool more, lines.step());
        if (!more) break;
        there.set(
            static_cast<size_t>(std::clamp<int64_t>(lines.column_int64(0) - day * 24, 0, 23)));
      }
      hours &= there;
    }
    return hours;
  }

  Result<void> search_piece(store::Statement& query, int64_t from_ms, int64_t to_ms) {
    const Steady::time_point begin = Steady::now();
    const Id first = Id::first_at(from_ms);
    Id end = Id::first_at(to_ms);
    if (filter_.before) end = std::min(end, *filter_.before);
    query.reset();
    // One more than asked for tells whether there is a next page.
    query.bind(1, first.value())
        .bind(2, end.value())
        .bind(3, static_cast<int64_t>(limit_ + 1 - page_.rows.size()));
    where_.bind(query);
    for (;;) {
      WEIR_TRY(const bool more, query.step());
      if (!more) break;
      page_.rows.push_back(read_request(query));
    }
    if (page_.rows.size() > limit_) {
      page_.rows.resize(limit_);
      page_.next = page_.rows.back().id;
      return {};
    }
    const int64_t took_us = us_since(begin);
    if (took_us < kPieceUs / 4) piece_ms_ = std::min(piece_ms_ * 4, store::kDayMs);
    if (took_us > kPieceUs) piece_ms_ = std::max<int64_t>(piece_ms_ / 2, 1000);
    if (filter_.budget_us > 0 && us_since(begin_) >= filter_.budget_us) {
      page_.next = first;
      page_.partial = true;
    }
    return {};
  }

  static constexpr int64_t kPieceUs = 5'000;

  const std::string& data_dir_;
  LogFiles& files_;
  const RowFilter& filter_;
  const uint32_t limit_;
  const Steady::time_point begin_ = Steady::now();
  Where where_{4};
  std::vector<std::pair<std::string_view, const std::string*>> tallied_;
  int64_t piece_ms_ = 15 * 60'000;
  RowPage page_;
};

}  // namespace

Result<RowPage> LogReader::list(const RowFilter& filter) const {
  return Search(*this, filter).run();
}

Result<RequestRow> LogReader::get(Id id) const {
  WEIR_TRY(const LogFile connection, files_->requests(store::day_of(id.wall_ms())));
  if (connection) {
    WEIR_TRY(store::Statement query, connection->prepare(select_request_sql() + " WHERE id=?1"));
    query.bind(1, id.value());
    WEIR_TRY(bool found, query.step());
    if (found) return read_request(query);
  }
  return fail(ErrorCode::not_found, fmt::format("no request has the id {}", id.to_text()));
}

Result<StoredCapture> LogReader::get_capture(Id id) const {
  WEIR_TRY(const LogFile connection, files_->captures(store::day_of(id.wall_ms())));
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

namespace {

using Spending = std::map<std::string, SpentBefore>;

Result<Spending> spending_of(const LogReader& reader, int64_t wall_ms) {
  Spending spent;
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
  return spent;
}

}  // namespace

Result<void> remember_spending(const LogReader& reader, int64_t wall_ms, LimitRegistry& registry) {
  Spending spent;
  WEIR_TRY(Corrections corrections, corrections_of(reader));
  // Somebody may write corrections meanwhile: the sums are those of between two equal looks.
  for (int attempt = 0; attempt < kLooksMax; ++attempt) {
    WEIR_TRY(spent, spending_of(reader, wall_ms));
    WEIR_TRY(Corrections now, corrections_of(reader));
    const bool still = now == corrections;
    corrections = std::move(now);
    if (still) break;
  }
  for (const auto& [where, sum] : corrections) {
    const auto found = spent.find(where.first);
    if (found != spent.end()) found->second.corrections[where.second] = sum;
  }
  for (auto& [subject, before] : spent) registry.remember(subject, std::move(before));
  return {};
}

}  // namespace weir::ledger
