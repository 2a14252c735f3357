#include "ledger/rerate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "base/json/document.h"
#include "base/log.h"
#include "ledger/cost.h"
#include "ledger/log_schema.h"
#include "ledger/tally.h"
#include "store/day.h"
#include "store/sqlite.h"

namespace weir::ledger {

namespace {

// Ids of corrections are those of a maker that no worker is.
constexpr int64_t kMaker = 255;
constexpr const char* kStamp = "/corrections.stamp";
constexpr int64_t kMakerShift = 13;
constexpr int64_t kIdsOfMaker = int64_t{1} << kMakerShift;

// What a usage costs by rates as a row keeps them.
Money cost_by(const json::Value& rates, const dialect::Usage& usage) {
  PriceRow row;
  for (size_t i = 0; i < kUsageClasses; ++i) {
    row.rates.pico_per_token[i] = rates[to_string(static_cast<UsageClass>(i))].as_int64();
  }
  row.nano_per_tool_call = rates["tool_call"].as_int64();
  return cost(usage, row).total;
}

struct Paid {
  Money cost;
  Money list;
};

// What the last attempt of a row cost by the row's own account; nothing where that is not known.
std::optional<Paid> last_attempt_of(const RequestRow& row) {
  if (row.rates.empty()) {
    if (row.price_row.empty()) return Paid{};  // it was not priced
    if (row.attempts > 1 || row.endpoint == "batch") return std::nullopt;
    return Paid{row.cost, row.list_cost};
  }
  json::Document document;
  if (!document.parse(row.rates)) return std::nullopt;
  const json::Value root = document.root();
  const json::Value list = root["list"];
  return Paid{cost_by(root, row.usage), cost_by(list.exists() ? list : root, row.usage)};
}

// Whether it used something that a provider charges for.
bool is_charged(const RequestRow& row) {
  const bool used = row.usage.total_input() + row.usage.total_output() + row.usage.tool_calls > 0;
  // Counting tokens is free; and no price is for a model that the request did not name.
  return used && !row.provider.empty() && !row.model_asked.empty() &&
         (row.cost_state != CostState::final || !row.price_row.empty());
}

struct Corrected {
  Money cost;
  Money list;
  std::optional<CostState> state;  // of the latest correction
};

// A server looks at its time: whoever wrote corrections touches it.
void leave_stamp(const std::string& data_dir) {
  const std::ofstream file(data_dir + kStamp, std::ios::trunc);
  if (::utimensat(AT_FDCWD, (data_dir + kStamp).c_str(), nullptr, 0) == 0) return;
  log::warn("corrections_untold", {{"problem", "budgets hear of them at the next start"}});
}

class Rerater {
 public:
  Rerater(const RerateQuery& query, const PriceBook& book) : query_(query), book_(book) {}

  Result<RerateReport> run() {
    for (const int64_t day : store::days_on_disk(query_.data_dir, kRequestsPrefix)) {
      if (day < store::day_of(query_.since_ms) || day > store::day_of(query_.until_ms - 1))
        continue;
      WEIR_CHECK_OK(run_day(day));
    }
    return std::move(report_);
  }

  bool has_written() const { return written_; }

 private:
  Result<void> run_day(int64_t day) {
    const std::string path = store::day_file(query_.data_dir, kRequestsPrefix, day);
    auto opened = store::Connection::open(
        path, query_.dry_run ? store::OpenMode::read_only : store::OpenMode::create);
    if (!opened) {
      if (opened.error().code() == ErrorCode::not_found) return {};
      return fail(std::move(opened).error());
    }
    tallies_ = {};
    connection_ = std::move(*opened);
    store::Connection& connection = connection_;
    if (!query_.dry_run) {
      WEIR_CHECK_OK(connection.migrate("ledger", requests_migrations()));
      WEIR_TRY(tallies_, TallyWriter::open(connection));
    }
    int64_t after = Id::first_at(query_.since_ms).value() - 1;
    for (;;) {
      WEIR_TRY(const int64_t last, run_chunk(connection, after));
      if (last == 0) return {};
      after = last;
      if (query_.progress) WEIR_CHECK_OK(query_.progress(looked_at_));
    }
  }

  // The id of the last row that was looked at; 0: there are no more.
  Result<int64_t> run_chunk(store::Connection& connection, int64_t after) {
    std::optional<store::Transaction> transaction;
    if (!query_.dry_run) {
      WEIR_TRY(store::Transaction begun, store::Transaction::begin(connection));
      transaction.emplace(std::move(begun));
    }
    WEIR_TRY(std::vector<RequestRow> rows, rows_after(connection, after));
    if (rows.empty()) return 0;
    looked_at_ += static_cast<int64_t>(rows.size());
    std::map<RollupKey, RollupSums> sums;
    tallies_.clear();
    WEIR_TRY(store::Statement insert, connection.prepare(insert_request_sql()));
    for (const RequestRow& row : rows) {
      WEIR_TRY(auto correction, correction_of(connection, row, sums));
      if (correction && !query_.dry_run) WEIR_CHECK_OK(write(connection, insert, *correction));
    }
    if (transaction) {
      for (const auto& [key, sum] : sums) tallies_.add(key, sum);
      WEIR_CHECK_OK(tallies_.write());
      WEIR_CHECK_OK(transaction->commit());
      written_ = written_ || !sums.empty();
    }
    return rows.back().id.value();
  }

