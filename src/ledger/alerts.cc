#include "ledger/alerts.h"

#include <fmt/format.h>

#include "base/date.h"
#include "base/json/writer.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE alert_told(budget TEXT PRIMARY KEY, window INTEGER NOT NULL, "
     "threshold INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE alert(id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, "
     "attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL)"},
    {2,
     "CREATE TABLE anomaly(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, "
     "body TEXT NOT NULL)"}};

// A budget that is changed is another one.
std::string name_of(const BudgetStanding& standing) {
  return fmt::format("{}|{}|{}|{}", standing.subject, window_text(standing.rule),
                     standing.rule.hard ? "hard" : "soft", standing.rule.limit.nano());
}

int threshold_of(const BudgetStanding& standing) {
  int reached = 0;
  for (const int threshold : AlertBook::kThresholds) {
    // Hundredths first: a limit times a hundred may not fit.
    const int64_t limit = standing.rule.limit.nano();
    const int64_t at = limit / 100 * threshold + limit % 100 * threshold / 100;
    if (standing.spent.nano() >= at) reached = threshold;
  }
  return reached;
}

// A rolling window has no beginning that a threshold could be told once for.
int64_t window_of(const BudgetRule& rule, int64_t wall_ms) {
  return rule.window == BudgetWindow::rolling ? 0 : window_index(rule.window, wall_ms);
}

std::string body_of(const AlertBook::Reached& reached, int64_t wall_ms) {
  const BudgetRule& rule = reached.standing.rule;
  std::string text;
  json::Writer w(text);
  w.begin_object()
      .member("type", "budget.threshold")
      .member("created", rfc3339(wall_ms))
      .member("subject", reached.standing.subject)
      .member("threshold_percent", reached.threshold)
      .member("spent_usd", reached.standing.spent.to_usd());
  w.key("budget")
      .begin_object()
      .member("usd", rule.limit.to_usd())
      .member("per", to_string(rule.window))
      .member("days", rule.days)
      .member("hard", rule.hard)
      .end_object();
  w.key("window_start");
  if (rule.window == BudgetWindow::total) {
    w.null();
  } else {
    w.string(rfc3339(first_day_of(rule, wall_ms) * store::kDayMs));
  }
  w.end_object();
  return text;
}

std::string amount_text(const Anomaly& anomaly, int64_t amount) {
  switch (anomaly.kind) {
    case AnomalyKind::tokens:
    case AnomalyKind::requests:
    case AnomalyKind::loop:
      return fmt::format("{}", amount);
    default:
      return Money::from_nano(amount).to_usd();
  }
}

std::string_view unit_of(AnomalyKind kind) {
  switch (kind) {
    case AnomalyKind::tokens:
      return "tokens";
    case AnomalyKind::requests:
    case AnomalyKind::loop:
      return "requests";
    default:
      return "usd";
  }
}

std::string body_of(const Anomaly& anomaly, std::string_view key, int64_t wall_ms) {
  std::string text;
  json::Writer w(text);
  w.begin_object()
      .member("type", "anomaly")
      .member("created", rfc3339(wall_ms))
      .member("kind", to_string(anomaly.kind))
      .member("sentence", sentence_of(anomaly, key))
      .member("key_id", anomaly.key_id)
      .member("key", key)
      .member("model", anomaly.model)
      .member("since", rfc3339(anomaly.since_ms))
      .member("unit", unit_of(anomaly.kind))
      .member("now", amount_text(anomaly, anomaly.found))
      .member("usual", amount_text(anomaly, anomaly.usual))
      .member("spent_usd", anomaly.spent.to_usd())
      .member("requests", anomaly.requests)
      .member("errors", anomaly.errors)
      .end_object();
  return text;
}

}  // namespace

Result<AlertBook> AlertBook::open(const std::string& data_dir) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/alerts.db", store::OpenMode::create));
  WEIR_CHECK_OK(connection.migrate("alerts", kMigrations));
  AlertBook book(std::move(connection));
  WEIR_CHECK_OK(book.load());
  return book;
}

Result<void> AlertBook::load() {
  WEIR_TRY(store::Statement query,
           connection_.prepare("SELECT budget, window, threshold FROM alert_told"));
  for (;;) {
    WEIR_TRY(bool more, query.step());
    if (!more) break;
    told_[std::string(query.column_text(0))] = {query.column_int64(1),
                                                static_cast<int>(query.column_int64(2))};
  }
  WEIR_TRY(const auto pending, connection_.query_int64("SELECT count(*) FROM alert"));
  counts_.pending = static_cast<uint64_t>(pending.value_or(0));
  return {};
}

Result<void> AlertBook::remember(const std::string& budget, const Told& told) {
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT OR REPLACE INTO alert_told(budget, window, threshold) "
                               "VALUES(?1, ?2, ?3)"));
  insert.bind(1, budget).bind(2, told.window).bind(3, told.threshold);
  return insert.run();
}

Result<void> AlertBook::enqueue(const std::string& body, int64_t wall_ms) {
  if (counts_.pending >= kPendingMax) {
    ++counts_.dropped;
    return {};
  }
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO alert(body, attempts, next_ms) VALUES(?1, 0, ?2)"));
  insert.bind(1, body).bind(2, wall_ms);
  WEIR_CHECK_OK(insert.run());
  ++counts_.pending;
  return {};
}

