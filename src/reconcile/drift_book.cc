#include "reconcile/drift_book.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "base/json/document.h"
#include "base/json/writer.h"

namespace weir::reconcile {
namespace {

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, "
     "by TEXT NOT NULL, source TEXT NOT NULL, files TEXT NOT NULL, from_day INTEGER NOT NULL, "
     "to_day INTEGER NOT NULL, lines INTEGER NOT NULL, left_out TEXT NOT NULL);"
     "CREATE TABLE drift(provider TEXT NOT NULL, model TEXT NOT NULL, day INTEGER NOT NULL, "
     "run INTEGER NOT NULL, time_ms INTEGER NOT NULL, provisional INTEGER NOT NULL, "
     "ledger_tokens INTEGER NOT NULL, provider_tokens INTEGER NOT NULL, "
     "ledger_nano INTEGER NOT NULL, provider_nano INTEGER NOT NULL, parts TEXT NOT NULL, "
     "PRIMARY KEY(day, provider, model)) WITHOUT ROWID"}};

constexpr Kind kKinds[] = {Kind::bypass, Kind::missing,  Kind::late,       Kind::token_class,
                           Kind::rate,   Kind::rounding, Kind::unexplained};

std::string parts_text(const std::vector<Part>& parts) {
  std::string text;
  json::Writer w(text);
  w.begin_array();
  for (const Part& part : parts) {
    w.begin_array()
        .string(to_string(part.kind))
        .number(part.tokens)
        .number(part.cost.nano())
        .end_array();
  }
  w.end_array();
  return text;
}

std::vector<Part> parse_parts(std::string_view text) {
  std::vector<Part> parts;
  json::Document document;
  if (!document.parse(text)) return parts;
  for (const json::Value row : document.root().elements()) {
    std::vector<json::Value> cells;
    for (const json::Value cell : row.elements()) cells.push_back(cell);
    if (cells.size() != 3) continue;
    for (const Kind kind : kKinds) {
      if (!cells[0].equals(to_string(kind))) continue;
      parts.push_back({.kind = kind,
                       .tokens = cells[1].as_int64().value_or(0),
                       .cost = Money::from_nano(cells[2].as_int64().value_or(0))});
    }
  }
  return parts;
}

std::string left_out_text(const std::map<std::string, int64_t>& left_out) {
  std::string text;
  json::Writer w(text);
  w.begin_object();
  for (const auto& [why, count] : left_out) w.member(why, count);
  w.end_object();
  return text;
}

}  // namespace

Result<DriftBook> DriftBook::open(const std::string& data_dir) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/reconcile.db", store::OpenMode::create));
  WEIR_CHECK_OK(connection.migrate("reconcile", kMigrations));
  return DriftBook(std::move(connection));
}

Result<int64_t> DriftBook::keep(const Run& run, const Reconciliation& result) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(store::Statement insert_run,
           connection_.prepare("INSERT INTO run(time_ms, by, source, files, from_day, to_day, "
                               "lines, left_out) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                               "RETURNING id"));
  const std::string left_out = left_out_text(run.left_out);
  insert_run.bind(1, run.time_ms)
      .bind(2, run.by)
      .bind(3, run.source)
      .bind(4, run.files)
      .bind(5, run.from_day)
      .bind(6, run.to_day)
      .bind(7, run.lines)
      .bind(8, left_out);
  WEIR_TRY(const bool made, insert_run.step());
  if (!made) return fail(ErrorCode::internal, "the run has no number");
  const int64_t id = insert_run.column_int64(0);
  insert_run.reset();
  std::set<std::string> providers;
  for (const Drift& drift : result.drifts) providers.insert(drift.provider);
  for (const std::string& provider : providers) {
    WEIR_TRY(store::Statement erase,
             connection_.prepare("DELETE FROM drift WHERE provider=?1 AND day>=?2 AND day<?3"));
    erase.bind(1, provider).bind(2, run.from_day).bind(3, run.to_day);
    WEIR_CHECK_OK(erase.run());
  }
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT OR REPLACE INTO drift VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                               "?8, ?9, ?10, ?11)"));
  for (const Drift& drift : result.drifts) {
    const std::string parts = parts_text(drift.parts);
    insert.bind(1, drift.provider)
        .bind(2, drift.model)
        .bind(3, drift.day)
        .bind(4, id)
        .bind(5, run.time_ms)
        .bind(6, int64_t{drift.provisional})
        .bind(7, drift.ledger_tokens)
        .bind(8, drift.provider_tokens)
        .bind(9, drift.ledger_cost.nano())
        .bind(10, drift.provider_cost.nano())
        .bind(11, parts);
    WEIR_CHECK_OK(insert.run());
  }
  const std::string tidy = fmt::format(
      "DELETE FROM run WHERE id<={};"
      "DELETE FROM drift WHERE day<(SELECT max(day) FROM drift)-{}",
      id - static_cast<int64_t>(kRunsMax), kDaysKept);
  WEIR_CHECK_OK(connection_.execute(tidy.c_str()));
  WEIR_CHECK_OK(transaction.commit());
  return id;
}

Result<std::vector<KeptDrift>> DriftBook::list(const DriftFilter& filter) {
  WEIR_TRY(store::Statement rows,
           connection_.prepare(
               "SELECT provider, model, day, run, time_ms, provisional, ledger_tokens, "
               "provider_tokens, ledger_nano, provider_nano, parts FROM drift WHERE day>=?1 AND "
               "day<?2 AND (?3='' OR provider=?3) ORDER BY day DESC, provider, model LIMIT ?4"));
  rows.bind(1, filter.from_day)
      .bind(2, filter.to_day)
      .bind(3, filter.provider)
      .bind(4, int64_t{filter.limit});
  std::vector<KeptDrift> list;
  for (;;) {
    WEIR_TRY(const bool more, rows.step());
    if (!more) return list;
    list.push_back({.run = rows.column_int64(3),
                    .time_ms = rows.column_int64(4),
                    .drift = {.provider = std::string(rows.column_text(0)),
                              .model = std::string(rows.column_text(1)),
                              .day = rows.column_int64(2),
                              .provisional = rows.column_int64(5) != 0,
                              .ledger_tokens = rows.column_int64(6),
                              .provider_tokens = rows.column_int64(7),
                              .ledger_cost = Money::from_nano(rows.column_int64(8)),
                              .provider_cost = Money::from_nano(rows.column_int64(9)),
                              .parts = parse_parts(rows.column_text(10))}});
  }
}

Result<std::vector<Run>> DriftBook::runs() {
  WEIR_TRY(store::Statement rows,
           connection_.prepare("SELECT id, time_ms, by, source, files, from_day, to_day, lines, "
                               "left_out FROM run ORDER BY id DESC"));
  std::vector<Run> list;
  for (;;) {
    WEIR_TRY(const bool more, rows.step());
    if (!more) return list;
    Run run{.id = rows.column_int64(0),
            .time_ms = rows.column_int64(1),
            .by = std::string(rows.column_text(2)),
            .source = std::string(rows.column_text(3)),
            .files = std::string(rows.column_text(4)),
            .from_day = rows.column_int64(5),
            .to_day = rows.column_int64(6),
            .lines = rows.column_int64(7),
            .left_out = {}};
    json::Document document;
    if (document.parse(rows.column_text(8))) {
      for (const auto& [why, count] : document.root().members()) {
        run.left_out[why] = count.as_int64().value_or(0);
      }
    }
    list.push_back(std::move(run));
  }
}

}  // namespace weir::reconcile