  Result<std::vector<RequestRow>> rows_after(store::Connection& connection, int64_t after) {
    WEIR_TRY(
        store::Statement select,
        connection.prepare(fmt::format(
            "{} WHERE id>{} AND id<{} AND corrects=0 ORDER BY id LIMIT {}", select_request_sql(),
            after, Id::first_at(query_.until_ms).value(), RerateQuery::kChunkRows)));
    std::vector<RequestRow> rows;
    for (;;) {
      WEIR_TRY(const bool more, select.step());
      if (!more) return rows;
      rows.push_back(read_request(select));
    }
  }

  Result<Corrected> corrected_before(store::Connection& connection, Id id) {
    WEIR_TRY(store::Statement select,
             connection.prepare("SELECT cost_nano, list_nano, cost_state FROM request "
                                "WHERE corrects=?1 AND corrects<>0 ORDER BY id"));
    select.bind(1, id.value());
    Corrected sum;
    for (;;) {
      WEIR_TRY(const bool more, select.step());
      if (!more) return sum;
      sum.cost += Money::from_nano(select.column_int64(0));
      sum.list += Money::from_nano(select.column_int64(1));
      sum.state = static_cast<CostState>(select.column_int64(2));
    }
  }

  Result<std::optional<RequestRow>> correction_of(store::Connection& connection,
                                                  const RequestRow& row,
                                                  std::map<RollupKey, RollupSums>& sums) {
    if (!is_charged(row)) return std::nullopt;
    ++report_.rows;
    const auto last = last_attempt_of(row);
    if (!last) {
      ++report_.unknown;
      return std::nullopt;
    }
    const PricedAs as = query_.priced_as ? query_.priced_as(row) : PricedAs{row.provider_model, {}};
    const Cost now = cost(row.usage, book_,
                          {.provider = row.provider,
                           .model = as.model,
                           .location = as.location,
                           .account = row.account,
                           .wall_ms = row.start_ms});
    if (now.row == nullptr) {
      // A price that is gone from the book is no reason to take back what was charged.
      ++report_.unpriced;
      return std::nullopt;
    }
    WEIR_TRY(const Corrected before, corrected_before(connection, row.id));
    const CostState state_before = before.state.value_or(row.cost_state);
    const Money delta = now.total - last->cost - before.cost;
    const Money list_delta = now.list - last->list - before.list;
    // With several attempts the row is as unsure as the least sure of them; nobody knows which.
    const CostState state = row.attempts > 1 ? std::max(now.state, state_before) : now.state;
    if (delta == Money{} && list_delta == Money{} && state == state_before) {
      ++report_.same;
      return std::nullopt;
    }
    RerateSum& model = report_.by_model[{row.provider, row.provider_model}];
    for (RerateSum* sum : {&model, &report_.all}) {
      ++sum->rows;
      sum->before += row.cost + before.cost;
      sum->after += row.cost + before.cost + delta;
    }
    RequestRow made = correction_row(row, now);
    made.cost = delta;
    made.list_cost = list_delta;
    made.cost_state = state;
    RollupSums& sum = sums[rollup_key(made)];
    sum.unpriced += (state == CostState::unpriced) - (state_before == CostState::unpriced);
    sum.estimated += (state == CostState::estimated) - (state_before == CostState::estimated);
    return made;
  }

  // Who and what the row was for, and nothing of what happened.
  static RequestRow correction_row(const RequestRow& row, const Cost& now) {
    RequestRow made;
    made.id = row.id;  // its place; write() finds it one of its own
    made.start_ms = row.start_ms;
    made.key_id = row.key_id;
    made.team = row.team;
    made.project = row.project;
    made.user = row.user;
    made.tags = row.tags;
    made.dialect = row.dialect;
    made.endpoint = row.endpoint;
    made.model_asked = row.model_asked;
    made.model = row.model;
    made.deployment = row.deployment;
    made.account = row.account;
    made.provider = row.provider;
    made.provider_model = row.provider_model;
    made.status = row.status;
    made.outcome = Outcome::ok;
    made.usage.service_tier = row.usage.service_tier;
    made.price_row = now.row_id();
    made.rates = rates_text(now);
    made.corrects = row.id;
    return made;
  }

  Result<void> write(store::Connection& connection, store::Statement& insert, RequestRow& row) {
    const int64_t first = Id::first_at(row.id.wall_ms()).value() + kMaker * kIdsOfMaker;
    for (int64_t id = first; id < first + kIdsOfMaker; ++id) {
      row.id = Id(id);
      bind_request(insert, row);
      WEIR_CHECK_OK(insert.run());
      if (connection.changes() == 0) continue;
      tallies_.add(row);
      return {};
    }
    return fail(ErrorCode::limit_exceeded, "too many corrections of one millisecond");
  }

  const RerateQuery& query_;
  const PriceBook& book_;
  RerateReport report_;
  int64_t looked_at_ = 0;
  bool written_ = false;
  store::Connection connection_;  // the day's file that is open
  TallyWriter tallies_;
};

}  // namespace

Result<RerateReport> rerate(const RerateQuery& query, const PriceBook& book) {
  if (query.since_ms >= query.until_ms) {
    return fail(ErrorCode::invalid_argument, "expected a time with an end after its beginning");
  }
  Rerater rerater(query, book);
  auto report = rerater.run();
  if (rerater.has_written()) leave_stamp(query.data_dir);
  return report;
}

int64_t corrections_stamp(const std::string& data_dir) {
  struct stat info{};
  if (::stat((data_dir + kStamp).c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
}

}  // namespace weir::ledger