Result<std::vector<AlertBook::Reached>> AlertBook::watch(std::span<const BudgetStanding> standings,
                                                         int64_t wall_ms, bool deliver) {
  std::vector<Reached> reached;
  std::map<std::string, Told> changed;
  for (const BudgetStanding& standing : standings) {
    const std::string name = name_of(standing);
    const Told now{window_of(standing.rule, wall_ms), threshold_of(standing)};
    const auto found = told_.find(name);
    const Told before = found == told_.end() ? Told{now.window, 0} : found->second;
    if (now == before) continue;
    const bool rolling = standing.rule.window == BudgetWindow::rolling;
    // Spending does not fall within a calendar window, but the clock may go back.
    if (!rolling && (now.window < before.window ||
                     (now.window == before.window && now.threshold < before.threshold))) {
      continue;
    }
    const int told = now.window == before.window ? before.threshold : 0;
    for (const int threshold : kThresholds) {
      if (threshold > told && threshold <= now.threshold) reached.push_back({standing, threshold});
    }
    if (now.threshold > 0 || found != told_.end()) changed[name] = now;
  }
  if (changed.empty()) return reached;
  const AlertCounts counts_before = counts_;
  // One transaction: a message without its mark would be told twice, a mark without it never.
  const auto write = [&]() -> Result<void> {
    WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
    for (const auto& [budget, told] : changed) WEIR_CHECK_OK(remember(budget, told));
    if (deliver) {
      for (const Reached& one : reached) WEIR_CHECK_OK(enqueue(body_of(one, wall_ms), wall_ms));
    }
    return transaction.commit();
  };
  if (auto written = write(); !written) {
    counts_ = counts_before;
    return fail(std::move(written).error());
  }
  for (auto& [budget, told] : changed) told_[budget] = told;
  counts_.reached += reached.size();
  return reached;
}

Result<bool> AlertBook::tell(const Anomaly& anomaly, std::string_view key, int64_t wall_ms,
                             bool deliver) {
  constexpr int64_t kHour = 3'600'000;
  const std::string name = fmt::format("{}|{}|{}|{}", to_string(anomaly.kind), anomaly.key_id,
                                       anomaly.model, anomaly.since_ms / kHour);
  const std::string body = body_of(anomaly, key, wall_ms);
  const AlertCounts counts_before = counts_;
  const auto write = [&]() -> Result<bool> {
    WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
    WEIR_TRY(store::Statement insert,
             connection_.prepare("INSERT OR IGNORE INTO anomaly(name, body) VALUES(?1, ?2)"));
    insert.bind(1, name).bind(2, body);
    WEIR_CHECK_OK(insert.run());
    if (connection_.changes() == 0) return false;
    WEIR_TRY(
        store::Statement trim,
        connection_.prepare("DELETE FROM anomaly WHERE id <= (SELECT max(id) FROM anomaly) - ?1"));
    trim.bind(1, kAnomaliesMax);
    WEIR_CHECK_OK(trim.run());
    if (deliver) WEIR_CHECK_OK(enqueue(body, wall_ms));
    WEIR_CHECK_OK(transaction.commit());
    return true;
  };
  auto told = write();
  if (!told) {
    counts_ = counts_before;
  } else if (*told) {
    ++counts_.anomalies[static_cast<size_t>(anomaly.kind)];
  }
  return told;
}

Result<std::vector<ToldAnomaly>> AlertBook::anomalies(int64_t limit) {
  WEIR_TRY(store::Statement query,
           connection_.prepare("SELECT id, body FROM anomaly ORDER BY id DESC LIMIT ?1"));
  query.bind(1, limit);
  std::vector<ToldAnomaly> list;
  for (;;) {
    WEIR_TRY(const bool more, query.step());
    if (!more) return list;
    list.push_back({query.column_int64(0), std::string(query.column_text(1))});
  }
}

Result<std::optional<Alert>> AlertBook::next(int64_t wall_ms) {
  if (counts_.pending == 0) return std::nullopt;
  WEIR_TRY(store::Statement query,
           connection_.prepare("SELECT id, body, attempts, next_ms FROM alert WHERE next_ms<=?1 "
                               "ORDER BY next_ms, id LIMIT 1"));
  query.bind(1, wall_ms);
  WEIR_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  return Alert{.id = query.column_int64(0),
               .body = std::string(query.column_text(1)),
               .attempts = static_cast<uint32_t>(query.column_int64(2)),
               .next_ms = query.column_int64(3)};
}

Result<void> AlertBook::sent(const Alert& alert) {
  WEIR_TRY(store::Statement remove, connection_.prepare("DELETE FROM alert WHERE id=?1"));
  remove.bind(1, alert.id);
  WEIR_CHECK_OK(remove.run());
  ++counts_.sent;
  --counts_.pending;
  return {};
}

Result<void> AlertBook::failed(const Alert& alert, int64_t next_ms) {
  ++counts_.failed;
  if (next_ms == 0) {
    WEIR_TRY(store::Statement remove, connection_.prepare("DELETE FROM alert WHERE id=?1"));
    remove.bind(1, alert.id);
    WEIR_CHECK_OK(remove.run());
    ++counts_.given_up;
    --counts_.pending;
    return {};
  }
  WEIR_TRY(store::Statement update,
           connection_.prepare("UPDATE alert SET attempts=attempts+1, next_ms=?2 WHERE id=?1"));
  update.bind(1, alert.id).bind(2, next_ms);
  return update.run();
}

}  // namespace weir::ledger
